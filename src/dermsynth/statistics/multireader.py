"""Areas under ROC curves of several readers on the same cases (Obuchowski & Rockette 1995), for other readers and other cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy.special
import scipy.stats
from numpy.typing import NDArray

from dermsynth.statistics.intervals import LEVEL
from dermsynth.statistics.roc import placements

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Components:
    """Variances and covariances of the reader's areas: what a study of other readers and cases is planned with.

    Attributes
    ----------
    readers, interaction
        Variance between readers, and of what conditions do to single readers. Estimates of analysis of variance: they may be
        negative.
    error
        Variance of one area by the choice of cases.
    same_reader, same_condition, neither
        Covariances of two areas by the same cases: of one reader in two conditions, of two readers in one condition, of two
        readers in two conditions (Cov1, Cov2 and Cov3 of the paper).
    """

    readers: float
    interaction: float
    error: float
    same_reader: float
    same_condition: float
    neither: float


@dataclass(frozen=True)
class ConditionArea:
    """Mean area of all readers in one condition, and its 95 % interval for other readers and cases."""

    condition: str
    area: float
    low: float
    high: float
    each: tuple[float, ...]


@dataclass(frozen=True)
class AreaDifference:
    """First condition minus second: 95 % interval and p for other readers and cases."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Multireader:
    """Areas by condition, their differences, and the test that all conditions have one area (no test of one condition)."""

    readers: int
    cases: int
    areas: tuple[ConditionArea, ...]
    differences: tuple[AreaDifference, ...]
    f: float | None
    freedom: float | None
    p: float | None
    components: Components | None


def compare_readers(ratings: Array, truth: Mask, conditions: Sequence[str]) -> Multireader:
    """Compare conditions (ways to see cases, or sets of cases) by the areas of readers who judged in all of them.

    Readers and cases are both random: the result is about others of their kind. With one condition there is its area alone.

    Parameters
    ----------
    ratings
        Higher speaks for a positive case, shape [conditions, readers, cases]; NaN where a case was not rated.
    truth
        Which cases are positive, shape [cases].
    conditions
        Their names.

    Raises
    ------
    ValueError
        For fewer than two readers, and for a reader who rated fewer than two positive or negative cases in a condition.

    References
    ----------
    Obuchowski & Rockette 1995, Hypothesis testing of diagnostic accuracy for multiple readers and multiple tests.
    Hillis 2007, A comparison of denominator degrees of freedom for multiple observer ROC analysis: the degrees of freedom.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([False, False, False, True, True, True])
    >>> ratings = np.array([[[1, 2, 3, 2, 4, 5], [1, 3, 2, 3, 3, 4]], [[1, 1, 4, 3, 5, 5], [2, 1, 2, 1, 4, 4]]], float)
    >>> result = compare_readers(ratings, truth, ["first", "second"])
    >>> [round(area.area, 3) for area in result.areas], round(result.p, 2)
    ([0.861, 0.806], 0.7)
    """
    count, readers, _ = ratings.shape
    if readers < 2:
        raise ValueError(f"{readers} reader rated images of both kinds in every condition, at least two are needed")
    areas, influences = _areas(ratings, truth)
    covariance = _covariance(influences)
    fewest = int(min(truth.sum(), (~truth).sum()))
    singles = tuple(
        _condition(name, areas[t], covariance[t, :, t, :], fewest) for t, name in enumerate(conditions)
    )  # fmt: skip
    if count < 2:
        return Multireader(readers, len(truth), singles, (), None, None, None, None)
    components = _components(areas, covariance)
    scale, freedom = _error_term(areas, components)
    spread = float(readers * areas.mean(axis=1).var(ddof=1))
    f = spread / scale if scale > 0 else 0.0 if spread == 0 else float("inf")
    p = float(scipy.stats.f.sf(f, count - 1, freedom))
    differences = tuple(
        _difference(singles[a], singles[b], float(np.sqrt(2 / readers * scale)), freedom)
        for a, b in combinations(range(count), 2)
    )
    return Multireader(readers, len(truth), singles, differences, f, freedom, p, components)


def _areas(ratings: Array, truth: Mask) -> tuple[Array, Array]:
    """Areas [conditions, readers], and what leaving each case out adds to them [conditions, readers, cases].

    Without positive case i of m the area is (m A - V_i) / (m - 1), where V_i is the share of negatives that it beats, and
    likewise without a negative one: the jackknife needs no recomputation.
    """
    areas, influences = np.empty(ratings.shape[:2]), np.zeros_like(ratings)
    for place in np.ndindex(areas.shape):
        rated = ~np.isnan(ratings[place])
        of_positives, of_negatives = np.flatnonzero(rated & truth), np.flatnonzero(rated & ~truth)
        if min(len(of_positives), len(of_negatives)) < 2:
            raise ValueError("a reader rated fewer than two real or two synthetic images in a condition")
        positive, negative = placements(truth[rated], ratings[place][rated])
        areas[place] = positive.mean()
        influences[place][of_positives] = (areas[place] - positive) / (len(positive) - 1)
        influences[place][of_negatives] = (areas[place] - negative) / (len(negative) - 1)
    return areas, influences


def _covariance(influences: Array) -> Array:
    """Jackknife covariance of all areas by the choice of cases, [conditions, readers, conditions, readers]."""
    cases = influences.shape[2]
    covariance: Array = (cases - 1) / cases * np.einsum("trc,usc->trus", influences, influences)
    return covariance


def _components(areas: Array, covariance: Array) -> Components:
    """Means of the covariances of each kind, and the rest of the mean squares (Hillis et al. 2005, table 1)."""
    count, readers = areas.shape
    same_condition, same_reader = (
        np.eye(count, dtype=bool)[:, None, :, None],
        np.eye(readers, dtype=bool)[None, :, None, :],
    )
    error, first, second, third = (
        float(covariance[np.broadcast_to(kind, covariance.shape)].mean())
        for kind in (
            same_condition & same_reader, ~same_condition & same_reader, same_condition & ~same_reader, ~same_condition &
            ~same_reader,
        )
    )  # fmt: skip
    of_readers, both = _mean_squares(areas)
    interaction = both - error + first + (second - third)
    return Components((of_readers - both) / count - first + third, interaction, error, first, second, third)


def _mean_squares(areas: Array) -> tuple[float, float]:
    """Of readers, and of conditions by readers."""
    count, readers = areas.shape
    means = areas.mean(axis=0)
    rest = areas - means - areas.mean(axis=1, keepdims=True) + areas.mean()
    return float(count * means.var(ddof=1)), float((rest**2).sum() / ((count - 1) * (readers - 1)))


def _error_term(areas: Array, components: Components) -> tuple[float, float]:
    """What the mean square of conditions is compared with, and its degrees of freedom (Hillis 2007, equation 11)."""
    count, readers = areas.shape
    _, both = _mean_squares(areas)
    scale = both + readers * max(components.same_condition - components.neither, 0.0)
    freedom = (count - 1) * (readers - 1) * (scale / both) ** 2 if both > 0 else float("inf")
    return scale, freedom


def _condition(name: str, areas: Array, covariance: Array, fewest: int) -> ConditionArea:
    """Mean area of the readers, from the mean square of readers and the covariance between readers of this condition alone.

    Where all cases agree there is no variance to estimate: the interval then goes as far as the exact one of a share of 0 or 1
    in the smaller class of cases, `fewest`.
    """
    readers = len(areas)
    square = float(areas.var(ddof=1))
    shared = max(float(covariance[~np.eye(readers, dtype=bool)].mean()), 0.0)
    scale = square + readers * shared
    freedom = (readers - 1) * (scale / square) ** 2 if square > 0 else float("inf")
    reach = float(_quantile(freedom) * np.sqrt(scale / readers))
    if reach == 0:
        reach = 1 - float(scipy.stats.beta.ppf((1 - LEVEL) / 2, fewest, 1))
    mean = float(areas.mean())
    return ConditionArea(name, mean, max(mean - reach, 0.0), min(mean + reach, 1.0), tuple(map(float, areas)))


def _difference(first: ConditionArea, second: ConditionArea, deviation: float, freedom: float) -> AreaDifference:
    difference = first.area - second.area
    if deviation == 0:  # nothing varies, so nothing is known of other cases but what each area's interval says
        reach = first.high - first.low + second.high - second.low
        return AreaDifference(
            first.condition, second.condition, difference, difference - reach, difference + reach, 1.0
        )
    reach = _quantile(freedom) * deviation
    p = float(2 * scipy.stats.t.sf(abs(difference) / deviation, freedom))
    return AreaDifference(first.condition, second.condition, difference, difference - reach, difference + reach, p)


def _quantile(freedom: float) -> float:
    return float(scipy.stats.t.ppf((1 + LEVEL) / 2, freedom))


def power(components: Components, difference: float, readers: int, cases: int, pilot_cases: int) -> float:
    """The chance to find a difference of two areas in a study of so many readers and cases, at the 5 % level.

    Covariances shrink as cases grow, variances between readers do not (Hillis, Obuchowski & Berbaum 2011, equations 4 to 7).

    Parameters
    ----------
    components
        Of a pilot study, or of one in the literature.
    difference
        Of the areas of two conditions, 0 to 1.
    readers, cases
        Of the study to plan.
    pilot_cases
        Cases of the study that the components are from; the share of positives must be the same.
    """
    shrink = pilot_cases / cases
    interaction = max(components.interaction, 0.0)
    alone = shrink * (components.error - components.same_reader)
    shared = shrink * max(components.same_condition - components.neither, 0.0)
    scale = interaction + alone + (readers - 1) * shared
    single = interaction + alone - shared
    freedom = (readers - 1) * (scale / single) ** 2 if single > 0 else 1e9
    distance = readers * difference**2 / 2 / scale
    critical = scipy.stats.f.ppf(LEVEL, 1, freedom)
    return float(1 - scipy.special.ncfdtr(1, freedom, distance, critical))
