"""What the pages name exists: source files, test files, test functions."""

import re
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT, inline_code

SOURCES = {path.relative_to(ROOT / "src" / "dermsynth").as_posix() for path in (ROOT / "src").rglob("*.py")}
OTHERS = {
    path.relative_to(ROOT).as_posix()
    for folder in ("tests", "bench", "tools")
    for path in (ROOT / folder).rglob("*.py")
}
DATA_FOLDERS = ("images/", "masks/", "structures/", "artefacts/", "scores/", "samples/", "run/", "runs/", "synthetic/")
DATA_FOLDERS += ("checkpoints/", "evaluations/")
FILES = SOURCES | OTHERS
TEXTS = "\n".join((ROOT / path).read_text("utf-8") for path in sorted(OTHERS) if path.startswith("tests/"))
TESTS = set(re.findall(r"^\s*(?:async )?def (test_\w+)", TEXTS, re.M))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_and_test_that_a_page_names_exists(page: Path) -> None:
    codes = inline_code(page)
    files = {name for code in codes for name in re.findall(r"(?<![\w./])(?:\w+/)*\w+\.py\b", code)}
    folders = {name for code in codes for name in re.findall(r"^(?:\w+/)+$", code)}
    tests = {name for code in codes for name in re.findall(r"\btest_\w+\b(?!\.)", code)}
    assert not {name for name in files if not any(path == name or path.endswith(f"/{name}") for path in FILES)}
    assert not {
        name
        for name in folders
        if not name.startswith(DATA_FOLDERS) and not any(path.startswith(name) for path in FILES)
    }
    assert not tests - TESTS
