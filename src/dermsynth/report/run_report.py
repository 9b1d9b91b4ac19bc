"""A run as a page: settings, curves, samples over time, real beside generated, metrics with floors, provenance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from dermsynth.data.training_set import TrainingSet
from dermsynth.errors import UserError
from dermsynth.evaluation.results import Evaluation, parse_evaluation, read_evaluation
from dermsynth.images import Pixels, grid, read_image
from dermsynth.io import count_text, read_json, read_json_lines
from dermsynth.models.base import Model
from dermsynth.models.sampler import beside_inputs, images_of
from dermsynth.report.page import PHOTOGRAPHS, curves, picture, write_page
from dermsynth.sampling.generate import Generator, class_seed, load_generator
from dermsynth.training.checkpoints import checkpoints
from dermsynth.training.config import RunConfig, read_config
from dermsynth.training.data import data_trained_on, same_images

COLUMNS, ROWS = 10, 3
SNAPSHOTS = 6
WITHHELD = "Training images, and what was made of single ones, were left out."
Series = dict[str, tuple[list[float], list[float]]]
"""Name -> images shown, values."""


def write_run_report(
    run: Path, path: Path, *, data: Path | None = None, evaluations: Sequence[Path] = (), photographs: bool = True
) -> bool:
    """Write the report of a run that has at least one checkpoint; returns whether it embeds photographs.

    `data` is the folder of the set trained on, if it was moved; `evaluations` are evaluated synthetic sets of the run, or folders
    with their evaluations. Without `photographs` no image of it is on the page, nor
    what was made of single ones.

    Raises UserError when the folder is no run, or nothing has been saved yet, or `data` is another set.
    """
    config = read_config(run)
    if data is not None:
        data_trained_on(config.data, data)
    generator = load_generator(run)
    log = read_json_lines(run / "log.jsonl")
    shown, missing = _shown(config, data) if photographs else (None, WITHHELD)
    translates = generator.model.inputs.translates
    snapshots = _snapshots(run) if photographs or not translates else []
    embedded = shown is not None or (bool(snapshots) and translates)
    last: Mapping[str, Any] = next((line for line in reversed(log) if "losses" in line), {})
    write_page(
        path,
        "run.html",
        {
            "name": run.name,
            "photographs": PHOTOGRAPHS if embedded else "",
            "config": config,
            "shown": count_text(generator.checkpoint.images),
            "seconds": last.get("seconds", 0),
            "rate": last["images"] / last["seconds"] if last.get("seconds") else 0,
            "memory": max((line.get("memory_gib", 0) for line in log), default=0),
            "comparison": _comparison(generator, config, shown),
            "missing": missing,
            "made_of": generator.model.inputs.caption(COLUMNS * ROWS),
            "plots": _plots(log, generator.model),
            "snapshots": snapshots,
            "evaluations": _evaluations(run, evaluations),
            "settings": _flat(config.model_dump(mode="json")),
            "environment": read_json(run / "environment.json"),
            "checkpoint": generator.checkpoint,
            "checkpoints": [count_text(c.images) for c in checkpoints(run)],
        },
    )
    return embedded


def _comparison(
    generator: Generator, config: RunConfig, shown: TrainingSet | None
) -> list[tuple[str, Markup, Markup | None]]:
    """For every class that is made: generated images (below what they are made from), and real ones where these are there."""
    model, found = generator.model, []
    if shown is None and not model.inputs.from_noise:
        return []
    inputs = None if shown is None else shown.inputs(range(COLUMNS * ROWS))
    for number in model.targets():
        labels = [number] * (COLUMNS * ROWS)
        seeds = [class_seed(number, k) for k in range(COLUMNS * ROWS)]
        made = images_of(model, seeds, labels, inputs=inputs)
        made = made if inputs is None else beside_inputs(made, labels, inputs, COLUMNS)
        label = config.data.classes[number] if config.data.classes else "images"
        real = None if shown is None else _some(shown, number)
        beside = None if real is None else _sheet(real, f"real {label}")
        found.append((label, _sheet(made, f"generated {label}"), beside))
    return found


def _sheet(images: Pixels, description: str) -> Markup:
    scale = max(1, 64 // images.shape[2])
    return picture(grid(images.transpose(0, 2, 3, 1), COLUMNS), description, scale=scale)


def _shown(config: RunConfig, place: Path | None) -> tuple[TrainingSet | None, str]:
    """The training images, or why they cannot be shown."""
    try:
        return same_images(config.family, config.data, place=place), ""
    except (UserError, FileNotFoundError) as error:
        return None, f"Training images are not shown: {error}"


def _some(shown: TrainingSet, number: int) -> Pixels | None:
    """Random training images of a class."""
    side = shown.domains.source if shown.domains is not None and number == 0 else shown.images
    index = np.arange(len(side)) if shown.domains is not None else np.flatnonzero(shown.labels == number)
    chosen = np.sort(np.random.default_rng(0).permutation(index)[: COLUMNS * ROWS])
    return np.asarray(side[chosen]) if len(chosen) else None


def _plots(log: list[dict[str, Any]], model: Model) -> list[Markup]:
    """Losses a resolution or phase, penalties, statistics, and what the watchers measured."""
    losses = _series([line for line in log if "losses" in line], "losses")
    statistics = _series([line for line in log if "statistics" in line], "statistics")
    metrics = _series([line for line in log if "metrics" in line], "metrics")
    plots = [curves(part, title=f"Losses{title}") for title, part in _by_part(losses, model).items()]
    penalties = {k: v for k, v in losses.items() if k.split("/")[1] in model.penalties}
    if penalties:
        plots.append(curves(penalties, title="Penalties", logarithmic=True))
    for title, names in model.plots.items():
        logged = {name: statistics[name] for name in names if name in statistics}
        plots += [curves(logged, title=title)] if logged else []
    confidence = {k: v for k, v in metrics.items() if k.startswith("D(")}
    if confidence:
        plots.append(curves(confidence, title="How sure the discriminator is that images are real"))
    others = {k: v for k, v in metrics.items() if k not in confidence}
    return plots + [curves({k: v}, title=f"{k} during training", logarithmic=True) for k, v in others.items()]


def _by_part(losses: Series, model: Model) -> dict[str, Series]:
    """Losses without penalties, apart for every resolution, phase or domain of the players."""
    parts: dict[str, Series] = {}
    players = model.players()
    for name, values in losses.items():
        player, term = name.split("/")
        if term not in model.penalties:
            part = players[player].part if player in players else ""
            parts.setdefault(f" at {part}" if part else "", {})[name] = values
    return parts


def _series(lines: list[dict[str, Any]], key: str) -> Series:
    found: Series = {}
    for line in lines:
        for name, value in line[key].items():
            x, y = found.setdefault(name, ([], []))
            x.append(line["images"])
            y.append(value)
    return found


def _snapshots(run: Path) -> list[tuple[str, Markup]]:
    """The same seeds at a few moments of the training."""
    files = sorted((run / "samples").glob("*.png"))
    chosen = [files[i] for i in np.unique(np.linspace(0, len(files) - 1, min(SNAPSHOTS, len(files))).astype(int))]
    return [(count_text(int(f.stem)), picture(read_image(f), f"samples after {int(f.stem)} images")) for f in chosen]


def _evaluations(run: Path, folders: Sequence[Path]) -> list[tuple[str, Evaluation]]:
    """Evaluations of synthetic sets of a run, by name: in the folders named, and those that earlier versions left in the run.

    Raises UserError for a folder without one, and for an evaluation of a set that another run made.
    """
    earlier = [
        (file.stem, parse_evaluation(read_json(file), file)) for file in sorted((run / "evaluations").glob("*.json"))
    ]
    made = {checkpoint.hash for checkpoint in checkpoints(run)}
    named = []
    for folder in folders:
        result = read_evaluation(folder)
        if result.synthetic.generator.get("checkpoint") not in made:
            raise UserError(f"`evaluation` {folder}: of a set that no checkpoint of {run} made")
        named.append((result.synthetic.folder, result))
    return [*earlier, *named]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted names."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return flat
