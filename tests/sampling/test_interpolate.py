import itertools

import numpy as np
import pytest
import torch

from dermsynth.errors import UserError
from dermsynth.models.sampler import sample_images
from dermsynth.sampling.interpolate import spherical, walk
from tests.models.test_contract import make


def test_the_way_keeps_its_length_and_turns_evenly() -> None:
    torch.manual_seed(0)
    start, end = torch.randn(64), torch.randn(64)
    end = end * start.norm() / end.norm()
    points = [spherical(start, end, share / 8) for share in range(9)]
    torch.testing.assert_close(points[0], start)
    torch.testing.assert_close(points[-1], end, atol=1e-5, rtol=1e-5)
    for point in points:
        assert point.norm().item() == pytest.approx(start.norm().item(), rel=1e-4)
    angles = [
        float(torch.acos(torch.nn.functional.cosine_similarity(a, b, dim=0))) for a, b in itertools.pairwise(points)
    ]
    assert np.ptp(angles) < 1e-2
    torch.testing.assert_close(spherical(start, start, 0.3), start)


@pytest.mark.parametrize("name", ["dcgan", "lapgan", "stylegan2-ada"])
def test_a_walk_leads_from_one_seeds_image_to_the_others_latent(name: str) -> None:
    model = make(name, classes=0)
    strip = walk(model, (3, 9), 33)
    assert strip.shape == (33, 3, 32, 32)
    assert np.abs(strip[0].astype(int) - sample_images(model, [3], [0])[0]).max() <= 1
    steps = [np.abs(a.astype(int) - b).mean() for a, b in itertools.pairwise(strip)]
    assert max(steps) < np.abs(strip[0].astype(int) - strip[-1]).mean() + 1e-9


def test_families_without_a_latent_have_no_walk() -> None:
    with pytest.raises(UserError, match="no latent to walk through"):
        walk(make("cyclegan"), (1, 2), 3)
