"""Intervals over groups: whole groups are drawn, whatever they are called, and nine in ten intervals hold nine in ten times."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dermsynth.statistics.intervals import (
    TAILS,
    draw_counts,
    expanded_tails,
    group_bootstrap,
    group_jackknife,
    leave_out_indices,
    moved_interval,
    resample_groups,
    resample_indices,
)

NAMES = st.lists(st.sampled_from("abcde"), min_size=1, max_size=20)


@settings(max_examples=30, deadline=None)
@given(NAMES, st.integers(0, 1000))
def test_whole_groups_are_drawn_as_many_as_there_are(names: list[str], seed: int) -> None:
    groups = np.array(names)
    sizes = Counter(names)
    for rows in resample_groups(groups, 5, seed):
        drawn = Counter(rows.tolist())
        times = {name: {drawn[row] for row in np.flatnonzero(groups == name)} for name in sizes}
        assert all(len(counts) == 1 for counts in times.values())
        assert sum(counts.pop() for counts in times.values()) == len(sizes)


@settings(max_examples=20, deadline=None)
@given(NAMES, st.integers(0, 1000))
def test_names_and_order_of_groups_do_not_matter(names: list[str], seed: int) -> None:
    """The spread is that of groups, so rows may lie anywhere, and other names in the same order change nothing."""
    groups = np.array(names)
    numbers = np.unique(groups, return_inverse=True)[1] * 7 + 3
    first, second = (list(resample_groups(named, 3, seed)) for named in (groups, numbers))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_draws_without_the_figure_are_left_out_and_one_group_says_nothing() -> None:
    values, groups = np.arange(20.0), np.repeat(np.arange(10), 2)

    def both(rows: NDArray[np.int64]) -> tuple[float, float, float]:
        mean = float(values[rows].mean())
        return mean, mean if 0 in rows else float("nan"), float("nan")

    low, high = group_bootstrap(both, groups, resamples=200, seed=0)
    assert low[0] < 9.5 < high[0]
    assert np.isfinite([low[1], high[1]]).all()
    assert high[1] < high[0]
    assert np.isnan([low[2], high[2]]).all()
    alone = np.zeros(20, int)
    assert np.isnan(group_bootstrap(both, alone, resamples=10, seed=0)).all()
    assert np.isnan(group_jackknife(both, alone, seed=0)).all()


def test_few_groups_widen_the_interval() -> None:
    """Of many groups the percentiles are the plain ones; of ten, those of Student's quantile with nine degrees of freedom."""
    assert expanded_tails(100_000) == pytest.approx(TAILS, abs=1e-4)
    assert expanded_tails(10)[0] == pytest.approx(0.00854, abs=1e-4)  # normal tail beyond sqrt(10 / 9) x 2.262


def alike_images(seed: int, groups: int, each: int, alike: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Values about 0 that are alike within groups of 1 to 2 x each - 1 images."""
    random = np.random.default_rng(seed)
    number = np.repeat(np.arange(groups), random.integers(1, 2 * each, groups))
    return np.sqrt(alike) * random.normal(size=groups)[number] + np.sqrt(1 - alike) * random.normal(
        size=len(number)
    ), number


def share_covered(runs: int, groups: int, each: int, alike: float) -> tuple[float, float, float]:
    """How often intervals of a mean hold 0: bootstrap of groups, halves of groups, and bootstrap of images."""
    hits = np.zeros(3)
    for seed in range(runs):
        values, number = alike_images(seed, groups, each, alike)

        def mean(rows: NDArray[np.int64], values: NDArray[np.float64] = values) -> list[float]:
            return [float(values[rows].mean())]

        low, high = group_bootstrap(mean, number, resamples=200, seed=seed)
        hits[0] += low[0] <= 0 <= high[0]
        hits[1] += abs(values.mean()) <= group_jackknife(mean, number, seed=seed)[0]
        low, high = group_bootstrap(mean, np.arange(len(number)), resamples=200, seed=seed)
        hits[2] += low[0] <= 0 <= high[0]
    return tuple((hits / runs).tolist())


def test_intervals_of_images_are_too_narrow_where_people_have_several() -> None:
    bootstrap, halves, images = share_covered(60, 20, 10, 0.5)
    assert min(bootstrap, halves) > 0.85
    assert images < 0.75


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "each", "alike"), [(12, 10, 0.5), (20, 10, 0.5), (40, 5, 0.2), (30, 1, 0.0)])
def test_nineteen_of_twenty_intervals_hold_the_truth(groups: int, each: int, alike: float) -> None:
    bootstrap, halves, _ = share_covered(500, groups, each, alike)
    assert 0.91 < bootstrap < 0.98
    assert 0.91 < halves < 0.98


PEOPLE = np.repeat(np.arange(12), np.arange(1, 13))
"""Of twelve people the n-th has n images."""


def test_whole_groups_are_drawn_of_the_second_sample() -> None:
    for first, second in resample_indices((9, 78), 20, 0, PEOPLE):
        assert len(first) == 9
        times = np.bincount(second, minlength=78)
        assert all(len(set(times[person == PEOPLE])) == 1 for person in range(12))


def test_whole_groups_are_left_out() -> None:
    left = [
        np.setdiff1d(np.arange(78), second) for _, second in leave_out_indices((9, 78), parts=4, seed=0, groups=PEOPLE)
    ]
    assert sorted(np.concatenate(left).tolist()) == list(range(78))
    assert sum(len(set(PEOPLE[rows])) for rows in left) == 12


def test_counts_of_draws_are_those_of_the_draws() -> None:
    counts = draw_counts((9, 78), 5, 3, PEOPLE)[1]
    draws = [np.bincount(second, minlength=78) for _, second in resample_indices((9, 78), 5, 3, PEOPLE)]
    np.testing.assert_array_equal(counts, draws)


def test_few_groups_widen_an_interval() -> None:
    draws = np.random.default_rng(0).normal(size=1000)
    wide, plain = moved_interval(0.0, draws, np.arange(4)), moved_interval(0.0, draws)
    assert wide[0] < plain[0] < plain[1] < wide[1]
    assert moved_interval(0.0, draws, np.arange(10_000))[1] == pytest.approx(plain[1], rel=0.01)
