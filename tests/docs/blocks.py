"""The fenced blocks and the inline commands of README and docs."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<mark>[^\n]+?) -->\n+)?"
    r"^```(?P<language>[\w-]*)\n(?P<text>.*?)^```$",
    re.M | re.S,
)
SHELL = ("bash", "console")


@dataclass(frozen=True)
class Block:
    """One fenced block: where it begins, its language, its text, and why the tests do not run it ("": they do)."""

    page: Path
    line: int
    language: str
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self) -> list[list[str]]:
        """The words of each shell line, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text("utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start("text")),
            match["language"],
            match["text"],
            match["mark"] or "",
        )
        for match in BLOCK.finditer(text)
    ]


def inline_code(page: Path) -> list[str]:
    """What stands between single backticks outside the fenced blocks."""
    outside = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", outside)]
