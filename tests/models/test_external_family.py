"""A family of another package is found by its entry point, and does all that a family of this one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dermsynth.backbones.extractors import load_extractor
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.evaluate import evaluate
from dermsynth.metrics.estimate import Effort
from dermsynth.models.registry import FAMILIES, families, family
from dermsynth.report.gallery import write_gallery
from dermsynth.report.run_report import write_run_report
from dermsynth.sampling.contact_sheets import contact_sheets, run_images
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import load_generator
from dermsynth.training import checkpoints
from dermsynth.training.loop import train
from tests.conftest import tiny_config
from tests.models.external_family import DenseGAN
from tests.warm import SOURCES

NAME = "dense-gan"


def write_distribution(folder: Path, points: dict[str, str]) -> None:
    """What an installed package looks like to `importlib.metadata`."""
    info = folder / "dense_gan-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dense-gan\nVersion: 1.0\n")
    lines = [f"{name} = {place}" for name, place in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[dermsynth.models]", *lines, ""]))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with the entry point."""
    write_distribution(tmp_path / "site", {NAME: "tests.models.external_family:DenseGAN"})
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


def test_it_is_listed_beside_the_others(installed: Path) -> None:
    assert list(families()) == [*FAMILIES, NAME]
    assert family(NAME) is DenseGAN


def test_it_trains_resumes_samples_and_is_evaluated(installed: Path, phantom: DataSet, tmp_path: Path) -> None:
    for folder, lengths in (("calm", (96,)), ("stopped", (40, 96))):
        for images in lengths:
            config, chosen = tiny_config(phantom, images=images, recipe=NAME, keep=9)
            train(tmp_path / folder, config, chosen, device="cpu")
    calm, stopped = (checkpoints.find(tmp_path / folder) for folder in ("calm", "stopped"))
    for mine, theirs in ((calm.network(), stopped.network()), (calm.optimiser(), stopped.optimiser())):
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    generator = load_generator(tmp_path / "calm", device="cpu")
    labels = generator.config.data.classes
    made = generate(generator, dict.fromkeys(labels, 60), tmp_path / "set", truncation=0.8)
    assert made.description["generator"]["recipe"] == NAME
    result = evaluate(made, phantom, load_extractor("embedded"), split="train", effort=Effort(5, 5, 5, 5, 5))
    assert "all classes" in result.groups
    write_run_report(generator, run_images(generator), tmp_path / "run.html")
    assert NAME in (tmp_path / "run.html").read_text()
    write_gallery(contact_sheets([tmp_path / "calm"]), tmp_path / "gallery")
    assert "Nobody 2026" in (tmp_path / "gallery" / "README.md").read_text()


def test_the_shell_trains_it(installed: Path, phantom: DataSet, tmp_path: Path) -> None:
    """In a real process, which finds the entry point by itself."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(installed), SOURCES])}
    words = ["train", NAME, "--data", phantom.folder, "--out", tmp_path / "run", "--resolution", 16, "--images", 16]
    command = [sys.executable, "-m", "dermsynth.cli.app", *map(str, words), "--device", "cpu"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    assert f"{NAME} (laptop), 16 x 16 pixels" in result.stderr
    assert checkpoints.find(tmp_path / "run").state.family == NAME


def test_a_broken_entry_point_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"gone": "no_such_package:GAN", "bare": "pathlib:Path", "dcgan": "pathlib:Path"}
    write_distribution(tmp_path / "site", places)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(UserError, match=r"family 'gone': no_such_package:GAN cannot be imported"):
        family("gone")
    with pytest.raises(UserError, match=r"family 'bare': pathlib:Path does not declare publication"):
        family("bare")
    with pytest.raises(UserError, match=r"family 'stylegan3': unknown; there are: dcgan, .*bare, gone"):
        family("stylegan3")
    assert family("dcgan").__module__ == "dermsynth.models.dcgan"
