"""The centre of truncation is the mean w of the averaged network as it stands, for every class."""

import copy

import numpy as np
import pytest
import torch

from dermsynth.models.base import Progress
from dermsynth.models.mean_latent import Centre, mean_w
from dermsynth.models.sampler import sample_images, to_bytes
from dermsynth.models.stylegan2_ada import StyleGAN2ADA
from dermsynth.models.stylegan2_networks import Mapping
from dermsynth.training.optimisation import Updater
from tests.models.test_contract import batch, make


def _trained(classes: int, steps: int = 4) -> StyleGAN2ADA:
    """A few steps in which the last class does not occur."""
    model = make("stylegan2-ada", "16", classes)
    assert isinstance(model, StyleGAN2ADA)
    updater = Updater(model)
    for step in range(steps):
        shown = batch(model, step)
        shown.label[:] = shown.label[:1]
        updater.step([shown], Progress(step, 8 * step, 1, lambda t: t))
    return model


def _brute_force(mapping: Mapping, label: torch.Tensor) -> torch.Tensor:
    z = torch.randn(200_000, mapping.latent, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        return mapping(z, label.expand(len(z), -1)).mean(dim=0)


@pytest.mark.parametrize("classes", [0, 3])
def test_without_spread_the_image_is_that_of_the_mean_w_after_a_few_steps(classes: int) -> None:
    """Also of the class that was never shown; neither the raw network's mean nor that of a moment ago."""
    model = _trained(classes)
    for number in range(max(classes, 1)):
        label = torch.eye(classes)[number] if classes else torch.zeros(0)
        mean = _brute_force(model.average.mapping, label)
        spread = model.style(torch.randn(500, 8), label.expand(500, -1), None).std(dim=0).norm()
        assert (model.style(torch.randn(1, 8), label[None], 0.0)[0] - mean).norm() < 0.01 * spread
        noise = [torch.zeros(16, *shape) for shape in model.noise_shapes()]
        expected = to_bytes(model.synthesise(mean.expand(16, -1), noise[1:]))
        half = model.style(torch.randn(4, 8, generator=torch.Generator().manual_seed(1)), label.expand(4, -1), 0.5)
        whole = model.style(torch.randn(4, 8, generator=torch.Generator().manual_seed(1)), label.expand(4, -1), None)
        assert (half - (mean + whole) / 2).norm(dim=1).max() < 0.01 * spread
        found = to_bytes(model.synthesise(model.style(noise[0], label.expand(16, -1), 0.0), noise[1:]))
        error = np.abs(found.astype(int) - expected)
        assert error.mean() < 0.4
        assert error.max() <= 3


def test_for_psi_one_the_image_is_that_without_truncation() -> None:
    model = _trained(2)
    assert (sample_images(model, range(5), [1] * 5, 1.0) == sample_images(model, range(5), [1] * 5)).all()


def test_the_centre_does_not_depend_on_what_else_is_asked_for() -> None:
    model = _trained(3, 1)
    alone = sample_images(model, [4], [2], 0.3)
    again = copy.deepcopy(model)
    many = sample_images(again, range(20), [i % 3 for i in range(20)][::-1], 0.3)
    assert (sample_images(again, [4], [2], 0.3) == alone).all()
    assert (sample_images(model, range(20), [i % 3 for i in range(20)][::-1], 0.3) == many).all()


def test_the_centre_follows_the_weights_however_they_change() -> None:
    torch.manual_seed(0)
    mapping, centre, label = Mapping(8, 8, 2, 2), Centre(), torch.eye(2)
    first = centre.of(mapping, label)
    assert torch.equal(first, centre.of(mapping, label))
    assert torch.equal(first[1], mean_w(mapping, label[1:])[0])
    mapping.layers[1].bias.data += 3
    assert (centre.of(mapping, label) - first).abs().min() > 0
    with torch.inference_mode():
        assert torch.equal(Centre().of(mapping, label), centre.of(mapping, label))


def test_a_checkpoint_of_an_earlier_version_gives_the_right_centre() -> None:
    """It holds a running mean, which was wrong: nothing of it is used, and nothing else is missing."""
    model = _trained(2)
    earlier = {key: value.clone() for key, value in model.state_dict().items()}
    assert not [key for key in earlier if "mean_w" in key]
    for place in ("generator.mapping", "average.mapping", "discriminator.label_mapping"):
        earlier[f"{place}.mean_w"] = torch.full((2, 8), 9.0)
    loaded = make("stylegan2-ada", "16", 2)
    loaded.load_state_dict(earlier)
    assert (sample_images(loaded, range(3), [0, 1, 0], 0.0) == sample_images(model, range(3), [0, 1, 0], 0.0)).all()
    assert all(torch.equal(value, earlier[key]) for key, value in loaded.state_dict().items())
