"""What an image costs: more where more is computed, and lengths that follow from it."""

import pytest
import torch

from dermsynth.data.dataset import DataSet
from dermsynth.training import cost
from dermsynth.training.config import RunConfig
from tests.conftest import TINY, tiny_config

CPU = torch.device("cpu")


def _config(data: DataSet, width: int) -> RunConfig:
    config, _ = tiny_config(data)
    return config.model_copy(
        update={"model": {**config.model, **TINY, "channel_base": 16 * width, "channel_max": width}}
    )


def test_lengths_are_inverse_to_what_an_image_costs(phantom: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "seconds_per_image", lambda configs, device: {"cheap": 0.01, "dear": 0.05})
    plans = dict.fromkeys(("cheap", "dear"), lambda images: _config(phantom, 8))
    assert cost.lengths_within(plans, 60, CPU, 1000) == {"cheap": 6000, "dear": 1200}


def test_a_wider_network_costs_more(phantom: DataSet) -> None:
    costs = cost.seconds_per_image({"narrow": _config(phantom, 8), "wide": _config(phantom, 128)}, CPU)
    assert costs["wide"] > costs["narrow"] > 0
