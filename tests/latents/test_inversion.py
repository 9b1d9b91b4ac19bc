"""Projection: an image of the generator is found again, its noise carries no picture, and nobody else has a W."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.images import read_image
from dermsynth.latents.inversion import correlation, invert, pixel_distance, project
from dermsynth.latents.space import Space, space_of
from dermsynth.models.layers import resample
from dermsynth.sampling.generator import load_generator

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def space(run: Path) -> Space:
    return space_of(load_generator(run, device="cpu"))


def test_an_image_of_the_generator_is_found_again(space: Space) -> None:
    points = space.points([7], [0], None)
    image = space.images(points, [7], [0])[0].transpose(1, 2, 0)
    once = project(space, image, 0, pixel_distance, steps=1, plus=False)
    found = project(space, image, 0, pixel_distance, steps=80, plus=False)
    assert found.distance < 0.5 * once.distance
    assert found.psnr > once.psnr + 3
    assert found.point.shape == (space.width,)
    assert found.image.shape == image.shape
    again = project(space, image, 0, pixel_distance, steps=80, plus=False)
    assert (again.point == found.point).all()


def test_a_photograph_is_projected_after_images_were_generated(space: Space) -> None:
    """Filters that sampling was the first to need serve the gradient, too."""
    resample._depthwise_kernel.cache_clear()
    points = space.points([7], [0], None)
    image = space.images(points, [7], [0])[0].transpose(1, 2, 0)
    found = invert(space.generator, image, label=space.generator.config.data.classes[0], steps=1)
    assert found.point.shape == (space.width,)


def test_one_w_a_layer_comes_nearer_to_what_it_never_made(space: Space) -> None:
    random = np.random.default_rng(0)
    image = np.clip(random.normal((200, 120, 60), 40, (16, 16, 3)), 0, 255).astype(np.uint8)
    one, many = (project(space, image, 0, pixel_distance, steps=60, plus=plus) for plus in (False, True))
    assert many.point.shape == (space.layers, space.width)
    assert many.distance < one.distance


def test_noise_without_neighbours_has_no_correlation() -> None:
    noise = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)
    assert float(correlation([noise])) < 0.2
    assert float(correlation([smooth / smooth.std()])) > 1
    value = torch.full((1, 1, 8, 8), 2.0)
    assert float(correlation([value])) == pytest.approx(32)  # 4 squared, along both axes


def test_a_family_without_styles_is_refused(space: Space) -> None:
    with pytest.raises(UserError, match="which has no W; families with styles have"):
        project(Space(space.generator, "z"), np.zeros((16, 16, 3), np.uint8), 0, pixel_distance, steps=1, plus=False)


def test_photographs_through_the_shell(run: Path, phantom: DataSet, shell: Shell, tmp_path: Path) -> None:
    shell("latents", "directions", "sefa", run, "--out", tmp_path / "sefa", "--components", "1")
    file, photograph = tmp_path / "sefa" / "directions.safetensors", phantom.paths[0]
    chosen = ["--directions", file, "--direction", "sefa0", "--edit", "-2", "--edit", "2", "--edit", "4"]
    said = shell(
        "latents", "project", run, photograph, "--label", "nevus", "--steps", "20", *chosen, "--out", tmp_path / "out"
    ).stdout
    assert "PSNR" in said
    strip = read_image(tmp_path / "out" / f"{photograph.stem}.png")
    assert strip.shape == (16, 5 * 16 + 4 * 2, 3)
    assert (strip[:, :16] == read_image(photograph)).all()
    assert (strip[:, 36:52] != strip[:, 54:70]).any()
    refused = shell("latents", "project", run, photograph, "--label", "wart", "--out", tmp_path / "no", status=1)
    assert "the generator's classes are: melanoma, nevus" in refused.stderr
    for out, photographs in ((tmp_path / "out", [photograph]), (photograph.parent, [photograph])):
        again = shell("latents", "project", run, *photographs, "--label", "nevus", "--out", out, status=1)
        assert "exists already and would be overwritten; choose another --out" in again.stderr
    (tmp_path / "other").mkdir()
    shutil.copy(photograph, tmp_path / "other")
    same = [photograph, tmp_path / "other" / photograph.name]
    twice = shell("latents", "project", run, *same, "--label", "nevus", "--out", tmp_path / "no", status=1)
    assert "two photographs have this name" in twice.stderr
