"""Random against grouped folds: an apparent gain where images of a group are alike, none where they are not."""

import numpy as np
import pytest

from dermsynth.statistics.split_comparison import MOST, compare_splits, comparison_problem, held_out_scores


def drawn(groups: int, each: int, alike: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [n, 6] that say nothing of the class but, by the share `alike`, of the group."""
    random = np.random.default_rng(seed)
    number = np.repeat(np.arange(groups), each)
    rows = np.sqrt(alike) * random.normal(size=(groups, 6))[number] + np.sqrt(1 - alike) * random.normal(
        size=(len(number), 6)
    )
    return rows, number % 2 == 0, number


def test_images_of_one_group_make_a_classifier_look_better() -> None:
    rows, truth, groups = drawn(40, 4, 0.95)
    found = compare_splits(rows, truth, groups)
    assert found.random.value > 0.95
    assert found.grouped.value == pytest.approx(0.5, abs=0.15)
    assert found.gain.low > 0.2
    assert found.gain.value == pytest.approx(found.random.value - found.grouped.value)
    assert (found.images, found.groups, found.sharing) == (160, 40, 160)


def test_without_likeness_there_is_no_gain() -> None:
    lows = [compare_splits(*drawn(40, 4, 0.0, seed), seed=seed).gain.low for seed in range(2)]
    assert sum(low > 0 for low in lows) == 0


def test_it_needs_groups_of_several_images() -> None:
    _, truth, groups = drawn(60, 1, 0.5)
    assert comparison_problem(truth, groups) == "0 groups have more than one image, at least 10 are needed"
    _, truth, groups = drawn(12, 4, 0.5)
    assert comparison_problem(truth, groups) == "a class has images of 6 groups, at least 10 are needed"
    _, truth, groups = drawn(24, 2, 0.5)
    assert comparison_problem(truth, groups) == ""


def test_many_images_are_drawn_by_whole_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermsynth.statistics.split_comparison.MOST", 100)
    found = compare_splits(*drawn(40, 4, 0.5))
    assert found.images == found.sharing == 100
    assert MOST > 100


def test_the_classifier_is_that_of_five_weighted_neighbours() -> None:
    rows, truth, groups = drawn(30, 2, 0.5)
    scores = held_out_scores(rows, truth, groups, 0)
    assert ((scores >= 0) & (scores <= 1)).all()
    from dermsynth.statistics.cross_validation import two_class_folds

    training, held = two_class_folds(truth, groups, 0)[0]
    middle, width = rows[training].mean(axis=0), rows[training].std(axis=0)
    for row in held:
        distance = np.linalg.norm((rows[training] - rows[row]) / width, axis=1)
        nearest = np.argsort(distance)[:5]
        weights = 1 / distance[nearest]
        assert scores[row] == pytest.approx((weights * truth[training][nearest]).sum() / weights.sum())
    assert middle.shape == (6,)
