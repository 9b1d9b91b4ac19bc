"""Laying one image onto another, and where they agree."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermsynth.metrics.keypoints import local_contrast, luma_of
from dermsynth.metrics.registration import agreement, laid_onto, refined
from tests.metrics.test_keypoints import moved, texture


def test_the_same_image_agrees_everywhere_and_another_nowhere() -> None:
    one, other = (local_contrast(luma_of(texture(seed))) for seed in (1, 2))
    identity = np.eye(2, 3)
    assert agreement(identity, one, one).all()
    assert agreement(identity, one, other).mean() < 0.05


def test_a_part_that_agrees_is_found_where_it_is() -> None:
    image, other = texture(1), texture(2)
    mixed = other.copy()
    mixed[:, 10:40, 20:50] = image[:, 10:40, 20:50]
    agrees = agreement(np.eye(2, 3), local_contrast(luma_of(mixed)), local_contrast(luma_of(image)))
    assert agrees[18:32, 28:42].mean() > 0.9
    assert agrees[48:].mean() < 0.05


@pytest.mark.parametrize("offset", [0.0, 1.5])
def test_a_pose_that_is_nearly_right_is_set_right(offset: float) -> None:
    image = texture(4)
    turned, matrix = moved(image, angle=25, zoom=1.1, shift=(3, -2))
    here, there = local_contrast(luma_of(turned)), local_contrast(luma_of(image))
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    start = inverse.copy()
    start[:, 2] += offset
    found = refined(start, here, there)
    inner = np.array([[16, 48, 32], [16, 20, 48], [1, 1, 1]], float)
    assert np.abs((found - inverse) @ inner).max() < 0.5
    assert agreement(found, here, there)[16:48, 16:48].mean() > 0.9


def test_a_search_that_does_not_converge_leaves_the_pose() -> None:
    flat = np.zeros((64, 64), np.float32)
    start = np.eye(2, 3)
    assert refined(start, flat, flat) is start


@pytest.mark.parametrize(
    "found", [np.zeros((2, 3)), np.full((2, 3), np.nan), 1.5 * np.eye(2, 3), np.diag([-1.0, 1, 1])[:2]]
)
def test_a_search_that_ends_far_off_leaves_the_pose(
    found: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    contrast, start = local_contrast(luma_of(texture(1))), np.eye(2, 3)
    monkeypatch.setattr(cv2, "findTransformECC", lambda *a: (0.1, found))
    assert refined(start, contrast, contrast) is start


def test_what_lies_outside_is_not_there() -> None:
    matrix = np.array([[1, 0, 32], [0, 1, 0]], float)
    _, there = laid_onto(matrix, np.ones((64, 64), np.float32), (64, 64))
    assert there[:, :32].all()
    assert not there[:, 33:].any()
    assert not agreement(matrix, np.zeros((64, 64), np.float32), np.ones((64, 64), np.float32)).any()
