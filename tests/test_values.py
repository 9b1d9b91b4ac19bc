import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dermsynth.errors import UserError
from dermsynth.values import (
    as_tuple,
    flags,
    identifiers,
    is_missing,
    numbers,
    parse_flag,
    parse_number,
    plain_identifier,
)

TRUE = ["true", "True", "TRUE", " true ", "1", "1.0", "1,0", "+1", "-1", "yes", "Y", "T", "WAHR", "VRAI", "ja", "はい"]
FALSE = ["false", "False", "FALSE", "0", "0.0", "0,00", "-0", "no", "N", "F", "FALSCH", "FAUX", "nein", "off"]
MISSING = ["", "  ", "NA", "N/A", "nan", "NaN", "None", "NULL", "<NA>", "#N/A", "#NV", "-", "?", "NaT"]


@pytest.mark.parametrize("text", TRUE)
def test_spellings_of_true(text: str) -> None:
    assert parse_flag(text) is True


@pytest.mark.parametrize("text", [t for t in FALSE if t != "-0"])
def test_spellings_of_false(text: str) -> None:
    assert parse_flag(text) is False


@pytest.mark.parametrize("text", [*MISSING, "unknown", "Unbekannt", "not  available"])
def test_missing_is_neither(text: str) -> None:
    assert is_missing(text)
    assert parse_flag(text) is None
    assert parse_number(text) is None
    assert plain_identifier(text) == ""


def test_words_for_unknown_may_be_told_apart() -> None:
    assert not is_missing("unknown", words=False)
    assert is_missing("nan", words=False)
    assert not is_missing("0")
    assert not is_missing("nevus")


@pytest.mark.parametrize("text", ["x", "2", "0.5", "tru", "melanoma", "01.01.2020"])
def test_another_flag_names_row_and_column(text: str) -> None:
    table = pd.DataFrame({"file_name": ["a.png", "b.png"], "copy_flag": ["true", text]})
    with pytest.raises(UserError, match=r"row 3 \(b\.png\), column 'copy_flag': .* is no flag"):
        flags(table, "copy_flag")


def test_a_column_of_flags_from_any_hand() -> None:
    table = pd.DataFrame({"flag": [*TRUE, *MISSING]})
    assert (flags(table, "flag") == 1).tolist() == [True] * len(TRUE) + [False] * len(MISSING)
    assert np.isnan(flags(table, "flag")).tolist() == [False] * len(TRUE) + [True] * len(MISSING)
    assert np.isnan(flags(table, "another")).all()


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5", 1.5), ("1,5", 1.5), ("-3", -3.0), ("1e-3", 1e-3), ("5%", 0.05), (".5", 0.5), ("\u22122", -2.0)],
)
def test_numbers_of_any_country(text: str, value: float) -> None:
    assert parse_number(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["1,234.5", "1.234,5", "1 000", "inf", "1e999", "one", "0x10", "1_000"])
def test_what_is_no_number_is_an_error(text: str) -> None:
    with pytest.raises(UserError, match="row 2, column 'age'"):
        numbers(pd.DataFrame({"age": [text]}), "age")


def test_a_column_of_numbers_has_nan_where_nothing_is() -> None:
    found = numbers(pd.DataFrame({"age": ["40", "", "NA", "62,5"]}), "age")
    assert found[[0, 3]].tolist() == [40, 62.5]
    assert np.isnan(found[1:3]).all()


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_float_survives_its_text(value: float) -> None:
    assert math.isclose(parse_number(repr(value)) or 0.0, value, rel_tol=1e-12)
    assert math.isclose(parse_number(repr(value).replace(".", ",")) or 0.0, value, rel_tol=1e-12)


def test_identifiers_have_one_spelling() -> None:
    assert len({*identifiers(["P001", "p001", " P001 ", "Ｐ001"])}) == 1
    assert identifiers(["12", "12.0", "12,0", "+12"]).tolist() == ["12"] * 4
    assert plain_identifier("0012") != plain_identifier("12")
    assert plain_identifier("Jos\u00e9") == plain_identifier("Jose\u0301")


def test_one_text_is_one_value() -> None:
    assert as_tuple("nevus") == ("nevus",)
    assert as_tuple("") == as_tuple([]) == ()
    assert as_tuple(["a", "b"]) == ("a", "b")
