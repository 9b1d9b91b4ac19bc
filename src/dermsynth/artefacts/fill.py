"""Fill a hole in an image: with skin's colours, from the border inward, or by a sparse spectrum."""

from collections.abc import Callable
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.restoration import inpaint_biharmonic

from dermsynth.images import Pixels

Mask = NDArray[np.bool_]
Method = Literal["skin", "fsr", "fsr-best", "nearest", "telea", "navier-stokes", "biharmonic"]
METHODS: tuple[Method, ...] = get_args(Method)
SLOW: tuple[Method, ...] = ("biharmonic", "fsr-best")
"""Take seconds an image or more."""
RADIUS, FEWEST_SKIN = 3, 30


def fill_hole(image: Pixels, hole: Mask, method: Method, skin: Mask, seed: int) -> Pixels:
    """RGB uint8 [h, w, 3] whose hole, bool [h, w], is filled; every other pixel is as it was.

    `skin` says where the colours of skin can be learned, `seed` fixes drawn colours. Raises ValueError where all is hole.
    """
    if hole.all():
        raise ValueError("all of the image is to be filled: nothing is left to fill it from")
    if not hole.any():
        return image
    return np.where(hole[..., None], FILLS[method](image, hole, skin, seed), image)


def _skin(image: Pixels, hole: Mask, skin: Mask, seed: int) -> Pixels:
    """Samples of the normal distribution fitted to the colours of skin (ROSEN)."""
    bare = skin & ~hole
    colours = image[bare if bare.sum() >= FEWEST_SKIN else ~hole].astype(np.float64)
    covariance = np.cov(colours, rowvar=False) if len(colours) > 1 else np.zeros((3, 3))
    random = np.random.default_rng(seed)
    drawn = random.multivariate_normal(colours.mean(axis=0), covariance, int(hole.sum()), method="svd")
    filled = image.copy()
    filled[hole] = np.clip(np.rint(drawn), 0, 255).astype(np.uint8)
    return filled


def _nearest(image: Pixels, hole: Mask, skin: Mask, seed: int) -> Pixels:
    """Of every pixel the nearest one outside."""
    rows, columns = ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True)
    return np.asarray(image[rows, columns])


def _telea(image: Pixels, hole: Mask, skin: Mask, seed: int) -> Pixels:
    """Fast marching (Telea 2004)."""
    return np.asarray(cv2.inpaint(image, hole.astype(np.uint8), RADIUS, cv2.INPAINT_TELEA))


def _navier_stokes(image: Pixels, hole: Mask, skin: Mask, seed: int) -> Pixels:
    """Lines of equal brightness carried on as by a fluid (Bertalmio et al. 2001)."""
    return np.asarray(cv2.inpaint(image, hole.astype(np.uint8), RADIUS, cv2.INPAINT_NS))


def _biharmonic(image: Pixels, hole: Mask, skin: Mask, seed: int) -> Pixels:
    """Smoothest surface: the biharmonic equation (Damelin & Hoang 2018)."""
    filled = inpaint_biharmonic(image / 255, hole, channel_axis=-1, split_into_regions=True)
    return np.clip(np.rint(filled * 255), 0, 255).astype(np.uint8)


def _selective(algorithm: int) -> Callable[[Pixels, Mask, Mask, int], Pixels]:
    def fill(image: Pixels, hole: Mask, skin: Mask, seed: int) -> Pixels:
        """Frequency selective reconstruction (Seiler et al. 2015)."""
        filled = np.zeros_like(image)
        cv2.xphoto.inpaint(image, np.where(hole, 0, 255).astype(np.uint8), filled, algorithm)
        return filled

    return fill


FILLS: dict[Method, Callable[[Pixels, Mask, Mask, int], Pixels]] = {
    "skin": _skin,
    "fsr": _selective(cv2.xphoto.INPAINT_FSR_FAST),
    "fsr-best": _selective(cv2.xphoto.INPAINT_FSR_BEST),
    "nearest": _nearest,
    "telea": _telea,
    "navier-stokes": _navier_stokes,
    "biharmonic": _biharmonic,
}
