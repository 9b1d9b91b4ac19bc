"""Skin tone: Del Bino's angle under white light, and none where the light is coloured."""

import cv2
import numpy as np
import pytest

from dermsynth.data.phantom.lesion import skin_colour
from dermsynth.evaluation.subgroups import measured_tone_shares, skin_tone_groups, tone_shares
from dermsynth.evaluation.verdict import _fairness
from dermsynth.metrics.clinical_features import NAMES, TONE
from dermsynth.segmentation.skin import skin_tone, skin_tone_class, typology_angle
from tests.evaluation.drawn import evaluation

EVERYWHERE = np.ones((24, 24), bool)


def patch(colour: np.ndarray) -> np.ndarray:
    return np.tile(np.clip(np.rint(colour * 255), 0, 255).astype(np.uint8), (24, 24, 1))


@pytest.mark.parametrize("angle", [65, 48, 35, 20, -10])
def test_the_angle_under_white_light(angle: float) -> None:
    assert skin_tone(patch(skin_colour(angle, 10.0)), EVERYWHERE) == pytest.approx(angle, abs=2)


@pytest.mark.parametrize("light", [(1.0, 0.8, 1.25), (1.0, 0.75, 0.95), (0.85, 0.95, 1.3), (0.8, 1.1, 0.8)])
@pytest.mark.parametrize("angle", [60, 35, 0])
def test_coloured_light_gives_no_angle_or_the_right_class_of_light(angle: float, light: tuple[float, ...]) -> None:
    image = patch(skin_colour(angle, 10.0) * np.array(light, np.float32))
    assert np.isnan(skin_tone(image, EVERYWHERE))


@pytest.mark.parametrize("yellowness", [-12.0, -1.0, 0.0, 1e-9, 3.0])
def test_small_b_is_not_measurable_and_never_ninety(yellowness: float) -> None:
    lab = np.array([[70.0, 12.0, yellowness]] * 40)
    assert np.isnan(typology_angle(lab))
    assert skin_tone_class(typology_angle(lab)) == ""


def test_it_is_the_formula_where_it_is_measured() -> None:
    lab = cv2.cvtColor(np.array([[[0.8, 0.62, 0.5]]], np.float32), cv2.COLOR_RGB2LAB)[0]
    assert typology_angle(lab) == pytest.approx(np.degrees(np.arctan((lab[0, 0] - 50) / lab[0, 2])))


def rows(angles: list[float]) -> np.ndarray:
    found = np.zeros((len(angles), len(NAMES)))
    found[:, TONE] = angles
    return found


def test_shares_are_of_the_measurable_and_refused_below_half() -> None:
    nan = float("nan")
    enough, few = rows([60, 60, 35, nan]), rows([60, nan, nan, nan])
    assert tone_shares(enough, enough)["very light"]["real"] == pytest.approx(2 / 3, abs=1e-4)
    assert measured_tone_shares(enough, few) == {"synthetic": 0.75, "real": 0.25}
    assert tone_shares(enough, few) == {}
    assert tone_shares(few, enough) == {}
    assert skin_tone_groups(enough, few) == []


def test_the_light_of_fairness_does_not_use_what_was_not_measured() -> None:
    line = _fairness(evaluation(skin_tones_measured={"synthetic": 0.9, "real": 0.3}))
    assert line.light == "not measured"
    assert "30%" in str(line)
