"""Marks at equal distances: told from marks at random."""

import cv2
import numpy as np
import pytest

from dermsynth.artefacts.hair_and_rulers import regularity, ruler


def drawn(angle: float, *, even: bool, seed: int = 0) -> np.ndarray:
    """A line with marks on one side, white on black: what stands out."""
    random, image = np.random.default_rng(seed), np.zeros((192, 256), np.uint8)
    unit = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    normal, centre = np.array([-unit[1], unit[0]]), np.array([128, 96])
    places = np.arange(-48, 49, 8) if even else np.sort(random.uniform(-48, 48, 13))
    ends = [centre - 48 * unit, centre + 48 * unit]
    cv2.line(image, *(tuple(int(v) for v in np.rint(e)) for e in ends), 60, 1, cv2.LINE_AA)
    for place in places:
        tick = [centre + place * unit, centre + place * unit + 6 * normal]
        cv2.line(image, *(tuple(int(v) for v in np.rint(t)) for t in tick), 60, 1, cv2.LINE_AA)
    return image


@pytest.mark.parametrize("angle", [0, 15, 45, 90, 160])
def test_a_ruler_is_found_at_any_angle(angle: float) -> None:
    image = drawn(angle, even=True)
    mask, score = ruler(image, np.ones(image.shape, bool))
    assert score > 0.45
    assert mask[image > 30].mean() > 0.8
    assert mask[image == 0].mean() < 0.01


def test_marks_at_random_are_less_regular() -> None:
    everywhere = np.ones((192, 256), bool)
    uneven = [ruler(drawn(30, even=False, seed=seed), everywhere)[1] for seed in range(12)]
    assert np.mean(uneven) < ruler(drawn(30, even=True), everywhere)[1] - 0.15


def test_regularity_of_known_profiles() -> None:
    comb = np.zeros(96)
    comb[::8] = 50.0
    assert regularity(comb) > 0.9
    assert regularity(np.full(96, 7.0)) == 0
    assert regularity(np.zeros(4)) == 0
    noise = [regularity(np.random.default_rng(seed).normal(0, 10, 96)) for seed in range(20)]
    assert np.mean(noise) < 0.45
