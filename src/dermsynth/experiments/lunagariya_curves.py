"""LUNAGARIYA: loss curves of the DCGAN and of every frozen phase of the PGGAN, and grids beside real images."""

from pathlib import Path

from dermsynth.data.dataset import DataSet
from dermsynth.experiments.steps import (
    Pixels,
    Result,
    Setting,
    plan,
    real_images,
    rows_picture,
    samples,
    train_run,
    write_results,
)
from dermsynth.io import read_json_lines, write_text
from dermsynth.models.base import Model
from dermsynth.report.page import curves
from dermsynth.training.callbacks import LossName

SIZES = ("laptop", "paper")
COLUMNS, ROWS = 8, 4


def configuration(size: str) -> Setting:
    """The settings.

    `dermsynth experiment lunagariya-curves --data DIR --size paper`: 64 pixels, batch 64, 5 million images (500 epochs of
    10,000); hours on one GPU. The report shows curves and grids without figures. `--size laptop`: half the feature maps,
    30,000 images, phases of 10,000; ten minutes on 2 CPU cores.
    """
    if size == "paper":
        phases = {"phase_images": 1_600_000}
        plans = {
            "dcgan": plan("dcgan", "lunagariya"),
            "frozen-pggan": plan("frozen-pggan", "lunagariya", choices=phases),
        }
        return Setting("64", 5_000_000, plans, COLUMNS * ROWS)
    plans = {"dcgan": plan("dcgan"), "frozen-pggan": plan("frozen-pggan", choices={"phase_images": 10_000})}
    return Setting("64", 30_000, plans, COLUMNS * ROWS)


Series = dict[str, tuple[list[int], list[float]]]
"""Name of a loss -> images shown, values."""


class CurvesResult(Result):
    """Loss curves: run -> phase -> name -> images shown, values."""

    losses: dict[str, dict[str, Series]]


def carry_out(setting: Setting, data_set: DataSet, out: Path, device: str = "auto") -> CurvesResult:
    """Train both; write a curve a phase, and grids of generated and of real images."""
    real = real_images(data_set, setting, setting.generated)
    rows_picture(out / "real.png", _in_rows(real))
    losses: dict[str, dict[str, Series]] = {}
    for name in setting.plans:
        generator, images = train_run(setting, name, data_set, out, device)
        rows_picture(out / f"{name}.png", _in_rows(samples(generator, setting.generated, images)))
        losses[name] = by_phase(out / "runs" / name / "log.jsonl", generator.model)
        for phase, series in losses[name].items():
            path = out / f"{name}{'-' + phase if phase else ''}.svg"
            write_text(path, str(curves(series, title=f"{name} {phase}".strip())))
    text = [
        f"{name}: {', '.join(f'{p} pixels' if p else 'one phase' for p in phases)}" for name, phases in losses.items()
    ]
    result = CurvesResult(table=tuple(text), losses=losses)
    write_results(out, "lunagariya-curves", setting, result)
    return result


def _in_rows(images: Pixels) -> list[Pixels]:
    return [images[start : start + COLUMNS] for start in range(0, len(images), COLUMNS)]


def by_phase(log: Path, model: Model) -> dict[str, Series]:
    """Loss curves of a run's log, by phase of the training."""
    phases: dict[str, Series] = {}
    parts = {name: player.part for name, player in model.players().items()}
    for line in read_json_lines(log):
        for name, value in line.get("losses", {}).items():
            phase = parts[LossName.parse(name).player]
            x, y = phases.setdefault(phase, {}).setdefault(name, ([], []))
            x.append(line["images"])
            y.append(value)
    return phases
