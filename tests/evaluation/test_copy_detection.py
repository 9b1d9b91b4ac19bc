"""Planted copies are flagged, other images of the same kind hardly ever."""

import doctest
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermsynth.data.phantom import PhantomSettings, draw_parameters, render
from dermsynth.data.tables import read_table
from dermsynth.errors import UserError
from dermsynth.evaluation.copy_detection import CopyGate
from dermsynth.images import fit, read_image

Pixels = NDArray[np.uint8]


def jpeg(image: Pixels, random: np.random.Generator) -> Pixels:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(50, 91))]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR), np.uint8)


def hue_shifted(image: Pixels, random: np.random.Generator) -> Pixels:
    hsv = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + random.choice([-1, 1]) * random.uniform(10, 40)) % 360
    return (cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).round().astype(np.uint8)


def tilted(image: Pixels, random: np.random.Generator) -> Pixels:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(random.choice([-2, 2])), 1)
    return np.asarray(cv2.warpAffine(np.ascontiguousarray(image), turn, (width, height), borderMode=cv2.BORDER_REFLECT))


def grey(image: Pixels, random: np.random.Generator) -> Pixels:
    return np.repeat(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


PLANTED: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "exact": lambda image, random: image,
    "JPEG": jpeg,
    "mirrored": lambda image, random: image[:, ::-1],
    "turned": lambda image, random: np.rot90(image, int(random.integers(1, 4))),
    "blurred": lambda image, random: cv2.GaussianBlur(image, (0, 0), image.shape[0] / 64).astype(np.uint8),
    "hue": hue_shifted,
    "brighter": lambda image, random: np.clip(image * random.uniform(0.85, 1.15), 0, 255).astype(np.uint8),
    "gamma": lambda image, random: (255 * (image / 255) ** random.choice([0.6, 2.0])).astype(np.uint8),
    "grey": grey,
    "tilted": tilted,
}


Sides = tuple[Pixels, Pixels, Pixels]


def photographs(folder: Path) -> Sides:
    names = read_table(folder / "metadata.csv")["image"].to_numpy()
    chosen = names[np.random.default_rng(0).permutation(len(names))[:1400]]
    images = np.stack([fit(read_image(folder / n), 64, 64, "centre", "area") for n in chosen])
    stacked = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return stacked[:600], stacked[600:1000], stacked[1000:]


def drawings() -> Sides:
    settings = PhantomSettings(64, 64)
    images = np.stack([render(draw_parameters(seed, settings), settings).image for seed in range(800)])
    stacked = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return stacked[:300], stacked[300:600], stacked[600:]


@pytest.fixture(scope="module", params=["drawings", "photographs"])
def sides(request: pytest.FixtureRequest) -> Sides:
    """Training images, images to set the threshold, and images to count false alarms: 64 pixels, uint8 [n, 3, h, w]."""
    return drawings() if request.param == "drawings" else photographs(request.getfixturevalue("real_images"))


def test_planted_copies_are_caught(sides: Sides) -> None:
    training, held_out, others = sides
    gate = CopyGate.fit_planes(training, held_out)
    false_alarms = gate.check_planes(others).flagged.mean()
    assert false_alarms <= 0.025  # 1 % expected of 400; 10 flagged have a chance below 1 %
    random = np.random.default_rng(1)
    picked = random.permutation(len(training))[: len(training) // 4]
    for name, change in PLANTED.items():
        copies = np.stack([change(training[i].transpose(1, 2, 0), random).transpose(2, 0, 1) for i in picked])
        found = gate.check_planes(np.ascontiguousarray(copies))
        least = 0.98 if name == "tilted" else 0.99  # the gate tries no small turns: it may miss some
        assert found.flagged.mean() >= least, name
        assert (found.index == picked).mean() >= least, name
        if name == "mirrored":
            assert {way for way in found.orientation if way.startswith("mirrored")}


def test_too_few_held_out_images_set_no_threshold() -> None:
    images = np.random.default_rng(0).integers(0, 255, (150, 3, 16, 16)).astype(np.uint8)
    with pytest.raises(UserError, match="99 held-out images, at least 100"):
        CopyGate.fit_planes(images, images[:99])


def test_held_out_images_that_are_copies_themselves_set_no_threshold() -> None:
    images = np.random.default_rng(0).integers(0, 255, (150, 3, 16, 16)).astype(np.uint8)
    others = np.random.default_rng(1).integers(0, 255, (120, 3, 16, 16)).astype(np.uint8)
    others[:4] = images[:4]
    with pytest.raises(UserError, match="themselves copies of training images"):
        CopyGate.fit_planes(images, others)


def test_constant_images_break_nothing() -> None:
    images = np.random.default_rng(0).integers(0, 255, (150, 3, 16, 24)).astype(np.uint8)
    gate = CopyGate.fit_planes(images, np.random.default_rng(1).integers(0, 255, (150, 3, 16, 24)).astype(np.uint8))
    found = gate.check_planes(np.full((3, 3, 16, 24), 200, np.uint8))
    assert np.isfinite(found.score).all()
    assert gate.check_planes(images).flagged.all()


def test_the_gate_takes_images_with_colours_at_the_end_too() -> None:
    images, others = np.random.default_rng(0).integers(0, 255, (2, 120, 16, 16, 3)).astype(np.uint8)
    gate, planes = CopyGate.fit(images, others), [side.transpose(0, 3, 1, 2) for side in (images, others)]
    assert gate.threshold == CopyGate.fit_planes(*planes).threshold
    matches = gate.check(images[:5, ::-1])
    assert matches.index.tolist() == [0, 1, 2, 3, 4]
    assert matches.flagged.all()
    assert {*matches.orientation} == {"mirrored, turned 180"}
    with pytest.raises(UserError, match="`images`: images: float64"):
        gate.check(images / 255)


def test_the_example_of_the_gate_runs() -> None:
    (example,) = doctest.DocTestFinder(recurse=False).find(CopyGate, globs={"CopyGate": CopyGate})
    result = doctest.DocTestRunner().run(example)
    assert (result.failed, result.attempted > 3) == (0, True)
