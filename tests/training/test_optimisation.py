"""Updates whose loss is not finite are left out on the device, counted, and said at the next line of the log."""

import copy
from pathlib import Path

import pytest
import torch

from dermsynth.models.base import Progress
from dermsynth.training import distributed
from dermsynth.training.optimisation import TrainingStopped, Updater
from tests.models.test_contract import batch, make
from tests.warm import start_group


def _poisoned(name: str, count: int, start: int = 0) -> Updater:
    """Two good steps, then a step whose real images are not finite."""
    torch.manual_seed(0)
    model = make(name)
    updater = Updater(model)
    for step in range(3):
        shown = batch(model, step, start, count)
        if step == 2 and start == 0:
            shown.image[0] = float("nan")
        progress = Progress(step, 8 * step, distributed.count(), distributed.total)
        if step == 2:
            updater.check()
            before = copy.deepcopy(model.state_dict())
            moments = copy.deepcopy(updater.optimisers["discriminator"].state_dict())
        updater.step([shown], progress)
    for key, value in model.discriminator.state_dict(prefix="discriminator.").items():  # type: ignore[union-attr]
        if "running" not in key:
            assert torch.equal(value, before[key]), key
    after = updater.optimisers["discriminator"].state_dict()
    for number, state in moments["state"].items():
        assert all(torch.equal(value, after["state"][number][key]) for key, value in state.items())
    return updater


def test_an_update_that_is_not_finite_changes_nothing_and_is_said() -> None:
    updater = _poisoned("dcgan", 8)
    with pytest.raises(
        TrainingStopped, match=r"discriminator/real nan\); updates left out since .*: 1; lower the learning rate"
    ):
        updater.check()
    assert all(bool(p.isfinite().all()) for p in updater.model.parameters())


def _of_two(folder: Path) -> None:
    distributed.start("cpu")
    try:
        updater = _poisoned("dcgan", 4, 4 * distributed.rank())
        with pytest.raises(TrainingStopped) as stopped:
            updater.check()
        (folder / str(distributed.rank())).write_text(str(stopped.value))
    finally:
        distributed.stop()


def test_no_process_moves_where_the_loss_of_one_is_not_finite(tmp_path: Path) -> None:
    for process in start_group(_of_two, tmp_path):
        _, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors[-4000:]
    said = [(tmp_path / str(rank)).read_text() for rank in range(2)]
    assert "discriminator/real nan" in said[0]
    assert "in another process" in said[1] or "discriminator/real nan" in said[1]


def test_the_losses_of_good_updates_are_reported() -> None:
    updater = Updater(make("dcgan"))
    updater.step([batch(updater.model, 0)], Progress(0, 0, 1, lambda t: t))
    updater.check()
    assert set(updater.losses()) == {"discriminator/real", "discriminator/fake", "generator/adversarial"}
