"""The verb `train`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from dermsynth.data.training_set import TrainingSet
    from dermsynth.training.settings import RunConfig

WATCHED = 512


def train(
    recipe: str,
    *,
    out: Path,
    images: str,
    data: Path | None = None,
    resolution: str = "64",
    preset: str = "laptop",
    batch: int | None = None,
    exclude: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    split: str = "train",
    unconditional: Annotated[bool, Parameter(negative="")] = False,
    balance: float = 1.0,
    crop: Literal["centre", "pad", "stretch"] = "centre",
    filter: Literal["area", "lanczos"] = "area",
    initial: Path | None = None,
    set: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    precision: Literal["float32", "bfloat16", "float16"] = "float32",
    accumulate: int = 1,
    snapshot: str = "4k",
    log: int = 500,
    keep: int = 3,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Train a generator. The same command on the same folder goes on where it stopped.

    Parameters
    ----------
    recipe
        The GAN family: stylegan2-ada.
    out
        The run's folder.
    images
        Length of the training in real images shown: 40k, 1.5M.
    data
        The data set; without it the phantom.
    resolution
        Pixels: one number, or WIDTHxHEIGHT; sides are 3 to 7 pixels doubled some times.
    preset
        auto (the paper's) or laptop (small; no GPU needed).
    batch
        Images a step; the preset's own by default.
    exclude
        Class to leave out; may be repeated.
    split
        Which split is trained on; all for every image.
    unconditional
        Ignore the labels.
    balance
        1 shows classes as often as they occur, 0 equally often.
    crop
        How other shapes become this one.
    filter
        How images are made smaller.
    initial
        Run or checkpoint whose weights training starts from.
    set
        One choice of the recipe as NAME=VALUE, for example r1_gamma=1; may be repeated.
    precision
        Arithmetic of the large layers.
    accumulate
        Pieces a batch is divided into, to save memory.
    snapshot
        Images between checkpoints.
    log
        Images between lines of the log.
    keep
        How many of the last checkpoints stay.
    seed
        Of everything that is random.
    device
        auto, cpu, cuda or cuda:1.
    """
    from dermsynth.training.settings import TrainingSettings, validated

    config, chosen = configure(
        recipe, data=data, resolution=resolution, preset=preset, batch=batch, exclude=exclude, split=split,
        unconditional=unconditional, balance=balance, crop=crop, filter=filter, choices=set, seed=seed,
    )  # fmt: skip
    from dermsynth.runs import parse_count

    values = config.training.model_dump() | {
        "images": parse_count(images),
        "precision": precision,
        "accumulate": accumulate,
        "snapshot": parse_count(snapshot),
        "log": log,
        "keep": keep,
        "initial": str(initial) if initial else None,
    }
    config = config.model_copy(update={"training": validated(TrainingSettings, values, "train")})
    run_training(out, config, chosen, device)


def run_training(out: Path, config: "RunConfig", chosen: "TrainingSet", device: str) -> None:
    """Train with the standard watcher, and turn the ways in which it can end into lines and exit statuses."""
    import sys

    from dermsynth.evaluation.watcher import kid_watcher
    from dermsynth.training.loop import Interrupted
    from dermsynth.training.loop import train as run
    from dermsynth.training.updates import TrainingStopped

    watcher = kid_watcher(chosen.images, chosen.labels, min(WATCHED, len(chosen.images)))
    try:
        last = run(out, config, chosen, watchers=[watcher], device=device)
    except Interrupted:
        print(f"stopped and saved in {out}; repeat the command to go on", file=sys.stderr)
        sys.exit(130)
    except TrainingStopped as error:
        print(f"dermsynth: training stopped: {error}\nthe last good checkpoint is in {out}", file=sys.stderr)
        sys.exit(3)
    print(f"{last.path}: {last.images:,} images shown; next: dermsynth generate {out}")


def configure(
    recipe: str,
    *,
    data: Path | None,
    resolution: str,
    preset: str,
    batch: int | None,
    exclude: tuple[str, ...],
    split: str,
    unconditional: bool,
    balance: float,
    crop: Literal["centre", "pad", "stretch"],
    filter: Literal["area", "lanczos"],
    choices: tuple[str, ...],
    seed: int,
) -> "tuple[RunConfig, TrainingSet]":
    """Resolve every choice into a configuration, and decode the images it names."""
    from dermsynth.data.cache import Decoding
    from dermsynth.data.dataset import open_data_set
    from dermsynth.data.phantom import default_phantom
    from dermsynth.data.training_set import training_set
    from dermsynth.errors import UserError
    from dermsynth.networks.shapes import parse_shape
    from dermsynth.recipes import family
    from dermsynth.training.settings import DataSettings, RunConfig, TrainingSettings, validated

    shape = parse_shape(resolution)
    kind = family(recipe)
    if preset not in kind.presets:
        raise UserError(f"--preset {preset!r}: unknown; {recipe} has: {', '.join(kind.presets)}")
    if not 0 <= balance <= 1:
        raise UserError(f"--balance {balance}: must lie between 0 (classes equally often) and 1 (as they occur)")
    images_a_step = batch or kind.batch_sizes[preset]
    model = kind.presets[preset](shape, images_a_step)
    model = validated(kind.config_type, model.model_dump() | dict(map(_choice, choices)), "--set")
    data_set = open_data_set(data) if data else default_phantom(shape.height, shape.width)
    chosen = training_set(
        data_set, Decoding(shape.height, shape.width, crop, filter),
        split=split, exclude=exclude, conditional=False if unconditional else None, temperature=balance, seed=seed,
    )  # fmt: skip
    settings = DataSettings(
        folder=str(data_set.folder), content_hash=data_set.content_hash, split=split, exclude=exclude,
        classes=chosen.classes, temperature=balance, height=shape.height, width=shape.width, crop=crop, filter=filter,
    )  # fmt: skip
    training = validated(TrainingSettings, {"images": 1, "batch": images_a_step, "seed": seed}, "train")
    config = RunConfig(recipe=recipe, preset=preset, model=model.model_dump(), data=settings, training=training)
    return config, chosen


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
