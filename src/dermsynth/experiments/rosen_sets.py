"""The sets that ROSEN's classifiers are trained and tested on: synthetic, filtered, edited, cleaned, and pairs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from dermsynth.artefacts.datasets import insert_all, remove_all
from dermsynth.artefacts.removal import REMOVED, Removal
from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.folder import DESCRIPTION
from dermsynth.errors import UserError
from dermsynth.latents.attributes import ANY, Scorer, scorer
from dermsynth.latents.datasets import edit_set
from dermsynth.latents.directions import Direction, pca_directions, sefa_directions, svm_direction
from dermsynth.latents.samples import Samples, sample_scores
from dermsynth.latents.space import Space
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import Generator
from dermsynth.utility.material import FEWEST

POOL, CANDIDATES = 2, 10
"""Images made for each that is used, and principal or weight directions of which one is chosen."""
UNTARGETED, UNTOUCHED = "without the artefact", "without any artefact"


@dataclass(frozen=True)
class Sets:
    """Synthetic sets by name, the first as generated; the real set cleaned and in pairs; what could not be made and why."""

    synthetic: Mapping[str, DataSet]
    cleaned: DataSet
    pairs: Mapping[str, DataSet]
    directions: Mapping[str, Direction]
    left_out: Mapping[str, str] = field(default_factory=dict)


def scores_of(rows: DataSet, decoding: Decoding, scorer: Scorer) -> NDArray[np.float64]:
    """Scores of a set's images at the generator's size: all sets are looked at alike."""
    return scorer.score(np.asarray(decode_images(rows, decoding)))


def synthetic_sets(
    generator: Generator, each: int, target: Scorer, decoding: Decoding, out: Path
) -> dict[str, DataSet]:
    """`each` images a class as generated, and as many of twice as many that do not show the artefact, or no artefact at all."""
    classes = generator.config.data.classes
    pool = generate(generator, dict.fromkeys(classes, POOL * each), out / "synthetic" / "pool")
    everything = np.ones(len(pool.table), bool)
    free = scores_of(pool, decoding, target) < target.threshold
    untouched = free & ~scorer(ANY).shows(np.asarray(decode_images(pool, decoding)))
    masks = {"synthetic": everything, UNTARGETED: free, UNTOUCHED: untouched}
    return {name: first(pool, mask, each) for name, mask in masks.items()}


def usable(rows: DataSet, generator: Generator) -> bool:
    """Whether there are images enough of every class to train on."""
    return min(rows.count(label) for label in generator.config.data.classes) >= FEWEST


def first(data_set: DataSet, keep: NDArray[np.bool_], each: int) -> DataSet:
    """The first images of every class among those to keep."""
    chosen = np.zeros(len(keep), bool)
    for label in data_set.classes:
        chosen[np.flatnonzero(keep & (data_set.labels == label))[:each]] = True
    return data_set.part(chosen)


def edited_set(direction: str) -> str:
    """Name of the synthetic set that is edited along a direction."""
    return f"edited, {direction}"


def directions_of(
    space: Space, target: Scorer, samples: Samples, seed: int
) -> tuple[dict[str, Direction], dict[str, str]]:
    """One direction a method along which the artefact's score rises, and why a method has none."""
    makers: dict[str, Callable[[], Direction]] = {
        "SVM": lambda: svm_direction(samples, target.threshold, target.name, seed),
        "PCA": lambda: most_correlated(pca_directions(samples.points, CANDIDATES), samples),
        "SeFa": lambda: most_correlated(sefa_directions(space, CANDIDATES, None, samples.points), samples),
    }
    directions, left_out = {}, {}
    for name, make in makers.items():
        try:
            directions[name] = replace(make(), name=name)
        except UserError as error:
            left_out[edited_set(name)] = str(error)
    return directions, left_out


def most_correlated(candidates: list[Direction], samples: Samples) -> Direction:
    """The direction with the largest rank correlation (Spearman) of score and place along it, turned so that the score rises."""
    correlations = [scipy.stats.spearmanr(samples.points @ c.vector, samples.scores).statistic for c in candidates]
    best = int(np.argmax(np.abs(np.nan_to_num(correlations))))
    chosen, sign = candidates[best], -1.0 if correlations[best] < 0 else 1.0
    facts = {**chosen.facts, "candidate": chosen.name, "of": len(candidates), "correlation": float(correlations[best])}
    return replace(chosen, vector=(sign * chosen.vector).astype(np.float32), facts=facts)


def once(folder: Path, make: Callable[[], object]) -> DataSet:
    """Open a set, after making it if it is not there yet."""
    if not (folder / DESCRIPTION).exists():
        make()
    return open_data_set(folder)


@dataclass(frozen=True)
class SetsRequest:
    """Synthetic images a class, points sampled, the artefact drawn and removed, how frames are filled, and the seed."""

    each: int
    points: int
    artefact: str
    fill: str
    seed: int


def prepare_sets(real: DataSet, space: Space, target: Scorer, request: SetsRequest, out: Path) -> Sets:
    """Everything that is trained on and tested on; sets of an earlier call are opened."""
    generator = space.generator
    data, shape = generator.config.data, generator.model.shape
    decoding = Decoding(shape.height, shape.width, data.crop, data.filter)
    synthetic = synthetic_sets(generator, request.each, target, decoding, out)
    left_out = {name: f"{len(rows.table)} images" for name, rows in synthetic.items() if not usable(rows, generator)}
    synthetic = {name: rows for name, rows in synthetic.items() if name not in left_out}
    labels = generator.model.targets()
    samples = sample_scores(
        space, target, out / "samples", count=request.points, first_seed=500_000_000, labels=labels, truncation=None
    )
    directions, without = directions_of(space, target, samples, request.seed)
    source = synthetic["synthetic"]
    for name, direction in directions.items():
        folder = out / "synthetic" / f"edited-{name.lower()}"
        edit = partial(edit_set, source, space, direction, folder, steps=None, until_absent=target)
        synthetic[edited_set(name)] = once(folder, edit)
    cleaned, pairs = cleaned_sets(real, request, out / "real")
    return Sets(synthetic, cleaned, pairs, directions, left_out | without)


def cleaned_sets(real: DataSet, request: SetsRequest, out: Path) -> tuple[DataSet, dict[str, DataSet]]:
    """The real set without artefacts; and its test images with the artefact drawn in, and with it removed."""
    methods: dict[str, str] = {name: request.fill if name == "frame" else "telea" for name in REMOVED}
    everything = Removal(methods, seed=request.seed)  # type: ignore[arg-type]
    artefact = request.artefact
    alone = Removal({artefact: methods[artefact]}, seed=request.seed)  # type: ignore[dict-item]
    test = real.split("test")
    makers: dict[str, Callable[[], object]] = {
        "cleaned": partial(remove_all, real, out / "cleaned", everything),
        "inserted": partial(insert_all, test, out / "inserted", [artefact], request.seed),
        "removed": partial(remove_all, test, out / "removed", alone),
    }
    sets = {name: once(out / name, make) for name, make in makers.items()}
    return sets.pop("cleaned"), {f"{artefact} {name}": rows for name, rows in sets.items()}
