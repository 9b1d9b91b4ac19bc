"""Sheets of Excel workbooks as rows of text, with everything said that a reader of the sheet would not see."""

import datetime
import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dermsynth.errors import UserError

if TYPE_CHECKING:
    from openpyxl.cell import Cell
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

WORKBOOK, OLD_WORKBOOK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
"""First bytes of .xlsx files, and of .xls and encrypted ones."""
MOST_BYTES = 2_000_000_000
"""A workbook that unpacks to more is refused."""
_EMPTY_TEXT = "str"
"""Type of a cell whose formula had the empty text for a value, as openpyxl leaves it."""
_ZEROS = re.compile(r"0+")
Rows = list[tuple[int, list[str]]]


def workbook_rows(data: bytes, path: Path, sheet: str, notes: list[str]) -> Rows:
    """The rows of a sheet that are not blank, with their numbers; the first visible sheet where `sheet` is empty.

    Raises UserError for what is no workbook, an unknown sheet, merged cells, and formulas without a value.
    """
    workbook = _open(data, path, values=False)
    page = _sheet(workbook, path, sheet, notes)
    merged = sorted(area.coord for area in page.merged_cells.ranges)
    if merged:
        raise UserError(f"{path}: cells {merged[0]} are merged; unmerge them: each row needs its own")
    cells = [list(row) for row in page.iter_rows()]
    values = {cell.coordinate: _text(cell) for row in cells for cell in row}
    values |= _values_of_formulas(cells, data, path, page.title)
    texts = [(number, [values[cell.coordinate] for cell in row]) for number, row in enumerate(cells, 1)]
    rows = [(number, row) for number, row in texts if any(cell.strip() for cell in row)]
    hidden = sum(page.row_dimensions[number].hidden for number, _ in rows)
    if hidden:
        notes.append(f"{path.name}: {hidden} rows are hidden in the sheet (by a filter?); they were read, too")
    return _named_columns(rows, path)


def _open(data: bytes, path: Path, *, values: bool) -> "Workbook":
    """The workbook with its formulas, or with the values that they had when it was saved."""
    try:
        import openpyxl
    except ImportError as error:
        raise UserError(
            f"{path}: a workbook; to read it: pip install 'dermsynth[excel]', or save it as CSV UTF-8"
        ) from error
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MOST_BYTES:
            raise ValueError(f"it unpacks to {size:,} bytes")
        return openpyxl.load_workbook(io.BytesIO(data), data_only=values)
    except Exception as error:  # whatever a damaged file makes of it
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{path}: not a workbook that can be read ({reason}); save it as .xlsx or CSV UTF-8") from error


def _sheet(workbook: "Workbook", path: Path, sheet: str, notes: list[str]) -> "Worksheet":
    names = [page.title for page in workbook.worksheets]
    if sheet and sheet not in names:
        raise UserError(f"`sheet` {sheet!r}: {path} has no such sheet; there are: {', '.join(names)}")
    visible = [page for page in workbook.worksheets if page.sheet_state == "visible"]
    if not visible and not sheet:
        raise UserError(f"{path}: no sheet is visible; name one with `sheet`: {', '.join(names) or 'there is none'}")
    chosen: Worksheet = workbook[sheet] if sheet else visible[0]
    if not sheet and len(names) > 1:
        others = ", ".join(name for name in names if name != chosen.title)
        notes.append(f"{path.name}: sheet {chosen.title!r} was read; `sheet` names another ({others})")
    return chosen


def _values_of_formulas(cells: list[list["Cell"]], data: bytes, path: Path, sheet: str) -> dict[str, str]:
    """The texts of cells with formulas by their coordinates; UserError where one was never calculated."""
    formulas = [cell.coordinate for row in cells for cell in row if cell.data_type == "f"]
    if not formulas:
        return {}
    page = _open(data, path, values=True)[sheet]
    blank = [place for place in formulas if page[place].value is None and page[place].data_type != _EMPTY_TEXT]
    if blank:
        raise UserError(f"{path}: cell {blank[0]} has a formula and no value; open and save it in Excel or LibreOffice")
    return {place: _text(page[place]) for place in formulas}


def _text(cell: "Cell") -> str:
    """A cell as a CSV file would have it: whole numbers without point, leading zeros as shown, dates by ISO 8601."""
    value: Any = cell.value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and _ZEROS.fullmatch(cell.number_format):
        return str(value).zfill(len(cell.number_format))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


def _named_columns(rows: Rows, path: Path) -> Rows:
    """The rows as far as the header has names; UserError for a value in a column after them."""
    if not rows:
        return rows
    count = max((place for place, cell in enumerate(rows[0][1], 1) if cell.strip()), default=0)
    for number, row in rows:
        beside = next((place for place, cell in enumerate(row[count:], count + 1) if cell.strip()), 0)
        if beside:
            raise UserError(
                f"{path}: row {number} has a value in column {beside}, which has no name in row {rows[0][0]}; "
                "name the column, or delete the value"
            )
    return [(number, row[:count]) for number, row in rows]
