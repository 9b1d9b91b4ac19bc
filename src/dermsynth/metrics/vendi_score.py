"""The Vendi score (Friedman & Dieng 2023): how many different images a set holds, whatever it is compared with."""

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from dermsynth.metrics.comparison import Comparison, Extractor, feature_sides
from dermsynth.metrics.estimate import Estimate, Groups, Rows, Sides
from dermsynth.statistics.intervals import jackknife_reach, leave_out_indices


def effective_number(features: NDArray[np.floating]) -> float:
    """exp of the entropy of the eigenvalues of K / n, where K [n, n] holds cosines of features [n, d] (definition 3.1).

    1 where all images are the same, n where no two have anything in common. The eigenvalues of features times themselves are the
    same, but for zeros, which add nothing: the smaller of both matrices is decomposed.
    """
    rows = np.asarray(features, np.float64)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    product = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    values = scipy.linalg.eigvalsh(product / len(rows))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def vendi_between(sides: Sides) -> Estimate:
    """The Vendi score of the synthetic images; the floor is that of half the real ones."""
    sides = sides.require_enough()

    def score(x: Rows, _: Rows) -> float:
        return effective_number(x)

    value = effective_number(sides.synthetic)
    parts = leave_out_indices((len(sides.synthetic), 0), seed=sides.seed)
    reach = float(jackknife_reach(np.array([effective_number(sides.synthetic[rows]) for rows, _ in parts])))
    return sides.estimate("vendi", value, (max(value - reach, 1.0), value + reach), score)


def vendi_estimates(comparison: Comparison) -> list[Estimate]:
    """The Vendi score in an evaluation."""
    return [vendi_between(comparison.features)]


def vendi(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    extractor: Extractor | None = None,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> Estimate:
    """Vendi score: the effective number of different images in a set.

    Parameters
    ----------
    real, synthetic, extractor, seed, white, groups
        As for `dermsynth.metrics.fid`.

    Returns
    -------
    Estimate
        1 or more. Good is near that of real images, at an equal number of images: `floor` and `matched` are so. It does not see
        whether images are like real ones.

    Raises
    ------
    UserError
        As `dermsynth.metrics.fid`.

    References
    ----------
    Friedman & Dieng 2023, "The Vendi score: a diversity evaluation metric for machine learning", definition 3.1 with cosines.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> real, synthetic = np.eye(8)[np.arange(400) % 8], np.eye(8)[np.arange(200) % 2]
    >>> estimate = metrics.vendi(real, synthetic)
    >>> round(estimate.value), round(estimate.floor)
    (2, 8)
    """
    return vendi_between(feature_sides(real, synthetic, extractor, seed, white, groups))
