"""A trained generator: loaded from a run, asked for images, latents and where its images come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermsynth.data.provenance import GeneratorProvenance
from dermsynth.errors import UserError, describe, require_number, require_path, require_seed, require_whole
from dermsynth.models.base import Model, require_edition
from dermsynth.models.registry import family
from dermsynth.models.sampler import sample_images
from dermsynth.sampling.latents import images_of_points, latent_points
from dermsynth.training import checkpoints, distributed
from dermsynth.training.config import RunConfig, earlier_data, read_config
from dermsynth.training.loop import build
from dermsynth.training.pretrained import locate, name_of

SEEDS_A_CLASS = 1_000_000_000


@dataclass(frozen=True)
class Generator:
    """A trained model with its configuration and the checkpoint it was loaded from."""

    model: Model
    config: RunConfig
    checkpoint: checkpoints.Checkpoint
    run: Path

    def __repr__(self) -> str:
        height, width = self.resolution
        classes = ", ".join(self.labels) or "no classes"
        size, shown = f"{width} x {height}", f"{self.checkpoint.images:,} images shown"
        return f"Generator({str(self.run)!r}: {self.config.family}, {size}, {shown}; {classes})"

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
        check_label(self, label)
        check_request(self, {label: count}, truncation, seed)
        return render(self, [(label, seed + k) for k in range(count)], truncation)

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
        check_label(self, label)
        check_request(self, {label: count}, truncation, seed)
        number = self._class(label)
        return latent_points(self.model, self._seeds(number, seed, count), [number] * count, truncation)

    def synthesise(self, latents: Tensor, *, label: str = "", seed: int = 0) -> Tensor:
        """Images of latent points, through which gradients flow.

        Parameters
        ----------
        latents : Tensor of float [n, d]
            Points as from `latents`; of a family with styles also one w a layer, [n, layers, d].
        label : str
            The class. A family with styles has it in its points already and takes it from here only to draw the other noise of
            `seed`, as `sample` does for that class; it may be left out there.
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
        check_source(self)
        if label or not self.model.has_style():
            check_label(self, label)
        if len(latents) == 0:
            raise UserError("`latents`: holds no point")
        require_seed(seed)
        number, count = self._class(label), len(latents)
        seeds = self._seeds(number, seed, count)
        return torch.cat(list(images_of_points(self.model, latents, seeds, [number] * count)))

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.model.parameters()).device

    def _class(self, label: str) -> int:
        return self.labels.index(label) if label else 0

    def _seeds(self, number: int, first: int, count: int) -> list[int]:
        return [class_seed(number, first + k) for k in range(count)]

    def origin(self) -> GeneratorProvenance:
        """Where its images come from, as their data set states it."""
        data = self.config.data
        return GeneratorProvenance().with_facts(
            recipe=self.config.family,
            run=name_of(self.run) or str(self.run.resolve()),
            checkpoint=self.checkpoint.hash,
            images_shown=self.checkpoint.images,
            classes=list(data.classes),
            data_hash=data.content_hash,
            rows_hash=data.rows_hash,
            earlier=earlier_data(self.config),
            split=data.split,
            exclude=list(data.exclude),
            crop=data.crop,
            filter=data.filter,
        )


def load_generator(run: Path | str, *, which: str = "last", device: str = "auto") -> Generator:
    """Load a checkpoint of a run. Nothing is written into the run's folder.

    Parameters
    ----------
    run
        The run's folder, or that of one of its checkpoints.
    which
        `last`, `best`, or the images shown of a checkpoint; `last` with the folder of a checkpoint.
    device
        auto, cpu, cuda or cuda:1.

    Raises
    ------
    UserError
        The run, the checkpoint or its weights are not what they should be.
    """
    place = locate(Path(run))
    run = place.resolve().parent.parent if (place / checkpoints.STATE).exists() else place  # RUN/checkpoints/IMAGES
    config = read_config(run)
    checkpoint = checkpoints.find(place, which)
    if run is not place:
        require_checkpoint(checkpoint, which)
    _check_checkpoint(checkpoint, config)
    model = build(config, distributed.choose_device(device))
    try:
        model.load_state_dict(checkpoint.network())
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip() if len(str(error).splitlines()) > 1 else str(error)
        raise UserError(f"{checkpoint.path}: does not fit the run's {config.family} ({reason})") from error
    return Generator(model.eval(), config, checkpoint, run)


def open_generator(run: "Trained", *, which: str = "last", device: str = "auto") -> Generator:
    """A generator that is loaded already, or that of a run or checkpoint.

    Raises UserError as `load_generator` does, and where checkpoint or device are others than those of the loaded generator.
    """
    if not isinstance(run, Generator):
        place = run.path if isinstance(run, checkpoints.Checkpoint) else run
        if not isinstance(place, str | PathLike):
            raise UserError(f"`run` {describe(run)}: must be a generator, a checkpoint, or the path of a run")
        return load_generator(Path(place), which=which, device=device)
    require_checkpoint(run.checkpoint, which)
    device = str(device)
    kind, _, index = device.partition(":")
    if device != "auto" and (kind != run.device.type or index not in ("", str(run.device.index))):
        raise UserError(f"`device` {device}: the generator is on {run.device}; leave it out, or load the run there")
    return run


Trained = Generator | checkpoints.Checkpoint | Path | str
"""A generator, a checkpoint as `train` returns it, or the folder of a run or checkpoint."""


def weights_of(trained: Trained, field: str) -> Path:
    """Where the weights of a generator, a checkpoint or a run lie."""
    checkpoint = trained.checkpoint if isinstance(trained, Generator) else trained
    return checkpoint.path if isinstance(checkpoint, checkpoints.Checkpoint) else require_path(checkpoint, field)


def run_of(trained: Trained, field: str) -> Path:
    """The folder of a run, or of the run that a generator or a checkpoint belongs to."""
    if isinstance(trained, Generator):
        return trained.run
    return (
        trained.path.resolve().parents[1]
        if isinstance(trained, checkpoints.Checkpoint)
        else require_path(trained, field)
    )


def require_checkpoint(checkpoint: checkpoints.Checkpoint, which: str) -> None:
    """Raise UserError where another checkpoint than this one is asked for; `last` is no choice."""
    if which not in ("last", str(checkpoint.images)):
        raise UserError(
            f"`checkpoint` {which}: {checkpoint.path} is the checkpoint of {checkpoint.images} images; name the run, or leave "
            "`checkpoint` out"
        )


def _check_checkpoint(checkpoint: checkpoints.Checkpoint, config: RunConfig) -> None:
    """Raise UserError for a checkpoint of another family, edition or list of classes than the run's."""
    path, state = checkpoint.path, checkpoint.state
    if state.family != config.family:
        raise UserError(f"{path}: a checkpoint of {state.family!r}, the run is {config.family!r}")
    require_edition(family(config.family), config.family, state.edition, path)
    if state.classes != config.data.classes:
        raise UserError(f"{path}: classes {list(state.classes)}, the run has {list(config.data.classes)}")


def check_source(generator: Generator) -> None:
    """Raise UserError for a family that makes images from images."""
    model = generator.model
    if not model.inputs.from_noise:
        way = f"`{model.inputs.source}` DIR" if model.inputs.verb == "generate" else f"dermsynth {model.inputs.verb}"
        raise UserError(
            f"{generator.run}: {generator.config.family} makes images from images, not from seeds; use {way}"
        )


def check_label(generator: Generator, label: str) -> None:
    """Raise UserError for a class that the generator does not have, or none where it has classes."""
    labels = generator.labels
    if label and not labels:
        raise UserError(f"`label` {label}: the generator is unconditional; leave it out")
    if labels and label not in labels:
        problem = f"`label` {label}: no such class" if label else "`label` is missing"
        raise UserError(f"{problem}; there are: {', '.join(labels)}")


def check_request(generator: Generator, counts: Mapping[str, int], truncation: float | None, first_seed: int) -> None:
    """Raise UserError for a request that the generator cannot carry out."""
    check_source(generator)
    classes = generator.config.data.classes or ("",)
    for label, count in counts.items():
        if label not in classes:
            there = (
                ", ".join(generator.config.data.classes) or "none: the generator is unconditional, write `count` 500"
            )
            raise UserError(f"`count` {label}: no such class; there are: {there}")
        if not 0 < require_whole(count, "count", least=0) <= SEEDS_A_CLASS:
            given = f"{label}={count}" if label else str(count)
            raise UserError(f"`count` {given}: must be at least 1")
    check_truncation(generator, truncation)
    require_seed(first_seed)


def check_truncation(generator: Generator, truncation: float | None) -> None:
    """Raise UserError for a truncation that the family does not take."""
    model = generator.model
    if truncation is not None:
        require_number(truncation, "truncation")
    if truncation is not None and not model.accepts_truncation(truncation):
        raise UserError(f"`truncation` {truncation}: {generator.config.family} takes {model.truncation}")


def class_seed(number: int, seed: int) -> int:
    """The seed of the random numbers: one seed gives unrelated latents in different classes."""
    return number * SEEDS_A_CLASS + seed


def render(generator: Generator, images: Sequence[tuple[str, int]], truncation: float | None) -> NDArray[np.uint8]:
    """Images uint8 [n, h, w, 3] of labels and seeds."""
    classes = generator.config.data.classes
    numbers = [classes.index(label) if classes else 0 for label, _ in images]
    seeds = [class_seed(number, seed) for number, (_, seed) in zip(numbers, images, strict=True)]
    return sample_images(generator.model, seeds, numbers, truncation).transpose(0, 2, 3, 1)
