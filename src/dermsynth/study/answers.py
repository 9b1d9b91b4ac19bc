"""The table of answers: one row an answer, from a study's database or from any CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import read_table, require_columns
from dermsynth.errors import UserError
from dermsynth.study.rates import Counts

REAL, SYNTHETIC = "real", "synthetic"
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
    return Answers(table.reset_index(drop=True), positive)


def _numbers(column: pd.Series, name: str, source: Path) -> pd.Series:
    found = pd.to_numeric(column, errors="coerce")
    wrong = found.isna() & (column.astype(str) != "")
    if wrong.any():
        line = int(np.flatnonzero(wrong)[0]) + 2
        raise UserError(f"{source}, line {line}: {name} {column[wrong].iloc[0]!r} is no number")
    return found


def counted(table: pd.DataFrame, source: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """Without answers of excluded raters and attention checks, and how many these were.

    Raises UserError when nothing is left.
    """
    excluded, checks = (
        table[name] != "" if name in table else pd.Series(False, table.index) for name in ("excluded", "attention")
    )
    kept = table[~excluded & ~checks].reset_index(drop=True)
    if kept.empty:
        raise UserError(f"{source}: no answers{' but of excluded raters' if excluded.any() else ' yet'}")
    return kept, {"of excluded raters": int(excluded.sum()), "attention checks": int((checks & ~excluded).sum())}


def read_answers(path: Path, positive: str = "") -> tuple[Answers, dict[str, int]]:
    """Answers from a CSV, and how many were left out; `positive` is by default what an exported one says, or real.

    Raises UserError as `answers_of` does.
    """
    table = read_table(path)
    require_columns(table, NEEDED, path)
    kept, left_out = counted(table, path)
    said = str(kept["positive"].iloc[0]) if "positive" in kept else REAL
    return answers_of(kept, positive or said, path), left_out
