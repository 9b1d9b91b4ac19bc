"""What is particular to diffusion from maps: the map is seen, moves with the image, and can be kept from the network."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dermsynth.data.training_set import Minibatch
from dermsynth.models.base import Batch, Progress
from dermsynth.models.diffusion import Config
from dermsynth.models.layers.augmentation import PRESETS, Augmentation
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.map_diffusion import MapDiffusion
from dermsynth.models.sampler import sample_images
from dermsynth.rng import Draws
from tests.models.test_diffusion import shaken

ALONE = Progress(0, 1000, 1, lambda t: t)


def make(classes: int = 2, values: int = 2, *, superpixels: bool = False, **choices: Any) -> MapDiffusion:
    torch.manual_seed(0)
    config = Config(**{"channels": 16, "multipliers": (1, 2), "steps": 3, "rate_rampup": 0, **choices})
    model = MapDiffusion(config, Shape(16, 16), classes, values, superpixels=superpixels)
    shaken(model)
    return model


def maps(count: int, value: int = 1) -> np.ndarray:
    planes = np.zeros((count, 2, 16, 16), np.uint8)
    planes[:, 0, 4:12, 4:12] = value
    return planes


def sample(model: MapDiffusion, seeds: list[int], labels: list[int], shown: np.ndarray, truncation: float | None = None) -> np.ndarray:  # fmt: skip
    inputs = Minibatch(np.zeros((len(seeds), 3, 16, 16), np.uint8), np.zeros(len(seeds), np.int64), shown)
    return sample_images(model, seeds, labels, truncation, inputs)


def test_an_image_is_a_function_of_map_class_and_seed() -> None:
    model = make()
    first = sample(model, [1, 1], [0, 0], maps(2))
    assert np.array_equal(first[0], first[1])
    for seeds, labels, shown in (
        ([2], [0], maps(1)),
        ([1], [1], maps(1)),
        ([1], [0], maps(1, 0)),
        ([1], [-1], maps(1)),
    ):
        assert not np.array_equal(first[0], sample(model, seeds, labels, shown)[0])


def told(model: MapDiffusion, steps: int) -> tuple[Tensor, Tensor]:
    """Labels and planes that the network is given in some steps of one batch with maps."""
    labels, planes = [], []
    inner = model.denoiser.forward

    def watched(image: Tensor, noise: Tensor, label: Tensor, *others: Any) -> Tensor:
        labels.append(label)
        planes.append(image[:, 3:])
        return inner(image, noise, label, *others)

    model.denoiser.forward = watched  # type: ignore[method-assign, assignment]
    for step in range(steps):
        draws = Draws.for_step(torch.device("cpu"), step, total=4, start=0, count=4)
        image = torch.rand(4, 3, 16, 16) * 2 - 1
        list(model.step(Batch(image, torch.eye(2)[[0, 1, 0, 1]], draws, torch.from_numpy(maps(4))), ALONE))
    return torch.cat(labels), torch.cat(planes)


def test_class_and_map_are_kept_back_together_and_as_often_as_asked() -> None:
    label, planes = told(make(label_dropout=0.25, augmentation="none"), 60)
    without = label.sum(dim=1) == 0
    assert torch.equal(without, planes.flatten(1).sum(dim=1) == 0)
    assert 0.16 < without.float().mean() < 0.34
    whole = planes[~without]
    assert torch.equal(whole[:, 1, 4:12, 4:12], torch.ones(len(whole), 8, 8))
    assert torch.equal(whole.sum(dim=1), torch.ones(len(whole), 16, 16)), "one-hot"


def test_geometry_moves_map_and_image_together_and_colour_leaves_the_map() -> None:
    """An image that equals its map stays equal to it where geometry alone changes; colours of the map never change."""
    planes = torch.from_numpy(maps(8)[:, :1]).float()
    both = torch.cat([planes.repeat(1, 3, 1, 1), planes], dim=1)
    draws = Draws.for_step(torch.device("cpu"), 3, total=8, start=0, count=8)
    moved, parameters = Augmentation(PRESETS["bg"], 1.0).with_parameters(both, draws)
    assert parameters[:, :6].abs().sum(dim=1).min() > 0, "every image is moved"
    torch.testing.assert_close(moved[:, 2], moved[:, 3])
    draws = Draws.for_step(torch.device("cpu"), 3, total=8, start=0, count=8)
    seen, _ = Augmentation(PRESETS["skin"], 1.0).with_parameters(both, draws)
    assert not torch.equal(seen[:, 2], seen[:, 3])
    assert torch.equal(seen[:, 3], moved[:, 3])


def test_guidance_draws_away_from_an_image_of_any_map() -> None:
    """Within its interval D_0 + w (D - D_0), where the untold network sees neither map nor class."""
    model = make(guidance_interval=(0.0, 1000.0))
    plain, guided = (sample(model, [5], [1], maps(1), truncation) for truncation in (None, 0.5))
    assert not np.array_equal(plain, guided)
    with torch.no_grad():
        model.average.from_pixels.weight[:, 12:] = 0
        model.average.embedding.label.weight.zero_()  # type: ignore[union-attr]
    assert np.array_equal(sample(model, [5], [1], maps(1), 0.5), sample(model, [5], [1], maps(1)))


def test_superpixel_boundaries_are_one_plane_more() -> None:
    model = make(values=3, superpixels=True)
    shown = torch.from_numpy(maps(2))
    shown[:, 1, 5] = 1
    planes = model.planes(shown, 2)
    assert planes.shape == (2, 4, 16, 16)
    assert torch.equal(planes[:, 3], shown[:, 1].float())
