"""Published layouts: every one is imported from its files, and what a table of one's own may say."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tools.docs.layout_table import PAGE, with_table

from dermsynth.data.audit import audit
from dermsynth.data.importers.importing import ImportResult, import_source
from dermsynth.data.importers.layout_table import (
    Boxes,
    Expected,
    Filter,
    Images,
    Label,
    Layout,
    Mask,
    Meaning,
    Split,
    Table,
    read_layout,
)
from dermsynth.data.importers.layouts import layout_files, reader
from dermsynth.data.importers.published import LayoutChoices, from_layout
from dermsynth.data.importers.sources import ImportOptions
from dermsynth.data.marks import file_mark
from dermsynth.data.masks import read_mask
from dermsynth.data.patches import PatchSettings, write_patches
from dermsynth.errors import UserError
from tests.data.importers.layout_files import ARCHIVE, DRAWN, archive_rows, photograph, photographs, write
from tests.docs.blocks import blocks


def bring(name: str | Path, place: Path, out: Path, **choices: Any) -> ImportResult:
    source = from_layout(read_layout(name), place, choices=LayoutChoices(**choices))
    return import_source(source, out, jobs=1)


def drawn(name: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    DRAWN[name].draw(folder)
    return folder


def counts(values: Any) -> dict[str, int]:
    return {str(value): count for value, count in Counter(values).items() if value}


def layout(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text('what = "Ours."\nname = "Ours"\n' + text)
    return path


@pytest.mark.parametrize("name", DRAWN)
def test_a_layout_is_imported_with_the_counts_expected(name: str, tmp_path: Path) -> None:
    wanted, key = DRAWN[name], name.split()[0]
    folder = drawn(name, tmp_path / "in")
    data = bring(key, folder, tmp_path / "out").data_set
    assert len(data) == wanted.images
    assert counts(data.labels) == wanted.labels
    assert len(set(data.groups) - {""}) == wanted.groups
    if wanted.splits:
        assert counts(data.splits) == wanted.splits
    assert {column: counts(data.table[column]) for column in wanted.columns} == wanted.columns
    assert data.provenance.leak_columns == tuple(wanted.leaks)
    assert set(wanted.leaks) <= set(data.table)
    assert data.provenance.layout == key
    assert data.provenance.licence
    if wanted.level:
        again = from_layout(read_layout(key), folder, choices=LayoutChoices(level=wanted.level))
        assert counts(row.label for row in again.rows) == wanted.at_level


def test_every_table_is_tested_or_has_a_reader_and_says_what_it_is() -> None:
    tables = {name: read_layout(name) for name in layout_files()}
    assert set(tables) == {name.split()[0] for name in DRAWN} | {name for name, table in tables.items() if table.reader}
    assert all(table.what and table.name and (table.citation or table.address) for table in tables.values())


def test_a_table_stands_for_its_folder(tmp_path: Path) -> None:
    folder = drawn("milk10k", tmp_path / "in")
    data = bring("milk10k", folder / "MILK10k_Training_Metadata.csv", tmp_path / "out").data_set
    assert counts(data.labels) == {"MEL": 2, "NV": 2, "BCC": 2}


def test_boxes_become_masks_and_feed_patches(tmp_path: Path) -> None:
    data = bring("itobos2024", drawn("itobos2024", tmp_path / "in"), tmp_path / "out").data_set
    masks = {row["file_name"]: row["mask_file_name"] for row in data.table.to_dict("records")}
    assert sum(bool(mask) for mask in masks.values()) == 3
    mask = read_mask(data.folder / next(mask for name, mask in masks.items() if mask and "tile1" in name))
    wanted = np.zeros((24, 24), bool)
    wanted[0:7, 0:7] = wanted[15:21, 15:21] = True
    assert np.array_equal(mask, wanted)
    patches = write_patches(data, tmp_path / "patches", PatchSettings(side=8, stride=8), jobs=1)
    assert patches.classes == ["clean", "lesion"]


@pytest.mark.parametrize("line", ["0 0.5 0.5 0.5", "0 a b c d", "0 12 12 4 4"])
def test_a_line_that_is_no_box_is_reported_and_its_image_stays(line: str, tmp_path: Path) -> None:
    folder = drawn("itobos2024", tmp_path / "in")
    (folder / "train" / "labels" / "tile0.txt").write_text(f"0 0.5 0.5 0.5 0.5\n{line}\n")
    result = bring("itobos2024", folder, tmp_path / "out")
    assert len(result.data_set) == 6
    assert [f"tile0.txt: line 2: {line!r}" in row.problem for row in result.files if "box" in row.problem or "share" in row.problem] == [True]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "gone", "message"),
    [
        ("milk10k", "MILK10k_Training_GroundTruth.csv", r"MILK10k: no MILK10k_Training_GroundTruth\.csv below it \(2 of 3 tables"),
        ("scin", "dataset/scin_labels.csv", r"SCIN: no scin_labels\.csv below it \(1 of 2 tables are there: scin_cases\.csv\)"),
        ("ham10000", "HAM10000_metadata", r"no HAM10000_metadata\.csv or .* \(0 of 1 tables are there: none\)"),
        ("derm7pt", "images/FAL/Fal003d.jpg", r"Derm7pt: images/\*/\*\.jpg: 1 of 10 images are missing \(first: FAL/Fal003d\.jpg\)"),
    ],
)  # fmt: skip
def test_a_layout_whose_files_are_half_there(name: str, gone: str, message: str, tmp_path: Path) -> None:
    folder = drawn(name, tmp_path / "in")
    (folder / gone).unlink()
    with pytest.raises(UserError, match=message) as error:
        bring(name, folder, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("milk10k", "MILK10k_Training_GroundTruth.csv", r"GroundTruth\.csv: none of the 6 rows .* has a partner in it by 'lesion_id'"),
        ("isic2019", "ISIC_2019_Training_Metadata.csv", r"Metadata\.csv: none of the 8 rows .* has a partner in it by 'image'"),
        ("scin", "dataset/scin_cases.csv", r"no column 'image_1_path' or .*; there are: no rows"),
    ],
)  # fmt: skip
def test_a_table_without_rows_is_half_a_set(name: str, table: str, message: str, tmp_path: Path) -> None:
    path = drawn(name, tmp_path / "in") / table
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match=message):
        bring(name, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_each_table_that_lists_images_names_them(tmp_path: Path) -> None:
    path = drawn("bcn20000", tmp_path / "in") / "bcn_20k_train.csv"
    path.write_text(path.read_text().replace("bcn_filename", "file"))
    with pytest.raises(UserError, match=r"no column 'bcn_filename'; there are: file, age_approx"):
        bring("bcn20000", tmp_path / "in", tmp_path / "out")


def test_what_is_there_can_be_imported_on_purpose(tmp_path: Path) -> None:
    folder = drawn("derm7pt", tmp_path / "in")
    (folder / "images/FAL/Fal003d.jpg").unlink()
    result = bring("derm7pt", folder, tmp_path / "out", partial=True)
    assert len(result.data_set) == 9
    assert any("1 of 10 images are missing" in note for note in result.notes)


def test_other_counts_than_those_of_the_whole_set_are_noted(tmp_path: Path) -> None:
    notes = bring("ham10000", drawn("ham10000", tmp_path / "in"), tmp_path / "out").notes
    assert "HAM10000: 8 images; the whole set has 10,015" in notes
    assert "HAM10000: 4 groups; the whole set has 7,470" in notes


def test_two_tables_that_could_be_meant_are_refused(tmp_path: Path) -> None:
    folder = drawn("isic", tmp_path / "in")
    write(folder / "older" / "metadata.csv", ARCHIVE, archive_rows())
    with pytest.raises(UserError, match=r"2 files could be metadata\.csv \(metadata\.csv, older/metadata\.csv\)"):
        bring("isic", folder, tmp_path / "out")


def test_one_kind_of_images_is_taken_and_a_mixture_is_noted(tmp_path: Path) -> None:
    folder = drawn("isic", tmp_path / "in")
    notes = from_layout(read_layout("isic"), folder).notes
    assert any("kinds of images are mixed: clinical 2, dermoscopic 4, rcm 1, tbp 1" in note for note in notes)
    result = bring("isic", folder, tmp_path / "out", image_type="dermoscopic")
    assert len(result.data_set) == 4
    assert not result.count("not used")
    notes = bring("isic", folder, tmp_path / "level", image_type="dermoscopic", level=2).notes
    assert any(note.endswith("the deepest that is known above it: 1 of level 1, 3 of level 2") for note in notes)
    with pytest.raises(
        UserError, match=r"`image_type` 'x-ray': no such images .* there are: clinical 2, dermoscopic 4"
    ):
        bring("isic", folder, tmp_path / "other", image_type="x-ray")


def test_the_label_says_that_coarser_classes_are_known(tmp_path: Path) -> None:
    notes = from_layout(read_layout("isic"), drawn("isic", tmp_path)).notes
    assert any(note.startswith("3 images have no diagnosis_3, but a coarser class; `level`") for note in notes)


@pytest.mark.parametrize("level", [0, 6])
def test_a_level_out_of_range_is_refused(level: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"`level` {level}: from 1, the coarsest, to 5"):
        bring("isic", drawn("isic", tmp_path), tmp_path / "out", level=level)


def test_labels_without_levels_are_not_asked_for_them(tmp_path: Path) -> None:
    folder = drawn("siim2020", tmp_path / "in")
    with pytest.raises(UserError, match="`level` 2: the labels of this layout have no levels"):
        bring("siim2020", folder, tmp_path / "out", level=2)
    with pytest.raises(UserError, match=r"`label` 'target' and `level` 2: give one of them"):
        bring("siim2020", folder, tmp_path / "out", level=2, label="target")


def test_images_that_the_archive_marks_as_synthetic(tmp_path: Path) -> None:
    rows = archive_rows()
    rows[0]["image_manipulation"] = "synthetic"
    rows[1]["image_manipulation"] = "instrument only"
    photographs(tmp_path / "in", [f"{row['isic_id']}.jpg" for row in rows])
    write(tmp_path / "in" / "metadata.csv", ARCHIVE, rows)
    with pytest.raises(UserError, match="1 of 8 images are marked as made by an algorithm"):
        bring("isic", tmp_path / "in", tmp_path / "out")
    source = from_layout(read_layout("isic"), tmp_path / "in")
    assert (
        len(import_source(source, tmp_path / "rest", options=ImportOptions(marked="leave-out"), jobs=1).data_set) == 7
    )
    all_images = import_source(source, tmp_path / "all", options=ImportOptions(marked="keep"), jobs=1).data_set
    marked = all_images.table.set_index("isic_id").loc["ISIC_0000000"]
    assert marked["synthetic"] == "true"
    assert "trainedalgorithmicmedia" in file_mark((all_images.folder / marked["file_name"]).read_bytes()).lower()


def test_a_split_of_the_source_can_be_put_aside(tmp_path: Path) -> None:
    folder = drawn("bcn20000", tmp_path / "in")
    assert any(
        "no validation images; `new_splits`" in note for note in from_layout(read_layout("bcn20000"), folder).notes
    )
    rows = from_layout(read_layout("bcn20000"), folder, choices=LayoutChoices(new_splits=True)).rows
    assert {row.split for row in rows} == {""}


def test_a_split_of_some_images_only_is_refused(tmp_path: Path) -> None:
    folder = drawn("derm7pt", tmp_path / "in")
    (folder / "meta" / "valid_indexes.csv").unlink()
    with pytest.raises(UserError, match=r"2 of 10 images have no split, and the others have one; .* `new_splits`"):
        from_layout(read_layout("derm7pt"), folder)
    rows = from_layout(read_layout("derm7pt"), folder, choices=LayoutChoices(new_splits=True)).rows
    assert {row.split for row in rows} == {""}


def test_what_a_filter_leaves_out_is_noted(tmp_path: Path) -> None:
    source = from_layout(read_layout("fitzpatrick17k"), drawn("fitzpatrick17k", tmp_path))
    notes = source.notes
    assert not source.unused
    assert any("left out by qc (quality control: not diagnosable or wrongly labelled): '3 Wrongly labelled' 1" in note for note in notes)  # fmt: skip


def test_what_was_converted_and_not_understood_is_noted(tmp_path: Path) -> None:
    notes = from_layout(read_layout("scin"), drawn("scin", tmp_path)).notes
    assert any("fitzpatrick from 'fitzpatrick_skin_type' or" in note and "'FST1' is 1" in note for note in notes)
    assert "column 'sex': 'OTHER_OR_UNSPECIFIED' of 3 images is not understood and left blank" in notes
    assert any("2 images have several classes of the same weight" in note for note in notes)


TABLES = "tables = [{ files = 't.csv' }]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('colour = "red"', "own.toml: unknown key colour"),
        ("images = { idd = 'x' }", "own.toml: unknown key images.idd"),
        ("tables = 3", r"own.toml: tables = '3'"),
        ("", "tables or images.files is needed"),
        ("tables = [{ files = 't.csv' }]", "images needs id, each or pattern"),
        ("reader = 'ph2'", "reader = 'ph2': only published layouts have one"),
        ("what 3", "not a TOML table"),
        (TABLES + "images = { pattern = 'img_{id}_*' }", "images.pattern begins with a column, as {subject_id}_"),
        (TABLES + "images = { pattern = '{id' }", "images.pattern begins with a column"),
        (TABLES + "images = { id = 'x' }\nmask = { pattern = '*_mask' }", "mask.pattern holds {stem}"),
    ],
)
def test_a_layout_with_a_mistake_is_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as error:
        read_layout(layout(tmp_path, text))
    assert "\n" not in str(error.value)


def test_an_unknown_layout_names_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"layout 'ham': unknown; there are: folder, csv, bcn20000, ddi"):
        read_layout("ham")


OWN = """
group = ["patient", "lesion"]
leak_columns = ["therapy"]
tables = [{ files = "list.csv" }]
images = { id = "file" }
label = { columns = "diagnosis", names = { "1" = "nevus", "2" = "melanoma" } }
mask = { pattern = "{stem}_mask" }
split = { columns = "part", names = { a = "train", b = "test" } }
meaning = { sex = "geschlecht", ita = "ita", monk = "monk" }
"""


def own_set(folder: Path) -> Path:
    rows = [{"file": f"{n}.png", "diagnosis": 1 + n % 2, "patient": "P1" if n < 2 else "", "lesion": f"L{n}", "part": "ab"[n // 4],
             "geschlecht": ("weiblich", "x")[n % 2], "ita": "41,5", "monk": "MST 10", "therapy": "excised"} for n in range(6)]  # fmt: skip
    for n in range(6):
        photograph(folder / f"{n}.png")
    photograph(folder / "masks" / "0_mask.png")
    write(folder / "list.csv", "file diagnosis patient lesion part geschlecht ita monk therapy", rows)
    return folder


def test_a_layout_of_ones_own(tmp_path: Path) -> None:
    source = from_layout(read_layout(layout(tmp_path, OWN)), own_set(tmp_path / "in"))
    first = source.rows[0]
    assert [row.label for row in source.rows[:2]] == ["nevus", "melanoma"]
    assert [row.group for row in source.rows[:3]] == ["P1", "P1", "L2"]
    assert (first.split, first.mask) == ("train", "masks/0_mask.png")
    assert {name: first.columns[name] for name in ("sex", "ita", "monk", "geschlecht")} == {
        "sex": "female", "ita": "41.5", "monk": "10", "geschlecht": "weiblich",
    }  # fmt: skip
    assert source.facts["leak_columns"] == ["therapy"]


def test_a_column_that_no_table_has_names_those_that_there_are(tmp_path: Path) -> None:
    folder = own_set(tmp_path / "in")
    with pytest.raises(UserError, match=r"no column 'name'; there are: file, diagnosis"):
        from_layout(read_layout(layout(tmp_path, OWN.replace('id = "file"', 'id = "name"'))), folder)
    with pytest.raises(UserError, match=r"no column 'dx' to take as label; there are: file, diagnosis"):
        from_layout(read_layout(layout(tmp_path, OWN.replace('"diagnosis"', '"dx"'))), folder)
    with pytest.raises(UserError, match=r"no column 'who' or 'which', which says which images belong together"):
        from_layout(read_layout(layout(tmp_path, OWN.replace('["patient", "lesion"]', '["who", "which"]'))), folder)


def test_other_levels_of_the_class_tell_it_too(tmp_path: Path) -> None:
    source = from_layout(read_layout("ham10000"), drawn("ham10000", tmp_path), choices=LayoutChoices(level=1))
    assert source.facts["leak_columns"] == ["dx", "dx_type"]


def test_columns_of_the_layout_that_no_table_has_are_noted(tmp_path: Path) -> None:
    text = OWN.replace('columns = "part"', 'columns = "prat"').replace(
        'ita = "ita"', 'ita = "ita", age = ["age", "alter"]'
    )
    text += 'filters = [{ columns = "qualty", drop = "bad" }]\n'
    notes = from_layout(read_layout(layout(tmp_path, text)), own_set(tmp_path / "in")).notes
    wanted = "columns of the layout that no table has, and that are not read: prat (split), age or alter (age), qualty (filter 1)"
    assert wanted in notes
    assert not any(
        "no table has" in note for note in from_layout(read_layout(layout(tmp_path, OWN)), tmp_path / "in").notes
    )


def joined_set(folder: Path) -> Path:
    """Images of patients `1`, `2` and nobody, and a table of patients that says two things of `1` and has a blank key."""
    rows = [{"file": f"{n}.png", "patient": ("1", "2.0", "")[n % 3], "age": ("", "60", "70")[n % 3]} for n in range(6)]
    photographs(folder, [row["file"] for row in rows])
    write(folder / "list.csv", "file patient age", rows)
    patients = [("1", "nevus", "40"), ("1", "melanoma", "40"), ("2", "nevus", "61"), ("", "naevus of nobody", "99")]
    write(
        folder / "patients.csv",
        "patient diagnosis age",
        [dict(zip(("patient", "diagnosis", "age"), p, strict=True)) for p in patients],
    )
    return folder


def test_joined_tables_say_what_is_not_clear_and_nobody_is_no_patient(tmp_path: Path) -> None:
    text = OWN.replace(
        '[{ files = "list.csv" }]', '[{ files = "list.csv" }, { files = "patients.csv", on = "patient" }]'
    )
    text = text.replace('meaning = { sex = "geschlecht", ita = "ita", monk = "monk" }', "").replace('split = { columns = "part", names = { a = "train", b = "test" } }', "")  # fmt: skip
    source = from_layout(read_layout(layout(tmp_path, text)), joined_set(tmp_path / "in"))
    assert [row.label for row in source.rows[:3]] == ["nevus", "nevus", ""]
    assert [row.columns["age"] for row in source.rows[:3]] == ["40", "60", "70"]
    assert "patients.csv: 1 'patient' have several rows that differ (first: 1); the first row counts" in source.notes
    assert "patients.csv: column 'age' of 2 rows is another than in the table before it, which counts" in source.notes
    assert "patients.csv: 2 of 6 rows have no partner in it by 'patient'" in source.notes


def test_a_class_without_coarser_names_is_noted(tmp_path: Path) -> None:
    text = OWN.replace('"2" = "melanoma" } }', '"2" = "melanoma" }, tree = { nevus = "benign" } }')
    source = from_layout(read_layout(layout(tmp_path, text)), own_set(tmp_path / "in"), choices=LayoutChoices(level=1))
    assert counts(row.label for row in source.rows) == {"benign": 3, "melanoma": 3}
    assert "classes of which the layout has no coarser names stay as they are: melanoma 3" in source.notes


def test_a_row_number_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = drawn("derm7pt", tmp_path)
    write(folder / "meta" / "test_indexes.csv", "indexes", [{"indexes": 9}])
    with pytest.raises(UserError, match=r"test_indexes\.csv: indexes '9': no row of the table has this number"):
        from_layout(read_layout("derm7pt"), folder)


def test_several_diagnoses_at_once_are_no_label(tmp_path: Path) -> None:
    folder = drawn("isic2019", tmp_path / "in")
    path = folder / "ISIC_2019_Training_GroundTruth.csv"
    table = pd.read_csv(path)
    table.loc[0, "NV"] = 1.0
    table.to_csv(path, index=False)
    result = bring("isic2019", folder, tmp_path / "out")
    assert [row.problem for row in result.files if row.outcome == "doubtful"] == [
        "no label: diagnoses MEL and NV at once", "no label: none of the diagnoses is 1",
    ][:1]  # fmt: skip


def test_the_pages_table_and_its_example_are_those_of_the_program(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "python -m tools.docs.layout_table"
    (example,) = [block for block in blocks(PAGE) if block.language == "toml"]
    (tmp_path / "clinic.toml").write_text(example.text)
    assert read_layout(tmp_path / "clinic.toml").label.tree["nevus"] == ("benign",)


def test_every_key_of_a_layout_is_on_the_page() -> None:
    keys = {code for cell in PAGE.read_text(encoding="utf-8").split("`")[1::2] for code in cell.split()}
    parts = {"tables": Table, "images": Images, "label": Label, "split": Split, "mask": Mask, "boxes": Boxes,
             "filters": Filter, "expected": Expected}  # fmt: skip
    inner = {f"{part}.{name}" for part, model in parts.items() for name in model.model_fields}
    wanted = inner | set(Meaning.model_fields) | (set(Layout.model_fields) - set(parts) - {"key", "reader"})
    assert wanted <= keys


def test_a_set_with_a_reader_of_its_own_has_the_columns_of_one_meaning_too(tmp_path: Path) -> None:
    DRAWN["isic2019"].draw(tmp_path / "in")
    source = reader("isic2018")(tmp_path / "in")
    assert {(row.columns["age"], row.columns["sex"], row.columns["image_type"]) for row in source.rows[:4]} == {
        ("55", "female", "dermoscopic")
    }
    assert source.facts["layout"] == "isic2018"
    assert any("age from 'age_approx'" in note for note in source.notes)


def test_a_table_of_a_layout_may_be_a_workbook(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl", reason="needs dermsynth[excel]")
    folder = drawn("midas", tmp_path / "in")
    pd.read_csv(folder / "release_midas.csv").to_excel(folder / "release_midas.xlsx", index=False)
    (folder / "release_midas.csv").unlink()
    assert counts(row.label for row in from_layout(read_layout("midas"), folder).rows) == DRAWN["midas"].labels


def test_the_audit_warns_of_the_columns_that_a_layout_names(tmp_path: Path) -> None:
    data = bring("padufes20", drawn("padufes20", tmp_path / "in"), tmp_path / "out").data_set
    assert [leak.column for leak in audit(data, jobs=1).leak_columns] == ["biopsed"]
