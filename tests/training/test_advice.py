"""Advice: what fits the data, the time and the machine, and what may go wrong."""

import shlex

import pytest
import torch

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.models.layers.shapes import Shape
from dermsynth.training import advice
from dermsynth.training.advice import advise, experiences
from dermsynth.training.data import Plan

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which an image of 64 px costs 0.1 seconds, and others in proportion to their pixels."""

    def costs(plans: dict[str, Plan], shape: Shape, *_: object, rounds: int) -> dict[str, float]:
        return dict.fromkeys(plans, 0.1 * shape.height * shape.width / 64**2)

    monkeypatch.setattr(advice, "seconds_per_image", costs)
    monkeypatch.setattr(advice, "FEWEST", 10)


def test_more_time_gives_larger_images_and_longer_trainings(phantom: DataSet) -> None:
    short, long = (advise(phantom, minutes=minutes, device=CPU) for minutes in (10, 24 * 60))
    assert (short.resolution, short.images) == ("64", 6000)
    assert long.resolution == "128"
    assert long.images == 216_000


@pytest.mark.parametrize(("size", "resolution"), [((400, 300), "64x48"), ((300, 300), "64"), ((300, 400), "64")])
def test_wide_photographs_get_a_wide_size(
    size: tuple[int, int], resolution: str, phantom: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice, "image_size", lambda path: size)
    assert advise(phantom, minutes=10, device=CPU).resolution == resolution


@pytest.mark.parametrize(("installed", "family"), [(True, "projected"), (False, "stylegan2-ada")])
def test_the_command_can_be_run_with_what_is_installed(
    installed: bool, family: str, phantom: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice, "find_spec", lambda name: object() if installed else None)
    given = advise(phantom, minutes=10, device=CPU)
    words = shlex.split(given.command)
    assert words[:4] == ["dermsynth", "train", family, "--data"]
    assert "--images" in words
    assert family in given.reasons[0]
    assert given.expected[0].family == family
    assert ("dermsynth[projected]" in given.text()) is not installed


def test_risks_name_rare_classes_repeats_and_missing_held_out_images(phantom: DataSet) -> None:
    text = "\n".join(advise(phantom, minutes=300, device=CPU).risks)
    assert "training images; its images will be few kinds" in text
    assert "times: look at the copy gate" in text
    everything = DataSet(phantom.folder, phantom.table.assign(split="train"), phantom.description)
    assert any("0 held-out images" in risk for risk in advise(everything, minutes=10, device=CPU).risks)


def test_too_few_images_are_refused_with_a_way_out(phantom: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "FEWEST", 10_000)
    with pytest.raises(UserError, match="gives back what it was shown"):
        advise(phantom, minutes=10, device=CPU)


def test_every_figure_says_where_it_stands() -> None:
    assert experiences()
    assert all(one.source.startswith("docs/") and one.figures for one in experiences())
