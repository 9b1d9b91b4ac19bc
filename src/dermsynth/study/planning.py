"""How precise a panel is, from its numbers of raters and images."""

from dataclasses import dataclass

import numpy as np
import scipy.stats

from dermsynth.statistics.intervals import LEVEL
from dermsynth.statistics.mixed_model import MARGIN, PanelFit

RATERS_DEVIATION, IMAGES_DEVIATION = 0.3, 0.7
"""Standard deviations of skill between raters, and of images, on the logit scale, assumed where nothing is known."""


@dataclass(frozen=True)
class Precision:
    """Of a panel that guesses: half the 95 % interval of its balanced accuracy, and the power to show equivalence."""

    raters: int
    images: int
    half_width: float
    equivalence_power: float


def panel_precision(
    raters: int, images: int, raters_deviation: float = RATERS_DEVIATION, images_deviation: float = IMAGES_DEVIATION
) -> Precision:
    """Precision of a panel in which every rater sees every image, half of them real.

    The variance of the log-odds is s^2 / raters + t^2 / images + 4 / (raters images): deviations of raters, of images, and
    guessing; `PanelFit.reach` makes the interval of it, so that neither more raters nor more images ever widen it. Equivalence
    is shown if the interval lies within 50 +- 5 %.
    """
    own = 4 / (raters * images)
    error = float(np.sqrt(raters_deviation**2 / raters + images_deviation**2 / images + own))
    fit = PanelFit(0.0, error, 0.0, raters_deviation, 0.0, images_deviation, raters, images, raters * images)
    low, high = fit.interval()
    half = (high - low) / 2
    slope = half / fit.reach(1 - LEVEL)
    room = (MARGIN - half) / (slope * error)
    return Precision(raters, images, half, max(0.0, 2 * float(scipy.stats.norm.cdf(room)) - 1))
