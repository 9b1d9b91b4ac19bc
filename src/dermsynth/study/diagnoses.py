"""Raters' diagnoses against the labels of the images: whether they speak of the same classes."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from dermsynth.errors import UserError

_NAMED = 8
"""How many classes a message names."""


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """The answers with a diagnosis to an image with a label."""
    if not {"diagnosis", "label"} <= set(table.columns):
        return table[:0]
    return table[(table["diagnosis"] != "") & (table["label"] != "")]


def check_diagnoses(table: pd.DataFrame, source: Path) -> list[str]:
    """What is to be said of diagnoses that occur nowhere among the labels, with how often each was given.

    Raises UserError when none of them does: they are words of another list, not wrong diagnoses.
    """
    rows = judged(table)
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
    told = ", ".join(f"{name!r} {count} times" for name, count in foreign.head(_NAMED).items())
    more = f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
    return [
        f"diagnoses that no image has as its label count as wrong: {told}{more}; the labels are {_listed(sorted(labels))}"
    ]


def _listed(names: Iterable[str]) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
