"""The table of answers: one row an answer, from a study's database or from any CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.tables import require_columns
from dermsynth.errors import UserError
from dermsynth.statistics.rates import Counts
from dermsynth.study.columns import REAL as REAL
from dermsynth.study.columns import ROW, clean_table
from dermsynth.study.columns import SYNTHETIC as SYNTHETIC

NEEDED = ["rater", "item", "truth", "answer"]
OPTIONAL = ["group", "condition", "label", "diagnosis", "certainty", "seconds", "repeat", "position"]
ALL = "all raters"
Table = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """Answers of a study; `positive` is the kind whose recognition counts as a hit: BAUR's real, ROSEN's synthetic.

    `table` has the columns rater, item, truth, answer (real or synthetic), group, condition, label, diagnosis, certainty,
    seconds, repeat (whether the rater saw the image before) and position.
    """

    table: pd.DataFrame
    positive: str

    @property
    def first(self) -> "Answers":
        """Without repeats: what everything but the agreement of raters with themselves is made of."""
        return Answers(self.table[~self.table["repeat"]].reset_index(drop=True), self.positive)

    @property
    def raters(self) -> list[str]:
        """In the order in which they appear."""
        return list(dict.fromkeys(self.table["rater"]))

    @property
    def groups(self) -> list[str]:
        """The groups that are named, then all raters."""
        return [*sorted({group for group in self.table["group"] if group}), ALL]

    def of_group(self, group: str) -> "Answers":
        """The answers of a group's raters."""
        keep = np.ones(len(self.table), bool) if group == ALL else (self.table["group"] == group).to_numpy()
        return Answers(self.table[keep].reset_index(drop=True), self.positive)

    def of_truth(self, truth: str) -> "Answers":
        """The answers to real or to synthetic images."""
        return Answers(self.table[self.table["truth"] == truth].reset_index(drop=True), self.positive)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which answers are right."""
        right: NDArray[np.bool_] = (self.table["truth"] == self.table["answer"]).to_numpy()
        return right

    def counts(self) -> Counts:
        """Of all rows."""
        truth, called = (self.table[column] == self.positive for column in ("truth", "answer"))
        return Counts(
            tp=int((truth & called).sum()),
            fp=int((~truth & called).sum()),
            fn=int((truth & ~called).sum()),
            tn=int((~truth & ~called).sum()),
        )

    def matrix(self) -> tuple[Table, Table, list[str], list[str]]:
        """Right answers and answers [raters, items], and who and what the rows and columns are."""
        raters, items = self.raters, list(dict.fromkeys(self.table["item"]))
        rows, columns = (pd.Categorical(self.table[c], n).codes for c, n in (("rater", raters), ("item", items)))
        answers, right = np.zeros((len(raters), len(items))), np.zeros((len(raters), len(items)))
        np.add.at(answers, (rows, columns), 1)
        np.add.at(right, (rows, columns), self.right)
        return right, answers, raters, items

    def positives(self, items: Sequence[str]) -> NDArray[np.bool_]:
        """Which of the items are of the positive kind."""
        truth = dict(zip(self.table["item"], self.table["truth"], strict=True))
        return np.array([truth[item] == self.positive for item in items])


def parse_answers(table: pd.DataFrame, positive: str, source: Path) -> Answers:
    """The answers of a table in any spelling.

    Raises UserError for a missing column, a value that is not understood, a table that contradicts itself, or no answers at
    all; `source` is what the message names.
    """
    require_columns(table, NEEDED, source)
    return validate_answers(clean_table(table, source, check_positive(positive)).table, positive, source)


def validate_answers(table: pd.DataFrame, positive: str, source: Path) -> Answers:
    """Answers of a clean table.

    Raises UserError for a rater with two groups, or with two answers to one image.
    """
    table = table.assign(**{column: "" for column in OPTIONAL if column not in table})
    if table.empty:
        raise UserError(f"{source}: no answers yet")
    for column in ("certainty", "seconds", "position"):
        table[column] = pd.to_numeric(table[column])
    table["repeat"] = table["repeat"].astype(bool)
    _refuse_second_answers(table, source)
    table["group"] = one_group(table, source)
    return Answers(table.reset_index(drop=True), positive)


def check_positive(positive: str) -> str:
    """The kind, if it is one.

    Raises UserError for another word.
    """
    if positive not in (REAL, SYNTHETIC):
        raise UserError(f"`positive` {positive!r}: write {REAL} or {SYNTHETIC}")
    return positive


def _refuse_second_answers(table: pd.DataFrame, source: Path) -> None:
    first = table[~table["repeat"]]
    twice = first[first.duplicated(["rater", "item"])]
    if twice.empty:
        return
    row = twice.iloc[0]
    before = first[(first["rater"] == row["rater"]) & (first["item"] == row["item"])].iloc[0]
    same = "the same" if row["answer"] == before["answer"] else "another"
    raise UserError(
        f"{source}, row {row[ROW]}: rater {row['rater']!r} judges image {row['item']!r} again, with {same} answer as in row "
        f"{before[ROW]} ({len(twice)} such answers); if it was shown a second time, say so in a column 'repeat'"
    )


def one_group(table: pd.DataFrame, source: Path) -> pd.Series:
    """The group of every answer's rater, also where a row does not say it.

    Raises UserError for a rater with two groups.
    """
    grouped = table[table["group"] != ""]
    groups = grouped.drop_duplicates("rater").set_index("rater")["group"]
    other = grouped[grouped["group"] != grouped["rater"].map(groups)]
    if len(other):
        row = other.iloc[0]
        raise UserError(
            f"{source}, row {row[ROW]}: rater {row['rater']!r} is in group {row['group']!r} here and in "
            f"{groups[row['rater']]!r} before (raters that have two: {other['rater'].nunique()}); correct the table"
        )
    return table["rater"].map(groups).astype(object).fillna("")
