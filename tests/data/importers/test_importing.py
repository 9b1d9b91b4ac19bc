import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.importers.generic import (
    from_csv,
    from_folder,
)
from dermsynth.data.importers.importing import Source, SourceRow, import_source
from dermsynth.data.importers.isic_challenges import from_isic2018
from dermsynth.data.importers.layouts import reader
from dermsynth.data.importers.medmnist import from_medmnist
from dermsynth.data.importers.ph2 import from_ph2
from dermsynth.data.importers.published import from_isic_archive
from dermsynth.data.maps import layer_names
from dermsynth.data.masks import read_mask
from dermsynth.errors import UserError
from tests import pack
from tests.test_images import bomb


def _image(path: Path, seed: int = 0, size: tuple[int, int] = (32, 24)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


def _bring(source: Source, tmp_path: Path) -> DataSet:
    return import_source(source, tmp_path / "out", jobs=1).data_set


def _labels(data: DataSet) -> dict[str, str]:
    return {Path(name).stem: label for name, label in zip(data.table["file_name"], data.labels, strict=True)}


def test_folder_with_labels(tmp_path: Path) -> None:
    for seed, name in enumerate(["nevus/a.jpg", "nevus/b.png", "melanoma/sub/a.jpg"]):
        _image(tmp_path / "in" / name, seed)
    data = _bring(from_folder(tmp_path / "in"), tmp_path)
    assert sorted(data.labels) == ["melanoma", "nevus", "nevus"]
    assert data.table["file_name"].is_unique
    assert data.table.columns[0] == "file_name"


def test_folder_without_labels(tmp_path: Path) -> None:
    _image(tmp_path / "in" / "a.jpg")
    assert _bring(from_folder(tmp_path / "in"), tmp_path).classes == []


def test_csv_with_byte_order_mark_blank_labels_duplicates_and_bad_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "in"
    for number in range(6):
        _image(folder / f"{number}.jpg", number)
    (folder / "empty.jpg").touch()
    bomb(folder / "bomb.png")
    _image(folder / "mask0.png", 0)
    _image(folder / "mask1.png", 0, (9, 9))
    rows = ["picture,kind,outline,note", "0.jpg,nevus,mask0.png,x", "1.jpg,nevus,mask1.png,", "2,melanoma,,", "3.jpg,,,", "4.jpg,nevus,,",
            "4.jpg,nevus,,", "empty.jpg,nevus,,", "bomb.png,nevus,,", "gone.jpg,nevus,,", "../../etc/passwd.png,nevus,,"]  # fmt: skip
    (folder / "t.csv").write_text("\ufeff" + "\n".join(rows), encoding="utf-8")
    result = import_source(
        from_csv(folder / "t.csv", image="picture", label="kind", mask="outline"), tmp_path / "out", jobs=1
    )
    data = result.data_set
    assert _labels(data) == {"0": "nevus", "1": "nevus", "2": "melanoma", "3": "", "4": "nevus"}
    assert data.table["note"].tolist() == ["x", "", "", "", ""]
    assert data.table["mask_file_name"].tolist() == ["masks/0.png", "", "", "", ""]
    report = pd.read_csv(tmp_path / "out" / "import_report.csv").set_index("file")["problem"]
    assert len(report) == 6
    for name, reason in {"4.jpg": "duplicate row", "empty.jpg": "0 bytes", "bomb.png": "pixels", "gone.jpg": "no such file",
                         "../../etc/passwd.png": "leads out of", "1.jpg": "9 x 9 pixels, its image has 32 x 24"}.items():  # fmt: skip
        assert reason in report[name]
    assert "1 images have no label" in result.summary()
    assert "6 problems" in caplog.text


def test_missing_column_names_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"no column 'image'; there are: a, b"):
        from_csv(tmp_path / "t.csv", image="image")


def test_labels_that_differ_in_case_are_refused(tmp_path: Path) -> None:
    for name in ("Nevus/a.jpg", "nevus/b.jpg"):
        _image(tmp_path / "in" / name)
    with pytest.raises(UserError, match=r"'nevus' and 'Nevus' differ in case only.*`lower_case_labels`"):
        _bring(from_folder(tmp_path / "in"), tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_filled_folder_is_not_touched(tmp_path: Path) -> None:
    _image(tmp_path / "in" / "a.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="not empty"):
        _bring(from_folder(tmp_path / "in"), tmp_path)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(UserError, match="no images found"):
        _bring(from_folder(tmp_path / "in"), tmp_path)
    (tmp_path / "in" / "a.jpg").touch()
    with pytest.raises(UserError, match="none of the 1 images"):
        _bring(from_folder(tmp_path / "in"), tmp_path)


def test_camera_metadata_does_not_come_along(tmp_path: Path) -> None:
    path = _image(tmp_path / "in" / "a.jpg")
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe"
    Image.open(path).save(path, exif=exif)
    data = _bring(from_folder(tmp_path / "in"), tmp_path)
    assert b"Jane" in path.read_bytes()
    assert b"Jane" not in data.paths[0].read_bytes()


def test_plain_files_are_copied_byte_by_byte(tmp_path: Path) -> None:
    path = _image(tmp_path / "in" / "a.jpg")
    assert _bring(from_folder(tmp_path / "in"), tmp_path).paths[0].read_bytes() == path.read_bytes()


def test_splits_keep_groups_and_twins_together(tmp_path: Path) -> None:
    rows = ["image,label,patient"]
    for number in range(60):
        _image(tmp_path / "in" / f"{number}.png", seed=number if number != 41 else 40)
        rows.append(f"{number}.png,{'ab'[number % 2]},p{number // 3}")
    (tmp_path / "in" / "t.csv").write_text("\n".join(rows))
    data = _bring(from_csv(tmp_path / "in" / "t.csv", image="image", label="label", group="patient"), tmp_path)
    splits = data.table.assign(number=[int(Path(n).stem) for n in data.table["file_name"]]).set_index("number")
    assert splits.groupby("group")["split"].nunique().max() == 1
    assert splits.loc[40, "split"] == splits.loc[41, "split"]
    assert set(splits["split"]) == {"train", "validation", "test"}


def test_a_phantom_imported_as_photographs_names_no_file_that_was_left_behind(phantom: DataSet, tmp_path: Path) -> None:
    source = from_csv(phantom.folder / "metadata.csv", image="file_name", label="label", mask="mask_file_name")
    made = import_source(source, tmp_path / "set", jobs=1).data_set
    assert "structures" not in made.table
    assert {*made.table["source_structures"]} == {*phantom.table["structures"]}
    assert layer_names(made) == ("skin", "lesion")


def test_a_split_given_by_the_source_is_kept(tmp_path: Path) -> None:
    rows = [
        SourceRow(f"{n}.png", "a", split=s, pixels=np.full((8, 8, 3), n, np.uint8))
        for n, s in enumerate(["train", "val", "test"])
    ]
    assert _bring(Source(tmp_path, rows, {}, ""), tmp_path).table["split"].tolist() == ["train", "validation", "test"]


def test_a_split_that_is_not_understood_is_refused_and_case_does_not_matter(tmp_path: Path) -> None:
    def source(*splits: str) -> Source:
        pixels = [np.full((8, 8, 3), n, np.uint8) for n in range(len(splits))]
        return Source(
            tmp_path,
            [
                SourceRow(f"{n}.png", "a", split=s, pixels=p)
                for n, (s, p) in enumerate(zip(splits, pixels, strict=True))
            ],
            {},
            "",
        )

    with pytest.raises(UserError, match=r"split 'holdout' of .*1\.png: must be train, validation or test"):
        _bring(source("train", "holdout"), tmp_path)
    assert not (tmp_path / "out").exists()
    assert _bring(source("Train", "Test"), tmp_path).table["split"].tolist() == ["train", "test"]


def test_text_in_a_png_and_strange_paths_do_not_come_along(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("PatientName", "Jane Doe")
    path = _image(tmp_path / "in" / "a.png")
    Image.open(path).save(path, pnginfo=text)
    (tmp_path / "in" / "t.csv").write_text(f"image,label\na.png,x,\n{'long' * 90}.png,x\na.png/b.png,x\n")
    data = _bring(from_csv(tmp_path / "in" / "t.csv", image="image", label="label"), tmp_path)
    assert len(data.table) == 1
    assert b"Jane" not in data.paths[0].read_bytes()
    assert len(pd.read_csv(tmp_path / "out" / "import_report.csv")) == 2


def test_isic_archive_export(tmp_path: Path) -> None:
    rows = ["isic_id,attribution,copyright_license,diagnosis_1,diagnosis_3,lesion_id,patient_id",
            "ISIC_1,Clinic A,CC-BY,Benign,Nevus,IL_1,IP_9", "ISIC_2,Clinic A,CC-0,Malignant,Melanoma,IL_2,"]  # fmt: skip
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "metadata.csv").write_text("\n".join(rows))
    for number in (1, 2):
        _image(tmp_path / "in" / f"ISIC_{number}.jpg", number)
    data = _bring(from_isic_archive(tmp_path / "in" / "metadata.csv"), tmp_path)
    assert _labels(data) == {"ISIC_1": "Nevus", "ISIC_2": "Melanoma"}
    assert data.table["group"].tolist() == ["IP_9", "IL_2"]
    assert data.description["licence"] == ["CC-0", "CC-BY"]
    assert data.description["attribution"] == ["Clinic A"]
    assert data.table["diagnosis_1"].tolist() == ["Benign", "Malignant"]


def test_ham10000(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "HAM10000_metadata.csv").write_text(
        "lesion_id,image_id,dx,dx_type,age\nHAM_1,ISIC_7,nv,histo,50\n"
    )
    _image(tmp_path / "in" / "HAM10000_images_part_2" / "ISIC_7.jpg")
    data = _bring(reader("ham10000")(tmp_path / "in" / "HAM10000_metadata.csv"), tmp_path)
    assert data.table.iloc[0][["label", "group", "age"]].tolist() == ["nv", "HAM_1", "50"]


def test_siim2020(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    table = tmp_path / "in" / "train.csv"
    table.write_text("image_name,patient_id,sex,target\nISIC_7,IP_1,male,1\nISIC_8,IP_1,male,0\n")
    for number in (7, 8):
        _image(tmp_path / "in" / "jpeg" / f"ISIC_{number}.jpg", number)
    assert _labels(_bring(reader("siim2020")(table), tmp_path)) == {"ISIC_7": "melanoma", "ISIC_8": "benign"}
    table.write_text("image_name,patient_id,sex,target\nISIC_7,IP_1,male,2\n")
    with pytest.raises(UserError, match="target '2' of"):
        reader("siim2020")(table)


def test_isic2018(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    _image(folder / "ISIC2018_Task1-2_Training_Input" / "ISIC_0000003.jpg", 3)
    _image(folder / "ISIC2018_Task1_Training_GroundTruth" / "ISIC_0000003_segmentation.png", 4)
    _image(folder / "ISIC2018_Task2_Training_GroundTruth_v3" / "ISIC_0000003_attribute_streaks.png", 5)
    truth = folder / "ISIC2018_Task3_Training_GroundTruth" / "ISIC2018_Task3_Training_GroundTruth.csv"
    truth.parent.mkdir()
    truth.write_text("image,MEL,NV\nISIC_0000003,0.0,1.0\n")
    row = _bring(from_isic2018(folder), tmp_path).table.iloc[0]
    assert row["label"] == "NV"
    assert row["mask_file_name"] == "masks/ISIC_0000003.png"
    assert row["streaks_mask"] == "masks/streaks/ISIC_0000003.png"
    assert set(np.unique(np.asarray(Image.open(tmp_path / "out" / row["streaks_mask"])))) <= {0, 255}


def test_ph2(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    _image(folder / "PH2 Dataset images" / "IMD003" / "IMD003_Dermoscopic_Image" / "IMD003.bmp")
    _image(folder / "PH2 Dataset images" / "IMD003" / "IMD003_lesion" / "IMD003_lesion.bmp")
    (folder / "PH2_dataset.txt").write_text(
        "||   Name   || Histological Diagnosis || Clinical Diagnosis ||\n|| IMD003 ||    || 2 ||  1  ||"
    )
    row = _bring(from_ph2(folder), tmp_path).table.iloc[0]
    assert row["label"] == "melanoma"
    assert row["mask_file_name"] == "masks/IMD003.png"


def test_ph2_without_its_list_of_diagnoses(tmp_path: Path) -> None:
    for name in ("IMD003", "IMD999"):
        _image(tmp_path / name / f"{name}_Dermoscopic_Image" / f"{name}.bmp")
    with pytest.raises(UserError, match=r"no PH2_dataset\.txt with the diagnoses of its images"):
        from_ph2(tmp_path)
    (tmp_path / "PH2_dataset.txt").write_text("|| IMD003 ||    || 2 ||  1  ||")
    words = "PH2_dataset.txt has no diagnosis of 1 images (first: IMD999/IMD999_Dermoscopic_Image/IMD999.bmp)"
    assert list(from_ph2(tmp_path).notes) == [words]
    with pytest.raises(UserError, match="no such folder; name the unpacked PH2 folder"):
        from_ph2(tmp_path / "PH2_dataset.txt")


def test_medmnist(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 5), ("val", 2), ("test", 3)):
        arrays[f"{part}_images"] = generator.integers(0, 255, (count, 28, 28, 3), dtype=np.uint8)
        arrays[f"{part}_labels"] = generator.integers(0, 7, (count, 1))
    np.savez(tmp_path / "dermamnist.npz", **arrays)
    data = _bring(from_medmnist(tmp_path / "dermamnist.npz"), tmp_path)
    assert data.table["split"].tolist() == ["train"] * 5 + ["validation"] * 2 + ["test"] * 3
    assert np.array_equal(np.asarray(Image.open(data.paths[0])), arrays["train_images"][0])
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match=r"bad\.npz"):
        from_medmnist(tmp_path / "bad.npz")


def test_a_pickle_in_an_npz_is_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", train_images=np.array([object()], dtype=object))
    with pytest.raises(UserError, match=r"evil\.npz"):
        from_medmnist(tmp_path / "evil.npz")


def test_a_table_with_images_and_masks(tmp_path: Path) -> None:
    data = _bring(from_csv(pack.TABLE, image="image", label="label", mask="mask"), tmp_path)
    assert len(data.table) == 12
    assert data.description["licence"] == ["CC-0"]
    assert data.table["dark_corner"].astype(int).sum() == 4
    stored = np.stack([read_mask(data.folder / name) > 0 for name in data.table["mask_file_name"]])
    order = [int(Path(name).stem.split("_")[1][:2]) for name in data.table["file_name"]]
    assert (stored == pack.masks()[order]).all()


def test_real_metadata(real_images: Path, tmp_path: Path) -> None:
    source = from_csv(real_images / "metadata.csv", image="image", label="label", mask="mask")
    assert len(source.rows) == 2074
    some = Source(source.folder, source.rows[:60], source.facts, source.command)
    data = _bring(some, tmp_path)
    assert len(data.table) == 60
    assert data.description["licence"] == ["CC-0"]
    assert set(data.table["dark_corner"]) <= {"0", "1"}


def test_the_folder_can_be_opened_again_and_a_climbing_path_is_refused(phantom: DataSet, tmp_path: Path) -> None:
    assert open_data_set(phantom.folder).content_hash == phantom.content_hash
    (tmp_path / "metadata.csv").write_text("file_name\n../secret.png\n")
    (tmp_path / "dataset.json").write_text(json.dumps({"schema": 1}))
    with pytest.raises(UserError, match="leads out of"):
        open_data_set(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(UserError, match="newer than this program"):
        open_data_set(tmp_path)
