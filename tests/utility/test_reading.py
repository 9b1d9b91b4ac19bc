"""What to do about a verdict, and the page that says it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.report.utility_report import write_utility_report
from dermsynth.statistics.roc import net_benefit
from dermsynth.utility.reading import next_step
from dermsynth.utility.results import THRESHOLDS, UtilityResult
from dermsynth.utility.usefulness import utility
from tests.browser import SIZES, checked, page_of
from tests.utility.test_generators import made, real

__all__ = ["real"]


@pytest.fixture
def result(tmp_path: Path, real: DataSet) -> UtilityResult:
    return utility(
        made(tmp_path / "made0", real, 1, "a"), real, generators=made(tmp_path / "made1", real, 2, "b"), out=tmp_path / "out",
        positive="melanoma", negative="nevus", images=64, repeats=2, arms=["real", "weights", "mixed=1", "real=0.5", "real=0.5+synthetic"],
    )  # fmt: skip


def with_area(result: UtilityResult, arm: str, area: float) -> UtilityResult:
    figures = tuple(row.model_copy(update={"auc": area}) if row.arm == arm else row for row in result.figures)
    return result.model_copy(update={"figures": figures, "outcome": "no evidence"})


def test_every_verdict_has_a_next_step(result: UtilityResult) -> None:
    known = result.model_copy(update={"outcome": "helps"})
    assert "confirm it on images of another clinic (--test)" in next_step(known)
    assert next_step(known.model_copy(update={"outcome": "hurts"})) == "Do not train a classifier with these images."
    assert "--arms mixed=1" in next_step(known.model_copy(update={"outcome": "not measured"}))
    weights = "real, class weights"
    assert "real, class weights reached an AUC of 0.999 without a generator" in next_step(
        with_area(result, weights, 0.999)
    )
    assert "no way without a generator was better" in next_step(with_area(result, weights, 0.01))
    few = with_area(result, "real", 0.5)
    few = few.model_copy(update={"figures": tuple(row for row in few.figures if row.arm != weights)})
    assert "cost less and were not tried" in next_step(few)
    one = few.model_copy(update={"figures": tuple(row.model_copy(update={"generators": 1}) for row in few.figures)})
    assert "whether another training of it would do as well is not known (--generator)" in next_step(one)
    box = result.settings.model_copy(update={"view": "box"})
    assert next_step(result.model_copy(update={"settings": box})).startswith("This view says what classifiers see")


def test_a_decision_curve_is_what_its_definition_counts(result: UtilityResult) -> None:
    random = np.random.default_rng(0)
    truth, scores = random.random(200) < 0.3, random.random(200)
    found = net_benefit(truth, scores, np.array(THRESHOLDS))
    for p, benefit in zip(THRESHOLDS, found, strict=True):
        called = [score >= p for score in scores]
        true = sum(c and t for c, t in zip(called, truth, strict=True))
        false = sum(c and not t for c, t in zip(called, truth, strict=True))
        assert benefit == pytest.approx(true / 200 - false / 200 * p / (1 - p))
    assert net_benefit(truth, np.ones(200), np.array([0.2])) == pytest.approx(truth.mean() - (1 - truth.mean()) / 4)
    assert all(len(row.net_benefit) == len(THRESHOLDS) for row in result.figures)


@pytest.mark.parametrize("size", SIZES)
def test_the_page_says_first_what_it_found_and_what_to_do(
    browser: Any, size: str, result: UtilityResult, tmp_path: Path
) -> None:
    page = page_of(browser, size)
    page.goto(f"file://{write_utility_report(tmp_path, result, 'dermsynth utility made')}")
    checked(page)
    seen = page.locator("body").inner_text()
    assert seen.index(result.verdict[:30]) < seen.index("What to do:") < seen.index("real (held out)")
    assert "2 × 2" in seen
    assert "calibration error" not in seen  # folded until it is asked for
    page.get_by_text("where their uncertainty comes from").click()
    assert "a generator" in page.locator("body").inner_text()
    page.get_by_text("Curves: ROC, reliability").click()
    assert "Net benefit, ensembles" in page.content()
    page.get_by_text("What the words mean").click()
    assert "0.5 is guessing" in page.locator("body").inner_text()
    checked(page)
