"""What a set's generator can tell after folders were moved, and why nothing can be said where it cannot."""

import shutil
from pathlib import Path

import pytest

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.duplicates import fingerprints, twins_between
from dermsynth.data.manifest import update_record
from dermsynth.errors import UserError
from dermsynth.evaluation.copies import copies_of
from dermsynth.evaluation.generator_metrics import (
    discriminator_of,
    generator_of,
    run_problem,
    set_with_run,
    training_folder,
)
from dermsynth.evaluation.memorisation import check_copies, sources
from dermsynth.io import read_json, write_json
from dermsynth.latents.datasets import latent_space_of
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import load_generator
from dermsynth.training.config import read_config
from dermsynth.training.data import data_trained_on


@pytest.fixture
def moved_run(run: Path, tmp_path: Path) -> Path:
    """A run whose data set is no longer where it was."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", {**config, "data": {**config["data"], "folder": str(tmp_path / "gone")}})
    return folder


def test_generate_finds_moved_data_where_it_is_told(moved_run: Path, phantom: DataSet, tmp_path: Path) -> None:
    made = generate(load_generator(moved_run, device="cpu"), {"nevus": 3}, tmp_path / "made")
    assert "gone: no such folder; if the data set was moved, name it with `data` DIR" in str(check_copies(made))
    assert copies_of(open_data_set(made.folder)) is None
    assert "of 3 images flagged" in str(check_copies(made, phantom.folder, fewest=20))
    copies = copies_of(open_data_set(made.folder))
    assert copies is not None
    assert len(copies.flagged) == 3


def test_moved_data_must_be_the_same_set(moved_run: Path, phantom: DataSet, tmp_path: Path) -> None:
    data = read_config(moved_run).data
    assert data_trained_on(data, phantom.folder).content_hash == data.content_hash
    other = tmp_path / "other"
    shutil.copytree(phantom.folder, other)
    table = open_data_set(other).table
    (other / table["file_name"][0]).write_bytes((other / table["file_name"][1]).read_bytes())
    update_record(other, table["file_name"])
    with pytest.raises(UserError, match=r"or is another set .content hash [0-9a-f]{16}, that of the run's set is"):
        data_trained_on(data, other)
    with pytest.raises(UserError, match="nothing: no such folder"):
        data_trained_on(data, tmp_path / "nothing")


def test_a_moved_run_is_found_where_it_is_told(run: Path, tmp_path: Path) -> None:
    made = generate(load_generator(run, device="cpu"), {"nevus": 2}, tmp_path / "made")
    assert run_problem(made) == ""
    lost = {**made.description, "generator": {**made.description["generator"], "run": str(tmp_path / "gone")}}
    write_json(made.folder / "dataset.json", lost)
    moved = open_data_set(made.folder)
    assert generator_of(moved) is None
    assert "gone); if it was moved, name it with `run` DIR" in run_problem(moved)
    with pytest.raises(UserError, match="name it with `run` DIR"):
        latent_space_of(moved)
    found = set_with_run(moved, run)
    assert discriminator_of(found) is not None
    assert latent_space_of(found).generator.checkpoint.hash == made.description["generator"]["checkpoint"]
    assert set_with_run(moved, None) is moved


def test_a_run_that_made_something_else_is_refused(run: Path, phantom: DataSet, tmp_path: Path) -> None:
    origin = {"run": "x", "checkpoint": "0" * 64, "images_shown": 7}
    stranger = DataSet(tmp_path, phantom.table, {"synthetic": True, "generator": origin})
    with pytest.raises(UserError, match=r"holds no checkpoint that made .* \(0{16} after 7 images\)"):
        set_with_run(stranger, run)
    with pytest.raises(UserError, match="not a run folder"):
        set_with_run(stranger, tmp_path)
    with pytest.raises(UserError, match="does not say which checkpoint made it"):
        set_with_run(DataSet(tmp_path, phantom.table, {"synthetic": True}), run)


def test_the_real_set_is_asked_for_where_it_cannot_be_found(moved_run: Path, phantom: DataSet, tmp_path: Path) -> None:
    def made_by(generator: dict[str, object]) -> DataSet:
        return DataSet(tmp_path, phantom.table, {"synthetic": True, "generator": generator})

    for generator, reason in (
        ({}, "says nothing of its generator"),
        ({"run": str(tmp_path / "nowhere")}, "the run that made it is not at hand"),
        ({"run": str(moved_run)}, r"the set it was trained on is not at hand \(.*gone\)"),
    ):
        with pytest.raises(UserError, match=f"{reason}; name the real set with `against` DIR"):
            training_folder(made_by(generator))


def test_without_held_out_images_there_is_no_gate_and_no_traceback(phantom: DataSet, tmp_path: Path) -> None:
    real = DataSet(phantom.folder, phantom.table.assign(split="train"), phantom.description)
    made = DataSet(tmp_path, phantom.table, {"generator": {"data_hash": real.content_hash, "classes": real.classes}})
    with pytest.raises(UserError, match=r"^no held-out images; copies cannot be looked for$"):
        sources(made, real)
    hashes, thumbnails = fingerprints([], jobs=1)
    assert hashes.shape == (0,)
    assert thumbnails.shape == (0, fingerprints(phantom.paths[:1], jobs=1)[1].shape[1])
    assert len(twins_between([], phantom.paths[:3])) == len(twins_between(phantom.paths[:3], [])) == 0
