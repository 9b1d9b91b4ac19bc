"""Figures of copying against literal transcriptions, planted copies, and sets of one distribution."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_curve

from dermsynth.metrics.copying import (
    GAP_RATIO,
    ThreeSets,
    authentic_share,
    copy_test,
    distance_ratio,
    gap_ratios,
    gate_threshold,
    membership_auc,
    memorised_share,
    negative_distances,
    sure_members_of,
    true_positive_rate,
    z_statistic,
)
from dermsynth.statistics.intervals import percentile_bootstrap

Array = NDArray[np.float64]


def sets(seed: int, *sizes: int, dimensions: int = 6) -> list[Array]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(n, dimensions)) for n in sizes]


def test_authenticity_is_that_of_its_definition() -> None:
    synthetic, training = sets(0, 40, 60)
    across, within = cdist(synthetic, training), cdist(training, training)
    np.fill_diagonal(within, np.inf)
    copied = [across[i].min() < within[across[i].argmin()].min() for i in range(40)]
    assert authentic_share(synthetic, training) == pytest.approx(1 - np.mean(copied))
    assert authentic_share(training[:20], training) == 0


def test_the_memorised_share_is_that_of_its_definition_and_counts_planted_copies() -> None:
    synthetic, training = sets(0, 40, 60, dimensions=2)
    two = np.sort(cdist(synthetic, training), axis=1)[:, :2]
    ratios = two[:, 0] / two[:, 1]
    assert 0 < (ratios < GAP_RATIO).sum() < 40
    assert gap_ratios(synthetic, training) == pytest.approx(ratios)
    assert memorised_share(synthetic, training) == pytest.approx((ratios < GAP_RATIO).mean())
    high, training = sets(1, 30, 200)
    copies = np.concatenate([training[:10] + 1e-3, high])
    assert memorised_share(copies, training) - 0.25 == pytest.approx(0.75 * memorised_share(high, training))
    assert memorised_share(training[:10], np.concatenate([training, training])) == 0, "two photographs hide a copy"


def test_true_positives_at_few_errors_are_those_of_the_roc_curve() -> None:
    random = np.random.default_rng(0)
    members, others = random.normal(1, 1, 300), random.normal(size=200)
    truth = np.arange(500) < 300
    false, true, _ = roc_curve(truth, np.concatenate([members, others]), drop_intermediate=False)
    for rate in (0.01, 0.05, 0.005, 0.2):
        assert true_positive_rate(members, others, rate) == pytest.approx(true[false <= rate].max())
    assert true_positive_rate(others, others, 0.01) == pytest.approx(0.01)
    assert true_positive_rate(np.ones(5), np.ones(100), 0.01) == 0, "a score that tells nothing tells nobody"


@pytest.mark.parametrize(("held_out", "parts"), [(99, []), (100, ["1 %"]), (1000, ["1 %", "0.1 %"])])
def test_few_held_out_images_tell_no_small_rates(held_out: int, parts: list[str]) -> None:
    synthetic, training, others = sets(4, 200, 150, held_out)
    estimates = sure_members_of(ThreeSets(synthetic, training, others), 50)
    assert [estimate.part for estimate in estimates] == parts
    assert all(estimate.low <= estimate.value <= estimate.high for estimate in estimates)
    assert [estimate.without for estimate in estimates] == [0.01, 0.001][: len(parts)]
    copied = sure_members_of(ThreeSets(training + 1e-3, training, others), 50)
    assert [round(estimate.value, 2) for estimate in copied] == [1.0] * len(parts)


def test_the_distance_ratio_is_one_for_one_distribution_and_small_for_copies() -> None:
    synthetic, training, held_out = sets(1, 400, 300, 300)
    assert distance_ratio(synthetic, training, held_out, seed=0) == pytest.approx(1, abs=0.05)
    near = training[:200] + np.random.default_rng(0).normal(0, 0.1, (200, 6))
    assert distance_ratio(near, training, held_out, seed=0) < 0.3


def test_a_z_statistic_counts_pairs() -> None:
    random = np.random.default_rng(2)
    made, kept = random.integers(0, 9, 25).astype(float), random.integers(0, 9, 31).astype(float)
    u = sum(float(a > b) + 0.5 * float(a == b) for a in made for b in kept)
    ranks = np.unique(np.concatenate([made, kept]), return_counts=True)[1]
    n, m = 25, 31
    variance = n * m / 12 * (n + m + 1 - (ranks**3 - ranks).sum() / ((n + m) * (n + m - 1)))
    assert z_statistic(made, kept) == pytest.approx((u - n * m / 2) / np.sqrt(variance))
    assert z_statistic(np.zeros(5), np.zeros(5)) == 0


def test_the_copy_test_is_normal_under_the_null_and_far_below_for_copies() -> None:
    values = [copy_test(*sets(s, 300, 300, 300), cells=1, resamples=2, seed=s).value for s in range(40)]
    assert abs(np.mean(values)) < 0.5
    assert 0.7 < np.std(values) < 1.35
    _, training, held_out = sets(3, 1, 400, 400)
    noise = np.random.default_rng(0).normal(0, 0.05, training.shape)
    found = copy_test(training + noise, training, held_out, seed=0)
    assert found.low < found.value < found.high < -5
    assert copy_test(held_out + 3, training, held_out, cells=1, resamples=2, seed=0).value > 5


def test_the_copy_test_weights_cells_by_held_out_images() -> None:
    from sklearn.cluster import KMeans

    synthetic, training, held_out = sets(4, 250, 300, 280)
    regions = KMeans(3, n_init=4, random_state=0).fit(training)
    distance = [cdist(side, training).min(axis=1) for side in (synthetic, held_out)]
    total, weight = 0.0, 0.0
    for cell in range(3):
        q, p = (d[regions.predict(s) == cell] for d, s in zip(distance, (synthetic, held_out), strict=True))
        share = len(p) / len(held_out)
        total, weight = total + share * z_statistic(q, p), weight + share
    assert copy_test(synthetic, training, held_out, cells=3, seed=0).value == pytest.approx(total / weight)
    with pytest.raises(ValueError, match="no cell of 5 has 20"):
        copy_test(synthetic[:10], training, held_out, seed=0)


def test_membership_is_told_by_distance_only_where_images_are_copied() -> None:
    synthetic, training, held_out = sets(5, 300, 300, 300)
    fair = membership_auc(negative_distances(training, synthetic), negative_distances(held_out, synthetic))
    low, high = percentile_bootstrap(
        membership_auc,
        negative_distances(training, synthetic),
        negative_distances(held_out, synthetic),
        resamples=200,
        seed=0,
    )
    assert low < 0.5 < high
    assert low < fair < high
    assert membership_auc(negative_distances(training, training), negative_distances(held_out, training)) == 1


def test_the_gate_lets_the_wanted_share_of_real_images_through() -> None:
    distances = np.random.default_rng(6).random(1000)
    threshold = gate_threshold(distances, 0.01)
    assert (distances < threshold).mean() <= 0.01
    assert (distances < threshold).mean() > 0.005
