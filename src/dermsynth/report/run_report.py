"""A run as a page: settings, curves, samples over time, real beside generated, metrics with floors, provenance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from dermsynth.errors import UserError
from dermsynth.evaluation.results import Evaluation, parse_evaluation, read_evaluation
from dermsynth.evaluation.watcher import PLOTS
from dermsynth.images import Pixels, grid, read_image
from dermsynth.io import count_text, read_json, read_json_lines
from dermsynth.models.base import Model
from dermsynth.report.page import PHOTOGRAPHS, curves, picture, write_page
from dermsynth.sampling.contact_sheets import COLUMNS, ROWS, RunImages
from dermsynth.sampling.generator import Generator
from dermsynth.training.callbacks import LossName
from dermsynth.training.checkpoints import checkpoints

SNAPSHOTS = 6
Series = dict[str, tuple[list[float], list[float]]]
"""Name -> images shown, values."""


def write_run_report(
    generator: Generator, images: RunImages, path: Path, *, evaluations: Sequence[Path] = (), photographs: bool = True
) -> bool:
    """Write the report of a generator's run; returns whether it embeds photographs.

    `evaluations` are evaluated synthetic sets of the run, or folders with their evaluations. Without `photographs` the page
    has no samples that were generated from training images; `images` then must have none either.

    Raises UserError for an evaluation of a set that another run made.
    """
    run, config = generator.run, generator.config
    log = read_json_lines(run / "log.jsonl")
    translates = generator.model.inputs.translates
    snapshots = _snapshots(run) if photographs or not translates else []
    embedded = images.training or (bool(snapshots) and translates)
    values = {
        "name": run.name,
        "photographs": PHOTOGRAPHS if embedded else "",
        "config": config,
        "shown": count_text(generator.checkpoint.images),
        "comparison": _comparison(images),
        "missing": images.missing,
        "caption": generator.model.inputs.caption(COLUMNS * ROWS),
        "plots": _plots(log, generator.model),
        "snapshots": snapshots,
        "evaluations": _evaluations(run, evaluations),
        "settings": _flat(config.model_dump(mode="json")),
        "environment": read_json(run / "environment.json"),
        "checkpoint": generator.checkpoint,
        "checkpoints": [count_text(checkpoint.images) for checkpoint in checkpoints(run)],
    }
    write_page(path, "run.html", {**values, **_speed(log)})
    return embedded


def _speed(log: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds of training, images a second, and GiB of memory."""
    last: Mapping[str, Any] = next((line for line in reversed(log) if "losses" in line), {})
    seconds = last.get("seconds", 0)
    memory = max((line.get("memory_gib", 0) for line in log), default=0)
    return {"seconds": seconds, "rate": last["images"] / seconds if seconds else 0, "memory": memory}


def _comparison(images: RunImages) -> list[tuple[str, Markup, Markup | None]]:
    """Pictures of every class: generated images (below their inputs), and real ones where there are any."""
    return [
        (
            sheet.label,
            _picture(sheet.generated, f"generated {sheet.label}"),
            None if sheet.real is None else _picture(sheet.real, f"real {sheet.label}"),
        )
        for sheet in images.classes
    ]


def _picture(images: Pixels, description: str) -> Markup:
    scale = max(1, 64 // images.shape[2])
    return picture(grid(images.transpose(0, 2, 3, 1), COLUMNS), description, scale=scale)


def _plots(log: list[dict[str, Any]], model: Model) -> list[Markup]:
    """Losses a resolution or phase, penalties, statistics, and what the watchers measured."""
    losses, statistics, metrics = (_series(log, key) for key in ("losses", "statistics", "metrics"))
    penalties = {name: values for name, values in losses.items() if LossName.parse(name).term in model.penalties}
    plots = [curves(part, title=f"Losses{title}") for title, part in _by_part(losses, model).items()]
    plots += [curves(penalties, title="Penalties", logarithmic=True)] if penalties else []
    for title, names in model.plots.items():
        logged = {name: statistics[name] for name in names if name in statistics}
        plots += [curves(logged, title=title)] if logged else []
    return plots + _metric_plots(metrics)


def _metric_plots(metrics: Series) -> list[Markup]:
    """The figures that a watcher declares to belong together in one plot, every other metric in its own."""
    plots, together = list[Markup](), {name for names in PLOTS.values() for name in names}
    for title, names in PLOTS.items():
        logged = {name: values for name, values in metrics.items() if name in names}
        plots += [curves(logged, title=title)] if logged else []
    return plots + [
        curves({name: values}, title=f"{name} during training", logarithmic=True)
        for name, values in metrics.items()
        if name not in together
    ]


def _by_part(losses: Series, model: Model) -> dict[str, Series]:
    """Losses without penalties, by resolution, phase or domain of the players."""
    parts: dict[str, Series] = {}
    players = model.players()
    for name, values in losses.items():
        player, term = LossName.parse(name)
        if term not in model.penalties:
            part = players[player].part if player in players else ""
            parts.setdefault(f" at {part}" if part else "", {})[name] = values
    return parts


def _series(log: list[dict[str, Any]], key: str) -> Series:
    """Every logged value of a kind over the images shown."""
    series: Series = {}
    for line in log:
        for name, value in line.get(key, {}).items():
            x, y = series.setdefault(name, ([], []))
            x.append(line["images"])
            y.append(value)
    return series


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
    hashes = {checkpoint.hash for checkpoint in checkpoints(run)}
    named = []
    for folder in folders:
        result = read_evaluation(folder)
        if result.synthetic.generator.checkpoint not in hashes:
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
