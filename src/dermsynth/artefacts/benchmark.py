"""How well artefacts are found and removed, where the truth is known: they are drawn into clean images first."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from skimage.color import deltaE_ciede2000
from sklearn.metrics import roc_auc_score

from dermsynth.artefacts.annotate import found_column
from dermsynth.artefacts.datasets import INSERTED, insert_artefacts
from dermsynth.artefacts.detection import ARTEFACTS, DetectedArtefact, detect
from dermsynth.artefacts.fill import METHODS, SLOW, Method
from dermsynth.artefacts.removal import Removal, remove_artefacts
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError, require_seed
from dermsynth.images import Pixels, read_image
from dermsynth.metrics.similar_images import local_similarity, psnr
from dermsynth.parallel import parallel_map
from dermsynth.segmentation.lesion import dice
from dermsynth.statistics.intervals import mean_interval

Mask = NDArray[np.bool_]
MOST_HOLE = 20_000
"""Larger holes take the biharmonic equation and the best selective reconstruction minutes: these are left out."""


class MeanInterval(BaseModel):
    """A mean over images and its 95 % percentile interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mean: float
    low: float
    high: float


class DetectionQuality(BaseModel):
    """How well an artefact is found.

    Attributes
    ----------
    artefact, n
        The artefact, and images.
    dice
        Dice of the detected mask and the drawn one, 0 to 1.
    auc
        Area under the ROC curve of the score, of images with the artefact against those without.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    artefact: str
    n: int
    dice: MeanInterval
    auc: float


class RepairQuality(BaseModel):
    """How well a method removes an artefact whose mask is known, against the image before it was drawn, inside the hole.

    Attributes
    ----------
    artefact, method, n
        The artefact, the method, and images.
    psnr, ssim, colour
        PSNR in dB, SSIM -1 to 1, colour difference in CIEDE2000 units.
    hole
        Share of the image that was filled, 0 to 1.
    outside
        Largest change of a pixel outside the hole in levels, which must be 0.
    seconds
        Median time an image.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    artefact: str
    method: Method
    psnr: MeanInterval
    ssim: MeanInterval
    colour: MeanInterval
    hole: MeanInterval
    outside: int
    seconds: float
    n: int


class Comparison(BaseModel):
    """Detectors and methods of removal where the truth is known: artefacts drawn into clean images.

    Attributes
    ----------
    images, first, seed
        Number of images, file name of the first, and the seed with which they were drawn.
    content_hash
        Content hash of the data set.
    detections, repairs
        A row an artefact; a row an artefact and method.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    images: int
    first: str
    seed: int
    content_hash: str
    detections: tuple[DetectionQuality, ...]
    repairs: tuple[RepairQuality, ...]

    def to_frame(self) -> pd.DataFrame:
        """A row an artefact and method: means of PSNR, SSIM, colour difference, and milliseconds an image."""
        return pd.DataFrame(
            [
                {
                    "artefact": repair.artefact,
                    "method": repair.method,
                    "psnr": repair.psnr.mean,
                    "ssim": repair.ssim.mean,
                    "colour": repair.colour.mean,
                    "milliseconds": 1000 * repair.seconds,
                    "images": repair.n,
                }
                for repair in self.repairs
            ]
        )


@dataclass(frozen=True)
class RepairTrial:
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
class DetectionTrial:
    """One image, one artefact: Dice of the found mask and the drawn one, and the score before and after."""

    image: int
    artefact: str
    dice: float
    score_without: float
    score_with: float


def try_artefacts(
    image: Pixels, number: int, seed: int, artefacts: Sequence[str] = INSERTED, methods: Sequence[Method] = METHODS
) -> tuple[list[DetectionTrial], list[RepairTrial]]:
    """Draw every artefact into a clean image, look for it, and remove it by every method with its known mask."""
    before, detections, repairs = detect(image), list[DetectionTrial](), list[RepairTrial]()
    for artefact in artefacts:
        spoilt, masks = insert_artefacts(image, [artefact], seed + number)
        mask, detected = masks[artefact], detect(spoilt)[artefact]
        detections.append(
            DetectionTrial(number, artefact, dice(detected.mask, mask), before[artefact].score, detected.score)
        )
        for method in methods:
            if method in SLOW and mask.sum() > MOST_HOLE:
                continue
            repairs.append(_repair(image, spoilt, mask, number, artefact, method))
    return detections, repairs


def _repair(truth: Pixels, spoilt: Pixels, mask: Mask, number: int, artefact: str, method: Method) -> RepairTrial:
    start = time.perf_counter()
    result = remove_artefacts(spoilt, None, Removal({artefact: method}), {artefact: DetectedArtefact(mask, 1.0)})
    seconds = time.perf_counter() - start
    hole = result.filled
    error = (result.image[hole].astype(np.float64) - truth[hole]) ** 2
    similarity = local_similarity(truth, result.image).map[hole]
    lab = [cv2.cvtColor(side.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[hole] for side in (truth, result.image)]
    outside = np.abs(result.image[~hole].astype(int) - spoilt[~hole])
    return RepairTrial(
        number, artefact, method, psnr(float(error.mean())), float(similarity.mean()), float(deltaE_ciede2000(*lab).mean()),
        int(outside.max(initial=0)), float(hole.mean()), seconds,
    )  # fmt: skip


FEWEST = 2


def compare_methods(data_set: DataSet, count: int, *, slow: bool, seed: int, jobs: int | None = None) -> Comparison:
    """Draw every artefact into clean images, look for it, and remove it by every method.

    Parameters
    ----------
    data_set
        The set; where artefacts were looked for, only images without any are taken.
    count
        How many images, at least 1.
    slow
        Whether methods that take seconds an image are compared too.
    seed
        Which images are taken, and how artefacts are drawn.
    jobs
        Images that are worked on at once; None for what `use_workers` set.

    Raises
    ------
    UserError
        When the set has fewer than two images that count as clean.
    """
    require_seed(seed)
    if count < 1:
        raise UserError(f"`count` {count}: must be at least 1")
    chosen = _clean(data_set, count, seed)
    methods = [method for method in METHODS if slow or method not in SLOW]
    compare = partial(_try, seed=seed, methods=methods)
    results = parallel_map(compare, list(enumerate(chosen.paths)), label="comparing", jobs=jobs)
    detections = [detection for of_image, _ in results for detection in of_image]
    repairs = [repair for _, of_image in results for repair in of_image]
    return Comparison(
        images=len(chosen),
        first=str(chosen.table["file_name"].iloc[0]),
        seed=seed,
        content_hash=data_set.content_hash,
        detections=tuple(_detection_quality(detections, name, seed) for name in INSERTED),
        repairs=tuple(_repair_qualities(repairs, seed)),
    )


class ExampleStrip(NamedTuple):
    """An image without an artefact, with it, and after every method."""

    artefact: str
    images: list[Pixels]


def examples(data_set: DataSet, result: Comparison) -> list[ExampleStrip]:
    """Of every artefact the first compared image: as it was, with the artefact, and after every method."""
    image = read_image(data_set.folder / result.first)
    methods = list(dict.fromkeys(repair.method for repair in result.repairs))
    strips = []
    for name in INSERTED:
        spoilt, masks = insert_artefacts(image, [name], result.seed)
        exact = {name: DetectedArtefact(masks[name], 1.0)}
        repaired = [remove_artefacts(spoilt, None, Removal({name: method}), exact).image for method in methods]
        strips.append(ExampleStrip(name, [image, spoilt, *repaired]))
    return strips


def _clean(data_set: DataSet, count: int, seed: int) -> DataSet:
    keep = np.ones(len(data_set.table), bool)
    if found_column("frame") in data_set.table:
        for name in set(ARTEFACTS) - {"bubble"}:
            keep &= data_set.flags(found_column(name)) == 0
    if keep.sum() < FEWEST:
        raise UserError(f"{data_set.folder}: {int(keep.sum())} images without artefacts; at least {FEWEST} are needed")
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(keep))[:count]
    return data_set.part(np.isin(np.arange(len(keep)), rows))


def _try(
    numbered: tuple[int, Path], *, seed: int, methods: Sequence[Method]
) -> tuple[list[DetectionTrial], list[RepairTrial]]:
    number, path = numbered
    return try_artefacts(read_image(path), number, seed, methods=methods)


def _detection_quality(detections: Sequence[DetectionTrial], artefact: str, seed: int) -> DetectionQuality:
    own = [detection for detection in detections if detection.artefact == artefact]
    scores = [detection.score_without for detection in own] + [detection.score_with for detection in own]
    area = float(roc_auc_score([0] * len(own) + [1] * len(own), scores))
    dices = _mean([detection.dice for detection in own], seed)
    return DetectionQuality(artefact=artefact, n=len(own), dice=dices, auc=area)


def _repair_qualities(repairs: Sequence[RepairTrial], seed: int) -> Iterator[RepairQuality]:
    for (artefact, method), group in pd.DataFrame(repairs).groupby(["artefact", "method"], sort=False):
        means = {key: _mean(group[key].tolist(), seed) for key in ("psnr", "ssim", "colour", "hole")}
        yield RepairQuality(
            artefact=artefact,
            method=method,
            **means,
            outside=int(group["outside"].max()),
            seconds=float(group["seconds"].median()),
            n=len(group),
        )


def _mean(values: Sequence[float], seed: int) -> MeanInterval:
    array = np.array(values)
    low, high = mean_interval(array, seed=seed)
    return MeanInterval(mean=float(array.mean()), low=low, high=high)
