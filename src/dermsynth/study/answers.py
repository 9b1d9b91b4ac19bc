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
from dermsynth.statistics.rates import Counts
from dermsynth.study.columns import REAL as REAL
from dermsynth.study.columns import ROW, Cleaned, clean_table, positive_of
from dermsynth.study.columns import SYNTHETIC as SYNTHETIC
from dermsynth.study.diagnoses import check_diagnoses
from dermsynth.values import plain_identifier

NEEDED = ["rater", "item", "truth", "answer"]
OPTIONAL = ["group", "condition", "label", "diagnosis", "certainty", "seconds", "repeat", "position"]
ALL = "all raters"
PATIENTS = ("patient", "patient_id", "lesion", "lesion_id")
Doubt = Literal["unfinished", "reopened", "diagnosis"]
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

    Raises UserError for a missing column, a value that is not understood, a table that contradicts itself, or no answers at
    all; `source` is what the message names.
    """
    require_columns(table, NEEDED, source)
    return checked_answers(clean_table(table, source, _positive(positive)).table, positive, source)


def checked_answers(table: pd.DataFrame, positive: str, source: Path) -> Answers:
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
    table["group"] = _one_group(table, source)
    return Answers(table.reset_index(drop=True), positive)


def _positive(positive: str) -> str:
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


def _one_group(table: pd.DataFrame, source: Path) -> pd.Series:
    """The group of every answer's rater, also where a row does not say it.

    Raises UserError for a rater with two groups.
    """
    known = table[table["group"] != ""]
    groups = known.drop_duplicates("rater").set_index("rater")["group"]
    other = known[known["group"] != known["rater"].map(groups)]
    if len(other):
        row = other.iloc[0]
        raise UserError(
            f"{source}, row {row[ROW]}: rater {row['rater']!r} is in group {row['group']!r} here and in "
            f"{groups[row['rater']]!r} before (raters that have two: {other['rater'].nunique()}); correct the table"
        )
    return table["rater"].map(groups).astype(object).fillna("")


class Counted(NamedTuple):
    """Answers that count, how many do not, or do though there is something about them, and what else is to be said."""

    table: pd.DataFrame
    left_out: dict[str, int]
    noticed: dict[str, int]
    notes: tuple[str, ...] = ()


def counted(cleaned: Cleaned, source: Path, without: Collection[Doubt] = ()) -> Counted:
    """Without answers of excluded raters and attention checks, and without doubtful ones if that is wanted.

    Raises UserError when nothing is left.
    """
    table = cleaned.table.drop(columns="diagnosis", errors="ignore") if "diagnosis" in without else cleaned.table
    nobody = pd.Series(False, table.index)
    excluded = table.get("excluded", nobody).astype(bool)
    checks = table.get("attention", nobody).astype(bool) & ~excluded
    doubts = {
        "unfinished": ~table["finished"].astype(bool) if "finished" in table else nobody,
        "reopened": table["views"] > 1 if "views" in table else nobody,
    }
    left_out = {"of excluded raters": int(excluded.sum()), "to attention checks": int(checks.sum())}
    noticed, gone = dict[str, int](), excluded | checks
    for name, doubtful in doubts.items():
        doubtful = doubtful & ~gone
        (left_out if name in without else noticed)[DOUBTS[name]] = int(doubtful.sum())
        gone = gone | doubtful if name in without else gone
    if gone.all():
        raise UserError(f"{source}: no answers{_reasons({**left_out, **cleaned.left_out})}")
    rest = table[~gone].reset_index(drop=True)
    notes = [
        *cleaned.notes,
        *_partly(table),
        *_second_only(rest),
        *_same_patients(rest),
        *check_diagnoses(rest, source),
    ]
    return Counted(rest, {**left_out, **cleaned.left_out}, noticed, tuple(notes))


def _reasons(left_out: dict[str, int]) -> str:
    """Why no answer counts."""
    told = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
    return f" but ones that do not count: {told}" if told else " yet"


def _partly(table: pd.DataFrame) -> list[str]:
    """Raters of whom the table says both: excluded and not, finished and not."""
    result = []
    for column in ("excluded", "finished"):
        if column in table:
            shares = table.groupby("rater", sort=False)[column].mean()
            both = list(shares[(shares > 0) & (shares < 1)].index)
            if both:
                result.append(
                    f"{len(both)} raters are {column} in some of their rows only (first: {both[0]}); each row is taken as it says"
                )
    return result


def _second_only(table: pd.DataFrame) -> list[str]:
    """Repeats of images for which there is no first answer: they count nowhere."""
    if "repeat" not in table:
        return []
    first = set(zip(*(table.loc[~table["repeat"], column] for column in ("rater", "item")), strict=True))
    alone = [row for row in table[table["repeat"]].itertuples() if (row.rater, row.item) not in first]
    where = f"(first: rater {alone[0].rater}, image {alone[0].item})" if alone else ""
    return [f"{len(alone)} answers to repeats of images without a first answer count nowhere {where}"] if alone else []


def _same_patients(table: pd.DataFrame) -> list[str]:
    """Images of one patient or lesion, where the table names them: they are alike, and the intervals take them as apart."""
    result = []
    for column in PATIENTS:
        if column in table:
            each = table.drop_duplicates("item")[column].map(plain_identifier)
            counts = each[each != ""].value_counts()
            several = counts[counts > 1]
            if len(several):
                result.append(
                    f"column {column!r}: {int(several.sum())} of {len(each)} images share their {column} with another "
                    f"({len(several)} values); intervals take images as independent and are too narrow by that"
                )
    return result


def read_answers(path: Path, positive: str = "", without: Collection[Doubt] = ()) -> tuple[Answers, Counted]:
    """Answers from a CSV, and what was left out; `positive` is by default what an exported one says, or real.

    Raises UserError as `answers_of` does.
    """
    table = read_table(path)
    require_columns(table, NEEDED, path)
    said = positive_of(table, path)
    found = counted(clean_table(table, path, positive and _positive(positive)), path, without)
    return checked_answers(found.table, positive or said or REAL, path), found
