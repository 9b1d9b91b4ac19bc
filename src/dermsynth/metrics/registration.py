"""How much of an image agrees with another one that was laid onto it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.metrics.keypoints import Luma

AGREES, WINDOW = 0.7, 5 / 64
"""Local correlation from which on a place agrees; deviation of the window around a place, as a share of the shorter side."""
INSIDE = 0.35
"""Share of a place's window that must lie inside the other image."""
STEPS, PRECISION, SMOOTHED = 30, 1e-4, 5
Matrix = NDArray[np.float64]
FAR = 1.5
"""By so much the area that a refined matrix covers may differ from the similarity's."""
_BACK = cv2.WARP_INVERSE_MAP


def refined(matrix: Matrix, contrast: Luma, other: Luma) -> Matrix:
    """An affine matrix near a similarity that lays `other` onto `contrast` best (Evangelidis & Psarakis 2008, ECC).

    The similarity itself where the search does not converge, or ends far from it.
    """
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, PRECISION)
    try:
        _, found = cv2.findTransformECC(
            contrast, other, matrix.astype(np.float32), cv2.MOTION_AFFINE, stop, None, SMOOTHED
        )
    except cv2.error:
        return matrix
    change = float(np.linalg.det(found[:, :2]) / np.linalg.det(matrix[:, :2]))
    return np.asarray(found, np.float64) if 1 / FAR < change < FAR else matrix


def laid_onto(matrix: Matrix, other: Luma, shape: tuple[int, int]) -> tuple[Luma, NDArray[np.bool_]]:
    """`other` where the matrix brings it in an image of this shape, and where it is: [h, w] each."""
    size = (shape[1], shape[0])
    moved = cv2.warpAffine(other, matrix, size, flags=cv2.INTER_LINEAR | _BACK, borderMode=cv2.BORDER_CONSTANT)
    there = cv2.warpAffine(np.ones_like(other), matrix, size, flags=cv2.INTER_NEAREST | _BACK)
    return np.asarray(moved, np.float32), there > 0


def agreement(matrix: Matrix, contrast: Luma, other: Luma) -> NDArray[np.bool_]:
    """Where an image agrees with another one that is laid onto it: [h, w], by correlation within a Gaussian window."""
    moved, there = laid_onto(matrix, other, contrast.shape)
    deviation = WINDOW * min(contrast.shape)

    def total(x: NDArray[np.floating] | NDArray[np.bool_]) -> NDArray[np.float64]:
        blurred = cv2.GaussianBlur(x.astype(np.float64), (0, 0), deviation, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(blurred, np.float64)

    weight = total(there) + 1e-9

    def mean(x: NDArray[np.floating]) -> NDArray[np.float64]:
        return total(x) / weight

    a, b = contrast * there, moved * there
    covariance = mean(a * b) - mean(a) * mean(b)
    variances = (mean(a * a) - mean(a) ** 2) * (mean(b * b) - mean(b) ** 2)
    correlation = covariance / np.sqrt(np.maximum(variances, 0) + 1e-4)
    inside = weight / total(np.ones_like(there))
    return np.asarray(there & (inside > INSIDE) & (correlation > AGREES))
