"""The reference of the command line, written from the program itself: every verb, every flag, its help text."""

import re

from dermsynth.cli.app import app

NO_DEFAULT = re.compile(r" \*\[default: (?:\(\)|\"\"|False)\]\*")
"""What stands for "nothing": no value, no values, a flag that is not set."""
TITLE = "# Command line\n\nEvery verb and every flag, with the text that `--help` prints.\n\n"


def command_pages() -> dict[str, str]:
    """Pages by file name: one for each verb or group of verbs, and `index.md` that lists them.

    Returns
    -------
    dict[str, str]
        File name in the folder of the reference -> Markdown.
    """
    whole = app.generate_docs(output_format="markdown", recursive=True)
    sections = re.split(r"^## dermsynth (?=[\w-]+$)", whole, flags=re.MULTILINE)[1:]
    verbs = {section.split("\n", 1)[0].strip(): section.split("\n", 1)[1] for section in sections}
    pages = {f"{verb}.md": _page(verb, text) for verb, text in verbs.items()}
    rows = [f"| [{verb}]({verb}.md) | {_first_sentence(text)} |" for verb, text in sorted(verbs.items())]
    return {"index.md": TITLE + "| verb | what it does |\n|--|--|\n" + "\n".join(rows) + "\n", **pages}


def _page(verb: str, text: str) -> str:
    """One verb with headings a level up, without the links that led through the one long page."""
    raised = re.sub(r"^#(#+ )", r"\1", text, flags=re.MULTILINE)
    plain = NO_DEFAULT.sub("", re.sub(r"\[(`[\w-]+`)\]\(#[\w-]+\)", r"\1", raised))
    return f"# dermsynth {verb}\n{plain.rstrip()}\n"


def _first_sentence(text: str) -> str:
    """The help text of a verb: the first paragraph that is not its usage."""
    without_usage = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return next(line for line in without_usage.splitlines() if line.strip())
