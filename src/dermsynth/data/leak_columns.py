"""Columns that are consequences of the label: named by the set's layout, by well-known names, or by measurement."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from dermsynth.data.dataset import DataSet
from dermsynth.data.predictive_columns import ColumnPrediction, assessed_columns, strongest

Reason = Literal["layout", "name", "measured"]
NEAR_ONE, SURELY = 0.95, 0.8
"""Area under the ROC curve, and lower end of its 95 % interval, from which on a column alone gives the class away."""
WARNING = "a model that sees this has seen the answer"
WORDS = {
    "layout": "a consequence of the class by its published layout",
    "name": "a consequence of the diagnosis, or another spelling of it, by its name",
    "measured": "alone it nearly gives the class away",
}
CONSEQUENCES = re.compile(
    r"dx_type|diagnosis_confirm_type|concomitant_biopsy|biops(ed|ied|y)(_\w+)?|histo(logy|pathology|_\w+)?|patholog\w*|"
    r"(midas_)?pathreport|management|treatment|therapy|excis(ed|ion)|follow_?up|prognosis|"
    r"(mel_)?mitotic_index|(mel_)?(thick|thickness)(_mm)?|breslow(_\w+)?|clark(_\w+)?|(mel_)?ulcer|"
    r"tbp_lv_(dnn_lesion|nevi)_confidence|clinical_impression_\d+|(score|validation)_weight"
)
"""What is known after the diagnosis only, or because of it (ISIC Archive, HAM10000, SLICE-3D, PAD-UFES-20, MIDAS, Derm7pt)."""
SPELLINGS = re.compile(
    r"diagnosis(_\d|_full|_\w*name)?|dx|iddx(_\d|_full)|benign_malignant|malignan(t|cy)|melanocytic|disease|"
    r"(super|sub|main)_class(_\d)?|(three|nine)_partition_label|icd_?1[01]"
)
"""The diagnosis once more, in other words or at another level."""


@dataclass(frozen=True)
class LeakColumn:
    """A column that a model must not see, and why.

    Attributes
    ----------
    column
        Its name.
    reasons
        `layout` (the published layout names it), `name` (a well-known consequence of the diagnosis), `measured` (its area
        under the ROC curve is near 1).
    prediction
        The pair of classes that it alone separates best; None where nothing could be measured.
    """

    column: str
    reasons: tuple[Reason, ...]
    prediction: ColumnPrediction | None = None

    def sentence(self) -> str:
        """What is wrong with the column."""
        why = " and ".join(WORDS[reason] for reason in self.reasons)
        return f"Column {self.column!r}: {why}{self._measured()}: {WARNING}."

    def _measured(self) -> str:
        best = self.prediction
        if best is None:
            return " (not measured)"
        return (
            f" ({best.first} from {best.second} with AUC {best.auc:.2f}, 95 % {best.low:.2f} to {best.high:.2f}; "
            f"{best.images[0]} and {best.images[1]} images)"
        )

    def row(self) -> dict[str, Any]:
        """The column as a row of a table."""
        best = self.prediction
        measured = {} if best is None else {"tells": best.first, "from": best.second, **_figures(best)}
        return {"column": self.column, "by": ", ".join(self.reasons), **measured}


def _figures(best: ColumnPrediction) -> dict[str, float]:
    return {name: round(value, 3) for name, value in asdict(best).items() if name in ("auc", "low", "high")}


def leak_columns(data_set: DataSet, predictions: Sequence[ColumnPrediction]) -> tuple[LeakColumn, ...]:
    """The columns that are consequences of the class, those with the highest area first.

    Parameters
    ----------
    data_set
        The set; the published layout that it was imported by may name such columns in `dataset.json`.
    predictions
        How well every column alone separates the classes, cross-validated by groups.
    """
    best = {prediction.column: prediction for prediction in strongest(predictions)}
    named = set(data_set.provenance.leak_columns)
    leaks = []
    for column, kind in assessed_columns(data_set.table).items():
        prediction = best.get(column)
        reasons = _reasons(column, column in named, prediction)
        if reasons and kind != "constant":
            leaks.append(LeakColumn(column, reasons, prediction))
    return tuple(sorted(leaks, key=lambda leak: -1.0 if leak.prediction is None else -leak.prediction.auc))


def _reasons(column: str, by_layout: bool, prediction: ColumnPrediction | None) -> tuple[Reason, ...]:
    plain = column.casefold().removeprefix("source_")
    by_name = bool(CONSEQUENCES.fullmatch(plain) or SPELLINGS.fullmatch(plain))
    measured = prediction is not None and prediction.auc >= NEAR_ONE and prediction.low >= SURELY
    applying: dict[Reason, bool] = {"layout": by_layout, "name": by_name and not by_layout, "measured": measured}
    return tuple(reason for reason, applies in applying.items() if applies)


def leak_table(leaks: Sequence[LeakColumn]) -> pd.DataFrame:
    """A row a column: its name, by what it is known, and the pair of classes that it alone separates best."""
    return pd.DataFrame([leak.row() for leak in leaks]).fillna("")
