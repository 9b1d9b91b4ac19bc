"""Statistics against other libraries, literal loops and a published example."""

from dataclasses import astuple

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from dermsynth.statistics.roc import (
    adjust_to_prevalence,
    auc,
    auc_interval,
    balanced_accuracy,
    best_threshold,
    calibration,
    delong_covariance,
    delong_difference,
    delong_interval,
    delong_interval_of_folds,
    holm,
    sensitivity_at,
    specificity_at,
)

Array = NDArray[np.float64]


def sample(seed: int, n: int = 80, shift: float = 1.0, ties: bool = False) -> tuple[NDArray[np.bool_], Array, Array]:
    random = np.random.default_rng(seed)
    truth = np.arange(n) < n // 3
    common = random.normal(size=n)
    scores = [common + shift * truth + random.normal(size=n) for _ in range(2)]
    return truth, *(np.round(s) if ties else s for s in scores)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_the_area_is_that_of_scikit_learn(seed: int, ties: bool) -> None:
    truth, scores, _ = sample(seed, ties=ties)
    assert auc(truth, scores) == pytest.approx(roc_auc_score(truth, scores))


def literal_covariance(truth: NDArray[np.bool_], scores: list[Array]) -> NDArray[np.float64]:
    def psi(x: float, y: float) -> float:
        return 1.0 if x > y else 0.5 if x == y else 0.0

    positive = [np.array([np.mean([psi(x, y) for y in s[~truth]]) for x in s[truth]]) for s in scores]
    negative = [np.array([np.mean([psi(x, y) for x in s[truth]]) for y in s[~truth]]) for s in scores]
    m, n = truth.sum(), (~truth).sum()
    found = np.zeros((len(scores), len(scores)))
    for r in range(len(scores)):
        for q in range(len(scores)):
            areas = positive[r].mean(), positive[q].mean()
            ten = ((positive[r] - areas[0]) * (positive[q] - areas[1])).sum() / (m - 1)
            one = ((negative[r] - areas[0]) * (negative[q] - areas[1])).sum() / (n - 1)
            found[r, q] = ten / m + one / n
    return found


@pytest.mark.parametrize("ties", [False, True])
def test_delongs_covariance_is_that_of_the_equation(ties: bool) -> None:
    truth, first, second = sample(1, ties=ties)
    np.testing.assert_allclose(
        delong_covariance(truth, [first, second]), literal_covariance(truth, [first, second]), rtol=1e-9
    )


def test_delongs_interval_covers_the_truth_and_stays_within_bounds() -> None:
    expected = scipy.stats.norm.cdf(1 / np.sqrt(4))  # difference of two variables of variance 2
    inside = []
    for seed in range(200):
        truth, scores, _ = sample(seed, n=120)
        value, low, high = delong_interval(truth, scores)
        assert 0 <= low <= value <= high <= 1
        inside.append(low <= expected <= high)
    assert 0.9 <= np.mean(inside) <= 0.99
    perfect = np.arange(10) >= 5
    assert delong_interval(perfect, np.arange(10.0)) == (1.0, 1.0, 1.0)


def test_the_paired_test_is_fair_under_the_null_and_sees_a_difference() -> None:
    found = [delong_difference(*sample(seed)).p for seed in range(300)]
    assert 0.02 <= np.mean(np.array(found) < 0.05) <= 0.09
    truth, weak, _ = sample(0, n=400, shift=0.2)
    strong = weak + 2.0 * truth
    difference = delong_difference(truth, weak, strong)
    assert difference.p < 1e-6
    assert difference.low > 0
    same = delong_difference(truth, weak, weak)
    assert (same.value, same.p) == (0, 1)


def test_holms_correction_is_that_of_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="needs statsmodels")
    for seed in range(10):
        p = np.random.default_rng(seed).random(7) ** 3
        assert holm(p.tolist()) == pytest.approx(multitest.multipletests(p, method="holm")[1])
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_operating_points_are_those_of_all_thresholds() -> None:
    truth, scores, _ = sample(3)
    thresholds = np.concatenate([scores, [np.inf]])
    points = [((scores >= t)[truth].mean(), (scores < t)[~truth].mean()) for t in thresholds]
    assert sensitivity_at(truth, scores, 0.8) == max(a for a, b in points if b >= 0.8 - 1e-12)
    assert specificity_at(truth, scores, 0.9) == max(b for a, b in points if a >= 0.9 - 1e-12)
    called = scores >= best_threshold(truth, scores)
    assert balanced_accuracy(truth, called) == pytest.approx(max(a + b for a, b in points) / 2)
    assert balanced_accuracy(truth, called) == pytest.approx(balanced_accuracy_score(truth, called))


def test_calibration_is_nothing_for_true_probabilities_and_all_for_wrong_ones() -> None:
    random = np.random.default_rng(0)
    probabilities = random.random(20_000)
    truth = random.random(20_000) < probabilities
    error, rows = calibration(truth, probabilities)
    assert error < 0.01
    assert len(rows) == 10
    assert sum(n for _, _, n in rows) == 20_000
    assert calibration(np.array([False] * 5), np.ones(5))[0] == 1


def test_probabilities_of_balanced_training_are_moved_to_the_share_that_is_met() -> None:
    random = np.random.default_rng(1)
    truth = random.random(40_000) < 0.1
    x = random.normal(truth * 1.5)
    balanced = expit(1.5 * x - 1.5**2 / 2)  # the posterior where both classes are equally frequent
    assert calibration(truth, balanced)[0] > 0.1
    assert calibration(truth, adjust_to_prevalence(balanced, 0.1))[0] < 0.01
    assert adjust_to_prevalence(balanced, 0.5) == pytest.approx(balanced)
    assert np.isfinite(adjust_to_prevalence(np.array([0.0, 1.0]), 0.2)).all()


def test_the_bootstrap_never_loses_a_side_and_agrees_with_delong() -> None:
    truth, scores, _ = sample(5, n=300)
    low, high = auc_interval(truth, scores, resamples=500, seed=0)
    _, delong_low, delong_high = delong_interval(truth, scores)
    assert low == pytest.approx(delong_low, abs=0.02)
    assert high == pytest.approx(delong_high, abs=0.02)
    few = np.array([True, True, False, False, False, False])
    assert auc_interval(few, np.arange(6.0), resamples=50, seed=0) == (0, 0)


def literal_clustered_variance(truth: NDArray[np.bool_], scores: Array, groups: NDArray[np.int64]) -> float:
    """Obuchowski 1997, equations 5 to 8, with a loop a sum."""
    psi = [[1.0 if x > y else 0.5 if x == y else 0.0 for y in scores[~truth]] for x in scores[truth]]
    positive, negative, area = np.mean(psi, axis=1), np.mean(psi, axis=0), np.mean(psi)
    m, n, names = len(positive), len(negative), np.unique(groups)
    first = [sum(positive[k] - area for k in range(m) if groups[truth][k] == name) for name in names]
    second = [sum(negative[k] - area for k in range(n) if groups[~truth][k] == name) for name in names]
    with_positive, with_negative = len(set(groups[truth])), len(set(groups[~truth]))
    ten = with_positive / ((with_positive - 1) * m) * sum(a * a for a in first)
    one = with_negative / ((with_negative - 1) * n) * sum(b * b for b in second)
    both = len(names) / (len(names) - 1) * sum(a * b for a, b in zip(first, second, strict=True))
    return float(ten / m + one / n + 2 * both / (m * n))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_clustered_images_have_obuchowskis_variance(seed: int, ties: bool) -> None:
    truth, scores, _ = sample(seed, ties=ties)
    groups = np.random.default_rng(seed).permutation(np.arange(80) // 4)
    value, low, high = delong_interval_of_folds([(truth, scores)], [groups])
    freedom = min(len(set(groups[truth])), len(set(groups[~truth]))) - 1
    reach = scipy.stats.t.ppf(0.975, freedom) * np.sqrt(literal_clustered_variance(truth, scores, groups))
    reach /= value * (1 - value)
    middle = np.log(value / (1 - value))
    assert (low, high) == pytest.approx((expit(middle - reach), expit(middle + reach)))


def test_a_person_with_ten_images_counts_once() -> None:
    """Ten equal images of each person: the interval is nearly that of one image each, and DeLong's is a third of it."""
    truth, scores, _ = sample(0)
    one = delong_interval_of_folds([(truth, scores)], [np.arange(80)])
    ten = delong_interval_of_folds([(np.repeat(truth, 10), np.repeat(scores, 10))], [np.repeat(np.arange(80), 10)])
    assert ten == pytest.approx(one)
    blind = delong_interval(np.repeat(truth, 10), np.repeat(scores, 10))
    assert blind[2] - blind[1] < 0.4 * (ten[2] - ten[1])


def test_of_as_few_groups_as_folds_nothing_is_known() -> None:
    truth, scores, _ = sample(1)
    assert delong_interval_of_folds([(truth, scores)], [np.where(truth, 0, np.arange(80))])[1:] == (0.0, 1.0)


def repeated(seed: int, times: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sixty people of two classes and the scores of two classifiers, each person with as many nearly equal images."""
    random = np.random.default_rng(seed)
    truth = np.arange(60) < 25
    first, second = (truth + random.normal(size=60) for _ in range(2))
    noise = random.normal(0, 1e-3, (2, 60 * times))
    return (
        np.repeat(truth, times), np.repeat(first, times) + noise[0], np.repeat(second, times) + noise[1],
        np.repeat(np.arange(60), times),
    )  # fmt: skip


def test_ten_images_of_a_person_count_as_one_in_a_paired_test() -> None:
    truth, first, second, people = repeated(0)
    plain = delong_difference(truth[::10], first[::10], second[::10])
    found = delong_difference(truth, first, second, people)
    assert found.value == pytest.approx(plain.value, abs=0.01)
    assert found.high - found.low == pytest.approx(plain.high - plain.low, rel=0.1)
    blind = delong_difference(truth, first, second)
    assert blind.high - blind.low < 0.5 * (found.high - found.low)
    low, high = auc_interval(truth, first, resamples=400, seed=0, groups=people)
    _, one_low, one_high = delong_interval(truth, first, people)
    assert high - low == pytest.approx(one_high - one_low, rel=0.3)


def test_a_paired_test_of_people_is_wrong_as_often_as_it_says() -> None:
    p = [delong_difference(*repeated(seed)).p for seed in range(200)]
    assert np.mean(np.array(p) < 0.05) < 0.1
    blind = [delong_difference(*repeated(seed)[:3]).p for seed in range(200)]
    assert np.mean(np.array(blind) < 0.05) > 0.3


def test_alone_each_image_is_as_without_groups_and_one_person_of_a_class_tells_nothing() -> None:
    truth, first, second, _ = repeated(1, times=1)
    plain, alone = delong_difference(truth, first, second), delong_difference(truth, first, second, np.arange(60))
    assert alone.high - alone.low == pytest.approx(plain.high - plain.low, rel=0.1)
    one = np.where(truth, 0, np.arange(60))
    assert astuple(delong_difference(truth, first, second, one))[1:] == (-1.0, 1.0, 1.0)
