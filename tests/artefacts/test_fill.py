"""Holes: whatever the method, nothing outside changes, and what is known comes back."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dermsynth.artefacts.fill import METHODS, Method, fill_hole

Mask = NDArray[np.bool_]
QUICK = [method for method in METHODS if method != "fsr-best"]


def scene(seed: int = 0, height: int = 40, width: int = 56) -> tuple[NDArray[np.uint8], Mask]:
    random = np.random.default_rng(seed)
    ramp = np.linspace(90, 200, width)[None, :, None] + np.linspace(-20, 20, height)[:, None, None]
    image = np.clip(ramp + random.normal(0, 3, (height, width, 3)), 0, 255).astype(np.uint8)
    hole = np.zeros((height, width), bool)
    hole[10:20, 15:22], hole[30, :] = True, True
    return image, hole


@pytest.mark.parametrize("method", METHODS)
def test_nothing_outside_the_hole_changes(method: Method) -> None:
    image, hole = scene()
    spoilt = np.where(hole[..., None], np.uint8(0), image)
    found = fill_hole(spoilt, hole, method, ~hole, 0)
    assert found.dtype == np.uint8
    assert (found[~hole] == image[~hole]).all()
    assert np.abs(found[hole].astype(int) - image[hole]).mean() < (50 if method == "skin" else 20)
    assert (fill_hole(spoilt, hole, method, ~hole, 0) == found).all()


@pytest.mark.parametrize("method", QUICK)
def test_an_even_colour_is_carried_on(method: Method) -> None:
    image, hole = np.full((32, 32, 3), (200, 150, 120), np.uint8), np.zeros((32, 32), bool)
    hole[8:14, 9:20] = True
    spoilt = np.where(hole[..., None], np.uint8(0), image)
    assert np.abs(fill_hole(spoilt, hole, method, ~hole, 0).astype(int) - image).max() <= 2


def test_the_nearest_pixel_is_the_nearest() -> None:
    image, hole = scene()[0][:12, :14], np.zeros((12, 14), bool)
    hole[3:9, 4:10] = True
    found, known = fill_hole(image, hole, "nearest", ~hole, 0), np.argwhere(~hole)
    for place in np.argwhere(hole):
        distance = ((known - place) ** 2).sum(axis=1)
        nearest = known[distance == distance.min()]
        assert any((found[tuple(place)] == image[tuple(other)]).all() for other in nearest)


def test_skin_is_drawn_from_the_normal_distribution_of_skin_alone() -> None:
    random = np.random.default_rng(1)
    image = np.clip(random.normal((190, 150, 130), (12, 8, 5), (120, 120, 3)), 0, 255).astype(np.uint8)
    image[:40] = 20  # a lesion
    skin, hole = np.ones((120, 120), bool), np.zeros((120, 120), bool)
    skin[:40], hole[80:] = False, True
    found = fill_hole(image, hole, "skin", skin, 3)[hole].astype(float)
    truth = image[skin & ~hole].astype(float)
    assert np.abs(found.mean(axis=0) - truth.mean(axis=0)).max() < 1
    assert np.abs(found.std(axis=0) - truth.std(axis=0)).max() < 1
    assert (fill_hole(image, hole, "skin", skin, 4)[hole] != found).any()


def test_a_hole_without_rim_is_refused_and_no_hole_changes_nothing() -> None:
    image, _ = scene()
    everything = np.ones(image.shape[:2], bool)
    with pytest.raises(ValueError, match="nothing is left to fill it from"):
        fill_hole(image, everything, "telea", everything, 0)
    assert fill_hole(image, ~everything, "telea", everything, 0) is image
