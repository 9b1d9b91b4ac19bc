"""One of several pictures is chosen: sensitivity free of response bias, and a ranking of where the pictures come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats
from numpy.typing import NDArray

from dermsynth.statistics.intervals import LEVEL

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
NODES = 201
"""Points of the integral over the evidence for the right picture."""
PRIOR = 3.0
"""Deviation of the strengths' prior, on the logit scale: a source that is never chosen has a finite strength."""
ENDS = 6.0
"""d' beyond which no share of right choices is told from certainty."""


def share_right(sensitivity: float, alternatives: int) -> float:
    """How often the right one of so many pictures is chosen by somebody who perceives them d' apart.

    The evidence for the right one is normal about d', of the others about 0, and the largest is chosen (Green & Swets 1966).
    """
    points, weights = _nodes()
    return float((weights * scipy.special.ndtr(points + sensitivity) ** (alternatives - 1)).sum())


@cache
def _nodes() -> tuple[Array, Array]:
    """Points and weights for means over a standard normal variable (Gauss & Hermite)."""
    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return points, weights / weights.sum()


def sensitivity(share: float, alternatives: int) -> float:
    """d' of a share of right choices; below 0 where it is less than guessing, at most 6 either way.

    Examples
    --------
    >>> round(sensitivity(0.5, 4), 3)
    0.837
    >>> round(sensitivity(0.76, 2), 3)
    0.999
    """
    if share <= share_right(-ENDS, alternatives):
        return -ENDS
    if share >= share_right(ENDS, alternatives):
        return ENDS
    return float(scipy.optimize.brentq(lambda d: share_right(d, alternatives) - share, -ENDS, ENDS, xtol=1e-9))


@dataclass(frozen=True)
class MeanShare:
    """A share of right choices with its 95 % interval for other raters and other sets, and p of a test that it is `chance`."""

    value: float
    low: float
    high: float
    chance: float
    p: float


def mean_share(right: Array, raters: Codes, sets: Codes, chance: float) -> MeanShare:
    """The share of right answers of several raters to several sets of pictures, which other raters and sets would vary.

    The variance has three parts, between raters, between sets, and of single answers, each with Student's quantile of its own
    degrees of freedom (Banerjee 1960), on the logit scale.

    Parameters
    ----------
    right
        1 or 0 for every answer, shape [n].
    raters, sets
        Who answered, and about which set, numbers from 0, shape [n].
    chance
        The share of somebody who guesses.
    """
    value = float((right.sum() + chance) / (len(right) + 1))
    residuals = (right - right.mean())[:, None]
    reach = float(_reaches(residuals, raters, sets)[0]) / len(right)
    smallest = scipy.stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(value * (1 - value) / len(right))
    half = max(reach, float(smallest)) / (value * (1 - value))
    low, high = scipy.special.expit(scipy.special.logit(value) + np.array([-half, half]))
    low, high = min(low, right.mean()), max(high, right.mean())
    z = (scipy.special.logit(value) - scipy.special.logit(chance)) / half * scipy.stats.norm.ppf((1 + LEVEL) / 2)
    return MeanShare(float(right.mean()), float(low), float(high), chance, float(2 * scipy.stats.norm.sf(abs(z))))


def _reaches(scores: Array, raters: Codes, sets: Codes) -> Array:
    """Half the widths of 95 % intervals of sums of scores [n, k] whose rows of one rater, or of one set, go together, [k]."""
    alone = (scores**2).sum(axis=0)
    squares = scipy.stats.norm.ppf((1 + LEVEL) / 2) ** 2 * alone
    for names in (raters, sets):
        count = int(names.max()) + 1
        if count < 2:
            continue
        sums = np.stack([np.bincount(names, column, minlength=count) for column in scores.T], axis=1)
        shared = count / (count - 1) * (sums**2).sum(axis=0) - alone
        squares = squares + scipy.stats.t.ppf((1 + LEVEL) / 2, count - 1) ** 2 * np.maximum(shared, 0)
    reaches: Array = np.sqrt(squares)
    return reaches


@dataclass(frozen=True)
class Strength:
    """How readily a source's pictures are chosen: log-odds against the reference, 95 % for other raters and sets."""

    source: str
    shown: int
    chosen: int
    value: float
    low: float
    high: float

    @property
    def preferred(self) -> tuple[float, float, float]:
        """How often a picture of it is chosen where one of the reference stands beside it: share, and its 95 % interval."""
        share, low, high = map(float, scipy.special.expit([self.value, self.low, self.high]))
        return share, low, high


def strengths(
    shown: Sequence[Sequence[int]],
    chosen: Sequence[int],
    raters: Codes,
    sets: Codes,
    sources: Sequence[str],
    reference: int,
) -> list[Strength]:
    """Rank sources by which picture of several was chosen (Bradley & Terry 1952; Luce 1959 for more than two).

    A picture of source i is chosen from a set with probability exp(s_i) / sum exp(s_j) over its pictures. The strengths have a
    wide normal prior, and intervals from the scores of raters and of sets.

    Parameters
    ----------
    shown
        Sources of the pictures of every set that was answered, one after the other.
    chosen
        Which of them was chosen, from 0.
    raters, sets
        Who answered, and about which set, numbers from 0, shape [n].
    sources
        Names of the sources.
    reference
        The source that has the strength 0.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.zeros(30, int)
    >>> ranking = strengths([[0, 1]] * 30, [0] * 20 + [1] * 10, one, np.arange(30), ["real", "made"], 0)
    >>> [round(strength.preferred[0], 2) for strength in ranking]
    [0.5, 0.33]
    """
    counts = _counts(shown, len(sources))
    picked = np.zeros_like(counts)
    picked[np.arange(len(chosen)), [row[place] for row, place in zip(shown, chosen, strict=True)]] = 1
    values = scipy.optimize.minimize(
        _loss, np.zeros(len(sources)), args=(counts, picked), jac=True, method="BFGS", options={"gtol": 1e-8}
    ).x
    expected = _expected(values, counts)
    spread = np.asarray(np.linalg.inv(_information(expected) + np.eye(len(sources)) / PRIOR**2), np.float64)
    influences = (picked - expected) @ spread
    contrasts = influences - influences[:, [reference]]
    reaches = np.maximum(_reaches(contrasts, raters, sets), _posterior_reaches(spread, reference))
    relative = values - values[reference]
    return [
        Strength(name, int(counts[:, i].sum()), int(picked[:, i].sum()), float(v), float(v - r), float(v + r))
        for i, (name, v, r) in enumerate(zip(sources, relative, reaches, strict=True))
    ]


def _posterior_reaches(spread: Array, reference: int) -> Array:
    """Half the widths of 95 % intervals by the posterior's curvature: what scores cannot say of a source that is never chosen."""
    own = np.diag(spread) + spread[reference, reference] - 2 * spread[reference]
    reaches: Array = scipy.stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(np.maximum(own, 0))
    return reaches


def _counts(shown: Sequence[Sequence[int]], sources: int) -> Array:
    """How many pictures of each source every set shows, [n, sources]."""
    return np.stack([np.bincount(row, minlength=sources) for row in shown]).astype(float)


def _expected(values: Array, counts: Array) -> Array:
    """The probability that a picture of each source is chosen from every set, [n, sources]."""
    odds = counts * np.exp(values - values.max())
    expected: Array = odds / odds.sum(axis=1, keepdims=True)
    return expected


def _loss(values: Array, counts: Array, picked: Array) -> tuple[float, Array]:
    """Minus the log-likelihood and the log prior, and its gradient."""
    expected = _expected(values, counts)
    chosen = np.log(np.maximum((expected * picked).sum(axis=1), 1e-300)) - np.log((counts * picked).sum(axis=1))
    return float(-chosen.sum() + (values**2).sum() / (2 * PRIOR**2)), (expected - picked).sum(
        axis=0
    ) + values / PRIOR**2


def _information(expected: Array) -> Array:
    """Second derivatives of minus the log-likelihood."""
    information: Array = np.diag(expected.sum(axis=0)) - expected.T @ expected
    return information
