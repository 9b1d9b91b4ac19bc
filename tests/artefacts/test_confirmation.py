"""Detectors are believed where labels or eyes confirm them on the set itself; else nothing is built on them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from dermsynth.artefacts.bias import artefact_bias, bias_findings
from dermsynth.artefacts.confirmation import ANSWERS, detector_trust, draw_confirmation, wilson_interval, write_answers
from dermsynth.data.dataset import DataSet
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.images import encode_png
from dermsynth.report.artefact_report import write_confirmation
from dermsynth.values import flags


def marked(folder: Path, count: int = 80, **columns: list[str]) -> DataSet:
    """A set in whose melanomas ink was found."""
    (folder / "images").mkdir(parents=True)
    labels = ["melanoma", "nevus"] * (count // 2)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(90, 200, (24, 32, 3), dtype=np.uint8)
        (folder / f"images/{number}.png").write_bytes(encode_png(pixels))
    found = ["1" if label == "melanoma" else "0" for label in labels]
    table = pd.DataFrame(
        {
            "file_name": [f"images/{k}.png" for k in range(count)], "label": labels, "found_ink": found,
            "score_ink": ["0.3"] * count, **columns,
        }
    )  # fmt: skip
    return write_data_set(folder, table, Provenance(), Step(command="test"))


def answer(data_set: DataSet, right: int, wrong: int) -> None:
    rows = draw_confirmation(data_set, 24, 0)
    values = np.array([True] * right + [False] * wrong + [None] * (len(rows) - right - wrong), dtype=object)
    write_answers(data_set.folder / ANSWERS, rows.assign(confirmed=values))


@pytest.mark.parametrize(("right", "of"), [(0, 24), (1, 32), (20, 24), (24, 24)])
def test_intervals_are_wilson_s(right: int, of: int) -> None:
    assert wilson_interval(right, of) == pytest.approx(proportion_confint(right, of, method="wilson"))


def test_without_labels_or_eyes_nothing_is_concluded(tmp_path: Path) -> None:
    data_set = marked(tmp_path / "set")
    (one,) = detector_trust(data_set)
    assert (one.status, one.found, one.passes) == ("unconfirmed", 40, False)
    bias = artefact_bias(data_set)
    assert bias.ratios.empty
    assert bias.predictive.empty
    text = " ".join(bias_findings(bias, data_set.folder))
    assert "Unconfirmed" in text
    assert "ink (40)" in text
    assert "dermsynth artefacts confirm" in text
    assert "AUC" not in text


def test_what_eyes_confirm_counts(tmp_path: Path) -> None:
    data_set = marked(tmp_path / "set")
    answer(data_set, right=22, wrong=2)
    (one,) = detector_trust(data_set)
    assert (one.status, one.right, one.judged, one.passes) == ("confirmed by eye", 22, 24, True)
    bias = artefact_bias(data_set)
    assert set(bias.ratios["artefact"]) == {"found_ink"}
    text = " ".join(bias_findings(bias, data_set.folder))
    assert "22 of 24 right (92%, 95 % 74% to 98%)" in text
    assert "Artefacts alone tell melanoma" in text


def test_what_eyes_reject_is_not_spoken_of(tmp_path: Path) -> None:
    data_set = marked(tmp_path / "set")
    answer(data_set, right=1, wrong=23)
    bias = artefact_bias(data_set)
    assert bias.ratios.empty
    text = " ".join(bias_findings(bias, data_set.folder))
    assert "1 of 24 right" in text
    assert "not believed" in text


@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("True", "False"), ("1.0", "0.0"), ("ja", "nein")])
def test_labels_count_in_any_spelling(yes: str, no: str, tmp_path: Path) -> None:
    labels = [yes if k % 2 == 0 and k < 76 else no for k in range(80)]
    labels[1] = ""
    (one,) = detector_trust(marked(tmp_path / "set", ink=labels))
    assert (one.status, one.right, one.judged, one.seen, one.missed) == ("labels", 38, 40, 38, 0)
    assert one.passes


def test_answers_are_kept_and_those_that_no_longer_hold_are_not(tmp_path: Path) -> None:
    data_set = marked(tmp_path / "set")
    answer(data_set, right=5, wrong=3)
    again = draw_confirmation(data_set, 24, 7)
    assert again["confirmed"].notna().sum() == 8
    assert len(again) == 24
    assert again["file_name"].is_unique
    changed = DataSet(data_set.folder, data_set.table.assign(score_ink="0.4"), data_set.description)
    assert detector_trust(changed)[0].status == "unconfirmed"


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    data_set = marked(tmp_path / "set")
    rows = draw_confirmation(data_set, 3, 0)
    rows.assign(confirmed="perhaps").to_csv(data_set.folder / ANSWERS, index=False)
    with pytest.raises(UserError, match="row 2, column 'confirmed': 'perhaps'"):
        detector_trust(data_set)
    bare = DataSet(data_set.folder, data_set.table.drop(columns="found_ink"), data_set.description)
    with pytest.raises(UserError, match="not looked at"):
        draw_confirmation(bare, 3, 0)


def test_a_column_that_is_no_flag_is_named_and_left_out(tmp_path: Path) -> None:
    data_set = marked(tmp_path / "set", hair=["brown", "black"] * 40)
    bias = artefact_bias(data_set)
    assert any("'hair'" in note and "'brown'" in note for note in bias.notes)


def test_missing_flags_are_neither(tmp_path: Path) -> None:
    values = flags(pd.DataFrame({"ink": ["yes", "", "NA", "0"]}), "ink")
    assert values[0] == 1
    assert values[3] == 0
    assert np.isnan(values[1:3]).all()


def test_the_page_has_photographs_only_where_wanted(tmp_path: Path) -> None:
    data_set = marked(tmp_path / "set")
    rows = draw_confirmation(data_set, 3, 0)
    text = write_confirmation(data_set, rows, detector_trust(data_set)).read_text()
    assert text.count("<img ") == 3
    assert "This page contains photographs from the data set" in text
    bare = write_confirmation(data_set, rows, detector_trust(data_set), photographs=False).read_text()
    assert "Photographs were left out" in bare
    assert "This page embeds" not in bare
