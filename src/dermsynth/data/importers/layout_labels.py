"""The class of a row by its layout: a column, one-hot columns, weights as text; and its coarser names, level by level."""

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dermsynth.data.importers.layout_records import Record, columns_there, first_value, fits
from dermsynth.data.importers.layout_table import Label
from dermsynth.errors import UserError
from dermsynth.values import is_missing, parse_flag, plain_identifier

LEVELS = 5
LONGEST = 10_000
"""Longer texts of weights are not read."""


@dataclass(frozen=True)
class LabelChoice:
    """Which label is wanted: that of a column, or that of a level; the layout's own without."""

    column: str = ""
    level: int | None = None

    def __post_init__(self) -> None:
        """Refuse a level out of range, and both at once."""
        if self.level is not None and not 1 <= self.level <= LEVELS:
            raise UserError(f"`level` {self.level}: from 1, the coarsest, to {LEVELS}")
        if self.level is not None and self.column:
            raise UserError(f"`label` {self.column!r} and `level` {self.level}: give one of them")


@dataclass
class LabelReader:
    """Reads labels of rows; what was understood or doubtful is counted.

    Attributes
    ----------
    label, choice, place
        The layout's label, what was asked for, and what is named in messages.
    columns
        Those that the tables have.
    """

    label: Label
    choice: LabelChoice
    place: Path
    columns: Sequence[str]
    depths: dict[int, int] = field(default_factory=dict)
    ties: int = 0
    known_coarser: int = 0
    without_coarser: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, label: Label, choice: LabelChoice, place: Path, records: Sequence[Record]) -> "LabelReader":
        """A reader for the rows.

        Raises UserError where no column holds the class, or labels by level were asked for of a set that has none.
        """
        reader = cls(label, choice, place, columns_there(records))
        if choice.column and choice.column not in reader.columns:
            raise reader.no_column([choice.column])
        if choice.level is not None and not label.has_levels:
            raise UserError(f"`level` {choice.level}: the labels of this layout have no levels")
        wanted = [*label.columns, *label.one_hot, *label.weighted]
        if not choice.column and wanted and not set(wanted) & set(reader.columns):
            raise reader.no_column(wanted)
        return reader

    def no_column(self, wanted: Sequence[str]) -> UserError:
        """The error that none of several columns is there."""
        names, there = " or ".join(map(repr, wanted)), ", ".join(self.columns)
        return UserError(f"{self.place}: no column {names} to take as label; there are: {there}")

    @property
    def column(self) -> str:
        """The column that holds the class, where one does."""
        wanted = [self.choice.column] if self.choice.column else self.label.columns
        return next((name for name in wanted if name in self.columns), "")

    @property
    def used(self) -> set[str]:
        """The columns that become the label, and are columns no longer."""
        return {*self.label.one_hot, *([self.column] if self.choice.level is None else [])}

    def read(self, record: Record) -> tuple[str, str]:
        """Label of a row, and why it has none where that is doubtful.

        Raises UserError for a cell that should be a flag and is none.
        """
        try:
            return self._read(record.cells)
        except _NoFlag as error:
            raise UserError(f"{self.place}: {error} of {record.image}; must be 0 or 1") from error

    def _read(self, cells: Mapping[str, str]) -> tuple[str, str]:
        if self.choice.level is not None:
            return self._of_level(cells, self.choice.level)
        label, doubt = self._finest(cells)
        self.known_coarser += not label and not doubt and any(self._path(cells))
        return label, doubt

    def _finest(self, cells: Mapping[str, str]) -> tuple[str, str]:
        """The finest name of the class as the layout has it, under the name that it has in the data set."""
        doubt = ""
        if self.choice.column:
            return cells.get(self.column, ""), ""
        if self.label.one_hot:
            label, doubt = _one_hot(cells, self.label.one_hot)
        elif self.label.weighted:
            label, doubt = self._heaviest(first_value(cells, self.label.weighted))
        else:
            label = self._cell(cells, self.column)
        if plain_identifier(label) in map(plain_identifier, self.label.unknown):
            return "", doubt
        return self._names.get(plain_identifier(label), label), doubt

    @cached_property
    def _names(self) -> dict[str, str]:
        """The layout's names of classes; `1.0` is `1`, and case does not matter."""
        return {plain_identifier(written): name for written, name in self.label.names.items()}

    def _cell(self, cells: Mapping[str, str], column: str) -> str:
        cell = cells.get(column, "")
        if self.label.flag is None or column not in self.label.columns:
            return cell
        flag = _flag(column, cell)
        return "" if flag is None else self.label.flag[flag]

    def _heaviest(self, text: str) -> tuple[str, str]:
        weights = _weights(text)
        if weights is None:
            return "", f"no label: {text[:60]!r} is no list of weights"
        most = [name for name, weight in weights.items() if weight == max(weights.values())]
        self.ties += len(most) > 1
        return (most[0] if most else ""), ""

    def _path(self, cells: Mapping[str, str]) -> list[str]:
        """The names of a row's class from the coarsest to the finest; empty where one is not known."""
        columns = [next((name for name in level if name in self.columns), "") for level in self.label.levels]
        if any(columns):
            return ["" if is_missing(name := self._cell(cells, column)) else name for column in columns]
        if not self.label.tree:
            return []
        label = self._finest(cells)[0]
        coarser = next((names for pattern, names in self.label.tree.items() if fits(label, [pattern])), ())
        return [*coarser, label]

    def _of_level(self, cells: Mapping[str, str], level: int) -> tuple[str, str]:
        path = self._path(cells)
        self.without_coarser.update(name for name in path[:1] if name and len(path) == 1)
        known = [(depth, name) for depth, name in enumerate(path[:level], 1) if name]
        depth, label = known[-1] if known else (0, "")
        self.depths[depth] = self.depths.get(depth, 0) + 1
        return next((name for pattern, name in self.label.aliases.items() if fits(label, [pattern])), label), ""

    def notes(self) -> list[str]:
        """What was understood, as sentences."""
        notes = []
        if self.choice.level is not None:
            words = {depth: f"of level {depth}" if depth else "not known" for depth in self.depths}
            depths = ", ".join(f"{count} {words[depth]}" for depth, count in sorted(self.depths.items()))
            notes.append(f"labels of level {self.choice.level}, or the deepest that is known above it: {depths}")
        if self.without_coarser:
            names = ", ".join(f"{name} {count}" for name, count in self.without_coarser.items())
            notes.append(f"classes of which the layout has no coarser names stay as they are: {names}")
        if self.known_coarser:
            notes.append(
                f"{self.known_coarser} images have no {self.column or 'label'}, but a coarser class; "
                "`level` takes the deepest that is known"
            )
        if self.ties:
            notes.append(f"{self.ties} images have several classes of the same weight; the first is taken")
        return notes


class _NoFlag(ValueError):
    """A cell that should be a flag: its column and what it holds."""


def _flag(column: str, cell: str) -> bool | None:
    try:
        return parse_flag(cell)
    except ValueError as error:
        raise _NoFlag(f"{column} {cell!r}") from error


def _one_hot(cells: Mapping[str, str], columns: Sequence[str]) -> tuple[str, str]:
    """The one column that is true."""
    true = [column for column in columns if _flag(column, cells.get(column, ""))]
    if len(true) == 1:
        return true[0], ""
    if not any(cells.get(column) for column in columns):
        return "", ""
    return "", f"no label: diagnoses {' and '.join(true)} at once" if true else "no label: none of the diagnoses is 1"


def _weights(text: str) -> dict[str, float] | None:
    """The weights by name that a text holds; None where it holds something else."""
    if is_missing(text, words=False):
        return {}
    try:
        weights = ast.literal_eval(text) if len(text) < LONGEST else None
        return {str(name): float(weight) for name, weight in weights.items()}  # type: ignore[union-attr]
    except (ValueError, SyntaxError, TypeError, AttributeError, MemoryError, RecursionError):
        return None
