"""Certainties as ratings: areas under ROC curves by condition."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from dermsynth.errors import UserError
from dermsynth.report.study_report import write_study_report
from dermsynth.statistics.multireader import Multireader
from dermsynth.study.analysis import analyse, analyse_study
from dermsynth.study.answers import parse_answers
from dermsynth.study.certainty import areas_by_certainty
from dermsynth.study.planning import area_power

RATERS, IMAGES = 4, 24


def answers(conditions: tuple[str, ...] = ("first", "second"), *, seed: int = 0) -> pd.DataFrame:
    """Raters who tell the images of the first condition apart better than those of the second."""
    random = np.random.default_rng(seed)
    rows = []
    for condition in conditions:
        skill = 1.5 if condition == "first" else 0.2
        for number in range(IMAGES):
            truth = ("real", "synthetic")[number % 2]
            for rater in range(RATERS):
                evidence = random.normal(skill if truth == "real" else -skill)
                rows.append(
                    {
                        "rater": f"r{rater}", "item": f"{condition}-{number}", "condition": condition, "truth": truth,
                        "answer": "real" if evidence > 0 else "synthetic", "certainty": 1 + min(4, int(2 * abs(evidence))),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def areas_of(table: pd.DataFrame, positive: str = "real") -> tuple[Multireader | None, str | None]:
    return areas_by_certainty(parse_answers(table.astype(str), positive, Path("answers")).first)


def test_areas_are_those_of_signed_certainty() -> None:
    table = answers()
    result, _ = areas_of(table)
    assert result is not None
    for area in result.areas:
        rows = table[table["condition"] == area.condition]
        signed = np.where(rows["answer"] == "real", rows["certainty"], -rows["certainty"])
        expected = [
            roc_auc_score(rows["truth"][rows["rater"] == rater] == "real", signed[rows["rater"] == rater])
            for rater in ("r0", "r1", "r2", "r3")
        ]
        assert area.each == pytest.approx(expected)
    assert (result.readers, result.cases) == (RATERS, 2 * IMAGES)
    assert result.differences[0].low > 0


def test_the_other_kind_as_positive_gives_the_same_area() -> None:
    one, other = (areas_of(answers(), kind)[0] for kind in ("real", "synthetic"))
    assert one is not None
    assert other is not None
    assert [area.area for area in one.areas] == pytest.approx([area.area for area in other.areas])


def test_a_scale_below_zero_keeps_its_order() -> None:
    table = answers()
    shifted = table.assign(certainty=table["certainty"] - 3)
    assert areas_of(table) == areas_of(shifted)


def test_without_certainty_there_is_nothing_to_say() -> None:
    assert areas_of(answers().drop(columns="certainty")) == (None, None)


def test_raters_of_one_condition_cannot_be_compared() -> None:
    table = answers()
    apart = table[(table["condition"] == "first") == (table["rater"].isin(["r0", "r1"]))]
    areas, refused = areas_of(apart)
    assert areas is None
    assert refused is not None
    assert refused.startswith("0 raters judged 2 images of either kind")


def test_a_rater_who_left_halfway_is_not_compared() -> None:
    table = answers()
    left = table[(table["rater"] != "r3") | (table["condition"] == "first")]
    areas, _ = areas_of(left)
    assert areas is not None
    assert areas.readers == RATERS - 1


def test_page_and_plan_use_them(tmp_path: Path) -> None:
    result = analyse_study(answers())
    page = write_study_report(tmp_path, result, "")
    assert "Areas under ROC curves, by certainty" in page.read_text()
    assert "first minus second" in page.read_text()
    report = tmp_path / "report.json"
    assert area_power(report, 0.1, 3, 48) < area_power(report, 0.1, 12, 48) < area_power(report, 0.1, 12, 200)
    with pytest.raises(UserError, match="above 0 and below 1"):
        area_power(report, 0.0, 3, 48)


def test_a_pilot_without_two_conditions_plans_nothing(tmp_path: Path) -> None:
    one = parse_answers(answers(("first",)).astype(str), "real", tmp_path)
    analyse(one, resamples=10).save(tmp_path / "report.json")
    with pytest.raises(UserError, match="no areas of two conditions"):
        area_power(tmp_path / "report.json", 0.1, 3, 48)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UserError, match=r"no report\.json of dermsynth study report"):
        area_power(tmp_path / "other.json", 0.1, 3, 48)


def test_the_same_images_in_two_conditions_are_one_case_each() -> None:
    table = answers()
    crossed = table.assign(item=table["item"].str.split("-").str[1])
    result = analyse_study(crossed)
    assert result.areas is not None
    assert result.areas.cases == IMAGES
    assert result.areas.components is not None
    assert result.areas.components.neither != 0
    assert any("judged in several conditions" in note for note in result.notes)
    assert len(result.matrix.items) == 2 * IMAGES
    apart, _ = areas_of(table)
    assert apart is not None
    assert [area.each for area in result.areas.areas] == [area.each for area in apart.areas]


def test_what_areas_leave_out_is_said() -> None:
    table = answers().astype({"certainty": object})
    table.loc[0, "condition"] = ""
    table.loc[1, "certainty"] = ""
    table = table[(table["rater"] != "r3") | (table["condition"] == "first")]
    notes = analyse(parse_answers(table.astype(str), "real", Path("answers")), resamples=10).notes
    assert [note for note in notes if note.startswith("areas")] == [
        "areas by certainty leave out 1 answers without a certainty", "areas by certainty leave out 1 answers without a condition",
        "areas by certainty leave out 1 raters who did not judge in every condition",
    ]  # fmt: skip
