"""Images of one person are alike: intervals and floors where people are known."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from dermsynth import metrics
from dermsynth.errors import UserError
from dermsynth.metrics import sliced_wasserstein
from dermsynth.metrics.estimate import Estimate, Sides, halves
from dermsynth.metrics.frechet import fid_between, frechet_distance
from dermsynth.metrics.kernels import kid_between
from dermsynth.metrics.prdc import manifold_between
from dermsynth.metrics.pyramids import swd_between

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


def pictures(seed: int, people: int, each: int = 10) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
    """Images of 16 pixels whose brightness is the person's, and as many synthetic ones, a little brighter."""
    random = np.random.default_rng(seed)
    skin = np.repeat(random.normal(120, 25, people), each) + random.normal(0, 8, people * each)
    other = random.normal(126, 26, people * each)
    sides = [light[:, None, None, None] + random.normal(0, 12, (len(light), 3, 16, 16)) for light in (other, skin)]
    synthetic, real = (side.clip(0, 255).astype(np.uint8) for side in sides)
    return synthetic, real, np.repeat(np.arange(people), each)


def test_swd_leaves_people_out_whole() -> None:
    """One person alike in twelve images: without knowing, the interval takes them for twelve witnesses."""
    synthetic, real, groups = pictures(0, 20)
    known = swd_between(Sides(synthetic, real, groups=groups), 10_000)[0]
    plain = swd_between(Sides(synthetic, real), 10_000)[0]
    assert known.value == plain.value
    assert known.high - known.low > 1.3 * (plain.high - plain.low)


@pytest.mark.slow
def test_the_interval_of_swd_holds_the_truth_where_people_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer patches, directions and cells than the protocol has, which the images' own spread leaves far behind."""
    for name, value in (("PATCHES", 8), ("REPEATS", 1), ("CELLS", 2048)):
        monkeypatch.setattr(sliced_wasserstein, name, value)

    def found(seed: int, known: bool) -> Estimate:
        synthetic, real, groups = pictures(seed, 40)
        return swd_between(Sides(synthetic, real, seed=seed, groups=groups if known else None), 10_000)[0]

    expected = float(np.mean([found(10**6 + seed, False).value for seed in range(60)]))
    assert np.mean([(e := found(seed, True)).low <= expected <= e.high for seed in range(60)]) >= 0.9


Metric = Callable[..., object]
OF_FEATURES: dict[str, Metric] = {
    "fid": lambda *sides, **known: metrics.fid(*sides, resamples=20, **known),
    "fid_infinity": metrics.fid_infinity,
    "kid": lambda *sides, **known: metrics.kid(*sides, resamples=20, **known),
    "mmd": lambda *sides, **known: metrics.mmd(*sides, resamples=20, **known),
    "precision": lambda *sides, **known: metrics.precision_recall(*sides, **known).precision,
    "coverage": lambda *sides, **known: metrics.density_coverage(*sides, **known).coverage,
    "clipped": lambda *sides, **known: metrics.clipped_density_coverage(*sides, **known).density,
    "vendi": metrics.vendi,
}
OF_IMAGES: dict[str, Metric] = {
    "swd": metrics.swd,
    "ms_ssim": lambda *sides, **known: metrics.ms_ssim(*sides, pairs=20, **known),
    "colours": lambda *sides, **known: metrics.colour_distances(*sides, resamples=20, **known)[0],
}


@pytest.mark.parametrize("name", [*OF_FEATURES, *OF_IMAGES])
def test_public_metrics_count_the_people_that_are_named(name: str) -> None:
    """The figure stays, floor or interval change; names may be any."""
    if name in OF_FEATURES:
        synthetic, real, groups = draw(0)
    else:
        synthetic, real, groups = pictures(0, 20)
        synthetic, real = synthetic.transpose(0, 2, 3, 1), real.transpose(0, 2, 3, 1)
    measure = {**OF_FEATURES, **OF_IMAGES}[name]
    plain, known = measure(real, synthetic), measure(real, synthetic, groups=[f"P{g:02}" for g in groups])
    assert known.value == plain.value
    assert (known.low, known.high, known.floor) != (plain.low, plain.high, plain.floor)
    assert known == measure(real, synthetic, groups=groups)
    assert (plain.people, known.people) == (None, len(set(groups)))
    assert f"of {known.people} patients or lesions" in str(known)
    assert "people" not in plain.model_dump()
    assert known.model_dump(by_alias=True)["people"] == known.people


def test_an_interval_of_few_people_is_said_to_be_little(caplog: pytest.LogCaptureFixture) -> None:
    synthetic, real, _ = draw(0)
    metrics.fid(real, synthetic, groups=np.arange(400) % 3, resamples=20)
    assert "3 patients or lesions: intervals of fewer than 10 say little" in caplog.text


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ([1, 2, 3], r"`groups`: \[3\] names for 400 real images; give one for each"),
        (["a"] * 399 + [""], "`groups`: row 399 has none"),
        ([0.0] * 10 + [float("nan")] * 390, "`groups`: row 10 has none"),
        (["a"] * 400, "`groups`: all real images are of 'a'"),
    ],
)
def test_groups_that_say_nothing_are_refused(groups: list[object], said: str) -> None:
    synthetic, real, _ = draw(0)
    with pytest.raises(UserError, match=said):
        metrics.fid(real, synthetic, groups=groups)
