"""Perceptual path length of maps whose length is known, and the Inception score at its ends."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dermsynth.metrics.path_length import lerp, path_classes, perceptual_path_lengths, slerp, trimmed_mean
from dermsynth.metrics.scores import exponential_divergence


def square_distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().flatten(1).sum(dim=1)


@pytest.mark.parametrize("path", ["full", "end"])
def test_a_linear_map_has_the_length_of_its_chord(path: str) -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(12, 3 * 4 * 4, dtype=torch.float64, generator=generator)
    starts, ends = torch.randn(2, 50, 12, dtype=torch.float64, generator=generator)
    found = perceptual_path_lengths(
        lambda w: (w @ matrix).reshape(-1, 3, 4, 4), starts, ends, square_distance, between=lerp,
        path=path, generator=generator,
    )  # fmt: skip
    expected = ((ends - starts) @ matrix).square().sum(dim=1).numpy()
    assert found == pytest.approx(expected, rel=1e-6)
    halved = perceptual_path_lengths(
        lambda w: (w @ matrix).reshape(-1, 3, 4, 4), starts, ends, square_distance, between=lerp,
        path=path, generator=generator, crop=lambda image: image[..., :2],
    )  # fmt: skip
    assert (halved < found).all()


def test_on_the_sphere_the_length_is_the_squared_angle() -> None:
    generator = torch.Generator().manual_seed(1)
    starts, ends = torch.randn(2, 40, 20, dtype=torch.float64, generator=generator)
    found = perceptual_path_lengths(
        lambda z: z.reshape(-1, 1, 4, 5), starts, ends, square_distance, between=slerp, path="full", generator=generator
    )
    angle = torch.acos(torch.nn.functional.cosine_similarity(starts, ends)).numpy()
    assert found == pytest.approx(angle**2, rel=1e-4)
    whole = slerp(starts, ends, torch.ones(40, dtype=torch.float64))
    torch.testing.assert_close(whole, ends / ends.norm(dim=1, keepdim=True))


def test_classes_of_paths_are_drawn_as_often_as_they_occur() -> None:
    labels = ["nevus"] * 900 + ["melanoma"] * 90 + ["wart"] * 10 + ["of no class"] * 500
    found = path_classes(labels, ["melanoma", "nevus", "scar", "wart"], 20_000, 3)
    assert np.bincount(found, minlength=4) / len(found) == pytest.approx([0.09, 0.9, 0, 0.01], abs=0.01)
    assert (found == path_classes(labels, ["melanoma", "nevus", "scar", "wart"], 20_000, 3)).all()
    assert path_classes([], ["a", "b"], 5, 0).tolist() == [0, 1, 0, 1, 0]
    assert path_classes(["x"], [], 3, 0).tolist() == [0, 0, 0]


def test_the_longest_and_shortest_paths_are_left_out() -> None:
    lengths = np.concatenate([np.linspace(1, 99, 995), np.full(5, 1e9)])
    assert trimmed_mean(lengths) < 100


def test_the_inception_score_lies_between_one_and_the_number_of_classes() -> None:
    assert exponential_divergence(np.full((50, 8), 1 / 8)) == pytest.approx(1)
    assert exponential_divergence(np.eye(8).repeat(5, axis=0)) == pytest.approx(8, rel=1e-6)
    random = np.random.default_rng(0).dirichlet(np.full(8, 0.3), 400)
    literal = np.exp(np.mean([np.sum(p * np.log(p / random.mean(axis=0))) for p in random]))
    assert exponential_divergence(random) == pytest.approx(literal, rel=1e-6)
