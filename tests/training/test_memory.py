"""A GPU's memory that is too small: the batch in more pieces, as if they had been asked for."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.io import read_json
from dermsynth.models.base import Batch
from dermsynth.training import distributed
from dermsynth.training.loop import train
from dermsynth.training.memory import in_more_pieces
from dermsynth.training.optimisation import Updater
from tests.conftest import tiny_config


@pytest.fixture
def two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than two images of a piece are too many, which shows when half of a step is done."""
    step = Updater.step

    def limited(updater: Updater, batches: list[Batch], *rest: Any) -> None:
        if len(batches[0].label) > 2:
            with torch.no_grad():
                next(updater.model.parameters()).add_(1)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        step(updater, batches, *rest)

    monkeypatch.setattr(Updater, "step", limited)


def test_the_batch_is_halved_until_it_fits(
    two_at_a_time: None, phantom: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The run is the one with these pieces from the start, bit for bit, and a repeated command goes on with them."""
    caplog.set_level(logging.WARNING)
    config, chosen = tiny_config(phantom, images=32)
    last = train(tmp_path / "run", config, chosen, device="cpu")
    assert read_json(tmp_path / "run" / "config.json")["training"]["accumulate"] == 4
    assert [record.message.partition("memory is too small for ")[2][:1] for record in caplog.records] == ["8", "4"]
    asked, _ = tiny_config(phantom, images=32, accumulate=4)
    expected = train(tmp_path / "asked", asked, chosen, device="cpu").network()
    assert all(torch.equal(value, expected[name]) for name, value in last.network().items())
    caplog.clear()
    assert train(tmp_path / "run", config, chosen, device="cpu").hash == last.hash
    assert not caplog.records


def test_a_batch_that_cannot_be_halved_is_one_line(two_at_a_time: None, phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, images=36, batch=9)
    with pytest.raises(UserError, match=r"too small for 9 images at a time, and the batch cannot be halved again"):
        train(tmp_path / "odd", config, chosen, device="cpu")
    config, chosen = tiny_config(phantom, recipe="dcgan", images=32)
    with pytest.raises(UserError, match=r"too small for 8 images at a time, and dcgan cannot divide a batch; choose a"):
        train(tmp_path / "whole", config, chosen, device="cpu")


def test_several_processes_are_told_what_to_ask_for(phantom: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = tiny_config(phantom, images=32)
    monkeypatch.setattr(distributed, "count", lambda: 2)
    with pytest.raises(UserError, match=r"in each of 2 processes; repeat the command with `accumulate` 2"):
        in_more_pieces(Path("run"), config)
