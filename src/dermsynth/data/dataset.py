"""A data set on disk: the ImageFolder convention of Hugging Face, with a description beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.file_names import path_inside
from dermsynth.data.folder import DESCRIPTION, METADATA, require_data_set
from dermsynth.data.manifest import (
    content_hash,
    hash_of_ends,
    read_record,
)
from dermsynth.data.marks import row_mark
from dermsynth.data.provenance import Provenance, parse_provenance
from dermsynth.data.tables import AMBIGUOUS, read_table, require_columns
from dermsynth.errors import UserError, describe
from dermsynth.images import Crop, parse_size
from dermsynth.io import read_json
from dermsynth.values import flags, identifiers, numbers

SCHEMA = 1
Parser = Callable[[pd.DataFrame, str], NDArray[np.float64]]
"""Reads a column of a table as numbers."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set on disk: its folder, its table and what its `dataset.json` says.

    Parameters
    ----------
    folder
        The folder with `metadata.csv` and `dataset.json`.
    table
        One row an image, all values as text: `file_name` first, then `label`, `mask_file_name`, `group`, `split` and
        whatever else is known. Read it, and write it back with `write_table` alone.
    description
        The content of `dataset.json`, key for key; `provenance` is its typed form.
    annotations
        Folder of annotations that lie apart from the set, whose columns the table has; None without.
    selection
        Names of the images that `select` left; None for the whole set.
    """

    folder: Path
    table: pd.DataFrame
    description: dict[str, Any]
    annotations: Path | None = None
    selection: tuple[str, ...] | None = None

    def __len__(self) -> int:
        """How many images the set has."""
        return len(self.table)

    def __repr__(self) -> str:
        """The folder, how many images of which class, and whether they are synthetic."""
        counts = ", ".join(f"{label} {self.count(label)}" for label in self.classes)
        kind = "synthetic images" if self.description.get("synthetic") else "images"
        return f"DataSet({str(self.folder)!r}: {len(self):,} {kind}{f'; {counts}' if counts else ''})"

    @cached_property
    def provenance(self) -> Provenance:
        """Where the set comes from: source, licence, generator, edits, history.

        Raises
        ------
        UserError
            Where `dataset.json` was edited by hand and holds a value that is not of its key's kind.
        """
        return parse_provenance(self.description, self.folder / DESCRIPTION)

    @property
    def labels(self) -> NDArray[np.object_]:
        """Label of every image, shape [n]; the empty string where there is none."""
        return self._texts("label")

    @property
    def classes(self) -> list[str]:
        """The labels that occur, sorted."""
        return sorted({str(label) for label in self.labels if label})

    @property
    def groups(self) -> NDArray[np.object_]:
        """Patient or lesion of every image in one spelling, shape [n]; the empty string where it is not known."""
        return identifiers(self._texts("group"))

    @property
    def people(self) -> NDArray[np.int64] | None:
        """The patient or lesion of every image as a number, shape [n]; None where no two images are known to be of one.

        An image whose patient is not known is taken to be alone.
        """
        groups = self.groups.astype(str)
        names = np.where(groups == "", [f"image {i}" for i in range(len(groups))], np.char.add("group ", groups))
        number = np.unique(names, return_inverse=True)[1].astype(np.int64)
        return number if len(number) and 1 < number.max() + 1 < len(number) else None

    @property
    def splits(self) -> NDArray[np.object_]:
        """Split of every image (train, validation, test), shape [n]; the empty string where there is none."""
        return self._texts("split")

    @property
    def divided(self) -> bool:
        """Whether the set has a column of splits."""
        return "split" in self.table

    @property
    def paths(self) -> list[Path]:
        """Path of every image."""
        return [self.folder / name for name in self.table["file_name"]]

    @cached_property
    def content_hash(self) -> str:
        """Hash of the set's images, or of those that `select` left, as they were recorded when the set was written."""
        if self.selection is None:
            return self.whole_hash
        record = read_record(self.folder)
        return hash_of_ends(self.folder, self.selection) if record is None else content_hash(self.selection, record)

    @property
    def whole_hash(self) -> str:
        """Hash of all images of the set in the folder, of which `select` may have left some only."""
        return self.provenance.content_hash

    @property
    def synthetic(self) -> bool:
        """Whether a generator made the images.

        Raises
        ------
        UserError
            Where a description that was edited by hand says neither.
        """
        return self.provenance.synthetic

    def synthetic_row(self, row: Mapping[Any, str]) -> bool:
        """Whether a generator made the image of a row: one of a synthetic set, or one marked so in a set of photographs."""
        return self.synthetic or bool(row_mark({str(name): str(value) for name, value in row.items()}))

    def select(self, keep: NDArray[np.bool_]) -> "DataSet":
        """A set of the chosen rows only, with a content hash of its own where rows are left out.

        Parameters
        ----------
        keep
            True for every row that stays, shape [n].
        """
        rows = self.part(keep)
        return rows if len(rows) == len(self) else replace(rows, selection=tuple(map(str, rows.table["file_name"])))

    def part(self, keep: NDArray[np.bool_]) -> "DataSet":
        """The chosen rows, still known by the content hash of this set: for steps that work on a part and record the whole.

        Parameters
        ----------
        keep
            True for every row that stays, shape [n].
        """
        return replace(self, table=self.table[keep].reset_index(drop=True))

    def in_split(self, name: str) -> NDArray[np.bool_]:
        """Whether each image is in a split, shape [n].

        `all` is every image. Of a set without a column of splits nothing is held out: every image is in `train`, and none is
        in any other split.
        """
        if name == "all" or (name == "train" and not self.divided):
            return np.ones(len(self.table), dtype=bool)
        return np.asarray(self.splits == name, dtype=bool)

    @property
    def split_names(self) -> list[str]:
        """What `split` takes: the splits that there are, and `all`."""
        splits = map(str, self.splits) if self.divided else ("train",)
        return sorted({*splits, "all"} - {""})

    def split(self, name: str) -> "DataSet":
        """The images of a split, by the rule of `in_split`.

        Parameters
        ----------
        name
            `train`, `validation`, `test`, or `all` for every image.

        Raises
        ------
        UserError
            Where the set has no image in that split; it says which splits there are.
        """
        keep = self.in_split(name)
        if name != "all" and not keep.any():
            raise UserError(
                f"`split` {name!r}: no such split in {self.folder}; there are: {', '.join(self.split_names)}"
            )
        return self if keep.all() else self.select(keep)

    def images(self, size: int | str | tuple[int, int] = (64, 64), *, crop: Crop = "centre") -> NDArray[np.uint8]:
        """Every image at one size, decoded once and then read from the cache.

        Parameters
        ----------
        size
            Height and width in pixels; one number for squares, or ``"WIDTHxHEIGHT"``.
        crop
            `centre` cuts the largest centred rectangle of the wanted shape, `pad` adds the border's colour, `stretch`
            distorts.

        Returns
        -------
        uint8 [n, h, w, 3], RGB, read-only; a view of the memory-mapped cache.

        Raises
        ------
        UserError
            For an image that is missing or cannot be read.
        """
        from dermsynth.data.cache import Decoding, decode_images  # the cache is built on this module

        return decode_images(self, Decoding(*parse_size(size), crop)).transpose(0, 2, 3, 1)

    def flags(self, column: str) -> NDArray[np.float64]:
        """A column of flags as 1 and 0, shape [n]; NaN where the value is missing or the column is not there.

        Raises
        ------
        UserError
            For a value that is no flag, naming row and column.
        """
        return self._parsed(column, flags)

    def numbers(self, column: str) -> NDArray[np.float64]:
        """A column of numbers, shape [n]; NaN where the value is missing.

        Raises
        ------
        UserError
            For a column that is not there, and for a value that is no number, naming row and column.
        """
        if column not in self.table:
            there = ", ".join(map(str, self.table.columns))
            raise UserError(f"`column` {column!r}: no such column in {self.folder}; there are: {there}")
        return self._parsed(column, numbers)

    @cached_property
    def _columns(self) -> dict[tuple[Parser, str], NDArray[np.float64]]:
        return {}

    def _parsed(self, column: str, parse: Parser) -> NDArray[np.float64]:
        """A column parsed once, read-only."""
        if (parse, column) not in self._columns:
            values = parse(self.table, column)
            values.setflags(write=False)
            self._columns[parse, column] = values
        return self._columns[parse, column]

    def _texts(self, column: str) -> NDArray[np.object_]:
        """A column as it is written; empty strings where there is none."""
        if column not in self.table:
            return np.full(len(self.table), "", dtype=object)
        return self.table[column].to_numpy(dtype=object)

    def to_frame(self) -> pd.DataFrame:
        """The table as a copy that may be changed."""
        return self.table.copy()

    def count(self, label: str) -> int:
        """How many images have this label."""
        return int((self.labels == label).sum())


Data = DataSet | Path | str
"""A data set, or the folder of one."""


def is_data_set(folder: Path) -> bool:
    """Whether a folder is a data set, and no plain folder of images."""
    return (folder / METADATA).exists() and (folder / DESCRIPTION).exists()


def open_data_set(place: Data) -> DataSet:
    """Open a data set written by any of the commands; one that is open already is returned as it is.

    Raises UserError when the folder is none, has no images, names missing columns or leads out of itself.
    """
    if isinstance(place, DataSet):
        return place
    if not isinstance(place, str | PathLike):
        raise UserError(f"{describe(place)}: no data set; give one that is open, or the path of its folder")
    folder = Path(place)
    description = _read_description(folder)
    table = _read_metadata(folder)
    record = read_record(folder)
    if record is not None:  # rows that were removed since are no content of this set
        description["content_hash"] = content_hash(table["file_name"], record)
    return DataSet(folder, table, description)


def _read_description(folder: Path) -> dict[str, Any]:
    """The content of `dataset.json`; UserError where the folder is no data set that this version can read."""
    require_data_set(folder)
    description = read_json(folder / DESCRIPTION)
    if description.get("schema", 0) > SCHEMA:
        raise UserError(f"{folder}: schema {description['schema']} is newer than this program; update dermsynth")
    return description


def _read_metadata(folder: Path) -> pd.DataFrame:
    """The table; UserError where it has no images, or names one outside the folder."""
    table = read_table(folder / METADATA)
    require_columns(table, ["file_name", *table.attrs[AMBIGUOUS]], folder / METADATA)
    if table.empty:
        raise UserError(f"{folder / METADATA}: no images")
    for name in table["file_name"]:
        if ".." in name or name.startswith("/"):
            path_inside(folder, name)
    return table
