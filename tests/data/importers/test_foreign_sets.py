"""Folders and tables as hospitals and archives have them: what is understood, and that nothing vanishes without a word."""

import json
import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dermsynth.data.audit import audit
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.importers.generic import (
    from_csv,
    from_folder,
)
from dermsynth.data.importers.importing import ImportOptions, Source, import_source
from dermsynth.data.importers.isic_challenges import from_isic2018
from dermsynth.data.importers.layouts import reader
from dermsynth.data.importers.medmnist import from_medmnist
from dermsynth.data.masks import read_mask
from dermsynth.data.writing import write_table
from dermsynth.errors import UserError
from dermsynth.images import AI_SOURCE, encode_png, read_image


def _photograph(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(60, 220, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC))


def _put(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_photograph(seed)).save(path)
    return path


def _csv(folder: Path, columns: dict[str, list[str]], count: int = 60, **options: object) -> Path:
    for number in range(count):
        _put(folder / "i" / f"{number}.png", number)
    table = {"image": [f"i/{number}.png" for number in range(count)], **columns}
    pd.DataFrame(table).to_csv(folder / "t.csv", index=False, **options)
    return folder / "t.csv"


def _bring(source: Source, out: Path, **options: object) -> DataSet:
    return import_source(source, out, jobs=1, options=ImportOptions(**options)).data_set  # type: ignore[arg-type]


def _report(data: DataSet) -> dict[str, str]:
    table = pd.read_csv(data.folder / "import_report.csv", keep_default_na=False)
    return dict(zip(table["file"], table["problem"], strict=True))


LABELS = [("melanoma", "nevus")[number % 3 > 0] for number in range(60)]


@pytest.mark.parametrize("missing", ["NA", "nan", "unknown", "None", "N/A", "unbekannt", "?"])
def test_a_missing_patient_is_nobody(missing: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    patients = [missing if number % 2 else f"P{number}" for number in range(60)]
    table = _csv(tmp_path, {"label": LABELS, "patient": patients})
    data = _bring(from_csv(table, image="image", label="label", group="patient"), tmp_path / "d")
    shares = data.table["split"].value_counts(normalize=True)
    assert {name: round(share, 1) for name, share in shares.items()} == {"train": 0.8, "validation": 0.1, "test": 0.1}
    assert (data.groups == "").sum() == 30
    assert f"group {missing!r} of 30 images" in caplog.text


@pytest.mark.parametrize(
    ("first", "second"), [("P{}", "p{}"), ("{}", "{}.0"), (" P{}", "P{} "), ("P\u00e9{}", "Pe\u0301{}")]
)
def test_one_patient_in_two_spellings_is_one(first: str, second: str, tmp_path: Path) -> None:
    patients = [(first, second)[number % 2].format(100 + number // 2) for number in range(60)]
    table = _csv(tmp_path, {"label": LABELS, "patient": patients})
    data = _bring(from_csv(table, image="image", label="label", group="patient"), tmp_path / "d")
    assert len(set(data.groups)) == 30
    assert data.table.assign(who=data.groups).groupby("who")["split"].nunique().max() == 1


@pytest.mark.parametrize("column", ["lesion_id", "PatientID", "case_no", "isic_id", "subject"])
def test_no_split_cuts_what_any_identifier_holds_together(column: str, tmp_path: Path) -> None:
    table = _csv(tmp_path, {"label": LABELS, column: [f"L{number // 4}" for number in range(60)]})
    data = _bring(from_csv(table, image="image", label="label"), tmp_path / "d")
    assert data.table.groupby(column)["split"].nunique().max() == 1
    assert not [finding for finding in audit(data, jobs=1).findings if column in finding]
    write_table(data.folder, data.table.assign(split=["train", "test"] * 30))
    findings = " ".join(audit(open_data_set(data.folder), jobs=1).findings)
    assert f"Column {column!r}: 15 of its values lie in more than one split" in findings


def test_places_and_flags_are_nobody(tmp_path: Path) -> None:
    columns = {"site_id": ["A", "B"] * 30, "lesion": ["0", "1"] * 30, "camera_id": ["x"] * 60}
    data = _bring(from_csv(_csv(tmp_path, {"label": LABELS, **columns}), image="image", label="label"), tmp_path / "d")
    assert set(data.table["split"]) == {"train", "validation", "test"}


def test_shares_that_cannot_be_had_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    table = _csv(tmp_path, {"label": LABELS, "site": ["A"] * 40 + ["B"] * 20})
    data = _bring(from_csv(table, image="image", label="label", group="site"), tmp_path / "d")
    said = caplog.text
    assert "the wanted shares 0.8/0.1/0.1 could not be met: 1.00/0.00/0.00 (no validation and no test images)" in said
    assert "there are 2 groups" in said
    findings = " ".join(audit(data, jobs=1).findings)
    assert "No image is held out" in findings
    assert "One group (a) holds 67% of the images" in findings


def test_many_small_classes_still_give_held_out_images(tmp_path: Path) -> None:
    table = _csv(tmp_path, {"label": [f"condition {number // 10}" for number in range(60)]})
    data = _bring(from_csv(table, image="image", label="label"), tmp_path / "d")
    assert set(data.table["split"]) == {"train", "validation", "test"}


def test_missing_labels_are_none_unless_told_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    labels = ["NA"] * 10 + ["nan"] * 10 + ["unknown"] * 10 + ["1.0"] * 15 + ["1"] * 15
    source = from_csv(_csv(tmp_path, {"label": labels}), image="image", label="label")
    data = _bring(source, tmp_path / "d")
    assert data.classes == ["1", "unknown"]
    said = caplog.text
    assert "label 'NA' of 10 images means no label" in said
    assert "label '1.0' of 15 images taken as '1'" in said
    assert "label 'unknown' is kept as a class" in said
    assert _bring(source, tmp_path / "e", literal_labels=True).classes == ["1", "1.0", "NA", "nan", "unknown"]


def test_folders_of_splits_are_no_classes(tmp_path: Path) -> None:
    number = 0
    for part, count in (("Train", 9), ("test", 4)):
        for label in ("benign", "malignant"):
            for _ in range(count):
                number += 1
                _put(tmp_path / "in" / part / label / f"{number}.png", number)
    data = _bring(from_folder(tmp_path / "in"), tmp_path / "d")
    assert data.classes == ["benign", "malignant"]
    assert data.table["split"].value_counts().to_dict() == {"train": 18, "test": 8}
    shutil.move(tmp_path / "in" / "Train", tmp_path / "in" / "nevus")
    with pytest.raises(UserError, match="test are named like splits, nevus like classes"):
        from_folder(tmp_path / "in")


def test_folders_that_only_hold_others_are_no_class(tmp_path: Path) -> None:
    for number, name in enumerate(["images/nevus/a", "images/melanoma/a", "images/nevus/b"]):
        _put(tmp_path / "in" / f"{name}.png", number)
    assert _bring(from_folder(tmp_path / "in"), tmp_path / "d").classes == ["melanoma", "nevus"]


def test_composed_and_decomposed_letters_are_one_class(tmp_path: Path) -> None:
    for number, form in enumerate(("NFC", "NFD")):
        _put(tmp_path / "in" / unicodedata.normalize(form, "N\u00e4vus") / f"{form}.png", number)
    assert _bring(from_folder(tmp_path / "in"), tmp_path / "d").classes == ["N\u00e4vus"]


def test_whatever_is_not_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    _put(folder / "nevus" / "a.jpg", 1)
    shutil.copy(folder / "nevus" / "a.jpg", folder / "nevus" / "c.jfif")
    for name in ("b.heic", "c.dcm", "d.xyz", "notes.txt", "Thumbs.db", ".hidden.jpg"):
        (folder / "nevus" / name).touch()
    _put(folder / "nevus" / "a_superpixels.png", 2)
    _put(folder / "masks" / "a.png", 3)
    Image.fromarray(np.uint8(np.tril(np.ones((40, 40))) * 255)).save(folder / "nevus" / "white.png")
    data = _bring(from_folder(folder), tmp_path / "d")
    assert sorted(Path(name).stem for name in data.table["file_name"]) == ["a", "c"]
    report = _report(data)
    for name, reason in {"nevus/b.heic": "0 bytes", "nevus/c.dcm": "0 bytes", "nevus/d.xyz": "ending", "nevus/notes.txt": "ending",
                         "nevus/a_superpixels.png": "superpixels", "masks/a.png": "mask", "nevus/white.png": "black and white"}.items():  # fmt: skip
        assert reason in report[name]
    assert len(report) == 7


def test_a_set_made_before_is_not_imported_into_the_next(tmp_path: Path) -> None:
    _put(tmp_path / "nevus" / "a.png", 1)
    _put(tmp_path / "nevus" / "b.png", 2)
    _bring(from_folder(tmp_path), tmp_path / "set1")
    data = _bring(from_folder(tmp_path), tmp_path / "set2")
    assert data.classes == ["nevus"]
    assert "a data set already" in _report(data)["set1/"]
    with pytest.raises(UserError, match="a data set already"):
        from_folder(tmp_path / "set1")


@pytest.mark.parametrize(
    "written",
    ["i\\{}.png", "C:\\Users\\Ä\\i\\{}.png", "/data/study/i/{}.png", "i/{}.PNG", "i/{}", "{}.jpeg", "./i/{}.png", "{}"],
)
def test_a_path_in_another_spelling_finds_its_file(written: str, tmp_path: Path) -> None:
    table = _csv(tmp_path, {"label": LABELS[:8]}, count=8)
    pd.DataFrame({"image": [written.format(n) for n in range(8)], "label": LABELS[:8]}).to_csv(
        table, index=False, sep=";"
    )
    data = _bring(from_csv(table, image="image", label="label"), tmp_path / "d")
    assert len(data.table) == 8
    for name in data.table["file_name"]:
        assert np.array_equal(read_image(data.folder / name), _photograph(int(Path(name).stem)))


def test_a_name_that_two_files_bear_is_refused_by_name(tmp_path: Path) -> None:
    _put(tmp_path / "part1" / "ISIC_1.jpg", 1)
    _put(tmp_path / "part2" / "ISIC_1.jpg", 2)
    _put(tmp_path / "part2" / "ISIC_2.JPG", 3)
    (tmp_path / "t.csv").write_text("image,label\nISIC_1,nevus\nISIC_2,nevus\npart2/ISIC_1,nevus\n")
    data = _bring(from_csv(tmp_path / "t.csv", image="image", label="label"), tmp_path / "d")
    assert len(data.table) == 2
    assert "lies there 2 times" in _report(data)["ISIC_1"]


def test_masks_of_the_same_names_are_not_the_photographs(tmp_path: Path) -> None:
    for number in range(6):
        _put(tmp_path / "images" / f"ISIC_{number}.jpg", number)
        _put(tmp_path / "lesion_masks" / f"ISIC_{number}.png", 100)
    rows = [f"HAM_{n},ISIC_{n},nv" for n in range(6)]
    (tmp_path / "HAM10000_metadata").write_text("\n".join(["lesion_id,image_id,dx", *rows]).replace(",", "\t"))
    data = _bring(reader("ham10000")(tmp_path / "HAM10000_metadata"), tmp_path / "d")
    assert {Path(name).suffix for name in data.table["file_name"]} == {".jpg"}


def test_links_inside_work_and_links_outside_can_be_allowed(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for number in range(3):
        _put(store / f"{number}.png", number)
    folder = tmp_path / "in"
    _put(folder / "real" / "9.png", 9)
    (folder / "nevus").mkdir()
    os.symlink(folder / "real" / "9.png", folder / "nevus" / "inside.png")
    os.symlink(store / "0.png", folder / "nevus" / "outside.png")
    os.symlink(store, folder / "melanoma")
    os.symlink(folder, folder / "nevus" / "loop")
    data = _bring(from_folder(folder), tmp_path / "d")
    assert len(data.table) == 2
    assert "allow it with `allow_links_to`" in _report(data)["nevus/outside.png"]
    assert "allow it with `allow_links_to`" in _report(data)["melanoma/"]
    allowed = _bring(from_folder(folder, roots=[store]), tmp_path / "e", roots=(store,))
    assert {c: allowed.count(c) for c in allowed.classes} == {"melanoma": 3, "nevus": 2, "real": 1}


def test_an_absolute_path_inside_works_and_one_that_climbs_does_not(tmp_path: Path) -> None:
    _put(tmp_path / "in" / "a.png", 1)
    _put(tmp_path / "b.png", 2)
    _put(tmp_path / "in" / "b.png", 3)
    (tmp_path / "in" / "t.csv").write_text(f"image,label\n{tmp_path / 'in' / 'a.png'},x\n../b.png,x\n")
    data = _bring(from_csv(tmp_path / "in" / "t.csv", image="image", label="label"), tmp_path / "d")
    assert len(data.table) == 1
    assert "`image_folder` names another folder" in _report(data)["../b.png"]


def test_masks_of_another_size_are_resized_and_an_import_without_any_is_no_success(tmp_path: Path) -> None:
    for number in range(3):
        _put(tmp_path / "i" / f"{number}.png", number)
        mask = np.zeros((144, 192), np.uint8)
        mask[30:90, 30:120] = 255
        Image.fromarray(mask).save(tmp_path / f"m{number}.png")
    (tmp_path / "t.csv").write_text("image,label,mask\n" + "".join(f"i/{n}.png,nevus,m{n}.png\n" for n in range(3)))
    source = from_csv(tmp_path / "t.csv", image="image", label="label", mask="mask")
    data = _bring(source, tmp_path / "d")
    expected = np.zeros((48, 64), bool)
    expected[10:30, 10:40] = True
    assert all(np.array_equal(read_mask(data.folder / name), expected) for name in data.table["mask_file_name"])
    assert "mask of 192 x 144 pixels brought to 64 x 48" in _report(data)["i/0.png"]
    for number in range(3):
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / f"m{number}.png")
    with pytest.raises(UserError, match="none of the 3 masks could be used"):
        _bring(source, tmp_path / "e")
    assert not (tmp_path / "e").exists()


def test_images_marked_as_synthetic_are_no_photographs(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "nevus"
    folder.mkdir(parents=True)
    for number in range(4):
        (folder / f"{number}.png").write_bytes(encode_png(_photograph(number), text={"seed": "1"}, synthetic=True))
    _put(folder / "real.jpg", 9)
    source = from_folder(tmp_path / "in")
    with pytest.raises(UserError, match="4 of 5 images are marked as made by an algorithm"):
        _bring(source, tmp_path / "d")
    assert not (tmp_path / "d").exists()
    rest = _bring(source, tmp_path / "rest", marked="leave-out")
    assert [Path(name).stem for name in rest.table["file_name"]] == ["real"]
    assert sorted(os.listdir(rest.folder / "images")) == ["real.jpg"]
    kept = _bring(source, tmp_path / "kept", marked="keep")
    assert (kept.table["synthetic"] == "true").sum() == 4
    assert not kept.synthetic
    assert sum(AI_SOURCE.encode() in path.read_bytes() for path in kept.paths) == 4
    assert "4 images are marked as made by an algorithm" in " ".join(audit(kept, jobs=1).findings)
    (folder / "real.jpg").unlink()
    assert _bring(from_folder(tmp_path / "in"), tmp_path / "all", marked="keep").synthetic


def test_isic_2019_keeps_its_lesions_and_two_diagnoses_are_none(tmp_path: Path) -> None:
    names = [f"ISIC_{number:07d}" for number in range(30)]
    for number, name in enumerate(names):
        _put(tmp_path / "ISIC_2019_Training_Input" / f"{name}.jpg", number)
    one = [float(number % 3 == 0) for number in range(30)]
    truth = {"image": names, "MEL": one, "NV": [1.0 - value for value in one], "UNK": 0.0, "score_weight": 1.0}
    truth["NV"][0] = 1.0  # type: ignore[index]
    pd.DataFrame(truth).to_csv(tmp_path / "ISIC_2019_Training_GroundTruth.csv", index=False)
    facts = {"image": names, "age_approx": 40, "lesion_id": [f"L{number // 2}" for number in range(30)]}
    pd.DataFrame(facts).to_csv(tmp_path / "ISIC_2019_Training_Metadata.csv", index=False)
    data = _bring(from_isic2018(tmp_path), tmp_path / "d")
    assert data.table.groupby("group")["split"].nunique().max() == 1
    assert {c: data.count(c) for c in data.classes} == {"MEL": 9, "NV": 20}
    assert set(data.table["age_approx"]) == {"40"}
    assert _report(data)["ISIC_2019_Training_Input/ISIC_0000000.jpg"] == "no label: diagnoses MEL and NV at once"


def test_targets_in_any_spelling(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        _put(tmp_path / f"{name}.jpg", ord(name))
    (tmp_path / "train.csv").write_text("image_name,patient_id,target\na,1,1.0\nb,2,0.0\nc,3,\n")
    assert [row.label for row in reader("siim2020")(tmp_path / "train.csv").rows] == ["melanoma", "benign", ""]


def test_arrays_of_other_numbers(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 28, 28, 3))
    labels = np.arange(12)[:, None] % 2
    np.savez(tmp_path / "unit.npz", train_images=(pixels / 255).astype(np.float32), train_labels=labels)
    data = _bring(from_medmnist(tmp_path / "unit.npz"), tmp_path / "d")
    assert np.array_equal(read_image(data.paths[3]), pixels[3])
    for name, (images, numbers) in {
        "short": (pixels.astype(np.uint8), labels[:-1]), "several": (pixels.astype(np.uint8), np.repeat(labels, 3, axis=1)),
        "wide": (pixels * 9, labels), "negative": (pixels - 1, labels), "large": (pixels * 3.0, labels),
    }.items():  # fmt: skip
        np.savez(tmp_path / f"{name}.npz", train_images=images, train_labels=numbers)
        with pytest.raises(UserError, match=rf"{name}\.npz: train_"):
            from_medmnist(tmp_path / f"{name}.npz")


def test_names_that_some_file_system_refuses(tmp_path: Path) -> None:
    names = ["con.png", "a:b.png", 'say "x"|y?.png', "line\nbreak.png", "ä" * 100 + ".png", "dot..png", b"\xe4\xff.png"]
    for number, name in enumerate(names):
        Image.fromarray(_photograph(number)).save(tmp_path / "x.png")
        os.rename(tmp_path / "x.png", os.path.join(os.fsencode(tmp_path), os.fsencode(name)))
    data = _bring(from_folder(tmp_path), tmp_path.parent / f"{tmp_path.name}-out")
    assert len(data.table) == len(names)
    for name in data.table["file_name"]:
        assert not set('<>:"\\|?*\n') & set(name)
        assert len(name.encode()) < 200
        assert Path(name).stem.casefold() != "con"
    assert json.loads((data.folder / "dataset.json").read_text())["images"] == len(names)


def test_no_other_rows_image_takes_the_place_of_a_missing_one(tmp_path: Path) -> None:
    for number, name in enumerate(["benign/1", "malignant/1", "malignant/2"]):
        _put(tmp_path / f"{name}.png", number)
    names = ["benign/1", "benign/2", "malignant/1", "malignant/2"]
    (tmp_path / "t.csv").write_text("image,label\n" + "".join(f"{n}.png,{n.split('/')[0]}\n" for n in names))
    data = _bring(from_csv(tmp_path / "t.csv", image="image", label="label"), tmp_path / "d")
    assert {c: data.count(c) for c in data.classes} == {"benign": 1, "malignant": 2}
    assert "no such file" in _report(data)["benign/2.png"]


def test_a_missing_mask_is_not_replaced_by_its_photograph(tmp_path: Path) -> None:
    for number in range(3):
        _put(tmp_path / "images" / f"{number}.png", number)
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.uint8(np.tri(48, 64) * 255)).save(tmp_path / "masks" / "0.png")
    (tmp_path / "t.csv").write_text("image,label,mask\n" + "".join(f"images/{n}.png,n,{n}\n" for n in range(3)))
    data = _bring(from_csv(tmp_path / "t.csv", image="image", label="label", mask="mask"), tmp_path / "d")
    assert (data.table["mask_file_name"] != "").tolist() == [True, False, False]
    assert "mask left out" in _report(data)["images/1.png"]


def test_a_turned_photograph_with_a_mask_is_doubtful(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(_photograph(1)).save(tmp_path / "a.jpg", exif=exif)
    Image.fromarray(np.uint8(np.tri(48, 64) * 255)).save(tmp_path / "m.png")
    (tmp_path / "t.csv").write_text("image,label,mask\na.jpg,n,m.png\n")
    _bring(from_csv(tmp_path / "t.csv", image="image", label="label", mask="mask"), tmp_path / "d")
    assert "was turned as its camera was held" in caplog.text


@pytest.mark.parametrize("place", ["images", "images/00_nevus"])
def test_the_description_of_a_synthetic_set_is_a_mark(place: str, tmp_path: Path) -> None:
    for number in range(3):
        _put(tmp_path / "syn" / place / f"{number}.png", number)
    (tmp_path / "syn" / "dataset.json").write_text(json.dumps({"schema": 1, "synthetic": True}))
    with pytest.raises(UserError, match=r"3 of 3 images are marked .*dataset\.json of syn"):
        _bring(from_folder(tmp_path / "syn" / "images"), tmp_path / "d")


@pytest.mark.parametrize("trailing", ["patient,", "patient,note"])
def test_an_unquoted_comma_is_found_where_rows_have_cells_to_spare(trailing: str, tmp_path: Path) -> None:
    end = "," if trailing.endswith(",") else ""
    rows = [f"i/0.png,Spitz, Reed,P0{end}", *[f"i/{n}.png,nevus,P{n}{end}" for n in range(1, 12)]]
    (tmp_path / "t.csv").write_text("\n".join([f"image,label,{trailing}", *rows]))
    with pytest.raises(UserError, match="expected 3 fields in line 2, saw"):
        from_csv(tmp_path / "t.csv", image="image", label="label", group="patient")


@pytest.mark.parametrize("wrapper", ["kaggle", "download/images", "images/HAM"])
def test_a_folder_around_everything_is_no_class(wrapper: str, tmp_path: Path) -> None:
    for number, name in enumerate(["train/benign/a", "train/malignant/b", "test/benign/c", "test/malignant/d"]):
        _put(tmp_path / "in" / wrapper / f"{name}.png", number)
    data = _bring(from_folder(tmp_path / "in"), tmp_path / "d")
    assert data.classes == ["benign", "malignant"]
    assert data.table["split"].value_counts().to_dict() == {"train": 2, "test": 2}


@pytest.mark.parametrize(
    "column", ["patid", "Patientennummer", "Patienten_Nr", "id_paciente", "patient_id_anon", "clinic_patient_id", "donor",
               "pseudonym", "hospital_number", "original_image", "photograph"],
)  # fmt: skip
def test_people_in_other_words_are_not_cut(column: str, tmp_path: Path) -> None:
    table = _csv(tmp_path, {"label": LABELS, column: [f"K{number // 4}" for number in range(60)]})
    data = _bring(from_csv(table, image="image", label="label"), tmp_path / "d")
    assert data.table.groupby(column)["split"].nunique().max() == 1


def test_a_placeholder_among_patients_frees_nobody_else(tmp_path: Path) -> None:
    people = ["anonym" if number < 30 else f"P{number // 3}" for number in range(60)]
    data = _bring(
        from_csv(_csv(tmp_path, {"label": LABELS, "patient_id": people}), image="image", label="label"), tmp_path / "d"
    )
    known = data.table[data.table["patient_id"] != "anonym"]
    assert known.groupby("patient_id")["split"].nunique().max() == 1
    assert set(data.table["split"]) == {"train", "validation", "test"}


def test_the_same_image_of_another_patient_is_said(tmp_path: Path) -> None:
    _put(tmp_path / "s" / "a.png", 1)
    (tmp_path / "t.csv").write_text("image,label,patient\ns/a.png,n,P1\n./s/../s/a.png,n,P2\n")
    data = _bring(from_csv(tmp_path / "t.csv", image="image", label="label", group="patient"), tmp_path / "d")
    assert len(data.table) == 1
    assert _report(data)["s/a.png"] == "duplicate row with another group; first kept"


def test_coloured_masks_are_no_photographs_and_plain_drawings_are(tmp_path: Path) -> None:
    disc = np.hypot(*(np.indices((48, 64)) - np.array([24, 32])[:, None, None])) < 12
    for name, ground, paint in (("outline", (0, 0, 0), (200, 0, 0)), ("drawing", (210, 160, 140), (90, 50, 40))):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(np.where(disc[..., None], paint, ground).astype(np.uint8)).save(tmp_path / "in" / f"{name}.png")
    data = _bring(from_folder(tmp_path / "in"), tmp_path / "d")
    assert [Path(name).stem for name in data.table["file_name"]] == ["drawing"]
    assert "plain colours on black or white" in _report(data)["outline.png"]
