"""Which family for how much time? All of them trained equally long on the same machine, and judged in every way we have."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict

from dermsynth.backbones.extractors import load_extractor
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError, require_choice
from dermsynth.evaluation.evaluate import evaluate
from dermsynth.evaluation.results import Evaluation, evaluation_of
from dermsynth.experiments.steps import (
    Result,
    Setting,
    logger,
    plan,
    plan_of,
    real_images,
    rows_picture,
    samples,
    train_run,
    write_results,
)
from dermsynth.io import read_json, read_json_lines, write_json
from dermsynth.models.inputs import Conditions
from dermsynth.models.layers.shapes import parse_shape
from dermsynth.models.registry import families, family
from dermsynth.report.families_report import Compared, Curve, write_families_report
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import Generator
from dermsynth.training import distributed
from dermsynth.training.arithmetic import AUTO, bfloat16_speed
from dermsynth.training.checkpoints import Checkpoint, checkpoints
from dermsynth.training.config import Precision
from dermsynth.training.cost import lengths_within
from dermsynth.training.data import Plan
from dermsynth.utility.usefulness import utility

SIZES = ("laptop", "paper")
LENGTHS, COLUMNS = "lengths.json", 12
GUESS = 20_000
"""Length with which the measurement of the cost begins; what is shown follows from the time."""
FIGURES = ("swd", "fid", "kid", "precision", "recall", "density", "coverage")
"""Metrics that the table shows, where they were measured."""


def configuration(size: str) -> Setting:
    """The comparison's settings.

    `dermsynth experiment families --data DIR --minutes 30 --seeds 2`: every family that takes images, in its preset `laptop` at
    64 pixels, 30 minutes of this machine each; a day on 2 CPU cores. `--size paper`: 128 pixels, the published presets, 8 hours
    each on one GPU.
    """
    options = {
        "minutes": "30", "seeds": "2", "precision": AUTO, "positive": "", "negative": "", "classifier": "small", "repeats": "2",
    }  # fmt: skip
    if size == "paper":
        plans = {name: plan(name, _published(name)) for name in _from_noise()}
        return Setting("128", GUESS, plans, 2_000, conditional=True, options={**options, "minutes": "480"})
    return Setting("64", GUESS, {name: plan(name) for name in _from_noise()}, 1_000, conditional=True, options=options)


def _from_noise() -> list[str]:
    return [name for name in families() if family(name).inputs.from_noise]


def _published(name: str) -> str:
    """The first preset that is no small one."""
    return next((preset for preset in family(name).presets if preset not in ("laptop", "fine-tune")), "laptop")


class FamilyRun(BaseModel):
    """One training: its family and seed, what it showed in which time, and what came of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    seed: int
    images: int
    seconds: float
    figures: dict[str, tuple[float, float, float, float]]
    """Name of a metric -> value, ends of its interval, floor."""
    flagged: int | None
    """Images that the copy gate flagged; None where it could not run."""
    generated: int
    auc: float | None = None
    """Mean AUC of classifiers that learnt from synthetic images alone, on real test images."""
    real_auc: float | None = None
    """The same of classifiers that learnt from the real images."""


class FamiliesResult(Result):
    """Every training, and the images that each family shows in the time in the arithmetic that is faster for it."""

    minutes: float
    lengths: dict[str, int]
    precisions: dict[str, Precision]
    runs: tuple[FamilyRun, ...]


class Choices(NamedTuple):
    """What is asked for beside the setting."""

    minutes: float
    seeds: int
    precision: str
    positive: str
    negative: tuple[str, ...]
    classifier: str
    repeats: int


def carry_out(setting: Setting, data_set: DataSet, out: Path, device: str = "auto") -> FamiliesResult:
    """Measure what an image costs, train all families for the same time from several seeds, judge each, write the page."""
    choices = _choices(setting.options)
    lengths = _lengths(setting, data_set, out, device, choices)
    photographs, runs, compared = real_images(data_set, setting, COLUMNS * 2), [], []
    for seed in range(setting.seed, setting.seed + choices.seeds):
        for name in setting.plans:
            one = _run_setting(setting, name, seed, lengths[name])
            run, page = _judge(one, name, data_set, out, device, choices)
            runs.append(run)
            compared.append(page)
            rows, note = comparison(runs), _note(runs, lengths, choices)
            write_families_report(out, compared, rows, note, photographs)
    result = FamiliesResult(
        table=(*_markdown(rows), "", note), minutes=choices.minutes, runs=tuple(runs),
        lengths={name: length.images for name, length in lengths.items()},
        precisions={name: length.precision for name, length in lengths.items()},
    )  # fmt: skip
    write_results(out, "families", setting, result)
    return result


def _choices(options: Mapping[str, str]) -> Choices:
    try:
        minutes, seeds, repeats = float(options["minutes"]), int(options["seeds"]), int(options["repeats"])
    except ValueError as error:
        raise UserError(f"`minutes`, `seeds` and `repeats` must be numbers ({error})") from error
    if minutes <= 0 or seeds < 1 or repeats < 1:
        raise UserError(f"`minutes` {minutes:g}, `seeds` {seeds}, `repeats` {repeats}: must be above 0")
    require_choice(options["precision"], "precision", (AUTO, "float32", "bfloat16"))
    if bool(options["positive"]) != bool(options["negative"]):
        raise UserError("`positive` and `negative` belong together: the labels that classifiers are to tell apart")
    negative = tuple(filter(None, options["negative"].split("+")))
    return Choices(minutes, seeds, options["precision"], options["positive"], negative, options["classifier"], repeats)


class Length(NamedTuple):
    """Images that a family shows in the time, and the arithmetic of its large layers."""

    images: int
    precision: Precision


def _run_setting(setting: Setting, name: str, seed: int, length: Length) -> Setting:
    """The setting of one training, whose run is named after family and seed."""
    plans = {f"{name}-{seed}": _computed_in(setting.plans[name], length.precision)}
    return dataclasses.replace(setting, images=length.images, seed=seed, plans=plans)


def _computed_in(chosen: Plan, precision: Precision) -> Plan:
    return dataclasses.replace(chosen, training={"precision": precision, **chosen.training})


def _lengths(setting: Setting, data_set: DataSet, out: Path, device: str, choices: Choices) -> dict[str, Length]:
    """What every family shows in the time, measured once: a repeated call goes on with the same."""
    path = out / LENGTHS
    if not path.exists():
        lengths = _measure(setting, data_set, distributed.choose_device(device), choices)
        images, precisions = ({name: length[part] for name, length in lengths.items()} for part in (0, 1))
        write_json(path, {"minutes": choices.minutes, "images": images, "precision": precisions})
        return lengths
    known = read_json(path)
    if known["minutes"] != choices.minutes or not set(setting.plans) <= set(known["images"]):
        families = ", ".join(known["images"])
        raise UserError(f"{path}: measured for {known['minutes']:g} minutes and {families}; choose another `out`")
    precisions = known.get("precision", {})
    lengths = {name: Length(known["images"][name], precisions.get(name, "float32")) for name in setting.plans}
    other = [name for name, length in lengths.items() if choices.precision not in (AUTO, length.precision)]
    if other:
        raise UserError(f"{path}: measured in {lengths[other[0]].precision} for {other[0]}; choose another `out`")
    return lengths


def _measure(setting: Setting, data_set: DataSet, device: torch.device, choices: Choices) -> dict[str, Length]:
    """Time every family on noise, in both arithmetics where bfloat16 may be the faster one; the longer training is taken."""
    logger.info("measuring what an image costs each family")
    classes = set(data_set.classes) - set(setting.exclude) if setting.conditional else set()
    shape, conditions = parse_shape(setting.resolution), Conditions(len(classes))
    ways = _precisions(choices.precision, device)
    plans = {(name, way): partial(_plan_of_length, setting, name, way) for name in setting.plans for way in ways}
    images = lengths_within(plans, shape, conditions, choices.minutes * 60, device, setting.images)
    return {name: max(Length(images[name, way], way) for way in ways) for name in setting.plans}


def _precisions(asked: str, device: torch.device) -> tuple[Precision, ...]:
    """The arithmetics to time: both where bfloat16 is faster by a probe, unless one was asked for."""
    if asked != AUTO:
        return (asked,)  # type: ignore[return-value]
    return ("float32", "bfloat16") if bfloat16_speed(device) > 1 else ("float32",)


def _plan_of_length(setting: Setting, name: str, precision: Precision, images: int) -> Plan:
    plans = {name: _computed_in(setting.plans[name], precision)}
    return plan_of(dataclasses.replace(setting, images=images, plans=plans), name)


def _judge(
    setting: Setting, name: str, data_set: DataSet, out: Path, device: str, choices: Choices
) -> tuple[FamilyRun, Compared]:
    """Train one run, generate from it, evaluate, and let classifiers learn from it."""
    run = next(iter(setting.plans))
    generator, images = train_run(setting, run, data_set, out, device)
    synthetic = _synthetic(generator, data_set, setting, out / "synthetic" / run)
    result = evaluation_of(synthetic)
    if result is None or result.brief:
        result = evaluate(synthetic, data_set, load_extractor(setting.extractor), seed=setting.seed, device=device)
    aucs = _usefulness(synthetic, data_set, out / "utility" / run, choices, setting.seed)
    last = checkpoints(out / "runs" / run)[-1]
    sheet = samples(generator, COLUMNS * 2, images)
    rows_picture(out / f"{run}.png", [sheet[:COLUMNS], sheet[COLUMNS:]], scale=2)
    facts = family_run(name, setting.seed, last, result, aucs)
    curve = swd_curve(read_json_lines(out / "runs" / run / "log.jsonl"))
    compared = Compared(run=run, sheet=sheet, curve=curve, evaluation=result, synthetic=synthetic, real=data_set)
    return facts, compared


def _synthetic(generator: Generator, data_set: DataSet, setting: Setting, folder: Path) -> DataSet:
    """Images of every class as often as it occurs among the training images."""
    rows = data_set.part(data_set.in_split(setting.split))
    counts = {label: int((rows.labels.astype(str) == label).sum()) for label in generator.labels}
    total = sum(counts.values())
    quotas = {label: max(round(setting.generated * n / total), 1) for label, n in counts.items()} or {
        "": setting.generated
    }
    return generate(generator, quotas, folder)


def _usefulness(synthetic: DataSet, data_set: DataSet, out: Path, choices: Choices, seed: int) -> dict[str, float]:
    """Mean AUC by what classifiers saw, `synthetic` images alone or `real` ones, on the same real test images."""
    if not choices.positive:
        return {}
    result = utility(
        synthetic, data_set, out=out, positive=choices.positive, negative=choices.negative, arms=["real", "synthetic"],
        repeats=choices.repeats, model=choices.classifier, seed=seed,
    )  # fmt: skip
    return {row.arm: row.auc for row in result.figures if row.test == result.settings.tests[0].name}


def family_run(name: str, seed: int, last: Checkpoint, result: Evaluation, aucs: Mapping[str, float]) -> FamilyRun:
    """The facts of a run from its last checkpoint and its evaluation."""
    figures = {e.name: (e.value, e.low, e.high, e.floor) for e in result.on_card if e.id in FIGURES}
    return FamilyRun(
        family=name, seed=seed, images=last.images, seconds=last.state.seconds, figures=figures,
        auc=aucs.get("synthetic"), real_auc=aucs.get("real"),
        flagged=None if result.copy_gate is None else result.copy_gate.flagged, generated=result.synthetic.images,
    )  # fmt: skip


def swd_curve(lines: Sequence[Mapping[str, Any]]) -> Curve:
    """Seconds of training and mean SWD at every snapshot of a log."""
    curve: Curve = ([], [])
    seconds = 0.0
    for line in lines:
        seconds = line.get("seconds", seconds)
        if levels := [value for name, value in line.get("metrics", {}).items() if name.startswith("SWD")]:
            curve[0].append(seconds)
            curve[1].append(fmean(levels))
    return curve


def comparison(runs: Sequence[FamilyRun]) -> list[list[str]]:
    """Head, a row a family, the best mean SWD first, and a row of real against real: means over seeds, and each value."""
    names = list(dict.fromkeys(run.family for run in runs))
    metrics = list(dict.fromkeys(metric for run in runs for metric in run.figures))
    first = next((metric for metric in metrics if metric.startswith("SWD")), metrics[0])
    order = sorted(names, key=lambda name: fmean(run.figures[first][0] for run in runs if run.family == name))
    head = ["family", "images shown", "seconds", *metrics, "flagged", "AUC, synthetic alone"]
    floors = [f"{runs[0].figures[metric][3]:.3g}" for metric in metrics]
    real = ["real against real", "", "", *floors, "", _cell([run.real_auc for run in runs])]
    return [head, *(_row(name, [run for run in runs if run.family == name], metrics) for name in order), real]


def _note(runs: Sequence[FamilyRun], lengths: Mapping[str, Length], choices: Choices) -> str:
    seeds, planned = sorted({run.seed for run in runs}), len(lengths) * choices.seeds
    text = f"{choices.minutes:g} minutes of this machine a training; seeds {', '.join(map(str, seeds))}, mean (each)"
    faster = [name for name, length in lengths.items() if length.precision == "bfloat16"]
    arithmetic = f" In bfloat16: {', '.join(faster)}." if faster else ""
    missing = f" {len(runs)} of {planned} trainings are done." if len(runs) < planned else ""
    return f"{text}; {runs[0].generated:,} synthetic images a run.{arithmetic}{missing}"


def _row(name: str, runs: Sequence[FamilyRun], metrics: Sequence[str]) -> list[str]:
    return [
        name, _cell([run.images for run in runs], ".0f"), _cell([run.seconds for run in runs], ".0f"),
        *(_cell([run.figures[metric][0] for run in runs]) for metric in metrics),
        _cell([run.flagged for run in runs], ".0f"), _cell([run.auc for run in runs]),
    ]  # fmt: skip


def _cell(values: Sequence[float | None], digits: str = ".3g") -> str:
    """The mean of what is known, and each value where there are several."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    each = f" ({', '.join(f'{value:{digits}}' for value in known)})" if len(known) > 1 else ""
    return f"{fmean(known):{digits}}{each}"


def _markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *others = [f"| {' | '.join(row)} |" for row in rows]
    return [head, "|--" * len(rows[0]) + "|", *others]
