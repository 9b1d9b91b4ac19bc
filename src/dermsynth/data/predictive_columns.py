"""How well one column of a table alone predicts the class: what a model may learn instead of the lesion."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.special
import scipy.stats
from numpy.typing import NDArray

from dermsynth.statistics.cross_validation import FOLDS, Fold, two_class_folds
from dermsynth.statistics.intervals import LEVEL
from dermsynth.statistics.roc import delong_interval_of_folds
from dermsynth.values import identifiers, is_missing, parse_number

Kind = Literal["identifier", "constant", "number", "category"]
Codes = NDArray[np.int64]
Truth = NDArray[np.bool_]
BINS, PRIOR = 10, 10.0
"""Parts of a number's range, and images' worth of the mean in a smoothed share."""
FEWEST = 20
"""Images of a class below which nothing is said about it."""
EACH = 4
"""Fewer images a value, and a column of text names images, lesions or patients."""
NOT_ASSESSED = frozenset({"file_name", "label", "group", "split", "seed", "structures", "edited_from", "inserted"})
OWN_COLUMNS = ("found_", "score_", "probability_", "copy_"), ("_file_name", "_mask", "skin_tone")
"""Beginnings and endings of columns that the program adds: detections count once they are confirmed."""
IDENTIFIER = re.compile(
    r"(^|[_\W])(ids?|uid|uuid|guid|identifier|index|url|path|file|filename|name|md5|sha\d*|hash)$|^unnamed", re.I
)


@dataclass(frozen=True)
class ColumnPrediction:
    """How well a column alone separates two classes: area under the ROC curve, its 95 % interval, and images of either class."""

    column: str
    kind: Kind
    first: str
    second: str
    auc: float
    low: float
    high: float
    images: tuple[int, int]


def kind_of(name: str, values: pd.Series) -> Kind:
    """What a column holds; what names images, lesions or patients is an identifier."""
    plain = identifiers(values)
    present = plain[plain != ""]
    if len(np.unique(plain)) < 2:
        return "constant"
    if IDENTIFIER.search(name):
        return "identifier"
    if _all_numbers(present):
        return "number"
    return "identifier" if len(np.unique(present)) * EACH > len(present) else "category"


def _all_numbers(values: NDArray[np.object_]) -> bool:
    try:
        return all(parse_number(value) is not None for value in np.unique(values.astype(str)))
    except ValueError:
        return False


def codes_of(values: pd.Series, kind: Kind) -> Codes:
    """Every value as a whole number: a category its own, a number its tenth of the range by rank; 0 where it is missing."""
    if kind != "number":
        plain = identifiers(values).astype(str)
        present = plain != ""
        return np.where(present, 1 + np.unique(plain, return_inverse=True)[1], 0).astype(np.int64)
    numbers = np.array([np.nan if is_missing(value) else parse_number(value) for value in values], np.float64)
    present = np.isfinite(numbers)
    edges = np.unique(np.quantile(numbers[present], np.linspace(0, 1, BINS + 1)[1:-1]))
    places = sum(np.searchsorted(edges, numbers, side=side) for side in ("left", "right"))  # what many share is apart
    return np.where(present, 1 + places, 0).astype(np.int64)


def assessed_columns(table: pd.DataFrame) -> dict[str, Kind]:
    """The columns that the set came with, not those that this program added, and what each holds."""
    begins, ends = OWN_COLUMNS
    names = [str(name) for name in table if name not in NOT_ASSESSED]
    names = [name for name in names if not name.startswith(begins) and not name.endswith(ends)]
    return {name: kind_of(name, table[name]) for name in names}


def column_predictions(
    table: pd.DataFrame, labels: NDArray[Any], groups: NDArray[np.int64], seed: int = 0
) -> list[ColumnPrediction]:
    """How well every column separates every pair of classes of at least twenty images, cross-validated by groups, shape [n].

    A missing value counts as a value: who left it blank may know the answer.
    """
    kinds = {name: kind for name, kind in assessed_columns(table).items() if kind in ("number", "category")}
    codes = {name: codes_of(table[name], kind) for name, kind in kinds.items()}
    classes = [str(label) for label in np.unique(labels.astype(str)) if label and (labels == label).sum() >= FEWEST]
    predictions = []
    for first, second in combinations(classes, 2):
        rows = np.flatnonzero((labels == first) | (labels == second))
        truth = np.asarray(labels[rows] == first)
        folds = _folds(truth, groups[rows], seed)
        for name, kind in kinds.items():
            area = held_out_area(codes[name][rows], truth, groups[rows], folds)
            if np.isfinite(area[0]):
                predictions.append(
                    ColumnPrediction(name, kind, first, second, *area, (int(truth.sum()), int((~truth).sum())))
                )
    return predictions


def _folds(truth: Truth, groups: NDArray[np.int64], seed: int) -> list[Fold]:
    """Training and held-out rows of the folds in which both classes can be compared."""
    count = min(FOLDS, len(np.unique(groups)))
    if count < 2:
        return []
    return two_class_folds(truth, groups, seed, count)


def held_out_area(
    codes: Codes, truth: Truth, groups: NDArray[np.int64], folds: list[Fold]
) -> tuple[float, float, float]:
    """Mean area over folds of the smoothed share of true rows a code (Micci-Barreca 2001), and its 95 % interval.

    The interval is DeLong's of clustered images on the logit scale; of an area of 1 the lower end is that of as many draws
    without a miss as there are groups of the class that has fewer.
    """
    if not folds:
        return (float("nan"),) * 3
    parts = [
        (truth[held], _shares(codes[training], truth[training], codes.max() + 1)[codes[held]])
        for training, held in folds
    ]
    value, low, high = delong_interval_of_folds(parts, [groups[held] for _, held in folds])
    if value in (0.0, 1.0):
        fewest = min(len(np.unique(groups[side])) for side in (truth, ~truth))
        far = float(((1 - LEVEL) / 2) ** (1 / fewest))
        return (value, far, 1.0) if value else (value, 0.0, 1 - far)
    return value, low, high


def _shares(codes: Codes, truth: Truth, count: int) -> NDArray[np.float64]:
    """Share of true rows of every code, drawn towards the share of all."""
    total, true = np.bincount(codes, minlength=count), np.bincount(codes[truth], minlength=count)
    shares: NDArray[np.float64] = (true + PRIOR * truth.mean()) / (total + PRIOR)
    return shares


def strongest(predictions: Sequence[ColumnPrediction]) -> list[ColumnPrediction]:
    """Of every column the pair of classes that it separates best, the strongest column first."""
    best: dict[str, ColumnPrediction] = {}
    for prediction in predictions:
        column = prediction.column
        if column not in best or prediction.auc > best[column].auc:
            best[column] = prediction
    return sorted(best.values(), key=lambda prediction: -prediction.auc)


def simultaneous_low(prediction: ColumnPrediction, count: int) -> float:
    """Lower end of the area's interval where `count` such intervals shall all hold (Bonferroni), on the logit scale."""
    if prediction.auc >= 1 or prediction.low <= 0:
        return prediction.low
    wider = scipy.stats.norm.isf((1 - LEVEL) / 2 / count) / scipy.stats.norm.isf((1 - LEVEL) / 2)
    middle, low = scipy.special.logit([prediction.auc, prediction.low])
    return float(scipy.special.expit(middle - wider * (middle - low)))
