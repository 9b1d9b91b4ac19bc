"""Entanglement: what else changes when a direction takes an artefact away, over many latents, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.errors import UserError
from dermsynth.io import write_json
from dermsynth.latents.attributes import Scorer
from dermsynth.latents.directions import Direction
from dermsynth.latents.edits import move_points
from dermsynth.latents.space import Images, Space
from dermsynth.metrics.clinical_features import appearance
from dermsynth.metrics.similar_images import local_similarity
from dermsynth.parallel import parallel_map
from dermsynth.progress import progress_bar
from dermsynth.segmentation.lesion import dice, lesion_mask
from dermsynth.segmentation.skin import skin_tone
from dermsynth.statistics.intervals import mean_interval

FEWEST, PART = 200, 64
ABCD = ("asymmetry", "border_irregularity", "colour_variegation", "diameter_share")
"""What must not change if a direction is only about the artefact."""
ENOUGH = 0.5
"""Share of images from which a step must take the target to be ranked by its cost."""
Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class Figure:
    """A mean over latents with its 95 % percentile interval, and over how many it could be measured."""

    mean: float
    low: float
    high: float
    n: int


class EntanglementRow(BaseModel):
    """What a step along a direction changes; a figure is None where nothing could be measured.

    `target`: score after minus before. `gone`: share of images that showed it and no longer do. `dice` of the lesion masks before
    and after; `inside`: SSIM within the lesion. Absolute changes of the ABCD features in deviations of the unedited images, of
    `skin_tone` in degrees, of the `classifier`'s probability. `perceptual`: distance when the lesion alone is exchanged. The last
    two are unset where they were not asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    direction: str
    step: float
    target: Figure | None = None
    gone: Figure | None
    dice: Figure | None
    inside: Figure | None = None
    asymmetry: Figure | None = None
    border_irregularity: Figure | None = None
    colour_variegation: Figure | None = None
    diameter_share: Figure | None = None
    skin_tone: Figure | None = None
    classifier: Figure | None = None
    perceptual: Figure | None = None


class RankedDirection(EntanglementRow):
    """The step of a direction by which it is ranked, the share it takes, and whether that is enough."""

    taken: float
    enough: bool


class EntanglementResult(BaseModel):
    """Every step of every direction, and one row a direction, best first; `entanglement.json` is its dump."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    checkpoint: str
    target: str
    threshold: float
    seeds: tuple[int, int]
    ranking: tuple[RankedDirection, ...]
    rows: tuple[EntanglementRow, ...]

    def to_frame(self) -> pd.DataFrame:
        """Means as a table.

        Returns
        -------
        pandas.DataFrame
            One row a direction and step, one column a figure; NaN where nothing could be measured.
        """
        return pd.DataFrame([{name: _mean(value) for name, value in _fields(row).items()} for row in self.rows])

    def save(self, path: Path) -> None:
        """Write the result as JSON.

        Parameters
        ----------
        path
            A `.json` file; it is replaced.
        """
        write_json(path, self.model_dump(exclude_unset=True))


def _mean(value: object) -> object:
    return value.mean if isinstance(value, Figure) else float("nan") if value is None else value


@dataclass(frozen=True)
class Observers:
    """What looks at the images before and after: the scorer of the target, a classifier and a perceptual distance, if any."""

    target: Scorer
    classifier: Scorer | None = None
    perceptual: PerceptualSpace | None = None


def compare_directions(
    space: Space, directions: Sequence[Direction], observers: Observers, *, seeds: Sequence[int], steps: Sequence[float],
) -> EntanglementResult:  # fmt: skip
    """`entanglement` of directions of one generator, and their ranking."""
    rows = entanglement(space, directions, observers, seeds=seeds, steps=steps)
    return EntanglementResult(
        run=str(space.generator.run),
        checkpoint=space.generator.checkpoint.hash,
        target=observers.target.name,
        threshold=observers.target.threshold,
        seeds=(seeds[0], seeds[-1]),
        ranking=tuple(rank_directions(rows)),
        rows=tuple(rows),
    )


def entanglement(
    space: Space, directions: Sequence[Direction], observers: Observers, *, seeds: Sequence[int], steps: Sequence[float],
) -> list[EntanglementRow]:  # fmt: skip
    """For every direction and step, over the latents of the seeds: change of the target's score, and of what should stay.

    Raises UserError for fewer than 200 seeds.
    """
    if len(seeds) < FEWEST:
        raise UserError(f"`count` {len(seeds)}: at least {FEWEST} latents are needed")
    targets = space.generator.model.targets()
    labels = [targets[i % len(targets)] for i in range(len(seeds))]
    points = space.points(list(seeds), labels, None)
    before = _observe(_images(space, points, seeds, labels), observers)
    rows = []
    pairs = [(direction, float(step)) for direction in directions for step in steps]
    for direction, step in progress_bar(pairs, total=len(pairs), label="along directions", unit="step"):
        after = _observe(_images(space, move_points(space, points, direction, step), seeds, labels), observers)
        figures = {name: figure(values) for name, values in _changes(before, after, observers).items()}
        rows.append(EntanglementRow(direction=direction.name, step=step, **figures))
    return rows


@dataclass(frozen=True)
class Appearances:
    """Lesion masks, ABCD features [n, 4] and skin tones [n] of images; NaN where no lesion or skin was found."""

    lesions: list[Masks]
    features: NDArray[np.float64]
    tones: NDArray[np.float64]


@dataclass(frozen=True)
class Observation:
    """Images, their appearances, and what the observers say of them."""

    images: Images
    appearances: Appearances
    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64] | None


def _observe(images: Images, observers: Observers) -> Observation:
    probabilities = None if observers.classifier is None else observers.classifier.score(images)
    return Observation(images, _appearances(images), observers.target.score(images), probabilities)


def _changes(before: Observation, after: Observation, observers: Observers) -> dict[str, NDArray[np.float64]]:
    """Every change [n]; NaN where it could not be measured."""
    first, second, scale = before.appearances, after.appearances, np.nanstd(before.appearances.features, axis=0)
    showed, shows = (side.scores >= observers.target.threshold for side in (before, after))
    masks = list(zip(first.lesions, second.lesions, strict=True))
    pairs = list(zip(before.images, after.images, first.lesions, strict=True))
    changes = {
        "target": after.scores - before.scores,
        "gone": np.where(showed, ~shows, np.nan).astype(float),
        "dice": np.array([_overlap(a, b) for a, b in masks]),
        "inside": np.array([_similarity(a, b, lesion) for a, b, lesion in pairs]),
        **{name: np.abs(second.features[:, i] - first.features[:, i]) / scale[i] for i, name in enumerate(ABCD)},
        "skin_tone": np.abs(second.tones - first.tones),
    }
    if before.probabilities is not None and after.probabilities is not None:
        changes["classifier"] = np.abs(after.probabilities - before.probabilities)
    if observers.perceptual is not None:
        exchanged = np.stack([np.where(lesion, b, a) for a, b, lesion in pairs])
        distance = ((observers.perceptual(exchanged) - observers.perceptual(before.images)) ** 2).sum(axis=1)
        changes["perceptual"] = np.where([lesion.any() for lesion in first.lesions], distance, np.nan)
    return changes


def figure(values: NDArray[np.float64]) -> Figure | None:
    """Mean and interval of what could be measured; None where nothing could."""
    measured = values[np.isfinite(values)]
    if len(measured) == 0:
        return None
    return Figure(float(measured.mean()), *mean_interval(measured), len(measured))


def _appearances(images: Images) -> Appearances:
    rows = parallel_map(_measure, list(images), chunk=PART)
    return Appearances([row[0] for row in rows], np.array([row[1] for row in rows]), np.array([row[2] for row in rows]))


def _measure(planes: NDArray[np.uint8]) -> tuple[Masks, list[float], float]:
    """Lesion mask, ABCD features and skin tone of an image [3, h, w]."""
    image = np.ascontiguousarray(planes.transpose(1, 2, 0))
    lesion = lesion_mask(image)
    of_lesion = appearance(image, lesion)
    features = [float("nan")] * len(ABCD) if of_lesion is None else [float(getattr(of_lesion, name)) for name in ABCD]
    return lesion, features, skin_tone(image, ~lesion)


def _overlap(before: Masks, after: Masks) -> float:
    """Dice of lesion masks; NaN where neither image has a lesion."""
    return dice(before, after) if before.any() or after.any() else float("nan")


def _similarity(before: NDArray[np.uint8], after: NDArray[np.uint8], lesion: Masks) -> float:
    """SSIM of two images [3, h, w] within the lesion of the first."""
    if not lesion.any():
        return float("nan")
    return float(local_similarity(before.transpose(1, 2, 0), after.transpose(1, 2, 0)).map[lesion].mean())


def _images(space: Space, points: NDArray[np.float32], seeds: Sequence[int], labels: Sequence[int]) -> Images:
    starts = range(0, len(seeds), PART)
    parts = [space.images(points[i : i + PART], seeds[i : i + PART], labels[i : i + PART]) for i in starts]
    return np.concatenate(parts)


def rank_directions(rows: Sequence[EntanglementRow]) -> list[RankedDirection]:
    """One row a direction, best first: at the smallest step that takes the target from half the images, what it costs.

    The order is by the Dice of lesion masks there; directions that never take so much come last, by the share they take.
    """
    best: dict[str, RankedDirection] = {}
    for row in rows:
        taken = row.gone.mean if row.gone is not None else 0.0
        entry = RankedDirection(**_fields(row), taken=taken, enough=taken >= ENOUGH)
        former = best.get(row.direction)
        if former is None or _preference(entry) > _preference(former):
            best[row.direction] = entry
    return sorted(best.values(), key=_order, reverse=True)


def _fields(row: EntanglementRow) -> dict[str, Any]:
    return {name: value for name, value in row if name in row.model_fields_set}


def _preference(entry: RankedDirection) -> tuple[bool, float]:
    """Of the steps of one direction the smallest that is enough, else the one that takes most."""
    return entry.enough, -abs(entry.step) if entry.enough else entry.taken


def _order(entry: RankedDirection) -> tuple[bool, float]:
    if not entry.enough:
        return False, entry.taken
    return True, entry.dice.mean if entry.dice is not None else float("nan")
