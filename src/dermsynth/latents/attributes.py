"""What tells of an image whether it shows something: a detector of artefacts, a trained one, a regression, a classifier."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermsynth.artefacts.annotate import THRESHOLDS
from dermsynth.artefacts.classifier import HEIGHT, WIDTH, Pooled, load_detector
from dermsynth.artefacts.classifier import WEIGHTS as DETECTOR
from dermsynth.artefacts.detection import ARTEFACTS, detect
from dermsynth.data.dataset import open_data_set
from dermsynth.data.verification import verify
from dermsynth.errors import UserError
from dermsynth.images import fit
from dermsynth.io import file_hash
from dermsynth.latents.attribute_regression import fitted_regressor
from dermsynth.parallel import parallel_map
from dermsynth.utility.classifier import WEIGHTS as CLASSIFIER
from dermsynth.utility.classifier import load_classifier

Images = NDArray[np.uint8]
Scores = NDArray[np.float64]
CHUNK, PART, ANY = 32, 16, "any"
KINDS = (*ARTEFACTS, ANY, "detector=DIR:LABEL", "column=DATA:NAME", "classifier=DIR")


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
        """By which scores that were kept are known again."""
        return f"{self.name} {self.source}".strip()

    def shows(self, images: Images) -> NDArray[np.bool_]:
        """Which images show it."""
        found: NDArray[np.bool_] = self.score(images) >= self.threshold
        return found


def scorer(place: str, model: str = "") -> Scorer:
    """By classical vision `frame`, `hair` ... or `any`; a trained `detector=DIR:LABEL`; `column=DATA:NAME`; `classifier=DIR`.

    The second and third need `model`, the backbone. `frame@0.2` sets the score from which on an image shows it.

    Raises UserError when the place is not understood, or what it names is not there.
    """
    whole, at, text = place.partition("@")
    found = _scorer(whole, model)
    if not at:
        return found
    try:
        return replace(found, threshold=float(text))
    except ValueError as error:
        raise UserError(
            f"`score` {place!r}: after @ comes a number, the score from which on an image shows it"
        ) from error


def _scorer(whole: str, model: str) -> Scorer:
    kind, _, rest = whole.partition("=")
    folder, _, name = rest.rpartition(":")
    if kind in (*ARTEFACTS, ANY) and not rest:
        return Scorer(kind, THRESHOLDS.get(kind, 1.0), partial(_classical, kind))
    if kind == "detector" and rest:
        return _trained(Path(folder), name, model)
    if kind == "column" and rest:
        return _column(Path(folder), name, model)
    if kind == "classifier" and rest:
        return _classifier(Path(rest))
    raise UserError(f"`score` {whole!r}: write {', '.join(KINDS)}")


def _classical(name: str, images: Images) -> Scores:
    names = ARTEFACTS if name == ANY else (name,)
    score = partial(_score, names)
    return np.array(parallel_map(score, list(images), chunk=CHUNK, few=CHUNK))


def _score(names: tuple[str, ...], planes: NDArray[np.uint8]) -> float:
    """Of one artefact its score; of several the largest, each in its threshold."""
    found = detect(np.ascontiguousarray(planes.transpose(1, 2, 0)), names)
    return found[names[0]].score if len(names) == 1 else max(found[name].score / THRESHOLDS[name] for name in names)


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
    regressor = fitted_regressor(data_set, column, pooled)
    print(f"{column}: R2 {regressor.r2:.2f} on groups that the regression had not seen; median {regressor.median:.3g}")

    def score(images: Images) -> Scores:
        return regressor(_features(images, pooled))

    return Scorer(column, regressor.median, score, data_set.content_hash[:16])


def _classifier(folder: Path) -> Scorer:
    model = load_classifier(folder)

    def score(images: Images) -> Scores:
        size, asked = images.shape[2:], model.decoding
        if asked is not None and size != (asked.height, asked.width):
            wanted = f"{asked.width} x {asked.height}"
            raise UserError(f"`score` classifier={folder}: trained at {wanted} pixels, these are {size[1]} x {size[0]}")
        return model.probabilities(images)

    return Scorer("classifier", 0.5, score, file_hash(folder / CLASSIFIER)[:16])
