"""One's own images: a folder, or a table that names them."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from dermsynth.data.dataset import is_data_set
from dermsynth.data.folder import METADATA
from dermsynth.data.importers.folder_layout import places
from dermsynth.data.importers.source_files import SourceFiles, looks_like_mask
from dermsynth.data.importers.sources import Source, SourceRow, column_name, command_of
from dermsynth.data.tables import read_table, require_columns
from dermsynth.errors import UserError
from dermsynth.values import is_missing


def from_folder(folder: Path, *, roots: Sequence[Path] = ()) -> Source:
    """Images in a folder; where they lie in sub-folders, these are the label, or the split where they are named like one.

    Masks and superpixels beside the photographs, files that are no images and data sets of this program are left out.
    """
    files = SourceFiles(folder, tuple(roots))
    if is_data_set(folder):
        raise UserError(
            f"{folder}: a data set already; use it as it is, or import its {METADATA} with: dermsynth import csv"
        )
    images = [name for name in files.images if not looks_like_mask(name)]
    files.unused.extend((name, "a mask or superpixels by its name") for name in files.images if looks_like_mask(name))
    meanings, notes = places(images, str(folder))
    rows = [SourceRow(name, place.label, split=place.split) for name, place in zip(images, meanings, strict=True)]
    return Source(folder, rows, {"source": folder.name}, command_of("folder", folder), files.unused, notes)


def from_csv(
    table_path: Path,
    *,
    image: str,
    label: str = "",
    mask: str = "",
    group: str = "",
    split: str = "",
    prompt: str = "",
    conditioned_on: str = "",
    images: Path | None = None,
    roots: Sequence[Path] = (),
    sheet: str = "",
) -> Source:
    """A CSV or a sheet of an Excel workbook with named columns; paths start from `images`, or from the table's folder.

    `prompt` and `conditioned_on` are columns of synthetic images: the words, and the real image, that each was made from.

    Columns that are not named are kept as they are. Suffix, case, slashes and sub-folders that differ are completed
    where only one file can be meant.
    """
    notes: list[str] = []
    table = read_table(table_path, notes=notes, sheet=sheet)
    renamed = {old: new for old, new in ((prompt, "prompt"), (conditioned_on, "conditioned_on")) if old}
    require_columns(table, [c for c in (image, label, mask, group, split, *renamed) if c], table_path)
    files = SourceFiles(images or table_path.parent, tuple(roots))
    files.claim([*table[image], *(table[mask] if mask else ())])
    if mask and table[mask].map(lambda cell: is_missing(cell, words=False)).all():
        notes.append(f"column {mask!r} names no mask")
    named = (image, label, mask, group, split)
    rows = [located_row(files, _row_of(record, named, renamed)) for record in table.to_dict("records")]
    return table_source(files, rows, licence_facts(table, table_path.name), command_of("csv", table_path), notes)


def _row_of(record: Mapping[Hashable, str], named: Sequence[str], renamed: Mapping[str, str]) -> SourceRow:
    """A row of a table by its columns of image, label, mask, group and split; the others are kept, some under a new name."""
    image, label, mask, group, split = (record[column] if column else "" for column in named)
    columns = {renamed.get(str(c)) or column_name(str(c)): value for c, value in record.items() if c not in named}
    return SourceRow(image, label, mask, group, split, columns)


def located_row(files: SourceFiles, row: SourceRow) -> SourceRow:
    """The row with the paths of the files that it means."""
    if is_missing(row.image, words=False):
        return replace(row, image=row.image or "(blank)", problem="the row names no image")
    try:
        image = files.find(row.image)
    except UserError as error:
        return replace(row, problem=str(error))
    try:
        mask = "" if is_missing(row.mask, words=False) else files.find(row.mask, mask=True)
    except UserError as error:
        return replace(row, image=image, mask_problem=str(error))
    return replace(row, image=image, mask=mask)


def table_source(
    files: SourceFiles, rows: list[SourceRow], facts: Mapping[str, object], command: str, notes: list[str],
    *, everywhere: bool = False, aside: Sequence[str] = (),
) -> Source:  # fmt: skip
    """Rows of a table, with the images beside them (or anywhere) that it does not name, and what had to be guessed.

    Images put `aside` are named by it, and not taken on purpose.
    """
    used = [*aside, *(name for row in rows for name in (row.image, row.mask, *row.more_masks.values()) if name)]
    unused = files.not_named(used, everywhere=everywhere)
    notes += [f"{count} paths: {guess}" for guess, count in files.guesses.items()]
    return Source(files.folder, rows, facts, command, unused, notes)


def licence_facts(table: pd.DataFrame, source: str) -> dict[str, object]:
    """Name of the source, and the licences and attributions that a table's columns name."""
    facts: dict[str, object] = {"source": source}
    for fact, columns in {
        "licence": ("copyright_license", "licence", "license"),
        "attribution": ("attribution",),
    }.items():
        for column in columns:
            if column in table:
                facts[fact] = sorted(set(table[column]) - {""})
    return facts
