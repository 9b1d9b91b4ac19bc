"""Answers with a certainty as ratings: how well each rater tells both kinds apart at every threshold, by condition."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.statistics.multireader import Multireader, compare_readers
from dermsynth.study.answers import Answers

FEWEST = 2
"""Images of either kind that a rater must have judged in every condition."""


def areas_by_certainty(first: Answers) -> tuple[Multireader | None, str | None]:
    """Areas under ROC curves by condition, of the raters who judged in all of them; or why there are none.

    A rating is the certainty of the answer, positive where the answer is the positive kind, negative where it is the other.
    Neither where no answer has a certainty.
    """
    table = _rated(first)
    if table.empty:
        return None, None
    cases = "case" if "case" in table else "item"
    conditions, items = sorted(set(table["condition"])), sorted(set(table[cases]))
    raters = _of_all_conditions(table, conditions)
    if len(raters) < 2:
        return (
            None,
            f"{len(raters)} raters judged {FEWEST} images of either kind with a certainty in every condition, 2 are needed",
        )
    ratings = np.full((len(conditions), len(raters), len(items)), np.nan)
    table = table[table["rater"].isin(raters)]
    places = [
        pd.Categorical(table[column], names).codes
        for column, names in (("condition", conditions), ("rater", raters), (cases, items))
    ]
    ratings[places[0], places[1], places[2]] = _ratings(table, first.positive)
    truth = dict(zip(table[cases], table["truth"], strict=True))
    return compare_readers(ratings, np.array([truth[item] == first.positive for item in items]), conditions), None


def _rated(first: Answers) -> pd.DataFrame:
    """Answers with a certainty; where some name a condition, those that do."""
    table = first.table[first.table["certainty"].notna()]
    named = table[table["condition"] != ""]
    return table if named.empty else named


def left_out_of_areas(first: Answers) -> list[str]:
    """Answers and raters that areas by condition do not count, where there are areas."""
    table, counted = first.table, _rated(first)
    away = len(set(table["rater"])) - len(_of_all_conditions(counted, sorted(set(counted["condition"]))))
    certain = int(table["certainty"].notna().sum())
    counts = {
        "answers without a certainty": len(table) - certain,
        "answers without a condition": certain - len(counted),
        "raters who did not judge in every condition": away,
    }
    return [f"areas by certainty leave out {count} {what}" for what, count in counts.items() if count]


def _ratings(table: pd.DataFrame, positive: str) -> NDArray[np.float64]:
    """Certainty counted from 1 up, with the sign of the answer: the least certain answers of both kinds lie beside each other."""
    certainty = table["certainty"].to_numpy(float)
    strength = certainty - certainty.min() + 1
    return np.where(table["answer"] == positive, strength, -strength)


def _of_all_conditions(table: pd.DataFrame, conditions: list[str]) -> list[str]:
    """Raters with enough images of either kind in every condition, in the order in which they appear."""
    counts = table.groupby(["rater", "condition", "truth"]).size().unstack(["condition", "truth"], fill_value=0)
    wanted = [(condition, kind) for condition in conditions for kind in ("real", "synthetic")]
    if not set(wanted) <= set(counts.columns):
        return []
    enough = (counts[wanted] >= FEWEST).all(axis=1)
    return [rater for rater in dict.fromkeys(table["rater"]) if enough[rater]]
