"""What every experiment does: train its runs, generate from them, and lay images side by side."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from dermsynth.backbones.extractors import load_extractor
from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.training_set import Selection, TrainingSet
from dermsynth.errors import UserError
from dermsynth.evaluation.evaluate import evaluate
from dermsynth.evaluation.watcher import usual_watchers
from dermsynth.images import encode_png, grid
from dermsynth.io import write_bytes, write_json, write_text
from dermsynth.metrics.estimate import Estimate
from dermsynth.models.inputs import DataRequest
from dermsynth.models.layers.shapes import parse_shape
from dermsynth.models.registry import family
from dermsynth.models.sampler import sample_images
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import Generator, load_generator
from dermsynth.training.config import RunConfig, read_config
from dermsynth.training.data import Plan, configure
from dermsynth.training.loop import train

logger = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Setting:
    """The whole configuration of an experiment: its runs by name, and what is made of them.

    `framed` is the correlation of frames with melanomas in the phantom that stands in where no data are given.
    """

    resolution: str
    images: int
    plans: Mapping[str, Plan]
    generated: int = 0
    extractor: str = "embedded"
    superpixels: Mapping[str, bool] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    split: str = "train"
    seed: int = 0
    conditional: bool = False
    framed: float = 0.0
    options: Mapping[str, str] = field(default_factory=dict)


class RunFigure(Estimate):
    """An estimate of one run of an experiment."""

    run: str


class Result(BaseModel):
    """What an experiment found; its fields stand in `results.json`, `table` is what a person reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: tuple[str, ...] = Field(exclude=True)


def plan(
    family: str, preset: str = "laptop", *, choices: Mapping[str, Any] | None = None, batch: int | None = None
) -> Plan:
    """A family whose length the setting decides."""
    return Plan(family, preset, choices or {}, {} if batch is None else {"batch": batch})


def chosen_options(name: str, setting: Setting, given: Sequence[str]) -> dict[str, str]:
    """The options of an experiment with those that were given as NAME=VALUE.

    Raises UserError for one that it does not have.
    """
    options = dict(setting.options)
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in options:
            raise UserError(f"`set` {text}: write NAME=VALUE; {name} has: {', '.join(options) or 'none'}")
        options[key] = value
    return options


def check(setting: Setting, data_set: DataSet) -> None:
    """Resolve every run before the first is trained, so that what is missing is refused now, not after hours."""
    for name in setting.plans:
        configure_run(setting, name, data_set)


def configure_run(setting: Setting, name: str, data_set: DataSet) -> tuple[RunConfig, TrainingSet]:
    """The configuration of a run of an experiment, and its images."""
    shape = parse_shape(setting.resolution)
    request = DataRequest(
        Decoding(shape.height, shape.width),
        Selection(setting.split, setting.exclude, conditional=setting.conditional),
        superpixels=setting.superpixels.get(name, False),
    )
    return configure(plan_of(setting, name), data_set, request)


def plan_of(setting: Setting, name: str) -> Plan:
    """The plan of a run with the setting's length and seed, and with the phases that fit into the length."""
    chosen = setting.plans[name]
    kind = family(chosen.family)
    phases = kind.phases_within(setting.images, parse_shape(setting.resolution))
    snapshot = max(setting.images // (2 if kind.samples_slowly else 8), 1)
    loop = {"images": setting.images, "seed": setting.seed, "snapshot": snapshot, **chosen.training}
    return Plan(chosen.family, chosen.preset, {**phases, **chosen.choices}, loop)


def train_run(setting: Setting, name: str, data_set: DataSet, out: Path, device: str) -> tuple[Generator, TrainingSet]:
    """Train one run of an experiment, or go on with it where it stopped."""
    config, images = configure_run(setting, name, data_set)
    run = out / "runs" / name
    logger.info(f"{name}: {config.family} ({config.preset})")
    train(run, config, images, watchers=usual_watchers(config, images), device=device)
    return load_generator(run, device=device), images


def measure_run(
    setting: Setting, name: str, generator: Generator, data_set: DataSet, out: Path, *, truncation: float | None = None
) -> list[RunFigure]:
    """Generate a set from a run, or what is missing of it, and measure FID, KID and SWD against the training images."""
    folder = out / "synthetic" / name
    synthetic = generate(generator, {"": setting.generated}, folder, truncation=truncation)
    extractor = load_extractor(setting.extractor)
    result = evaluate(synthetic, data_set, extractor, split=setting.split, brief=True, seed=setting.seed)
    return [RunFigure(**estimate.model_dump(), run=name) for estimate in result.estimates]


def samples(generator: Generator, count: int, training: TrainingSet, first_seed: int = 0) -> Pixels:
    """Images of a run as uint8 [n, 3, h, w], from consecutive seeds."""
    seeds, target = range(first_seed, first_seed + count), generator.model.targets()[0]
    return sample_images(generator.model, seeds, [target] * count, inputs=training.inputs(seeds))


def real_images(data_set: DataSet, setting: Setting, count: int) -> Pixels:
    """Random training images as uint8 [n, 3, h, w]."""
    shape = parse_shape(setting.resolution)
    rows = data_set.part(~np.isin(data_set.labels.astype(str), setting.exclude))
    rows = rows.part(rows.in_split(setting.split))
    images = decode_images(rows, Decoding(shape.height, shape.width))
    chosen = np.sort(np.random.default_rng(setting.seed).permutation(len(images))[:count])
    return np.asarray(images[chosen])


def rows_picture(path: Path, rows: Sequence[Pixels], scale: int = 1) -> None:
    """One row of images a side, as PNG, each pixel `scale` times as large."""
    columns = len(rows[0])
    sheet = grid(np.concatenate(rows).transpose(0, 2, 3, 1), columns)
    larger = cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    write_bytes(path, encode_png(np.ascontiguousarray(larger)))


def details(images: Pixels) -> Pixels:
    """The middle quarter of every image, enlarged to the whole: where artefacts show."""
    height, width = images.shape[2:]
    middle = images[:, :, height // 4 : height - height // 4, width // 4 : width - width // 4]
    enlarged = [
        cv2.resize(image.transpose(1, 2, 0), (width, height), interpolation=cv2.INTER_NEAREST).transpose(2, 0, 1)
        for image in middle
    ]
    return np.stack(enlarged)


def write_results(out: Path, name: str, setting: Setting, result: Result) -> None:
    """Write the configuration and every number as JSON, and the table."""
    plans = {
        key: {"recipe": p.family, "preset": p.preset, "choices": dict(p.choices), "training": dict(p.training)}
        for key, p in setting.plans.items()
    }
    runs = {}
    for key in setting.plans:
        if (out / "runs" / key / "config.json").exists():
            runs[key] = read_config(out / "runs" / key).model_dump(mode="json")
    facts = {
        **vars(setting),
        "plans": plans,
        "superpixels": dict(setting.superpixels),
        "options": dict(setting.options),
    }
    write_json(
        out / "results.json", {"experiment": name, "setting": facts, "runs": runs, **result.model_dump(by_alias=True)}
    )
    write_text(out / "results.md", "\n".join(result.table) + "\n")
