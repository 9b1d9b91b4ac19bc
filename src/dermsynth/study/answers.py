"""The table of answers: one row an answer, from a study's database or from any CSV."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.tables import read_table, require_columns
from dermsynth.errors import UserError
from dermsynth.study.rates import Counts

REAL, SYNTHETIC = "real", "synthetic"
NEEDED = ["rater", "item", "truth", "answer"]
OPTIONAL = ["group", "condition", "label", "diagnosis", "certainty", "seconds", "repeat", "position"]
ALL = "all raters"
Doubt = Literal["unfinished", "reopened"]
DOUBTS = {
    "unfinished": "of raters who did not finish",
    "reopened": "to images shown for a limited time whose page was opened again",
}
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
        found: NDArray[np.bool_] = (self.table["truth"] == self.table["answer"]).to_numpy()
        return found

    def counts(self) -> Counts:
        """Of all rows."""
        truth, said = (self.table[column] == self.positive for column in ("truth", "answer"))
        return Counts(
            int((truth & said).sum()),
            int((~truth & said).sum()),
            int((truth & ~said).sum()),
            int((~truth & ~said).sum()),
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


def answers_of(table: pd.DataFrame, positive: str, source: Path) -> Answers:
    """Check a table and bring its columns to their kinds.

    Raises UserError for a missing column, an unknown answer, or no answers at all; `source` is what the message names.
    """
    require_columns(table, NEEDED, source)
    if positive not in (REAL, SYNTHETIC):
        raise UserError(f"--positive {positive!r}: write {REAL} or {SYNTHETIC}")
    table = table.assign(**{column: "" for column in OPTIONAL if column not in table})
    for column in ("truth", "answer"):
        wrong = table.loc[~table[column].isin([REAL, SYNTHETIC])]
        if len(wrong):
            line = int(wrong.index[0]) + 2
            raise UserError(
                f"{source}, line {line}: {column} {wrong[column].iloc[0]!r}; it must be {REAL} or {SYNTHETIC}"
            )
    if table.empty:
        raise UserError(f"{source}: no answers yet")
    for column in ("certainty", "seconds", "position"):
        table[column] = _numbers(table[column], column, source)
    table["repeat"] = table["repeat"].astype(str).str.lower().isin(["true", "1", "yes"])
    twice = table.duplicated(["rater", "item"]) & ~table["repeat"]
    if twice.any():
        row = table[twice].iloc[0]
        raise UserError(
            f"{source}, line {int(np.flatnonzero(twice)[0]) + 2}: rater {row['rater']!r} judges image {row['item']!r} again; if "
            "it was shown a second time, say so in a column 'repeat'"
        )
    return Answers(table.reset_index(drop=True), positive)


def _numbers(column: pd.Series, name: str, source: Path) -> pd.Series:
    found = pd.to_numeric(column, errors="coerce")
    wrong = found.isna() & (column.astype(str) != "")
    if wrong.any():
        line = int(np.flatnonzero(wrong)[0]) + 2
        raise UserError(f"{source}, line {line}: {name} {column[wrong].iloc[0]!r} is no number")
    return found


class Counted(NamedTuple):
    """Answers that count, and how many do not, or do though there is something about them."""

    table: pd.DataFrame
    left_out: dict[str, int]
    noticed: dict[str, int]


def counted(table: pd.DataFrame, source: Path, without: Collection[Doubt] = ()) -> Counted:
    """Without answers of excluded raters and attention checks, and without doubtful ones if that is wanted.

    Raises UserError when nothing is left.
    """
    nobody = pd.Series(False, table.index)
    excluded = table["excluded"] != "" if "excluded" in table else nobody
    checks = (table["attention"] != "" if "attention" in table else nobody) & ~excluded
    doubts = {
        "unfinished": table["finished"] == "" if "finished" in table else nobody,
        "reopened": pd.to_numeric(table["views"]) > 1 if "views" in table else nobody,
    }
    left_out = {"of excluded raters": int(excluded.sum()), "to attention checks": int(checks.sum())}
    noticed, gone = dict[str, int](), excluded | checks
    for name, doubtful in doubts.items():
        doubtful = doubtful & ~gone
        (left_out if name in without else noticed)[DOUBTS[name]] = int(doubtful.sum())
        gone = gone | doubtful if name in without else gone
    if gone.all():
        raise UserError(f"{source}: no answers{' but ones that do not count' if len(table) else ' yet'}")
    return Counted(table[~gone].reset_index(drop=True), left_out, noticed)


def read_answers(path: Path, positive: str = "", without: Collection[Doubt] = ()) -> tuple[Answers, Counted]:
    """Answers from a CSV, and what was left out; `positive` is by default what an exported one says, or real.

    Raises UserError as `answers_of` does.
    """
    table = read_table(path)
    require_columns(table, NEEDED, path)
    found = counted(table, path, without)
    said = str(found.table["positive"].iloc[0]) if "positive" in found.table else REAL
    return answers_of(found.table, positive or said, path), found
