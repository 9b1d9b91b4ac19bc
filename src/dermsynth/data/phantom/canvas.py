"""The working canvas of a rendering: coordinates, smooth noise, anti-aliased strokes."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
SHIFT = 4
"""OpenCV draws with coordinates in 1/16 pixel."""


@dataclass(frozen=True)
class Canvas:
    """Height and width in working pixels, and the random generator of one image."""

    height: int
    width: int
    generator: np.random.Generator

    @property
    def side(self) -> int:
        """The shorter side: the unit of all lengths."""
        return min(self.height, self.width)

    def blank(self) -> NDArray[np.uint8]:
        """An empty mask."""
        return np.zeros((self.height, self.width), np.uint8)

    def noise(self, cells: float) -> Field:
        """Smooth noise N(0, 1) with about `cells` bumps along the shorter side."""
        rows = max(2, round(cells * self.height / self.side) + 1)
        columns = max(2, round(cells * self.width / self.side) + 1)
        coarse = self.generator.standard_normal((rows, columns), dtype=np.float32)
        return cv2.resize(coarse, (self.width, self.height), interpolation=cv2.INTER_CUBIC)

    def fractal(self, cells: float, octaves: int) -> Field:
        """Noise of several scales, each half as strong as the one before."""
        total = self.noise(cells)
        for octave in range(1, octaves):
            total += self.noise(cells * 2**octave) * 0.5**octave
        return total

    def points(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Relative (x, y), in units of the shorter side from the corner, as OpenCV's fixed-point coordinates."""
        return np.round(points * self.side * 2**SHIFT).astype(np.int32)

    def stroke(self, mask: NDArray[np.uint8], points: NDArray[np.float64], width: float) -> None:
        """Draw an anti-aliased line through relative points with a relative width."""
        thickness = max(1, round(width * self.side))
        cv2.polylines(mask, [self.points(points)], False, 255, thickness, cv2.LINE_AA, SHIFT)

    def disc(self, mask: NDArray[np.uint8], x: float, y: float, radius: float) -> None:
        """Draw an anti-aliased disc."""
        centre = self.points(np.array([x, y]))
        size = max(round(radius * self.side * 2**SHIFT), 2**SHIFT // 2)
        cv2.circle(mask, (int(centre[0]), int(centre[1])), size, 255, -1, cv2.LINE_AA, SHIFT)


def soften(field: NDArray[np.generic], sigma: float) -> Field:
    """Gaussian blur in working pixels."""
    values = np.asarray(field, dtype=np.float32)
    return cv2.GaussianBlur(values, (0, 0), sigma) if sigma > 0.3 else values
