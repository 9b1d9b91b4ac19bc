"""Entanglement: what else changes when a direction takes an artefact away, over many latents, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.errors import UserError
from dermsynth.latents.attributes import Scorer
from dermsynth.latents.directions import Direction
from dermsynth.latents.edits import moved
from dermsynth.latents.space import Images, Space
from dermsynth.metrics.clinical_features import appearance
from dermsynth.parallel import parallel_map
from dermsynth.progress import progress_bar
from dermsynth.segmentation.lesion import dice, lesion_mask
from dermsynth.segmentation.skin import skin_tone
from dermsynth.statistics.intervals import TAILS

FEWEST, RESAMPLES, PART = 200, 1000, 64
ABCD = ("asymmetry", "border_irregularity", "colour_variegation", "diameter_share")
"""What must not change if a direction is only about the artefact."""
INSIDE = 7
"""Side of the window of SSIM."""


@dataclass(frozen=True)
class Figure:
    """A mean over latents with its 95 % percentile interval, and over how many it could be measured."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Judges:
    """The scorer of the target, and where there are any a classifier and a perceptual distance: what looks at both images."""

    target: Scorer
    classifier: Scorer | None = None
    perceptual: PerceptualSpace | None = None


def entanglement(
    space: Space, directions: Sequence[Direction], judges: Judges, *, seeds: Sequence[int], steps: Sequence[float],
    truncation: float | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """For every direction and step, over the latents of the seeds: change of the target's score, and of what should stay.

    Means of: `target` (score after minus before), `gone` (share of images that showed it and no longer do), `dice` of the lesion
    masks before and after, `inside` (SSIM within the lesion), `perceptual` (distance when the lesion alone is exchanged),
    absolute changes of the ABCD features in deviations of the unedited images, of the skin tone in degrees, and of the
    classifier's probability.

    Raises UserError for fewer than 200 seeds.
    """
    if len(seeds) < FEWEST:
        raise UserError(f"`count` {len(seeds)}: at least {FEWEST} latents are needed")
    targets = space.generator.model.targets()
    labels = [targets[i % len(targets)] for i in range(len(seeds))]
    points = space.points(list(seeds), labels, truncation)
    before = _seen(_images(space, points, seeds, labels), judges)
    rows = []
    pairs = [(direction, float(step)) for direction in directions for step in steps]
    for direction, step in progress_bar(pairs, total=len(pairs), label="along directions", unit="step"):
        after = _seen(_images(space, moved(space, points, direction, step), seeds, labels), judges)
        found = _changes(before, after, judges)
        rows.append({"direction": direction.name, "step": step, **{k: figure(v) for k, v in found.items()}})
    return rows


@dataclass(frozen=True)
class Seen:
    """Images, what they look like, and what the judges say of them."""

    images: Images
    looks: "Looks"
    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64] | None


def _seen(images: Images, judges: Judges) -> Seen:
    sure = None if judges.classifier is None else judges.classifier.score(images)
    return Seen(images, _looks(images), judges.target.score(images), sure)


def _changes(before: Seen, after: Seen, judges: Judges) -> dict[str, NDArray[np.float64]]:
    """Every change [n]; NaN where it could not be measured."""
    shown, shows = (side.scores >= judges.target.threshold for side in (before, after))
    first, second, scale = before.looks, after.looks, np.nanstd(before.looks.features, axis=0)
    pairs = list(zip(before.images, after.images, first.lesions, strict=True))
    found = {
        "target": after.scores - before.scores,
        "gone": np.where(shown, ~shows, np.nan).astype(float),
        "dice": np.array([_overlap(a, b) for a, b in zip(first.lesions, second.lesions, strict=True)]),
        "inside": np.array([_alike(a, b, lesion) for a, b, lesion in pairs]),
        **{name: np.abs(second.features[:, i] - first.features[:, i]) / scale[i] for i, name in enumerate(ABCD)},
        "skin_tone": np.abs(second.tones - first.tones),
    }
    if before.probabilities is not None and after.probabilities is not None:
        found["classifier"] = np.abs(after.probabilities - before.probabilities)
    if judges.perceptual is not None:
        exchanged = np.stack([np.where(lesion, b, a) for a, b, lesion in pairs])
        far = ((judges.perceptual(exchanged) - judges.perceptual(before.images)) ** 2).sum(axis=1)
        found["perceptual"] = np.where([lesion.any() for lesion in first.lesions], far, np.nan)
    return found


def figure(values: NDArray[np.float64]) -> Figure | None:
    """Mean and interval of what could be measured; None where nothing could."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return None
    draws = known[np.random.default_rng(0).integers(0, len(known), (RESAMPLES, len(known)))].mean(axis=1)
    low, high = np.quantile(draws, TAILS)
    return Figure(float(known.mean()), float(low), float(high), len(known))


@dataclass(frozen=True)
class Looks:
    """Lesion masks, ABCD features [n, 4] and skin tones [n] of images; NaN where no lesion or skin was found."""

    lesions: list[NDArray[np.bool_]]
    features: NDArray[np.float64]
    tones: NDArray[np.float64]


def _looks(images: Images) -> Looks:
    rows = parallel_map(_look, list(images), chunk=PART)
    return Looks([row[0] for row in rows], np.array([row[1] for row in rows]), np.array([row[2] for row in rows]))


def _look(planes: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], list[float], float]:
    image = np.ascontiguousarray(planes.transpose(1, 2, 0))
    lesion = lesion_mask(image)
    found = appearance(image, lesion)
    features = [float("nan")] * len(ABCD) if found is None else [float(getattr(found, name)) for name in ABCD]
    return lesion, features, skin_tone(image, ~lesion)


def _overlap(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """Dice of lesion masks; NaN where neither image has a lesion."""
    return dice(before, after) if before.any() or after.any() else float("nan")


def _alike(before: NDArray[np.uint8], after: NDArray[np.uint8], lesion: NDArray[np.bool_]) -> float:
    """SSIM of two images [3, h, w] within the lesion of the first."""
    if not lesion.any():
        return float("nan")
    whole = structural_similarity(before, after, channel_axis=0, win_size=INSIDE, full=True)[1]
    return float(whole.mean(axis=0)[lesion].mean())


def _images(space: Space, points: NDArray[np.float32], seeds: Sequence[int], labels: Sequence[int]) -> Images:
    starts = range(0, len(seeds), PART)
    parts = [space.images(points[i : i + PART], seeds[i : i + PART], labels[i : i + PART]) for i in starts]
    return np.concatenate(parts)


def ranked(rows: Sequence[dict[str, Any]], least: float = 0.5) -> list[dict[str, Any]]:
    """One row a direction, best first: at the smallest step that takes the target from at least this share, what it costs.

    The order is by the Dice of lesion masks there; directions that never take so much come last, by the share they take.
    """
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        share = row["gone"].mean if row["gone"] is not None else 0.0
        entry = {**row, "taken": share, "enough": share >= least}
        known = best.get(row["direction"])
        better = known is None or (entry["enough"], -abs(row["step"]) if entry["enough"] else share) > (
            known["enough"], -abs(known["step"]) if known["enough"] else known["taken"],
        )  # fmt: skip
        if better:
            best[row["direction"]] = entry
    return sorted(
        best.values(),
        key=lambda row: (row["enough"], row["dice"].mean if row["enough"] else row["taken"]),
        reverse=True,
    )
