"""Which answers count: exclusions, attention checks, doubts, diagnoses that are no label, and what a reader should know."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from dermsynth.data.tables import read_table, require_columns
from dermsynth.errors import UserError
from dermsynth.study.answers import NEEDED, REAL, Answers, check_positive, validate_answers
from dermsynth.study.columns import CleanTable, clean_table, positive_of
from dermsynth.values import plain_identifier

PATIENTS = ("patient", "patient_id", "lesion", "lesion_id")
Doubt = Literal["unfinished", "reopened", "diagnosis"]
DOUBTS = {
    "unfinished": "of raters who did not finish",
    "reopened": "to images shown for a limited time whose page was opened again",
}
MOST_NAMED = 8
"""How many classes a message names."""


class CountedAnswers(NamedTuple):
    """Answers that count, how many do not, how many do though something is odd, and what a reader should know."""

    table: pd.DataFrame
    left_out: dict[str, int]
    noticed: dict[str, int]
    notes: tuple[str, ...] = ()


def count_answers(cleaned: CleanTable, source: Path, without: Collection[Doubt] = ()) -> CountedAnswers:
    """Leave out answers of excluded raters, attention checks, and doubtful answers where that is asked for.

    Raises UserError when nothing is left.
    """
    table = cleaned.table.drop(columns="diagnosis", errors="ignore") if "diagnosis" in without else cleaned.table
    excluded = _flag(table, "excluded")
    checks = _flag(table, "attention") & ~excluded
    left_out = {"of excluded raters": int(excluded.sum()), "to attention checks": int(checks.sum())}
    noticed, gone = dict[str, int](), excluded | checks
    for name, doubtful in _doubtful(table).items():
        doubtful = doubtful & ~gone
        (left_out if name in without else noticed)[DOUBTS[name]] = int(doubtful.sum())
        gone = gone | doubtful if name in without else gone
    if gone.all():
        raise UserError(f"{source}: no answers{_reasons({**left_out, **cleaned.left_out})}")
    rest = table[~gone].reset_index(drop=True)
    notes = (
        *cleaned.notes,
        *_partly(table),
        *_second_only(rest),
        *_same_patients(rest),
        *check_diagnoses(rest, source),
    )
    return CountedAnswers(rest, {**left_out, **cleaned.left_out}, noticed, notes)


def _flag(table: pd.DataFrame, column: str) -> pd.Series:
    return table.get(column, pd.Series(False, table.index)).astype(bool)


def _doubtful(table: pd.DataFrame) -> dict[Literal["unfinished", "reopened"], pd.Series]:
    """Rows of raters who did not finish, and of pages that were opened again."""
    nobody = pd.Series(False, table.index)
    return {
        "unfinished": ~_flag(table, "finished") if "finished" in table else nobody,
        "reopened": table["views"] > 1 if "views" in table else nobody,
    }


def _reasons(left_out: dict[str, int]) -> str:
    """Why no answer counts."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
    return f" but ones that do not count: {reasons}" if reasons else " yet"


def _partly(table: pd.DataFrame) -> list[str]:
    """Raters who are excluded, or finished, in some of their rows only."""
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
    """Images of one patient or lesion, where the table names them: intervals assume independent images."""
    result = []
    for column in PATIENTS:
        if column in table:
            each = table.drop_duplicates("item")[column].map(plain_identifier)
            counts = each[each != ""].value_counts()
            several = counts[counts > 1]
            if len(several):
                result.append(
                    f"column {column!r}: {int(several.sum())} of {len(each)} images share their {column} with another "
                    f"({len(several)} values); intervals assume independent images and are too narrow by that"
                )
    return result


def _diagnosed(table: pd.DataFrame) -> pd.DataFrame:
    """The answers with a diagnosis to an image with a label."""
    if not {"diagnosis", "label"} <= set(table.columns):
        return table[:0]
    return table[(table["diagnosis"] != "") & (table["label"] != "")]


def check_diagnoses(table: pd.DataFrame, source: Path) -> list[str]:
    """Diagnoses that are no image's label, with how often each was given.

    Raises UserError when none of them does: they are words of another list, not wrong diagnoses.
    """
    rows = _diagnosed(table)
    if rows.empty:
        return []
    labels, counts = set(table["label"]) - {""}, rows["diagnosis"].value_counts()
    foreign = counts[~counts.index.isin(labels)]
    if len(foreign) == len(counts):
        raise UserError(
            f"{source}: no diagnosis ({_listed(counts.index)}) is one of the labels ({_listed(sorted(labels))}); write both "
            "in the same words, or leave the diagnoses out with `without` diagnosis"
        )
    if foreign.empty:
        return []
    given = ", ".join(f"{name!r} {count} times" for name, count in foreign.head(MOST_NAMED).items())
    more = f" and {len(foreign) - MOST_NAMED} more" if len(foreign) > MOST_NAMED else ""
    return [
        f"diagnoses that no image has as its label count as wrong: {given}{more}; the labels are {_listed(sorted(labels))}"
    ]


def _listed(names: Iterable[str]) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def read_answers(path: Path, positive: str = "", without: Collection[Doubt] = ()) -> tuple[Answers, CountedAnswers]:
    """Answers from a CSV, and what was left out; `positive` is by default what an exported one says, or real.

    Raises UserError as `parse_answers` does.
    """
    return counted_answers(read_table(path), path, positive, without)


def refuse_choices(table: pd.DataFrame) -> None:
    """Raise UserError for answers to pictures that were shown together."""
    if "shown" in table:
        raise UserError("`source`: pictures were shown together; analyse_choices analyses these")


def counted_answers(
    table: pd.DataFrame, source: Path, positive: str = "", without: Collection[Doubt] = ()
) -> tuple[Answers, CountedAnswers]:
    """Answers of a table of text, and what was left out; `source` is what messages name.

    Raises UserError as `parse_answers` does.
    """
    refuse_choices(table)
    require_columns(table, NEEDED, source)
    of_table = positive_of(table, source)
    counted = count_answers(clean_table(table, source, positive and check_positive(positive)), source, without)
    return validate_answers(counted.table, positive or of_table or REAL, source), counted
