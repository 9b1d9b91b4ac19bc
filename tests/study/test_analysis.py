"""The analysis of any CSV: its figures against plain pandas, its page, and what a wrong table is told."""

import functools
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from dermsynth.errors import UserError
from dermsynth.io import read_json
from dermsynth.report.page import PHOTOGRAPHS
from dermsynth.report.study_report import write_study_report
from dermsynth.study.analysis import _difference, analyse, analyse_study
from dermsynth.study.answers import parse_answers
from dermsynth.study.counting import read_answers
from dermsynth.study.create import Study

quick_analysis = functools.partial(analyse, resamples=100)


def answers_table(seed: int = 0, raters: int = 4, images: int = 30) -> pd.DataFrame:
    random, rows = np.random.default_rng(seed), []
    for r in range(raters):
        for i in [*range(images), 0, 1, 2]:
            truth = "real" if i < images // 2 else "synthetic"
            right = random.random() < 0.55 + 0.1 * (r % 2)
            rows.append(
                {
                    "rater": f"r{r}", "group": "doctors" if r % 2 else "others", "item": f"i{i}", "truth": truth,
                    "answer": truth if right else {"real": "synthetic", "synthetic": "real"}[truth],
                    "label": "melanoma" if i % 2 else "nevus",
                    "diagnosis": "melanoma" if (i + (random.random() < 0.3 + 0.3 * (truth == "synthetic"))) % 2 else "nevus",
                    "certainty": str(random.integers(3, 6) if right else random.integers(1, 4)),
                    "seconds": f"{random.exponential(4):.2f}", "repeat": "true" if len(rows) % (images + 3) >= images else "false",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_figures_are_those_of_the_table() -> None:
    table = answers_table()
    result = quick_analysis(parse_answers(table, "synthetic", Path("x.csv")))
    first = table[table["repeat"] == "false"]
    for rater in result.raters:
        mine = first[first["rater"] == rater.rater]
        tn, fp, fn, tp = confusion_matrix(mine["truth"], mine["answer"], labels=["real", "synthetic"]).ravel()
        assert asdict(rater.counts) == {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
        assert rater.rates["accuracy"].value == pytest.approx((mine["truth"] == mine["answer"]).mean())
        again = table[(table["rater"] == rater.rater) & (table["repeat"] == "true")]
        before = mine.set_index("item").loc[again["item"], "answer"].to_numpy()
        assert rater.self_agreement.share.value == pytest.approx((before == again["answer"].to_numpy()).mean())
        if rater.self_agreement.kappa is not None:
            assert rater.self_agreement.kappa == pytest.approx(cohen_kappa_score(before, again["answer"]))
    assert [group.group for group in result.groups] == ["doctors", "others", "all raters"]
    assert len(result.agreement) == 3 * 3 * 2
    for image in result.images.rows:
        mine = first[first["item"] == image.item]
        assert image.right == (mine["truth"] == mine["answer"]).sum()
    shares = [row.value for row in result.certainty]
    assert shares[-1] > shares[0]  # the surer, the more often right
    real = first[first["truth"] == "real"]
    assert result.diagnosis.real.accuracy.value == pytest.approx((real["label"] == real["diagnosis"]).mean())
    assert result.diagnosis.difference.real_minus_synthetic > 0.1
    assert result.diagnosis.difference.p < 0.05


def test_a_table_is_analysed_as_its_file_is(tmp_path: Path) -> None:
    table = answers_table(raters=2, images=8).astype({"certainty": int})
    table["repeat"] = table["repeat"] == "true"
    table.to_csv(tmp_path / "answers.csv", index=False)
    result = analyse_study(table, positive="synthetic")
    assert result == analyse_study(tmp_path / "answers.csv", positive="synthetic")
    frame = result.to_frame()
    assert frame["rater"].tolist() == ["r0", "r1"]
    assert frame["accuracy"].tolist() == [rater.rates["accuracy"].value for rater in result.raters]
    result.save(tmp_path / "report.json")
    assert read_json(tmp_path / "report.json")["raters"][0]["counts"] == asdict(result.raters[0].counts)
    with pytest.raises(UserError, match="answers: no column 'truth'"):
        analyse_study(table.drop(columns="truth"))


def test_positive_swaps_sides_and_nothing_else() -> None:
    table = answers_table()
    one, two = (quick_analysis(parse_answers(table, positive, Path("x.csv"))) for positive in ("real", "synthetic"))
    for a, b in zip(one.raters, two.raters, strict=True):
        assert (a.counts.tp, a.counts.fp) == (b.counts.tn, b.counts.fn)
        assert a.detection.sensitivity_index == pytest.approx(b.detection.sensitivity_index)
        assert a.detection.criterion == pytest.approx(-b.detection.criterion)
    for key in ("balanced_accuracy", "low", "high", "p"):
        assert getattr(one.groups[2].panel, key) == pytest.approx(getattr(two.groups[2].panel, key), abs=0.005)
    assert one.agreement == two.agreement


def test_a_habit_of_answering_is_not_taken_for_skill() -> None:
    """Five of eight images are real, and raters who know nothing call seven of ten real."""
    random = np.random.default_rng(0)
    rows = [
        {"rater": f"r{r}", "item": f"i{i}", "truth": "real" if i < 50 else "synthetic",
         "answer": "real" if random.random() < 0.7 else "synthetic"}
        for r in range(20) for i in range(80)
    ]  # fmt: skip
    result = quick_analysis(parse_answers(pd.DataFrame(rows), "real", Path("x")))
    group = result.groups[0]
    assert group.panel.p > 0.05
    assert group.panel.low < 0.5 < group.panel.high
    assert group.detection.low < 0 < group.detection.high
    assert np.mean([rater.p_against_chance < 0.05 for rater in result.raters]) <= 0.15


def test_no_difference_of_diagnoses_is_found_where_there_is_none() -> None:
    found = []
    for seed in range(40):
        table = answers_table(seed, raters=3, images=20)
        random = np.random.default_rng(seed + 999)
        table["diagnosis"] = np.where(random.random(len(table)) < 0.3, "melanoma", "nevus")
        table["label"] = "nevus"
        answers = parse_answers(table, "real", Path("x")).first
        difference = _difference(answers.table, seed)
        assert difference is not None
        found.append(difference.p < 0.05)
    assert np.mean(found) <= 0.125


def test_the_page_shows_what_the_table_says(
    tmp_path: Path, shell: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    answers_table().to_csv(tmp_path / "answers.csv", index=False)
    said = shell("study", "report", tmp_path / "answers.csv", "--out", tmp_path / "out").stdout
    assert "doctors: 2 raters, balanced accuracy" in said
    result = read_json(tmp_path / "out" / "report.json")
    assert result["answers"] == 132
    page = (tmp_path / "out" / "study.html").read_text()
    for heading in ("Groups", "Raters", "Agreement between raters", "Images", "Diagnosis"):
        assert f"<h2>{heading}" in page
    assert page.count("<svg") == 5
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


@pytest.mark.parametrize("raters", [1, 2, 5])
def test_no_interval_claims_certainty_where_everybody_is_right(raters: int, tmp_path: Path) -> None:
    table = pd.DataFrame(
        [(f"r{r}", f"i{i}", kind, kind) for r in range(raters) for i, kind in enumerate(["real", "synthetic"] * 3)],
        columns=["rater", "item", "truth", "answer"],
    ).assign(label="nevus", diagnosis="nevus", certainty="5")
    result = quick_analysis(parse_answers(table, "real", Path("x")))
    rates = [rate for row in [*result.raters, *result.groups] for rate in row.rates.values()]
    assert result.diagnosis is not None
    kinds = [result.diagnosis.real.accuracy, result.diagnosis.synthetic.accuracy]
    panels = [group.panel for group in result.groups if group.panel]
    found = [
        *rates,
        *kinds,
        *panels,
        *result.agreement,
        *result.certainty,
        *(r.detection for r in result.raters),
    ]
    assert all(one.high - one.low > 0.02 for one in found if one.low is not None)
    assert all(row.detection.bounded for row in result.raters)
    assert [row.value for row in result.agreement if row.images == "all"] == [1.0, 1.0] * (raters > 1)
    assert len(panels) == (raters > 1)
    page = write_study_report(tmp_path, result.model_copy(update={"notes": ("something to know",)}), "")
    text = page.read_text()
    assert "<li>something to know</li>" in text
    assert "* marks a rate of 0 or 1" in text


def test_the_least_table_is_enough(tmp_path: Path) -> None:
    rows = [("a", "1", "real", "real"), ("a", "2", "synthetic", "real")]
    table = pd.DataFrame(rows, columns=["rater", "item", "truth", "answer"])
    result = quick_analysis(parse_answers(table, "real", Path("x")))
    assert result.groups[0].panel is None
    assert "two of each are needed" in result.groups[0].panel_refused
    assert result.diagnosis is None
    assert write_study_report(tmp_path, result, "").exists()


def test_the_page_shows_images_of_the_study_only_with_a_word_about_photographs(small: Study, tmp_path: Path) -> None:
    items = sorted(small.by_item)[:2]
    rows = [(rater, item, "real", "real") for rater in ("a", "b") for item in items]
    table = pd.DataFrame(rows, columns=["rater", "item", "truth", "answer"])
    result = quick_analysis(parse_answers(table, "real", Path("x")))
    shown = write_study_report(tmp_path / "with", result, "", small).read_text()
    assert PHOTOGRAPHS in shown
    assert "<img" in shown
    hidden = write_study_report(tmp_path / "without", result, "").read_text()
    assert PHOTOGRAPHS not in hidden
    assert "<img" not in hidden


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rater,item,truth\na,1,real\n", "no column 'answer'"),
        (
            "rater,item,truth,answer\na,1,real,odd\n",
            "row 2, column 'answer': 'odd' is no known word; it must be real or synthetic",
        ),
        ("rater,item,truth,answer\na,1,real,real\na,1,real,real\n", "row 3: rater 'a' judges image '1' again"),
        ("rater,item,truth,answer,seconds\na,1,real,real,soon\n", "row 2, column 'seconds': 'soon' is no number"),
        ("rater,item,truth,answer\n", "no answers yet"),
        ("", "not a table"),
    ],
)
def test_a_wrong_table_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_answers(path, "real")
    with pytest.raises(UserError, match="`positive` 'fake': write real or synthetic"):
        parse_answers(answers_table(), "fake", path)
