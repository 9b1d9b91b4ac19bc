"""Scorers of image attributes: artefact detectors, classical or trained, a regression of a column, a classifier."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from dermsynth.artefacts.annotate import THRESHOLDS
from dermsynth.artefacts.classifier import HEIGHT, WIDTH, Pooled, Rows, group_numbers, load_detector, pooled_rows
from dermsynth.artefacts.classifier import WEIGHTS as DETECTOR
from dermsynth.artefacts.detection import ARTEFACTS, detect
from dermsynth.backbones.spec import parse_spec
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.verification import verify
from dermsynth.errors import UserError
from dermsynth.images import fit
from dermsynth.io import file_hash
from dermsynth.parallel import parallel_map
from dermsynth.utility.classifier import WEIGHTS as CLASSIFIER
from dermsynth.utility.classifier import load_classifier

logger = logging.getLogger(__name__)
Images = NDArray[np.uint8]
Scores = NDArray[np.float64]
CHUNK, PART, ANY = 32, 16, "any"
FORMS = (*ARTEFACTS, ANY, "detector=DIR:LABEL", "column=DATA:NAME", "classifier=DIR")


@dataclass(frozen=True)
class Scorer:
    """Scores [n] of uint8 [n, 3, h, w], and from which score on an image shows it.

    `source` is a hash of weights or data, where there are any.
    """

    name: str
    threshold: float
    score: Callable[[Images], Scores] = field(repr=False)
    source: str = ""

    @property
    def identity(self) -> str:
        """What stored scores are recognised by."""
        return f"{self.name} {self.source}".strip()

    def shows(self, images: Images) -> NDArray[np.bool_]:
        """Which images show it."""
        above: NDArray[np.bool_] = self.score(images) >= self.threshold
        return above


def scorer(place: str, model: str = "") -> Scorer:
    """The scorer that a text names.

    Parameters
    ----------
    place
        By classical vision `frame`, `hair` ... or `any`; a trained `detector=DIR:LABEL`; a regression `column=DATA:NAME`; the
        classifier of a utility experiment `classifier=DIR`. `frame@0.2` sets the score from which on an image shows it.
    model
        Backbone of a trained detector or a regression: `mobilenet=FILE` or `timm:NAME=FILE`.

    Raises
    ------
    UserError
        When the place is not understood, or what it names is not there.
    """
    whole, at, text = place.partition("@")
    plain = _scorer(whole, model)
    if not at:
        return plain
    try:
        return replace(plain, threshold=float(text))
    except ValueError as error:
        raise UserError(
            f"`score` {place!r}: after @ comes a number, the score from which on an image shows it"
        ) from error


def _scorer(whole: str, model: str) -> Scorer:
    kind, place, _ = parse_spec(whole, FORMS, "score")
    folder, _, name = place.rpartition(":")
    if kind == "detector":
        return _trained(Path(folder), name, model)
    if kind == "column":
        return _column(Path(folder), name, model)
    if kind == "classifier":
        return _classifier(Path(place))
    return Scorer(kind, THRESHOLDS.get(kind, 1.0), partial(_classical, kind))


def _classical(name: str, images: Images) -> Scores:
    names = ARTEFACTS if name == ANY else (name,)
    score = partial(_score, names)
    return np.array(parallel_map(score, list(images), chunk=CHUNK, few=CHUNK))


def _score(names: tuple[str, ...], planes: NDArray[np.uint8]) -> float:
    """The score of one artefact; of several the largest, each divided by its threshold."""
    artefacts = detect(np.ascontiguousarray(planes.transpose(1, 2, 0)), names)
    scores = {name: artefact.score for name, artefact in artefacts.items()}
    return scores[names[0]] if len(names) == 1 else max(scores[name] / THRESHOLDS[name] for name in names)


def _features(images: Images, pooled: Pooled) -> NDArray[np.float32]:
    """Pooled features of images, each stretched to the backbone's size."""
    rows = []
    for start in range(0, len(images), PART):
        part = images[start : start + PART].transpose(0, 2, 3, 1)
        rows.append(pooled(np.stack([fit(image, HEIGHT, WIDTH, "stretch", "area") for image in part])))
    return np.concatenate(rows)


def _trained(folder: Path, label: str, model: str) -> Scorer:
    detector, pooled = load_detector(folder), Pooled(model)
    if label not in detector.labels:
        raise UserError(f"`score` detector={folder}:{label}: no such label; there are: {', '.join(detector.labels)}")
    if pooled.name != detector.backbone:
        raise UserError(f"`model` {model!r}: the detector was trained on features of {detector.backbone}")
    column = detector.labels.index(label)

    def score(images: Images) -> Scores:
        return detector.probabilities(_features(images, pooled))[:, column]

    return Scorer(f"{folder.name}:{label}", 0.5, score, file_hash(folder / DETECTOR)[:16])


def _column(folder: Path, column: str, model: str) -> Scorer:
    pooled, data_set = Pooled(model), open_data_set(folder)
    verify(data_set)
    regressor = fit_regressor(data_set, column, pooled)
    logger.info("%s: R2 %.2f on held-out groups; median %.3g", column, regressor.r2, regressor.median)

    def score(images: Images) -> Scores:
        return regressor(_features(images, pooled))

    return Scorer(column, regressor.median, score, data_set.content_hash[:16])


def _classifier(folder: Path) -> Scorer:
    model = load_classifier(folder)

    def score(images: Images) -> Scores:
        size, decoding = images.shape[2:], model.decoding
        if decoding is not None and size != (decoding.height, decoding.width):
            trained_at = f"{decoding.width} x {decoding.height}"
            raise UserError(
                f"`score` classifier={folder}: trained at {trained_at} pixels, these are {size[1]} x {size[0]}"
            )
        return model.probabilities(images)

    return Scorer("classifier", 0.5, score, file_hash(folder / CLASSIFIER)[:16])


FEWEST, FOLDS = 50, 5
PENALTIES = np.logspace(0, 5, 11)
"""Penalties of the ridge regression; the best by leave-one-out is taken."""


@dataclass(frozen=True)
class Regressor:
    """A regression of a column on pooled features, the column's median, and R^2 on held-out groups."""

    model: Pipeline
    median: float
    r2: float

    def __call__(self, rows: Rows) -> NDArray[np.float64]:
        """Predicted values of the column, [n], from features [n, d]."""
        return np.asarray(self.model.predict(rows.astype(np.float64)))


def fit_regressor(data_set: DataSet, column: str, pooled: Pooled) -> Regressor:
    """Ridge regression on pooled features of the images that have a number in the column.

    Raises UserError for a column that is missing, has values that are no numbers, or fewer than fifty, or only one value.
    """
    if column not in data_set.table:
        there = ", ".join(map(str, data_set.table.columns))
        raise UserError(f"`score` column={data_set.folder}:{column}: no such column; there are: {there}")
    try:
        values = data_set.numbers(column)
    except UserError as error:
        raise UserError(f"`score` column={data_set.folder}:{column}: {error}") from error
    measured = np.isfinite(values)
    if measured.sum() < FEWEST or len(np.unique(values[measured])) < 2:
        raise UserError(
            f"`score` column={data_set.folder}:{column}: {int(measured.sum())} numbers of "
            f"{len(np.unique(values[measured]))} values; at least {FEWEST} of two or more are needed"
        )
    chosen = data_set.part(measured)
    rows, truth = pooled_rows(chosen, pooled).astype(np.float64), values[measured]
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    held_out = cross_val_predict(model, rows, truth, groups=group_numbers(chosen), cv=GroupKFold(FOLDS))
    return Regressor(model.fit(rows, truth), float(np.median(truth)), float(r2_score(truth, held_out)))
