"""`python -m tools.docs.layout_table`: write the table of published layouts into its page, from the layouts themselves."""

import re
from pathlib import Path

from dermsynth.data.importers.layout_table import Layout, read_layout
from dermsynth.data.importers.layouts import layout_files

PAGE = Path(__file__).parents[2] / "docs" / "layouts.md"
BEGIN, END = "<!-- written by: python -m tools.docs.layout_table -->\n", "<!-- end -->"


def layout_table() -> str:
    """The published layouts as a table in Markdown."""
    rows = [_row(read_layout(name)) for name in layout_files()]
    return "| layout | what | images | tone | levels | licence |\n|--|--|--|--|--|--|\n" + "\n".join(rows) + "\n"


def _row(layout: Layout) -> str:
    meaning = layout.meaning
    scales = ("fitzpatrick", "fitzpatrick_pair", "monk", "tone_class", "ita")
    tones = ", ".join(f"`{scale}`" for scale in scales if getattr(meaning, scale))
    images = f"{layout.expected.images:,}" if layout.expected.images else ""
    what = layout.what.rstrip(".")
    source = f"https://doi.org/{layout.doi}" if layout.doi else layout.address
    if source:
        what = f"{what} ([source]({source}))"
    levels = "yes" if layout.label.has_levels else ""
    cells = (f"`{layout.key}`", what, images, tones, levels, ", ".join(layout.licence) or "by image")
    return f"| {' | '.join(cells)} |"


def with_table(page: str) -> str:
    """The page with the table as it should be."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{BEGIN}\n{layout_table()}\n{END}", page)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
