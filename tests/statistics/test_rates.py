"""Rates of raters against BAUR's printed table, exact intervals, and signal detection."""

from math import floor

import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from dermsynth.statistics.rates import Counts, against_chance, detection, rate, rates

BAUR = {
    "DLE1": (Counts(50, 26, 0, 4), "0.675", "1.000", "0.133"),
    "DLE2": (Counts(30, 10, 20, 20), "0.625", "0.600", "0.666"),
    "DLE3": (Counts(36, 9, 14, 21), "0.712", "0.720", "0.700"),
    "DLE4": (Counts(26, 16, 24, 14), "0.500", "0.520", "0.466"),
    "DLE5": (Counts(26, 20, 24, 10), "0.450", "0.520", "0.333"),
    "ED1": (Counts(27, 11, 23, 19), "0.575", "0.540", "0.633"),
    "ED2": (Counts(35, 18, 15, 12), "0.587", "0.700", "0.400"),
    "ED3": (Counts(29, 17, 21, 13), "0.525", "0.580", "0.433"),
}
"""TP, FP, FN, TN with real images as the positive class, and the printed ACC, TPR, TNR."""
TRUNCATED = {("DLE2", "specificity"), ("DLE3", "accuracy"), ("DLE4", "specificity"), ("ED2", "accuracy")}
"""Printed rates that were cut after the third digit; rounded they would end one higher."""


def test_baurs_table_follows_from_its_counts() -> None:
    cut_off = set()
    for rater, (counts, *printed) in BAUR.items():
        assert counts.total == 80
        for name, text in zip(("accuracy", "sensitivity", "specificity"), printed, strict=True):
            value = rates(counts)[name].value
            assert value is not None
            cut, rounded = (f"{floor(value * 1000 + half + 1e-9) / 1000:.3f}" for half in (0, 0.5))
            assert text in (cut, rounded), (rater, name)
            if text != rounded:
                cut_off.add((rater, name))
    assert cut_off == TRUNCATED


def test_exact_intervals_are_clopper_and_pearsons() -> None:
    found = rate(29, 46)
    low, high = scipy.stats.beta.ppf(0.025, 29, 18), scipy.stats.beta.ppf(0.975, 30, 17)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert (rate(0, 10).low, rate(10, 10).high) == (0, 1)
    assert rate(0, 0).value is None


@given(st.tuples(*[st.integers(0, 60)] * 4))
def test_rates_lie_within_their_intervals(numbers: tuple[int, int, int, int]) -> None:
    for found in rates(Counts(*numbers)).values():
        if found.value is not None:
            assert 0 <= found.low <= found.value <= found.high <= 1


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 2000), st.data())
def test_no_rate_is_certain(trials: int, data: st.DataObject) -> None:
    found = rate(data.draw(st.integers(0, trials)), trials)
    assert found.high - found.low > 1 / (2 * trials)


def test_detection_says_where_a_rate_is_at_its_bound() -> None:
    for counts, bounded in ((Counts(10, 0, 0, 10), True), (Counts(9, 0, 1, 10), True), (Counts(9, 1, 1, 9), False)):
        found = detection(counts)
        assert found is not None
        assert found.bounded is bounded
        assert found.high - found.low > 0.5


def test_f1_is_that_of_scikit_learn() -> None:
    counts = Counts(30, 10, 20, 20)
    truth = [1] * 50 + [0] * 30
    said = [1] * 30 + [0] * 20 + [1] * 10 + [0] * 20
    assert rates(counts)["f1"].value == pytest.approx(f1_score(truth, said))


def test_detection_knows_ability_and_bias() -> None:
    able = detection(Counts(84, 16, 16, 84))
    assert able.sensitivity_index == pytest.approx(2 * scipy.stats.norm.ppf(84.5 / 101), rel=1e-6)
    assert able.criterion == pytest.approx(0)
    assert able.low < able.sensitivity_index < able.high
    generous = detection(BAUR["DLE1"][0])
    assert generous.criterion < -1  # called nearly everything real
    assert detection(Counts(0, 0, 30, 30)).criterion > 1
    assert detection(Counts(10, 10, 10, 10)).sensitivity_index == pytest.approx(0)


def test_tossing_is_not_told_from_chance() -> None:
    assert against_chance(Counts(20, 20, 20, 20)) == 1
    assert against_chance(Counts(40, 0, 0, 40)) < 1e-20
    assert against_chance(Counts(0, 0, 0, 0)) == 1
