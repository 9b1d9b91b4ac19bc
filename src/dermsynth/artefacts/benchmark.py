"""How well artefacts are found and removed, where the truth is known: they are drawn into clean images first."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity
from sklearn.metrics import roc_auc_score

from dermsynth.artefacts.annotate import found_column
from dermsynth.artefacts.datasets import INSERTED, inserted
from dermsynth.artefacts.detection import ARTEFACTS, Found, detect
from dermsynth.artefacts.fill import METHODS, SLOW, Method
from dermsynth.artefacts.removal import Removal, cleaned
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError, require_seed
from dermsynth.images import Pixels, read_image
from dermsynth.parallel import parallel_map
from dermsynth.segmentation.lesion import dice

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


FEWEST, RESAMPLES = 2, 1000


def compare_methods(data_set: DataSet, count: int, *, slow: bool, seed: int, jobs: int | None = None) -> dict[str, Any]:
    """Means with 95 % intervals over images, of every artefact and method: PSNR, SSIM and colour error inside the hole.

    Raises UserError when the set has fewer than two images that count as clean.
    """
    require_seed(seed)
    if count < 1:
        raise UserError(f"`count` {count}: must be at least 1")
    chosen = _clean(data_set, count, seed)
    methods = [method for method in METHODS if slow or method not in SLOW]
    compare = partial(_try, seed=seed, methods=methods)
    results = parallel_map(compare, list(enumerate(chosen.paths)), label="comparing", jobs=jobs)
    found = [detection for detections, _ in results for detection in detections]
    repairs = [repair for _, repairs_of_image in results for repair in repairs_of_image]
    return {
        "images": len(chosen.table), "first": str(chosen.table["file_name"].iloc[0]), "seed": seed,
        "content_hash": data_set.content_hash,
        "detections": [_detection_row(found, name, seed) for name in INSERTED],
        "repairs": _repair_rows(repairs, seed),
    }  # fmt: skip


def examples(data_set: DataSet, result: Mapping[str, Any], methods: Sequence[Method]) -> list[tuple[str, list[Pixels]]]:
    """Of every artefact the first compared image: as it was, with the artefact, and after every method."""
    image = read_image(data_set.folder / result["first"])
    found = []
    for name in INSERTED:
        spoilt, masks = inserted(image, [name], result["seed"])
        known = {name: Found(masks[name], 1.0)}
        found.append(
            (name, [image, spoilt, *(cleaned(spoilt, None, Removal({name: m}), known).image for m in methods)])
        )
    return found


def _clean(data_set: DataSet, count: int, seed: int) -> DataSet:
    keep = np.ones(len(data_set.table), bool)
    if found_column("frame") in data_set.table:
        for name in set(ARTEFACTS) - {"bubble"}:
            keep &= data_set.known_flags(found_column(name)) == 0
    if keep.sum() < FEWEST:
        raise UserError(f"{data_set.folder}: {int(keep.sum())} images without artefacts; at least {FEWEST} are needed")
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(keep))[:count]
    return data_set.select(np.isin(np.arange(len(keep)), rows))


def _try(numbered: tuple[int, Path], *, seed: int, methods: Sequence[Method]) -> tuple[list[Detection], list[Repair]]:
    number, path = numbered
    return tried(read_image(path), number, seed, methods=methods)


def _detection_row(found: Sequence[Detection], name: str, seed: int) -> dict[str, Any]:
    mine = [one for one in found if one.artefact == name]
    scores = [one.score_without for one in mine] + [one.score_with for one in mine]
    area = float(roc_auc_score([0] * len(mine) + [1] * len(mine), scores))
    return {"artefact": name, "n": len(mine), "dice": _mean([one.dice for one in mine], seed), "auc": area}


def _repair_rows(repairs: Sequence[Repair], seed: int) -> list[dict[str, Any]]:
    table, rows = pd.DataFrame(repairs), []
    for (artefact, method), group in table.groupby(["artefact", "method"], sort=False):
        row = {key: _mean(group[key].tolist(), seed) for key in ("psnr", "ssim", "colour", "hole")}
        facts = {"outside": int(group["outside"].max()), "seconds": float(group["seconds"].median()), "n": len(group)}
        rows.append({"artefact": artefact, "method": method, **row, **facts})
    return rows


def _mean(values: Sequence[float], seed: int) -> dict[str, float]:
    """Mean and its 95 % percentile interval over images."""
    array, random = np.array(values), np.random.default_rng(seed)
    draws = array[random.integers(0, len(array), (RESAMPLES, len(array)))].mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return {"mean": float(array.mean()), "low": float(low), "high": float(high)}
