"""The verbs `train` and `advise`."""

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dermsynth.cli import places
from dermsynth.cli.options import MACHINE, DataFolder, Device, Machine, Several, Switch

if TYPE_CHECKING:
    from dermsynth.training.config import RunConfig


@Parameter(name="*")
@dataclass(frozen=True)
class Images:
    """Which images are shown, and how."""

    data: Annotated[Path | None, places.data_set("data")] = None
    """Folder of the data set to learn from; without it a phantom of 2,000 images."""
    resolution: str = "64"
    """Size in pixels: one number for squares, or WIDTHxHEIGHT; for most families both sides
    must be 3 to 15 pixels doubled equally often: 64, 96, 96x72, 128x96 ..."""
    exclude: Several = ()
    """A class to leave out; may be repeated."""
    split: str = "train"
    """Which images are learnt from: train, validation, test, or all."""
    unconditional: Switch = False
    """Ignore the labels: one generator for all classes."""
    imbalance: float = 1.0
    """How much of the data's imbalance stays: 1 shows classes as often as they occur, 0 equally often."""
    crop: Literal["centre", "pad", "stretch"] = "centre"
    """How images of other shapes become this one: cut, padded or stretched."""
    filter: Literal["area", "lanczos"] = "area"
    """How images are made smaller."""
    source: Annotated[str, Parameter(name="--from")] = ""
    """For families that translate: the label that is changed."""
    target: Annotated[str, Parameter(name="--to")] = ""
    """For families that translate: the label it is changed into."""
    superpixels: Switch = False
    """For families that take maps: add the boundaries of superpixels."""


@Parameter(name="*")
@dataclass(frozen=True)
class Model:
    """The choices of the family."""

    preset: str | None = None
    """laptop (small; no GPU needed), or one of those that `dermsynth models` lists. By default laptop, or fine-tune with
    --from-base."""
    batch: int | None = None
    """Images a step; the preset's own by default."""
    set: Several = ()
    """One setting of the family as NAME=VALUE, for example r1_gamma=1; may be repeated."""


@Parameter(name="*")
@dataclass(frozen=True)
class Loop:
    """How the training is carried out."""

    initial: Path | None = None
    """Run or checkpoint whose weights training starts from; a preset's start-up schedules are left out then. `base` (64 px) and
    `base128` are generators of dermoscopic images that come with dermsynth."""
    from_base: Switch = False
    """The same as --initial with the generator of dermoscopic images that comes with dermsynth and is nearest in size."""
    rate: float = 1.0
    """Factor on every learning rate of the family; below 1, for example 0.5, to fine-tune gently."""
    precision: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    """Arithmetic of the large layers; auto: bfloat16 where a short probe finds it faster on this machine, else float32."""
    accumulate: int = 1
    """Pieces a batch is divided into, to save memory."""
    snapshot: str | None = None
    """Images shown between two checkpoints; by default 4k, of families that sample slowly more."""
    log: int = 500
    """Images shown between two lines of the log."""
    log_to: Several = ()
    """A program that gets the lines of the log, too: wandb, mlflow, trackio or tensorboard; may be repeated. They write into
    the run's folder and use no network unless their own environment variables say so."""
    keep: int = 3
    """How many of the last checkpoints stay, beside the best."""
    seed: int = 0
    """Seed of the random numbers: the same seed gives the same generator."""


IMAGES, MODEL, LOOP = Images(), Model(), Loop()


def train(
    family: str,
    *,
    out: Path,
    images: str | None = None,
    selection: Images = IMAGES,
    model: Model = MODEL,
    loop: Loop = LOOP,
    machine: Machine = MACHINE,
    device: Device = "auto",
    dry_run: Switch = False,
) -> None:
    """Train a generator. The same command on the same folder continues where it stopped.

    Parameters
    ----------
    family
        The family; `dermsynth models` lists them.
    out
        Folder of the run.
    images
        Length of the training in real images shown: 40k, 1.5M. Only families that learn their images by heart (diffusion)
        have a length of their own.
    dry_run
        Check every choice and measure what the training will take, time and memory; write nothing.
    """
    import sys

    from dermsynth.io import parse_count
    from dermsynth.models.registry import require_family

    require_family(family)
    for field, amount in (("images", images), ("snapshot", loop.snapshot)):
        if amount is not None:
            parse_count(amount, field)
    from dermsynth.api.training import train as carry_out
    from dermsynth.training.config import read_config
    from dermsynth.training.optimisation import TrainingStopped

    machine.prepare(run=out, device=device)
    options = dict(map(parse_choice, model.set))
    choices = {
        **asdict(selection),
        **_loop_choices(loop, selection.resolution),
        "preset": model.preset,
        "batch": model.batch,
        "options": options,
    }
    if dry_run:
        _show_cost(family, {**choices, "images": images, "device": device})
        return
    try:
        last = carry_out(family, **choices, out=out, images=images, device=device)
    except TrainingStopped as error:
        print(f"dermsynth: training stopped: {error}; the last good checkpoint is in {out}", file=sys.stderr)
        sys.exit(3)
    print(f"{last.path}: {last.images:,} images shown; next: {next_command(read_config(out), out)}")


def _show_cost(family: str, choices: dict[str, Any]) -> None:
    """What a training takes, in words; without the choices that cost nothing."""
    from dermsynth.api.training_cost import training_cost

    free = ("seed", "log_to")
    print(training_cost(family, **{name: value for name, value in choices.items() if name not in free}).text())
    print("nothing was written; the same command without --dry-run trains")


def _loop_choices(loop: Loop, resolution: str) -> dict[str, Any]:
    """The choices of the loop; --from-base is a way to write --initial with the base that is nearest in size."""
    from dermsynth.errors import UserError
    from dermsynth.images import parse_size
    from dermsynth.training.pretrained import base_for

    choices = asdict(loop)
    if choices.pop("from_base"):
        if loop.initial is not None:
            raise UserError(f"--from-base: --initial {loop.initial} names other weights; leave one of them out")
        choices["initial"] = Path(base_for(max(parse_size(resolution, "resolution"))))
    return choices


def next_command(config: "RunConfig", out: Path) -> str:
    """The command that makes images with the run, as it can be pasted into a shell."""
    from dermsynth.models import registry

    inputs = registry.family(config.family).inputs
    source = ["--count", "100"] if inputs.from_noise else [f"--{inputs.source}", config.data.folder]
    return shlex.join(["dermsynth", inputs.verb, str(out), *source, "--out", f"{out}-synthetic"])


def parse_choice(text: str) -> tuple[str, Any]:
    """NAME=VALUE, where the value is JSON or plain text."""
    from dermsynth.errors import UserError

    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text!r}: write NAME=VALUE, for example r1_gamma=1")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def advise(data: DataFolder, *, minutes: float = 30, device: Device = "auto", machine: Machine = MACHINE) -> None:
    """Say which generator to train on a data set: family, size, length, risks, and the command.

    Parameters
    ----------
    minutes
        The time there is.
    """
    from dermsynth.api.advice import advise as give_advice

    machine.prepare(device=device)
    print(give_advice(data, minutes=minutes, device=device).text())
