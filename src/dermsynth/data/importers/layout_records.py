"""The rows that a layout's tables hold: tables found below a folder, put below one another and joined by their keys."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pandas as pd

from dermsynth.data.importers.layout_table import Layout, Table
from dermsynth.data.importers.source_files import SourceFiles
from dermsynth.data.tables import read_table, require_columns
from dermsynth.errors import UserError
from dermsynth.values import is_missing, plain_identifier

Cells = dict[str, str]


@dataclass(frozen=True)
class Record:
    """A row of the tables, or an image of it: the cells by column, the split that its table says, and the image's name."""

    cells: Cells
    split: str = ""
    image: str = ""


@dataclass(frozen=True)
class LayoutFiles:
    """Where a layout's tables and images are looked for: `table` is the one that was named, if one was."""

    layout: Layout
    files: SourceFiles
    images: SourceFiles
    table: Path | None = None
    notes: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    """Images that are left out on purpose."""

    @property
    def place(self) -> Path:
        """What was named, for messages."""
        return self.table or self.files.folder


def fits(name: str, patterns: Iterable[str]) -> bool:
    """Whether a text fits one of several patterns, without case."""
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)


def path_fits(path: str, patterns: Iterable[str]) -> bool:
    """Whether the last parts of a path fit one of several patterns, without case."""
    return any(PurePosixPath(path.casefold()).match(pattern.casefold()) for pattern in patterns)


def first_value(cells: Mapping[str, str], columns: Iterable[str]) -> str:
    """The first of several cells that is not missing; the empty string where all are."""
    return next((cells[name] for name in columns if not is_missing(cells.get(name, ""))), "")


def columns_there(records: Iterable[Record]) -> list[str]:
    """The columns that any row has, in their order."""
    return list(dict.fromkeys(name for record in records for name in record.cells))


def read_records(place: LayoutFiles) -> list[Record]:
    """The rows of a layout's tables.

    Raises
    ------
    UserError
        Where a table is not there, or there several times, or has nothing to do with the others.
    """
    paths = _table_paths(place) if place.layout.tables else []
    records: list[Record] = []
    for table, path in paths:
        content = read_table(path, notes=place.notes)
        if table.lists_images:
            records += [Record(cells, table.split) for cells in _cells(content)]
        elif table.rows:
            records = _with_split(records, table, content, path)
        else:
            records = _joined(records, table, content, path, place.notes)
    return records


def _require_image_column(records: list[Record], place: LayoutFiles) -> None:
    """Raise UserError where the rows of a table that lists images have no column that names them, joined tables included."""
    images = place.layout.images
    wanted = images.id or images.each or (_column_of(images.pattern),)
    without = next((record for record in records if not any(name in record.cells for name in wanted)), None)
    if without is not None or not records:
        there = ", ".join(without.cells) if without is not None else "no rows"
        raise UserError(f"{place.place}: no column {' or '.join(map(repr, wanted))}; there are: {there}")


def _column_of(pattern: str) -> str:
    """The column of a pattern such as `{subject_id}_*`."""
    return pattern.removeprefix("{").partition("}")[0]


def _cells(content: pd.DataFrame) -> list[Cells]:
    names = [str(name) for name in content.columns]
    return [dict(zip(names, row, strict=True)) for row in content.itertuples(index=False, name=None)]


def _table_paths(place: LayoutFiles) -> list[tuple[Table, Path]]:
    """The layout's tables that are there, each with its file."""
    found: list[tuple[Table, Path]] = []
    missing: list[Table] = []
    named = place.table
    for table in place.layout.tables:
        if place.table is not None and table.lists_images:
            path, named = named, None  # the table that was named stands for all that list images
        else:
            path = _path_of(table, place)
        if path is not None:
            found.append((table, path))
        elif place.table is None or not table.lists_images:
            missing.append(table)
    needed = [table for table in missing if not table.optional]
    listed = any(table.lists_images for table, _ in found)
    if needed or not listed:
        _refuse_half(place, found, needed or missing)
    return found


def _path_of(table: Table, place: LayoutFiles) -> Path | None:
    for pattern in table.files:
        paths = [name for name in place.files.names if path_fits(name, [pattern])]
        if len(paths) > 1:
            raise UserError(
                f"{place.place}: {len(paths)} files could be {pattern} ({', '.join(paths[:3])}); "
                "name the folder of one of them"
            )
        if paths:
            return place.files.folder / paths[0]
    return None


def _refuse_half(place: LayoutFiles, found: list[tuple[Table, Path]], missing: list[Table]) -> None:
    wanted = " and ".join(" or ".join(table.files) for table in missing)
    there = ", ".join(path.name for _, path in found) or "none"
    raise UserError(
        f"{place.place}: {place.layout.name}: no {wanted} below it ({len(found)} of "
        f"{len(found) + len(missing)} tables are there: {there}); name the unpacked folder"
    )


def _with_split(records: list[Record], table: Table, content: pd.DataFrame, path: Path) -> list[Record]:
    """The rows with the split of those whose numbers a table holds."""
    require_columns(content, [table.rows], path)
    result = list(records)
    for cell in content[table.rows]:
        number = int(cell) if cell.isdigit() else -1
        if not 0 <= number < len(records):
            raise UserError(f"{path}: {table.rows} {cell!r}: no row of the table has this number")
        result[number] = replace(result[number], split=table.split)
    return result


def _joined(records: list[Record], table: Table, content: pd.DataFrame, path: Path, notes: list[str]) -> list[Record]:
    """The rows with the cells of another table that has the same key; those that are there already stay."""
    key = next((name for name in table.on if name in content), table.on[0])
    require_columns(content, [key], path)
    if records and not any(name in records[0].cells for name in table.on):
        raise UserError(f"{path}: the other tables have no column {' or '.join(table.on)} to join it by")
    others = _rows_by_key(content, key, path, notes)
    blank = dict.fromkeys(map(str, content.columns), "")
    partners = [others.get(plain_identifier(first_value(record.cells, table.on))) for record in records]
    pairs = [(record, blank if other is None else other) for record, other in zip(records, partners, strict=True)]
    alone = sum(other is None for other in partners)
    if records and alone == len(records) and not table.optional:
        raise UserError(f"{path}: none of the {alone} rows of the other tables has a partner in it by {key!r}")
    if alone:
        notes.append(f"{path.name}: {alone} of {len(records)} rows have no partner in it by {key!r}")
    contradicted = Counter(name for record, other in pairs for name in _contradictions(record.cells, other))
    notes.extend(
        f"{path.name}: column {name!r} of {count} rows is another than in the table before it, which counts"
        for name, count in contradicted.items()
        if name not in table.on
    )
    return [replace(record, cells=_merged(record.cells, other)) for record, other in pairs]


def _rows_by_key(content: pd.DataFrame, key: str, path: Path, notes: list[str]) -> dict[str, Cells]:
    """The rows of a table by what joins them; of several that differ the first, which is noted. A blank key joins nothing."""
    rows: dict[str, Cells] = {}
    unclear: dict[str, str] = {}
    for cells in _cells(content):
        name = plain_identifier(cells[key])
        if name and rows.setdefault(name, cells) != cells:
            unclear[name] = cells[key]
    if unclear:
        first = next(iter(unclear.values()))
        notes.append(
            f"{path.name}: {len(unclear)} {key!r} have several rows that differ (first: {first}); the first row counts"
        )
    return rows


def _contradictions(cells: Cells, other: Cells) -> Iterator[str]:
    """The columns of which two rows have different values."""
    both = (
        (name, cell) for name, cell in other.items() if not is_missing(cell) and not is_missing(cells.get(name, ""))
    )
    return (name for name, cell in both if plain_identifier(cell) != plain_identifier(cells[name]))


def _merged(cells: Cells, other: Cells) -> Cells:
    return {**cells, **{name: cell for name, cell in other.items() if not cells.get(name)}}


def image_records(records: list[Record], place: LayoutFiles) -> list[Record]:
    """A record for each image of every row.

    Raises
    ------
    UserError
        Where rows have no column that names an image, or no image lies where the layout has them.
    """
    images = place.layout.images
    if not place.layout.tables:
        return _listed_images(place)
    _require_image_column(records, place)
    if images.pattern:
        return _images_by_pattern(records, place)
    if images.id:
        return [replace(record, image=first_value(record.cells, images.id)) for record in records]
    return [part for record in records for part in _images_of_columns(record, place.layout)]


def _listed_images(place: LayoutFiles) -> list[Record]:
    patterns = place.layout.images.files
    names = [name for name in place.images.images if path_fits(name, patterns)]
    if not names:
        raise UserError(
            f"{place.place}: {place.layout.name}: no {' or '.join(patterns)} below it; name the unpacked folder"
        )
    return [Record({}, image=name) for name in names]


def _images_of_columns(record: Record, layout: Layout) -> list[Record]:
    """The images of a row that several columns name, each with what the row says of it alone."""
    images = layout.images
    own = {*images.each, *(name for names in images.beside.values() for name in names)}
    rest = {name: cell for name, cell in record.cells.items() if name not in own}
    result = []
    for number, column in enumerate(images.each):
        if not is_missing(record.cells.get(column, ""), words=False):
            beside = {name: record.cells.get(names[number], "") for name, names in images.beside.items()}
            kind = {KIND: images.types[number]} if len(images.types) > 1 else {}
            result.append(replace(record, cells={**rest, **beside, **kind}, image=record.cells[column]))
    return result


KIND = "the layout"
"""Cell of a record with the kind of image that the layout says."""


def _images_by_pattern(records: list[Record], place: LayoutFiles) -> list[Record]:
    """The images of rows whose names begin with what a cell holds: `{subject_id}_*`."""
    column, rest = _column_of(place.layout.images.pattern), place.layout.images.pattern.partition("}")[2]
    names: dict[str, list[str]] = {}
    ids = {plain_identifier(record.cells[column]) for record in records}
    for name in place.images.images:
        stem = PurePosixPath(name).stem
        cuts = (cut for cut in range(len(stem), 0, -1) if fits(stem[cut:], [rest]))
        owner = next((plain for cut in cuts if (plain := plain_identifier(stem[:cut])) in ids), "")
        names.setdefault(owner, []).append(name)
    result = []
    for record in records:
        mine = names.get(plain_identifier(record.cells[column]), [])
        result += [replace(record, image=name) for name in mine] or [replace(record, image=record.cells[column])]
    return result
