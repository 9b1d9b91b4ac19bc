"""What the verbs of synthetic sets take and say: quotas, renamed flags, commands that can be pasted."""

import shlex
import unicodedata
from pathlib import Path

import pytest

from dermsynth.api.generators import parse_quotas
from dermsynth.api.training import ImageChoices, configure
from dermsynth.cli.flags import FORMER, with_present_names
from dermsynth.cli.training import next_command
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.training.config import RunConfig, validate
from tests.cli.verbs import verbs
from tests.conftest import tiny_config

CLASSES = ["a=b", "nevus", unicodedata.normalize("NFC", "Nävus"), "test"]


def test_quotas_name_classes_in_any_normal_form() -> None:
    decomposed = unicodedata.normalize("NFD", "Nävus")
    assert parse_quotas(["a=b=3", f"{decomposed}=2k"], CLASSES) == {"a=b": 3, CLASSES[2]: 2000}
    assert parse_quotas(["7"], CLASSES) == dict.fromkeys(CLASSES, 7)
    assert parse_quotas(["7"], []) == {"": 7}
    assert parse_quotas(["wart=1"], CLASSES) == {
        "wart": 1
    }  # refused where the images are made, with the names there are


@pytest.mark.parametrize("items", [["nevus=3", "nevus=5"], ["7", "nevus=5"]])
def test_a_class_with_two_quotas_is_refused(items: list[str]) -> None:
    with pytest.raises(UserError, match="the number of nevus is given twice"):
        parse_quotas(items, CLASSES)


def test_the_former_names_of_flags_work_and_say_the_new_ones() -> None:
    words, notes = with_present_names(["train", "dcgan", "--balance", "0.5", "--images=1k"])
    assert words == ["train", "dcgan", "--imbalance", "0.5", "--images=1k"]
    assert notes == ["--balance is called --imbalance now"]
    assert with_present_names(["import", "isic", "a.csv", "--images=b"])[0][-1] == "--image-folder=b"


@pytest.mark.parametrize("verb", FORMER)
def test_no_verb_has_a_flag_of_a_former_name(verb: tuple[str, ...]) -> None:
    assert not set(FORMER[verb]) & flags_of_verbs(verb)


def flags_of_verbs(verb: tuple[str, ...]) -> set[str]:
    """Every flag of the verbs that begin with these words."""
    return {flag for words, flags in verbs().items() if words[: len(verb)] == verb for flag in flags}


def test_an_imbalance_out_of_range_is_one_line() -> None:
    with pytest.raises(UserError, match=r"`imbalance` 1.5: must lie between 0 \(classes equally often\) and 1"):
        configure("dcgan", None, "1k", resolution=16, selection=ImageChoices(imbalance=1.5))


def test_imbalance_is_kept_as_before_in_the_runs_configuration(phantom: DataSet) -> None:
    config, _ = configure("dcgan", phantom, "1k", resolution=16, selection=ImageChoices(imbalance=0.25))
    assert config.data.temperature == 0.25
    assert validate(RunConfig, config.model_dump(mode="json"), "config.json") == config


@pytest.mark.parametrize("recipe", ["stylegan2-ada", "pix2pixhd", "cyclegan"])
def test_the_next_command_can_be_pasted(phantom: DataSet, recipe: str) -> None:
    config = tiny_config(phantom)[0].model_copy(update={"family": recipe})
    run = Path("Daten Größe (é) #1/läuf 1")
    words = shlex.split(next_command(config, run))
    assert words[0] == "dermsynth"
    assert words[2] == str(run)
    assert words[-1] == f"{run}-synthetic"
    assert ("translate" in words) == (recipe == "cyclegan")
    assert ("--maps" in words) == (recipe == "pix2pixhd")
