"""Many points with the scores of their images, in parts on disk, so that a stop loses little."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from dermsynth.errors import require_seed, require_whole
from dermsynth.io import replace_file
from dermsynth.latents.attributes import Scorer
from dermsynth.latents.space import Points, Space
from dermsynth.locks import claim_folder, folder_lock
from dermsynth.progress import progress_bar
from dermsynth.sampling.generator import check_truncation

PART, FACTS = 512, "samples.json"


@dataclass(frozen=True)
class Samples:
    """Points [n, d], their seeds and class numbers, and the scores of their images [n]."""

    points: Points
    seeds: NDArray[np.int64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]


def sample_scores(
    space: Space,
    scorer: Scorer,
    out: Path,
    *,
    count: int,
    first_seed: int,
    labels: Sequence[int],
    truncation: float | None,
) -> Samples:
    """`count` points of seeds from `first_seed` on, classes in turn, with scores; parts already in `out` are not computed again.

    Raises UserError when `out` was begun with other settings.
    """
    first_seed, count = require_seed(first_seed), require_whole(count, "count", 1)
    check_truncation(space.generator, truncation)
    facts = {
        "checkpoint": space.generator.checkpoint.hash, "space": space.name, "score": scorer.identity, "first_seed": first_seed,
        "labels": list(labels), "truncation": truncation,
    }  # fmt: skip
    with folder_lock(out):
        claim_folder(out, FACTS, facts)
        starts = range(0, count, PART)
        bar = progress_bar(starts, total=len(starts), label="sampling", unit=f"x{PART} img")
        parts = [_part(space, scorer, out, start, first_seed, labels, truncation) for start in bar]
    points, seeds, numbers, scores = (np.concatenate([p[key] for p in parts])[:count] for key in KEYS)
    return Samples(points, seeds, numbers, scores)


KEYS = ("points", "seeds", "labels", "scores")


def _part(
    space: Space,
    scorer: Scorer,
    out: Path,
    start: int,
    first_seed: int,
    labels: Sequence[int],
    truncation: float | None,
) -> dict[str, NDArray[Any]]:
    path = out / "parts" / f"{start:07d}.safetensors"
    if path.exists():
        return dict(load_file(path))
    seeds = first_seed + np.arange(start, start + PART)
    numbers = np.array([labels[i % len(labels)] for i in range(start, start + PART)])
    points = space.points(seeds.tolist(), numbers.tolist(), truncation)
    scores = scorer.score(space.images(points, seeds.tolist(), numbers.tolist()))
    part: dict[str, NDArray[Any]] = {
        "points": points,
        "seeds": seeds,
        "labels": numbers,
        "scores": scores.astype(np.float64),
    }
    with replace_file(path) as temporary:
        save_file(part, temporary)
    return part
