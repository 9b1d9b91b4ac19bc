"""Tables of answers in the spellings of other programs, and tables that contradict themselves."""

import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermsynth.errors import UserError
from dermsynth.study.answers import Answers, parse_answers
from dermsynth.study.columns import FLAGS, NUMBERS, REAL, SYNTHETIC, WORDS, clean_table, is_flag, plain_word
from dermsynth.study.counting import CountedAnswers, read_answers

NO, YES = ("no", "0", "0.0", "false", "False", "FALSCH", "nein", ""), ("yes", "1", "1.0", "TRUE", "wahr", "ja", "x1")


def plain(raters: int = 3, images: int = 4) -> pd.DataFrame:
    rows = [(f"R{r}", f"i{i}", ("real", "synthetic")[i % 2], "real") for r in range(raters) for i in range(images)]
    return pd.DataFrame(rows, columns=["rater", "item", "truth", "answer"])


def read(
    table: pd.DataFrame, folder: Path, positive: str = "", without: tuple[str, ...] = ()
) -> tuple[Answers, CountedAnswers]:
    table.to_csv(folder / "answers.csv", index=False)
    return read_answers(folder / "answers.csv", positive, without)  # type: ignore[arg-type]


@pytest.mark.parametrize("word", NO)
def test_no_means_no(word: str, tmp_path: Path) -> None:
    answers, counted = read(plain().assign(excluded=word, attention=word, repeat=word, finished=word), tmp_path)
    assert (len(answers.first.table), set(counted.left_out.values())) == (12, {0})
    assert counted.noticed["of raters who did not finish"] == 12


@pytest.mark.parametrize("word", YES[:-1])
def test_yes_means_yes(word: str, tmp_path: Path) -> None:
    first = plain()["rater"] == "R0"
    marked = plain().assign(excluded=first.map({True: word, False: "no"}), finished=word)
    answers, counted = read(marked, tmp_path)
    assert answers.raters == ["R1", "R2"]
    assert counted.left_out["of excluded raters"] == 4
    assert counted.noticed["of raters who did not finish"] == 0


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(range(5))), min_size=12, max_size=12))
def test_flags_in_mixed_spellings_are_the_flags(drawn: list[tuple[bool, int]]) -> None:
    for column in FLAGS:
        table = plain().assign(**{column: [(YES if flag else NO)[place] for flag, place in drawn]})
        assert list(clean_table(table, Path("x")).table[column]) == [flag for flag, _ in drawn]


def test_this_programs_times_and_answers_in_flags_are_yes(tmp_path: Path) -> None:
    table = plain().assign(finished="2026-11-29T07:03:10+00:00", attention=["synthetic", *[""] * 11])
    answers, counted = read(table, tmp_path)
    assert (len(answers.table), counted.left_out["to attention checks"]) == (11, 1)
    assert counted.noticed["of raters who did not finish"] == 0


@pytest.mark.parametrize("column", [*FLAGS, *NUMBERS])
def test_what_is_no_flag_or_number_is_named_with_row_and_column(column: str, tmp_path: Path) -> None:
    table = plain().assign(**{column: ["1", "1", "perhaps", *["1"] * 9]})
    with pytest.raises(UserError, match=rf"answers.csv, row 4, column '{column}': 'perhaps' is no (flag|number)"):
        read(table, tmp_path)


def test_numbers_have_decimal_commas_and_blanks(tmp_path: Path) -> None:
    table = plain().assign(seconds=["3,5", "NA", *["2"] * 10], views=["2", "", *["1,0"] * 10])
    answers, counted = read(table, tmp_path)
    assert answers.table["seconds"].tolist()[2:] == [2.0] * 10
    assert answers.table["seconds"][0] == 3.5
    assert answers.table["seconds"].isna()[1]
    assert sum(counted.noticed.values()) == 1
    with pytest.raises(UserError, match="row 2, column 'seconds': '-3' is less than 0"):
        read(plain().assign(seconds="-3"), tmp_path)


@pytest.mark.parametrize(
    ("real", "synthetic"), [("Real", "FAKE"), ("echt", "Künstlich"), ("original", "AI-generated"), ("réel", "généré")]
)
def test_kinds_in_other_words(real: str, synthetic: str, tmp_path: Path) -> None:
    table = plain().replace({"real": real, "synthetic": synthetic})
    answers, counted = read(table, tmp_path)
    assert answers.counts() == read(plain(), tmp_path)[0].counts()
    assert any(f"'truth': '{synthetic}' is read as synthetic (6 rows)" in note for note in counted.notes)


def test_words_for_kinds_are_no_flags() -> None:
    words = [word for kind in (REAL, SYNTHETIC) for word in WORDS[kind].split(";")]
    assert not [word for word in words if is_flag(word)]
    assert all(plain_word(word) == word for word in words)
    assert len(set(words)) == len(words)


@pytest.mark.parametrize(("real", "synthetic"), [("1", "0"), ("0.0", "1.0"), ("True", "False"), ("wahr", "falsch")])
def test_numbers_and_flags_for_kinds_are_ambiguous(real: str, synthetic: str, tmp_path: Path) -> None:
    table = plain().replace({"real": real, "synthetic": synthetic})
    with pytest.raises(UserError, match=rf"row 2, column 'truth': '{real}' is ambiguous"):
        read(table, tmp_path)
    if real in ("1", "0.0"):  # unambiguous where it is said which kind 1 is
        one = REAL if real == "1" else SYNTHETIC
        for answers in (read(table, tmp_path, one)[0], read(table.assign(positive=one), tmp_path)[0]):
            assert set(answers.table["answer"]) == {REAL}
            assert answers.positive == one


def test_spellings_of_one_rater_and_image_are_one(tmp_path: Path) -> None:
    table = plain().assign(item=[str(10 + i % 4) for i in range(12)])
    table.loc[[1, 6], "rater"] = ["r0 ", "r1"]
    table.loc[5, "item"] = "11.0"
    answers, counted = read(table, tmp_path)
    assert (answers.raters, sorted(set(answers.table["item"]))) == (["R0", "R1", "R2"], ["10", "11", "12", "13"])
    assert sum("are taken together" in note for note in counted.notes) == 2


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("truth", ["real"] * 12, r"row 9, column 'truth': image 'i3' is 'real' here and 'synthetic' in row 5"),
        (
            "label",
            ["a", "b"] * 6,
            r"row 6, column 'label': image 'i0' is 'b' here and 'a' in row 2 \(images that have two: 3\)",
        ),
        (
            "group",
            ["g", "h"] * 6,
            r"row 3: rater 'R0' is in group 'h' here and in 'g' before \(raters that have two: 3\)",
        ),
        ("positive", ["real", "synthetic"] * 6, r"column 'positive' says real, synthetic; it must be"),
        ("positive", ["both"] * 12, r"column 'positive' says both; it must be"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(column: str, values: list[str], said: str, tmp_path: Path) -> None:
    table = plain()
    if column == "truth":
        values = [*table["truth"][:7], "real", *table["truth"][8:]]
    if column == "label":
        table["item"] = [f"i{i % 3 if i > 3 else i}" for i in range(12)]
        table = table.assign(truth="real", rater=[f"R{i}" for i in range(12)])
        values = ["a", "c", "e", "x", "b", "d", "f", "b", "d", "f", "b", "d"]
        said = r"row 6, column 'label': image 'i1' is 'b' here and 'c' in row 3 \(images that have two: 3\)"
    with pytest.raises(UserError, match=said):
        read(table.assign(**{column: values}), tmp_path)


@pytest.mark.parametrize(("again", "what"), [("real", "the same"), ("synthetic", "another")])
def test_a_second_answer_without_a_word_is_refused(again: str, what: str, tmp_path: Path) -> None:
    twice = pd.concat([plain(), plain().head(2).assign(answer=again, rater="r0")])
    with pytest.raises(
        UserError, match=rf"row 14: rater 'R0' judges image 'i0' again, with {what} answer as in row 2 \(2 such"
    ):
        read(twice, tmp_path)
    repeated = twice.assign(repeat=["no"] * 12 + ["yes"] * 2)
    assert len(read(repeated, tmp_path)[0].first.table) == 12


def test_rows_are_named_as_in_the_file_also_after_others_are_left_out(tmp_path: Path) -> None:
    table = plain().assign(excluded=["yes"] * 4 + ["no"] * 8)
    twice = pd.concat([table, table.tail(1)])
    with pytest.raises(UserError, match="row 14: rater 'R2'"):
        read(twice, tmp_path)


def test_missing_values_are_left_out_filled_and_said(tmp_path: Path) -> None:
    table = plain().assign(group=["g", *[""] * 11])
    table.loc[0, "truth"], table.loc[5, "answer"], table.loc[6, "rater"], table.loc[7, "item"] = (
        "",
        "NA",
        "nan",
        "unknown",
    )
    lonely = pd.DataFrame([("R1", "new", "?", "real", "")], columns=table.columns)
    answers, counted = read(pd.concat([table, lonely]), tmp_path)
    left = {reason: count for reason, count in counted.left_out.items() if count}
    assert left == {
        "without a rater (first in row 8)": 1, "without an image (first in row 9)": 1,
        "without a known truth (first in row 14)": 1, "without a value (first in row 7)": 1,
    }  # fmt: skip
    assert len(answers.table) == 9
    assert "column 'truth': 1 blank cells are filled from other rows of the same image" in counted.notes
    assert set(answers.table.loc[answers.table["rater"] == "R0", "group"]) == {"g"}
    with pytest.raises(
        UserError, match=re.escape("no answers but ones that do not count: 12 without a known truth (first in row 2)")
    ):
        read(plain().assign(truth=""), tmp_path)


def test_doubtful_rows_are_said(tmp_path: Path) -> None:
    table = plain().assign(
        finished=["yes", *["no"] * 11], patient=["p", "P", "q", "r"] * 3, repeat=["yes", *["no"] * 11]
    )
    notes = " ".join(read(table, tmp_path)[1].notes)
    assert "1 raters are finished in some of their rows only (first: R0)" in notes
    assert "1 answers to repeats of images without a first answer count nowhere (first: rater R0, image i0)" in notes
    assert "column 'patient': 2 of 4 images share their patient with another" in notes


def test_a_clean_table_needs_no_word(tmp_path: Path) -> None:
    assert read(plain(), tmp_path)[1].notes == ()
    assert len(parse_answers(plain(), "real", Path("x")).table) == 12
