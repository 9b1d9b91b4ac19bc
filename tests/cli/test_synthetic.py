"""What the verbs of synthetic sets take and say: quotas, renamed flags, commands that can be pasted."""

import shlex
import unicodedata
from pathlib import Path

import pytest

from dermsynth.cli.synthetic import _counts
from dermsynth.cli.training import Images, Loop, Model, _following, configure
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.training.config import RunConfig, validated
from tests.conftest import tiny_config

CLASSES = ["a=b", "nevus", unicodedata.normalize("NFC", "Nävus"), "test"]


def test_quotas_name_classes_in_any_normal_form() -> None:
    decomposed = unicodedata.normalize("NFD", "Nävus")
    assert _counts(["a=b=3", f"{decomposed}=2k"], CLASSES) == {"a=b": 3, CLASSES[2]: 2000}
    assert _counts(["7"], CLASSES) == dict.fromkeys(CLASSES, 7)
    assert _counts(["7"], []) == {"": 7}
    assert _counts(["wart=1"], CLASSES) == {"wart": 1}  # refused where the images are made, with the names there are


@pytest.mark.parametrize("items", [["nevus=3", "nevus=5"], ["7", "nevus=5"]])
def test_a_class_with_two_quotas_is_refused(items: list[str]) -> None:
    with pytest.raises(UserError, match="the number of nevus is given twice"):
        _counts(items, CLASSES)


def test_the_former_name_of_imbalance_works_and_says_the_new_one(
    phantom: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    config, _ = configure("dcgan", "1k", Images(data=phantom.folder, resolution="16", balance=0.5), Model(), Loop())
    assert "--balance 0.5 is called --imbalance 0.5 now" in capsys.readouterr().err
    assert config.data.temperature == 0.5


def test_an_imbalance_out_of_range_is_one_line() -> None:
    with pytest.raises(UserError, match=r"--imbalance 1.5: must lie between 0 \(classes equally often\) and 1"):
        configure("dcgan", "1k", Images(resolution="16", imbalance=1.5), Model(), Loop())


def test_imbalance_is_kept_as_before_in_the_runs_configuration(phantom: DataSet) -> None:
    config, _ = configure("dcgan", "1k", Images(data=phantom.folder, resolution="16", imbalance=0.25), Model(), Loop())
    assert config.data.temperature == 0.25
    assert validated(RunConfig, config.model_dump(mode="json"), "config.json") == config


@pytest.mark.parametrize("recipe", ["stylegan2-ada", "pix2pixhd", "cyclegan"])
def test_the_next_command_can_be_pasted(phantom: DataSet, recipe: str) -> None:
    config = tiny_config(phantom)[0].model_copy(update={"family": recipe})
    run = Path("Daten Größe (é) #1/läuf 1")
    words = shlex.split(_following(config, run))
    assert words[0] == "dermsynth"
    assert words[2] == str(run)
    assert words[-1] == f"{run}-synthetic"
    assert ("translate" in words) == (recipe == "cyclegan")
    assert ("--maps" in words) == (recipe == "pix2pixhd")
