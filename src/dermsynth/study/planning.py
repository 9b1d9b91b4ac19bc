"""How precise a panel is, and what a comparison of conditions can find, from their numbers of raters and images."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.stats
from pydantic import ValidationError

from dermsynth.errors import UserError
from dermsynth.io import read_json
from dermsynth.statistics.intervals import LEVEL
from dermsynth.statistics.mixed_model import MARGIN, PanelFit
from dermsynth.statistics.multireader import Components, power
from dermsynth.study.results import StudyResult

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


def area_power(pilot: Path, difference: float, raters: int, images: int) -> float:
    """The chance that a study of so many raters and images finds this difference of two areas under ROC curves.

    Deviations are those of a pilot study, from its `report.json`.

    Raises UserError for a difference that is none, and for a file without areas of two conditions.
    """
    if not 0 < difference < 1:
        raise UserError(f"`difference` {difference:g}: of two areas, above 0 and below 1")
    components, cases = _pilot(pilot)
    return power(components, difference, raters, images, cases)


@cache
def _pilot(path: Path) -> tuple[Components, int]:
    path = path / "report.json" if path.is_dir() else path
    try:
        areas = StudyResult.model_validate(read_json(path)).areas
    except ValidationError as error:
        raise UserError(
            f"`pilot` {path}: no report.json of dermsynth study report on images shown one at a time"
        ) from error
    if areas is None or areas.components is None or areas.components.error <= 0:
        raise UserError(
            f"`pilot` {path}: has no areas of two conditions; it needs answers with a certainty, by raters who saw both "
            "conditions"
        )
    return areas.components, areas.cases
