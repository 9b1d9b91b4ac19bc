"""How well artefacts are found and removed, where the truth is known: they are drawn into clean images first."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity

from dermsynth.artefacts.detection import Found, detect
from dermsynth.artefacts.fill import METHODS, SLOW, Method
from dermsynth.artefacts.insertion import INSERTED, inserted
from dermsynth.artefacts.removal import Removal, cleaned
from dermsynth.artefacts.segmentation import dice
from dermsynth.images import Pixels

Mask = NDArray[np.bool_]
MOST_HOLE = 20_000
"""Larger holes take the biharmonic equation and the best selective reconstruction minutes: these are left out."""


@dataclass(frozen=True)
class Repair:
    """One image, one artefact, one method: against the image before the artefact was drawn, inside the hole that was filled.

    PSNR in dB, SSIM -1 to 1 (mean of its map over the hole), colour difference in CIEDE2000 units; `outside` is the largest
    change of a pixel outside the hole in levels, which must be 0.
    """

    image: int
    artefact: str
    method: Method
    psnr: float
    ssim: float
    colour: float
    outside: int
    hole: float
    seconds: float


@dataclass(frozen=True)
class Detection:
    """One image, one artefact: Dice of the found mask and the drawn one, and the score before and after."""

    image: int
    artefact: str
    dice: float
    score_without: float
    score_with: float


def tried(
    image: Pixels, number: int, seed: int, artefacts: Sequence[str] = INSERTED, methods: Sequence[Method] = METHODS
) -> tuple[list[Detection], list[Repair]]:
    """Draw every artefact into a clean image, look for it, and remove it by every method with its known mask."""
    before, found, repairs = detect(image), list[Detection](), list[Repair]()
    for artefact in artefacts:
        spoilt, masks = inserted(image, [artefact], seed + number)
        mask, seen = masks[artefact], detect(spoilt)[artefact]
        found.append(Detection(number, artefact, dice(seen.mask, mask), before[artefact].score, seen.score))
        for method in methods:
            if method in SLOW and mask.sum() > MOST_HOLE:
                continue
            repairs.append(_repaired(image, spoilt, mask, number, artefact, method))
    return found, repairs


def _repaired(truth: Pixels, spoilt: Pixels, mask: Mask, number: int, artefact: str, method: Method) -> Repair:
    start = time.perf_counter()
    result = cleaned(spoilt, None, Removal({artefact: method}), {artefact: Found(mask, 1.0)})
    seconds = time.perf_counter() - start
    hole = result.filled
    error = (result.image[hole].astype(np.float64) - truth[hole]) ** 2
    similar = structural_similarity(truth, result.image, channel_axis=2, full=True)[1].mean(axis=2)
    lab = [cv2.cvtColor(one.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[hole] for one in (truth, result.image)]
    outside = np.abs(result.image[~hole].astype(int) - spoilt[~hole])
    return Repair(
        number, artefact, method, float(10 * np.log10(255**2 / max(error.mean(), 1e-3))), float(similar[hole].mean()),
        float(deltaE_ciede2000(*lab).mean()), int(outside.max(initial=0)), float(hole.mean()), seconds,
    )  # fmt: skip


def as_rows(found: Sequence[Detection | Repair]) -> list[dict[str, object]]:
    """Plain values."""
    return [asdict(one) for one in found]
