"""Consequences of the class are known by layout, by name and by measurement, and said on terminal, page and JSON."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermsynth.api.audit import audit
from dermsynth.data.dataset import DataSet
from dermsynth.data.leak_columns import WARNING, leak_columns, leak_table
from dermsynth.data.predictive_columns import column_predictions
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.images import encode_png
from dermsynth.io import write_bytes

N = 80


def _set(columns: dict[str, list[str]], **facts: object) -> DataSet:
    labels = ["melanoma", "nevus"] * (N // 2)
    table = pd.DataFrame({"file_name": [f"{k}.png" for k in range(N)], "label": labels, **columns})
    return DataSet(Path("set"), table, {"synthetic": False, **facts})


def _leaks(columns: dict[str, list[str]], **facts: object) -> dict[str, tuple[str, ...]]:
    data = _set(columns, **facts)
    predictions = column_predictions(data.table, data.labels, np.arange(N))
    return {leak.column: leak.reasons for leak in leak_columns(data, predictions)}


@pytest.mark.parametrize(
    "name",
    [
        "dx_type", "diagnosis_confirm_type", "biopsed", "concomitant_biopsy", "tbp_lv_dnn_lesion_confidence",
        "tbp_lv_nevi_confidence", "mel_mitotic_index", "mel_thick_mm", "management", "source_Management", "diagnosis_3",
        "iddx_full", "benign_malignant", "midas_pathreport", "clinical_impression_1",
    ],
)  # fmt: skip
def test_well_known_consequences_are_found_by_name(name: str) -> None:
    assert _leaks({name: ["a", "a", "b", "b"] * (N // 4)}) == {name: ("name",)}


@pytest.mark.parametrize(
    "name", ["age_approx", "sex", "ruler", "diagnosis_confidence_of_reader", "anatom_site_general"]
)
def test_plain_columns_are_none(name: str) -> None:
    assert _leaks({name: ["a", "a", "b", "b"] * (N // 4)}) == {}


def test_layout_and_measurement_say_it_too() -> None:
    perfect = ["x", "y"] * (N // 2)
    found = _leaks({"clinic": ["a", "a", "b", "b"] * (N // 4), "code": perfect}, leak_columns=["clinic", "nowhere"])
    assert found == {"code": ("measured",), "clinic": ("layout",)}
    assert _leaks({"dx_type": perfect}, leak_columns="dx_type") == {"dx_type": ("layout", "measured")}
    assert _leaks({"biopsed": [""] * N}) == {}


def test_a_table_of_none_is_empty() -> None:
    assert leak_table(()).empty


def test_terminal_page_and_json_say_it(tmp_path: Path) -> None:
    rows = []
    for k in range(2 * 24):
        name = f"images/{k}.png"
        pixels = np.random.default_rng(k).integers(0, 255, (16, 16, 3), dtype=np.uint8)
        write_bytes(tmp_path / "set" / name, encode_png(pixels))
        rows.append({"file_name": name, "label": ("melanoma", "nevus")[k % 2], "biopsed": str(k % 2)})
    write_data_set(tmp_path / "set", pd.DataFrame(rows), Provenance(), Step(command="test"))
    result = audit(tmp_path / "set", jobs=1)
    page = result.save(tmp_path / "audit.html", photographs=False)
    assert f"columns that give the class away: {WARNING}" in result.text()
    assert any(text.startswith("Column 'biopsed'") and WARNING in text for text in result.findings)
    assert f"Columns that give the class away: {WARNING}" in page.read_text()
    (leak,) = json.loads(page.with_suffix(".json").read_text())["leak_columns"]
    assert (leak["column"], leak["reasons"], leak["warning"]) == ("biopsed", ["name", "measured"], WARNING)
    assert leak["prediction"]["auc"] == 1
