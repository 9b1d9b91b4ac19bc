"""Training: every choice of a person resolved into a run's configuration, and the run."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from dermsynth.api.places import open_named
from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import Data
from dermsynth.data.phantom import default_phantom
from dermsynth.data.training_set import Selection, TrainingSet
from dermsynth.data.verification import ChangedData
from dermsynth.errors import (
    UserError,
    describe,
    require_choice,
    require_number,
    require_path,
    require_seed,
    require_whole,
)
from dermsynth.evaluation.watcher import usual_watchers
from dermsynth.images import Crop
from dermsynth.io import parse_count
from dermsynth.models.inputs import DataRequest
from dermsynth.models.layers.shapes import Shape, parse_shape
from dermsynth.sampling.generator import Trained, weights_of
from dermsynth.training import distributed
from dermsynth.training.arithmetic import AUTO, chosen_precision
from dermsynth.training.callbacks import Callback
from dermsynth.training.config import Precision, RunConfig
from dermsynth.training.data import Plan, resolve
from dermsynth.training.data import configure as configure_run
from dermsynth.training.loop import train as train_run
from dermsynth.training.run_folder import CONFIG
from dermsynth.training.writers import writers
from dermsynth.values import as_tuple

TrainingFilter = Literal["area", "lanczos"]
_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from dermsynth.training.checkpoints import Checkpoint


@dataclass(frozen=True)
class ImageChoices:
    """Which images a generator learns from, and how they are brought to its size.

    Parameters
    ----------
    split : {"train", "validation", "test", "all"}
        The images that are learnt from.
    exclude : str or sequence of str
        Classes to leave out.
    unconditional : bool
        Whether the labels are ignored.
    imbalance : float
        From 0 (classes are shown equally often) to 1 (as often as they occur).
    crop : {"centre", "pad", "stretch"}
        How images of other shapes become this one.
    filter : {"area", "lanczos"}
        How images are made smaller.
    source, target : str
        For families that translate: the label that is changed, and the label it is changed into.
    superpixels : bool
        For families that take maps: whether these show the boundaries of superpixels.

    Examples
    --------
    >>> import dermsynth as ds
    >>> selection = ds.ImageChoices(exclude="seborrheic_keratosis", imbalance=0.5)
    >>> last = ds.train("dcgan", "data", out="two_classes", images=16, resolution=16, batch=8, device="cpu", selection=selection)
    >>> ds.load_generator(last, device="cpu").labels
    ('melanoma', 'nevus')
    """

    split: str = "train"
    exclude: str | Sequence[str] = ()
    unconditional: bool = False
    imbalance: float = 1.0
    crop: Crop = "centre"
    filter: TrainingFilter = "area"
    source: str = ""
    target: str = ""
    superpixels: bool = False

    def request(self, shape: Shape) -> DataRequest:
        """The same for the trainer."""
        if not 0 <= require_number(self.imbalance, "imbalance") <= 1:
            raise UserError(
                f"`imbalance` {self.imbalance}: must lie between 0 (classes equally often) and 1 (as they occur)"
            )
        require_choice(self.crop, "crop", get_args(Crop))
        require_choice(self.filter, "filter", get_args(TrainingFilter))
        decoding = Decoding(shape.height, shape.width, self.crop, self.filter)
        selection = Selection(self.split, as_tuple(self.exclude), False if self.unconditional else None)
        return DataRequest(decoding, selection, self.imbalance, self.superpixels, self.source, self.target)


@dataclass(frozen=True)
class LoopChoices:
    """How a training is carried out.

    Parameters
    ----------
    accumulate : int
        Pieces into which a batch is divided to save memory, at least 1.
    initial : Generator, Checkpoint, Path, str or None
        Whose weights training starts from; ``"base"`` (64 px) and ``"base128"`` are generators of dermoscopic images that come
        with dermsynth.
    rate : float
        Factor on every learning rate, above 0.
    precision : {"float32", "bfloat16", "float16", "auto"}
        Arithmetic of the large layers. ``"auto"`` is bfloat16 where a short probe finds it faster on this machine, else float32;
        which of the two it was is recorded in the run.
    snapshot : int, str or None
        Real images shown between two checkpoints; by default 4,000, of families that sample slowly more.
    log : int
        Real images shown between two lines of the log.
    keep : int
        How many of the last checkpoints stay, beside the best.

    Examples
    --------
    >>> import dermsynth as ds
    >>> first = ds.train("dcgan", "data", out="first", images=16, resolution=16, batch=8, device="cpu")
    >>> loop = ds.LoopChoices(initial=first, rate=0.5)
    >>> ds.train("dcgan", "data", out="second", images=16, resolution=16, batch=8, device="cpu", loop=loop).images
    16
    """

    accumulate: int = 1
    initial: Trained | None = None
    rate: float = 1.0
    precision: Literal[Precision, "auto"] = "float32"
    snapshot: int | str | None = None
    log: int = 500
    keep: int = 3

    def settings(self, images: int | str | None, batch: int | None, seed: int) -> dict[str, Any]:
        """The same for the trainer."""
        require_choice(self.precision, "precision", (*get_args(Precision), AUTO))
        if require_number(self.rate, "rate") <= 0:
            raise UserError(f"`rate` {self.rate}: must be above 0")
        return {
            "images": None if images is None else parse_count(images, "images"),
            "batch": None if batch is None else require_whole(batch, "batch", 1),
            "seed": require_seed(seed),
            "snapshot": None if self.snapshot is None else parse_count(self.snapshot, "snapshot"),
            **{name: require_whole(getattr(self, name), name, 1) for name in ("accumulate", "log", "keep")},
            "initial": None if self.initial is None else str(weights_of(self.initial, "initial")),
            "rate": self.rate,
            "precision": "float32" if self.precision == AUTO else self.precision,
        }


IMAGES, LOOP = ImageChoices(), LoopChoices()
IMAGE_FIELDS, LOOP_FIELDS = (frozenset(kind.__dataclass_fields__) for kind in (ImageChoices, LoopChoices))


def with_choices(
    selection: ImageChoices, loop: LoopChoices, choices: Mapping[str, Any]
) -> tuple[ImageChoices, LoopChoices]:
    """Both with single fields that were chosen by name.

    Raises UserError for a name that neither has.
    """
    for name in choices:
        if name not in IMAGE_FIELDS | LOOP_FIELDS:
            raise UserError(
                f"`{name}`: train has no such choice; there are: {', '.join(sorted(IMAGE_FIELDS | LOOP_FIELDS))}"
            )
    images = {name: value for name, value in choices.items() if name in IMAGE_FIELDS}
    return replace(selection, **images), replace(loop, **{n: v for n, v in choices.items() if n in LOOP_FIELDS})


def _callbacks(callbacks: Callback | Sequence[Callback] | None) -> tuple[Callback, ...]:
    several: tuple[Callback, ...] = () if callbacks is None else as_tuple(callbacks)
    for callback in several:
        if not isinstance(callback, Callback):
            raise UserError(f"`callbacks` {describe(callback)}: must be of a class that inherits from ds.Callback")
    return several


def train(
    family: str,
    data: Data | None = None,
    *,
    out: Path | str,
    images: int | str | None = None,
    resolution: int | str | tuple[int, int] = 64,
    preset: str | None = None,
    options: Mapping[str, Any] | None = None,
    batch: int | None = None,
    seed: int = 0,
    callbacks: Callback | Sequence[Callback] = (),
    log_to: str | Sequence[str] = (),
    device: str = "auto",
    selection: ImageChoices = IMAGES,
    loop: LoopChoices = LOOP,
    **choices: Any,
) -> "Checkpoint":
    """Train a generator, or go on where the same call was stopped.

    Parameters
    ----------
    family : str
        The family: ``stylegan2-ada``, ``diffusion``, ``dcgan``, ...; `dermsynth models` lists them.
    data : DataSet, Path, str or None
        The data set to learn from; by default a phantom of 2,000 images.
    out : Path or str
        Folder of the run. In the folder of an earlier run with the same choices training goes on, bit for bit.
    images : int, str or None
        Length of the training in real images shown, at least 1: ``40_000``, ``"40k"``, ``"1.5M"``. Of families that learn their
        images by heart (diffusion) it is by default a number of passes through these; the others need it.
    resolution : int, str, or tuple of two int
        Size in pixels: one number for squares, ``"WIDTHxHEIGHT"``, or (height, width).
    preset : str or None
        ``laptop`` (small, needs no GPU) or one of the family's published settings. By default ``laptop``, or ``fine-tune`` with
        ``initial="base"``.
    options : mapping of str to value, or None
        Settings of the family that differ from the preset, for example ``{"r1_gamma": 1}``.
    batch : int or None
        Images a step, at least 1; the preset's own by default.
    seed : int
        Seed of the random numbers, at least 0.
    callbacks : Callback or sequence of Callback
        Follow the training: called at every step, line of the log and measurement.
    log_to : str or sequence of str
        Programs that get the lines of the log, too: ``wandb``, ``mlflow``, ``trackio`` (extras of those names, which write into
        the run's folder) or ``tensorboard``.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    selection : ImageChoices
        Which images are learnt from and how they are brought to size: ``split``, ``exclude``, ``imbalance``, ``crop``, ...
    loop : LoopChoices
        How the training is carried out: ``initial`` (weights to start from), ``rate``, ``precision``, ``snapshot``, ...
    choices : values
        Single fields of `selection` and `loop` by their names, for example ``split="all"`` or ``snapshot="1k"``.

    Returns
    -------
    Checkpoint
        The last checkpoint: its ``path``, ``images`` shown and ``hash``.

    Raises
    ------
    UserError
        A value or the data set cannot be used, or `out` holds a run with other choices.
    TrainingStopped
        The training collapsed, or began to copy its images; the last good checkpoint is in the run.

    References
    ----------
    The paper of each family is in its module in ``dermsynth.models``; for the usual family see Karras et al. (2020),
    Training Generative Adversarial Networks with Limited Data.

    Examples
    --------
    >>> import dermsynth as ds
    >>> last = ds.train("dcgan", "data", out="another_run", images=64, resolution=16, batch=16, device="cpu")
    >>> last.images
    64
    """
    selection, loop = with_choices(selection, loop, choices)
    folder, followers = require_path(out, "out"), (*_callbacks(callbacks), *writers(as_tuple(log_to)))
    loop.settings(images, batch, seed)  # a wrong choice is refused before anything is measured
    loop = replace(loop, precision=chosen_precision(loop.precision, folder, distributed.choose_device(device)))
    try:
        config, chosen = configure(
            family, data, images, resolution=resolution, preset=preset, options=options, batch=batch, seed=seed,
            selection=selection, loop=loop,
        )  # fmt: skip
    except ChangedData as error:
        if (folder / CONFIG).exists():
            raise UserError(f"{error}; the images are not those that were trained on") from error
        raise
    watchers = usual_watchers(config, chosen)
    return train_run(folder, config, chosen, watchers=watchers, callbacks=followers, device=device)


def configure(
    family: str,
    data: Data | None,
    images: int | str | None,
    *,
    resolution: int | str | tuple[int, int] = 64,
    preset: str | None = None,
    options: Mapping[str, Any] | None = None,
    batch: int | None = None,
    seed: int = 0,
    selection: ImageChoices = IMAGES,
    loop: LoopChoices = LOOP,
) -> tuple[RunConfig, TrainingSet]:
    """Resolve every choice into a configuration, and decode the images it names."""
    if options is not None and not isinstance(options, Mapping):
        raise UserError(f"`options` {describe(options)}: name each setting, for example {{'r1_gamma': 1}}")
    shape = parse_shape(resolution)
    plan = Plan(family, preset, options or {}, loop.settings(images, batch, seed))
    resolve(plan, shape)  # a wrong choice is refused before any image is read
    request = selection.request(shape)
    data_set = open_named(data, "data") if data is not None else default_phantom(shape.height, shape.width)
    if data_set.synthetic:
        _log.warning(f"{data_set.folder}: training on synthetic images; what their generator got wrong is learnt too")
    return configure_run(plan, data_set, request)
