"""What an image costs: more where more is computed, and lengths that follow from it."""

import pytest
import torch

from dermsynth.models.inputs import Conditions
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.stylegan2_ada import StyleGAN2ADA
from dermsynth.training import cost
from dermsynth.training.data import Plan
from tests.conftest import TINY

CPU, SHAPE, CONDITIONS = torch.device("cpu"), Shape(16, 16), Conditions(2)


def _plan(width: int, **choices: object) -> Plan:
    sizes = {**TINY, "channel_base": 16 * width, "channel_max": width, **choices}
    return Plan("stylegan2-ada", choices=sizes, training={"images": 1000, "batch": 8})


def test_lengths_are_inverse_to_what_an_image_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = {"cheap": 0.01, "dear": 0.05}
    monkeypatch.setattr(cost, "seconds_per_image", lambda plans, *_: {name: prices[name] for name in plans})
    plans = dict.fromkeys(prices, lambda images: _plan(8))
    assert cost.lengths_within(plans, SHAPE, CONDITIONS, 60, CPU, 1000) == {"cheap": 6000, "dear": 1200}


def test_a_wider_network_costs_more() -> None:
    plans = {"narrow": _plan(8), "wide": _plan(128)}
    costs = cost.seconds_per_image(plans, SHAPE, CONDITIONS, CPU, rounds=1)
    assert costs["wide"] > costs["narrow"] > 0


def test_lazy_terms_are_timed_as_often_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen steps hold one R1: any fewer would count it too often or never."""
    steps: list[range] = []
    monkeypatch.setattr(cost, "time_steps", lambda updater, model, batch, numbers, images: steps.append(numbers) or 0.1)
    cost.seconds_per_image({"one": _plan(8)}, SHAPE, CONDITIONS, CPU, rounds=1)
    assert steps == [range(1), range(StyleGAN2ADA.period)]


def test_a_family_that_grows_is_measured_with_the_length_it_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its phases follow the length: the second measurement sees those of the first length found."""
    seen: list[tuple[tuple[str, object], ...]] = []

    def costs(plans: dict[str, Plan], *_: object, **options: object) -> dict[str, float]:
        seen.append(tuple((name, plan.choices["ema_images"]) for name, plan in plans.items()))
        return dict.fromkeys(plans, 0.01)

    monkeypatch.setattr(cost, "seconds_per_image", costs)
    plans = {"steady": lambda n: _plan(8), "growing": lambda n: _plan(8, ema_images=float(n))}
    assert cost.lengths_within(plans, SHAPE, CONDITIONS, 60, CPU, 1000) == {"steady": 6000, "growing": 6000}
    assert seen == [(("steady", 32.0),), (("growing", 1000.0),), (("growing", 6000.0),)]
