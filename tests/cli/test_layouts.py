"""Layouts at the command line: the list, a published one, one of one's own, and what is wrong in one line."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from dermsynth.data.dataset import open_data_set
from tests.data.importers.dicom_files import PATIENT, dicom, photograph, save
from tests.data.importers.layout_files import DRAWN

Shell = Callable[..., CompletedProcess[str]]
OWN = """
what = "Ours."
name = "Ours"
group = "lesion_id"
tables = [{ files = "HAM10000_metadata" }]
images = { id = "image_id" }
label = { columns = "dx" }
"""


@pytest.fixture
def ham(tmp_path: Path) -> Path:
    DRAWN["ham10000"].draw(tmp_path / "ham")
    return tmp_path / "ham"


def test_the_list_names_every_set(shell: Shell) -> None:
    listed = shell("import", "list").stdout
    assert shell("import", "--list").stdout == listed
    assert "milk10k          10,480  MILK10k: lesions with" in listed


def test_a_published_set_is_imported_by_name(shell: Shell, ham: Path, tmp_path: Path) -> None:
    result = shell("import", "ham10000", ham, "--level", 1, "--image-type", "dermoscopic", "--out", tmp_path / "set")
    assert "8 images (benign 6, malignant 2)" in result.stdout
    assert "HAM10000: 8 images; the whole set has 10,015" in result.stderr
    command = open_data_set(tmp_path / "set").provenance.history[0].command
    assert command == "dermsynth import ham10000 ham --level 1 --image-type dermoscopic"


def test_a_set_is_imported_by_a_file(shell: Shell, ham: Path, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN)
    result = shell("import", ham, "--layout", tmp_path / "own.toml", "--out", tmp_path / "set")
    assert "8 images (bkl 2, mel 2, nv 4)" in result.stdout


def test_a_hospitals_dicom_files_are_imported_by_a_file_with_a_salt(shell: Shell, tmp_path: Path) -> None:
    for number in range(4):
        save(dicom(photograph(number), **PATIENT), tmp_path / "in" / f"{number}.dcm")
    (tmp_path / "in" / "list.csv").write_text("file,dx\n" + "".join(f"{number}.dcm,nevus\n" for number in range(4)))
    (tmp_path / "own.toml").write_text(
        'what = "Ours."\nname = "Ours"\ntables = [{ files = "list.csv" }]\nimages = { id = "file" }\nlabel = { columns = "dx" }\n'
    )
    words = ("import", tmp_path / "in", "--layout", tmp_path / "own.toml", "--salt-file", tmp_path / "salt")
    groups = []
    for out in (tmp_path / "a", tmp_path / "b"):
        shell(*words, "--out", out)
        groups.append(set(open_data_set(out).groups))
    assert groups[0] == groups[1]
    assert len(groups[0]) == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("import", "ham", "x", "--out", "y"), "layout 'ham': unknown; there are: folder, csv, bcn20000"),
        (("import",), "name a layout and a folder; there are: folder, csv, bcn20000"),
        (("import", "x", "--layout", "own.toml"), "dermsynth import FOLDER --layout FILE --out OUT"),
        (("import", "x", "--layout", "own.toml", "--out", "y"), "own.toml: no such file"),
        (("import", "ham10000", "nowhere", "--out", "y"), "nowhere: no such file or folder"),
        (("import", "ph2", ".", "--level", "2", "--out", "y"), "--level 2: the layout ph2 has no such choice"),
    ],
)
def test_what_is_wrong_is_one_line(words: tuple[str, ...], line: str, shell: Shell) -> None:
    result = shell(*words, status=1)
    assert line in result.stderr
    assert result.stderr.strip().count("\n") == 0


def test_half_a_set_is_refused_and_nothing_is_written(shell: Shell, ham: Path, tmp_path: Path) -> None:
    for image in (ham / "HAM10000_images_part_2").iterdir():
        image.unlink()
    result = shell("import", "ham10000", ham, "--out", tmp_path / "set", status=1)
    assert "HAM10000_images_part_*/*.jpg: 4 of 8 images are missing" in result.stderr
    assert "import what is there with --partial" in result.stderr
    assert not (tmp_path / "set").exists()
    shell("import", "ham10000", ham, "--out", tmp_path / "set", "--partial")
    assert len(open_data_set(tmp_path / "set")) == 4
