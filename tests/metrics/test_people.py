"""Images of one person are alike: intervals and floors where people are known."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from dermsynth.errors import UserError
from dermsynth.metrics.estimate import Estimate, Sides, halves
from dermsynth.metrics.frechet import fid_between, frechet_distance
from dermsynth.metrics.kernels import kid_between
from dermsynth.metrics.prdc import manifold_between

Rows = NDArray[np.float64]


def draw(seed: int, people: int = 40) -> tuple[Rows, Rows, NDArray[np.int64]]:
    """Three hundred synthetic rows, and ten alike of each person."""
    random = np.random.default_rng(seed)
    real = random.normal(size=(people, 1, 4)) + 0.5 * random.normal(size=(people, 10, 4))
    return random.normal(0.5, 1, size=(300, 4)), real.reshape(-1, 4) / np.sqrt(1.25), np.repeat(np.arange(people), 10)


def difference(x: Rows, y: Rows) -> float:
    return float(x[:, 0].mean() - y[:, 0].mean())


def covered(estimate: Callable[[Sides], Estimate], expected: float, known: bool, times: int) -> float:
    """How often the interval of the estimate holds the expected figure."""
    hits = 0
    for seed in range(times):
        synthetic, real, groups = draw(seed)
        found = estimate(Sides(synthetic, real, seed=seed, groups=groups if known else None))
        hits += found.low <= expected <= found.high
    return hits / times


def mean_difference(sides: Sides) -> Estimate:
    return sides.bootstrap_estimate("mmd", difference, resamples=300)


def test_intervals_hold_what_they_promise_where_people_are_known() -> None:
    assert 0.93 <= covered(mean_difference, 0.5, True, 200) <= 0.99
    assert covered(mean_difference, 0.5, False, 200) < 0.8


@pytest.mark.slow
def test_the_interval_of_fid_is_near_that_too() -> None:
    expected = float(np.mean([frechet_distance(*draw(10**6 + seed)[:2]) for seed in range(400)]))
    assert covered(lambda sides: fid_between(sides, 100), expected, True, 300) > 0.85
    assert covered(lambda sides: fid_between(sides, 100), expected, False, 300) < 0.7


@pytest.mark.parametrize("seed", range(5))
def test_nobody_is_in_both_halves_of_a_floor(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups = random.permutation(np.repeat(np.arange(60), random.integers(1, 12, 60)))
    first, second = halves(len(groups), seed, groups)
    assert not set(groups[first]) & set(groups[second])
    assert sorted([*first, *second]) == list(range(len(groups)))
    assert abs(len(first) - len(second)) <= 12


def test_a_floor_between_other_people_is_higher() -> None:
    """Halves that share people look alike because of these."""
    synthetic, real, groups = draw(0)
    for measure in (lambda sides: fid_between(sides, 20), lambda sides: kid_between(sides, 50)):
        together, apart = measure(Sides(synthetic, real)), measure(Sides(synthetic, real, groups=groups))
        assert apart.floor > 1.5 * together.floor
        assert apart.value == together.value


def test_people_of_one_image_each_change_nothing_but_what_is_drawn() -> None:
    synthetic, real, _ = draw(0)
    alone = Sides(synthetic, real, groups=np.arange(len(real)))
    for mine, plain in zip(manifold_between(alone), manifold_between(Sides(synthetic, real)), strict=True):
        assert mine.value == plain.value
        assert mine.high - mine.low == pytest.approx(plain.high - plain.low, rel=0.9)


def test_one_person_with_nearly_all_images_gives_no_floor() -> None:
    synthetic, real, _ = draw(0)
    groups = np.minimum(np.arange(len(real)), 10)
    with pytest.raises(UserError, match="400 real images of 11 patients or lesions; a floor needs 25 on either side"):
        fid_between(Sides(synthetic, real, groups=groups), 20)


@pytest.mark.parametrize(
    "measure", [lambda sides: fid_between(sides, 20), lambda sides: kid_between(sides, 20), mean_difference]
)
def test_a_class_of_one_person_is_refused_in_one_line(measure: Callable[[Sides], Estimate]) -> None:
    synthetic, real, _ = draw(0)
    with pytest.raises(UserError, match="400 real images of 1 patients or lesions; a floor needs 25 on either side"):
        measure(Sides(synthetic, real, groups=np.zeros(len(real), int)))
