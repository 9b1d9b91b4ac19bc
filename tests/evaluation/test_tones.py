"""Groups of skin tone: whichever scale both sets have, in whatever form."""

from pathlib import Path

import pandas as pd
import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.subgroups import groups, values_of_one_side


def data_set(name: str, **columns: list[str]) -> DataSet:
    count = len(next(iter(columns.values())))
    table = pd.DataFrame({"file_name": [f"{n}.png" for n in range(count)], **columns}, dtype=str)
    return DataSet(Path(name), table, {})


def names(one: DataSet, other: DataSet, by: str = "tone") -> dict[str, tuple[int, int]]:
    return {group.name: (len(group.synthetic), len(group.real)) for group in groups(one, other, [by])[1:]}


def test_types_are_compared_with_types() -> None:
    one, other = data_set("a", fitzpatrick=["1", "2", "2", ""]), data_set("b", fitzpatrick=["2", "6"], monk=["1", "2"])
    assert names(one, other) == {"fitzpatrick: 2": (2, 1)}
    assert values_of_one_side(one, other, ["tone"]) == [
        "fitzpatrick '1': only synthetic images have it (1)", "fitzpatrick '6': only real images have it (1)",
    ]  # fmt: skip


def test_types_are_compared_with_pairs() -> None:
    one, other = (
        data_set("a", fitzpatrick=["1", "2", "3", "5", ""]),
        data_set("b", fitzpatrick_pair=["1-2", "5-6", "5-6"]),
    )
    assert names(one, other) == {"fitzpatrick_pair: 1-2": (2, 1), "fitzpatrick_pair: 5-6": (1, 2)}
    assert names(other, one) == {"fitzpatrick_pair: 1-2": (1, 2), "fitzpatrick_pair: 5-6": (2, 1)}


def test_angles_are_compared_in_classes() -> None:
    one, other = data_set("a", ita=["60", "45.5", "-40", ""]), data_set("b", ita=["56", "-31", "20"])
    assert names(one, other) == {"ita: dark": (1, 1), "ita: very light": (1, 1)}
    assert names(one, other, "ita") == names(one, other)


def test_a_column_of_that_name_is_taken_as_it_is() -> None:
    one, other = data_set("a", tone=["x", "y"], monk=["1", "2"]), data_set("b", tone=["x", "x"], monk=["1", "2"])
    assert names(one, other) == {"tone: x": (1, 2)}


def test_no_common_scale_is_said() -> None:
    with pytest.raises(UserError, match=r"`by` tone: no scale .* \(a: monk; b: none\); without it"):
        groups(data_set("a", monk=["1"]), data_set("b", age=["50"]), ["tone"])
