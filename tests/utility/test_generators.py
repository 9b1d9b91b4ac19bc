"""Several generators of one method: each arm is trained from every one, and the variance over them stands apart."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.utility.arms import REAL, mixed, parse_arms
from dermsynth.utility.datasets import collect_material
from dermsynth.utility.metrics import ArmScores, arm_figures, comparisons
from dermsynth.utility.spread import Variances, training_variance
from dermsynth.utility.usefulness import utility
from dermsynth.utility.verdict import cautions, verdict
from tests.utility.test_cautions import scored
from tests.utility.test_experiment import CLASSES, folder


def drawn(
    random: np.random.Generator, generators: int, repeats: int, spread: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Differences around 0: deviations of generators, of seeds, and of the rest."""
    of_generators, of_seeds, rest = spread
    rows, columns = random.normal(0, of_generators, (generators, 1)), random.normal(0, of_seeds, (1, repeats))
    return rows + columns + random.normal(0, rest, (generators, repeats))


@pytest.mark.parametrize("sizes", [(1, 3), (2, 3), (2, 5), (3, 2), (4, 5), (10, 3)])
@pytest.mark.parametrize("spread", [(0.02, 0.0, 0.01), (0.0, 0.0, 0.01), (0.01, 0.01, 0.01), (0.02, 0.007, 0.007)])
@pytest.mark.parametrize("tests", [0.0, 0.01])
def test_intervals_hold_the_truth(sizes: tuple[int, int], spread: tuple[float, float, float], tests: float) -> None:
    """Of one generator that of its own images: no other is drawn."""
    random, held = np.random.default_rng(0), []
    for _ in range(1000):
        differences = drawn(random, *sizes, (0.0, *spread[1:]) if sizes[0] == 1 else spread)
        known = Variances(tests**2, training_variance(differences))
        held.append(abs(differences.mean() + random.normal(0, tests)) <= known.reach())
    assert np.mean(held) >= 0.935


def test_the_variance_of_generators_is_found_apart_from_that_of_trainings() -> None:
    random = np.random.default_rng(1)
    found = [training_variance(drawn(random, 5, 4, (0.02, 0.0, 0.01))) for _ in range(2000)]
    assert np.mean([one.generators for one in found]) == pytest.approx(0.02**2, rel=0.1)
    assert np.mean([one.seeds for one in found]) == pytest.approx(0.01**2, rel=0.1)
    assert np.mean([one.of_mean for one in found]) == pytest.approx(0.02**2 / 5 + 0.01**2 / 20, rel=0.15)


def test_an_interval_that_takes_one_generator_for_all_is_too_narrow() -> None:
    """What a second generator is for: trainings of a classifier say nothing of it."""
    random, held = np.random.default_rng(2), []
    for _ in range(400):
        differences = drawn(random, 1, 5, (0.02, 0.0, 0.005))
        held.append(abs(differences.mean()) <= Variances(0.0, training_variance(differences)).reach())
    assert np.mean(held) < 0.5


@pytest.mark.parametrize("shape", [(1, 4), (4, 1)])
def test_of_one_generator_or_one_training_each_nothing_tells_them_apart(shape: tuple[int, int]) -> None:
    differences = np.array([0.01, 0.02, -0.01, 0.0]).reshape(shape)
    found = training_variance(differences)
    assert found.generators is None
    assert (found.of_mean, found.freedom) == (pytest.approx(differences.var(ddof=1) / 4), 3)


def of_generators(repeats: int, shifts: tuple[float, ...]) -> ArmScores:
    """Scores of a mixed arm from several generators, of which each lifts all scores of positives by its own shift."""
    one = scored(mixed(1), 2, repeats * len(shifts))
    lift = np.repeat(shifts, repeats)[:, None] * one.test.truth
    logits = np.log(one.scores / (1 - one.scores)) + lift
    return ArmScores(one.arm, one.test, 1 / (1 + np.exp(-logits)), 0.5, 0.5, len(shifts))


def test_verdict_and_caution_name_the_generators() -> None:
    rows = [scored(REAL, 1, 3), of_generators(3, (0.0, 2.0))]
    figures, compared = [arm_figures(row, 0) for row in rows], comparisons(rows, 0)
    assert (figures[1].generators, figures[1].repeats, len(figures[1].auc_repeats)) == (2, 3, 6)
    assert verdict(figures, compared, [REAL, mixed(1)]).text.endswith("2 generators of 3 repeats).")
    (row,) = compared
    assert row.deviations is not None
    assert row.deviations.generators is not None
    assert row.deviations.generators > 3 * row.deviations.seeds
    (text,) = [line for line in cautions(figures, compared, 3, [REAL, mixed(1)]) if "generators" in line]
    assert text.startswith("2 generators: the difference deviates by 0.")
    assert "hardly known from fewer than 5" in text


@pytest.fixture
def real(tmp_path: Path) -> DataSet:
    return folder(tmp_path / "real", {"melanoma": 48, "nevus": 80}, 0, {})


def made(path: Path, real: DataSet, seed: int, checkpoint: str, **facts: str) -> DataSet:
    origin = {"data_hash": real.content_hash, "split": "train", "checkpoint": checkpoint, **facts}
    return folder(path, {"melanoma": 60, "nevus": 60}, seed, {"synthetic": True, "generator": origin}, splits=False)


def test_every_arm_with_synthetic_images_is_trained_from_each_generator(tmp_path: Path, real: DataSet) -> None:
    sets = [made(tmp_path / f"made{i}", real, i + 1, f"c{i}") for i in range(3)]
    words = {"out": tmp_path / "out", "positive": "melanoma", "negative": "nevus", "images": 64, "repeats": 2}
    words["arms"] = ["real", "synthetic", "mixed=1"]
    alone = utility(sets[0], real, **words)  # type: ignore[arg-type]
    before = {path.name: path.read_text() for path in (tmp_path / "out" / "scores").iterdir()}
    several = utility(sets[0], real, **words, generators=sets[1:])  # type: ignore[arg-type]
    after = {path.name: path.read_text() for path in (tmp_path / "out" / "scores").iterdir()}
    assert before.items() <= after.items()
    assert len(after) == 2 + 2 * 2 * 3
    assert {row.arm: row.generators for row in several.figures} == {"real": 1, "synthetic": 3, "mixed 1:1": 3}
    for old, new in zip(alone.figures, several.figures, strict=True):
        assert new.auc_repeats[:2] == old.auc_repeats
    assert len({*several.figures[1].auc_repeats}) > 2
    assert "3 generators of 2 repeats" in several.verdict
    with pytest.raises(UserError, match="begun with the further generator made1, too; name it again in `generators`"):
        utility(sets[0], real, **words)  # type: ignore[arg-type]


def test_two_sets_of_one_generator_are_refused(tmp_path: Path, real: DataSet) -> None:
    first, second = (made(tmp_path / f"made{i}", real, i + 1, "same") for i in range(2))
    with pytest.raises(UserError, match=r"`generators` .*made1: from the same generator as .*made0; train another one"):
        collect_material(real, first, CLASSES, generators=[second])
    with pytest.raises(UserError, match="from the same generator"):
        collect_material(real, first, CLASSES, generators=[first])


def test_two_checkpoints_of_one_run_and_two_families_are_refused(tmp_path: Path, real: DataSet) -> None:
    first = made(tmp_path / "made0", real, 1, "a", run="/runs/one", recipe="dcgan")
    later = made(tmp_path / "made1", real, 2, "b", run="/runs/one", recipe="dcgan")
    with pytest.raises(UserError, match=r"made1: from the same generator as .*made0"):
        collect_material(real, first, CLASSES, generators=[later])
    other = made(tmp_path / "made2", real, 3, "c", run="/runs/two", recipe="lapgan")
    with pytest.raises(
        UserError, match=r"made2: of the family 'lapgan', .*made0 of 'dcgan'; another method is a variant"
    ):
        collect_material(real, first, CLASSES, generators=[other])


def test_one_training_of_real_images_tells_nothing_however_many_generators() -> None:
    """All generators are compared with the same training: its luck would be taken for a difference."""
    rows = [scored(REAL, 1, 1), of_generators(1, (0.0, 0.1, 0.2, 0.3))]
    (row,) = comparisons(rows, 0)
    assert (row.p, row.low, row.high) == (1.0, row.difference, row.difference)
    figures = [arm_figures(one, 0) for one in rows]
    assert any("One repeat an arm" in line for line in cautions(figures, [row], 1, [REAL, mixed(1)]))


@pytest.mark.parametrize("share", [1.0, 0.5, 0.05, 1e-3, 1e-9])
def test_p_is_the_share_whose_interval_just_reaches_nothing(share: float) -> None:
    spread = Variances(0.02**2, training_variance(np.array([[0.01, 0.03, 0.0], [0.02, 0.05, 0.01]])))
    assert spread.p_value(spread.reach(share)) == pytest.approx(share, rel=1e-3)
    assert spread.p_value(-10.0) == pytest.approx(spread.p_value(10.0))
    assert Variances(0.0, training_variance(np.zeros((1, 3)))).p_value(0.1) == 1


def test_a_generator_is_checked_like_the_first(tmp_path: Path, real: DataSet) -> None:
    first, other = made(tmp_path / "made0", real, 1, "a"), made(tmp_path / "made1", real, 2, "b")
    seen = DataSet(other.folder, other.table, {**other.description, "generator": {"data_hash": "0", "split": "train"}})
    with pytest.raises(UserError, match="trained on another set"):
        collect_material(real, first, CLASSES, generators=[seen])
    small = made(tmp_path / "made2", real, 3, "c")
    small = small.part(np.arange(len(small.table)) % 3 == 0)
    material = collect_material(real, first, CLASSES, generators=[small])
    with pytest.raises(UserError, match=r"needs 64 synthetic images, .*made2 has 40"):
        [material.synthetic_count(arm, 1) for arm in parse_arms(["mixed=1"]) if arm.synthetic]
