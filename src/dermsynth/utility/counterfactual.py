"""Counterfactual pairs: what a classifier says of the same images with an artefact and without."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from dermsynth.data.cache import decoded
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.io import read_json
from dermsynth.statistics.roc import Array, delong_difference, delong_interval
from dermsynth.utility.classifier import load_classifier
from dermsynth.utility.experiment import RESULT, table_hash

Truth = NDArray[np.bool_]


def counterfactual(truth: Truth, before: Array, after: Array, threshold: float) -> dict[str, Any]:
    """Predictions that the change switches, with Wilson intervals, the AUC of either side, and the paired difference (DeLong).

    Of n images: truth [n], probabilities before and after [n]. With fewer than two images of a class there is no AUC.
    """
    called, other = before >= threshold, after >= threshold
    found: dict[str, Any] = {
        "images": len(truth), "positive": int(truth.sum()), "threshold": threshold, "switched": share(called != other),
        "to_positive": share(other[~called]), "to_negative": share(~other[called]),
        "mean_change": {"positive": _mean(after - before, truth), "negative": _mean(after - before, ~truth)},
    }  # fmt: skip
    if min(truth.sum(), (~truth).sum()) > 1:  # a single image has no variance
        difference = delong_difference(truth, before, after)
        found |= {"auc_before": delong_interval(truth, before), "auc_after": delong_interval(truth, after)}
        found["auc_difference"] = (difference.value, difference.low, difference.high, difference.p)
    return found


def share(which: Truth) -> Mapping[str, float]:
    """Share of true values with its 95 % Wilson interval, and of how many."""
    if not len(which):
        return {"share": float("nan"), "low": float("nan"), "high": float("nan"), "n": 0}
    found = scipy.stats.binomtest(int(which.sum()), len(which)).proportion_ci(method="wilson")
    return {"share": float(which.mean()), "low": float(found.low), "high": float(found.high), "n": len(which)}


def _mean(values: Array, which: Truth) -> float:
    return float(values[which].mean()) if which.any() else float("nan")


def paired_rows(originals: DataSet, edited: DataSet) -> tuple[DataSet, DataSet]:
    """The images of two sets that belong together, in one order.

    Raises UserError when the second is no edited copy of the first.
    """
    if "edited_from" not in edited.table or edited.provenance.edited_from != originals.content_hash:
        raise UserError(
            f"{edited.folder}: no edited copy of {originals.folder}; make one with: dermsynth artefacts insert or remove"
        )
    places = {name: row for row, name in enumerate(originals.table["file_name"])}
    rows = [places[name] for name in edited.table["edited_from"]]
    table = originals.table.iloc[rows].reset_index(drop=True)
    return DataSet(originals.folder, table, originals.description), edited


def judged(
    originals: DataSet, edited: DataSet, classifier: Path, split: str = "", threshold: float | None = None
) -> dict[str, Any]:
    """`counterfactual` of the classifier of real images that a utility experiment kept, and which label is positive.

    Of the set it was trained on, and of copies of that, the test split is judged; of other sets all images, or a split of them.

    Raises UserError for sets that are no pair, images that the classifier has seen, a folder without a classifier, a split
    without images of its labels.
    """
    model, settings = load_classifier(classifier), read_json(classifier / RESULT)["settings"]
    labels = [settings["positive"], *settings["negative"]]
    part = _unseen(originals, settings, labels, split)
    keep = np.isin(edited.labels.astype(str), labels)
    if part != "all":
        keep &= edited.splits == part
    if not keep.any():
        raise UserError(f"{edited.folder}: no image of {', '.join(labels)} in `split` {part}")
    before, after = paired_rows(originals, edited.select(keep))
    assert model.decoding is not None
    plain, changed = (model.probabilities(np.asarray(decoded(rows, model.decoding))) for rows in (before, after))
    chosen = model.threshold if threshold is None else threshold
    return {"label": labels[0], **counterfactual(after.labels.astype(str) == labels[0], plain, changed, chosen)}


def _unseen(originals: DataSet, settings: Mapping[str, Any], labels: Sequence[str], split: str) -> str:
    """The part that the classifier has not seen."""
    real = settings["real"]["content_hash"]
    if real not in (originals.content_hash, originals.provenance.edited_from):
        return split or "all"
    if split not in ("", "test"):
        raise UserError(f"`split` {split}: the classifier was trained on this set; only its split test is new to it")
    if originals.content_hash == real and originals.divided:
        keep = originals.in_split("test") & np.isin(originals.labels.astype(str), labels)
        if table_hash(originals.select(keep)) != settings["tests"][0]["rows"]:
            raise UserError(f"{originals.folder}: divided or labelled in another way since the classifier was trained")
    return "test"
