"""Columns that tell the class: of every kind, against a literal transcription, and nothing where nothing is there."""

import numpy as np
import pandas as pd
import pytest

from dermsynth.data.predictive_columns import (
    ColumnPrediction,
    assessed_columns,
    codes_of,
    column_predictions,
    held_out_area,
    kind_of,
    strongest,
)

N = 240


def of(values: list[str] | np.ndarray) -> pd.Series:
    return pd.Series([str(value) for value in values])


def told(
    column: str, values: list[str] | np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None
) -> ColumnPrediction | None:
    table = pd.DataFrame({"file_name": [f"{k}.png" for k in range(len(labels))], column: of(values)})
    found = strongest(column_predictions(table, labels, np.arange(len(labels)) if groups is None else groups))
    return found[0] if found else None


@pytest.fixture
def labels() -> np.ndarray:
    return np.array(["melanoma", "nevus"] * (N // 2), dtype=object)


def test_a_category_alone_tells_the_class(labels: np.ndarray) -> None:
    """`histo` in 80 % of melanomas and 20 % of nevi, else one of two: the area is 0.8."""
    random = np.random.default_rng(0)
    likely = random.random(N) < np.where(labels == "melanoma", 0.8, 0.2)
    other = np.array(["follow_up", "consensus"])[random.integers(0, 2, N)]
    one = told("dx_type", np.where(likely, "histo", other), labels)
    assert one is not None
    assert (one.kind, {one.first, one.second}, one.images) == ("category", {"melanoma", "nevus"}, (N // 2, N // 2))
    assert one.auc == pytest.approx(0.8, abs=0.06)
    assert one.low < one.auc < one.high


def test_numbers_need_no_order_and_missing_is_a_value(labels: np.ndarray) -> None:
    random = np.random.default_rng(1)
    middle = np.where(labels == "melanoma", random.normal(50, 3, N), np.where(random.random(N) < 0.5, 20, 80))
    number = told("age", middle.round(2), labels)
    assert number is not None
    assert number.kind == "number"
    assert number.auc > 0.95
    blank = told("thickness", np.where(labels == "melanoma", "1,5", "NA"), labels)
    assert blank is not None
    assert blank.auc == 1.0


def test_rare_flags_are_not_lost_among_the_rest(labels: np.ndarray) -> None:
    shown = np.zeros(N, int)
    shown[np.flatnonzero(labels == "melanoma")[:12]] = 1
    one = told("ink", shown, labels)
    assert one is not None
    assert one.auc == pytest.approx(0.55, abs=0.02)


def test_a_perfect_column_claims_no_certainty(labels: np.ndarray) -> None:
    one = told("diagnosis_text", labels, labels)
    assert one is not None
    assert one.auc == 1.0
    assert 0.9 < one.low < 1.0


def test_what_is_by_chance_tells_nothing(labels: np.ndarray) -> None:
    lows = []
    for seed in range(12):
        values = np.random.default_rng(seed).choice(["a", "b", "c"], N)
        one = told("site", values, labels)
        assert one is not None
        lows.append(one.low)
    assert np.mean(lows) < 0.5
    assert max(lows) < 0.55


def test_a_group_is_not_cut(labels: np.ndarray) -> None:
    """A value a patient tells the class only if the same patient is on both sides."""
    groups = np.arange(N) // 8
    same = np.array(["melanoma" if k % 2 else "nevus" for k in groups], dtype=object)
    values = [f"room {k}" for k in groups]
    held = told("room", values, same, groups)
    assert held is not None
    assert held.auc == pytest.approx(0.5, abs=0.12)
    cut = told("room", values, same)
    assert cut is not None
    assert cut.auc > 0.95


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("lesion_id", [k // 2 for k in range(40)], "identifier"),
        ("isic_id", [f"ISIC_{k:07d}" for k in range(40)], "identifier"),
        ("remark", [f"text {k}" for k in range(40)], "identifier"),
        ("Unnamed: 0", range(40), "identifier"),
        ("age_approx", [30 + k % 7 for k in range(40)], "number"),
        ("weight", [f"{k},5" for k in range(40)], "number"),
        ("sex", ["male", "Female"] * 20, "category"),
        ("sex", ["male", "Male "] * 20, "constant"),
        ("site", ["", "unknown"] * 20, "constant"),
        ("dx_type", ["histo", "consensus", ""] * 14, "category"),
    ],
)
def test_kinds_of_columns(name: str, values: list[object], kind: str) -> None:
    assert kind_of(name, of(list(values))) == kind  # type: ignore[arg-type]


def test_columns_that_the_program_wrote_are_not_judged() -> None:
    table = pd.DataFrame(
        {"file_name": ["a"], "found_ink": ["1"], "score_ink": ["2"], "skin_tone": ["3"], "sex": ["male"]}
    )
    assert set(assessed_columns(table)) == {"sex"}


def test_areas_are_those_of_a_literal_transcription(labels: np.ndarray) -> None:
    random = np.random.default_rng(3)
    values = of(
        np.where(random.random(N) < np.where(labels == "melanoma", 0.7, 0.4), "x", random.choice(["y", "z"], N))
    )
    truth, codes = labels == "melanoma", codes_of(values, "category")
    order = random.permutation(N)
    folds = [(np.setdiff1d(order, part), part) for part in np.array_split(order, 4)]
    areas = []
    for known, held in folds:
        share = {}
        for value in set(values):
            rows = [k for k in known if values[k] == value]
            share[value] = (sum(truth[k] for k in rows) + 10 * truth[known].mean()) / (len(rows) + 10)
        wins = [
            1.0 if share[values[a]] > share[values[b]] else 0.5 if share[values[a]] == share[values[b]] else 0.0
            for a in held if truth[a] for b in held if not truth[b]
        ]  # fmt: skip
        areas.append(np.mean(wins))
    assert held_out_area(codes, truth, np.arange(N), folds)[0] == pytest.approx(np.mean(areas))
