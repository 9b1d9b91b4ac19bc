"""A labelled synthetic data set from a run: quotas a class, resumable, marked as synthetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermsynth.data.dataset import DESCRIPTION, DataSet, open_data_set, write_data_set
from dermsynth.data.verification import verify
from dermsynth.errors import UserError, require_seed
from dermsynth.images import encode_png
from dermsynth.io import disk_errors, read_json, write_bytes, write_json
from dermsynth.locks import LOCK
from dermsynth.models.base import Condition, Recipe, require_edition, resampled
from dermsynth.models.registry import family
from dermsynth.models.sampler import CHUNK, images_of, noise_of, one_hot
from dermsynth.progress import progress_bar
from dermsynth.sampling.names import image_name, images_there
from dermsynth.training import checkpoints, distributed
from dermsynth.training.config import RunConfig, earlier_data, read_config
from dermsynth.training.loop import build

JOB = ".generating.json"
SEEDS_A_CLASS = 1_000_000_000


@dataclass(frozen=True)
class Generator:
    """A trained recipe with its configuration and the checkpoint it was loaded from."""

    recipe: Recipe
    config: RunConfig
    checkpoint: checkpoints.Checkpoint
    run: Path

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that can be asked for; none for an unconditional generator."""
        return tuple(self.config.data.classes)

    @property
    def resolution(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return self.recipe.shape.height, self.recipe.shape.width

    def sample(
        self, count: int, *, label: str = "", seed: int = 0, truncation: float | None = None
    ) -> NDArray[np.uint8]:
        """Generate images of one class: those that `generate` writes for the same seeds.

        Parameters
        ----------
        count : int
            Number of images, at least 1.
        label : str
            Their class, one of `labels`; blank for an unconditional generator.
        seed : int
            Seed of the first image, at least 0; image i has the seed `seed` + i.
        truncation : float or None
            Smaller values give more typical images; None for none. Its range depends on the family.

        Returns
        -------
        ndarray of uint8 [count, height, width, 3]
            RGB images, 0 to 255.

        Raises
        ------
        UserError
            An unknown class, or a truncation that the family does not take.

        Examples
        --------
        >>> import dermsynth as ds
        >>> generator = ds.load_generator("run", device="cpu")
        >>> generator.sample(2, label="nevus", seed=5).shape
        (2, 32, 32, 3)
        """
        _check(self, {label: count}, truncation, seed)
        return _pixels(self, [(label, seed + k) for k in range(count)], truncation)

    def latents(self, count: int, *, label: str = "", seed: int = 0, truncation: float | None = None) -> Tensor:
        """The latent points of the images that `sample` makes: w of a family with styles, else z.

        Parameters
        ----------
        count : int
            Number of points, at least 1.
        label : str
            Their class, one of `labels`; blank for an unconditional generator.
        seed : int
            Seed of the first point, at least 0.
        truncation : float or None
            As for `sample`.

        Returns
        -------
        Tensor of float32 [count, d]
            The points, on the generator's device.

        Raises
        ------
        UserError
            An unknown class, or a truncation that the family does not take.

        Examples
        --------
        >>> import dermsynth as ds
        >>> generator = ds.load_generator("run", device="cpu")
        >>> generator.latents(3, label="melanoma").shape
        torch.Size([3, 64])
        """
        _check(self, {label: count}, truncation, seed)
        chunks = [self._noise(label, part) for part in _padded(seed, count)]
        with torch.no_grad():
            points = [self._point(noise[0], label, truncation) for noise in chunks]
        return torch.cat(points)[:count]

    def synthesise(self, latents: Tensor, *, label: str = "", seed: int = 0) -> Tensor:
        """Images of latent points, through which gradients flow.

        Parameters
        ----------
        latents : Tensor of float [n, d]
            Points as from `latents`; of a family with styles also one w a layer, [n, layers, d].
        label : str
            The class, for families without styles.
        seed : int
            Seed of the first image's other noise, at least 0; of a point from `latents` its own seed.

        Returns
        -------
        Tensor of float [n, 3, height, width]
            RGB images, about -1 to 1.

        Raises
        ------
        UserError
            An unknown class, or a family that makes images from images.

        Examples
        --------
        >>> import dermsynth as ds
        >>> generator = ds.load_generator("run", device="cpu")
        >>> w = generator.latents(1, label="nevus", seed=7).requires_grad_()
        >>> generator.synthesise(w, label="nevus", seed=7).mean().backward()
        >>> w.grad.shape
        torch.Size([1, 64])
        """
        _check(self, {label: len(latents)}, None, seed)
        parts = []
        for index, seeds in enumerate(_padded(seed, len(latents))):
            points = latents[index * CHUNK : (index + 1) * CHUNK]
            filling = points[-1:].expand(CHUNK - len(points), *points.shape[1:])
            parts.append(self._images(torch.cat([points, filling]), self._noise(label, seeds), label)[: len(points)])
        return torch.cat(parts)

    @property
    def _device(self) -> torch.device:
        return next(self.recipe.parameters()).device

    def _class(self, label: str) -> int:
        return self.labels.index(label) if self.labels else 0

    def _noise(self, label: str, seeds: Sequence[int]) -> list[Tensor]:
        """All noise of a chunk of images."""
        shapes, number = self.recipe.noise_shapes(), self._class(label)
        drawn = [noise_of(class_seed(number, seed), shapes) for seed in seeds]
        return [torch.stack(arrays).to(self._device) for arrays in zip(*drawn, strict=True)]

    def _point(self, z: Tensor, label: str, truncation: float | None) -> Tensor:
        condition = one_hot([self._class(label)] * len(z), self.recipe.classes, self._device)
        w = self.recipe.style(z, condition, truncation)
        return resampled(z, truncation) if w is None else w

    def _images(self, points: Tensor, noise: list[Tensor], label: str) -> Tensor:
        if self.recipe.style_weights():
            return self.recipe.of_style(points, noise[1:])
        condition = one_hot([self._class(label)] * len(points), self.recipe.classes, self._device)
        return self.recipe.sample([points, *noise[1:]], Condition(condition), None)

    def provenance(self, truncation: float | None) -> dict[str, Any]:
        """What a synthetic set says about its origin."""
        data = self.config.data
        return {
            "recipe": self.config.recipe,
            "run": str(self.run.resolve()),
            "checkpoint": self.checkpoint.hash,
            "images_shown": self.checkpoint.images,
            "truncation": truncation,
            "classes": list(data.classes),
            "data_hash": data.content_hash,
            "rows_hash": data.rows_hash,
            "earlier": earlier_data(self.config),
            "split": data.split,
            "exclude": list(data.exclude),
            "crop": data.crop,
            "filter": data.filter,
        }


def _padded(seed: int, count: int) -> list[list[int]]:
    """Seeds in whole chunks, the last one filled up, as images are always computed."""
    seeds = list(range(seed, seed + count))
    chunks = [seeds[start : start + CHUNK] for start in range(0, count, CHUNK)]
    return [[*chunk, *chunk[-1:] * (CHUNK - len(chunk))] for chunk in chunks]


def load_generator(run: Path | str, *, which: str = "last", device: str = "auto") -> Generator:
    """Load a checkpoint of a run: `last`, `best`, or images shown.

    Raises UserError when the run, the checkpoint or its weights are not what they should be.
    """
    run = Path(run)
    config = read_config(run)
    checkpoint = checkpoints.find(run, which)
    if checkpoint.state["recipe"] != config.recipe:
        raise UserError(
            f"{checkpoint.path}: a checkpoint of {checkpoint.state['recipe']!r}, the run is {config.recipe!r}"
        )
    require_edition(family(config.recipe), checkpoint.state, checkpoint.path)
    if tuple(checkpoint.state["classes"]) != config.data.classes:
        raise UserError(
            f"{checkpoint.path}: classes {checkpoint.state['classes']}, the run has {list(config.data.classes)}"
        )
    recipe = build(config, distributed.choose_device(device))
    try:
        recipe.load_state_dict(checkpoint.network())
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip() if len(str(error).splitlines()) > 1 else str(error)
        raise UserError(f"{checkpoint.path}: does not fit the run's {config.recipe} ({reason})") from error
    return Generator(recipe.eval(), config, checkpoint, run)


def generate(
    generator: Generator,
    counts: Mapping[str, int],
    out: Path | str,
    *,
    truncation: float | None = None,
    first_seed: int = 0,
) -> DataSet:
    """Write `counts` images a class (class "" for an unconditional generator) into `out`.

    Image k of a class has the seed first_seed + k and depends on nothing else but checkpoint, class and truncation.
    What is already there from an earlier, interrupted call is kept. Started by `torchrun`, the processes share the work.

    Raises UserError for an unknown class, a truncation the family does not take, or a folder with anything else in it.
    """
    out = Path(out)
    distributed.keep_freed_memory()
    device = next(generator.recipe.parameters()).device
    distributed.start(device.type)
    try:
        _check(generator, counts, truncation, first_seed)
        job = {**generator.provenance(truncation), "first_seed": first_seed}
        with distributed.held(out, device):
            claim(out, job)
            images_there(out, generator.config.data.classes)  # refused now, not after the work
            todo = _todo(generator, counts, out, first_seed)
            distributed.wait()  # every process must see the folder before any writes
            mine = [todo[i : i + CHUNK] for i in range(0, len(todo), CHUNK)][distributed.rank() :: distributed.count()]
            bar = progress_bar(mine, total=len(mine), label="generating", unit=f"x{CHUNK} img")
            for chunk in bar if distributed.rank() == 0 else mine:
                _write_chunk(generator, chunk, truncation)
            distributed.wait()
            return _finish(generator, counts, out, job)
    finally:
        distributed.stop()


def _check(generator: Generator, counts: Mapping[str, int], truncation: float | None, first_seed: int) -> None:
    if generator.recipe.takes != "images":
        way = "`maps`" if generator.recipe.takes == "maps" else "dermsynth translate"
        raise UserError(
            f"{generator.run}: {generator.config.recipe} makes images from images, not from seeds; use {way}"
        )
    known = generator.config.data.classes or ("",)
    for label, count in counts.items():
        if label not in known:
            there = (
                ", ".join(generator.config.data.classes) or "none: the generator is unconditional, write `count` 500"
            )
            raise UserError(f"`count` {label}: no such class; there are: {there}")
        if not 0 < count <= SEEDS_A_CLASS:
            raise UserError(f"`count` {label}={count}: must be at least 1")
    if truncation is not None and not generator.recipe.accepts_truncation(truncation):
        raise UserError(f"`truncation` {truncation}: {generator.config.recipe} takes {generator.recipe.truncation}")
    require_seed(first_seed)


def claim(out: Path, job: dict[str, Any]) -> None:
    """Make the folder ours, or see that it was begun with the same generator, truncation and seed."""
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    description = read_json(out / DESCRIPTION) if (out / DESCRIPTION).exists() else None
    if description is not None and not description.get("synthetic"):
        raise UserError(f"{out}: holds real images; synthetic ones are never mixed in; choose another `out`")
    if (out / JOB).exists():
        earlier = read_json(out / JOB)
        changed = [k for k in job if k != "run" and earlier.get(k) != job[k]]
        if changed:
            key = changed[0]
            raise UserError(f"{out}: begun with {key} {earlier.get(key)!r}, now {job[key]!r}; choose another `out`")
    elif any(path.name != LOCK for path in out.iterdir()):
        raise UserError(f"{out}: not empty and no synthetic set; choose another `out`")
    if description is not None:
        verify(open_data_set(out), unfinished=True)  # images of earlier calls are taken as they are
    distributed.wait()
    if distributed.rank() == 0:
        write_json(out / JOB, job)
    distributed.wait()


def _todo(generator: Generator, counts: Mapping[str, int], out: Path, first_seed: int) -> list[tuple[Path, str, int]]:
    """Path, class and seed of every image that is not there yet."""
    everything = [
        (out / image_name(generator.config.data.classes, label, first_seed + k), label, first_seed + k)
        for label, n in counts.items()
        for k in range(n)
    ]
    return [item for item in everything if not item[0].exists()]


def class_seed(number: int, seed: int) -> int:
    """Images of different classes with one seed get unrelated latents."""
    return number * SEEDS_A_CLASS + seed


def _pixels(generator: Generator, wanted: Sequence[tuple[str, int]], truncation: float | None) -> NDArray[np.uint8]:
    """Images uint8 [n, h, w, 3] of labels and seeds."""
    classes = generator.config.data.classes
    numbers = [classes.index(label) if classes else 0 for label, _ in wanted]
    seeds = [class_seed(number, seed) for number, (_, seed) in zip(numbers, wanted, strict=True)]
    return images_of(generator.recipe, seeds, numbers, truncation).transpose(0, 2, 3, 1)


def _write_chunk(generator: Generator, chunk: list[tuple[Path, str, int]], truncation: float | None) -> None:
    images = _pixels(generator, [(label, seed) for _, label, seed in chunk], truncation)
    for (path, label, seed), image in zip(chunk, images, strict=True):
        text = {
            "Software": "dermsynth",
            "seed": str(seed),
            "label": label,
            "truncation": "none" if truncation is None else str(truncation),
            "checkpoint": generator.checkpoint.hash,
        }
        write_bytes(path, encode_png(image, text=text, synthetic=True))


def _finish(generator: Generator, counts: Mapping[str, int], out: Path, job: dict[str, Any]) -> DataSet:
    """Table and description of every image in the folder, also of earlier calls with other quotas."""
    missing = len(_todo(generator, counts, out, int(job["first_seed"])))
    if missing:
        raise UserError(f"{out}: {missing} images are missing; repeat the command")
    truncation = "none" if job["truncation"] is None else job["truncation"]
    made = {"truncation": truncation, "checkpoint": generator.checkpoint.hash[:16], "synthetic": "true"}
    rows = [
        {"file_name": one.name, "label": one.label, "seed": str(one.seed), **made}
        for one in images_there(out, generator.config.data.classes)
    ]
    table = pd.DataFrame(rows)
    if not generator.config.data.classes:
        table = table.drop(columns="label")
    facts = {
        "synthetic": True,
        "source": "generated images; not photographs of patients",
        "digital_source_type": "trainedAlgorithmicMedia",
        "generator": job,
    }
    if distributed.rank() != 0:
        distributed.wait()
        return open_data_set(out)
    quotas = {label or "image": n for label, n in counts.items()}
    data_set = write_data_set(out, table, facts, {"command": "dermsynth generate", "count": quotas})
    distributed.wait()
    return data_set
