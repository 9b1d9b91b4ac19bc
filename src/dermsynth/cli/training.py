"""The verb `train`."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dermsynth.cli.machine import MACHINE, Machine

if TYPE_CHECKING:
    from dermsynth.data.training_set import TrainingSet
    from dermsynth.models.inputs import DataRequest
    from dermsynth.models.layers.shapes import Shape
    from dermsynth.training.config import RunConfig


@Parameter(name="*")
@dataclass(frozen=True)
class Images:
    """Which images are shown, and how."""

    data: Path | None = None
    """The data set; without it the phantom."""
    resolution: str = "64"
    """Pixels: one number, or WIDTHxHEIGHT; for most families sides are 3 to 7 pixels doubled some times."""
    exclude: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    """Class to leave out; may be repeated."""
    split: str = "train"
    """Which split is trained on; all for every image."""
    unconditional: Annotated[bool, Parameter(negative="")] = False
    """Ignore the labels."""
    imbalance: float = 1.0
    """How much of the data's imbalance stays: 1 shows classes as often as they occur, 0 equally often."""
    balance: Annotated[float | None, Parameter(show=False)] = None
    """The former name of --imbalance; it still works, and says the new one."""
    crop: Literal["centre", "pad", "stretch"] = "centre"
    """How other shapes become this one."""
    filter: Literal["area", "lanczos"] = "area"
    """How images are made smaller."""
    source: Annotated[str, Parameter(name="--from")] = ""
    """For families that translate: the label that is changed."""
    target: Annotated[str, Parameter(name="--to")] = ""
    """For families that translate: the label it is changed into."""
    superpixels: Annotated[bool, Parameter(negative="")] = False
    """For families that take maps: add the boundaries of superpixels."""


@Parameter(name="*")
@dataclass(frozen=True)
class Model:
    """The choices of the family."""

    preset: str = "laptop"
    """laptop (small; no GPU needed), or one of the published ones that `dermsynth models` lists."""
    batch: int | None = None
    """Images a step; the preset's own by default."""
    set: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    """One choice of the family as NAME=VALUE, for example r1_gamma=1; may be repeated."""


@Parameter(name="*")
@dataclass(frozen=True)
class Loop:
    """How the training is carried out."""

    initial: Path | None = None
    """Run or checkpoint whose weights training starts from; a preset's start-up schedules are left out then."""
    rate: float = 1.0
    """Factor on every learning rate of the family; below 1, for example 0.5, to fine-tune gently."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Arithmetic of the large layers."""
    accumulate: int = 1
    """Pieces a batch is divided into, to save memory."""
    snapshot: str = "4k"
    """Images between checkpoints."""
    log: int = 500
    """Images between lines of the log."""
    keep: int = 3
    """How many of the last checkpoints stay."""
    seed: int = 0
    """Of everything that is random."""


IMAGES, MODEL, LOOP = Images(), Model(), Loop()


def train(
    family: str,
    *,
    out: Path,
    images: str,
    shown: Images = IMAGES,
    model: Model = MODEL,
    loop: Loop = LOOP,
    machine: Machine = MACHINE,
    device: str = "auto",
) -> None:
    """Train a generator. The same command on the same folder goes on where it stopped.

    Parameters
    ----------
    family
        The GAN family; `dermsynth models` lists them.
    out
        The run's folder.
    images
        Length of the training in real images shown: 40k, 1.5M.
    device
        auto, cpu, cuda or cuda:1.
    """
    import sys

    from dermsynth.data.verification import ChangedData
    from dermsynth.errors import UserError
    from dermsynth.evaluation.watcher import usual_watchers
    from dermsynth.training.config import CONFIG
    from dermsynth.training.loop import train as run
    from dermsynth.training.optimisation import TrainingStopped

    try:
        config, chosen = prepare(family, images, shown, model, loop, cache=machine.cache)
    except ChangedData as error:
        if (out / CONFIG).exists():
            raise UserError(f"{error}; the images are not those that were trained on") from error
        raise
    machine.prepare(run=out, device=device)
    try:
        last = run(out, config, chosen, watchers=usual_watchers(config, chosen), device=device)
    except TrainingStopped as error:
        print(f"dermsynth: training stopped: {error}; the last good checkpoint is in {out}", file=sys.stderr)
        sys.exit(3)
    print(f"{last.path}: {last.images:,} images shown; next: {_following(config, out)}")


def _following(config: "RunConfig", out: Path) -> str:
    """The command that makes images with the run, as it can be pasted into a shell."""
    from dermsynth.models.registry import family

    inputs = family(config.family).inputs
    source = ["--count", "100"] if inputs.from_noise else [f"--{inputs.source}", config.data.folder]
    return shlex.join(["dermsynth", inputs.verb, str(out), *source, "--out", f"{out}-synthetic"])


def prepare(
    family: str, images: str, shown: Images, model: Model, loop: Loop, cache: Path | None = None
) -> "tuple[RunConfig, TrainingSet]":
    """Resolve every choice into a configuration, and decode the images it names."""
    from dermsynth.data.cache import use_cache
    from dermsynth.data.dataset import open_data_set
    from dermsynth.data.phantom import default_phantom
    from dermsynth.io import parse_count
    from dermsynth.models.layers.shapes import parse_shape
    from dermsynth.training.data import Plan, configure, resolve

    shape = parse_shape(shown.resolution)
    training = {
        "images": parse_count(images),
        "batch": model.batch,
        "accumulate": loop.accumulate,
        "precision": loop.precision,
        "snapshot": parse_count(loop.snapshot),
        "log": loop.log,
        "keep": loop.keep,
        "seed": loop.seed,
        "rate": loop.rate,
        "initial": str(loop.initial) if loop.initial else None,
    }
    plan = Plan(family, model.preset, dict(map(_choice, model.set)), training)
    resolve(plan, shape)  # what is wrong with the request is refused before any image is read
    request = _request(shown, shape)
    use_cache(cache)
    data_set = open_data_set(shown.data) if shown.data else default_phantom(shape.height, shape.width)
    return configure(plan, data_set, request)


def _request(shown: Images, shape: "Shape") -> "DataRequest":
    import sys

    from dermsynth.data.cache import Decoding
    from dermsynth.data.training_set import Selection
    from dermsynth.errors import UserError
    from dermsynth.models.inputs import DataRequest

    imbalance = shown.imbalance
    if shown.balance is not None:
        imbalance = shown.balance
        print(
            f"  --balance {imbalance:g} is called --imbalance {imbalance:g} now: 1 shows classes as often as they occur, "
            "0 equally often",
            file=sys.stderr,
        )
    if not 0 <= imbalance <= 1:
        raise UserError(f"--imbalance {imbalance}: must lie between 0 (classes equally often) and 1 (as they occur)")
    decoding = Decoding(shape.height, shape.width, shown.crop, shown.filter)
    selection = Selection(shown.split, shown.exclude, False if shown.unconditional else None)
    return DataRequest(decoding, selection, imbalance, shown.superpixels, shown.source, shown.target)


def _choice(text: str) -> tuple[str, Any]:
    """NAME=VALUE, where the value is JSON or plain text."""
    from dermsynth.errors import UserError

    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text!r}: write NAME=VALUE, for example r1_gamma=1")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
