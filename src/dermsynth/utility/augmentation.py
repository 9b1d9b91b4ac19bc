"""What is done to the images of a step, and to their labels, before a classifier sees them."""

from collections.abc import Callable, Mapping
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Targets = NDArray[np.float32]
Augment = Callable[[Images, np.random.Generator], Images]
Mix = Callable[[Images, Targets, np.random.Generator], tuple[Images, Targets]]
Way = Literal["", "weights", "mixup", "cutmix", "copies"]
"""How an arm without synthetic images is trained, beside augmentation."""
MIXUP_ALPHA = 0.2
"""Of the Beta distribution of the share in which two images are mixed: mostly one of them is hardly seen."""


def random_dihedral(images: Images, random: np.random.Generator) -> Images:
    """A random dihedral transform of every image (of images that are not square: mirrored, turned by half)."""
    transformed = images.copy()
    for i, (flip, turn) in enumerate(
        zip(random.random(len(images)) < 0.5, random.integers(0, 4, len(images)), strict=True)
    ):
        image = images[i, :, :, ::-1] if flip else images[i]
        quarter = int(turn) if image.shape[1] == image.shape[2] else 2 * (int(turn) % 2)
        transformed[i] = np.rot90(image, quarter, axes=(1, 2))
    return transformed


def classical_augmentation(images: Images, random: np.random.Generator) -> Images:
    """Classical augmentation: dihedral, rotated, scaled, shifted, brightness, contrast and saturation changed."""
    changed = random_dihedral(images, random)
    height, width = images.shape[2:]
    for i in range(len(changed)):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-45, 45), random.uniform(0.85, 1.2))
        turn[:, 2] += random.uniform(-0.08, 0.08, 2) * (width, height)
        pixels = np.ascontiguousarray(changed[i].transpose(1, 2, 0))
        pixels = cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
        grey = pixels.mean(axis=2, keepdims=True)
        pixels = grey + (pixels - grey) * random.uniform(0.7, 1.3)
        pixels = (pixels - 128) * random.uniform(0.8, 1.2) + 128 + random.uniform(-20, 20)
        changed[i] = np.clip(pixels, 0, 255).astype(np.uint8).transpose(2, 0, 1)
    return changed


def strong_copies(images: Images, random: np.random.Generator) -> Images:
    """Every other image as by the strongest augmentation, the others mirrored and turned alone: a generator of copies.

    Turned by any angle, sheared, scaled by 0.7 to 1.4, shifted by a sixth; contrast and saturation halved or raised by half;
    blurred or noisy; a square of a quarter of the side hidden.
    """
    changed = random_dihedral(images, random)
    for i in range(0, len(changed), 2):
        pixels = _warped(np.ascontiguousarray(changed[i].transpose(1, 2, 0)), random).astype(np.float32)
        grey = pixels.mean(axis=2, keepdims=True)
        pixels = grey + (pixels - grey) * random.uniform(0.5, 1.5)
        pixels = (pixels - 128) * random.uniform(0.6, 1.4) + 128 + random.uniform(-40, 40)
        pixels = _worse(pixels, random)
        side = min(pixels.shape[:2]) // 4
        top, left = (random.integers(0, size - side + 1) for size in pixels.shape[:2])
        pixels[top : top + side, left : left + side] = pixels.mean(axis=(0, 1))
        changed[i] = np.clip(pixels, 0, 255).astype(np.uint8).transpose(2, 0, 1)
    return changed


def _warped(pixels: Images, random: np.random.Generator) -> Images:
    """Turned, scaled, sheared and shifted, mirrored at the border."""
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-180, 180), random.uniform(0.7, 1.4))
    turn[:, :2] = turn[:, :2] @ np.array([[1, random.uniform(-0.2, 0.2)], [random.uniform(-0.2, 0.2), 1]])
    turn[:, 2] += random.uniform(-1 / 6, 1 / 6, 2) * (width, height)
    return cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT)


def _worse(pixels: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Blurred or noisy."""
    if random.random() < 0.5:
        return cv2.GaussianBlur(pixels, (0, 0), random.uniform(0.3, 1.5))
    return pixels + random.normal(0, random.uniform(2, 12), pixels.shape).astype(np.float32)


def mixup(images: Images, targets: Targets, random: np.random.Generator) -> tuple[Images, Targets]:
    """Each image and its label mixed with those of another of the batch (Zhang et al. 2018, "mixup", section 2)."""
    other, share = (
        random.permutation(len(images)),
        random.beta(MIXUP_ALPHA, MIXUP_ALPHA, len(images)).astype(np.float32),
    )
    wide = share[:, None, None, None]
    mixed = (wide * images + (1 - wide) * images[other]).round().astype(np.uint8)
    return mixed, share * targets + (1 - share) * targets[other]


def cutmix(images: Images, targets: Targets, random: np.random.Generator) -> tuple[Images, Targets]:
    """A rectangle of each image from another of the batch, labels by area (Yun et al. 2019, "CutMix", section 3.1, alpha 1)."""
    other, mixed, shares = random.permutation(len(images)), images.copy(), np.ones(len(images), np.float32)
    height, width = images.shape[2:]
    for i, place in enumerate(other):
        root = np.sqrt(1 - random.random())
        y, x = random.integers(0, height), random.integers(0, width)
        rows, columns = (
            slice(max(round(centre - size * root / 2), 0), min(round(centre + size * root / 2), size))
            for centre, size in ((y, height), (x, width))
        )
        mixed[i, :, rows, columns] = images[place, :, rows, columns]
        shares[i] = 1 - (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    return mixed, shares * targets + (1 - shares) * targets[other]


MIXES: Mapping[str, Mix] = {"mixup": mixup, "cutmix": cutmix}
