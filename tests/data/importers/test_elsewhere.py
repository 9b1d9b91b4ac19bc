"""Images of a generator elsewhere become a synthetic set that says what is claimed; what cannot be true is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import dermsynth as ds
from dermsynth.data.claims import seen_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.marks import file_mark, photograph_mark
from dermsynth.errors import UserError
from dermsynth.images import mark_jpeg, read_image
from tests.elsewhere import COLUMNS, COPIES, photograph, write_elsewhere, write_real


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return write_real(tmp_path_factory.mktemp("real") / "isic", 40)


@pytest.fixture(scope="module")
def table(real: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_elsewhere(tmp_path_factory.mktemp("made") / "made", real, 12)


def bring(table: Path, out: Path, **choices: Any) -> DataSet:
    return ds.import_csv(table, out=out, **{**COLUMNS, "synthetic": True, "jobs": 1, **choices}).data_set


def test_a_table_becomes_a_synthetic_set_that_says_what_is_claimed(table: Path, real: DataSet, tmp_path: Path) -> None:
    made = bring(table, tmp_path / "set", trained_on=real, generator="SD 1.5 + LoRA")
    assert made.synthetic
    assert not made.divided
    assert set(made.table["synthetic"]) == {"true"}
    assert list(made.table["prompt"])[-1].startswith("a dermoscopic image of")
    assert list(made.table["conditioned_on"])[-COPIES:][::-1] == list(real.split("train").table["file_name"][:COPIES])
    generator = made.provenance.generator
    assert (generator.name, generator.claimed, generator.split) == ("SD 1.5 + LoRA", True, "train")
    assert generator.data_hash == real.content_hash
    assert (
        generator.claim == "claimed, not checked: made by SD 1.5 + LoRA, which was trained on the split train of isic"
    )
    assert np.array_equal(seen_images(generator, real), real.in_split("train"))
    assert made.provenance.digital_source_type == "trainedAlgorithmicMedia"
    assert all(file_mark(path.read_bytes()) for path in made.paths)


def test_a_folder_without_a_training_set_says_so(table: Path, tmp_path: Path) -> None:
    result = ds.import_folder(table.parent, out=tmp_path / "set", synthetic=True, jobs=1)
    assert len(result.data_set) == 12
    claim = result.data_set.provenance.generator.claim
    assert claim.endswith("a generator that is not named; what it was trained on is not said")


def test_compression_stays_and_a_jpeg_is_marked_without_a_change_of_its_pixels(table: Path, tmp_path: Path) -> None:
    made = bring(table, tmp_path / "set")
    pairs = dict(zip(pd.read_csv(table)["file"], made.paths, strict=True))
    for name, path in pairs.items():
        assert path.suffix == Path(name).suffix
        assert np.array_equal(read_image(path), read_image(table.parent / name))


def test_a_jpeg_loses_its_metadata_and_keeps_its_colours(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a patient's name"
    Image.fromarray(photograph(1)).save(tmp_path / "a.jpg", exif=exif, comment=b"secret", dpi=(72, 72))
    marked = mark_jpeg((tmp_path / "a.jpg").read_bytes())
    (tmp_path / "b.jpg").write_bytes(marked)
    assert b"patient" not in marked
    assert b"secret" not in marked
    assert "trainedalgorithmicmedia" in file_mark(marked).lower()
    assert np.array_equal(read_image(tmp_path / "a.jpg"), read_image(tmp_path / "b.jpg"))


@pytest.mark.parametrize("kind", ["txt", "csv", "names"])
def test_a_list_of_files_says_what_was_trained_on(kind: str, table: Path, real: DataSet, tmp_path: Path) -> None:
    names, files = ["r0", "images/r4.png", "R8.PNG"], tmp_path / f"list.{kind}"
    files.write_text("\n".join((["image"] if kind == "csv" else []) + names))
    made = bring(
        table, tmp_path / "set", trained_on=real, source_column="", trained_on_files=names if kind == "names" else files
    )
    generator = made.provenance.generator
    assert generator.trained_on_files == ("images/r0.png", "images/r4.png", "images/r8.png")
    assert int(seen_images(generator, real).sum()) == 3
    assert "trained on listed images of isic" in generator.claim


def test_splits_of_folders_are_left_out_and_named(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "test")):
        (tmp_path / "f" / part / "nevus").mkdir(parents=True)
        Image.fromarray(photograph(number)).save(tmp_path / "f" / part / "nevus" / f"{number}.png")
    result = ds.import_folder(tmp_path / "f", out=tmp_path / "set", synthetic=True, jobs=1)
    assert not result.data_set.divided
    assert "the splits of the images are left out: a synthetic set has none" in result.notes


def mixed(table: Path, column: str, value: str, other: str) -> Path:
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    rows[column] = [value if number == 3 else other for number in range(len(rows))]
    rows.to_csv(table.with_name("mixed.csv"), index=False)
    return table.with_name("mixed.csv")


@pytest.mark.parametrize(
    ("column", "value", "other"),
    [("synthetic", "no", "yes"), ("is_real", "TRUE", "FALSE"), ("Image Origin", "camera", "diffusion")],
)
def test_a_mixture_of_real_and_synthetic_rows_is_refused(
    column: str, value: str, other: str, table: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        UserError, match=rf"1 of 12 images are said to be photographs \(first: 8.jpg, column '{column}'\)"
    ):
        bring(mixed(table, column, value, other), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_file_that_a_camera_marked_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    xmp = b'<rdf Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"/>'
    for number in range(3):
        how: dict[str, Any] = {"xmp": xmp} if number == 2 else {}
        Image.fromarray(photograph(number)).save(folder / f"{number}.jpg", **how)
    with pytest.raises(
        UserError, match=r"1 of 3 images are said to be photographs \(first: 2.jpg, digital source type"
    ):
        ds.import_folder(folder, out=tmp_path / "set", synthetic=True, jobs=1)


def test_a_set_of_photographs_is_no_synthetic_one(real: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"40 of 40 images are said to be photographs .*dataset.json of isic"):
        ds.import_csv(real.folder / "metadata.csv", image="file_name", out=tmp_path / "s", synthetic=True, jobs=1)


@pytest.mark.parametrize("value", ["", "unknown", "hospital"])
def test_what_says_nothing_is_no_mark_of_a_photograph(value: str) -> None:
    assert not photograph_mark({"synthetic": value, "is_real": value, "origin": value})


def test_a_claimed_source_that_does_not_exist_is_refused(table: Path, real: DataSet, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"`source_column` 'a dermoscopic .*': no image of .*isic.*; 12 of 12 are not in it"
    ):
        bring(table, tmp_path / "set", trained_on=real, source_column="words")


def called_alike(folder: Path) -> DataSet:
    """A real set of photographs whose names say nothing without their folders: `benign/0.png`, `malignant/0.png` ..."""
    for number in range(8):
        place = folder / "photographs" / ("benign", "malignant")[number % 2] / f"{number // 2}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph(number)).save(place)
    choices = {"shares": "0.5/0/0.5", "jobs": 1}
    return ds.import_folder(folder / "photographs", out=folder / "real", **choices).data_set


def original(real: DataSet, name: str) -> str:
    """The photograph of the set that shows the same as a file of the folder."""
    pixels = read_image(real.folder.parent / "photographs" / name)
    return next(
        str(row)
        for row, path in zip(real.table["file_name"], real.paths, strict=True)
        if np.array_equal(read_image(path), pixels)
    )


def test_images_called_alike_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    real = called_alike(tmp_path)
    assert set(real.table["original_name"]) == {f"{number}.png" for number in range(4)}
    sources = ["malignant/0.png", "/data/BENIGN/1.png", "malignant\\2.png", "benign/3.jpg"]
    folder = tmp_path / "made"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(photograph(90 + number)).save(folder / f"{number}.png")
    pd.DataFrame({"file": [f"{number}.png" for number in range(4)], "from": sources}).to_csv(
        folder / "t.csv", index=False
    )
    choices = {"label": "", "prompt_column": "", "trained_on": real}
    made = bring(folder / "t.csv", tmp_path / "set", **choices)
    wanted = ["malignant/0.png", "benign/1.png", "malignant/2.png", "benign/3.png"]
    assert list(made.table["conditioned_on"]) == [original(real, name) for name in wanted]
    assert "original_name" not in made.table
    listed = bring(folder / "t.csv", tmp_path / "b", **choices, source_column="", trained_on_files=["malignant/0.png"])
    assert listed.provenance.generator.trained_on_files == (original(real, "malignant/0.png"),)
    with pytest.raises(
        UserError, match=r"`trained_on_files` '0.png': may be images/0.png or images/0_2.png of .*write one"
    ):
        bring(folder / "t.csv", tmp_path / "c", **choices, trained_on_files=["0.png"])


def test_sources_that_the_generator_is_not_said_to_have_seen_are_noted(
    table: Path, real: DataSet, tmp_path: Path
) -> None:
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    rows["from"] = ["r2", "r3.png", *[""] * (len(rows) - 2)]  # of the validation part
    rows.to_csv(table.with_name("held_out.csv"), index=False)
    choices: dict[str, Any] = {**COLUMNS, "synthetic": True, "jobs": 1}
    notes = ds.import_csv(table.with_name("held_out.csv"), out=tmp_path / "a", trained_on=real, **choices).notes
    words = "2 of 12 images are made from real ones that the generator is not said to have been trained on (first: images/r2.png)"
    assert any(words in note for note in notes)
    notes = ds.import_csv(table, out=tmp_path / "b", trained_on=real, **choices).notes
    assert not any("not said to have been trained" in note for note in notes)
    notes = ds.import_csv(table, out=tmp_path / "c", **choices).notes
    assert any("`source_column` names are not looked for" in note for note in notes)


def test_a_list_without_a_header_loses_no_image(table: Path, real: DataSet, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("r0.png\nr4.png\n")
    with pytest.raises(UserError, match=r"list.csv: no column file_name or image or .* in its first line \(r0.png\)"):
        bring(table, tmp_path / "set", trained_on=real, trained_on_files=tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (
            {"trained_on_split": "fold1"},
            "`trained_on_split` 'fold1': no such split in .*; there are: all, test, train, val",
        ),
        ({"trained_on_files": ["r0", "r999"]}, "`trained_on_files` 'r999': no image of"),
        ({"trained_on_files": "nowhere.txt"}, "`trained_on_files` nowhere.txt: cannot be read"),
        ({"trained_on": None, "trained_on_files": ["r0"]}, "`trained_on_files`: goes with `trained_on`"),
        ({"trained_on": "nowhere"}, "`trained_on` nowhere: no such folder"),
        ({"shares": "0.5/0.2/0.3", "seed": 1}, "`shares`, `seed`: of no use with `synthetic`"),
        ({"marked": "leave-out"}, "`marked`: of no use with `synthetic`"),
        ({"split_column": "words"}, "`split_column`: of no use with `synthetic`"),
        ({"synthetic": False}, "`prompt_column`: goes with `synthetic`"),
        ({"synthetic": False, "prompt_column": "", "source_column": ""}, "`trained_on`: goes with `synthetic`"),
    ],
)
def test_claims_that_cannot_be_are_refused(
    choices: dict[str, Any], words: str, table: Path, real: DataSet, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        bring(table, tmp_path / "set", **{"trained_on": real, **choices})


def test_the_set_trained_on_is_of_photographs_and_as_it_was_written(table: Path, tmp_path: Path) -> None:
    made = bring(table, tmp_path / "set")
    with pytest.raises(UserError, match=r"`trained_on` .*set: a synthetic set; name the photographs"):
        bring(table, tmp_path / "other", trained_on=made)
    real = write_real(tmp_path / "real", 8)
    Image.fromarray(photograph(77)).save(real.paths[0])
    with pytest.raises(UserError, match="files are not as they were when the set was written: 1 changed"):
        bring(table, tmp_path / "other", trained_on=real)


def test_a_row_that_is_left_out_loses_no_other(table: Path, tmp_path: Path) -> None:
    (table.parent / "broken.jpg").write_bytes(b"no image")
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    pd.concat([rows, rows.iloc[:1].assign(file="broken.jpg")]).to_csv(table.with_name("more.csv"), index=False)
    made = bring(table.with_name("more.csv"), tmp_path / "set")
    (table.parent / "broken.jpg").unlink()
    assert len(made) == 12
    assert json.loads((made.folder / "dataset.json").read_text())["history"][0]["left_out"] == 1
