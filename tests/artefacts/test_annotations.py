"""What is found of artefacts can lie apart from a data set that stays as it is."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dermsynth.artefacts import annotations
from dermsynth.artefacts.annotate import annotate_artefacts, masks_of
from dermsynth.artefacts.annotations import with_annotations
from dermsynth.artefacts.confirmation import answers_file, detector_trust, draw_confirmation, write_answers
from dermsynth.artefacts.datasets import insert_all, remove_all
from dermsynth.artefacts.removal import Removal
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.errors import UserError
from dermsynth.report.artefact_report import write_confirmation

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def framed(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    folder = tmp_path_factory.mktemp("annotations")
    drawn = write_phantom(folder / "drawn", 6, PhantomSettings(64, 64), jobs=1)
    return insert_all(drawn, folder / "framed", ["frame"], 0, jobs=1)


def _state(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_annotations_apart_say_what_those_in_the_table_say(framed: DataSet, tmp_path: Path) -> None:
    before = _state(framed.folder)
    apart = annotate_artefacts(framed, out=tmp_path / "apart", jobs=1)
    assert _state(framed.folder) == before
    shutil.copytree(framed.folder, tmp_path / "copy")
    inside = annotate_artefacts(open_data_set(tmp_path / "copy"), jobs=1)
    columns = [name for name in inside.table if name not in framed.table]
    assert "found_frame" in columns
    assert apart.table[columns].equals(inside.table[columns])
    again = with_annotations(open_data_set(framed.folder), tmp_path / "apart")
    assert again.table.equals(apart.table)
    rows = [{str(k): str(v) for k, v in side.table.iloc[0].items()} for side in (again, inside)]
    ours, theirs = (masks_of(side, row) for side, row in zip((again, inside), rows, strict=True))
    assert ours is not None
    assert theirs is not None
    assert all(np.array_equal(ours[name].mask, theirs[name].mask) for name in theirs)


def test_the_chain_of_artefacts_leaves_its_input_alone(framed: DataSet, tmp_path: Path) -> None:
    before = _state(framed.folder)
    unlabelled = replace(framed, table=framed.table.drop(columns="frame"))
    marked = annotate_artefacts(unlabelled, out=tmp_path / "apart", jobs=1)
    write_answers(answers_file(marked), draw_confirmation(marked, 2, 0).assign(confirmed=True))
    assert next(trust for trust in detector_trust(marked) if trust.artefact == "frame").judged == 2
    page = write_confirmation(marked, draw_confirmation(marked, 2, 0), detector_trust(marked))
    assert page.parent == answers_file(marked).parent == tmp_path / "apart"
    clean, problems = remove_all(marked, tmp_path / "clean", Removal({"frame": "nearest"}), jobs=1)
    assert problems == []
    assert (clean.table["filled_share"].astype(float) > 0).all()
    assert _state(framed.folder) == before


def test_annotations_of_other_images_are_refused(framed: DataSet, tmp_path: Path) -> None:
    annotate_artefacts(framed, out=tmp_path / "apart", masks=False, jobs=1)
    other = write_phantom(tmp_path / "other", 6, PhantomSettings(64, 64), seed=9, jobs=1)
    with pytest.raises(UserError, match="annotations of another data set than"):
        with_annotations(other, tmp_path / "apart")
    with pytest.raises(UserError, match="holds the annotations of another data set; choose another `out`"):
        annotate_artefacts(other, out=tmp_path / "apart", jobs=1)
    with pytest.raises(UserError, match="not empty and not a folder of annotations"):
        annotate_artefacts(framed, out=other.folder, jobs=1)
    with pytest.raises(UserError, match="no annotations; make them with"):
        with_annotations(framed, tmp_path)


def test_a_set_that_cannot_be_written_says_so(framed: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "writable", lambda folder: False)
    with pytest.raises(UserError, match="cannot be written; name a folder for the annotations with `out` DIR"):
        annotate_artefacts(framed, jobs=1)


def test_every_verb_of_artefacts_leaves_a_set_alone(framed: DataSet, tmp_path: Path, shell: Shell) -> None:
    before, apart = _state(framed.folder), tmp_path / "apart"
    detected = shell("artefacts", "detect", framed.folder, "--out", apart, "--jobs", 1).stdout
    assert f"--annotations {apart}" in detected
    found = ("--annotations", apart)
    shell("artefacts", "confirm", framed.folder, *found, "--count", 1, "--no-photographs")
    assert (apart / "artefacts_confirmed.csv").is_file()
    words = ("--page", tmp_path / "audit.html", "--no-photographs", "--jobs", 1)
    assert (
        "classes of at least 20 images" in shell("audit", framed.folder, *found, *words).stdout
    )  # the columns are seen
    words = ("--out", tmp_path / "clean", "--frames", "nearest", "--no-photographs", "--jobs", 1)
    shell("artefacts", "remove", framed.folder, *found, *words)
    said = shell(
        "artefacts", "compare", framed.folder, *found, "--out", tmp_path / "ways", "--jobs", 1, status=1
    ).stderr
    assert "0 images without artefacts" in said
    assert _state(framed.folder) == before
