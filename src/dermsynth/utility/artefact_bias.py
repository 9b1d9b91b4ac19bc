"""How much artefacts tell of the label: odds ratios, and a classifier that sees nothing else."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats.contingency import odds_ratio
from sklearn.linear_model import LogisticRegression

from dermsynth.artefacts.marking import TONE, found_column
from dermsynth.artefacts.skin import skin_tone_class
from dermsynth.data.dataset import DataSet
from dermsynth.data.splits import joined_groups
from dermsynth.errors import UserError
from dermsynth.evaluation.intervals import LEVEL
from dermsynth.utility.held_out import held_out_auc

NAMES = ("frame", "hair", "ruler", "ink", "sticker", "bubble")
OTHER_NAMES = ("dark_corner", "gel_border", "gel_bubble", "patches")
"""Columns of 0 and 1 that data sets come with."""
FEWEST = 20
"""Images of a class to be compared with the others."""


@dataclass(frozen=True)
class Bias:
    """Tables: share and odds ratio of every artefact in every class, what artefacts alone tell, and skin tones."""

    ratios: pd.DataFrame
    told: pd.DataFrame
    tones: pd.DataFrame


def artefact_columns(data_set: DataSet) -> list[str]:
    """Columns of 0, 1 or blank that say whether an image shows an artefact: found ones, and those the set came with."""
    names = [*NAMES, *OTHER_NAMES, *(found_column(name) for name in NAMES)]
    return [name for name in names if name in data_set.table and set(data_set.table[name]) - {""} == {"0", "1"}]


def artefact_bias(data_set: DataSet, seed: int = 0) -> Bias:
    """All tables of a set with labels; classes of fewer than twenty images are left out.

    Raises UserError where there is no column of artefacts, or fewer than two classes.
    """
    columns = artefact_columns(data_set)
    if not columns:
        way = f"dermsynth artefacts detect {shlex.quote(str(data_set.folder))}"
        raise UserError(f"{data_set.folder}: no column of artefacts; add them with: {way}")
    classes = [label for label in data_set.classes if data_set.count(label) >= FEWEST]
    if len(classes) < 2:
        raise UserError(
            f"{data_set.folder}: {len(classes)} classes of at least {FEWEST} images; two are needed to compare"
        )
    kept = data_set.select(np.isin(data_set.labels.astype(str), classes))
    ratios = pd.DataFrame([_ratio(kept, column, label) for column in columns for label in classes])
    return Bias(ratios, _told(kept, columns, classes, seed), _tones(kept, classes))


def _ratio(data_set: DataSet, column: str, label: str) -> dict[str, object]:
    """Share of a class with the artefact, and its odds ratio against the other classes with exact conditional interval."""
    known = data_set.select((data_set.table[column] != "").to_numpy())
    mine, shown = known.labels == label, (known.table[column] == "1").to_numpy()
    table = [
        [int((mine & shown).sum()), int((mine & ~shown).sum())],
        [int((~mine & shown).sum()), int((~mine & ~shown).sum())],
    ]
    found = odds_ratio(table)
    low, high = found.confidence_interval(LEVEL)
    return {
        "artefact": column, "label": label, "share": round(table[0][0] / max(int(mine.sum()), 1), 3),
        "odds_ratio": round(float(found.statistic), 2), "low": round(float(low), 2), "high": round(float(high), 2),
        "images": int(mine.sum()),
    }  # fmt: skip


def _told(data_set: DataSet, columns: Sequence[str], classes: Sequence[str], seed: int) -> pd.DataFrame:
    """AUC, one class against the others, of a logistic regression on the artefact columns alone, never fitted on one's group."""
    data_set = data_set.select((data_set.table[list(columns)] != "").all(axis=1).to_numpy())
    seen = (data_set.table[list(columns)] == "1").to_numpy(float)
    names = data_set.table.get("group")
    groups = np.full(len(seen), "", dtype=object) if names is None else names.to_numpy(dtype=object)
    groups = joined_groups(groups, np.empty((0, 2), np.int64))
    rows = []
    for label in classes if len(classes) > 2 else classes[:1]:
        truth = np.asarray(data_set.labels == label)
        area, low, high = held_out_auc(seen, truth, groups, _regression, seed)
        rows.append(
            {
                "label": label,
                "auc": round(area, 3),
                "low": round(low, 3),
                "high": round(high, 3),
                "images": int(truth.sum()),
            }
        )
    return pd.DataFrame(rows)


def _regression(seen: NDArray[np.floating], truth: NDArray[np.bool_]) -> Callable[..., NDArray[np.float64]]:
    score: Callable[..., NDArray[np.float64]] = LogisticRegression(max_iter=400).fit(seen, truth).decision_function
    return score


def _tones(data_set: DataSet, classes: Sequence[str]) -> pd.DataFrame:
    """Median and quartiles of the individual typology angle in every class, and the most frequent skin tone."""
    if TONE not in data_set.table:
        return pd.DataFrame()
    angles = pd.to_numeric(data_set.table[TONE], errors="coerce").to_numpy()
    rows = []
    for label in classes:
        mine = angles[(data_set.labels == label) & np.isfinite(angles)]
        if len(mine):
            low, middle, high = np.quantile(mine, (0.25, 0.5, 0.75)).round(1)
            names = pd.Series([skin_tone_class(angle) for angle in mine])
            common = f"{names.mode()[0]} ({(names == names.mode()[0]).mean():.0%})"
            rows.append(
                {
                    "label": label,
                    "ita": middle,
                    "quarter": low,
                    "three_quarters": high,
                    "most": common,
                    "images": len(mine),
                }
            )
    return pd.DataFrame(rows)
