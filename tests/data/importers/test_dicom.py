"""Folders and tables of DICOM files: patients under pseudonyms, what is copied and what stays behind, frames as images."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage, SecondaryCaptureImageStorage, VLPhotographicImageStorage

import dermsynth as ds
from dermsynth.data.importers.report import ImportResult
from dermsynth.images import read_image
from tests.data.importers.dicom_files import PATIENT, SECRETS, as_jpeg, code, dicom, jpeg, photograph, save


def _hospital(folder: Path, count: int = 4) -> Path:
    """Two images of each patient, in folders of classes."""
    for number in range(count):
        person = {**PATIENT, "PatientID": f"00{500 + number // 2}"}
        save(dicom(photograph(number), **person), folder / ("nevus", "melanoma")[number // 2 % 2] / f"IM{number}.dcm")
    return folder


def _bring(folder: Path, out: Path, **options: object) -> ImportResult:
    return ds.import_folder(folder, out=out, jobs=1, **options)  # type: ignore[arg-type]


def _everything(folder: Path) -> bytes:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(
        [path.read_bytes() for path in files] + [os.fsencode(str(path.relative_to(folder))) for path in files]
    )


def test_a_folder_of_dicom_files_and_others(tmp_path: Path) -> None:
    _hospital(tmp_path / "in")
    Image.fromarray(photograph(9)).save(tmp_path / "in" / "nevus" / "photo.jpg")
    save(as_jpeg(dicom(photograph(8), **PATIENT), jpeg(photograph(8))), tmp_path / "in" / "nevus" / "IM000008")
    (tmp_path / "in" / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    result = _bring(tmp_path / "in", tmp_path / "d")
    table = result.data_set.table
    assert result.data_set.classes == ["melanoma", "nevus"]
    assert len(table) == 6
    assert np.array_equal(read_image(tmp_path / "d" / "images" / "IM1.png"), photograph(1))
    names = {Path(name).name for name in table["file_name"]}
    assert names == {"IM0.png", "IM1.png", "IM2.png", "IM3.png", "IM000008.jpg", "photo.jpg"}
    assert (tmp_path / "d" / "images" / "IM000008.jpg").read_bytes() == jpeg(photograph(8))
    assert [row.problem for row in result.files if row.file == "DICOMDIR"] == ["a list of DICOM files"]


def test_the_patient_is_a_group_and_nothing_else_of_the_patient_comes_along(tmp_path: Path) -> None:
    for number in range(3):
        image = dicom(photograph(number), **PATIENT, AnatomicRegionSequence=[code("Skin of back")], ImageLaterality="L")
        save(image, tmp_path / "in" / "nevus" / f"{number}.dcm")
    result = _bring(tmp_path / "in", tmp_path / "d")
    table = result.data_set.table
    assert table["group"].nunique() == 1
    assert table["group"].str.fullmatch("p[0-9a-f]{16}").all()
    expected = {"age": "58", "sex": "female", "site": "Skin of back", "laterality": "left", "image_type": "dermoscopic"}
    assert table.iloc[0][list(expected)].to_dict() == expected
    assert [secret for secret in SECRETS if secret in _everything(tmp_path / "d")] == []
    notes = " ".join(result.notes)
    assert "a salt that was drawn for this import and is kept nowhere" in notes
    assert (
        "not copied from DICOM files: InstitutionName, PatientBirthDate, PatientName, ReferringPhysicianName, StudyDate"
    ) in notes


def test_names_folders_and_tables_that_hold_the_patient_do_not_come_along(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    save(dicom(photograph(1), **PATIENT), folder / "MUSTER_ERIKA" / "12345_1.dcm")
    save(dicom(photograph(2), **PATIENT), folder / "MUSTER_ERIKA" / "a.dcm")
    save(dicom(photograph(3), **{**PATIENT, "PatientID": "77"}), folder / "nevus" / "b.dcm")
    Image.fromarray(photograph(4)).save(folder / "MUSTER_ERIKA" / "phone.jpg")
    result = _bring(folder, tmp_path / "d")
    table = result.data_set.table
    assert [Path(name).stem for name in table["file_name"]] == ["dicom_0001", "dicom_0002", "phone", "b"]
    assert list(result.data_set.labels) == ["", "", "", "nevus"]
    assert table["group"].iloc[:3].nunique() == 1
    notes = " ".join(result.notes)
    assert "1 other images lie in a folder of the patient's name or number, which is no class" in notes
    assert (
        "2 DICOM files have the patient's name or number in their names or folders; they are called dicom_0001" in notes
    )
    assert "2 DICOM files lie in a folder of the patient's name or number, which is no class" in notes
    (folder / "MUSTER_ERIKA" / "phone.jpg").unlink()  # or it is listed as not used, with its folder
    rows = ["file,label,patient,who,born,note", "MUSTER_ERIKA/12345_1.dcm,nevus,12345,Erika Muster,19610403,flat",
            "nevus/b.dcm,nevus,77,x,,raised", "MUSTER_ERIKA/a.dcm,mole,0012345,,,"]  # fmt: skip
    (folder / "t.csv").write_text("\n".join(rows))
    out = tmp_path / "e"
    result = ds.import_csv(folder / "t.csv", image="file", label="label", group="patient", out=out, jobs=1)
    table = result.data_set.table.set_index("label")
    assert table.loc["nevus", "group"].iloc[0] == table.loc["mole", "group"]
    assert table["group"].str.fullmatch("p[0-9a-f]{16}").all()
    assert table.loc["nevus", "note"].tolist() == ["flat", "raised"]
    assert "3 DICOM files have the patient's name, number or date of birth in the table" in " ".join(result.notes)
    for place in ("d", "e"):
        assert [secret for secret in (*SECRETS, b"MUSTER", b"12345_1") if secret in _everything(tmp_path / place)] == []


@pytest.mark.parametrize(
    ("person", "name"),
    [
        ({"PatientName": "Study_17", "PatientID": "S17", "PatientIdentityRemoved": "YES"}, "Study_17"),
        ({"PatientName": "ISIC_0068279", "PatientID": "IP_7279968"}, "ISIC_0068279"),
    ],
)
def test_names_of_files_that_are_pseudonyms_are_kept(person: dict[str, str], name: str, tmp_path: Path) -> None:
    save(dicom(photograph(1), **person), tmp_path / "in" / f"{name}.dcm")
    table = _bring(tmp_path / "in", tmp_path / "d").data_set.table
    assert table["file_name"].tolist() == [f"images/{name}.png"]


def test_two_imports_agree_with_a_salt_and_not_without(tmp_path: Path) -> None:
    folder, salt = _hospital(tmp_path / "in"), tmp_path / "hospital.salt"
    groups = [
        sorted(_bring(folder, tmp_path / name, salt_file=file).data_set.table["group"])
        for name, file in {"a": salt, "b": salt, "c": None, "d": None, "e": tmp_path / "other.salt"}.items()
    ]
    assert groups[0] == groups[1]
    assert len({group[0] for group in groups}) == 4
    assert "hash with the salt of hospital.salt; whoever has it" in " ".join(
        _bring(folder, tmp_path / "f", salt_file=salt).notes
    )
    assert salt.stat().st_mode & 0o777 == 0o600
    assert salt.read_bytes().strip() not in _everything(tmp_path / "a")


def test_a_salt_that_is_no_secret_is_refused(tmp_path: Path) -> None:
    folder = _hospital(tmp_path / "in")
    (tmp_path / "short.salt").write_text("abc\n")
    (tmp_path / "bytes.salt").write_bytes(b"\xff" * 40)
    for name, reason in {"d/x.salt": "lies in the data set", "short.salt": "3 letters; it needs at least 16",
                         "bytes.salt": "cannot be read as text"}.items():  # fmt: skip
        with pytest.raises(ds.UserError, match=f"`salt_file` .*{name}: {reason}"):
            _bring(folder, tmp_path / "d", salt_file=tmp_path / name)
    Image.fromarray(photograph(1)).save(tmp_path / "in" / "a.png")
    assert not (tmp_path / "d").exists()


def test_frames_are_images_of_one_group(tmp_path: Path) -> None:
    save(dicom(np.stack([photograph(n) for n in range(3)])), tmp_path / "in" / "nevus" / "film.dcm")
    save(dicom(photograph(7)), tmp_path / "in" / "nevus" / "1.2.840.45")
    result = _bring(tmp_path / "in", tmp_path / "d")
    table = result.data_set.table
    names = [Path(name).stem for name in table["file_name"]]
    assert names == ["1.2.840.45", "film_frame1", "film_frame2", "film_frame3"]
    assert np.array_equal(read_image(result.data_set.paths[2]), photograph(1))
    assert table["group"].iloc[1:].nunique() == 1
    assert "1 DICOM files hold several frames; each is an image" in " ".join(result.notes)
    assert "2 DICOM files name no patient; their study stands for it" in " ".join(result.notes)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"PatientAge": "018M"}, {"age": "1.5"}),
        ({"PatientAge": "095Y"}, {"age": "90"}),
        ({"PatientAge": "", "PatientBirthDate": "19800502"}, {"age": "43"}),
        ({"PatientSex": "O"}, {"sex": "other"}),
        ({"PatientSex": ""}, {"sex": ""}),
        ({"BodyPartExamined": "LOWERLEG"}, {"site": "lowerleg"}),
    ],
)
def test_facts_become_columns_of_one_name(attributes: dict[str, str], expected: dict[str, str], tmp_path: Path) -> None:
    for number in range(2):  # of two patients, so that no column is empty
        more = attributes if number else {"BodyPartExamined": "HEAD"}
        save(dicom(photograph(number), **{**PATIENT, **more}), tmp_path / "in" / f"{number}.dcm")
    row = _bring(tmp_path / "in", tmp_path / "d").data_set.table.iloc[1]
    assert row[list(expected)].to_dict() == expected


def test_skin_type_and_lesion(tmp_path: Path) -> None:
    context = Dataset()
    context.ConceptNameCodeSequence, context.ConceptCodeSequence = [code("Fitzpatrick skin type")], [code("Type IV")]
    for number in range(2):
        image = dicom(photograph(number), AcquisitionContextSequence=[context], TrackingUID="1.2.3")
        save(image, tmp_path / "in" / f"{number}.dcm")
    table = _bring(tmp_path / "in", tmp_path / "d").data_set.table
    assert set(table["fitzpatrick"]) == {"4"}
    assert table["lesion_id"].nunique() == 1
    assert "1.2.3" not in set(table["lesion_id"])


def test_the_table_counts_where_a_file_says_otherwise(tmp_path: Path) -> None:
    for number in range(4):
        save(dicom(photograph(number), **{**PATIENT, "PatientID": f"A{number // 2}"}), tmp_path / f"{number}.dcm")
    rows = [f"{number},nevus,G{number},{('61', '')[number % 2]}" for number in range(4)]
    Image.fromarray(photograph(9)).save(tmp_path / "photo.jpg")
    (tmp_path / "t.csv").write_text("\n".join(["file,label,study_group,age", *rows, "photo.jpg,nevus,G9,40"]))
    result = ds.import_csv(
        tmp_path / "t.csv", image="file", label="label", group="study_group", out=tmp_path / "d", jobs=1
    )
    table = result.data_set.table
    assert table["age"].tolist() == ["61", "58", "61", "58", "40"]
    assert table["group"].tolist() == ["G0", "G1", "G2", "G3", "G9"]
    assert table["patient"].iloc[4] == ""
    assert table.iloc[:4].groupby("patient")["split"].nunique().max() == 1
    assert "2 DICOM files have another age than the table, which counts" in " ".join(result.notes)


def test_pixels_that_may_show_the_patient_or_no_photograph_are_doubtful(tmp_path: Path) -> None:
    save(dicom(photograph(1), BurnedInAnnotation="YES"), tmp_path / "in" / "a.dcm")
    save(dicom(photograph(2), RecognizableVisualFeatures="YES"), tmp_path / "in" / "b.dcm")
    save(dicom(photograph(3), SOPClassUID=MRImageStorage), tmp_path / "in" / "c.dcm")
    for number, kind in enumerate((VLPhotographicImageStorage, SecondaryCaptureImageStorage)):
        save(dicom(photograph(4 + number), SOPClassUID=kind), tmp_path / "in" / f"d{number}.dcm")
    result = _bring(tmp_path / "in", tmp_path / "d")
    doubts = [(row.file, row.problem) for row in result.files if row.outcome == "doubtful"]
    assert [name for name, _ in doubts] == ["a.dcm", "b.dcm", "c.dcm"]
    assert "may show the patient's name" in doubts[0][1]
    assert "may show a face" in doubts[1][1]
    assert doubts[2][1] == "no photograph by its kind (MR Image Storage)"
    assert "1 DICOM files are doubtful: its pixels may show a face" in " ".join(result.notes)


def test_bad_files_are_left_out_by_name_and_the_import_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _hospital(tmp_path / "in")
    (folder / "nevus" / "text.dcm").write_text("no image " * 40)
    cut = (folder / "nevus" / "IM0.dcm").read_bytes()[:-300]
    (folder / "nevus" / "cut.dcm").write_bytes(cut)
    result = _bring(folder, tmp_path / "d")
    assert len(result.data_set) == 4
    report = pd.read_csv(tmp_path / "d" / "import_report.csv").set_index("file")["problem"]
    assert "not a DICOM file" in report["nevus/text.dcm"]
    assert "damaged or cut short" in report["nevus/cut.dcm"]
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(ds.UserError, match=r"none of the 6 images could be used; .*pip install 'dermsynth\[dicom\]'"):
        _bring(folder, tmp_path / "e")


def test_a_mask_of_several_frames_is_left_out(tmp_path: Path) -> None:
    save(dicom(np.stack([photograph(1), photograph(2)])), tmp_path / "film.dcm")
    save(dicom(photograph(3)), tmp_path / "one.dcm")
    Image.fromarray(np.uint8(np.tri(48, 64) * 255)).save(tmp_path / "m.png")
    (tmp_path / "t.csv").write_text("file,mask\nfilm.dcm,m.png\none.dcm,m.png\n")
    result = ds.import_csv(tmp_path / "t.csv", image="file", mask="mask", out=tmp_path / "d", jobs=1)
    assert (result.data_set.table["mask_file_name"] != "").tolist() == [False, False, True]
    assert result.count("mask left out") == 2


def test_a_salt_that_nothing_needs_is_said(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(photograph(1)).save(tmp_path / "in" / "a.png")
    result = _bring(tmp_path / "in", tmp_path / "d", salt_file=tmp_path / "x.salt")
    assert "`salt_file` was not used" in " ".join(result.notes)
    assert not (tmp_path / "x.salt").exists()
