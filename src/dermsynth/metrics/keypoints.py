"""Places of an image that are found again wherever they lie, and the pose in which two images agree on most of them.

Scale-invariant features (Lowe 2004) of local contrast, compared by the Hellinger kernel (Arandjelović & Zisserman 2012).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Luma = NDArray[np.float32]

SIDE, COUNT = 192, 240
"""Pixels of the shorter side that an image is brought to, and how many keypoints are kept of it."""
DIMENSIONS, SAMPLE, AT_ONCE = 48, 20_000, 65_536
"""Principal components of descriptors that are compared (of dermoscopic images they hold 91 % of the variance), descriptors
they are found in, and descriptors compared at once."""
FINE, COARSE, NOISE = 3 / 64, 4 / 64, 25.0
"""Contrast is taken within `FINE` of the shorter side, and divided by its deviation within `COARSE`; variance of grey levels that
counts as noise."""
CONTRAST, EDGE = 0.005, 30.0
VOTES, BASE, CLOSEST_BASE = 6, 30, 0.15
"""A keypoint votes for the images of its nearest `VOTES` matches; how far the `BASE`-th lies says what is usual. Of 1,000
dermoscopic photographs that is 0.29 (median), and below `CLOSEST_BASE` for a twentieth of keypoints: of fewer images than `BASE`
it is taken to be no less."""
LARGEST_VOTE = 10.0
NEAR, LARGEST_ZOOM = 4 / 64, 2.0
"""Matches agree on a pose where it brings them together within `NEAR` of the shorter side; images are at most so much larger."""


class Keypoints(NamedTuple):
    """Keypoints of an image: places (x, y) [k, 2] and sizes [k] in its pixels, directions in radians [k], descriptors [k, 128].

    Descriptors are unit vectors, so that a product of two is 1 for equal ones.
    """

    place: Array
    size: Array
    angle: Array
    descriptor: Array


def luma_of(image: NDArray[np.uint8]) -> Luma:
    """Brightness [h, w] of an image uint8 [3, h, w]."""
    red, green, blue = image.astype(np.float32)
    luma: Luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma


def local_contrast(luma: Luma, fine: float = FINE, coarse: float = COARSE) -> Luma:
    """Brightness [h, w] less that of its surroundings, divided by its deviation there.

    `fine` and `coarse` are the extents of both surroundings as shares of the shorter side.
    """
    side = min(luma.shape)
    difference = luma - cv2.GaussianBlur(luma, (0, 0), fine * side)
    deviation = np.sqrt(cv2.GaussianBlur(difference**2, (0, 0), coarse * side) + NOISE)
    return np.asarray(difference / deviation, np.float32)


def keypoints(image: NDArray[np.uint8], count: int = COUNT) -> Keypoints:
    """The `count` strongest keypoints of an image uint8 [3, h, w]."""
    scale = SIDE / min(image.shape[1:])
    luma = cv2.resize(
        luma_of(image), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    )
    grey = np.clip(128 + 40 * local_contrast(luma), 0, 255).astype(np.uint8)
    found, descriptors = _detector(count).detectAndCompute(grey, None)
    if not len(found):
        return Keypoints(*(np.zeros(shape, np.float32) for shape in ((0, 2), 0, 0, (0, 128))))
    place = (np.array([point.pt for point in found], np.float32) + 0.5) / scale - 0.5
    size = np.array([point.size for point in found], np.float32) / scale
    angle = np.deg2rad(np.array([point.angle for point in found], np.float32))
    return Keypoints(place, size, angle, np.sqrt(descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-6)))


def _detector(count: int) -> cv2.SIFT:
    return cv2.SIFT_create(nfeatures=count, contrastThreshold=CONTRAST, edgeThreshold=EDGE)  # type: ignore[attr-defined]


class Match(NamedTuple):
    """Keypoints of an image that were found in another one: numbers of both [m], and how much each pair says [m]."""

    number: int
    here: NDArray[np.int64]
    there: NDArray[np.int64]
    weight: NDArray[np.float64]


@dataclass(frozen=True)
class KeypointIndex:
    """The keypoints of many images, to find the images that share some with another one.

    Attributes
    ----------
    every
        Those of all images, one image after the other; descriptors in principal components.
    bounds
        Where those of each image begin, and the end, [n + 1].
    components
        Mean descriptor [128] and principal components [128, 48].
    """

    every: Keypoints
    bounds: NDArray[np.int64]
    components: tuple[Array, Array]

    @classmethod
    def of(cls, images: Sequence[Keypoints]) -> "KeypointIndex":
        """The index of images, at least one."""
        bounds = np.cumsum([0, *(len(image.size) for image in images)]).astype(np.int64)
        every = Keypoints(*(np.concatenate(parts) for parts in zip(*images, strict=True)))
        components = _principal_components(every.descriptor)
        return cls(every._replace(descriptor=_in_components(every.descriptor, components)), bounds, components)

    def image(self, number: int) -> Keypoints:
        """The keypoints of an image."""
        own = slice(*self.bounds[number : number + 2])
        return Keypoints(*(part[own] for part in self.every))

    def matches(self, image: Keypoints, count: int) -> list[Match]:
        """The `count` images for which most keypoints vote, the first having most.

        A keypoint votes for the images of its nearest matches, by how much closer these are than a match usually is (the
        ratio of Lowe 2004, section 7.1, against the `BASE`-th nearest image instead of the second).
        """
        numbers = np.flatnonzero(np.diff(self.bounds))
        if not len(image.size) or not len(numbers):
            return []
        image = image._replace(descriptor=_in_components(image.descriptor, self.components))
        similar = self._similarities(image.descriptor, numbers)
        base = min(BASE, similar.shape[1] - 1)
        order = np.argpartition(-similar, base, axis=1)[:, : base + 1]
        values = np.take_along_axis(similar, order, axis=1)
        rank = np.argsort(-values, axis=1)
        order = np.take_along_axis(order, rank, axis=1)
        distance = np.maximum(1 - np.take_along_axis(values, rank, axis=1), 1e-3)
        usual = np.maximum(distance[:, -1:], CLOSEST_BASE if base < BASE else 0)
        votes = np.clip(usual / distance - 1, 0, LARGEST_VOTE)[:, :VOTES]
        chosen = order[:, :VOTES]
        total = np.bincount(chosen.ravel(), votes.ravel(), len(numbers))
        best = [int(i) for i in np.argsort(-total, kind="stable")[:count] if total[i] > 0]
        return [self._match(image, int(numbers[i]), chosen == i, votes) for i in best]

    def _similarities(self, descriptors: Array, numbers: NDArray[np.int64]) -> Array:
        """Of each descriptor [k, 48], its largest product with one of each image: [k, images that have any]."""
        parts, first = list[Array](), 0
        while first < len(numbers):
            start = self.bounds[numbers[first]]
            last = max(int(np.searchsorted(self.bounds[numbers + 1], start + AT_ONCE, side="right")), first + 1)
            products = descriptors @ self.every.descriptor[start : self.bounds[numbers[last - 1] + 1]].T
            parts.append(np.maximum.reduceat(products, self.bounds[numbers[first:last]] - start, axis=1))
            first = last
        return np.concatenate(parts, axis=1)

    def _match(self, image: Keypoints, number: int, voted: NDArray[np.bool_], votes: NDArray[np.floating]) -> Match:
        rows, ranks = np.nonzero(voted)
        there = (image.descriptor[rows] @ self.image(number).descriptor.T).argmax(axis=1)
        return Match(number, rows, there, votes[rows, ranks].astype(np.float64))


def _principal_components(descriptors: Array) -> tuple[Array, Array]:
    """Mean [128] and the directions [128, 48] in which descriptors [k, 128] vary most, found in evenly spaced ones of them."""
    some = descriptors[:: max(len(descriptors) // SAMPLE, 1)]
    if not len(some):
        return np.zeros(descriptors.shape[1], np.float32), np.eye(descriptors.shape[1], DIMENSIONS, dtype=np.float32)
    mean = some.mean(axis=0)
    _, directions = np.linalg.eigh((some - mean).T @ (some - mean))
    return mean, np.ascontiguousarray(directions[:, ::-1][:, :DIMENSIONS], np.float32)


def _in_components(descriptors: Array, components: tuple[Array, Array]) -> Array:
    """Descriptors [k, 128] as unit vectors [k, 48] in principal components."""
    inside = (descriptors - components[0]) @ components[1]
    unit: Array = inside / np.maximum(np.linalg.norm(inside, axis=1, keepdims=True), 1e-6)
    return unit


class Pose(NamedTuple):
    """Where an image lies in another one: the matrix [2, 3] from its pixels to the other's, and the weight that agrees on it."""

    matrix: NDArray[np.float64]
    weight: float


def agreed_pose(image: Keypoints, other: Keypoints, match: Match, side: int) -> Pose | None:
    """The pose on which most matches agree; None where none is possible. `side` is the shorter side of both in pixels.

    Each match proposes one: two keypoints say how the images are shifted, turned and zoomed. Those that agree then settle it by
    least squares.
    """
    here, there = image.place[match.here].astype(np.float64), other.place[match.there].astype(np.float64)
    zoom = other.size[match.there] / image.size[match.here]
    turn = other.angle[match.there] - image.angle[match.here]
    possible = (zoom < LARGEST_ZOOM) & (zoom > 1 / LARGEST_ZOOM)
    if not possible.any():
        return None
    here, there, weight, factor = (
        here[possible],
        there[possible],
        match.weight[possible],
        (zoom * np.exp(1j * turn))[possible],
    )
    a, b = here @ [1, 1j], there @ [1, 1j]  # a similarity is a product and a sum of complex numbers
    reached = factor[:, None] * (a[None, :] - a[:, None]) + b[:, None]
    near = np.abs(reached - b[None, :]) < NEAR * side
    agreeing = (near * weight).sum(axis=1)
    best = int(agreeing.argmax())
    factor_best, offset = _least_squares(a[near[best]], b[near[best]], factor[best])
    matrix = np.array(
        [[factor_best.real, -factor_best.imag, offset.real], [factor_best.imag, factor_best.real, offset.imag]]
    )
    return Pose(matrix, float(agreeing[best]))


def _least_squares(a: NDArray[np.complex128], b: NDArray[np.complex128], proposed: complex) -> tuple[complex, complex]:
    """The similarity b = factor a + offset; the proposed factor where points lie too close together to say."""
    centre, goal = a.mean(), b.mean()
    spread = float((np.abs(a - centre) ** 2).sum())
    factor = proposed
    if len(a) >= 3 and spread > 1:
        fitted = complex((np.conj(a - centre) * (b - goal)).sum() / spread)
        factor = fitted if 1 / LARGEST_ZOOM < abs(fitted) < LARGEST_ZOOM else proposed
    return factor, complex(goal - factor * centre)
