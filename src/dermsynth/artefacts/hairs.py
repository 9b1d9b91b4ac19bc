"""Hairs, dark and bright: thin lines that go on for a while, and bend."""

import cv2
import numpy as np

from dermsynth.artefacts.lines import LENGTH, Grey, Mask, along_lines, odd

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
    found = np.zeros_like(usable)
    found[width:-width, width:-width] = usable[width:-width, width:-width]
    return found


def _lines(response: Grey, lasting: Grey, least: int, lesion: Mask) -> Mask:
    """Pixels of a line: on a long segment, or beside one and standing out as well.

    What lies in the lesion alone counts where it stands out as no network does, and so do short pieces.
    """
    seeds = lasting >= least
    beside = cv2.dilate(seeds.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & (response >= SPREAD * least)
    count, parts, stats, _ = cv2.connectedComponentsWithStats((seeds | beside).astype(np.uint8))
    sizes = np.maximum(stats[:, 4], 1)
    outside = np.bincount(parts[~lesion], minlength=count) / sizes
    seen = np.bincount(parts[seeds], minlength=count)
    strong = np.bincount(parts[seeds], weights=lasting[seeds], minlength=count) / np.maximum(seen, 1) >= STRONG * least
    extent = np.hypot(stats[:, 2], stats[:, 3]) / min(response.shape)
    kept = (extent >= np.where(strong, SHORT, SMALLEST)) & (strong | (outside >= OUTSIDE))
    kept[0] = False
    found: Mask = kept[parts]
    return found
