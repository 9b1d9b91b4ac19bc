"""What an audit has to say: findings as sentences, and options of a training that they suggest."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from dermsynth.data.audit_pictures import Pictures, picture_findings
from dermsynth.data.dataset import DataSet
from dermsynth.data.leak_columns import LeakColumn
from dermsynth.data.predictive_columns import ColumnPrediction, simultaneous_low, strongest
from dermsynth.data.split_checks import split_findings
from dermsynth.data.training_set import SMALLEST_CLASS
from dermsynth.data.verification import differences_of

PREDICTIVE = 0.55
"""Lower end of an area's interval from which on a column is a finding."""
UNBALANCED = 5
"""Times as many images of one class as of another."""


@dataclass(frozen=True)
class Suggestion:
    """An option of a training, and the value that is suggested for it."""

    option: Literal["exclude", "imbalance"]
    value: str

    def text(self) -> str:
        """The option as the field that it sets, and its value."""
        return f"`{self.option}` {shlex.quote(self.value)}"


def suggestions(data_set: DataSet) -> list[Suggestion]:
    """What a training on this set should be told: rare classes left out, others balanced."""
    small = [label for label in data_set.classes if _training_count(data_set, label) < SMALLEST_CLASS]
    counts = _class_counts(data_set, small)
    unbalanced = bool(counts) and max(counts.values()) >= UNBALANCED * min(counts.values())
    return [Suggestion("exclude", label) for label in small] + [Suggestion("imbalance", "0.5")] * unbalanced


def findings(
    data_set: DataSet,
    duplicates: pd.DataFrame,
    leaking: int,
    pictures: Pictures,
    predictions: Sequence[ColumnPrediction],
    leak_columns: Sequence[LeakColumn],
    advice: Sequence[Suggestion],
) -> list[str]:
    """What should be looked at, a sentence each."""
    leaks = {leak.column for leak in leak_columns}
    return [
        *_missing_labels(data_set),
        *_class_sizes(data_set, advice),
        *_duplicates(duplicates),
        *_leaking_groups(leaking),
        *_changed_files(data_set),
        *split_findings(data_set),
        *picture_findings(pictures),
        *(leak.sentence() for leak in leak_columns),
        *_predictive_columns([prediction for prediction in predictions if prediction.column not in leaks]),
    ]


def _missing_labels(data_set: DataSet) -> list[str]:
    blank = int((data_set.labels == "").sum())
    if not data_set.classes:
        return ["No labels: only an unconditional generator can be trained."]
    return (
        [f"Without a label: {_counted(blank, 'image')}; conditional training leaves out such images."] if blank else []
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _training_count(data_set: DataSet, label: str) -> int:
    return int(np.sum((data_set.labels == label) & data_set.in_split("train")))


def _class_counts(data_set: DataSet, left_out: Sequence[str]) -> dict[str, int]:
    return {label: data_set.count(label) for label in data_set.classes if label not in left_out}


def _class_sizes(data_set: DataSet, advice: Sequence[Suggestion]) -> list[str]:
    small = [suggestion.value for suggestion in advice if suggestion.option == "exclude"]
    sentences = [
        f"Class {label!r} has {_training_count(data_set, label)} images to train on: too few to be learned; leave it out."
        for label in small
    ]
    if any(suggestion.option == "imbalance" for suggestion in advice):
        counts = _class_counts(data_set, small)
        rare = min(counts, key=lambda label: counts[label])
        sentences.append(f"Unbalanced: {max(counts.values())} images of one class, {counts[rare]} of {rare!r}.")
    return sentences


def _duplicates(duplicates: pd.DataFrame) -> list[str]:
    """How many pairs there are, in the set and with each other set, and how many carry different labels."""
    sentences = []
    for name in map(str, duplicates["set"].unique()) if len(duplicates) else ():
        pairs = duplicates[duplicates["set"] == name]
        same, seen = int((pairs["kind"] == "same").sum()), pairs[pairs["by"] == "features"]
        certain = pairs[(pairs["by"] != "features") & (pairs["kind"] != "lesion")]
        where = f" with {name} ({_counted(certain['first'].nunique(), 'image')} of this set)" if name else ""
        cut = int(seen["splits"].str.contains(" / ").sum())
        between = f" ({cut} in two splits)" if cut and not name else ""
        more = f"; {len(seen)} more by features alone{between}: look at them" if len(seen) else ""
        sentences.append(
            f"The same photograph twice: {_counted(len(certain), 'pair')}{where}, {same} of them identical{more}."
        )
    sentences += _lesions(duplicates)
    contradictory = duplicates[duplicates["labels"].str.contains(" / ")] if len(duplicates) else duplicates
    if len(contradictory):
        sentences.append(
            f"Different labels in {len(contradictory)} of these pairs, first {contradictory.iloc[0]['first']}."
        )
    return sentences


def _lesions(duplicates: pd.DataFrame) -> list[str]:
    """How many further pairs show the same lesion."""
    pairs = duplicates[duplicates["kind"] == "lesion"] if len(duplicates) else duplicates
    if not len(pairs):
        return []
    cut, count = int(pairs["splits"].str.contains(" / ").sum()), _counted(len(pairs), "more pair")
    return [f"The same lesion in {count} of photographs, by pose, {cut} of them in two splits: give both one group."]


def _leaking_groups(count: int) -> list[str]:
    return [f"In more than one split: {_counted(count, 'group')}; import again with a group column."] if count else []


def _changed_files(data_set: DataSet) -> list[str]:
    changes = differences_of(data_set)
    return [f"Files are not as they were when the set was written: {changes.text()}."] if changes else []


def _predictive_columns(predictions: Sequence[ColumnPrediction]) -> list[str]:
    """Columns that alone tell a class from another: what a model may learn instead of the lesion.

    Of many columns and pairs of classes some tell something by chance: what is a finding must also lie above one half by an
    interval that holds for all of them together.
    """
    clear = [p for p in predictions if p.low >= PREDICTIVE and simultaneous_low(p, len(predictions)) > 0.5]
    sentences = []
    for best in strongest(clear):
        pairs = sum(other.column == best.column for other in clear)
        more = f", and {_counted(pairs - 1, 'more pair')} of classes" if pairs > 1 else ""
        sentences.append(
            f"Column {best.column!r} goes with the class: column {best.column!r} alone tells {best.first} from "
            f"{best.second} with AUC {best.auc:.2f} (95 % {best.low:.2f} to {best.high:.2f}; {best.images[0]} and "
            f"{best.images[1]} images){more}: a model that sees this, or images chosen by it, has seen part of the answer."
        )
    return sentences
