"""Tables of text from files that any spreadsheet or library wrote: separators, encodings, and what makes a table unsafe."""

import csv
import logging
import re
import sys
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from dermsynth.data.workbooks import OLD_WORKBOOK, WORKBOOK, workbook_rows
from dermsynth.errors import UserError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SAMPLE = 100
"""Rows that decide on the separator."""
MOSTLY = 0.2
"""Up to this share of the rows is an exception."""
AMBIGUOUS = "ambiguous"
_log = logging.getLogger(__name__)
_EXCEL_TEXT = re.compile(r'="(.*)"')


def read_table(path: Path, *, notes: list[str] | None = None, sheet: str = "") -> pd.DataFrame:
    """Read a table with every value as text and blanks as empty strings.

    Understood are commas, semicolons, tabs and bars, UTF-8, UTF-16 and Windows-1252, a byte-order mark, a first line
    `sep=;`, and quoted line breaks. A row of fewer cells than the header is completed by blanks, a row of more is
    refused unless they are blank. Of an Excel workbook the first sheet is read, or the one that `sheet` names. What was
    guessed is appended to `notes`.

    Raises UserError, with the line where there is one, when the file is missing, empty or no table.
    """
    data = _bytes_of(path)
    if data.startswith(WORKBOOK):
        return _table_of_workbook(data, path, sheet, notes)
    notes = notes if notes is not None else []
    if sheet:
        raise UserError(f"`sheet` {sheet!r}: {path} is no Excel workbook and has no sheets; leave it out")
    text = _decode(data, path, notes)
    text, named = _without_separator_line(text)
    separator = named or _likely_separator(text)
    if separator != ",":
        notes.append(f"{path.name}: separated by {SEPARATORS.get(separator, repr(separator))}")
    return _filled_table(_parse(text, separator, path), path, notes)


def _table_of_workbook(data: bytes, path: Path, sheet: str, notes: list[str] | None) -> pd.DataFrame:
    """The table of a sheet; what was guessed is logged where nobody gathers it."""
    said = notes if notes is not None else []
    table = _filled_table(workbook_rows(data, path, sheet, said), path, said)
    for note in said if notes is None else ():
        _log.info(f"note: {note}")
    return table


def require_columns(table: pd.DataFrame, columns: list[str], path: Path) -> None:
    """Raise UserError when a column is missing or stands there twice, and say which there are."""
    for column in columns:
        if column not in table:
            raise UserError(f"{path}: no column {column!r}; there are: {', '.join(map(str, table.columns))}")
        if column in table.attrs.get(AMBIGUOUS, ()):
            raise UserError(f"{path}: several columns are named {column!r}; rename all but the one that is meant")


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise UserError(f"{path}: a folder; name the CSV file in it") from error
    except OSError as error:
        raise UserError(f"{path}: {str(error.strerror).lower()}") from error


def _decode(data: bytes, path: Path, notes: list[str]) -> str:
    if data.startswith(OLD_WORKBOOK):
        raise UserError(f"{path}: a workbook of an old kind (.xls), or with a password; save it as .xlsx or CSV UTF-8")
    encoding = _unicode_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise UserError(f"{path}: not a CSV table (damaged {encoding}: {error.reason})") from error
        text = data.decode("cp1252", errors="replace")
        if "\ufffd" in text:
            text = data.decode("latin-1")
        notes.append(f"{path.name}: not UTF-8; read as Windows-1252 (western European), check its letters")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(f"{path}: not a CSV table (a NUL byte in line {line}); save it anew as CSV UTF-8")
    return text


def _unicode_encoding(data: bytes) -> str:
    """UTF-16 and UTF-32 by their byte-order mark, or by the zero bytes of plain letters; else UTF-8."""
    for mark, encoding in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return encoding
    head = data[:400]
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if (
            len(head) >= 8
            and head[start::2].count(0) > 0.8 * len(head[start::2])
            and head[1 - start :: 2].count(0) == 0
        ):
            return encoding
    return "utf-8-sig"


def _without_separator_line(text: str) -> tuple[str, str]:
    """The text after Excel's first line `sep=;`, and the separator it names."""
    line = re.match(r'"?sep=(.)"?[ ,;\t|]*(\r\n|\r|\n|$)', text, re.IGNORECASE)
    return (text[line.end() :], line[1]) if line else (text, "")


def _likely_separator(text: str) -> str:
    """The separator by which most rows have as many cells as the header, of those that give the header most cells."""
    best, most = ",", (0.0, 0)
    for separator in SEPARATORS:
        try:
            rows = [row for row, _ in zip(_reader(text, separator), range(SAMPLE), strict=False) if any(row)]
        except csv.Error:
            continue
        if not rows or len(rows[0]) < 2:
            continue
        alike = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        score = (round(alike, 1), len(rows[0]))
        if score > most:
            best, most = separator, score
    return best


def _reader(text: str, separator: str) -> Any:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    return csv.reader(StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)


def _parse(text: str, separator: str, path: Path) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, with the line each ends on."""
    reader = _reader(text, separator)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise UserError(f"{path}: not a CSV table (line {reader.line_num}: {error})") from error


def _filled_table(rows: list[tuple[int, list[str]]], path: Path, notes: list[str]) -> pd.DataFrame:
    if not rows:
        raise UserError(f"{path}: not a table (the file is empty)")
    return _table(rows, path, notes)


def _table(rows: list[tuple[int, list[str]]], path: Path, notes: list[str]) -> pd.DataFrame:
    header = _header(rows)
    count = len(header)
    _refuse_surplus(rows[1:], count, path)
    short = sum(len(row) < count for _, row in rows[1:])
    if short:
        notes.append(f"{path.name}: {short} rows have fewer cells than the header; the missing ones are taken as blank")
    cells = [[_plain(cell) for cell in row[:count]] + [""] * (count - len(row)) for _, row in rows[1:]]
    names, twins = _column_names(header)
    table = pd.DataFrame(cells, columns=names, dtype=str)
    table.attrs[AMBIGUOUS] = twins
    return table


def _header(rows: list[tuple[int, list[str]]]) -> list[str]:
    """Names of the columns, without a last one that has neither a name nor, in most rows, a value."""
    header = [_plain(cell) for cell in rows[0][1]]
    while len(header) > 1 and not header[-1]:
        filled = sum(len(row) >= len(header) and bool(row[len(header) - 1].strip()) for _, row in rows[1:])
        if filled > MOSTLY * (len(rows) - 1):
            break
        header.pop()
    return header


def _refuse_surplus(rows: list[tuple[int, list[str]]], count: int, path: Path) -> None:
    """Raise UserError for a row of more cells than the header has, or than nearly all other rows have.

    Where most rows leave the last cells off, a row that fills them is likely one with a comma that was not quoted.
    """
    usual = Counter(len(row) for _, row in rows).most_common(1)[0][0] if rows else count
    for line, row in rows:
        length = count
        if usual < count and len(row) == count and sum(len(other) == count for _, other in rows) <= MOSTLY * len(rows):
            length = usual
        if any(cell.strip() for cell in row[length:]):
            raise UserError(
                f"{path}: not a CSV table (expected {length} fields in line {line}, saw {len(row)}); "
                "a cell with a comma needs quotes"
            )


def _plain(cell: str) -> str:
    """A cell without blanks around, and without the `="..."` by which Excel keeps leading zeros."""
    text = cell.strip()
    excel = _EXCEL_TEXT.fullmatch(text)
    return excel[1].strip() if excel else text


def _column_names(header: list[str]) -> tuple[list[str], list[str]]:
    """A name for every column, and the names that occur more than once."""
    filled = [name or f"Unnamed: {position}" for position, name in enumerate(header)]
    counts = Counter(filled)
    seen: Counter[str] = Counter()
    names = []
    for name in filled:
        names.append(name if not seen[name] else f"{name}.{seen[name]}")
        seen[name] += 1
    return names, [name for name, count in counts.items() if count > 1]
