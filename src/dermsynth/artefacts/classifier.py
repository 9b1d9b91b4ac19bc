"""A multi-label classifier of artefacts: features of a trained backbone at several depths, one logistic regression a label."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from dermsynth.artefacts.annotations import claim_annotations, write_annotations
from dermsynth.backbones.extractors import timm_network
from dermsynth.backbones.mobilenet import MobileNetV2, load_mobilenet, normalise_imagenet
from dermsynth.backbones.spec import parse_spec, split_spec
from dermsynth.data.dataset import DataSet
from dermsynth.data.duplicates import fingerprints, near_duplicates
from dermsynth.data.splits import linked, people
from dermsynth.errors import UserError, require_seed
from dermsynth.images import fit, read_image
from dermsynth.io import replace_file, write_json
from dermsynth.progress import progress_bar
from dermsynth.statistics.cross_validation import FOLDS, held_out_auc

Rows = NDArray[np.float32]
WEIGHTS, FACTS = "detector.safetensors", "detector.json"
HEIGHT, WIDTH, BATCH = 192, 256, 16
DEPTHS = (3, 6, 10, 13, 17, 18)
"""Blocks of MobileNetV2 after which maps are pooled: thin lines are seen early, whole frames late."""
STRENGTH, FEWEST = 1e-3, 10
"""C of the logistic regression, and least images with and without an artefact."""


class Pooled:
    """From images uint8 [n, h, w, 3] of 192 x 256 pixels to means, maxima and deviations of feature maps, float32 [n, d]."""

    def __init__(self, place: str) -> None:
        self.place = place
        spec = parse_spec(place, ["mobilenet=FILE", "timm:NAME=FILE"], "model")
        if spec.kind == "mobilenet":
            self.network: nn.Module = load_mobilenet(spec.path).eval()
        else:
            self.network = timm_network(spec.name, spec.path, "`model`")

    @property
    def name(self) -> str:
        """The backbone without its file."""
        return split_spec(self.place).without_place

    def __call__(self, images: NDArray[np.uint8]) -> Rows:
        """Rows of features."""
        x = normalise_imagenet(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).float() / 255)
        with torch.inference_mode():
            maps = self._maps(x.contiguous(memory_format=torch.channels_last))
            pooled = [part for m in maps for part in (m.mean((2, 3)), m.amax((2, 3)), m.std((2, 3)))]
        return torch.cat(pooled, dim=1).numpy()

    def _maps(self, x: Tensor) -> list[Tensor]:
        if not isinstance(self.network, MobileNetV2):
            found: list[Tensor] = self.network.forward_intermediates(x, intermediates_only=True)  # type: ignore[operator]
            return found
        maps = []
        for depth, layer in enumerate(self.network.features):
            x = layer(x)
            if depth in DEPTHS:
                maps.append(x)
        return maps


def pooled_rows(data_set: DataSet, pooled: Pooled) -> Rows:
    """Features of all images of a set, each stretched to the network's size."""
    paths, rows = data_set.paths, []
    starts = range(0, len(paths), BATCH)
    for start in progress_bar(starts, total=len(starts), label="features", unit=f"x{BATCH} img"):
        images = [fit(read_image(path), HEIGHT, WIDTH, "stretch", "area") for path in paths[start : start + BATCH]]
        rows.append(pooled(np.stack(images)))
    return np.concatenate(rows)


@dataclass(frozen=True)
class Detector:
    """Labels with weights [labels, d] and biases over standardised features of a backbone."""

    backbone: str
    labels: tuple[str, ...]
    weights: NDArray[np.float64]
    biases: NDArray[np.float64]

    def probabilities(self, rows: Rows) -> NDArray[np.float64]:
        """Of every label, [n, labels]."""
        odds = rows.astype(np.float64) @ self.weights.T + self.biases
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -500, 500))))


class LabelAccuracy(BaseModel):
    """How well a trained detector tells images with an artefact from others, in folds it was not trained on.

    Attributes
    ----------
    label
        The artefact: the column it was trained on.
    auc, low, high
        Area under the ROC curve, 0 to 1, and DeLong's 95 % interval.
    images_with, images_without
        Images with the artefact and without (`with` and `without` in the file).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    label: str
    auc: float
    low: float
    high: float
    images_with: int = Field(alias="with")
    images_without: int = Field(alias="without")


def train_detector(
    data_set: DataSet, columns: Sequence[str], pooled: Pooled, out: Path, seed: int
) -> list[LabelAccuracy]:
    """Train a detector on columns of flags, and write it.

    Folds never cut through a group (patient, lesion) or a pair of duplicates.

    Parameters
    ----------
    data_set
        The set.
    columns
        Columns of 0 and 1; blanks do not count.
    pooled
        The backbone whose features the detector sees.
    out
        Folder of the detector.
    seed
        Seed of the folds, at least 0.

    Returns
    -------
    Cross-validated accuracy of every label.

    Raises
    ------
    UserError
        For a column that is missing, holds something else, or has too few of either value.
    """
    require_seed(seed)
    truths = {column: _truth(data_set, column) for column in columns}
    rows = pooled_rows(data_set, pooled)
    groups = group_numbers(data_set)
    accuracies, weights, biases = [], [], []
    for column in progress_bar(columns, total=len(columns), label="training", unit="label"):
        labelled = ~np.isnan(truths[column])
        truth = truths[column][labelled] == 1
        area, low, high = held_out_auc(rows[labelled], truth, groups[labelled], _score, seed)
        counts = {"with": int(truth.sum()), "without": int((~truth).sum())}
        accuracies.append(LabelAccuracy(label=column, auc=area, low=low, high=high, **counts))
        weight, bias = _fit(rows[labelled], truth)
        weights.append(weight)
        biases.append(bias)
    _write(out, Detector(pooled.name, tuple(columns), np.stack(weights), np.array(biases)))
    write_json(
        out / FACTS,
        {
            "backbone": pooled.name,
            "seed": seed,
            "folds": FOLDS,
            "data": data_set.content_hash,
            "labels": [accuracy.model_dump(by_alias=True) for accuracy in accuracies],
        },
    )
    return accuracies


def _truth(data_set: DataSet, column: str) -> NDArray[np.float64]:
    if column not in data_set.table:
        there = ", ".join(str(name) for name in data_set.table if _is_flags(data_set, str(name))) or "none"
        raise UserError(f"`column` {column!r}: no such column in {data_set.folder}; columns of flags: {there}")
    try:
        values = data_set.flags(column)
    except UserError as error:
        raise UserError(f"`column` {column!r}: in {data_set.folder} {error}; it must be 0, 1 or blank") from error
    counts = [int((values == value).sum()) for value in (1, 0)]
    if min(counts) < FEWEST:
        raise UserError(
            f"`column` {column!r}: {counts[0]} images with and {counts[1]} without; at least {FEWEST} of each are needed"
        )
    return values


def _is_flags(data_set: DataSet, column: str) -> bool:
    try:
        return bool(np.isfinite(data_set.flags(column)).any())
    except UserError:
        return False


def group_numbers(data_set: DataSet) -> NDArray[np.int64]:
    """Numbers of groups: patients or lesions as the set names them, and twins."""
    hashes, thumbnails = fingerprints(data_set.paths)
    return linked(people(data_set.table), near_duplicates(hashes, thumbnails))


def _score(rows: Rows, truth: NDArray[np.bool_]) -> Callable[[Rows], NDArray[np.float64]]:
    weight, bias = _fit(rows, truth)
    return lambda other: np.asarray(other.astype(np.float64) @ weight + bias)


def _fit(rows: Rows, truth: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Weights over the features as they are, of a regression over standardised ones."""
    centre, scale = rows.mean(axis=0, dtype=np.float64), np.maximum(rows.std(axis=0, dtype=np.float64), 1e-6)
    model = LogisticRegression(C=STRENGTH, max_iter=400).fit((rows - centre) / scale, truth)
    weight = model.coef_[0] / scale
    return weight, float(model.intercept_[0] - weight @ centre)


def _write(out: Path, detector: Detector) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with replace_file(out / WEIGHTS) as temporary:
        save_file(
            {"weights": detector.weights, "biases": detector.biases}, temporary,
            {"backbone": detector.backbone, "labels": "\n".join(detector.labels)},
        )  # fmt: skip


def load_detector(folder: Path) -> Detector:
    """A detector that was trained here.

    Raises UserError when the folder holds none.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"{path}: no such file; make it with: dermsynth artefacts train")
    try:
        with safe_open(path, "np") as file:
            facts = file.metadata() or {}
            return Detector(
                facts["backbone"],
                tuple(facts["labels"].split("\n")),
                file.get_tensor("weights"),
                file.get_tensor("biases"),
            )
    except (SafetensorError, KeyError) as error:
        raise UserError(f"{path}: no detector of artefacts ({type(error).__name__})") from error


def add_probabilities(data_set: DataSet, folder: Path, model: str, *, out: Path | None = None) -> DataSet:
    """Columns `probability_LABEL` by a trained detector on the features of a backbone.

    With `out` they are written into a folder of annotations instead of the set's table.

    Raises UserError when there is no detector, it was trained on another backbone, or the columns cannot be written.
    """
    claim_annotations(data_set, out)
    detector, pooled = load_detector(folder), Pooled(model)
    if pooled.name != detector.backbone:
        raise UserError(f"`model` {pooled.place!r}: the detector was trained on features of {detector.backbone}")
    rows = pooled_rows(data_set, pooled)
    if rows.shape[1] != detector.weights.shape[1]:
        raise UserError(
            f"`model` {pooled.place!r}: {rows.shape[1]} features; the detector takes {detector.weights.shape[1]}"
        )
    probabilities = detector.probabilities(rows).round(4).astype(str)
    columns = {f"probability_{label}": probabilities[:, i] for i, label in enumerate(detector.labels)}
    return write_annotations(data_set, columns, {}, out)
