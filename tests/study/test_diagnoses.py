"""Diagnoses in other spellings than the labels, or in other words."""

import functools
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from dermsynth.errors import UserError
from dermsynth.study.analysis import analyse
from dermsynth.study.counting import read_answers

quick_analysis = functools.partial(analyse, resamples=100)

LABELS = ("Melanoma", "Nävus", "basal cell carcinoma", "1")


def table(spell: dict[str, str]) -> pd.DataFrame:
    rows = [
        (f"r{r}", f"i{i}", ("real", "synthetic")[i // 4], "real", LABELS[i % 4], spell.get(LABELS[i % 4], LABELS[i % 4]))
        for r in range(2) for i in range(8)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["rater", "item", "truth", "answer", "label", "diagnosis"])


@pytest.mark.parametrize(
    "spell",
    [
        {"Melanoma": "melanoma", "Nävus": "NÄVUS", "basal cell carcinoma": "Basal_Cell-Carcinoma", "1": "1.0"},
        {
            "Melanoma": " MELANOMA ",
            "Nävus": unicodedata.normalize("NFD", "Nävus"),
            "basal cell carcinoma": "Basal  cell  carcinoma",
        },
    ],
)
def test_spelling_makes_no_diagnosis_wrong(spell: dict[str, str], tmp_path: Path) -> None:
    table(spell).to_csv(tmp_path / "a.csv", index=False)
    answers, counted = read_answers(tmp_path / "a.csv")
    found = quick_analysis(answers).diagnosis
    assert found is not None
    for confusion in (found.real, found.synthetic):
        assert confusion.accuracy.value == 1
        assert list(confusion.said) == list(confusion.labels) == sorted(LABELS)
    assert any("spellings of one" in note for note in counted.notes)


def test_words_of_another_list_are_refused_and_can_be_left_out(tmp_path: Path) -> None:
    words = {"Melanoma": "MEL", "Nävus": "NV", "basal cell carcinoma": "BCC", "1": "2"}
    table(words).to_csv(tmp_path / "a.csv", index=False)
    said = r"no diagnosis \(MEL, NV, BCC, 2\) is one of the labels \(1, Melanoma, Nävus, basal cell carcinoma\).*`without` diagnosis"
    with pytest.raises(UserError, match=said) as caught:
        read_answers(tmp_path / "a.csv")
    assert "\n" not in str(caught.value)
    answers, _ = read_answers(tmp_path / "a.csv", without=("diagnosis",))
    assert quick_analysis(answers).diagnosis is None


def test_single_words_of_another_list_are_named_with_their_counts(tmp_path: Path) -> None:
    table({"Melanoma": "MEL"}).to_csv(tmp_path / "a.csv", index=False)
    answers, counted = read_answers(tmp_path / "a.csv")
    found = quick_analysis(answers).diagnosis
    assert found is not None
    assert found.real.accuracy.value == 0.75
    assert any(
        note.startswith("diagnoses that no image has as its label count as wrong: 'MEL' 4 times;")
        for note in counted.notes
    )
