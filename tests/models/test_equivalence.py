"""The fast networks compute what the textbook says: outputs and every gradient."""

import copy

import pytest
import torch
from bench.textbook import as_textbook

from dermsynth.models.base import Batch, Progress
from dermsynth.models.layers.augmentation import PRESETS
from dermsynth.models.layers.shapes import parse_shape
from dermsynth.models.stylegan2_ada import StyleGAN2ADA, auto
from dermsynth.rng import Draws


def _recipe(size: str, classes: int) -> StyleGAN2ADA:
    torch.manual_seed(5)
    shape = parse_shape(size)
    small = {
        "latent": 16,
        "channel_base": 256,
        "channel_max": 16,
        "label_layers": 2,
        "ada_initial": 0.7,
        "augmentation": PRESETS["bgc"],
    }
    model = StyleGAN2ADA(auto(shape, 8).model_copy(update=small), shape, classes)
    for name, parameter in model.named_parameters():
        if name.endswith(("noise_strength", "bias")):
            parameter.data += 0.1 * torch.randn_like(parameter)
    model.mean_path_length += 0.3
    return model


@pytest.mark.parametrize(("size", "classes"), [("32", 3), ("24x32", 0)])
def test_losses_and_gradients_equal_the_textbook(size: str, classes: int) -> None:
    fast = _recipe(size, classes)
    book = as_textbook(copy.deepcopy(fast))
    image = torch.rand(8, 3, fast.shape.height, fast.shape.width) * 2 - 1
    label = torch.eye(classes)[torch.arange(8) % classes] if classes else torch.zeros(8, 0)
    found = []
    for model in (fast, book):
        # independent of each other's state: no optimiser step between the yields
        batch = Batch(image, label, Draws.for_step(torch.device("cpu"), 3, total=8, start=0, count=8))
        updates = []
        for player, terms in model.step(batch, Progress(0, 0, 1, lambda t: t)):
            parameters = dict(getattr(model, player).named_parameters())
            loss = torch.stack(list(terms.values())).sum()
            gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
            updates.append((player, loss.detach(), dict(zip(parameters, gradients, strict=True))))
        found.append(updates)
    assert [u[0] for u in found[0]] == ["generator", "generator", "discriminator", "discriminator"]
    for (player, loss, mine), (_, expected, theirs) in zip(*found, strict=True):
        assert torch.isclose(loss, expected, rtol=1e-5)
        largest = max(g.norm() for g in theirs.values() if g is not None)
        for name, gradient in mine.items():
            reference = theirs[name]
            if reference is None:
                assert gradient is None or gradient.abs().max() == 0
                continue
            error = (gradient - reference).norm() / max(reference.norm(), 1e-3 * largest)
            assert error < 5e-4, f"{player}.{name}: {error}"
