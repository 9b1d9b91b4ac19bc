"""Runs and data sets of mode 555: images are made from them by a process without root's rights, and nothing in them changes."""

from pathlib import Path

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import load_generator
from dermsynth.sampling.translate import translate
from dermsynth.training.loop import train
from tests.conftest import tiny_config
from tests.read_only import dermsynth, read_only


def test_a_run_that_cannot_be_written_is_sampled(run: Path, tmp_path: Path) -> None:
    expected = generate(load_generator(run, device="cpu"), {"nevus": 3}, tmp_path / "expected")
    words = ["--out", tmp_path / "set", "--count", "nevus=3", "--checkpoint", "best", "--device", "cpu"]
    with read_only([run]):
        dermsynth("generate", run, *words, cache=tmp_path / "cache")
    assert open_data_set(tmp_path / "set").content_hash == expected.content_hash


def test_a_data_set_that_cannot_be_written_is_translated(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, recipe="cyclegan", images=8)
    train(tmp_path / "run", config, chosen, device="cpu")
    expected = translate(load_generator(tmp_path / "run", device="cpu"), phantom, tmp_path / "expected", to="nevus")
    words = ["--input", phantom.folder, "--out", tmp_path / "set", "--to", "nevus", "--device", "cpu"]
    with read_only([tmp_path / "run", phantom.folder]):
        dermsynth("translate", tmp_path / "run", *words, cache=tmp_path / "cache")
    assert open_data_set(tmp_path / "set").content_hash == expected.content_hash
