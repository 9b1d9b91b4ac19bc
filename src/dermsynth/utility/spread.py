"""Where the difference of two arms would lie with other test images, other generators and other trainings of the classifier."""

from typing import NamedTuple

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from scipy.optimize import brentq

from dermsynth.statistics.roc import Array, auc
from dermsynth.utility.material import HeldOut

RESAMPLES = 2000
FEW_REPEATS = 5
"""With fewer repeats the intervals are wide and themselves uncertain."""
MOST_REPEATS = 100
LEAST_P = 1e-12
"""Below this no p is told apart."""


class Scores(NamedTuple):
    """Probabilities of one arm on one test set, [generators, repeats, n]; arms of real images alone have one generator."""

    test: HeldOut
    values: Array

    @property
    def areas(self) -> Array:
        """AUC of every training, [generators, repeats]."""
        return np.array([[auc(self.test.truth, scores) for scores in row] for row in self.values])


class TrainingVariance(NamedTuple):
    """Variance of a mean difference over generators and classifiers trained anew, and the degrees of freedom it is known with.

    `generators` and `seeds` are the variances of one generator, and of one training of the classifier; the former is None where
    there is one generator, or one training of each, and nothing tells the two apart.
    """

    of_mean: float
    freedom: float
    generators: float | None
    seeds: float


def training_variance(differences: Array) -> TrainingVariance:
    """From differences of AUC [generators, repeats], the same repeats (seeds) for every generator.

    Generators and seeds are both drawn at random and crossed: E[mean square of generators] = R v_g + v, of seeds G v_s + v,
    of the rest v (Searle, Casella & McCulloch 1992, Variance Components). The variance of the mean is (MS_g + MS_s -
    MS_rest) / (G R), with Satterthwaite's degrees of freedom. No mean square counts as smaller than that of the rest, which
    it is expected to hold: with two generators MS_g is often near 0 by chance.
    """
    generators, repeats = differences.shape
    if min(generators, repeats) == 1:
        count = generators * repeats
        single = float(differences.var(ddof=1)) if count > 1 else 0.0
        return TrainingVariance(single / count, count - 1, None, single)
    mean = differences.mean()
    rows, columns = differences.mean(axis=1), differences.mean(axis=0)
    of_rows = repeats * float(((rows - mean) ** 2).sum()) / (generators - 1)
    of_columns = generators * float(((columns - mean) ** 2).sum()) / (repeats - 1)
    rest = differences - rows[:, None] - columns + mean
    of_rest = float((rest**2).sum()) / ((generators - 1) * (repeats - 1))
    more, alike = max(of_columns - of_rest, 0.0), max(of_rows, of_rest)
    parts = [alike**2 / (generators - 1)]
    if more:
        parts += [of_columns**2 / (repeats - 1), of_rest**2 / ((generators - 1) * (repeats - 1))]
    total = alike + more
    return TrainingVariance(
        total / (generators * repeats),
        total**2 / sum(parts) if total else generators - 1,
        max(of_rows - of_rest, 0.0) / repeats,
        more / generators + of_rest,
    )


class Variances(NamedTuple):
    """Variances of a difference of mean AUCs: over test images drawn anew, and over trainings."""

    of_tests: float
    training: TrainingVariance

    def reach(self, beyond: float = 0.05) -> float:
        """Half of the interval that a share `beyond` of differences lies outside of.

        Each variance has the quantile of what is known of it: the normal one for test images, of which there are many draws,
        Student's for trainings, of which there are few. Their squares add up, as in modified large-sample intervals of sums of
        variances (Graybill & Wang 1980): of few trainings the quantile of the sum's own degrees of freedom is too small.
        """
        normal, student = scipy.stats.norm.isf(beyond / 2), scipy.stats.t.isf(beyond / 2, self.training.freedom)
        return float(np.hypot(normal * np.sqrt(self.of_tests), student * np.sqrt(self.training.of_mean)))

    def p_value(self, difference: float) -> float:
        """The largest share whose interval about the difference does not reach 0."""
        if self.of_tests + self.training.of_mean == 0:
            return 1.0
        ends = LEAST_P, 1.0
        outside = [abs(difference) - self.reach(end) for end in ends]
        if outside[0] >= 0:
            return LEAST_P
        return 1.0 if outside[1] <= 0 else float(brentq(lambda share: abs(difference) - self.reach(share), *ends))


def paired_difference(
    first: Scores, second: Scores, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float, float]:
    """95 % interval and two-sided p of the difference of mean AUCs, for other test images, generators and seeds of training."""
    return interval_and_p(first, second, variances(first, second, seed, resamples))


def interval_and_p(first: Scores, second: Scores, spread: Variances) -> tuple[float, float, float]:
    """The same from the variances of the difference.

    One training an arm tells nothing of others, however many generators there are: all of them are compared with the one
    training of real images.
    """
    mean = float(second.areas.mean() - first.areas.mean())
    if min(first.values.shape[1], second.values.shape[1]) < 2:
        return mean, mean, 1.0
    reach = spread.reach()
    return max(mean - reach, -1.0), min(mean + reach, 1.0), spread.p_value(mean)


def variances(first: Scores, second: Scores, seed: int, resamples: int = RESAMPLES) -> Variances:
    """Of the difference of mean AUCs; where people are known, they are drawn with all their test images."""
    random, truth = np.random.default_rng(seed), first.test.truth
    positive, negative = np.flatnonzero(truth), np.flatnonzero(~truth)
    people = first.test.rows.people
    if people is None:
        shares = [_multiplicities(random, resamples, len(side)) for side in (positive, negative)]
    else:
        shares = _shares_of_people(random, resamples, people, truth)
    sides = (
        np.mean([_wins(row, positive, negative) for row in side.values.reshape(-1, len(truth))], axis=0)
        for side in (second, first)
    )
    draws = np.einsum("kn,kn->k", shares[0] @ (next(sides) - next(sides)), shares[1])
    return Variances(float(draws.var()), training_variance(second.areas - first.areas))


def _multiplicities(random: np.random.Generator, resamples: int, count: int) -> Array:
    """How often each of `count` items is drawn, as shares, in every resample: [resamples, count]."""
    return random.multinomial(count, np.full(count, 1 / count), resamples) / count


def _shares_of_people(
    random: np.random.Generator, resamples: int, people: NDArray[np.int64], truth: NDArray[np.bool_]
) -> list[Array]:
    """How often each positive and each negative is drawn, as shares of its class, where whole people are drawn.

    Draws without either class are left out.
    """
    count = int(people.max()) + 1
    drawn = random.multinomial(count, np.full(count, 1 / count), resamples)[:, people].astype(np.float64)
    sides = [drawn[:, truth], drawn[:, ~truth]]
    usable = np.all([side.sum(axis=1) > 0 for side in sides], axis=0)
    return [side[usable] / side[usable].sum(axis=1, keepdims=True) for side in sides]


def _wins(scores: Array, positive: NDArray[np.int64], negative: NDArray[np.int64]) -> Array:
    """1 where a positive scores above a negative, one half for ties: [positives, negatives]; its mean is the AUC."""
    difference = scores[positive][:, None] - scores[negative]
    return (np.sign(difference) + 1) / 2


def wanted_repeats(of_tests: float, of_seeds: float) -> tuple[int, float]:
    """Repeats that bring the interval within a quarter of what any number of repeats could reach, and its half width then.

    `of_tests` and `of_seeds` are the variances of a difference over test images drawn anew, and over single repeats.
    """
    limit = 1.25 * float(scipy.stats.norm.ppf(0.975)) * float(np.sqrt(of_tests))
    widths = {count: half_width(of_tests, of_seeds, count) for count in range(FEW_REPEATS, MOST_REPEATS + 1)}
    return next(
        ((count, width) for count, width in widths.items() if width <= limit), (MOST_REPEATS, widths[MOST_REPEATS])
    )


def half_width(of_tests: float, of_seeds: float, repeats: int) -> float:
    """Half of the 95 % interval of a mean difference over `repeats` of one generator."""
    return Variances(of_tests, TrainingVariance(of_seeds / repeats, repeats - 1, None, of_seeds)).reach()
