"""What a metric may ask for of two sets of images, and how arrays given by a person become that."""

import logging
from collections.abc import Callable, Mapping, Sized
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dermsynth.errors import UserError, describe, require_seed
from dermsynth.images import require_pixels
from dermsynth.metrics.estimate import Effort, Groups, Sides, require

Pixels = NDArray[np.uint8]
Vectors = NDArray[np.float32]
IMAGES = "images uint8 [n, h, w, 3]"
FEW_PEOPLE = 10
"""Patients or lesions below which an interval is said to be hardly one."""
_log = logging.getLogger(__name__)


class Extractor(Protocol):
    """A named function from images uint8 [n, 3, h, w] to features [n, d]."""

    @property
    def suffix(self) -> str:
        """What follows a metric's name: empty for the network of the published metrics alone."""

    @property
    def head(self) -> Callable[[Vectors], NDArray[np.float64]] | None:
        """From features [n, d] to class probabilities [n, k], where the weights hold a classifier."""

    def __call__(self, images: Pixels) -> Vectors:
        """Features of any number of images."""


class Space(Protocol):
    """A named function from images uint8 [n, 3, h, w] to vectors whose squared distance is a perceptual distance."""

    @property
    def name(self) -> str:
        """How the distance is called."""

    def __call__(self, images: Pixels) -> Vectors:
        """Vectors of any number of images."""


class Comparison(Protocol):
    """Both sets, or a group of both, as a metric needs them; rows are computed when they are asked for."""

    @property
    def effort(self) -> Effort:
        """How many resamples and pairs."""

    @property
    def images(self) -> Sides:
        """Images uint8 [n, 3, h, w]."""

    @property
    def features(self) -> Sides:
        """Features [n, d]."""

    @property
    def probabilities(self) -> Sides | None:
        """Class probabilities [n, k], where the extractor has a classifier."""

    @property
    def histograms(self) -> Mapping[str, Sides]:
        """Colour channel -> histograms [n, bins]."""

    @property
    def appearance(self) -> Sides:
        """Features with names [n, 13] of images whose lesion was found."""

    @property
    def perceptual(self) -> Space | None:
        """A perceptual distance, where one was named."""


def pixels(images: NDArray[Any], field: str, white: float | None = None) -> Pixels:
    """Images [n, h, w, 3] as uint8 [n, 3, h, w].

    Raises UserError for anything but uint8, unless `white` declares the value that is white.
    """
    require_rows(images, field, IMAGES)
    if white is not None:
        images = np.clip(np.asarray(images, np.float64) * (255 / white), 0, 255).round().astype(np.uint8)
    if not len(images):
        raise UserError(f"`{field}`: holds no image, at least 1 is needed")
    try:
        require_pixels(images, "n h w 3")
    except UserError as error:
        raise UserError(f"`{field}`: {error}") from error
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def require_rows(rows: object, field: str, kinds: str = f"{IMAGES}, or features [n, d] of numbers") -> None:
    """Raise UserError for what has no rows, neither images nor features."""
    try:
        if isinstance(rows, Sized) and np.ndim(rows):  # type: ignore[arg-type]
            return
    except ValueError:  # rows of several lengths
        pass
    raise UserError(f"`{field}` {describe(rows)}: give {kinds}")


def numeric_features(rows: NDArray[Any], field: str) -> NDArray[Any]:
    """Features [n, d] as they were given; UserError where they are no finite numbers."""
    array = np.asarray(rows)
    if not np.issubdtype(array.dtype, np.number):
        raise UserError(f"`{field}`: features of {array.dtype}; give numbers [n, d]")
    if not np.isfinite(array).all():
        raise UserError(f"`{field}`: features hold NaN or infinity; leave these rows out, or mend what computed them")
    return array


def image_sides(
    real: NDArray[Any], synthetic: NDArray[Any], seed: int, white: float | None = None, groups: Groups | None = None
) -> Sides:
    """Two sets of images [n, h, w, 3]; UserError where their sizes differ."""
    require_seed(seed)
    sides = pixels(synthetic, "synthetic", white), pixels(real, "real", white)
    if sides[0].shape[2:] != sides[1].shape[2:]:
        sizes = " and ".join(f"{side.shape[3]} x {side.shape[2]}" for side in sides)
        raise UserError(f"`synthetic`, `real`: images of {sizes} pixels; bring both to one size first")
    return Sides(*sides, seed=seed, groups=groups_of(sides[1], groups))


def feature_sides(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    extractor: Extractor | None,
    seed: int,
    white: float | None = None,
    groups: Groups | None = None,
) -> Sides:
    """Features of two sets: of images [n, h, w, 3] by an extractor, or as they are given [n, d].

    Raises UserError for images that are not uint8, for rows of different lengths, and for features with an extractor.
    """
    require_seed(seed)
    require_extractor(extractor)
    for name, rows_given in (("synthetic", synthetic), ("real", real)):
        require_rows(rows_given, name)
        if not len(rows_given):
            require(0, name)
    given = [np.ndim(side) == 2 for side in (synthetic, real)]
    if not any(given):
        extractor = extractor or embedded()
        rows = [extractor(pixels(side, name, white)) for side, name in ((synthetic, "synthetic"), (real, "real"))]
        people = groups_of(rows[1], groups)
        return Sides(rows[0], rows[1], seed=seed, features=extractor.suffix, groups=people).require_enough()
    if not all(given) or extractor is not None:
        raise UserError(
            "`real`, `synthetic`: give images [n, h, w, 3] of both sides with an extractor, or features [n, d] of both without"
        )
    if np.shape(real)[1] != np.shape(synthetic)[1]:
        raise UserError(f"`synthetic`: {np.shape(synthetic)[1]} features a row, `real` has {np.shape(real)[1]}")
    rows = [numeric_features(side, name) for side, name in ((synthetic, "synthetic"), (real, "real"))]
    people = groups_of(rows[1], groups)
    return Sides(rows[0], rows[1], seed=seed, features=" of given features", groups=people).require_enough()


def groups_of(real: Sized, groups: Groups | None) -> Groups | None:
    """Numbers [m] of the patients or lesions of real rows; None where they are not known.

    Raises UserError where there is not one for every row, one is empty, or all are the same.
    """
    if groups is None:
        return None
    named = np.asarray(groups)
    if named.shape != (len(real),):
        raise UserError(f"`groups`: {list(named.shape)} names for {len(real)} real images; give one for each")
    blank = [i for i, name in enumerate(named.tolist()) if name is None or name != name or name == ""]
    if blank:
        raise UserError(
            f"`groups`: row {blank[0]} has none; where nobody is known, give each such image a name of its own"
        )
    number = np.unique(named.astype(str) if named.dtype == object else named, return_inverse=True)[1]
    if not number.any():
        raise UserError(
            f"`groups`: all real images are of {named.tolist()[0]!r}; intervals and floor need at least two"
        )
    if (known := int(number.max()) + 1) < FEW_PEOPLE:
        _log.warning(f"`groups`: {known} patients or lesions: intervals of fewer than {FEW_PEOPLE} say little")
    return number.astype(np.int64)


def require_extractor(extractor: object) -> None:
    """Raise UserError for a text, or anything else that is no extractor."""
    if extractor is not None and not callable(extractor):
        example = extractor if isinstance(extractor, str) else "embedded"
        raise UserError(
            f"`extractor` {describe(extractor)}: must be an extractor, for example ds.extractor({example!r})"
        )


def embedded() -> Extractor:
    """The extractor that needs no weights."""
    from dermsynth.backbones.extractors import load_extractor

    return load_extractor("embedded")
