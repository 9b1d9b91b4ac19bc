"""What a set's generator can tell after folders were moved, and why nothing can be said where it cannot."""

import shutil
from pathlib import Path

import pytest
import torch

from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.duplicates import fingerprints, twins_between
from dermsynth.data.manifest import update_record
from dermsynth.errors import UserError
from dermsynth.evaluation.copies import copies_of
from dermsynth.evaluation.generator_metrics import (
    discriminator_of,
    generator_of,
    path_lengths,
    run_problem,
    set_with_run,
    training_folder,
)
from dermsynth.evaluation.memorisation import Sources, check_copies, sources, unrelated_images
from dermsynth.io import read_json, write_json
from dermsynth.latents.datasets import latent_space_of
from dermsynth.models.base import Condition
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
        ({}, "dataset.json names no generator"),
        ({"run": str(tmp_path / "nowhere")}, "the run that made it was not found"),
        ({"run": str(moved_run)}, r"the set it was trained on was not found \(.*gone\)"),
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


def test_patients_are_one_in_any_spelling_and_unknown_is_nobody(phantom: DataSet) -> None:
    plain = DataSet(phantom.folder, phantom.table.assign(group=""), phantom.description)
    split = (plain.table["split"] == "train").to_numpy()
    training, held_out = plain.select(split), plain.select(~split)
    count = len(unrelated_images(Sources(training, held_out)).table)

    def related(ours: str, theirs: str) -> int:
        groups = [theirs, *[""] * (len(held_out.table) - 1)]
        known = (
            DataSet(rows.folder, rows.table.assign(group=column), rows.description)
            for rows, column in ((training, ours), (held_out, groups))
        )
        return count - len(unrelated_images(Sources(*known)).table)

    assert related("P001", "P002") == related("unknown", "unknown") == related("", "") == 0
    assert related("P001", "P001") == related("P001", "p001") == related("12", "12.0") == 1


def test_path_lengths_are_computed_where_the_generator_is(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = load_generator(run, device="cpu")
    model, meta = generator.model.to("meta"), torch.device("meta")
    devices: list[torch.device] = []

    def synthesise(w: torch.Tensor, noise: list[torch.Tensor]) -> torch.Tensor:
        devices.extend(array.device for array in (w, *noise))
        return torch.zeros(len(w), 3, 8, 8)

    def sample(noise: list[torch.Tensor], condition: Condition, truncation: None) -> torch.Tensor:
        devices.extend(array.device for array in (*noise, condition.label))
        return torch.zeros(len(noise[0]), 3, 8, 8)

    monkeypatch.setattr(model, "synthesise", synthesise)
    monkeypatch.setattr(model, "sample", sample)
    space = PerceptualSpace("mean colours", "", lambda images: iter([images]))
    assert len(path_lengths(generator, space, 8, 0, resamples=5)) == 4
    assert {*devices} == {meta}
