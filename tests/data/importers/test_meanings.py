"""Spellings of age, sex, skin tone and kinds of images: one coding, and nothing guessed."""

import pytest

from dermsynth.data.importers.layout_table import Meaning
from dermsynth.data.importers.meanings import CODES, with_meanings


@pytest.mark.parametrize(
    ("column", "spellings"),
    [
        ("fitzpatrick", {"I": "1", "vi": "6", "3": "3", "2.0": "2", "FST4": "4", "FST_5": "5", "Type III": "3", "skin type: iv": "4",
                         "ii pale white, burns": "2", "iii - light brown": "3", "-1": "", "0": "", "7": "", "12": "", "I-II": "",
                         "2/3": "", "ii to iii": "", "vitiligo": "", "3.5": "", "NONE": "", "1,5": "", "3,0": "3",
                         "I, II": "", "III and IV": "", "4 & 5": "", "2+3": "", "II, tans a little": "2"}),
        ("fitzpatrick_pair", {"12": "1-2", "34.0": "3-4", "5-6": "5-6", "FST I": "", "III": ""}),
        ("monk", {"1": "1", "10": "10", "MST 5": "5", "monk_7": "7", "3.0": "3", "11": "", "0": "", "dark": ""}),
        ("ita", {"41,5": "41.5", "-30.0": "-30", "x": ""}),
        ("sex", {"F": "female", "Female": "female", "MALE": "male", "weiblich": "female", "m": "male", "diverse": "other", "xy": ""}),
        ("age", {"50": "50", "50.0": "50", "85+": "85", "0": "0", "-1": "", "500": "", "old": ""}),
        ("age_range", {"AGE_18_TO_29": "18-29", "40-49": "40-49", "40 to 49": "40-49", "40": ""}),
        ("image_type", {"clinical: close-up": "clinical", "dermoscopic": "dermoscopic", "dermatoscopic": "dermoscopic",
                        "dscope": "dermoscopic", "6in": "clinical", "TBP tile: close-up": "tbp", "RCM: mosaic": "rcm", "x-ray": ""}),
    ],
)  # fmt: skip
def test_spellings(column: str, spellings: dict[str, str]) -> None:
    assert {text: CODES[column](text) for text in spellings} == spellings


def test_the_sources_columns_stay_and_one_that_says_it_otherwise_has_another_name() -> None:
    rows = [{"sex": "F", "age": "50.0", "n": "1"}, {"sex": "male", "age": "", "n": "2"}]
    coded, notes = with_meanings(rows, Meaning(sex="sex", age="age"))
    assert coded == [
        {"age": "50", "sex": "female", "source_sex": "F", "n": "1"}, {"age": "", "sex": "male", "source_sex": "male", "n": "2"},
    ]  # fmt: skip
    assert notes == [
        "columns of one meaning in every set: age from 'age' (not known of 1 images), sex from 'sex' ('F' is female)"
    ]


def test_the_first_column_that_is_understood_counts() -> None:
    rows = [{"a": "-1", "b": "III"}, {"a": "2", "b": "V"}, {"a": "-1", "b": "?"}]
    coded, notes = with_meanings(rows, Meaning(fitzpatrick=["a", "b"]))
    assert [row["fitzpatrick"] for row in coded] == ["3", "2", ""]
    assert notes[1] == "column 'fitzpatrick': '-1' of 1 images is not understood and left blank"


def test_a_measured_tone_of_another_program_is_not_taken_for_ours() -> None:
    coded, _ = with_meanings([{"skin_tone": "12"}], Meaning())
    assert coded == [{"source_skin_tone": "12"}]
