"""Groups of skin tone: whichever scale both sets have, in whatever form."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.subgroups import groups, tones_by_class, values_of_one_side
from dermsynth.metrics.clinical_features import TONE


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


def appearances(angles: list[float]) -> np.ndarray:
    rows = np.zeros((len(angles), TONE + 1))
    rows[:, TONE] = angles
    return rows


def test_tones_within_classes() -> None:
    one = data_set("a", label=["melanoma"] * 60 + ["nevus"] * 60)
    other = data_set("b", label=["melanoma"] * 60 + ["nevus"] * 40)
    light, dark = 60.0, -40.0
    made, real = [light] * 60 + [dark] * 60, [light] * 45 + [dark] * 15 + [light] * 40
    found, refused = tones_by_class(one, other, (appearances(made), appearances(real)))
    assert {(row.label, row.tone): (row.synthetic.value, row.real.value, row.real.n) for row in found} == {
        ("melanoma", "dark"): (0.0, 0.25, 60), ("melanoma", "very light"): (1.0, 0.75, 60),
    }  # fmt: skip
    (melanoma_dark, _) = found
    assert melanoma_dark.synthetic.high < melanoma_dark.real.low
    assert [str(line) for line in refused] == [
        "skin tones of class nevus: measurable in 60 synthetic and 40 real images, at least 50 a side are needed"
    ]


def test_no_tones_where_the_light_hides_them() -> None:
    one = data_set("a", label=["nevus"] * 60)
    assert tones_by_class(one, one, (appearances([60.0] * 60), appearances([60.0] * 29 + [np.nan] * 31))) == ([], [])
