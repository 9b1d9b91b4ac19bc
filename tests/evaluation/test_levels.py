"""Groups of classes that a level of diagnosis puts together."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.levels import levels_above, values_of_labels
from dermsynth.evaluation.subgroups import groups, levels_of, values_of_one_side

LABELS = ["melanoma", "basal cell carcinoma", "nevus", "wart"]
WIDE = {"melanoma": "Malignant", "basal cell carcinoma": "Malignant", "nevus": "Benign", "wart": "Benign"}


def data_set(name: str, labels: list[str], **columns: list[str]) -> DataSet:
    table = pd.DataFrame({"file_name": [f"{i}.png" for i in range(len(labels))], "label": labels, **columns})
    return DataSet(Path(name), table, {"synthetic": name == "made"})


def photographs(**columns: list[str]) -> DataSet:
    labels = LABELS * 5
    return data_set("real", labels, diagnosis_1=[WIDE[label] for label in labels], **columns)


def found(synthetic: DataSet, real: DataSet, by: tuple[str, ...] = ()) -> dict[str, tuple[int, int]]:
    return {part.name: (len(part.synthetic), len(part.real)) for part in groups(synthetic, real, by)}


def test_classes_are_put_together_as_the_real_set_says() -> None:
    made, real = data_set("made", LABELS * 3), photographs()
    assert levels_of(made, real) == ["diagnosis_1"]
    of = found(made, real)
    assert of["diagnosis_1: Malignant"] == (6, 10)
    assert of["melanoma"] == (3, 5)
    rows = next(part for part in groups(made, real) if part.name == "diagnosis_1: Benign").synthetic
    assert {str(label) for label in made.labels[rows]} == {"nevus", "wart"}
    assert found(made, real, ("diagnosis_1",)) == of


def test_a_column_beside_the_levels_can_be_one_too() -> None:
    real = photographs(family=["melanocytic" if label in ("melanoma", "nevus") else "other" for label in LABELS * 5])
    made = data_set("made", LABELS)
    assert "family: other" not in found(made, real)
    assert found(made, real, ("family",))["family: other"] == (2, 10)


def test_spellings_and_gaps_are_no_other_values() -> None:
    cells = [WIDE[label] for label in LABELS * 5]
    cells[0], cells[4] = "malignant ", "n/a"
    real = data_set("real", LABELS * 5, diagnosis_1=cells)
    assert {*values_of_labels(real, "diagnosis_1")} == {*LABELS}
    assert levels_above(real) == ["diagnosis_1"]


@pytest.mark.parametrize(
    "cells",
    [
        lambda i, label: "Malignant" if i == 2 else WIDE[label],  # one nevus is called malignant
        lambda i, label: "" if label == "wart" else WIDE[label],  # of warts nothing is known
        lambda i, label: "Skin",  # one value for all
        lambda i, label: label.upper(),  # the labels once more
    ],
)
def test_what_does_not_lie_above_the_labels_is_no_level(cells) -> None:  # type: ignore[no-untyped-def]
    labels = LABELS * 5
    real = data_set("real", labels, diagnosis_1=[cells(i, label) for i, label in enumerate(labels)])
    made = data_set("made", LABELS)
    assert levels_of(made, real) == []
    assert not any(name.startswith("diagnosis_1") for name in found(made, real))
    with pytest.raises(UserError, match="`by` 'diagnosis_1': no such column in made; columns of both sets: none"):
        groups(made, real, ["diagnosis_1"])


def test_a_level_that_few_images_spoil_is_named_with_them() -> None:
    labels = LABELS * 12
    cells = [WIDE[label] for label in labels]
    cells[2] = "Malignant"
    real, made = data_set("real", labels, diagnosis_1=cells, malignant=["0"] * 48), data_set("made", LABELS)
    said = "'diagnosis_1' is no level above the labels of real: nevus has 11 'Benign' and 1 'Malignant'"
    assert values_of_one_side(made, real) == [said]
    with pytest.raises(UserError, match=f"no such column in made; columns of both sets: none; {said}"):
        groups(made, real, ["diagnosis_1"])
    half = data_set("real", labels, diagnosis_1=["Benign", "Malignant"] * 24)
    assert values_of_one_side(made, half) == []


def test_columns_that_divide_alike_are_one_level_and_flags_have_one_meaning() -> None:
    flags = [("1", "True", "yes")[i % 3] if WIDE[label] == "Malignant" else "0" for i, label in enumerate(LABELS * 5)]
    real = photographs(malignant=flags, benign_malignant=[WIDE[label].lower() for label in LABELS * 5])
    assert {*values_of_labels(real, "malignant").values()} == {"1", "0"}
    assert levels_above(real) == ["diagnosis_1"]


def test_a_set_of_few_classes_has_no_level_that_says_more() -> None:
    real = photographs()
    assert levels_of(data_set("made", ["melanoma", "nevus"]), real) == []
    assert levels_of(data_set("made", ["melanoma", "basal cell carcinoma"]), real) == []
    assert levels_of(data_set("made", ["melanoma", "nevus", "wart"]), real) == ["diagnosis_1"]


def test_a_set_with_the_column_is_compared_by_its_own_values() -> None:
    made = data_set("made", LABELS, diagnosis_1=["Benign"] * 4)
    assert levels_of(made, photographs()) == []
    assert found(made, photographs(), ("diagnosis_1",))["diagnosis_1: Benign"] == (4, 10)
    assert values_of_one_side(made, photographs(), ["diagnosis_1"]) == [
        "diagnosis_1 'Malignant': only real images have it (10)"
    ]
    assert np.array_equal(groups(made, photographs())[0].real, np.arange(20))
