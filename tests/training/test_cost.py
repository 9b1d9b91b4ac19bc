"""What an image costs: more where more is computed, and lengths that follow from it."""

from pathlib import Path

import pytest
import torch

from dermsynth.data.dataset import DataSet
from dermsynth.models.inputs import Conditions
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.stylegan2_ada import StyleGAN2ADA
from dermsynth.training import cost
from dermsynth.training.data import Plan
from dermsynth.training.loop import train
from tests.conftest import TINY, tiny_config
from tests.warm import start_verb

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
    monkeypatch.setattr(cost, "time_steps", lambda u, m, b, numbers, *_: steps.append(numbers) or 0.1)
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


def test_the_cost_of_a_training(phantom: DataSet, tmp_path: Path) -> None:
    """A checkpoint is as large as those that are written, and the memory of this process is above it."""
    config, chosen = tiny_config(phantom, images=32)
    found = cost.training_cost(config, CPU)
    last = train(tmp_path / "run", config, chosen, device="cpu")
    written = sum(path.stat().st_size for path in last.path.iterdir())
    assert 0.8 * found.checkpoint_bytes < written < 1.5 * found.checkpoint_bytes
    assert found.peak_bytes > 50e6 > found.checkpoint_bytes
    assert found.seconds == 32 * found.seconds_per_image > 0
    assert not found.on_gpu


def test_growth_is_noticed_and_pieces_are_timed(phantom: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, int]] = []

    def steps(updater: object, model: object, batch: int, numbers: range, images: int, pieces: int) -> float:
        seen.append((images / 320, pieces))
        return 0.1 if images < 160 else 0.3

    monkeypatch.setattr(cost, "time_steps", steps)
    config, _ = tiny_config(phantom, images=320, accumulate=2)
    found = cost.training_cost(config, CPU)
    assert found.seconds_per_image == pytest.approx((3 * 0.1 + 3 * 0.3) / 6)
    assert seen[0] == (0.5, 2)
    assert [moment for moment, _ in seen[1:7]] == pytest.approx(cost.MOMENTS, abs=0.01)


def test_pieces_of_a_batch_are_those_of_a_training(phantom: DataSet) -> None:
    config, _ = tiny_config(phantom, accumulate=4)
    sizes: list[list[int]] = []
    training = cost._Training(cost.build(config, CPU), config.training)
    training.updater.step = lambda batches, progress: sizes.append([len(b.label) for b in batches])  # type: ignore[assignment]
    training.seconds(0.5, warming=True)
    assert sizes == [[2, 2, 2, 2]]


def test_a_dry_run_writes_nothing(phantom: DataSet, tmp_path: Path) -> None:
    words = [
        "train",
        "dcgan",
        "--data",
        phantom.folder,
        "--out",
        tmp_path / "run",
        "--images",
        "1k",
        "--resolution",
        "16",
    ]
    process = start_verb(*words, "--batch", 8, "--set", "features=8", "--device", "cpu", "--dry-run")
    assert process.wait(200) == 0, process.output()
    said = process.output()[0]
    assert "1k images at " in said
    assert "a checkpoint has" in said
    assert "nothing was written" in said
    assert not (tmp_path / "run").exists()
