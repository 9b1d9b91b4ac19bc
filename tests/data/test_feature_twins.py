"""Near-duplicates by features: the threshold is calibrated on images of different groups, and says when it cannot be."""

import numpy as np
import pytest

from dermsynth.data.feature_twins import FEWEST, calibrated_threshold, close_pairs, feature_twins, unit_rows


def rows(count: int, seed: int = 0, width: int = 128) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def near(features: np.ndarray, seed: int = 1, strength: float = 0.02) -> np.ndarray:
    return features + strength * np.random.default_rng(seed).normal(size=features.shape).astype(np.float32)


def test_planted_copies_are_found_and_nothing_else() -> None:
    features = rows(300)
    features[10:14] = near(features[200:204])
    other = np.concatenate([rows(50, 7), near(features[5:8], 2)])
    found = feature_twins(features, np.arange(300), (other,), "drawn")
    assert found.pairs.tolist() == [[10, 200], [11, 201], [12, 202], [13, 203]]
    assert found.across[0].tolist() == [[5, 50], [6, 51], [7, 52]]
    assert "calibrated by the distances of 300 images" in found.text()


def test_images_of_one_group_do_not_calibrate() -> None:
    groups = np.repeat(np.arange(100), 3)
    features = near(rows(100)[groups], strength=0.05)
    threshold = calibrated_threshold(unit_rows(features), groups)
    assert threshold.images == 300
    assert threshold.value == pytest.approx(calibrated_threshold(unit_rows(rows(100)), np.arange(100)).value, rel=0.3)
    alone = calibrated_threshold(unit_rows(features), np.arange(300))
    assert alone.value < 0.1 * threshold.value


def test_duplicates_that_nobody_knows_of_hardly_move_it() -> None:
    features = rows(200)
    before = calibrated_threshold(unit_rows(features), np.arange(200)).value
    features[:20] = near(features[100:120])
    assert calibrated_threshold(unit_rows(features), np.arange(200)).value == pytest.approx(before, rel=0.35)


def test_too_few_images_have_no_threshold_and_no_pairs() -> None:
    features = rows(FEWEST - 1)
    features[0] = features[1]
    found = feature_twins(features, np.arange(len(features)), (), "drawn")
    assert len(found.pairs) == 0
    assert f"at least {FEWEST} are needed to calibrate one" in found.text()


def test_unreadable_images_have_no_twin() -> None:
    features = rows(80, 4)
    features[3] = np.nan
    features[4] = features[5]
    assert feature_twins(features, np.arange(80), (), "drawn").pairs.tolist() == [[4, 5]]


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    features = unit_rows(rows(70))
    whole = close_pairs(features, None, 0.7).tolist()
    monkeypatch.setattr("dermsynth.data.feature_twins.BLOCK", 16)
    assert sorted(close_pairs(features, None, 0.7).tolist()) == sorted(whole)
