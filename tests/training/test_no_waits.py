"""A step between two lines of the log neither reads a value from the device nor uploads anything to it."""

import math
from pathlib import Path

import pytest
import torch

from dermsynth.data.dataset import DataSet
from dermsynth.models.layers.augmentation import pipeline
from dermsynth.models.registry import FAMILIES
from dermsynth.training import distributed
from dermsynth.training.loop import Trainer
from tests.conftest import tiny_config
from tests.waits import count_waits


def test_the_counter_sees_reads_and_uploads() -> None:
    x = torch.arange(4.0)
    with count_waits() as counts:
        float(x[0])
        bool(x[0] > 1)
        (x > 1).nonzero()
        x[x > 1]
        torch.tensor([1.0])
        x.tolist()
        x + 1
    assert counts == {"_local_scalar_dense": 2, "nonzero": 1, "index by a mask": 1, "lift_fresh": 1, "tolist": 1}


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_no_step_waits(name: str, phantom: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All kinds of step of every family, with the trainer's images and its question whether to stop, as on a GPU."""
    monkeypatch.setattr(pipeline, "reads_are_free", lambda device: False)
    trainer = Trainer(tmp_path, *tiny_config(phantom, recipe=name), [], "cpu")
    trainer.step()  # constants and the numbers of the first images are uploaded once
    with count_waits() as counts:
        for step in (*range(1, 5), trainer.model.period):
            trainer.state.step = step
            trainer.step()
            assert not distributed.agree(trainer.stop_requested)
    assert counts == {}
    losses = trainer.updater.losses()
    assert losses
    assert all(math.isfinite(value) for value in losses.values())
