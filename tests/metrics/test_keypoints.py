"""Keypoints, votes and poses, on textures whose pose is known."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermsynth.metrics import keypoints as keypoints_module
from dermsynth.metrics.keypoints import KeypointIndex, agreed_pose, keypoints, local_contrast, luma_of

Pixels = NDArray[np.uint8]
SIDE = 64


def texture(seed: int, side: int = SIDE) -> Pixels:
    """Blobs of several sizes in colour, uint8 [3, side, side]."""
    random = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(random.standard_normal((side, side, 3)), (0, 0), s) * s for s in (1.5, 3, 6)]
    return np.clip(128 + 90 * sum(layers), 0, 255).astype(np.uint8).transpose(2, 0, 1).copy()  # type: ignore[no-any-return, attr-defined, call-overload]


def moved(image: Pixels, *, angle: float = 0, zoom: float = 1, shift: tuple[float, float] = (0, 0)) -> tuple[Pixels, NDArray[np.float64]]:  # fmt: skip
    """The image turned, zoomed about its centre and shifted in pixels, and the matrix from its pixels to the new ones."""
    centre = (image.shape[2] - 1) / 2, (image.shape[1] - 1) / 2
    matrix = cv2.getRotationMatrix2D(centre, angle, zoom)
    matrix[:, 2] += shift
    size = image.shape[2], image.shape[1]
    out = cv2.warpAffine(
        image.transpose(1, 2, 0), matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.ascontiguousarray(out.transpose(2, 0, 1)), matrix


@pytest.fixture(scope="module")
def index() -> KeypointIndex:
    return KeypointIndex.of([keypoints(texture(seed)) for seed in range(40)])


@pytest.mark.parametrize("change", [{"angle": 30}, {"angle": 200, "zoom": 1.3}, {"zoom": 0.8}, {"shift": (9, -6)}, {"angle": -77, "zoom": 1.2, "shift": (4, 5)}])  # fmt: skip
def test_an_image_is_found_in_any_pose_and_the_pose_is_right(index: KeypointIndex, change: dict[str, float]) -> None:
    image, matrix = moved(texture(7), **change)  # type: ignore[arg-type]
    here = keypoints(image)
    match = index.matches(here, 3)[0]
    assert match.number == 7
    pose = agreed_pose(here, index.image(7), match, SIDE)
    assert pose is not None
    corners = np.array([[20, 20, 1], [44, 20, 1], [32, 44, 1]], float).T
    there = pose.matrix @ corners
    back = matrix @ np.vstack([there, np.ones(3)])
    assert np.abs(back - corners[:2]).max() < 1.5, "pixels of 64"


def test_descriptors_are_compared_some_at_a_time(index: KeypointIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many at once, and with images that have no keypoints between the others."""
    nothing = keypoints(np.full((3, SIDE, SIDE), 90, np.uint8))
    index = KeypointIndex.of([nothing, *(keypoints(texture(seed)) for seed in range(12)), nothing])
    image = keypoints(moved(texture(4), angle=70)[0])
    whole = index.matches(image, 3)
    assert whole[0].number == 5
    for count in (1, 500, 1000):
        monkeypatch.setattr(keypoints_module, "AT_ONCE", count)
        found = index.matches(image, 3)
        assert [match.number for match in found] == [match.number for match in whole]
        assert all(np.array_equal(a.there, b.there) for a, b in zip(found, whole, strict=True))


@pytest.mark.parametrize("count", [1, 2, 25])
def test_an_image_is_found_among_few(count: int) -> None:
    """What is usual is not taken from the one image that there is."""
    index, image = (
        KeypointIndex.of([keypoints(texture(seed)) for seed in range(count)]),
        keypoints(moved(texture(0), angle=25)[0]),
    )
    match = index.matches(image, 2)[0]
    pose = agreed_pose(image, index.image(match.number), match, SIDE)
    assert match.number == 0
    assert pose is not None
    assert pose.weight > 100


def test_an_index_of_images_without_structure_finds_nothing() -> None:
    nothing = keypoints(np.full((3, SIDE, SIDE), 90, np.uint8))
    assert KeypointIndex.of([nothing, nothing]).matches(keypoints(texture(0)), 2) == []


def test_an_image_that_is_not_there_gets_few_votes(index: KeypointIndex) -> None:
    own, other = (sum(index.matches(keypoints(texture(seed)), 1)[0].weight) for seed in (7, 99))
    assert other < own / 10


def test_a_mirrored_image_is_another_one(index: KeypointIndex) -> None:
    mirrored = np.ascontiguousarray(texture(7)[:, :, ::-1])
    matches = index.matches(keypoints(mirrored), 1)
    assert sum(matches[0].weight) < sum(index.matches(keypoints(texture(7)), 1)[0].weight) / 10


def test_an_image_without_structure_has_no_keypoints_and_no_matches(index: KeypointIndex) -> None:
    flat = np.full((3, SIDE, SIDE), 120, np.uint8)
    assert len(keypoints(flat).size) == 0
    assert index.matches(keypoints(flat), 3) == []
    assert KeypointIndex.of([keypoints(flat)]).matches(keypoints(texture(1)), 3) == []


def test_places_are_in_pixels_of_the_image_whatever_its_size() -> None:
    """The image enlarged has the same keypoints at twice the place and size."""
    small = texture(3)
    large = cv2.resize(small.transpose(1, 2, 0), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)
    a, b = keypoints(small, 10), keypoints(np.ascontiguousarray(large), 60)
    for place in a.place:
        assert np.abs((b.place + 0.5) / 2 - 0.5 - place).max(axis=1).min() < 0.7


def test_contrast_is_free_of_brightness_and_of_its_slow_changes() -> None:
    image = texture(5)
    ramp = np.linspace(0, 40, SIDE, dtype=np.float32)
    plain, lit = (local_contrast(luma_of(image) * 0.5 + light) for light in (60.0, 60.0 + ramp))
    inside = np.s_[8:-8, 8:-8]
    assert np.abs(plain - lit)[inside].max() < 0.15
    assert plain[inside].std() > 0.5
