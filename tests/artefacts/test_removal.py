"""Removal: the lesion stays, nothing outside the hole changes, cuts are clean, and what cannot be done is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dermsynth.api import artefacts as api
from dermsynth.artefacts.benchmark import try_artefacts
from dermsynth.artefacts.datasets import insert_artefacts
from dermsynth.artefacts.detection import DetectedArtefact, ImageView
from dermsynth.artefacts.fill import METHODS
from dermsynth.artefacts.hair_and_rulers import DARK
from dermsynth.artefacts.removal import Removal, remove_artefacts
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from tests.artefacts.test_detection import clean_images


def test_the_lesion_is_protected_but_for_lines_if_wanted() -> None:
    image, masks = insert_artefacts(clean_images(1)[0], ["hair"], 1)
    lesion = np.zeros(image.shape[:2], bool)
    lesion[60:140, 80:180] = True
    known = {"hair": DetectedArtefact(masks["hair"], 1.0)}
    kept = remove_artefacts(image, lesion, Removal({"hair": "telea"}), known)
    assert (kept.image[lesion] == image[lesion]).all()
    assert (kept.image != image).any()
    inside = remove_artefacts(image, lesion, Removal({"hair": "telea"}, inside_lesion=True), known)
    assert (inside.image[lesion] != image[lesion]).any()
    assert (inside.image[~inside.filled] == image[~inside.filled]).all()


@pytest.mark.parametrize("method", ["crop", "crop-square"])
def test_a_cut_leaves_no_frame_and_says_what_it_costs(method: str) -> None:
    image, masks = insert_artefacts(clean_images(1)[0], ["frame"], 2)
    lesion = np.zeros(image.shape[:2], bool)
    lesion[:, 20:60] = True
    result = remove_artefacts(
        image, lesion, Removal({"frame": method}), {"frame": DetectedArtefact(masks["frame"], 1.0)}
    )  # type: ignore[dict-item]
    assert not masks["frame"][result.box].any()
    assert result.image.shape[:2] == masks["frame"][result.box].shape
    assert method == "crop" or result.image.shape[0] == result.image.shape[1]
    assert result.lesion_lost == pytest.approx(1 - lesion[result.box].sum() / lesion.sum())
    assert 0 < result.lesion_lost < 1


def test_what_cannot_be_done_is_said() -> None:
    image = clean_images(1)[0]
    everything = np.ones(image.shape[:2], bool)
    with pytest.raises(ValueError, match="everything is protected"):
        remove_artefacts(image, everything, Removal({"hair": "telea"}))
    with pytest.raises(ValueError, match="leaves no rectangle"):
        remove_artefacts(image, None, Removal({"frame": "crop"}), {"frame": DetectedArtefact(everything, 1.0)})
    with pytest.raises(ValueError, match="nothing is left"):
        remove_artefacts(image, None, Removal({"frame": "telea"}), {"frame": DetectedArtefact(everything, 1.0)})


def test_repairs_come_near_the_truth_and_change_nothing_else() -> None:
    methods = [method for method in METHODS if method != "fsr-best"]
    found, repairs = try_artefacts(clean_images(2)[1], 0, 0, methods=methods)
    assert {one.artefact for one in found} == {"frame", "hair", "ruler", "ink", "sticker"}
    assert all(one.outside == 0 for one in repairs)
    by = {(one.artefact, one.method): one for one in repairs}
    assert by["hair", "telea"].psnr > by["hair", "skin"].psnr
    assert by["hair", "telea"].psnr > 20
    assert by["sticker", "telea"].colour < 15


def test_most_drawn_hair_is_gone_and_what_is_left_is_counted() -> None:
    dark, left = [], []
    for number, image in enumerate(clean_images(8)):
        spoilt, masks = insert_artefacts(image, ["hair"], number)
        result = remove_artefacts(spoilt, None, Removal({"hair": "telea"}))
        stands_out = [ImageView(one).thin(bright=False) > DARK for one in (result.image, image)]
        dark.append((stands_out[0] & ~stands_out[1] & masks["hair"]).sum() / masks["hair"].sum())
        left.append(result.remaining_pixels.get("hair", (0, 0, 0)))
    before, outside, inside = np.sum(left, axis=0)
    assert np.mean(dark) < 0.25
    assert before > 0
    assert outside < 0.1 * before
    assert inside == 0


def test_hair_within_a_protected_lesion_is_counted_as_left() -> None:
    image, _ = insert_artefacts(clean_images(1)[0], ["hair"], 1)
    lesion = np.zeros(image.shape[:2], bool)
    lesion[40:150, 50:200] = True
    before, _, inside = remove_artefacts(image, lesion, Removal({"hair": "telea"})).remaining_pixels["hair"]
    assert 0 < inside <= before
    assert (
        remove_artefacts(image, lesion, Removal({"hair": "telea"}, inside_lesion=True)).remaining_pixels["hair"][2]
        < inside
    )


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({}, "`methods`: nothing to remove"),
        ({"hair": "crop"}, "`methods`: hair cannot be removed by 'crop'; possible are: skin"),
        ({"hair": "telae"}, "`methods`: hair cannot be removed by 'telae'; possible are: skin"),
        ({"beard": "telea"}, "`methods`: no artefact 'beard'; there are: frame"),
    ],
)
def test_methods_that_cannot_remove_an_artefact_are_refused(
    phantom: DataSet, tmp_path: Path, methods: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        api.remove(phantom, out=tmp_path / "out", methods=methods, jobs=1)
    assert not (tmp_path / "out").exists()


def test_artefacts_that_cannot_be_drawn_are_refused(phantom: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`artefacts`: no artefact 'bubble' that can be drawn; there are: frame"):
        api.insert(phantom, out=tmp_path / "out", artefacts=["bubble"], jobs=1)  # type: ignore[list-item]
    with pytest.raises(UserError, match="`artefacts`: nothing to draw"):
        api.insert(phantom, out=tmp_path / "out", artefacts=[], jobs=1)
    drawn = api.insert(phantom.select(np.arange(len(phantom)) < 2), out=tmp_path / "out", artefacts="frame", jobs=1)
    assert set(drawn.table["inserted"]) == {"frame"}
