"""The verbs through a real process: detect, remove, insert, compare."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermsynth.artefacts.annotate import masks_of
from dermsynth.data.dataset import open_data_set
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.images import encode_png, read_image
from dermsynth.io import read_json

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A marked phantom set."""
    out = tmp_path_factory.mktemp("artefacts") / "phantom"
    write_phantom(out, 24, PhantomSettings(96, 128), seed=0, jobs=1)
    return out


def test_detection_becomes_columns_and_masks(folder: Path, shell: Shell) -> None:
    said = shell("artefacts", "detect", folder).stdout
    assert "24 images marked" in said
    marked = open_data_set(folder)
    for name in ("frame", "hair", "ruler", "ink", "sticker", "bubble"):
        assert set(marked.table[f"found_{name}"]) <= {"0", "1"}
        assert marked.table[f"score_{name}"].astype(float).notna().all()
    row = marked.table.iloc[0].to_dict()
    found = masks_of(marked, row)
    assert found is not None
    assert found["frame"].mask.shape == (96, 128)
    hash_before = marked.content_hash
    shell("artefacts", "detect", folder)
    assert open_data_set(folder).content_hash == hash_before
    assert open_data_set(folder).table.columns.tolist() == marked.table.columns.tolist()


def test_a_set_without_artefacts(folder: Path, shell: Shell, tmp_path: Path) -> None:
    shell("artefacts", "detect", folder)
    out = tmp_path / "clean"
    said = shell("artefacts", "remove", folder, "--frames", "nearest", "--hair", "telea", "--out", out).stdout
    made = open_data_set(out)
    assert f"{len(made.table)} images" in said
    assert len(made.table) == 24
    page = (out / "removal.html").read_text()
    assert "This page contains photographs from the data set" in page
    assert "This page contains photographs from the data set" in said
    assert "are found again outside the lesion" in said
    assert "what is left" in page
    assert "<img " in page
    assert made.table["left_hair"].str.fullmatch(r"(\d+ \d+ \d+)?").all()
    first = made.table.iloc[0]
    before, after = (read_image(p) for p in (folder / first["edited_from"], out / first["file_name"]))
    lesion = read_image(out / first["mask_file_name"]).max(axis=2) > 127
    assert (before[lesion] == after[lesion]).all()
    assert "structures" not in made.table
    assert made.description["history"][-1]["methods"] == {"frame": "nearest", "hair": "telea"}
    again = shell("artefacts", "remove", folder, "--hair", "telea", "--out", out, status=None)
    assert again.returncode != 0
    assert "not empty" in again.stderr


def test_answers_from_the_page_are_read_back(folder: Path, shell: Shell, tmp_path: Path) -> None:
    marked = tmp_path / "marked"
    shutil.copytree(folder, marked)
    refused = shell("artefacts", "confirm", marked, status=None)
    if "found_frame" not in open_data_set(marked).table:
        assert "first: dermsynth artefacts detect" in refused.stderr
    shell("artefacts", "detect", marked)
    table = open_data_set(marked).table.drop(columns=["frame", "hair", "ruler", "ink", "sticker"], errors="ignore")
    table.to_csv(marked / "metadata.csv", index=False)
    said = shell("artefacts", "confirm", marked, "--count", "5", "--no-photographs").stdout
    assert "to be answered" in said
    assert "This page embeds" not in said
    answers = pd.read_csv(marked / "artefacts_confirmed.csv", dtype=str, keep_default_na=False)
    answers.assign(confirmed="Ja").to_csv(tmp_path / "answers.csv", index=False)
    said = shell("artefacts", "confirm", marked, "--count", "5", "--answers", tmp_path / "answers.csv").stdout
    assert "by eye" in said
    assert "right (100%" in said
    assert "to be answered" not in said


def test_pairs_with_an_artefact(folder: Path, shell: Shell, tmp_path: Path) -> None:
    shell("artefacts", "insert", folder, "--artefact", "frame", "--out", tmp_path / "framed")
    made = open_data_set(tmp_path / "framed")
    row = made.table.iloc[3]
    before, after = read_image(folder / row["edited_from"]), read_image(tmp_path / "framed" / row["file_name"])
    assert before[48, 64].mean() == pytest.approx(after[48, 64].mean(), abs=3)
    assert after[:3, :3].mean() < 40
    assert set(made.table["inserted"]) == {"frame"}


def test_all_methods_side_by_side(folder: Path, shell: Shell, tmp_path: Path) -> None:
    said = shell("artefacts", "compare", folder, "--count", "3", "--out", tmp_path / "compared").stdout
    assert "This page contains photographs from the data set" in said
    assert "navier-stokes" in said
    result = read_json(tmp_path / "compared" / "comparison.json")
    assert all(row["outside"] == 0 for row in result["repairs"])
    assert {row["method"] for row in result["repairs"]} == {"skin", "fsr", "nearest", "telea", "navier-stokes"}
    page = (tmp_path / "compared" / "comparison.html").read_text()
    assert page.count("<figure>") == 5


def test_an_image_that_is_all_frame_is_left_out_and_named(tmp_path: Path, shell: Shell) -> None:
    write_phantom(tmp_path / "set", 3, PhantomSettings(64, 64), seed=0, jobs=1)
    (tmp_path / "set" / "images" / "phantom_000001.png").write_bytes(encode_png(np.zeros((64, 64, 3), np.uint8)))
    said = shell("artefacts", "remove", tmp_path / "set", "--frames", "crop", "--out", tmp_path / "out").stderr
    assert "left out: images/phantom_000001.png: the frame leaves no rectangle" in said
    assert len(open_data_set(tmp_path / "out").table) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("remove", "set", "--out", "new"), "nothing to remove: say how, for example --frames crop --hair telea"),
        (("remove", "nowhere", "--hair", "telea", "--out", "new"), "nowhere: no such folder"),
        (("remove", "set", "--hair", "magic", "--out", "new"), "magic"),
        (("compare", "dirty", "--out", "new"), "0 images without artefacts; at least 2 are needed"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], said: str, tmp_path: Path, shell: Shell) -> None:
    for name in ("set", "dirty"):
        write_phantom(tmp_path / name, 2, PhantomSettings(32, 32), seed=0, jobs=1)
    table = pd.read_csv(tmp_path / "dirty" / "metadata.csv", dtype=str).assign(found_frame="1")
    for name in ("hair", "ruler", "ink", "sticker"):
        table[f"found_{name}"] = "0"
    table.to_csv(tmp_path / "dirty" / "metadata.csv", index=False)
    words = [str(tmp_path / word) if word in ("set", "dirty", "nowhere", "new") else word for word in arguments]
    done = shell("artefacts", *words, status=None)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_masks_that_protect_everything_are_named(folder: Path, shell: Shell, tmp_path: Path) -> None:
    """One image: it is left out; all of them: nothing is written."""
    covered = tmp_path / "covered"
    shutil.copytree(folder, covered)
    names = open_data_set(covered).table["mask_file_name"].tolist()
    white = encode_png(np.full((96, 128), 255, np.uint8))
    (covered / names[0]).write_bytes(white)
    remove = ["artefacts", "remove", covered, "--hair", "telea", "--out"]
    said = shell(*remove, tmp_path / "most").stderr
    assert (
        "left out: images/phantom_000000.png: the lesion mask covers the whole image: everything is protected" in said
    )
    assert len(open_data_set(tmp_path / "most").table) == 23
    for name in names:
        (covered / name).write_bytes(white)
    refused = shell(*remove, tmp_path / "none", status=1).stderr
    assert "no image could be edited; first: images/phantom_000000.png: the lesion mask covers" in refused
    assert not (tmp_path / "none").exists()
