"""The copy gate: images that lie closer to a training image than real images never trained on do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.errors import UserError
from dermsynth.images import require_pixels
from dermsynth.metrics.knn import nearest
from dermsynth.metrics.copying import gate_threshold
from dermsynth.metrics.similar_images import Images
from dermsynth.metrics.structural import lying

Array = NDArray[np.float64]
FALSE_ALARMS = 0.01
FEWEST_HELD_OUT, PART = 100, 256
SMALLEST = 0.02
"""Distance of unit vectors, and score, below which images are the same: no threshold can be there."""
NOISE = 4.0
"""Variance of grey levels below which a place counts as flat."""


class View(NamedTuple):
    """A way to look at an image: at `side` pixels, structure finer than `spread` of them, with or without hue."""

    side: int
    spread: float
    channel: str

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The image uint8 [3, h, w] as a unit vector: local contrast, brightness and its slow changes taken out."""
        x = cv2.resize(_channel(image, self.channel), (self.side, self.side), interpolation=cv2.INTER_AREA)
        mean = cv2.GaussianBlur(x, (0, 0), self.spread)
        spread = cv2.GaussianBlur((x - mean) ** 2, (0, 0), 2 * self.spread)
        x = (x - mean) / np.sqrt(spread + NOISE)
        x = x - x.mean()
        unit: NDArray[np.float32] = (x / max(float(np.linalg.norm(x)), 1e-6)).ravel()
        return unit


VIEWS = (View(32, 3, "luma"), View(32, 3, "value"), View(12, 4, "luma"))
"""Luma sees through compression, the largest channel through changes of hue, few pixels through noise."""


def _channel(image: NDArray[np.uint8], channel: str) -> NDArray[np.float32]:
    if channel == "value":
        return image.max(axis=0).astype(np.float32)
    red, green, blue = image.astype(np.float32)
    luma: NDArray[np.float32] = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma


def looked_at(images: Images, view: View) -> NDArray[np.float32]:
    """Unit vectors [n, side^2] of images uint8 [n, 3, h, w]."""
    require_pixels(images)
    return np.stack([view.of(image) for image in images])


@dataclass(frozen=True)
class Found:
    """For every image: its score (1: as close as the closest hundredth of held-out images), its training image, how that lies."""

    score: Array
    index: NDArray[np.int64]
    lying: Sequence[str]


@dataclass(frozen=True)
class CopyGate:
    """Views of the training images, what distance is usual in each, and the score below which an image is flagged.

    A score is the least distance over views and over the eight ways a square can lie, each divided by the distance that
    `false_alarms` of the held-out images fall below. Shifts by more than a hundredth of the side are not seen.
    """

    training: Sequence[NDArray[np.float32]]
    usual: Sequence[float]
    threshold: float
    false_alarms: float
    held_out: int

    @classmethod
    def fitted(cls, training: Images, held_out: Images, false_alarms: float = FALSE_ALARMS) -> "CopyGate":
        """Set the threshold so that `false_alarms` of the held-out real images are flagged.

        Raises UserError with fewer than 100 held-out images: their closest hundredth would be no image.
        """
        if len(held_out) < FEWEST_HELD_OUT:
            raise UserError(
                f"{len(held_out)} held-out images, at least {FEWEST_HELD_OUT} are needed for the copy gate: hold more images out"
            )
        views = [looked_at(training, view) for view in VIEWS]
        _, distances, _ = _searched(views, held_out)
        usual = [max(float(np.quantile(d, false_alarms)), 1e-6) for d in distances.min(axis=0)]
        score = (distances / np.array(usual)[:, None]).min(axis=(0, 1))
        threshold = gate_threshold(score, false_alarms)
        if min(threshold, *usual) < SMALLEST:
            raise UserError("copy gate: held-out images are themselves copies of training images; divide the set anew")
        return cls(views, usual, threshold, false_alarms, len(held_out))

    def check(self, images: Images) -> Found:
        """Scores of images uint8 [n, 3, h, w]; those below the threshold are copies, or too close to tell."""
        ways, distance, index = _searched(self.training, images)
        scores = (distance / np.array(self.usual)[:, None]).reshape(-1, len(images))
        best, everyone = scores.argmin(axis=0), np.arange(len(images))
        lying_so = [ways[way] for way in best // len(VIEWS)]
        return Found(scores[best, everyone], index.reshape(-1, len(images))[best, everyone], lying_so)

    def flags(self, found: Found) -> NDArray[np.bool_]:
        """Which images lie below the threshold."""
        flagged: NDArray[np.bool_] = found.score < self.threshold
        return flagged


def _searched(training: Sequence[NDArray[np.float32]], images: Images) -> tuple[list[str], Array, NDArray[np.int64]]:
    """The ways to lie; for each, and each view, the distance to the nearest training image and which it is: [ways, views, n]."""
    ways: list[str] = []
    distances: list[Array] = []
    indices: list[NDArray[np.int64]] = []
    for start in range(0, len(images), PART):
        turned = dict(lying(images[start : start + PART]))
        ways = list(turned)
        found = [
            nearest(np.concatenate([looked_at(some, view) for some in turned.values()]), training[number])
            for number, view in enumerate(VIEWS)
        ]
        by_way = [[side[:, 0].reshape(len(ways), -1) for side in pair] for pair in found]
        distances.append(np.stack([pair[0] for pair in by_way], axis=1))
        indices.append(np.stack([pair[1] for pair in by_way], axis=1))
    return ways, np.concatenate(distances, axis=-1), np.concatenate(indices, axis=-1)
