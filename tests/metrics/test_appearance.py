"""Named features of two sets: the distance of skin tones."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dermsynth.metrics.appearance import appearance_between
from dermsynth.metrics.clinical_features import NAMES, TONE
from dermsynth.metrics.estimate import Estimate, Sides

Rows = NDArray[np.float64]


def rows(n: int, seed: int, tones: Rows) -> Rows:
    features = np.random.default_rng(seed).normal(size=(n, len(NAMES)))
    features[:, TONE] = tones
    return features


def tone_distance(synthetic: Rows, real: Rows) -> Estimate | None:
    found = [e for e in appearance_between(Sides(synthetic, real), 50) if e.id == "skin_tone_distance"]
    return found[0] if found else None


def test_a_shift_of_all_tones_is_its_size_in_degrees() -> None:
    tones = np.linspace(-20, 60, 80)
    found = tone_distance(rows(80, 0, tones - 15), rows(80, 1, tones))
    assert found is not None
    assert found.value == pytest.approx(15)
    assert found.low <= found.value <= found.high
    assert found.floor < 15


def test_a_missing_end_shows_where_means_are_equal() -> None:
    """Light and dark photographs, and synthetic images all of the middle: the means say nothing."""
    real = rows(100, 0, np.where(np.arange(100) % 2, 60.0, -20.0))
    found = tone_distance(rows(100, 1, np.full(100, 20.0)), real)
    assert found is not None
    assert found.value == pytest.approx(40)
    difference = [
        e for e in appearance_between(Sides(rows(100, 1, np.full(100, 20.0)), real), 50) if e.part == "skin tone"
    ]
    assert abs(difference[0].value) < 1e-6


def test_too_few_tones_give_no_figure() -> None:
    tones = np.full(90, np.nan)
    tones[:49] = 30
    assert tone_distance(rows(90, 0, np.linspace(0, 50, 90)), rows(90, 1, tones)) is None
    tones[:50] = 30
    assert tone_distance(rows(90, 0, np.linspace(0, 50, 90)), rows(90, 1, tones)) is not None
