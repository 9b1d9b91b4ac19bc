import colorsys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dermsynth.data.phantom import ARTEFACTS, CLASSES, MARKERS, PhantomSettings, draw_parameters, render, write_phantom
from dermsynth.data.phantom.dataset import STRUCTURES
from dermsynth.data.phantom.lesion import skin_colour
from dermsynth.errors import UserError

SETTINGS = PhantomSettings(96, 128)


@pytest.fixture(scope="module")
def renderings():  # type: ignore[no-untyped-def]
    return [render(draw_parameters(seed, SETTINGS), SETTINGS) for seed in range(150)]


def test_the_same_seed_gives_the_same_image() -> None:
    a, b = (render(draw_parameters(9, SETTINGS), SETTINGS) for _ in range(2))
    assert np.array_equal(a.image, b.image)
    assert not np.array_equal(a.image, render(draw_parameters(10, SETTINGS), SETTINGS).image)


def test_every_structure_has_a_mask_exactly_where_it_is_announced(renderings) -> None:  # type: ignore[no-untyped-def]
    for drawn in renderings:
        announced = {*drawn.parameters.markers, *drawn.parameters.artefacts}
        assert set(drawn.structures) == announced
        assert all(set(np.unique(mask)) <= {0, 255} for mask in drawn.structures.values())
    seen = {name for drawn in renderings for name, mask in drawn.structures.items() if mask.any()}
    assert seen == {*MARKERS, *ARTEFACTS}


def test_all_classes_occur_and_follow_from_the_lesion(renderings) -> None:  # type: ignore[no-untyped-def]
    labels = [drawn.parameters.label for drawn in renderings]
    assert set(labels) == set(CLASSES)
    for drawn in renderings:
        p = drawn.parameters
        assert (p.label == "melanoma") == (p.asymmetry + p.irregularity + 0.25 * (p.colours - 1) >= 1.2)


def test_the_lesion_is_darker_than_the_skin_around(renderings) -> None:  # type: ignore[no-untyped-def]
    darker = []
    for drawn in renderings:
        grey = cv2.cvtColor(drawn.image, cv2.COLOR_RGB2GRAY)
        skin = (drawn.lesion == 0) & ~np.any(
            [drawn.structures[a] > 0 for a in drawn.parameters.artefacts] or [drawn.lesion < 0], axis=0
        )
        if skin.any() and (drawn.lesion > 0).any():
            darker.append(grey[drawn.lesion > 0].mean() < grey[skin].mean())
    assert np.mean(darker) > 0.97


def test_the_frame_is_black_and_nothing_else_changes_outside_its_shadow() -> None:
    framed = next(
        d for d in (render(draw_parameters(s, SETTINGS), SETTINGS) for s in range(60)) if "frame" in d.structures
    )
    assert framed.image[framed.structures["frame"] > 250].mean() < 20


@pytest.mark.parametrize("ita", [-40, 0.5, 28, 41, 60])
def test_skin_has_the_angle_it_was_asked_for(ita: float) -> None:
    lab = cv2.cvtColor(skin_colour(ita, 10)[None, None], cv2.COLOR_RGB2LAB)[0, 0]
    found = np.degrees(np.arctan2(lab[0] - 50, lab[2]))
    assert found == pytest.approx(ita, abs=12 if abs(ita) > 45 or ita < 0 else 3)
    red, green, blue = skin_colour(ita, 10)
    assert 0 < colorsys.rgb_to_hsv(red, green, blue)[0] * 360 < 50


@pytest.mark.parametrize(("correlation", "inside", "outside"), [(1.0, 1.0, 0.0), (-1.0, 0.0, 1.0), (0.0, 0.2, 0.2)])
def test_the_dial_ties_an_artefact_to_a_class(correlation: float, inside: float, outside: float) -> None:
    settings = PhantomSettings(16, 16, "frame", "melanoma", correlation)
    drawn = [draw_parameters(seed, settings) for seed in range(400)]
    for wanted, share in ((True, inside), (False, outside)):
        frames = ["frame" in p.artefacts for p in drawn if (p.label == "melanoma") == wanted]
        assert np.mean(frames) == pytest.approx(share, abs=0.08)


def test_the_data_set_holds_the_masks_as_bits(tmp_path: Path) -> None:
    made = write_phantom(tmp_path / "p", 12, PhantomSettings(32, 48), seed=4, jobs=1)
    assert made.description["structure_bits"] == {name: bit for bit, name in enumerate(STRUCTURES)}
    for row in made.table.to_dict("records"):
        bits = cv2.imread(str(made.folder / row["structures"]), cv2.IMREAD_UNCHANGED)
        assert bits.dtype == np.uint16
        assert bits.shape == (32, 48)
        for name in ARTEFACTS:
            present = bool((bits >> STRUCTURES.index(name) & 1).any())
            assert present <= (row[name] == "1")
    again = write_phantom(tmp_path / "q", 12, PhantomSettings(32, 48), seed=4, jobs=2)
    assert again.content_hash == made.content_hash


@pytest.mark.parametrize(
    "values", [{"artefact": "dust"}, {"tied_to": "wart"}, {"correlation": 2}, {"height": 8}, {"width": 10_000}]
)
def test_bad_settings_are_one_line(values: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"^`"):
        PhantomSettings(**values)  # type: ignore[arg-type]
