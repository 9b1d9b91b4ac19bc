"""A labelled synthetic data set from a run: quotas a class, resumable, marked as synthetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from dermsynth.data.dataset import DESCRIPTION, DataSet, open_data_set, write_data_set
from dermsynth.data.verification import verify
from dermsynth.errors import UserError, require_seed
from dermsynth.images import encode_png
from dermsynth.io import disk_errors, read_json, write_bytes, write_json
from dermsynth.locks import begun_with, claim_folder
from dermsynth.models.base import Condition, Model, require_edition, resampled
from dermsynth.models.registry import family
from dermsynth.models.sampler import CHUNK, images_of, noise_of, one_hot
from dermsynth.progress import progress_bar
from dermsynth.sampling.names import image_name, images_there
from dermsynth.training import checkpoints, distributed
from dermsynth.training.config import RunConfig, earlier_data, read_config
from dermsynth.training.loop import build

JOB = ".generating.json"
SEEDS_A_CLASS = 1_000_000_000


class Origin(BaseModel):
    """Where generated images come from: `generator` in `dataset.json`, and what a folder of them was begun with.

    Fields that were not given are not written: `first_seed` belongs to images from seeds, `translated_to` and what follows to
    translations, `maps` to images of maps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    family: str = Field(alias="recipe")
    run: str
    checkpoint: str = Field(description="SHA-256 of the checkpoint's weights")
    images_shown: int
    truncation: float | None = None
    classes: tuple[str, ...]
    data_hash: str
    rows_hash: str
    earlier: tuple[dict[str, str], ...] = Field(description="data of the runs that the run's weights came from")
    split: str
    exclude: tuple[str, ...]
    crop: str
    filter: str
    first_seed: int = 0
    translated_to: str = ""
    source: str = ""
    source_hash: str = ""
    source_split: str = ""
    masks: str = ""
    maps: str = ""
    maps_hash: str = ""
    maps_split: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file: the fields that were given."""
        return self.model_dump(mode="json", exclude_unset=True)

    def with_facts(self, **facts: object) -> "Origin":
        """The same with further fields."""
        return self.model_validate({**self.to_json(), **facts})


@dataclass(frozen=True)
class Generator:
    """A trained model with its configuration and the checkpoint it was loaded from."""

    model: Model
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
        return self.model.shape.height, self.model.shape.width

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
        return next(self.model.parameters()).device

    def _class(self, label: str) -> int:
        return self.labels.index(label) if self.labels else 0

    def _noise(self, label: str, seeds: Sequence[int]) -> list[Tensor]:
        """All noise of a chunk of images."""
        shapes, number = self.model.noise_shapes(), self._class(label)
        drawn = [noise_of(class_seed(number, seed), shapes) for seed in seeds]
        return [torch.stack(arrays).to(self._device) for arrays in zip(*drawn, strict=True)]

    def _point(self, z: Tensor, label: str, truncation: float | None) -> Tensor:
        condition = one_hot([self._class(label)] * len(z), self.model.classes, self._device)
        w = self.model.style(z, condition, truncation)
        return resampled(z, truncation) if w is None else w

    def _images(self, points: Tensor, noise: list[Tensor], label: str) -> Tensor:
        if self.model.style_weights():
            return self.model.of_style(points, noise[1:])
        condition = one_hot([self._class(label)] * len(points), self.model.classes, self._device)
        return self.model.sample([points, *noise[1:]], Condition(condition), None)

    @property
    def recipe(self) -> Model:
        """The former name of `model`."""
        return self.model

    def provenance(self, truncation: float | None) -> dict[str, Any]:
        """The former name of `origin`."""
        return self.origin().with_facts(truncation=truncation).to_json()

    def origin(self) -> Origin:
        """What a set of its images says of where it comes from."""
        data = self.config.data
        return Origin(
            family=self.config.family,
            run=str(self.run.resolve()),
            checkpoint=self.checkpoint.hash,
            images_shown=self.checkpoint.images,
            classes=data.classes,
            data_hash=data.content_hash,
            rows_hash=data.rows_hash,
            earlier=tuple(earlier_data(self.config)),
            split=data.split,
            exclude=data.exclude,
            crop=data.crop,
            filter=data.filter,
        )


def _padded(seed: int, count: int) -> list[list[int]]:
    """Seeds in whole chunks, the last one filled up, as images are always computed."""
    seeds = list(range(seed, seed + count))
    chunks = [seeds[start : start + CHUNK] for start in range(0, count, CHUNK)]
    return [[*chunk, *chunk[-1:] * (CHUNK - len(chunk))] for chunk in chunks]


def load_generator(run: Path | str, *, which: str = "last", device: str = "auto") -> Generator:
    """Load a checkpoint of a run. Nothing is written into the run's folder.

    Parameters
    ----------
    run
        The run's folder.
    which
        `last`, `best`, or the images shown of a checkpoint.
    device
        auto, cpu, cuda or cuda:1.

    Raises
    ------
    UserError
        The run, the checkpoint or its weights are not what they should be.
    """
    run = Path(run)
    config = read_config(run)
    checkpoint = checkpoints.find(run, which)
    _check_checkpoint(checkpoint, config)
    model = build(config, distributed.choose_device(device))
    try:
        model.load_state_dict(checkpoint.network())
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip() if len(str(error).splitlines()) > 1 else str(error)
        raise UserError(f"{checkpoint.path}: does not fit the run's {config.family} ({reason})") from error
    return Generator(model.eval(), config, checkpoint, run)


def _check_checkpoint(checkpoint: checkpoints.Checkpoint, config: RunConfig) -> None:
    """Raise UserError for a checkpoint of another family, edition or list of classes than the run's."""
    path, state = checkpoint.path, checkpoint.state
    if state.family != config.family:
        raise UserError(f"{path}: a checkpoint of {state.family!r}, the run is {config.family!r}")
    require_edition(family(config.family), config.family, state.edition, path)
    if state.classes != config.data.classes:
        raise UserError(f"{path}: classes {list(state.classes)}, the run has {list(config.data.classes)}")


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
    device = next(generator.model.parameters()).device
    distributed.start(device.type)
    try:
        _check(generator, counts, truncation, first_seed)
        origin = generator.origin().with_facts(truncation=truncation, first_seed=first_seed)
        with distributed.held(out, device):
            claim(out, origin)
            images_there(out, generator.config.data.classes)  # refused now, not after the work
            missing = _missing(generator, counts, out, first_seed)
            distributed.wait()  # every process must see the folder before any writes
            parts = [missing[i : i + CHUNK] for i in range(0, len(missing), CHUNK)]
            mine = parts[distributed.rank() :: distributed.count()]
            bar = progress_bar(mine, total=len(mine), label="generating", unit=f"x{CHUNK} img")
            for part in bar if distributed.rank() == 0 else mine:
                _write_images(generator, part, truncation)
            distributed.wait()
            return _write_table(generator, counts, out, origin)
    finally:
        distributed.stop()


def _check(generator: Generator, counts: Mapping[str, int], truncation: float | None, first_seed: int) -> None:
    """Raise UserError for a request that the generator cannot carry out."""
    model, family_name = generator.model, generator.config.family
    if not model.inputs.from_noise:
        way = f"`{model.inputs.source}`" if model.inputs.verb == "generate" else f"dermsynth {model.inputs.verb}"
        raise UserError(f"{generator.run}: {family_name} makes images from images, not from seeds; use {way}")
    known = generator.config.data.classes or ("",)
    for label, count in counts.items():
        if label not in known:
            there = (
                ", ".join(generator.config.data.classes) or "none: the generator is unconditional, write `count` 500"
            )
            raise UserError(f"`count` {label}: no such class; there are: {there}")
        if not 0 < count <= SEEDS_A_CLASS:
            raise UserError(f"`count` {label}={count}: must be at least 1")
    if truncation is not None and not model.accepts_truncation(truncation):
        raise UserError(f"`truncation` {truncation}: {family_name} takes {model.truncation}")
    require_seed(first_seed)


def claim(out: Path, origin: Origin) -> None:
    """Begin a folder of generated images, or see that it was begun with the same generator, truncation and seed.

    Raises UserError for a folder that holds anything else.
    """
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    description = read_json(out / DESCRIPTION) if (out / DESCRIPTION).exists() else None
    if description is not None and not description.get("synthetic"):
        raise UserError(f"{out}: holds real images; synthetic ones are never mixed in; choose another `out`")
    claim_folder(out, JOB, origin.to_json(), kind="a synthetic set", difference=_difference, write=False)
    if description is not None:
        verify(open_data_set(out), unfinished=True)  # images of earlier calls are taken as they are
    distributed.wait()
    if distributed.rank() == 0:
        write_json(out / JOB, origin.to_json())
    distributed.wait()


def _difference(earlier: Mapping[str, Any], job: Mapping[str, Any]) -> str:
    """A run may have been moved."""
    return begun_with(earlier, {key: value for key, value in job.items() if key != "run"})


def _missing(
    generator: Generator, counts: Mapping[str, int], out: Path, first_seed: int
) -> list[tuple[Path, str, int]]:
    """Path, class and seed of every image that is not there yet."""
    wanted = [
        (out / image_name(generator.config.data.classes, label, first_seed + k), label, first_seed + k)
        for label, n in counts.items()
        for k in range(n)
    ]
    return [image for image in wanted if not image[0].exists()]


def class_seed(number: int, seed: int) -> int:
    """Images of different classes with one seed get unrelated latents."""
    return number * SEEDS_A_CLASS + seed


def _pixels(generator: Generator, wanted: Sequence[tuple[str, int]], truncation: float | None) -> NDArray[np.uint8]:
    """Images uint8 [n, h, w, 3] of labels and seeds."""
    classes = generator.config.data.classes
    numbers = [classes.index(label) if classes else 0 for label, _ in wanted]
    seeds = [class_seed(number, seed) for number, (_, seed) in zip(numbers, wanted, strict=True)]
    return images_of(generator.model, seeds, numbers, truncation).transpose(0, 2, 3, 1)


def _write_images(generator: Generator, part: list[tuple[Path, str, int]], truncation: float | None) -> None:
    images = _pixels(generator, [(label, seed) for _, label, seed in part], truncation)
    for (path, label, seed), image in zip(part, images, strict=True):
        text = {
            "Software": "dermsynth",
            "seed": str(seed),
            "label": label,
            "truncation": "none" if truncation is None else str(truncation),
            "checkpoint": generator.checkpoint.hash,
        }
        write_bytes(path, encode_png(image, text=text, synthetic=True))


def _write_table(generator: Generator, counts: Mapping[str, int], out: Path, origin: Origin) -> DataSet:
    """Table and description of every image in the folder, also of earlier calls with other quotas."""
    missing = len(_missing(generator, counts, out, origin.first_seed))
    if missing:
        raise UserError(f"{out}: {missing} images are missing; repeat the command")
    if distributed.rank() != 0:
        distributed.wait()
        return open_data_set(out)
    quotas = {label or "image": n for label, n in counts.items()}
    step = {"command": "dermsynth generate", "count": quotas}
    data_set = write_data_set(out, _table(generator, out, origin), description_of(origin), step)
    distributed.wait()
    return data_set


def _table(generator: Generator, out: Path, origin: Origin) -> pd.DataFrame:
    truncation = "none" if origin.truncation is None else origin.truncation
    common = {"truncation": truncation, "checkpoint": generator.checkpoint.hash[:16], "synthetic": "true"}
    rows = [
        {"file_name": image.name, "label": image.label, "seed": str(image.seed), **common}
        for image in images_there(out, generator.config.data.classes)
    ]
    table = pd.DataFrame(rows)
    return table if generator.config.data.classes else table.drop(columns="label")


def description_of(origin: Origin) -> dict[str, object]:
    """What `dataset.json` says of a set of generated images."""
    return {
        "synthetic": True,
        "source": "generated images; not photographs of patients",
        "digital_source_type": "trainedAlgorithmicMedia",
        "generator": origin.to_json(),
    }
