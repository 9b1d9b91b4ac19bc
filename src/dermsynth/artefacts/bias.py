"""How much artefacts tell of the label: odds ratios, and a classifier that sees nothing else."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats.contingency import odds_ratio
from sklearn.linear_model import LogisticRegression

from dermsynth.artefacts.annotate import TONE, found_column
from dermsynth.artefacts.confirmation import LABELS, Trust, detector_trust
from dermsynth.data.dataset import DataSet
from dermsynth.data.splits import people
from dermsynth.errors import UserError
from dermsynth.segmentation.skin import skin_tone_class
from dermsynth.statistics.cross_validation import held_out_auc
from dermsynth.statistics.intervals import LEVEL

OTHER_NAMES = ("gel_border",)
"""A column of flags that data sets come with and no detector looks for."""
FEWEST = 20
"""Images of a class to be compared with the others."""
STRONG = 2.0
"""Odds ratio beyond which, with its whole interval, an artefact is a finding."""
PREDICTIVE = 0.55
"""Lower end of the area's interval from which on artefacts are a finding."""


class NoBias(UserError):
    """There is nothing to compare artefacts by: an audit goes on without them and says why."""


class NoArtefactAnnotations(NoBias):
    """Nothing is known of artefacts in a set."""


class TooFewClasses(NoBias):
    """Fewer than two classes have enough images."""


@dataclass(frozen=True)
class Bias:
    """Tables: share and odds ratio of every artefact in every class, what artefacts alone tell, and skin tones.

    They speak of columns that the set came with, and of detectors that passed on it; `trust` says of all detectors whether they
    did, `notes` which columns were not understood.
    """

    ratios: pd.DataFrame
    predictive: pd.DataFrame
    tones: pd.DataFrame
    trust: list[Trust] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def artefact_columns(data_set: DataSet, trust: Sequence[Trust]) -> tuple[list[str], list[str]]:
    """Columns of flags that say whether an image shows an artefact, and what was wrong with others.

    They are those that the set came with, and where it has none those of detectors that passed.
    """
    names, notes = list[str](), list[str]()
    for artefact, columns in LABELS.items():
        own = [name for name in columns if name in data_set.table]
        passed = [found_column(artefact) for detector in trust if detector.artefact == artefact and detector.passes]
        names += own or passed
    names += [name for name in OTHER_NAMES if name in data_set.table]
    usable = []
    for name in names:
        try:
            values = data_set.flags(name)
        except UserError as error:
            notes.append(f"not judged: {error}")
            continue
        if {0.0, 1.0} <= set(values):
            usable.append(name)
    return usable, notes


def artefact_bias(data_set: DataSet, seed: int = 0) -> Bias:
    """All tables of a set with labels; classes of fewer than twenty images are left out.

    Raises NoArtefactAnnotations where nothing is known of artefacts, TooFewClasses where fewer than two can be compared.
    """
    trust = detector_trust(data_set)
    columns, notes = artefact_columns(data_set, trust)
    if not columns and not trust:
        way = f"dermsynth artefacts detect {shlex.quote(str(data_set.folder))}"
        raise NoArtefactAnnotations(f"{data_set.folder}: no column of artefacts; add them with: {way}")
    classes = [label for label in data_set.classes if data_set.count(label) >= FEWEST]
    if len(classes) < 2:
        raise TooFewClasses(
            f"{data_set.folder}: {len(classes)} classes of at least {FEWEST} images; two are needed to compare"
        )
    rows = data_set.part(np.isin(data_set.labels.astype(str), classes))
    ratios = pd.DataFrame([_ratio(rows, column, label) for column in columns for label in classes])
    predictive = _predictive_areas(rows, columns, classes, seed) if columns else pd.DataFrame()
    return Bias(ratios, predictive, _tones(rows, classes), trust, notes)


def bias_findings(bias: Bias, folder: object) -> list[str]:
    """What artefacts tell, and what was confirmed of the detectors, as sentences."""
    return [
        *_predictive_artefacts(bias.predictive),
        *_frequent_artefacts(bias.ratios),
        *(f"Detector of {trust.sentence()}." for trust in bias.trust if trust.judged),
        *_unconfirmed(bias.trust, folder),
        *bias.notes,
    ]


def _predictive_artefacts(areas: pd.DataFrame) -> list[str]:
    return [
        f"Artefacts alone tell {row['label']} from the other classes with AUC {row['auc']:.2f} (95 % {row['low']:.2f} to "
        f"{row['high']:.2f}), by: {row['columns']}."
        for row in areas.to_dict("records")
        if row["low"] >= PREDICTIVE
    ]


def _frequent_artefacts(ratios: pd.DataFrame) -> list[str]:
    return [
        f"{row['artefact']}: in {row['share']:.1%} of {row['label']}, odds ratio against the other classes "
        f"{row['odds_ratio']:.1f} (95 % {row['low']:.1f} to {row['high']:.1f})."
        for row in ratios.to_dict("records")
        if row["low"] >= STRONG or row["high"] <= 1 / STRONG
    ]


def _unconfirmed(trust: Sequence[Trust], folder: object) -> list[str]:
    names = [f"{detector.artefact} ({detector.found})" for detector in trust if detector.unconfirmed]
    if not names:
        return []
    return [
        f"Unconfirmed, so nothing is concluded from them: {', '.join(names)} images found. "
        f"Look at some with: dermsynth artefacts confirm {folder}"
    ]


def _ratio(data_set: DataSet, column: str, label: str) -> dict[str, object]:
    """Share of a class with the artefact, and its odds ratio against the other classes with exact conditional interval."""
    values = data_set.flags(column)
    stated = np.isfinite(values)
    mine, present = (data_set.labels == label)[stated], values[stated] == 1
    table = [
        [int((mine & present).sum()), int((mine & ~present).sum())],
        [int((~mine & present).sum()), int((~mine & ~present).sum())],
    ]
    ratio = odds_ratio(table)
    low, high = ratio.confidence_interval(LEVEL)
    return {
        "artefact": column, "label": label, "share": round(table[0][0] / max(int(mine.sum()), 1), 3),
        "odds_ratio": round(float(ratio.statistic), 2), "low": round(float(low), 2), "high": round(float(high), 2),
        "images": int(mine.sum()),
    }  # fmt: skip


def _predictive_areas(data_set: DataSet, columns: Sequence[str], classes: Sequence[str], seed: int) -> pd.DataFrame:
    """AUC, one class against the others, of a logistic regression on the artefact columns alone, never fitted on one's group."""
    presence = np.stack([data_set.flags(column) for column in columns], axis=1)
    complete: NDArray[np.bool_] = np.asarray(np.isfinite(presence).all(axis=1))
    data_set, presence = data_set.part(complete), presence[complete]
    groups = people(data_set.table)
    rows = []
    for label in classes if len(classes) > 2 else classes[:1]:
        truth = np.asarray(data_set.labels == label)
        area, low, high = held_out_auc(presence, truth, groups, _regression, seed)
        rows.append(
            {
                "label": label,
                "auc": round(area, 3),
                "low": round(low, 3),
                "high": round(high, 3),
                "images": int(truth.sum()),
                "columns": ", ".join(columns),
            }
        )
    return pd.DataFrame(rows)


def _regression(predictors: NDArray[np.floating], truth: NDArray[np.bool_]) -> Callable[..., NDArray[np.float64]]:
    score: Callable[..., NDArray[np.float64]] = (
        LogisticRegression(max_iter=400).fit(predictors, truth).decision_function
    )
    return score


def _tones(data_set: DataSet, classes: Sequence[str]) -> pd.DataFrame:
    """Median and quartiles of the individual typology angle in every class, the most frequent skin tone, how many have one."""
    if TONE not in data_set.table:
        return pd.DataFrame()
    angles = data_set.numbers(TONE)
    rows = []
    for label in classes:
        every = angles[data_set.labels == label]
        mine = every[np.isfinite(every)]
        low, middle, high = np.quantile(mine, (0.25, 0.5, 0.75)).round(1) if len(mine) else ("", "", "")
        names = pd.Series([skin_tone_class(angle) for angle in mine], dtype=object)
        common = f"{names.mode()[0]} ({(names == names.mode()[0]).mean():.0%})" if len(mine) else ""
        rows.append(
            {
                "label": label, "ita": middle, "quarter": low, "three_quarters": high, "most": common, "images": len(mine),
                "not_measurable": f"{1 - len(mine) / len(every):.0%}",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
