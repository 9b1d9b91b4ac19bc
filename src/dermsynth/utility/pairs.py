"""Counterfactual pairs: what a classifier says of the same images with an artefact and without."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from dermsynth.data.cache import decoded
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.runs import read_json
from dermsynth.utility.classifier import load_classifier
from dermsynth.utility.experiment import RESULT
from dermsynth.utility.statistics import Array, delong_difference, delong_interval

Truth = NDArray[np.bool_]


def counterfactual(truth: Truth, before: Array, after: Array, threshold: float) -> dict[str, Any]:
    """Predictions that the change switches, with Wilson intervals, the AUC of either side, and the paired difference (DeLong).

    Of n images: truth [n], probabilities before and after [n]. Without images of both classes there is no AUC.
    """
    called, other = before >= threshold, after >= threshold
    found: dict[str, Any] = {
        "images": len(truth), "positive": int(truth.sum()), "threshold": threshold, "switched": share(called != other),
        "to_positive": share(other[~called]), "to_negative": share(~other[called]),
        "mean_change": {"positive": _mean(after - before, truth), "negative": _mean(after - before, ~truth)},
    }  # fmt: skip
    if 0 < truth.sum() < len(truth):
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
    if "edited_from" not in edited.table or edited.description.get("edited_from") != originals.content_hash:
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

    `split` is train, validation, test or all; test by default where the set is divided. The threshold is the experiment's own.

    Raises UserError for sets that are no pair, a folder without a classifier, a split without images of its labels.
    """
    model, facts = load_classifier(classifier), read_json(classifier / RESULT)
    labels = [facts["settings"]["positive"], *facts["settings"]["negative"]]
    part = split or ("test" if "split" in originals.table else "all")
    keep = np.isin(edited.labels.astype(str), labels)
    if part != "all":
        keep &= (edited.table["split"] == part).to_numpy() if "split" in edited.table else False
    if not keep.any():
        raise UserError(f"{edited.folder}: no image of {', '.join(labels)} in --split {part}")
    before, after = paired_rows(originals, edited.select(keep))
    assert model.decoding is not None
    plain, changed = (model.probabilities(np.asarray(decoded(rows, model.decoding))) for rows in (before, after))
    chosen = facts["figures"][0]["threshold"] if threshold is None else threshold
    return {"label": labels[0], **counterfactual(after.labels.astype(str) == labels[0], plain, changed, chosen)}
