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
    monkeypatch.setattr(
        cost,
        "seconds_per_image",
        lambda configs, device: {name: {"cheap": 0.01, "dear": 0.05}[name] for name in configs},
    )
    plans = dict.fromkeys(("cheap", "dear"), lambda images: _config(phantom, 8))
    assert cost.lengths_within(plans, 60, CPU, 1000) == {"cheap": 6000, "dear": 1200}


def test_a_wider_network_costs_more(phantom: DataSet) -> None:
    configs = {"narrow": _config(phantom, 8), "wide": _config(phantom, 128)}
    costs = cost.seconds_per_image(configs, CPU, images=8)
    assert costs["wide"] > costs["narrow"] > 0


def test_a_family_that_grows_is_measured_with_the_length_it_gets(
    phantom: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its phases follow the length: the second measurement sees those of the first length found."""
    seen: list[tuple[tuple[str, int], ...]] = []

    def costs(configs: dict[str, RunConfig], device: torch.device, **options: object) -> dict[str, float]:
        seen.append(tuple((name, int(c.model["ema_images"])) for name, c in configs.items()))
        return dict.fromkeys(configs, 0.01)

    monkeypatch.setattr(cost, "seconds_per_image", costs)
    plan = _config(phantom, 8)
    plans = {
        "steady": lambda n: plan,
        "growing": lambda n: plan.model_copy(update={"model": {**plan.model, "ema_images": n}}),
    }
    assert cost.lengths_within(plans, 60, CPU, 1000) == {"steady": 6000, "growing": 6000}
    assert seen == [(("steady", 32),), (("growing", 1000),), (("growing", 6000),)]
