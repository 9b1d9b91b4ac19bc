"""Counterfactual pairs: what a classifier says of the same images with an artefact and without."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from dermsynth.data.cache import decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.io import read_json
from dermsynth.records import Record
from dermsynth.statistics.roc import Array, delong_difference, delong_interval
from dermsynth.utility.classifier import load_classifier
from dermsynth.utility.experiment import RESULT, table_hash

Truth = NDArray[np.bool_]
LEAST = 2
"""Images of a class without which there is no variance of an AUC."""


class Share(Record):
    """A share with its 95 % Wilson interval, 0 to 1, and of how many; NaN of none."""

    share: float
    low: float
    high: float
    n: int


class MeanChange(Record):
    """Mean change of the probability, of positive and of negative images; NaN of none."""

    positive: float
    negative: float


class CounterfactualResult(Record):
    """Predictions that the change switches, mean changes, and AUC before and after with 95 % intervals (DeLong).

    `auc_difference` holds value, low, high and two-sided p; AUCs are None with fewer than two images of a class.
    """

    images: int
    positive: int
    threshold: float
    switched: Share
    to_positive: Share
    to_negative: Share
    mean_change: MeanChange
    auc_before: tuple[float, float, float] | None = None
    auc_after: tuple[float, float, float] | None = None
    auc_difference: tuple[float, float, float, float] | None = None


class ClassifierTest(CounterfactualResult):
    """The same of a stored classifier, and the label that it calls positive."""

    label: str


def counterfactual(truth: Truth, before: Array, after: Array, threshold: float) -> CounterfactualResult:
    """Compare a classifier's probabilities of n images before and after a change.

    Parameters
    ----------
    truth
        Which images are positive, [n].
    before, after
        Probabilities of the positive class, 0 to 1, [n].
    threshold
        Probability from which on an image is called positive.
    """
    positive_before, positive_after = before >= threshold, after >= threshold
    result = CounterfactualResult(
        images=len(truth),
        positive=int(truth.sum()),
        threshold=threshold,
        switched=share(positive_before != positive_after),
        to_positive=share(positive_after[~positive_before]),
        to_negative=share(~positive_after[positive_before]),
        mean_change=MeanChange(positive=_mean(after - before, truth), negative=_mean(after - before, ~truth)),
    )
    if min(truth.sum(), (~truth).sum()) < LEAST:
        return result
    difference = delong_difference(truth, before, after)
    return result.model_copy(
        update={
            "auc_before": delong_interval(truth, before),
            "auc_after": delong_interval(truth, after),
            "auc_difference": (difference.value, difference.low, difference.high, difference.p),
        }
    )


def share(which: Truth) -> Share:
    """Share of true values with its 95 % Wilson interval."""
    if not len(which):
        return Share(share=float("nan"), low=float("nan"), high=float("nan"), n=0)
    interval = scipy.stats.binomtest(int(which.sum()), len(which)).proportion_ci(method="wilson")
    return Share(share=float(which.mean()), low=float(interval.low), high=float(interval.high), n=len(which))


def _mean(values: Array, which: Truth) -> float:
    return float(values[which].mean()) if which.any() else float("nan")


def paired_rows(originals: DataSet, edited: DataSet) -> tuple[DataSet, DataSet]:
    """The images of two sets that belong together, in one order.

    Raises UserError when the second is no edited copy of the first.
    """
    if "edited_from" not in edited.table or edited.provenance.edited_from != originals.whole_hash:
        raise UserError(
            f"{edited.folder}: no edited copy of {originals.folder}; make one with: dermsynth artefacts insert or remove"
        )
    places = {name: row for row, name in enumerate(originals.table["file_name"])}
    rows = [places[name] for name in edited.table["edited_from"]]
    table = originals.table.iloc[rows].reset_index(drop=True)
    return DataSet(originals.folder, table, originals.description), edited


def compare_predictions(
    originals: DataSet, edited: DataSet, classifier: Path, split: str = "", threshold: float | None = None
) -> ClassifierTest:
    """`counterfactual` of the classifier of real images that a utility experiment stored.

    Of the set it was trained on, and of copies of that, the test split is used; of other sets all images, or a split of them.

    Raises UserError for sets that are no pair, images that the classifier has seen, a folder without a classifier, a split
    without images of its labels.
    """
    model, settings = load_classifier(classifier), read_json(classifier / RESULT)["settings"]
    labels = [settings["positive"], *settings["negative"]]
    part = _unseen_split(originals, settings, labels, split)
    keep = np.isin(edited.labels.astype(str), labels)
    if part != "all":
        keep &= edited.splits == part
    if not keep.any():
        raise UserError(f"{edited.folder}: no image of {', '.join(labels)} in `split` {part}")
    before, after = paired_rows(originals, edited.part(keep))
    assert model.decoding is not None
    unchanged, changed = (
        model.probabilities(np.asarray(decode_images(rows, model.decoding))) for rows in (before, after)
    )
    chosen = model.threshold if threshold is None else threshold
    result = counterfactual(after.labels.astype(str) == labels[0], unchanged, changed, chosen)
    return ClassifierTest(label=labels[0], **dict(result))


def _unseen_split(originals: DataSet, settings: Mapping[str, Any], labels: Sequence[str], split: str) -> str:
    """The split that the classifier was not trained on."""
    real = settings["real"]["content_hash"]
    if real not in (originals.whole_hash, originals.provenance.edited_from):
        return split or "all"
    if split not in ("", "test"):
        raise UserError(f"`split` {split}: the classifier was trained on this set; only its split test is new to it")
    if originals.whole_hash == real and originals.divided:
        keep = originals.in_split("test") & np.isin(originals.labels.astype(str), labels)
        if table_hash(originals.part(keep)) != settings["tests"][0]["rows"]:
            raise UserError(f"{originals.folder}: divided or labelled in another way since the classifier was trained")
    return "test"
