"""All methods of removal side by side, over many images."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.metrics import roc_auc_score

from dermsynth.artefacts.confirmation import known_flags
from dermsynth.artefacts.detection import ARTEFACTS, Found
from dermsynth.artefacts.fill import METHODS, SLOW, Method
from dermsynth.artefacts.insertion import INSERTED, inserted
from dermsynth.artefacts.marking import found_column
from dermsynth.artefacts.quality import Detection, Repair, tried
from dermsynth.artefacts.removal import Removal, cleaned
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError, require_seed
from dermsynth.images import Pixels, read_image
from dermsynth.progress import progress_bar

FEWEST, RESAMPLES = 2, 1000


def compare_methods(data_set: DataSet, count: int, *, slow: bool, seed: int, jobs: int = -1) -> dict[str, Any]:
    """Means with 95 % intervals over images, of every artefact and method: PSNR, SSIM and colour error inside the hole.

    Raises UserError when the set has fewer than two images that count as clean.
    """
    require_seed(seed)
    if count < 1:
        raise UserError(f"--n {count}: must be at least 1")
    chosen = _clean(data_set, count, seed)
    methods = [method for method in METHODS if slow or method not in SLOW]
    tasks = (delayed(_try)(path, number, seed, methods) for number, path in enumerate(chosen.paths))
    done = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    results = list(progress_bar(done, total=len(chosen.table), label="comparing", unit="img"))
    found, repairs = ([one for pair in results for one in pair[side]] for side in (0, 1))
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
            keep &= known_flags(data_set.table, found_column(name)) == 0
    if keep.sum() < FEWEST:
        raise UserError(f"{data_set.folder}: {int(keep.sum())} images without artefacts; at least {FEWEST} are needed")
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(keep))[:count]
    return data_set.select(np.isin(np.arange(len(keep)), rows))


def _try(path: Any, number: int, seed: int, methods: Sequence[Method]) -> tuple[list[Detection], list[Repair]]:
    cv2.setNumThreads(1)
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
