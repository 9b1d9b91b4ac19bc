"""Measures that need the generator of a synthetic set: its discriminator's confidence, and path lengths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.data.claims import seen_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.training_set import Selection, chosen_rows, rows_hash
from dermsynth.errors import UserError
from dermsynth.metrics.path_length import lerp, path_classes, perceptual_path_lengths, slerp, trimmed_mean
from dermsynth.models.base import Condition
from dermsynth.models.registry import family
from dermsynth.models.sampler import CHUNK, discriminator_confidence, one_hot, stacked_noise
from dermsynth.progress import progress_bar
from dermsynth.sampling.generator import Generator, load_generator
from dermsynth.statistics.intervals import percentile_bootstrap
from dermsynth.training.checkpoints import NETWORK, Checkpoint, checkpoints
from dermsynth.training.config import read_config
from dermsynth.training.pretrained import locate

Array = NDArray[np.float64]
Confidence = Callable[[DataSet, NDArray[np.uint8]], Array]
"""How sure a discriminator is that images [n, 3, h, w] of a set are real: [n]."""
Ends = Literal["full", "end"]
PATH_SEED = 500_000_000
"""Latents of paths are those of seeds from here on: not those of usual images."""


def checkpoint_of(synthetic: DataSet) -> Checkpoint | None:
    """The checkpoint that made a set, if its run is still there."""
    run, hashed = synthetic.provenance.generator.run, synthetic.provenance.generator.checkpoint
    same = [c for c in checkpoints(locate(Path(run))) if c.state.hashes.get(NETWORK) == hashed] if run else []
    return same[0] if same else None


def generator_of(synthetic: DataSet, device: str = "auto") -> Generator | None:
    """The generator of a set, from the checkpoint that made it, if its run is still there."""
    checkpoint = checkpoint_of(synthetic)
    run = Path(synthetic.provenance.generator.run)
    return None if checkpoint is None else load_generator(run, which=str(checkpoint.images), device=device)


def set_with_run(synthetic: DataSet, run: Path | None) -> DataSet:
    """The set with the place that its generator's run was moved to; without one as it is.

    Raises UserError when the set has no generator, or none of the run's checkpoints made it.
    """
    if run is None:
        return synthetic
    origin = synthetic.provenance.generator
    if not origin.checkpoint:
        raise UserError(f"`run` {run}: {synthetic.folder} does not say which checkpoint made it; leave `run` out")
    read_config(run)
    moved = {**synthetic.description, "generator": {**origin.document, "run": str(run.resolve())}}
    with_place = DataSet(synthetic.folder, synthetic.table, moved)
    if checkpoint_of(with_place) is None:
        made_by = f"{origin.checkpoint[:16]} after {'?' if origin.images_shown is None else origin.images_shown} images"
        raise UserError(f"`run` {run}: holds no checkpoint that made {synthetic.folder} ({made_by})")
    return with_place


def run_problem(synthetic: DataSet) -> str:
    """Why the run that made a set was not found; empty where it was, or where the set names none."""
    origin = synthetic.provenance.generator
    if not origin.checkpoint or checkpoint_of(synthetic) is not None:
        return ""
    place = origin.run or "not named"
    return f"the run that made {synthetic.folder} was not found ({place}); if it was moved, name it with `run` DIR"


def training_folder(synthetic: DataSet) -> Path:
    """The folder of the data set that a set's generator was trained on.

    Raises UserError when run or data set are not where they were, or the set says nothing of them.
    """
    way = "name the real set with `against` DIR"
    origin = synthetic.provenance.generator
    if not origin.known:
        raise UserError(f"{synthetic.folder}: dataset.json names no generator; {way}")
    if origin.claimed:
        if not origin.trained_on:
            raise UserError(f"{synthetic.folder}: it is not said what its generator was trained on; {way}")
        if not Path(origin.trained_on).is_dir():
            raise UserError(f"{synthetic.folder}: the set it was trained on was not found ({origin.trained_on}); {way}")
        return Path(origin.trained_on)
    try:
        folder = Path(read_config(Path(origin.run)).data.folder)
    except UserError as error:
        raise UserError(f"{synthetic.folder}: the run that made it was not found; {way}") from error
    if not folder.is_dir():
        raise UserError(f"{synthetic.folder}: the set it was trained on was not found ({folder}); {way}")
    return folder


def discriminator_of(synthetic: DataSet, device: str = "auto") -> Confidence | None:
    """The discriminator that a set's generator was trained against, if its run is there and the family has one of images."""
    generator = generator_of(synthetic, device)
    if generator is None:
        return None
    classes = generator.config.data.classes
    probe = np.zeros((1, 3, generator.model.shape.height, generator.model.shape.width), np.uint8)
    if discriminator_confidence(generator.model, probe, [0]) is None:
        return None

    def confidence(rows: DataSet, images: NDArray[np.uint8]) -> Array:
        labels = [classes.index(str(label)) if label in classes else 0 for label in rows.labels]
        scores = discriminator_confidence(generator.model, images, labels)
        assert scores is not None
        return scores

    return confidence


def same_division(synthetic: DataSet, real: DataSet) -> bool:
    """Whether splits and labels of a real set are still those that the set's generator was trained on.

    Told for families trained on images, and for generators elsewhere; of others the rows are known in another way.
    """
    generator = synthetic.provenance.generator
    if generator.claimed:
        seen = real.part(seen_images(generator, real))
        return not generator.says("rows_hash") or rows_hash(seen) == generator.rows_hash
    if not generator.says("rows_hash") or not family(generator.recipe).inputs.from_noise:
        return True
    selection = Selection(generator.split, generator.exclude, bool(generator.classes))
    return bool(rows_hash(chosen_rows(real, selection)) == generator.rows_hash)


@dataclass(frozen=True)
class PathLength:
    """Mean perceptual path length without the extreme hundredths, its interval, and how many paths it is of."""

    space: str
    path: str
    value: float
    low: float
    high: float
    paths: int
    distance: str
    seed: int


def path_lengths(
    generator: Generator,
    perceptual: PerceptualSpace,
    paths: int,
    seed: int,
    labels: Sequence[str] = (),
    *,
    resamples: int = 500,
) -> list[PathLength]:
    """Path lengths in Z, and in W where the family has one, over whole paths and at their ends.

    The class of a path is drawn among `labels`, those of the real images: a class counts as often as it occurs there. Where
    they name none of the generator's classes, these take turns. Noise other than the latent is that of the path's first seed.
    Families without a latent have no figures.
    """
    if not generator.model.noise_shapes():
        return []
    figures, numbers = [], path_classes(labels, generator.config.data.classes, paths, seed)
    for space in ("Z", "W") if generator.model.has_style() else ("Z",):
        for path in ("full", "end"):
            lengths = _lengths(generator, perceptual, numbers, seed, space, path)
            interval = percentile_bootstrap(
                lambda x, _: trimmed_mean(x), lengths, lengths, resamples=resamples, seed=seed
            )
            figures.append(PathLength(space, path, trimmed_mean(lengths), *interval, paths, perceptual.name, seed))
    return figures


def _lengths(
    generator: Generator, perceptual: PerceptualSpace, numbers: NDArray[np.int64], seed: int, space: str, path: Ends
) -> Array:
    paths = len(numbers)
    starts = range(0, paths, CHUNK)
    random = torch.Generator().manual_seed(seed)
    bar = progress_bar(starts, total=len(starts), label=f"path length, {space}, {path}", unit=f"x{CHUNK} paths")
    chunks = (range(start, min(start + CHUNK, paths)) for start in bar)
    return np.concatenate(
        [_chunk(generator, perceptual, numbers, seed, chunk, space, path, random) for chunk in chunks]
    )


def _chunk(
    generator: Generator, perceptual: PerceptualSpace, numbers: NDArray[np.int64], seed: int, chunk: range, space: str,
    path: Ends, random: torch.Generator,
) -> Array:  # fmt: skip
    model = generator.model
    label = one_hot(numbers[chunk.start : chunk.stop], model.classes, next(model.parameters()).device)
    first, second = (stacked_noise(model, [PATH_SEED + 2 * (seed + k) + end for k in chunk]) for end in (0, 1))

    def synthesise(w: Tensor) -> Tensor:
        return model.synthesise(w, first[1:])

    def of_latent(z: Tensor) -> Tensor:
        length = z[0].numel() ** 0.5  # of normal numbers
        return model.sample([(z * length).reshape(first[0].shape), *first[1:]], Condition(label), None)

    ends = [model.style(side[0], label, None) if space == "W" else side[0].flatten(1) for side in (first, second)]
    start, end = (side for side in ends if side is not None)
    return perceptual_path_lengths(
        synthesise if space == "W" else of_latent, start, end, perceptual.distance,
        between=lerp if space == "W" else slerp, path=path, generator=random,
    )  # fmt: skip
