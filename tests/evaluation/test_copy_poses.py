"""Planted copies in any pose, among real photographs and drawn textures."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermsynth.errors import UserError
from dermsynth.evaluation.copy_detection import CopyGate
from dermsynth.evaluation.copy_poses import PoseSearch, laid_picture, lesion_pairs, pose_text
from dermsynth.images import read_image
from tests.metrics.test_keypoints import moved, texture

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photographs(real_images: Path) -> Pixels:
    """Photographs of 64 px, uint8 [130, 3, 64, 64], in an order drawn once."""
    paths = sorted((real_images / "images").iterdir())
    chosen = np.random.default_rng(0).permutation(len(paths))[:130]
    squares = [cv2.resize(read_image(paths[i])[:, 32:224], (64, 64), interpolation=cv2.INTER_AREA) for i in chosen]
    return np.stack(squares).transpose(0, 3, 1, 2).copy()


@pytest.fixture(scope="module")
def masks(real_images: Path) -> NDArray[np.bool_]:
    """Lesion masks of the photographs, [130, 64, 64]."""
    paths = sorted((real_images / "images").iterdir())
    chosen = np.random.default_rng(0).permutation(len(paths))[:130]
    files = [real_images / "masks" / f"{paths[i].stem}.png" for i in chosen]
    squares = [cv2.resize(read_image(path)[:, 32:224, 0], (64, 64), interpolation=cv2.INTER_AREA) for path in files]
    return np.stack(squares) > 127


@pytest.fixture(scope="module")
def gate(photographs: Pixels) -> CopyGate:
    return CopyGate.fit_planes(photographs[:80], photographs[80:], false_alarms=0.02, fewest=50, any_pose=True)


POSES: dict[str, Callable[[Pixels], Pixels]] = {
    "shifted": lambda x: moved(x, shift=(9, -6))[0],
    "zoomed in": lambda x: moved(x, zoom=1.35)[0],
    "zoomed out": lambda x: moved(x, zoom=0.75)[0],
    "turned": lambda x: moved(x, angle=140)[0],
    "cut to 60 %": lambda x: moved(x, zoom=1 / 0.6)[0],
    "all, and mirrored": lambda x: np.ascontiguousarray(moved(x, angle=-50, zoom=1.2, shift=(4, 5))[0][:, :, ::-1]),
}


@pytest.mark.parametrize("kind", POSES)
def test_copies_are_found_in_every_pose_that_the_gate_alone_misses(
    gate: CopyGate, photographs: Pixels, kind: str
) -> None:
    chosen = np.arange(0, 80, 10)
    found = gate.check_planes(np.stack([POSES[kind](photographs[i]) for i in chosen]))
    assert found.flagged.mean() >= 0.85
    assert (found.index[found.flagged] == chosen[found.flagged]).all()


@pytest.mark.parametrize("kind", POSES)
def test_a_copy_is_drawn_over_by_its_original_where_they_agree(gate: CopyGate, photographs: Pixels, kind: str) -> None:
    """Whatever the pose, mirrored ones too, the training image comes to lie on the copy, and pales where it does not."""
    number = 20
    copy = POSES[kind](photographs[number])
    found = gate.check_planes(copy[None])
    laid = laid_picture(copy, photographs[number], found.matrices[0]).astype(float)
    share = (np.abs(laid - copy).max(axis=0) < 30).mean()
    assert share > 0.55
    other = laid_picture(copy, photographs[number + 1], found.matrices[0])
    assert (np.abs(other.astype(float) - copy).max(axis=0) < 30).mean() < share - 0.2


def on_other_skin(photograph: Pixels, mask: NDArray[np.bool_], skin: Pixels, angle: float) -> Pixels:
    """The lesion alone, turned about its middle and moved to the centre of another photograph."""
    y, x = np.nonzero(mask)
    matrix = cv2.getRotationMatrix2D((float(x.mean()), float(y.mean())), angle, 1.0)
    matrix[:, 2] += 31.5 - np.array([x.mean(), y.mean()])
    lesion = cv2.warpAffine(photograph.transpose(1, 2, 0), matrix, (64, 64), flags=cv2.INTER_CUBIC)
    edge = cv2.GaussianBlur(cv2.warpAffine(mask.astype(np.float32), matrix, (64, 64)), (0, 0), 1)[:, :, None]
    mixed = lesion * edge + skin.transpose(1, 2, 0) * (1 - edge)
    return np.ascontiguousarray(mixed.round().clip(0, 255).astype(np.uint8).transpose(2, 0, 1))


def test_a_lesion_on_another_persons_skin_is_found_and_named(
    gate: CopyGate, photographs: Pixels, masks: NDArray[np.bool_]
) -> None:
    """Lesions of a fifth to three fifths of the image; smaller ones have too few places."""
    chosen = [i for i in range(80) if 0.2 <= masks[i].mean() <= 0.6][:20]
    assert len(chosen) == 20
    planted = [on_other_skin(photographs[i], masks[i], photographs[80 + k], 18.0 * k) for k, i in enumerate(chosen)]
    found = gate.check_planes(np.stack(planted))
    right = found.flagged & (found.index == chosen)
    assert right.mean() >= 0.8
    plain = CopyGate.fit_planes(photographs[:80], photographs[80:], false_alarms=0.02, fewest=50)
    assert plain.check_planes(np.stack(planted)).flagged.mean() < 0.3


def test_without_poses_they_are_missed(photographs: Pixels) -> None:
    plain = CopyGate.fit_planes(photographs[:80], photographs[80:], false_alarms=0.02, fewest=50)
    turned = np.stack([POSES["all, and mirrored"](photographs[i]) for i in range(0, 80, 10)])
    assert not plain.check_planes(turned).flagged.any()


def test_few_held_out_images_are_flagged(gate: CopyGate, photographs: Pixels) -> None:
    assert gate.check_planes(photographs[80:]).flagged.mean() <= 0.04


def test_held_out_images_that_show_training_images_give_close_no_scale(photographs: Pixels, gate: CopyGate) -> None:
    turned = np.stack([POSES["turned"](photographs[i]) for i in range(6)])
    same = CopyGate.fit_planes(
        photographs[:80], np.concatenate([photographs[80:], turned]), false_alarms=0.02, fewest=50, any_pose=True
    )
    assert same.held_out == gate.held_out
    assert same.threshold == gate.threshold
    with pytest.raises(UserError, match="50 held-out images without 6 that show lesions of training images"):
        CopyGate.fit_planes(
            photographs[:80], np.concatenate([photographs[80:], turned]), fewest=56, false_alarms=0.02, any_pose=True
        )


def test_the_pose_is_named_in_numbers() -> None:
    search = PoseSearch.of(np.stack([texture(seed) for seed in range(12)]))
    image = moved(texture(5), angle=30, zoom=1.2, shift=(6.4, 0))[0]
    mirrored = np.ascontiguousarray(image[:, :, ::-1])
    plain, other, nothing = search.nearest(np.stack([image, mirrored, np.full_like(image, 9)]))
    assert (plain.number, other.number) == (5, 5)
    assert plain.pose.startswith("turned -30 degrees, zoomed 1."), "OpenCV turns the other way"
    assert float(plain.pose.partition("zoomed ")[2].partition(",")[0]) == pytest.approx(1.2, abs=0.03)
    assert "shifted 10 % and 0 %" in plain.pose
    assert other.pose.startswith("mirrored, turned")
    assert (nothing.distance, nothing.pose) == (1.0, "not found in any pose")


def test_an_identity_is_said_to_be_one() -> None:
    assert pose_text(np.eye(2, 3), (64, 48), 0.5) == "turned 0 degrees, zoomed 1.00, shifted 0 % and 0 %; 50 % agrees"


def test_images_of_another_size_are_brought_to_that_of_the_training_images() -> None:
    search = PoseSearch.of(np.stack([texture(seed) for seed in range(6)]))
    large = cv2.resize(texture(2).transpose(1, 2, 0), (128, 128), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)
    found = search.nearest(np.ascontiguousarray(large)[None])[0]
    assert found.number == 2
    assert "zoomed 1.0" in found.pose


def test_pairs_of_one_lesion_are_named_once_and_not_with_themselves() -> None:
    images = [texture(seed) for seed in range(10)]
    images += [moved(images[3], angle=60)[0], np.ascontiguousarray(moved(images[3], zoom=1.2)[0][:, :, ::-1])]
    assert lesion_pairs(np.stack(images)).tolist() == [[3, 10], [3, 11], [10, 11]]
    assert lesion_pairs(np.stack(images[:4])).shape == (0, 2)
