"""Thin dark or bright lines of any direction: what hairs and rulers are made of."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
TURNS = 12
WIDTH, LENGTH = 0.026, 0.09
"""Greatest width and least length of a line in shares of the image's smaller side."""


def thin_structures(grey: Grey, *, bright: bool, width: int) -> Grey:
    """Black-hat, or for bright ones top-hat, by a disc (Serra 1982): how far what is narrower than `width` px stands out."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    operation = cv2.MORPH_TOPHAT if bright else cv2.MORPH_BLACKHAT
    response: Grey = np.asarray(cv2.morphologyEx(grey, operation, disc), np.uint8)
    return response


def along_lines(response: Grey, length: int) -> Grey:
    """The response where it lasts for `length` px in some direction: specks, dots and rims of blobs vanish.

    The largest of openings by turned line segments (Soille & Talbot 2001).
    """
    strongest = np.zeros_like(response)
    for segment in segments(length):
        strongest = cv2.max(strongest, cv2.morphologyEx(response, cv2.MORPH_OPEN, segment))
    return strongest


@cache
def segments(length: int) -> tuple[Grey, ...]:
    """Line segments as structuring elements, turned by steps of 15 degrees."""
    segments = []
    for turn in range(TURNS):
        angle, half = np.pi * turn / TURNS, (length - 1) / 2
        reach = half * np.array([np.cos(angle), -np.sin(angle)])
        segment = np.zeros((length, length), np.uint8)
        ends = [tuple(int(v) for v in np.rint(half + sign * reach)) for sign in (-1, 1)]
        cv2.line(segment, ends[0], ends[1], 1)
        segments.append(segment)
    return tuple(segments)


def odd(value: float, least: int = 3) -> int:
    """The nearest odd whole number."""
    return max(least, 2 * round((value - 1) / 2) + 1)


DARK, BRIGHT = 9, 22
"""How far dark and bright lines must stand out, in grey levels."""
FAINT_DARK, FAINT_BRIGHT = 6, 14
"""The same for the score, which counts doubtful lines too."""
SPREAD, SMALLEST, OUTSIDE = 0.5, 0.2, 0.3
"""Share of that for pixels beside a line, least extent in shares of the image's smaller side, least share outside the lesion."""

STRONG, SHORT = 2.5, 0.1
"""How many times the least a line must stand out to count inside the lesion and when short, and its least extent then."""
BORDER = 0.012
"""Width of the image's border that is left out, in shares of the smaller side."""


def hair(dark: Grey, bright: Grey, usable: Mask, lesion: Mask) -> tuple[Mask, float]:
    """Hairs among thin dark and bright structures, and the share of the image that lines outside the lesion cover.

    Lines that lie in the lesion alone are its pigment network.
    """
    side = min(dark.shape)
    usable = _inside(usable, max(2, round(BORDER * side)))
    mask, score = np.zeros_like(usable), np.zeros_like(usable)
    for response, least, faint in ((dark, DARK, FAINT_DARK), (bright, BRIGHT, FAINT_BRIGHT)):
        lasting = along_lines(np.where(usable, response, 0).astype(np.uint8), odd(LENGTH * side))
        mask |= _lines(response, lasting, least, lesion) & usable
        score |= (lasting > faint) & ~lesion
    return mask, float(score.mean())


def _inside(usable: Mask, width: int) -> Mask:
    """Without the image's border, where cut frames leave lines."""
    inner = np.zeros_like(usable)
    inner[width:-width, width:-width] = usable[width:-width, width:-width]
    return inner


def _lines(response: Grey, lasting: Grey, least: int, lesion: Mask) -> Mask:
    """Pixels of a line: on a long segment, or beside one and standing out as well.

    What lies in the lesion alone counts where it stands out as no network does, and so do short pieces.
    """
    seeds = lasting >= least
    beside = cv2.dilate(seeds.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & (response >= SPREAD * least)
    count, parts, stats, _ = cv2.connectedComponentsWithStats((seeds | beside).astype(np.uint8))
    sizes = np.maximum(stats[:, 4], 1)
    outside = np.bincount(parts[~lesion], minlength=count) / sizes
    support = np.bincount(parts[seeds], minlength=count)
    strong = (
        np.bincount(parts[seeds], weights=lasting[seeds], minlength=count) / np.maximum(support, 1) >= STRONG * least
    )
    extent = np.hypot(stats[:, 2], stats[:, 3]) / min(response.shape)
    lines = (extent >= np.where(strong, SHORT, SMALLEST)) & (strong | (outside >= OUTSIDE))
    lines[0] = False
    mask: Mask = lines[parts]
    return mask


Profile = NDArray[np.float64]
OUTSTANDING = 8
"""Grey levels by which lines and marks stand out."""
SHORTEST, LONGEST_MARK, GAP = 0.22, 0.05, 0.03
"""Least length of a base line, reach of its marks, and greatest gap of a line, in shares of the image's smaller side."""
CANDIDATES, LAGS = 12, (3, 28)
REGULAR, FAINTEST = 0.3, 0.6
MARKS, STANDING, BETWEEN, BEYOND, PEAK = 5, 4.0, 8.0, 9.0, 0.35
"""Least number of marks and least deviation of their profile, most that may stand out between marks and beyond their ends, in
grey levels, and least height of a mark in shares of the highest."""
UNMARKED = 0.5
"""A line whose marks are not told as such keeps this share of its score."""


def ruler(dark: Grey, usable: Mask) -> tuple[Mask, float]:
    """A ruler's base line with its marks among thin dark structures, and how regular the marks and how whole the line is, 0 to 1.

    Straight lines are found by the probabilistic Hough transform (Matas et al. 2000); beside each the marks are looked for as
    a peak of the autocorrelation of what stands out along it.
    """
    side = min(dark.shape)
    darkness = np.where(usable, dark, 0).astype(np.uint8)
    strong = ((darkness > OUTSTANDING) * 255).astype(np.uint8)
    length, reach = SHORTEST * side, max(4, round(LONGEST_MARK * side / 2))
    lines = cv2.HoughLinesP(strong, 1, np.pi / 180, int(length * 0.6), minLineLength=length, maxLineGap=GAP * side)
    best, best_sign, score = None, 1, 0.0
    for ends in [] if lines is None else _longest(lines.reshape(-1, 4).astype(float)):
        drawn = float((_along(darkness, ends, np.zeros(1)) > OUTSTANDING).mean())
        for sign in (-1, 1):
            profile = _along(darkness, ends, sign * np.arange(2.0, reach + 1))
            regular = (0.5 + 0.5 * drawn) * regularity(profile)
            if regular > score and not _are_marks(
                profile, _along(darkness, ends, sign * np.arange(reach + 1.0, 2 * reach + 1))
            ):
                regular *= UNMARKED
            if regular > score:
                best, best_sign, score = ends, sign, regular
    if best is None or score < REGULAR:
        return np.zeros_like(usable), score
    corridor = np.zeros_like(darkness)
    normal = _normal(best) * best_sign
    corners = [best[:2] - 2 * normal, best[2:] - 2 * normal, best[2:] + reach * normal, best[:2] + reach * normal]
    cv2.fillConvexPoly(corridor, np.rint(corners).astype(np.int32), 1)
    least = max(OUTSTANDING, FAINTEST * float(np.median(darkness[(corridor > 0) & (darkness > OUTSTANDING)])))
    return (corridor > 0) & (darkness > least), score


def _longest(lines: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.hypot(lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1])
    longest: NDArray[np.float64] = lines[np.argsort(-lengths)[:CANDIDATES]]
    return longest


def _normal(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = (ends[2:] - ends[:2]) / np.hypot(*(ends[2:] - ends[:2]))
    return np.array([-y, x])


def _along(darkness: Grey, ends: NDArray[np.float64], offsets: NDArray[np.float64]) -> Profile:
    """What stands out at some distances from a line, on the mean, pixel by pixel along it."""
    along = ends[2:] - ends[:2]
    length = float(np.hypot(*along))
    unit = along / length
    places = ends[:2] + np.arange(int(length) + 1)[:, None] * unit
    points = places[:, None] + offsets[:, None] * _normal(ends)
    values = ndimage.map_coordinates(darkness, points.transpose(2, 0, 1)[::-1], order=1, output=np.float64)
    return np.asarray(values.mean(axis=1))


def _are_marks(profile: Profile, beyond: Profile) -> bool:
    """Whether several marks stand out, with skin between them and beyond their ends: a hair or a network has neither."""
    smooth = ndimage.gaussian_filter1d(profile, 1)
    inner = smooth[1:-1]
    peaks = (inner >= smooth[:-2]) & (inner > smooth[2:]) & (inner > PEAK * smooth.max())
    clear = np.percentile(profile, 15) <= BETWEEN and beyond.mean() <= BEYOND
    return bool(peaks.sum() >= MARKS and profile.std() > STANDING and clear)


def regularity(profile: Profile) -> float:
    """The highest peak of a profile's autocorrelation away from zero, between two lags: near 1 for marks at equal distances."""
    if len(profile) < 2 * LAGS[0] + 2 or profile.std() < 1:
        return 0.0
    smooth = profile - ndimage.uniform_filter1d(profile, 31)
    total = float((smooth**2).sum())
    last = min(LAGS[1], len(smooth) // 3)
    lags = np.arange(1, last + 1)
    values = np.correlate(smooth, smooth, "full")[len(smooth) : len(smooth) + last] * len(smooth) / (len(smooth) - lags)
    inner = values[1:-1]
    peaks = inner[(inner >= values[:-2]) & (inner >= values[2:]) & (lags[1:-1] >= LAGS[0])]
    return float(peaks.max(initial=0.0)) / total if total > 0 else 0.0
