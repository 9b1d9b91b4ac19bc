"""Excel files as hospitals keep their lists: what a sheet holds comes over, and what it hides is said."""

import datetime
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from PIL import Image

import dermsynth as ds
from dermsynth.data.tables import read_table, require_columns
from dermsynth.errors import UserError

HEADER = ["image", "label", "patient", "seen", "flag", "size"]
ROW = ["a.png", "Nävus", 12, datetime.datetime(2024, 5, 1), True, 1.5]
READ = ["a.png", "Nävus", "12", "2024-05-01", "True", "1.5"]


def _workbook(path: Path, rows: list[list[Any]], **more: list[list[Any]]) -> Any:
    workbook = openpyxl.Workbook()
    for title, content in {"Fälle": rows, **more}.items():
        page = workbook.create_sheet(title)
        for row in content:
            page.append(row)
    del workbook["Sheet"]
    workbook.save(path)
    return workbook


def _refused(path: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        read_table(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_cells_become_the_text_that_a_csv_would_hold(tmp_path: Path) -> None:
    notes: list[str] = []
    path = tmp_path / "t.xlsx"
    workbook = _workbook(path, [[], HEADER, ROW, [], ["b.png", " nevus ", 7.0, datetime.time(9, 30), None, "#N/A"]])
    page = workbook["Fälle"]
    page["C3"].number_format = "0000"
    workbook.save(path)
    table = read_table(path, notes=notes)
    assert list(table.columns) == HEADER
    assert table.to_numpy().tolist() == [
        [*READ[:2], "0012", *READ[3:]], ["b.png", "nevus", "7", "09:30:00", "", "#N/A"],
    ]  # fmt: skip
    assert notes == []


def test_the_first_sheet_is_read_and_the_others_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notes: list[str] = []
    path = tmp_path / "t.xlsx"
    workbook = _workbook(path, [HEADER, ROW], codes=[["code"], [1]], old=[["x"]])
    assert len(read_table(path, notes=notes)) == 1
    assert notes == ["t.xlsx: sheet 'Fälle' was read; `sheet` names another (codes, old)"]
    assert list(read_table(path, sheet="codes").columns) == ["code"]
    workbook["Fälle"].sheet_state = "hidden"
    workbook.save(path)
    assert list(read_table(path).columns) == ["code"]
    caplog.set_level("INFO")
    read_table(path)
    assert "note: t.xlsx: sheet 'codes' was read" in caplog.text
    assert _refused(path, sheet="Faelle").endswith("has no such sheet; there are: Fälle, codes, old")


def test_rows_that_a_filter_hides_are_said(tmp_path: Path) -> None:
    notes: list[str] = []
    workbook = _workbook(tmp_path / "t.xlsx", [HEADER, ROW, ROW])
    workbook["Fälle"].row_dimensions[2].hidden = True
    workbook.save(tmp_path / "t.xlsx")
    assert len(read_table(tmp_path / "t.xlsx", notes=notes)) == 2
    assert "1 rows are hidden" in notes[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda page: page.merge_cells("B2:B3"), "cells B2:B3 are merged; unmerge them"),
        (lambda page: page.__setitem__("C2", "=1+1"), "cell C2 has a formula and no value"),
        (lambda page: page.__setitem__("H3", "?"), "row 3 has a value in column 8, which has no name in row 1"),
    ],
)
def test_what_a_sheet_cannot_say_is_refused_by_its_cell(change: Any, reason: str, tmp_path: Path) -> None:
    workbook = _workbook(tmp_path / "t.xlsx", [HEADER, ROW, ROW])
    change(workbook["Fälle"])
    workbook.save(tmp_path / "t.xlsx")
    assert reason in _refused(tmp_path / "t.xlsx")


def test_a_formula_has_the_value_it_was_saved_with(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    _workbook(path, [["image", "age"], ["a.png", "=40+1"]])
    _give_value(path, 41)
    assert read_table(path)["age"].tolist() == ["41"]


def test_a_formula_whose_value_is_the_empty_text_is_a_blank_cell(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    _workbook(path, [["image", "age"], ["a.png", '=IF(1=2,"40","")']])
    assert "cell B2 has a formula and no value" in _refused(path)
    _rewrite(path, b'<c r="B2">', b'<c r="B2" t="str">')
    assert read_table(path)["age"].tolist() == [""]


def _give_value(path: Path, value: int) -> None:
    """Write the value of a formula as Excel does when it saves."""
    _rewrite(path, b"<v></v>", b"<v>%d</v>" % value)
    _rewrite(path, b"<v />", b"<v>%d</v>" % value)


def _rewrite(path: Path, old: bytes, new: bytes) -> None:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data.replace(old, new))


def test_twin_columns_empty_sheets_and_sheets_of_a_csv(tmp_path: Path) -> None:
    _workbook(tmp_path / "t.xlsx", [["image", "label", "label"], ["a.png", "x", "y"]])
    with pytest.raises(UserError, match="several columns are named 'label'"):
        require_columns(read_table(tmp_path / "t.xlsx"), ["label"], tmp_path / "t.xlsx")
    _workbook(tmp_path / "empty.xlsx", [])
    assert "the file is empty" in _refused(tmp_path / "empty.xlsx")
    (tmp_path / "t.csv").write_text("image\na.png\n")
    assert "is no Excel workbook" in _refused(tmp_path / "t.csv", sheet="codes")


def test_a_workbook_is_imported_as_a_csv_is(tmp_path: Path) -> None:
    for number in range(3):
        pixels = np.random.default_rng(number).integers(60, 220, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 48)).save(tmp_path / f"{number:03d}.jpg")
    workbook = _workbook(
        tmp_path / "t.xlsx", [["note"]], list=[["file", "label"], [0, "nevus"], [1, "nevus"], [2, "wart"]]
    )
    for cell in workbook["list"]["A"][1:]:
        cell.number_format = "000"
    workbook.save(tmp_path / "t.xlsx")
    result = ds.import_csv(tmp_path / "t.xlsx", image="file", label="label", sheet="list", out=tmp_path / "d", jobs=1)
    assert result.data_set.table["file_name"].tolist() == [f"images/{number:03d}.jpg" for number in range(3)]
    assert result.data_set.classes == ["nevus", "wart"]


def test_without_the_package_one_line_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _workbook(tmp_path / "t.xlsx", [HEADER, ROW])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "pip install 'dermsynth[excel]', or save it as CSV" in _refused(tmp_path / "t.xlsx")
    monkeypatch.undo()
    importlib.import_module("openpyxl")
