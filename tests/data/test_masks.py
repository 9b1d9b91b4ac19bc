"""Masks as annotation tools write them: a lesion of 20 x 30 pixels in 48 x 64, in every form."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dermsynth.data.masks import read_mask, read_mask_with_notes
from dermsynth.images import BadImage

LESION = np.zeros((48, 64), bool)
LESION[10:30, 10:40] = True
PAINT = np.uint8(LESION * 255)
INDEX = np.where(LESION, 1, 0).astype(np.uint8) + 2 * np.uint8(np.roll(LESION, 25, 1) & ~LESION)


def _palette(values: np.ndarray, *colours: int) -> Image.Image:
    image = Image.fromarray(values, "P")
    image.putpalette([*colours, *[0] * (768 - len(colours))])
    return image


def _constant(value: int, *channels: int) -> np.ndarray:
    return np.full((48, 64, *channels), value, np.uint8)


UNDERSTOOD: dict[str, Callable[[Path], None]] = {
    "white on nothing": lambda p: Image.fromarray(np.dstack([_constant(255, 3), PAINT])).save(p),
    "black on nothing": lambda p: Image.fromarray(np.dstack([_constant(0, 3), PAINT])).save(p),
    "grey on nothing": lambda p: Image.fromarray(np.dstack([_constant(255), PAINT]), "LA").save(p),
    "transparent palette": lambda p: _palette(np.uint8(LESION), 0, 0, 0, 255, 255, 255).save(p, transparency=0),
    "opaque alpha": lambda p: Image.fromarray(np.dstack([PAINT, PAINT, PAINT, _constant(255)])).save(p),
    "palette": lambda p: _palette(np.uint8(LESION), 0, 0, 0, 128, 0, 0).save(p),
    "0 and 1": lambda p: Image.fromarray(np.uint8(LESION)).save(p),
    "16 bit": lambda p: Image.fromarray(LESION.astype(np.uint16) * 60_000).save(p),
    "16 bit, dark": lambda p: Image.fromarray(LESION.astype(np.uint16)).save(p),
    "1 bit": lambda p: Image.fromarray(LESION).save(p),
    "colour": lambda p: Image.fromarray(np.dstack([PAINT, 0 * PAINT, 0 * PAINT])).save(p),
    "edges": lambda p: cv2.imwrite(str(p), cv2.resize(cv2.resize(PAINT, (640, 480), interpolation=0), (64, 48), interpolation=3)),
    "larger": lambda p: cv2.imwrite(str(p), cv2.resize(PAINT, (192, 144), interpolation=0)),
    "smaller": lambda p: cv2.imwrite(str(p), cv2.resize(PAINT, (32, 24), interpolation=0)),
}  # fmt: skip


@pytest.mark.parametrize("form", UNDERSTOOD)
def test_the_lesion_is_found_in_every_form(form: str, tmp_path: Path) -> None:
    UNDERSTOOD[form](tmp_path / "m.png")
    mask, _ = read_mask_with_notes(tmp_path / "m.png", shape=(48, 64, 3))
    assert np.array_equal(mask, LESION)


def test_floating_point_and_jpeg(tmp_path: Path) -> None:
    Image.fromarray(LESION.astype(np.float32)).save(tmp_path / "m.tif")
    assert np.array_equal(read_mask(tmp_path / "m.tif"), LESION)
    Image.fromarray(PAINT).save(tmp_path / "m.jpg", quality=70)
    assert (read_mask(tmp_path / "m.jpg") != LESION).mean() < 0.01
    soft = cv2.GaussianBlur((LESION * 120).astype(np.uint8), (0, 0), 1.5)
    cv2.imwrite(str(tmp_path / "soft.png"), soft)
    assert np.array_equal(read_mask(tmp_path / "soft.png"), soft > soft.max() // 2)


REFUSED = {
    "numbers": Image.fromarray(INDEX),
    "levels": Image.fromarray(np.array([0, 38, 255], np.uint8)[INDEX]),
    "colours": Image.fromarray(np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)[INDEX]),
    "palette": _palette(INDEX, 0, 0, 0, 128, 0, 0, 0, 128, 0),
}


@pytest.mark.parametrize("form", ["numbers", "levels", "colours", "palette"])
def test_several_meanings_are_refused_by_name(form: str, tmp_path: Path) -> None:
    REFUSED[form].save(tmp_path / "index.png")
    with pytest.raises(BadImage, match=r"index\.png: .*which is the lesion\?"):
        read_mask(tmp_path / "index.png")
    if form in ("numbers", "palette"):
        assert np.array_equal(read_mask(tmp_path / "index.png", value=1), LESION)


def test_transparency_and_colours_at_once_are_refused(tmp_path: Path) -> None:
    pixels = np.dstack([PAINT, PAINT, PAINT, _constant(255)])
    pixels[:4, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "m.png")
    with pytest.raises(BadImage, match="transparency and colours both"):
        read_mask(tmp_path / "m.png")


@pytest.mark.parametrize("shape", [(64, 48), (48, 48), (48, 60), (30, 64)])
def test_another_aspect_ratio_is_refused_and_the_same_is_resized_and_said(
    shape: tuple[int, int], tmp_path: Path
) -> None:
    Image.fromarray(PAINT).save(tmp_path / "m.png")
    with pytest.raises(BadImage, match=f"64 x 48 pixels, its image has {shape[1]} x {shape[0]}"):
        read_mask_with_notes(tmp_path / "m.png", shape=shape)
    mask, notes = read_mask_with_notes(tmp_path / "m.png", shape=(150, 200))
    assert abs(mask.mean() - LESION.mean()) < 0.01
    assert "brought to 200 x 150" in notes[0]


def test_a_jpeg_of_an_empty_mask_is_not_made_of_its_noise(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 4, (48, 64), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "m.jpg", quality=98)
    with pytest.raises(BadImage, match="too faint"):
        read_mask(tmp_path / "m.jpg")
    Image.fromarray(0 * PAINT).save(tmp_path / "empty.jpg")
    assert not read_mask(tmp_path / "empty.jpg").any()


RING = np.where(LESION, 1, 0).astype(np.uint8)
RING[9:31, 9] = RING[9:31, 40] = RING[9, 9:41] = RING[30, 9:41] = 255
RED, BLUE, WHITE = (np.array(c, np.uint8) for c in ((200, 0, 0), (0, 0, 200), (255, 255, 255)))
CHOICE = LESION[..., None]
FURTHER: dict[str, tuple[Image.Image, dict[str, object]]] = {
    "thin paint": (Image.fromarray(np.dstack([_constant(255, 3), np.uint8(LESION * 102)])), {}),
    "alpha says nothing": (Image.fromarray(np.dstack([PAINT, PAINT, PAINT, _constant(100)])), {}),
    "red on white": (Image.fromarray(np.where(CHOICE, RED, WHITE)), {}),
    "raised": (Image.fromarray(np.uint8(128 + LESION * 127)), {}),
    "black palette": (_palette(np.uint8(LESION), 0, 0, 0, 0, 0, 0), {}),
}


@pytest.mark.parametrize("form", FURTHER)
def test_further_forms(form: str, tmp_path: Path) -> None:
    image, options = FURTHER[form]
    image.save(tmp_path / "m.png", **options)
    assert np.array_equal(read_mask(tmp_path / "m.png"), LESION)


def test_ranges_that_do_not_begin_at_zero(tmp_path: Path) -> None:
    logits = cv2.GaussianBlur(np.where(LESION, 4.0, -4.0).astype(np.float32), (0, 0), 1.0)
    Image.fromarray(logits).save(tmp_path / "m.tif")
    assert np.array_equal(read_mask(tmp_path / "m.tif"), logits > (logits.max() + logits.min()) / 2)


UNCLEAR = {
    "ring to ignore": Image.fromarray(RING),
    "near values": Image.fromarray(np.array([0, 1, 20], np.uint8)[INDEX]),
    "the two largest": Image.fromarray(np.array([0, 254, 255], np.uint8)[INDEX]),
    "two numbers of one colour": _palette(INDEX, 0, 0, 0, 255, 255, 255, 255, 255, 255),
    "red on blue": Image.fromarray(np.where(CHOICE, RED, BLUE)),
}


@pytest.mark.parametrize("form", UNCLEAR)
def test_further_unclear_forms_are_refused(form: str, tmp_path: Path) -> None:
    UNCLEAR[form].save(tmp_path / "m.png")
    with pytest.raises(BadImage, match=r"which is the lesion\?"):
        read_mask(tmp_path / "m.png")


def test_a_value_that_does_not_occur_is_refused(tmp_path: Path) -> None:
    Image.fromarray(PAINT).save(tmp_path / "m.png")
    with pytest.raises(BadImage, match="value 9 does not occur in it"):
        read_mask(tmp_path / "m.png", value=9)
    Image.fromarray(LESION).save(tmp_path / "bits.png")
    assert np.array_equal(read_mask(tmp_path / "bits.png", value=255), LESION)
    assert np.array_equal(read_mask(tmp_path / "bits.png", value=1), LESION)
