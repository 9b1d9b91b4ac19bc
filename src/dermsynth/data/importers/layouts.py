"""Every layout that can be imported: its name, what it is, and how it is read. A published one is one table in `data/layouts`.

Nothing heavy is imported, for the command line lists the layouts.
"""

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from dermsynth.errors import UserError

TABLES = Path(__file__).parents[1] / "layouts"
"""The folder of the published layouts, one TOML table each."""
OWN = {
    "folder": "A folder of images; sub-folders are labels.",
    "csv": "A CSV or Excel file with named columns and the images it names.",
}
"""Importers of one's own images: a name, and what it is."""
_HOME = "dermsynth.data.importers"


@cache
def layout_files() -> dict[str, Path]:
    """Name -> table of every published layout."""
    return {path.stem: path for path in sorted(TABLES.glob("*.toml"))}


def summary(name: str) -> str:
    """What a published layout is, in one line: the key `what` of its table, which is not parsed for it."""
    found = re.search(r'^what = "(.*)"$', layout_files()[name].read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def reader(name: str | Path) -> Callable[..., Any]:
    """The function that makes a `Source` of a place in a layout: one of one's own, a published one, or that of a file.

    Raises
    ------
    UserError
        For an unknown layout; it says which there are.
    """
    function: Callable[..., Any]
    if name in OWN:
        function = getattr(import_module(f"{_HOME}.generic"), f"from_{name}")
        return function
    model, published = (import_module(f"{_HOME}.{module}") for module in ("layout_table", "published"))
    function = published.layout_reader(model.read_layout(name))
    return function


def layout_file(name: str | Path) -> Path:
    """The table of a layout: a published one by its name, or a file of one's own.

    Raises UserError for a name that is none.
    """
    if str(name) in layout_files():
        return layout_files()[str(name)]
    if Path(name).suffix == ".toml":
        return Path(name)
    raise UserError(f"layout {str(name)!r}: unknown; there are: {', '.join([*OWN, *layout_files()])}")
