"""How far apart two sets are in features that a dermatologist has names for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from dermsynth.metrics.clinical_features import COMPARED, NAMES, TONE, measure_appearance
from dermsynth.metrics.comparison import Comparison, image_sides
from dermsynth.metrics.estimate import MINIMUM, Estimate, Groups, Sides
from dermsynth.metrics.frechet import frechet_distance

Array = NDArray[np.float64]


def appearance_between(sides: Sides, resamples: int) -> list[Estimate]:
    """Frechet distance of named features [n, 13] in units of the real set's deviations, then every feature alone.

    Alone a feature's estimate is the standardised difference of means, synthetic minus real (Cohen 1988, with the real
    deviation): its sign tells which way the synthetic set is off. The skin tone is not part of the distance, for many images
    have none; alone it is that of the images whose tone could be measured: its mean, and its whole distribution.
    """
    columns = list(COMPARED)
    whole = sides.with_rows(sides.synthetic[:, columns], sides.real[:, columns]).require_enough()
    distance = _standardise(whole).bootstrap_estimate(
        "appearance_distance", frechet_distance, resamples=resamples, least=0.0
    )
    alone = [_feature_alone(sides, column, resamples) for column in range(len(NAMES))]
    others = [*alone, _tone_distance(sides, resamples)]
    return [distance, *(estimate for estimate in others if estimate is not None)]


def _measured(sides: Sides, column: int) -> Sides | None:
    """One feature of the images that have it; None of too few."""
    kept = [np.isfinite(side[:, column]) for side in (sides.synthetic, sides.real)]
    if min(rows.sum() for rows in kept) < MINIMUM:
        return None
    synthetic, real = sides.synthetic[kept[0], column : column + 1], sides.real[kept[1], column : column + 1]
    return sides.with_rows(synthetic, real, kept[1])


def _tone_distance(sides: Sides, resamples: int) -> Estimate | None:
    """Wasserstein distance of the typology angles of both sets, in degrees: mean and spread, light and dark ends alike."""
    tones = _measured(sides, TONE)
    if tones is None:
        return None

    def distance(x: Array, y: Array) -> float:
        return float(wasserstein_distance(x[:, 0], y[:, 0]))

    return tones.bootstrap_estimate("skin_tone_distance", distance, resamples=resamples, least=0.0)


def _feature_alone(sides: Sides, column: int, resamples: int) -> Estimate | None:
    """Difference of means of one feature, over the images that have it; None of too few."""
    measured = _measured(sides, column)
    if measured is None:
        return None

    def difference(x: Array, y: Array) -> float:
        return float(x.mean() - y.mean())

    name = NAMES[column].replace("_", " ")
    return _standardise(measured).bootstrap_estimate(
        "appearance_difference", difference, resamples=resamples, part=name
    )


def _standardise(sides: Sides) -> Sides:
    """Both sides in the real set's deviations."""
    centre, scale = sides.real.mean(axis=0), sides.real.std(axis=0)
    scale = np.where(scale > 1e-6, scale, np.inf)  # a feature that does not vary tells nothing
    return sides.with_rows((sides.synthetic - centre) / scale, (sides.real - centre) / scale)


def appearance_estimates(comparison: Comparison) -> list[Estimate]:
    """Named features in an evaluation."""
    return appearance_between(comparison.appearance, comparison.effort.mean_resamples)


def appearance_distances(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    resamples: int = 500,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> list[Estimate]:
    """How far apart two sets are in asymmetry, border, colours, diameter, contrast, texture and skin tone.

    Parameters
    ----------
    real, synthetic : ndarray
        Images of one size, uint8 [n, h, w, 3], whose lesions are found by their colour, in both sets alike. At least 50 of
        each in which one is found.
    resamples : int
        Resamples of the bootstrap that gives the intervals.
    seed : int
        Seed of the bootstrap and of the halves of the floor.
    white : float, optional
        The value of white (1 or 255), for images that are not uint8.
    groups : ndarray, optional
        Patient or lesion of every real image, [m]: the interval then counts these, not images, and none lies in both halves of
        the floor.

    Returns
    -------
    list of Estimate
        `appearance_distance`, the Frechet distance of twelve features in the real set's deviations (lower is better), then
        `appearance_difference` of each feature (`part`): synthetic minus real mean, in deviations of the real images; good
        is near 0, and below 0.2 is small; at last `skin_tone_distance`, the Wasserstein distance of the individual typology
        angles in degrees (lower is better), where 50 images a side have one.

    Raises
    ------
    UserError
        For images that are not uint8, sizes that differ, and fewer than 50 images a side in which a lesion was found.

    References
    ----------
    Stolz et al. 1994 (the ABCD rule); Cohen 1988, "Statistical power analysis for the behavioral sciences", equation 2.5.1.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> y, x = np.indices((32, 32)) - 15.5
    >>> def spots(radii):
    ...     discs = np.hypot(y, x) < radii[:, None, None]
    ...     return np.where(discs[..., None], (90, 60, 50), (220, 180, 160)).astype(np.uint8)
    >>> random = np.random.default_rng(0)
    >>> estimates = metrics.appearance_distances(
    ...     spots(random.uniform(6, 9, 60)), spots(random.uniform(8, 11, 60)), resamples=20
    ... )
    >>> {e.part: e.value > 1 for e in estimates}["diameter share"]
    True
    """
    sides = image_sides(real, synthetic, seed, white, groups)
    rows = [
        np.array([measure_appearance(image) for image in side], np.float64) for side in (sides.synthetic, sides.real)
    ]
    found = [np.asarray(np.isfinite(side[:, list(COMPARED)]).all(axis=1)) for side in rows]
    return appearance_between(sides.with_rows(rows[0][found[0]], rows[1][found[1]], found[1]), resamples)
