"""A data set on disk: the ImageFolder convention of Hugging Face, with a description beside it."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth import __version__
from dermsynth.data.manifest import (
    content_hash,
    file_facts,
    file_names,
    hash_of_ends,
    is_file_column,
    read_record,
    update_record,
    write_record,
)
from dermsynth.data.marks import row_mark
from dermsynth.data.provenance import Provenance, parse_provenance
from dermsynth.data.tables import AMBIGUOUS, read_table, require_columns
from dermsynth.errors import UserError, describe
from dermsynth.images import Crop, parse_size
from dermsynth.io import read_json, replace_file, write_json
from dermsynth.values import flags, identifiers, known_flags, numbers

SCHEMA = 1
METADATA, DESCRIPTION = "metadata.csv", "dataset.json"
SPLIT_WORDS = frozenset(
    {"train", "training", "validation", "valid", "dev", "val", "test", "testing", "eval", "evaluation"}
)
"""Words in a file's or folder's name that `datasets` takes for the name of a split."""
_SEPARATORS = r"([-._ 0-9]+)"
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
STEM_BYTES = 120
"""What stays of a file's name."""
TEXT_COLUMNS = ("file_name", "label", "mask_file_name", "group", "split")


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
        if "label" not in self.table:
            return np.full(len(self.table), "", dtype=object)
        return self.table["label"].to_numpy(dtype=object)

    @property
    def classes(self) -> list[str]:
        """The labels that occur, sorted."""
        return sorted({str(label) for label in self.labels if label})

    @property
    def groups(self) -> NDArray[np.object_]:
        """Patient or lesion of every image in one spelling, shape [n]; the empty string where it is not known."""
        if "group" not in self.table:
            return np.full(len(self.table), "", dtype=object)
        return identifiers(self.table["group"])

    @property
    def splits(self) -> NDArray[np.object_]:
        """Split of every image (train, validation, test), shape [n]; the empty string where there is none."""
        if "split" not in self.table:
            return np.full(len(self.table), "", dtype=object)
        return self.table["split"].to_numpy(dtype=object)

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
            splits = map(str, self.splits) if self.divided else ("train",)
            there = ", ".join(sorted({*splits, "all"} - {""}))
            raise UserError(f"`split` {name!r}: no such split in {self.folder}; there are: {there}")
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

    def flags(self, column: str) -> NDArray[np.bool_]:
        """A column of flags, shape [n]; false where the value is missing or the column is not there.

        Raises
        ------
        UserError
            For a value that is no flag, naming row and column.
        """
        return self._parsed("flags", column, flags)

    def known_flags(self, column: str) -> NDArray[np.float64]:
        """A column of flags as 1 and 0, shape [n]; NaN where the value is missing or the column is not there.

        Raises
        ------
        UserError
            For a value that is no flag, naming row and column.
        """
        return self._parsed("known_flags", column, known_flags)

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
        return self._parsed("numbers", column, numbers)

    @cached_property
    def _columns(self) -> dict[tuple[str, str], NDArray[Any]]:
        return {}

    def _parsed(self, kind: str, column: str, parse: Callable[[pd.DataFrame, str], NDArray[Any]]) -> NDArray[Any]:
        """A column parsed once, read-only."""
        if (kind, column) not in self._columns:
            values = parse(self.table, column)
            values.setflags(write=False)
            self._columns[kind, column] = values
        return self._columns[kind, column]

    def to_frame(self) -> pd.DataFrame:
        """The table as a copy that may be changed."""
        return self.table.copy()

    def count(self, label: str) -> int:
        """How many images have this label."""
        return int((self.labels == label).sum())


def allowed_roots(folder: Path, roots: Sequence[Path] = ()) -> list[Path]:
    """The real paths of the folders that files of `folder` may lie in."""
    return [folder.resolve(), *(root.resolve() for root in roots)]


def path_inside(folder: Path, name: str, roots: Sequence[Path] = ()) -> Path:
    """The path of `name` in `folder`; a link may lead into one of `roots`, too.

    Raises UserError when it leads out of the folder, or is no path at all.
    """
    try:
        path = (folder / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{name[:80]!r}: not a path ({type(error).__name__})") from error
    if any(path.is_relative_to(root) for root in allowed_roots(folder, roots)):
        return path
    if Path(os.path.abspath(folder / name)).is_relative_to(folder.absolute()) and not path.exists():
        raise UserError(f"{name}: a link to {path}, which is not there")
    if Path(os.path.abspath(folder / name)).is_relative_to(folder.absolute()):
        raise UserError(f"{name}: a link that leads out of {folder}; allow it with `allow_links_to` {path.parent}")
    raise UserError(
        f"{name}: leads out of {folder}; paths must stay inside the folder (`image_folder` names another folder)"
    )


def names_a_split(name: str) -> bool:
    """Whether `datasets` takes a file or folder of this name for a split, and then leaves out every other one."""
    return not SPLIT_WORDS.isdisjoint(re.split(_SEPARATORS, name))


def safe_stem(file_name: str) -> str:
    """A file's name without folder and ending, as every system and `datasets` can have it.

    Not hidden, no letter that a system refuses, none of Windows' reserved names, and no split: `test_1` becomes `testset_1`.
    """
    stem = unicodedata.normalize("NFC", Path(file_name).stem.encode("utf-8", "replace").decode())
    stem = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]', "_", stem)
    stem = stem.encode()[:STEM_BYTES].decode("utf-8", "ignore").strip(" .")
    words = re.split(_SEPARATORS, stem)
    stem = "".join(f"{word}set" if word in SPLIT_WORDS else word for word in words) or "image"
    return f"{stem}_" if _RESERVED.fullmatch(stem.partition(".")[0]) else stem


def unique_stems(file_names: Iterable[str]) -> list[str]:
    """The files' names without folder and ending (`safe_stem`), numbered where two are alike."""
    found: list[str] = []
    used: set[str] = set()
    for file_name in file_names:
        stem = name = safe_stem(file_name)
        number = 1
        while name.casefold() in used:
            number += 1
            name = f"{stem}_{number}"
        used.add(name.casefold())
        found.append(name)
    return found


def require_empty(out: Path) -> None:
    """Raise UserError unless `out` is new or an empty folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: not empty; choose a new folder or remove it first")


Data = DataSet | Path | str
"""A data set, or the folder of one."""


def open_data_set(place: Data) -> DataSet:
    """Open a data set written by any of the commands; one that is open already is returned as it is.

    Raises UserError when the folder is none, has no images, names missing columns or leads out of itself.
    """
    if isinstance(place, DataSet):
        return place
    if not isinstance(place, str | PathLike):
        raise UserError(f"{describe(place)}: no data set; give one that is open, or the path of its folder")
    folder = Path(place)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    if not (folder / METADATA).exists() or not (folder / DESCRIPTION).exists():
        raise UserError(f"{folder}: not a data set ({METADATA} and {DESCRIPTION}); make one with: dermsynth import")
    description = read_json(folder / DESCRIPTION)
    if description.get("schema", 0) > SCHEMA:
        raise UserError(f"{folder}: schema {description['schema']} is newer than this program; update dermsynth")
    table = read_table(folder / METADATA)
    require_columns(table, ["file_name", *table.attrs[AMBIGUOUS]], folder / METADATA)
    if table.empty:
        raise UserError(f"{folder / METADATA}: no images")
    for name in table["file_name"]:
        if ".." in name or name.startswith("/"):
            path_inside(folder, name)
    record = read_record(folder)
    if record is not None:  # rows that were removed since are no content of this set
        description["content_hash"] = content_hash(table["file_name"], record)
    return DataSet(folder, table, description)


def write_table(folder: Path, table: pd.DataFrame) -> None:
    """Write `metadata.csv` atomically, the known columns first."""
    first = [column for column in TEXT_COLUMNS if column in table]
    ordered = table[first + [column for column in table.columns if column not in first]]
    with replace_file(folder / METADATA) as temporary:
        ordered.to_csv(temporary, index=False)


def add_columns(data_set: DataSet, columns: Mapping[str, NDArray[Any]], facts: dict[str, Any]) -> DataSet:
    """Add columns to the table in a set's folder, or replace them, and facts to its description; images stay as they are.

    `columns` have one value for each row of `data_set`. Rows of the folder that it lacks keep the values they have, or are
    blank. The same rows are returned.
    """
    whole = open_data_set(data_set.folder)
    write_table(whole.folder, join_columns(whole.table, data_set.table["file_name"], columns))
    if any(map(is_file_column, columns)):
        update_record(whole.folder, file_names(whole.folder, pd.DataFrame(_files(columns))))
    write_json(whole.folder / DESCRIPTION, {**whole.description, **facts})
    return _same_rows(open_data_set(whole.folder), data_set)


def join_columns(table: pd.DataFrame, names: pd.Series, columns: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    """The table with columns of the rows that `names` names; other rows keep the values they have, or are blank.

    Raises UserError for a name that is not in the table.
    """
    if table["file_name"].tolist() == names.tolist():
        return table.assign(**columns)
    places = {name: row for row, name in enumerate(table["file_name"])}
    missing = next((name for name in names if name not in places), None)
    if missing is not None:
        raise UserError(f"{missing}: no longer in the data set's table; open the data set again")
    rows = [places[name] for name in names]
    joined = {}
    for column, values in columns.items():
        joined[column] = table.get(column, pd.Series("", table.index)).to_numpy(dtype=object, copy=True)
        joined[column][rows] = np.asarray(values, dtype=object)
    return table.assign(**joined)


def _same_rows(whole: DataSet, data_set: DataSet) -> DataSet:
    """The rows of `data_set` in the set as it is now, known by the same hash as before."""
    names = data_set.table["file_name"].tolist()
    if whole.table["file_name"].tolist() == names:
        return whole
    table = whole.table.set_index("file_name", drop=False).loc[names].reset_index(drop=True)
    return replace(whole, table=table, selection=data_set.selection)


def _files(columns: Mapping[str, NDArray[Any]]) -> dict[str, pd.Series]:
    return {name: pd.Series(values) for name, values in columns.items() if is_file_column(name)}


def write_data_set(folder: Path, table: pd.DataFrame, facts: dict[str, Any], step: dict[str, Any]) -> DataSet:
    """Write table, record of the files and description of a folder whose images are in place.

    `facts` are kept as they are (licence, source, synthetic, ...); `step` is appended to the history.
    """
    record = file_facts(folder, file_names(folder, table))
    write_table(folder, table)
    write_record(folder, record)
    labels = sorted({label for label in table.get("label", pd.Series(dtype=str)) if label})
    description = {
        "schema": SCHEMA,
        "program": f"dermsynth {__version__}",
        "images": len(table),
        "classes": labels,
        "content_hash": content_hash(table["file_name"], record),
        **facts,
        "history": [*facts.get("history", []), step],
    }
    write_json(folder / DESCRIPTION, description)
    return open_data_set(folder)
