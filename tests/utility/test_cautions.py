"""What stands beside the verdict: so few repeats, and parts of the test set that change it, named or not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from dermsynth.data.dataset import DataSet
from dermsynth.utility.arms import BASELINES, REAL, Arm, mixed
from dermsynth.utility.datasets import strata_of, telling_columns
from dermsynth.utility.material import HeldOut, Stratum
from dermsynth.utility.metrics import (
    ArmScores,
    arm_figures,
    comparisons,
)
from dermsynth.utility.spread import half_width, paired_difference, variances, wanted_repeats
from dermsynth.utility.verdict import cautions


def test_the_widths_are_those_of_the_paired_difference() -> None:
    first, second = (scored(arm, seed, 4) for arm, seed in ((REAL, 1), (mixed(1), 2)))
    low, high, _ = paired_difference(first.of_trainings, second.of_trainings, 0)
    of_tests, training = variances(first.of_trainings, second.of_trainings, 0)
    of_seeds = training.seeds
    assert (high - low) / 2 == pytest.approx(half_width(of_tests, of_seeds, 4))
    differences = np.array(second.areas) - np.array(first.areas)
    assert of_seeds == pytest.approx(differences.var(ddof=1))
    wanted, reach = wanted_repeats(of_tests, 20 * of_tests)
    assert 5 < wanted < 100
    limit = 1.25 * scipy.stats.norm.ppf(0.975) * np.sqrt(of_tests)
    assert reach <= limit < half_width(of_tests, 20 * of_tests, wanted - 1)
    assert wanted_repeats(1e-9, 1.0)[0] == 100


def scored(arm: Arm, seed: int, repeats: int, strata: Sequence[Stratum] = ()) -> ArmScores:
    """Scores that see the label, and much more clearly how it was confirmed (the first 150 images)."""
    random, n = np.random.default_rng(seed), 300
    confirmed = np.arange(n) < 150
    truth = np.where(confirmed, np.arange(n) % 3 > 0, np.arange(n) % 10 == 0)
    scores = 1 / (1 + np.exp(-(3 * confirmed + 0.8 * truth + random.normal(size=(repeats, n)))))
    rows = DataSet(Path("t"), pd.DataFrame({"file_name": [str(i) for i in range(n)]}), {})
    return ArmScores(arm, HeldOut("held out", rows, np.zeros((n, 3, 2, 2), np.uint8), truth, strata), scores, 0.5, 0.5)


def result(repeats: int) -> list[str]:
    confirmed, arm = np.arange(300) < 150, np.arange(300) % 2 == 0
    strata = [Stratum("dx_type", "histo", confirmed), Stratum("site", "arm", arm)]
    rows = [scored(REAL, 1, repeats, strata), scored(mixed(1), 2, repeats, strata)]
    return cautions([arm_figures(row, 0) for row in rows], comparisons(rows, 0), repeats)


def test_few_repeats_are_said_with_the_number_that_would_do() -> None:
    told = result(2)
    assert told[0].startswith("2 repeats an arm: intervals are wide and themselves uncertain, up to +- ")
    assert " repeats would bring that to about +- " in told[0]
    assert (result(1))[0].startswith("One repeat an arm: nothing is known of other seeds")
    assert not any("repeats an arm" in line for line in (result(5)))


def test_a_part_in_which_real_images_fail_is_told_and_others_are_not() -> None:
    (line,) = result(5)
    assert line.startswith("held out: within dx_type: histo (150 images, 100 positive)")
    assert "telling values of dx_type apart, not the labels" in line


def test_columns_need_not_be_named_to_be_looked_at() -> None:
    n = 40
    table = pd.DataFrame({
        "file_name": [f"{i}.png" for i in range(n)], "label": ["a", "b"] * 20, "split": "test", "group": [str(i) for i in range(n)],
        "dx_type": ["histo", "follow_up"] * 20, "ruler": ["True", "FALSE", "1", "0"] * 10, "age": [str(20 + i) for i in range(n)],
        "note": [f"text {i}" for i in range(n)], "constant": "x", "sex": ["male", "Male", "NA", "female"] * 10,
    })  # fmt: skip
    assert telling_columns(table) == ["dx_type", "ruler", "age", "sex"]
    assert {part.name: int(part.rows.sum()) for part in strata_of(table, "ruler")} == {
        "ruler: FALSE": 20,
        "ruler: True": 20,
    }
    assert {part.name: int(part.rows.sum()) for part in strata_of(table, "sex")} == {
        "sex: female": 10,
        "sex: male": 20,
    }
    assert {part.name: int(part.rows.sum()) for part in strata_of(table, "age")} == {
        "age: up to 39.5": 20,
        "age: above 39.5": 20,
    }
    assert len(strata_of(table, "note")) == n


@pytest.mark.parametrize(("better", "said"), [(3.0, True), (0.1, False)])
def test_an_arm_that_needs_no_generator_is_named_where_it_is_as_good(better: float, said: bool) -> None:
    def row(arm: Arm, signal: float, seed: int) -> ArmScores:
        random, truth = np.random.default_rng(seed), np.arange(200) < 60
        scores = 1 / (1 + np.exp(-(signal * truth + random.normal(size=(5, 200)))))
        rows = DataSet(Path("t"), pd.DataFrame({"file_name": [str(i) for i in range(200)]}), {})
        return ArmScores(
            arm, HeldOut("held out", rows, np.zeros((200, 3, 2, 2), np.uint8), truth, []), scores, 0.5, 0.5
        )

    arms = (REAL, BASELINES["mixup"], mixed(1))
    rows = [row(arm, signal, seed) for seed, (arm, signal) in enumerate(zip(arms, (0.5, better, 1.0), strict=True))]
    lines = cautions([arm_figures(one, 0) for one in rows], comparisons(rows, 0), 5, arms)
    assert [line.startswith("No generator is needed for as much: real, mixup reaches") for line in lines] == [
        True
    ] * said


def test_images_of_one_person_do_not_narrow_a_comparison() -> None:
    """Eight images a person, all alike: as if each had one."""

    def row(arm: Arm, seed: int, times: int, known: bool) -> ArmScores:
        random, truth = np.random.default_rng(seed), np.arange(80) < 30
        scores = 1 / (1 + np.exp(-(truth + random.normal(size=(5, 80)))))
        table = pd.DataFrame({"file_name": [str(i) for i in range(80 * times)]})
        if known:
            table["group"] = np.repeat([f"p{i}" for i in range(80)], times)
        held_out = HeldOut(
            "t", DataSet(Path("t"), table, {}), np.zeros((80 * times, 3, 2, 2), np.uint8), np.repeat(truth, times)
        )
        return ArmScores(arm, held_out, np.repeat(scores, times, axis=1), 0.5, 0.5)

    def width(times: int, known: bool) -> float:
        low, high, _ = paired_difference(
            row(REAL, 0, times, known).of_trainings, row(mixed(1), 1, times, known).of_trainings, 0
        )
        return high - low

    assert width(8, True) == pytest.approx(width(1, False), rel=0.1)
    assert width(8, False) < 0.9 * width(8, True), "the part of the seeds is the same"
    one, several = arm_figures(row(REAL, 0, 1, False), 0), arm_figures(row(REAL, 0, 8, True), 0)
    assert several.delong[1] - several.delong[0] == pytest.approx(one.delong[1] - one.delong[0], rel=0.1)
    assert several.bootstrap[1] - several.bootstrap[0] == pytest.approx(one.bootstrap[1] - one.bootstrap[0], rel=0.3)
