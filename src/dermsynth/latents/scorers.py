"""What tells of an image whether it shows something: a detector of artefacts, a trained one, a classifier."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray

from dermsynth.artefacts.detection import ARTEFACTS, detect
from dermsynth.artefacts.marking import THRESHOLDS
from dermsynth.errors import UserError
from dermsynth.images import fit
from dermsynth.runs import file_hash
from dermsynth.utility.artefact_detector import HEIGHT, WIDTH, Pooled, load_detector
from dermsynth.utility.artefact_detector import WEIGHTS as DETECTOR
from dermsynth.utility.classifier import WEIGHTS as CLASSIFIER
from dermsynth.utility.classifier import load_classifier

Images = NDArray[np.uint8]
Scores = NDArray[np.float64]
CHUNK, ANY = 32, "any"


class Scorer:
    """Scores [n] of uint8 [n, 3, h, w], and from which score on an image shows it.

    `identity` is the name, with a hash of the weights where there are any.
    """

    def __init__(
        self, name: str, threshold: float, score: Callable[[Images], Scores], weights: Path | None = None
    ) -> None:
        self.name, self.threshold, self.score, self.weights = name, threshold, score, weights
        self.identity = name if weights is None else f"{name} {file_hash(weights)[:16]}"

    def shows(self, images: Images) -> NDArray[np.bool_]:
        """Which images show it."""
        found: NDArray[np.bool_] = self.score(images) >= self.threshold
        return found


def scorer(place: str, model: str = "") -> Scorer:
    """`frame`, `hair` ... or `any` by classical vision, `detector=DIR:LABEL` with its backbone, `classifier=DIR` of `utility`.

    `frame@0.2` sets the score from which on an image shows it. Raises UserError when the place is not understood, or what it
    names is not there.
    """
    whole, at, text = place.partition("@")
    found = _scorer(whole, model)
    if not at:
        return found
    try:
        return Scorer(found.name, float(text), found.score, found.weights)
    except ValueError as error:
        raise UserError(
            f"--score {place!r}: after @ comes a number, the score from which on an image shows it"
        ) from error


def _scorer(whole: str, model: str) -> Scorer:
    kind, _, rest = whole.partition("=")
    if kind in ARTEFACTS and not rest:
        return Scorer(kind, THRESHOLDS[kind], partial(_classical, kind))
    if whole == ANY:
        return Scorer(ANY, 1.0, partial(_classical, ANY))
    if kind == "detector" and rest:
        folder, _, label = rest.rpartition(":")
        return _trained(Path(folder), label, model)
    if kind == "classifier" and rest:
        return _classifier(Path(rest))
    raise UserError(f"--score {whole!r}: write {', '.join(ARTEFACTS)}, {ANY}, detector=DIR:LABEL or classifier=DIR")


def _classical(name: str, images: Images) -> Scores:
    parts = [images[i : i + CHUNK] for i in range(0, len(images), CHUNK)]
    found = Parallel(n_jobs=min(len(parts), cpu_count()))(delayed(_scores)(part, name) for part in parts)
    return np.concatenate(found)


def _scores(images: Images, name: str) -> Scores:
    names = ARTEFACTS if name == ANY else (name,)
    return np.array([_score(np.ascontiguousarray(image.transpose(1, 2, 0)), names) for image in images])


def _score(image: NDArray[np.uint8], names: tuple[str, ...]) -> float:
    """Of one artefact its score; of several the largest, each in its threshold."""
    found = detect(image, names)
    return found[names[0]].score if len(names) == 1 else max(found[name].score / THRESHOLDS[name] for name in names)


def _trained(folder: Path, label: str, model: str) -> Scorer:
    detector, pooled = load_detector(folder), Pooled(model)
    if label not in detector.labels:
        raise UserError(f"--score detector={folder}:{label}: no such label; there are: {', '.join(detector.labels)}")
    if pooled.name != detector.backbone:
        raise UserError(f"--model {model!r}: the detector was trained on features of {detector.backbone}")
    column = detector.labels.index(label)

    def score(images: Images) -> Scores:
        rows = [
            pooled(
                np.stack(
                    [fit(image.transpose(1, 2, 0), HEIGHT, WIDTH, "stretch", "area") for image in images[i : i + 16]]
                )
            )
            for i in range(0, len(images), 16)
        ]
        return detector.probabilities(np.concatenate(rows))[:, column]

    return Scorer(f"{folder.name}:{label}", 0.5, score, folder / DETECTOR)


def _classifier(folder: Path) -> Scorer:
    model = load_classifier(folder)

    def score(images: Images) -> Scores:
        size, asked = images.shape[2:], model.decoding
        if asked is not None and size != (asked.height, asked.width):
            wanted = f"{asked.width} x {asked.height}"
            raise UserError(f"--score classifier={folder}: trained at {wanted} pixels, these are {size[1]} x {size[0]}")
        return model.probabilities(images)

    return Scorer("classifier", 0.5, score, folder / CLASSIFIER)
