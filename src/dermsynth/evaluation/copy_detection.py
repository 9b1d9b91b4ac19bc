"""The copy gate: images that lie closer to a training image than real images never trained on do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom

from dermsynth.errors import UserError, require_number, require_whole
from dermsynth.evaluation.copy_poses import SAME, PoseSearch
from dermsynth.evaluation.floors import Light
from dermsynth.images import require_pixels
from dermsynth.metrics.comparison import pixels
from dermsynth.metrics.copying import gate_threshold
from dermsynth.metrics.keypoints import luma_of
from dermsynth.metrics.knn import nearest
from dermsynth.metrics.similar_images import Images
from dermsynth.metrics.structural import dihedral_transforms

Array = NDArray[np.float64]
FALSE_ALARMS = 0.01
FEWEST_HELD_OUT, PART = 100, 256
SMALLEST = 0.02
"""Distance of unit vectors, and score, below which images are the same: no threshold can be there."""
NOISE = 4.0
"""Variance of grey levels below which a place counts as flat."""


def gate_light(flagged: int, of: int, held_out: int, false_alarms: float) -> Light:
    """Green where chance explains as many flagged images (p > 0.05), red from five times the false alarms, else amber."""
    # held-out images at or below the threshold: the true rate is known that well
    below = int(false_alarms * (held_out - 1)) + 1
    chance = float(betabinom.sf(flagged - 1, of, below, held_out + 1 - below))
    return "green" if chance > 0.05 else "red" if flagged > 5 * false_alarms * of else "amber"


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
    return luma_of(image)


def view_vectors(images: Images, view: View) -> NDArray[np.float32]:
    """Unit vectors [n, side^2] of images uint8 [n, 3, h, w]."""
    require_pixels(images)
    return np.stack([view.of(image) for image in images])


@dataclass(frozen=True)
class Matches:
    """For every image of a check, its nearest training image.

    Attributes
    ----------
    score
        Float [n]; 1 is the distance that a share of `false_alarms` of the held-out images fall below; lower is closer.
    index
        Int [n]: which training image it is.
    orientation
        The rotation or reflection that matches it: as it is, mirrored, turned by 90 degrees, ...; or its pose in numbers.
    flagged
        Bool [n]: closer than the gate's threshold, that is a copy or too close to tell.
    matrices
        Of images that are closest to a training image in a pose: number of the image -> matrix [2, 3] from its pixels to the
        training image's.
    """

    score: Array
    index: NDArray[np.int64]
    orientation: Sequence[str]
    flagged: NDArray[np.bool_]
    matrices: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class CopyGate:
    """Finds images that lie closer to a training image than real images never trained on do.

    A score is the least distance over three views and over the eight dihedral transforms, each divided by the distance that
    `false_alarms` of the held-out images fall below. Shifts by more than a hundredth of the side are not seen so; with `poses`
    the distance of the best pose takes part, too, and copies that are shifted, turned by any angle, zoomed or cut are seen.

    Attributes
    ----------
    training
        Views of the training images.
    usual
        The distance that is usual in each view.
    threshold
        The score below which an image is flagged.
    false_alarms
        Share of real images never trained on that are flagged.
    held_out
        How many held-out images set the threshold.
    poses
        The search for training images in any pose; None without.

    Examples
    --------
    >>> import dermsynth as ds
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> training, held_out = random.integers(0, 256, (2, 100, 16, 16, 3), dtype=np.uint8)
    >>> gate = ds.CopyGate.fit(training, held_out)
    >>> matches = gate.check(training[:3, :, ::-1])
    >>> matches.index.tolist(), matches.flagged.all().item(), matches.orientation[0]
    ([0, 1, 2], True, 'mirrored')
    """

    training: Sequence[NDArray[np.float32]]
    usual: Sequence[float]
    threshold: float
    false_alarms: float
    held_out: int
    poses: PoseSearch | None = None

    @classmethod
    def fit(
        cls, training: Images, held_out: Images, *, false_alarms: float = FALSE_ALARMS, fewest: int = FEWEST_HELD_OUT,
        any_pose: bool = False,
    ) -> "CopyGate":  # fmt: skip
        """Set the threshold so that `false_alarms` of the held-out real images are flagged.

        Parameters
        ----------
        training : ndarray
            The images that a generator was trained on, uint8 [n, h, w, 3].
        held_out : ndarray
            Real images of the same kind that it has not seen, uint8 [m, h, w, 3]: no other photographs of the same lesions.
        false_alarms : float
            Share of real images that may be flagged, above 0 and at most 0.5.
        fewest : int
            The least number of held-out images; below 1 / `false_alarms` their closest share would be no image.
        any_pose : bool
            Whether copies are found that are shifted, turned by any angle, zoomed or cut, too; that takes about a quarter of a
            second an image. Held-out images that show the lesion of a training image are then left out.

        Returns
        -------
        CopyGate
            The gate.

        Raises
        ------
        UserError
            For fewer held-out images, and for held-out images that are copies of training images themselves.

        Examples
        --------
        >>> import dermsynth as ds
        >>> images = ds.open_dataset("data").images((32, 32))
        >>> gate = ds.CopyGate.fit(images[:480], images[480:])
        >>> gate.held_out, gate.threshold > 0
        (120, True)
        """
        sides = pixels(training, "training"), pixels(held_out, "held_out")
        return cls.fit_planes(*sides, false_alarms=false_alarms, fewest=fewest, any_pose=any_pose)

    @classmethod
    def fit_planes(
        cls, training: Images, held_out: Images, *, false_alarms: float = FALSE_ALARMS, fewest: int = FEWEST_HELD_OUT,
        any_pose: bool = False,
    ) -> "CopyGate":  # fmt: skip
        """The same of images uint8 [n, 3, h, w]."""
        if not 0 < require_number(false_alarms, "false_alarms") <= 0.5:
            raise UserError(f"`false_alarms` {false_alarms}: must lie above 0 and be at most 0.5")
        require_whole(fewest, "fewest", 2)
        _require_held_out(len(held_out), fewest)
        poses, distance = PoseSearch.of(training) if any_pose else None, np.zeros(0)
        if poses is not None:
            found = poses.nearest(held_out)
            unrelated = np.array([match.whole >= SAME for match in found])
            distance = np.array([match.distance for match in found])
            held_out, distance = held_out[unrelated], distance[unrelated]
            _require_held_out(len(held_out), fewest, int((~unrelated).sum()))
        views = [view_vectors(training, view) for view in VIEWS]
        distances = _search(views, held_out).distance
        usual = [max(float(np.quantile(d, false_alarms)), 1e-6) for d in distances.min(axis=0)]
        score = (distances / np.array(usual)[:, None]).min(axis=(0, 1))
        if poses is not None:
            usual.append(max(float(np.quantile(distance, false_alarms)), 1e-6))
            score = np.minimum(score, distance / usual[-1])
        threshold = gate_threshold(score, false_alarms)
        if min(threshold, *usual[: len(VIEWS)]) < SMALLEST:
            raise UserError("copy gate: held-out images are themselves copies of training images; divide the set anew")
        return cls(views, usual, threshold, false_alarms, len(held_out), poses)

    def check(self, images: Images) -> Matches:
        """The nearest training image of each image, and whether it is too near.

        Parameters
        ----------
        images : ndarray
            Uint8 [n, h, w, 3], of any size.

        Returns
        -------
        Matches
            `score`, `index`, `orientation` and `flagged` of every image.

        Raises
        ------
        UserError
            For an array of anything else than RGB images.

        Examples
        --------
        >>> import dermsynth as ds
        >>> images = ds.open_dataset("data").images((32, 32))
        >>> gate = ds.CopyGate.fit(images[:480], images[480:])
        >>> gate.check(images[:2]).flagged.tolist()
        [True, True]
        """
        return self.check_planes(pixels(images, "images"))

    def check_planes(self, images: Images) -> Matches:
        """The same of images uint8 [n, 3, h, w]."""
        search = _search(self.training, images)
        scores = (search.distance / np.array(self.usual[: len(VIEWS)])[:, None]).reshape(-1, len(images))
        best, every = scores.argmin(axis=0), np.arange(len(images))
        score, index = scores[best, every], search.indices.reshape(-1, len(images))[best, every]
        ways = [search.transforms[transform] for transform in best // len(VIEWS)]
        matrices = dict[int, NDArray[np.float64]]()
        for place, match in enumerate([] if self.poses is None else self.poses.nearest(images)):
            if match.distance / self.usual[-1] < score[place]:
                score[place], index[place], ways[place] = match.distance / self.usual[-1], match.number, match.pose
                if match.matrix is not None:
                    matrices[place] = match.matrix
        return Matches(score, index, ways, score < self.threshold, matrices)


def _require_held_out(count: int, fewest: int, relatives: int = 0) -> None:
    if count < fewest:
        without = f" without {relatives} that show lesions of training images" if relatives else ""
        raise UserError(
            f"{count} held-out images{without}, at least {fewest} are needed for the copy gate: hold more images out"
        )


class _Search(NamedTuple):
    """Per transform and view, the distance to the nearest training image and its indices: [transforms, views, n]."""

    transforms: list[str]
    distance: Array
    indices: NDArray[np.int64]


def _search(training: Sequence[NDArray[np.float32]], images: Images) -> _Search:
    parts = [_search_part(training, images[start : start + PART]) for start in range(0, len(images), PART)]
    distance = np.concatenate([part.distance for part in parts], axis=-1)
    return _Search(parts[0].transforms, distance, np.concatenate([part.indices for part in parts], axis=-1))


def _search_part(training: Sequence[NDArray[np.float32]], images: Images) -> _Search:
    turned = dict(dihedral_transforms(images))
    pairs = [
        nearest(np.concatenate([view_vectors(way, view) for way in turned.values()]), training[number])
        for number, view in enumerate(VIEWS)
    ]
    distance = np.stack([pair[0][:, 0].reshape(len(turned), -1) for pair in pairs], axis=1)
    return _Search(list(turned), distance, np.stack([pair[1][:, 0].reshape(len(turned), -1) for pair in pairs], axis=1))
