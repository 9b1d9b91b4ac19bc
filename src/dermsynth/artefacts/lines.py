"""Thin dark or bright lines of any direction: what hairs and rulers are made of."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
TURNS = 12
WIDTH, LENGTH = 0.026, 0.09
"""Greatest width and least length of a line in shares of the image's smaller side."""


def thin_structures(grey: Grey, *, bright: bool, width: int) -> Grey:
    """Black-hat, or for bright ones top-hat, by a disc (Serra 1982): how far what is narrower than `width` px stands out."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    operation = cv2.MORPH_TOPHAT if bright else cv2.MORPH_BLACKHAT
    found: Grey = np.asarray(cv2.morphologyEx(grey, operation, disc), np.uint8)
    return found


def along_lines(response: Grey, length: int) -> Grey:
    """The response where it lasts for `length` px in some direction: specks, dots and rims of blobs vanish.

    The largest of openings by turned line segments (Soille & Talbot 2001).
    """
    found = np.zeros_like(response)
    for segment in segments(length):
        found = cv2.max(found, cv2.morphologyEx(response, cv2.MORPH_OPEN, segment))
    return found


@cache
def segments(length: int) -> tuple[Grey, ...]:
    """Line segments as structuring elements, turned by steps of 15 degrees."""
    found = []
    for turn in range(TURNS):
        angle, half = np.pi * turn / TURNS, (length - 1) / 2
        reach = half * np.array([np.cos(angle), -np.sin(angle)])
        segment = np.zeros((length, length), np.uint8)
        ends = [tuple(int(v) for v in np.rint(half + sign * reach)) for sign in (-1, 1)]
        cv2.line(segment, ends[0], ends[1], 1)
        found.append(segment)
    return tuple(found)


def odd(value: float, least: int = 3) -> int:
    """The nearest odd whole number."""
    return max(least, 2 * round((value - 1) / 2) + 1)
