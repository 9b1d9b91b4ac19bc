"""Agreement against published examples, statsmodels, and a literal transcription."""

import numpy as np
import pytest

from dermsynth.statistics.agreement import (
    agreement_interval,
    alike_interval,
    bootstrap_images,
    fleiss_kappa,
    krippendorff_alpha,
)

KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, np.nan, np.nan, np.nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, np.nan, 3],
        [np.nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, np.nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, np.nan],
    ]
)
"""Krippendorff 2011, "Computing Krippendorff's alpha-reliability", section C: four observers, twelve units."""
FLEISS = np.array(
    [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ],
    float,
)  # fmt: skip
"""The worked example of ten subjects, fourteen raters and five categories whose kappa is 0.210."""


def test_alpha_is_krippendorffs_own_example() -> None:
    assert krippendorff_alpha(KRIPPENDORFF) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(KRIPPENDORFF, "ordinal") == pytest.approx(0.815, abs=5e-4)


def literal_alpha(ratings: np.ndarray) -> float:  # type: ignore[type-arg]
    """1 - D_o / D_e by pairs of answers."""
    units = [column[~np.isnan(column)] for column in ratings.T]
    units = [u for u in units if len(u) > 1]
    values = np.concatenate(units)
    observed = sum(
        sum(a != b for i, a in enumerate(u) for j, b in enumerate(u) if i != j) / (len(u) - 1) for u in units
    )
    pairs = sum(a != b for i, a in enumerate(values) for j, b in enumerate(values) if i != j)
    return 1 - (observed / len(values)) / (pairs / (len(values) * (len(values) - 1)))


def test_alpha_is_that_of_all_pairs() -> None:
    random = np.random.default_rng(0)
    for _ in range(5):
        ratings = random.integers(0, 2, (5, 20)).astype(float)
        ratings[random.random((5, 20)) < 0.3] = np.nan
        assert krippendorff_alpha(ratings) == pytest.approx(literal_alpha(ratings))
    assert krippendorff_alpha(np.array([[0.0, 1, 0, 1]] * 3)) == 1
    assert np.isnan(krippendorff_alpha(np.zeros((3, 4))))


def test_kappa_is_fleiss_example_and_statsmodels() -> None:
    assert fleiss_kappa(FLEISS) == pytest.approx(0.210, abs=5e-4)
    raters = pytest.importorskip("statsmodels.stats.inter_rater", reason="needs statsmodels")
    assert fleiss_kappa(FLEISS) == pytest.approx(raters.fleiss_kappa(FLEISS))
    assert fleiss_kappa(np.array([[4.0, 0], [0, 4]])) == 1
    assert np.isnan(fleiss_kappa(np.array([[4.0, 0], [4, 0]])))
    with pytest.raises(ValueError, match="at least two answers"):
        fleiss_kappa(np.array([[1.0, 0]]))


def test_images_with_more_answers_weigh_more() -> None:
    """Fleiss, Levin & Paik 2003, section 18.3, for two categories: 1 - sum x (n - x) / n over N (mean n - 1) p q."""
    random = np.random.default_rng(0)
    n = random.integers(2, 10, 30)
    x = random.binomial(n, random.choice([0.2, 0.8], 30))
    p = x.sum() / n.sum()
    expected = 1 - (x * (n - x) / n).sum() / (30 * (n.mean() - 1) * p * (1 - p))
    assert fleiss_kappa(np.stack([x, n - x], axis=1).astype(float)) == pytest.approx(expected)


def test_intervals_over_images_hold_the_value() -> None:
    low, high = bootstrap_images(lambda i: fleiss_kappa(FLEISS[i]), len(FLEISS), 0)
    assert low < 0.210 < high
    assert bootstrap_images(lambda i: float("nan"), 5, 0) == pytest.approx((np.nan, np.nan), nan_ok=True)


@pytest.mark.parametrize("images", [2, 6, 60])
@pytest.mark.parametrize("pairs", [((4.0, 0.0), (0.0, 4.0)), ((2.0, 2.0), (2.0, 2.0))])
def test_images_that_agree_alike_leave_doubt(images: int, pairs: tuple[tuple[float, float], ...]) -> None:
    """Literally: with the limit q for none of n, a share q of images may split four raters in halves (2 of 3 pairs), or unite them."""
    counts = np.array([pairs[i % 2] for i in range(images)])
    value = fleiss_kappa(counts)
    low, high = agreement_interval(value, lambda i: fleiss_kappa(counts[i]), images, counts, 0)
    q, disagreeing = 1 - 0.025 ** (1 / images), 0.0 if pairs[0][1] == 0 else 2 / 3
    worst = ((1 - q) * disagreeing + q * 2 / 3) / 0.5
    assert low == pytest.approx(max(-1, 1 - worst))
    assert high == pytest.approx(1 - (1 - q) * disagreeing / 0.5)
    assert low <= value <= high
    assert high - low > 0.05


def test_few_images_claim_less_than_many() -> None:
    widths = []
    for times in (1, 10):
        counts = np.tile(FLEISS[:4], (times, 1))
        low, high = agreement_interval(
            fleiss_kappa(counts), lambda i, c=counts: fleiss_kappa(c[i]), len(counts), counts, 0
        )
        widths.append(high - low)
    assert widths[0] > 2 * widths[1] > 0
    assert np.isnan(alike_interval(float("nan"), np.array([[4.0, 0], [4, 0]]))).all()
