"""Artefacts drawn into phantom images with exact masks are found where they are, and not where they are not."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dermsynth.artefacts.annotate import THRESHOLDS
from dermsynth.artefacts.datasets import INSERTED, insert_artefacts
from dermsynth.artefacts.detection import ARTEFACTS, detect
from dermsynth.data.phantom.parameters import PhantomSettings, draw_parameters
from dermsynth.data.phantom.render import render
from dermsynth.images import Pixels
from dermsynth.segmentation.lesion import dice


def clean_images(count: int) -> list[Pixels]:
    """Phantom images without artefacts."""
    settings, found, seed = PhantomSettings(192, 256), list[Pixels](), 0
    while len(found) < count:
        parameters = draw_parameters(seed, settings)
        if not parameters.artefacts:
            found.append(render(parameters, settings).image)
        seed += 1
    return found


@pytest.fixture(scope="module")
def clean() -> list[Pixels]:
    return clean_images(24)


LEAST = {"frame": (0.95, 0.85), "hair": (0.95, 0.45), "ruler": (0.85, 0.4), "ink": (0.85, 0.5), "sticker": (0.95, 0.8)}
"""AUC of the score and mean Dice of the mask that must be reached; rulers without a base line are the hard ones."""


@pytest.mark.parametrize("name", INSERTED)
def test_what_was_drawn_is_found(name: str, clean: Sequence[Pixels]) -> None:
    without = [detect(image)[name].score for image in clean]
    pairs = [insert_artefacts(image, [name], number) for number, image in enumerate(clean)]
    found = [detect(image)[name] for image, _ in pairs]
    area = roc_auc_score([0] * len(clean) + [1] * len(clean), [*without, *(one.score for one in found)])
    overlap = np.mean([dice(one.mask, masks[name]) for one, (_, masks) in zip(found, pairs, strict=True)])
    assert (area >= LEAST[name][0], overlap >= LEAST[name][1]) == (True, True), (area, overlap)


def test_masks_have_the_images_size_and_grow_with_it(clean: Sequence[Pixels]) -> None:
    image, _ = insert_artefacts(clean[0], ["frame"], 0)
    large = image.repeat(3, axis=0).repeat(3, axis=1)
    small, found = detect(image), detect(large)
    for name in ARTEFACTS:
        assert found[name].mask.shape == large.shape[:2]
    assert dice(found["frame"].mask[::3, ::3], small["frame"].mask) > 0.9


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(40, 50), (16, 16), (8, 24)])
def test_images_without_anything_are_no_trouble(value: int, shape: tuple[int, int]) -> None:
    found = detect(np.full((*shape, 3), value, np.uint8))
    assert all(np.isfinite(one.score) for one in found.values())
    assert not any(found[name].mask.any() for name in ("hair", "ruler", "ink", "sticker"))
    assert found["frame"].mask.all() == (value == 0)


def purple_lesion(image: Pixels) -> tuple[Pixels, np.ndarray]:
    """A vascular lesion: of the very colour of ink."""
    lesion = np.zeros(image.shape[:2], bool)
    lesion[60:130, 90:180] = True
    soft = cv2.GaussianBlur(lesion.astype(np.float32), (0, 0), 2)[..., None]
    return np.rint(image * (1 - 0.7 * soft) + np.array([110, 40, 120]) * 0.7 * soft).astype(np.uint8), lesion


def test_a_lesion_of_ink_s_colour_is_no_ink(clean: Sequence[Pixels]) -> None:
    for image in clean[:6]:
        coloured, lesion = purple_lesion(image)
        for known in (lesion, None):
            found = detect(coloured, lesion=known)
            assert found["ink"].score < THRESHOLDS["ink"]
            assert found["sticker"].score < THRESHOLDS["sticker"]


def test_coloured_light_is_no_ink_and_no_sticker(clean: Sequence[Pixels]) -> None:
    rows = np.linspace(0, 1, clean[0].shape[0])[:, None, None]
    for image in clean[:6]:
        pink = np.clip(image * (np.array([1.0, 0.8, 1.05]) * (1 - rows) + np.array([0.95, 0.85, 1.0]) * rows), 0, 255)
        found = detect(pink.astype(np.uint8))
        assert found["ink"].score < THRESHOLDS["ink"]
        assert found["sticker"].score < THRESHOLDS["sticker"]


def test_hair_over_a_lesion_that_fills_the_image_is_found(clean: Sequence[Pixels]) -> None:
    covered = []
    for number, image in enumerate(clean[:6]):
        spoilt, masks = insert_artefacts(image, ["hair"], number)
        lesion = np.ones(image.shape[:2], bool)
        lesion[:4] = False
        found = detect(spoilt, ("hair",), lesion)["hair"].mask
        near = cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        covered.append((near & masks["hair"]).sum() / masks["hair"].sum())
    assert np.mean(covered) > 0.6
