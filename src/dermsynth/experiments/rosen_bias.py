"""ROSEN: does a generator amplify the bias of its images, and is a classifier freed of it by edited or cleaned images?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from dermsynth.artefacts.datasets import INSERTED
from dermsynth.artefacts.fill import METHODS
from dermsynth.artefacts.removal import CUTS
from dermsynth.data.cache import decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.experiments.rosen_sets import Sets, SetsRequest, edited_set, prepare_sets, scores_of
from dermsynth.experiments.steps import Result, Setting, plan, rows_picture, train_run, write_results
from dermsynth.io import parse_count, write_text
from dermsynth.latents.attributes import Scorer, scorer
from dermsynth.latents.entanglement import Observers, entanglement, rank_directions
from dermsynth.latents.space import require_w, space_of
from dermsynth.locks import claim_folder
from dermsynth.models.registry import family
from dermsynth.report.latents_report import as_text
from dermsynth.report.page import bars
from dermsynth.sampling.generator import Generator, load_generator
from dermsynth.statistics.roc import delong_interval
from dermsynth.utility.arms import OVERSAMPLED, REAL, SYNTHETIC, Arm, mixed
from dermsynth.utility.classifier import Training, backbone
from dermsynth.utility.counterfactual import counterfactual, share
from dermsynth.utility.datasets import collect_material
from dermsynth.utility.experiment import Plan as Comparison
from dermsynth.utility.experiment import run_experiment as compare_arms
from dermsynth.utility.experiment import stored_scores
from dermsynth.utility.material import FEWEST, Classes, HeldOut, Material
from dermsynth.utility.results import UtilityResult

SIZES = ("laptop", "paper")
RUN, CLEANED, PICTURED, BEGUN, FRAMED = "cgan", "cleaned", 10, "begun.json", 0.9
STYLED = "stylegan2-ada"
STEPS, MIXED = (-1.0, -2.0, -3.0), 1.0
OPTIONS = {
    "target": "frame", "model": "", "artefact": "", "positive": "melanoma", "classifier": "small", "images": "8k",
    "repeats": "3", "points": "5k", "fill": "skin", "run": "",
}  # fmt: skip
"""Score and backbone as in `dermsynth latents`; the artefact drawn and removed; the label found; the classifier, images it is
shown, trainings an arm; points sampled; how frames are filled; a run to use instead of training one."""


def configuration(size: str) -> Setting:
    """The suite's settings.

    `dermsynth experiment rosen-bias --data DIR --size paper`: 256 pixels, the conditional StyleGAN2-ADA in its `auto` preset,
    25 million images, 10,000 synthetic ones a class, 20,000 points, EfficientNet-B2 (`timm:efficientnet_b2`); days on one GPU.
    Reported there: frames in 38 % of the melanomas and no other image; SVM accuracy 94.5 %; AUC real 0.982, synthetic 0.960,
    mixed 0.986. `--size laptop`: 64 pixels, 40,000 images, 800 synthetic ones a class; an hour and a half on 2 CPU cores.
    """
    if size == "paper":
        options = {**OPTIONS, "classifier": "timm:efficientnet_b2", "images": "200k", "repeats": "5", "points": "20k"}
        plans = {RUN: plan(STYLED, "auto")}
        return Setting("256", 25_000_000, plans, 10_000, conditional=True, framed=FRAMED, options=options)
    return Setting("64", 40_000, {RUN: plan(STYLED)}, 800, conditional=True, framed=FRAMED, options=OPTIONS)


class Amplification(BaseModel):
    """Of one set: shares of either class with the artefact, mean scores, and the AUC with which the score tells the class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    set: str
    positive: dict[str, float]
    negative: dict[str, float]
    mean_positive: float
    mean_negative: float
    tells: tuple[float, float, float]


class BiasResult(Result):
    """The artefact in every set, classifiers trained on each, predictions that pairs switch, and entanglement of directions."""

    target: str
    threshold: float
    artefact: str
    amplification: list[Amplification]
    classifiers: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    switched: list[dict[str, Any]]
    left_out: dict[str, str]
    entanglement: list[dict[str, Any]]
    generator: dict[str, Any]
    directions: dict[str, dict[str, Any]]


def carry_out(setting: Setting, data_set: DataSet, out: Path, device: str = "auto") -> BiasResult:
    """Train, make the sets, measure the artefact in all of them, train classifiers on each, and test them on pairs."""
    options = setting.options
    _check(setting, data_set)
    target, artefact = scorer(options["target"], options["model"]), _artefact(options)
    _claim(setting, data_set, out)
    generator = _generator(setting, data_set, out, device)
    space = space_of(generator)
    require_w(space, "experiment rosen-bias")
    request = SetsRequest(setting.generated, parse_count(options["points"]), artefact, options["fill"], setting.seed)
    sets = prepare_sets(data_set, space, target, request, out)
    material = _material(setting, data_set, generator, sets)
    amplification = measure_amplification(material, sets, target)
    arms, useful = _train_classifiers(setting, material, sets, out)
    classifiers = [row.model_dump() for row in useful.figures]
    switched = [row for arm in arms for row in _switched(material, arm, useful, out)]
    seeds = range(1_000_000, 1_000_200)
    costs = entanglement(space, list(sets.directions.values()), Observers(target), seeds=seeds, steps=STEPS)
    _write_pictures(sets, material, target, out)
    write_text(out / "amplification.svg", str(plot(amplification, target)))
    lines = [*amplification_table(amplification, target), "", *classifier_table(classifiers), ""]
    ranking = as_text(rank_directions(costs)).splitlines() if costs else ["no direction"]
    lines += [*switched_table(switched), "", "```", *ranking, "```"]
    lines += [f"left out: {name}: {why}" for name, why in sets.left_out.items()]
    result = BiasResult(
        table=tuple(lines),
        target=target.name,
        threshold=target.threshold,
        artefact=artefact,
        amplification=amplification,
        classifiers=classifiers,
        comparisons=[row.model_dump() for row in useful.comparisons],
        switched=switched,
        left_out=dict(sets.left_out),
        entanglement=[row.model_dump(exclude_unset=True) for row in costs],
        generator=generator.origin().with_facts(truncation=None).document,
        directions={name: direction.facts for name, direction in sets.directions.items()},
    )
    write_results(out, "rosen-bias", setting, result)
    return result


def _claim(setting: Setting, data_set: DataSet, out: Path) -> None:
    """Raise UserError where the folder was begun with other options; more repeats go on."""
    facts = {**setting.options, "generated": setting.generated, "data": data_set.whole_hash, "seed": setting.seed}
    claim_folder(out, BEGUN, {key: value for key, value in facts.items() if key != "repeats"})


def _train_classifiers(setting: Setting, material: Material, sets: Sets, out: Path) -> tuple[list[Arm], UtilityResult]:
    """The arms, and the utility experiment's result."""
    options = setting.options
    arms = _arms(sets, len(material.synthetic.table) / len(material.training.table))
    training = Training(options["classifier"], parse_count(options["images"]))
    comparison = Comparison(arms, parse_count(options["repeats"]), training, setting.seed)
    return arms, compare_arms(material, comparison, out / "utility")


def _check(setting: Setting, data_set: DataSet) -> None:
    """Raise UserError for what could not be used, before the training."""
    asked = setting.options
    without = sorted({p.family for p in setting.plans.values() if not family(p.family).has_style()})
    if without:
        raise UserError(f"`families` {', '.join(without)}: rosen-bias edits in W, which only families with styles have")
    if asked["positive"] not in data_set.classes:
        raise UserError(f"`set` positive={asked['positive']}: {data_set.folder} has: {', '.join(data_set.classes)}")
    if asked["positive"] in setting.exclude:
        raise UserError(f"`exclude` {asked['positive']}: is what the classifiers are to find")
    if setting.generated < FEWEST:
        raise UserError(f"`generated` {setting.generated}: at least {FEWEST} images a class are needed")
    absent = {"train", "validation", "test"} - set(data_set.table.get("split", []))
    if absent:
        raise UserError(f"{data_set.folder}: no images of the split {min(absent)}; import the set with splits")
    if asked["fill"] not in (*METHODS, *CUTS):
        raise UserError(f"`set` fill={asked['fill']}: write {', '.join((*CUTS, *METHODS))}")
    for name in ("images", "repeats", "points"):
        parse_count(asked[name])
    backbone(asked["classifier"])


def _artefact(asked: Mapping[str, str]) -> str:
    """What is drawn into test images and removed from them."""
    name = asked["artefact"] or asked["target"].partition("@")[0]
    if name not in INSERTED:
        raise UserError(f"`set` artefact={name}: write {', '.join(INSERTED)}: what is drawn into test images")
    return name


def _generator(setting: Setting, data_set: DataSet, out: Path, device: str) -> Generator:
    if not setting.options["run"]:
        return train_run(setting, next(iter(setting.plans)), data_set, out, device)[0]
    generator = load_generator(Path(setting.options["run"]), device=device)
    if len(generator.config.data.classes) < 2:
        raise UserError(f"`set` run={generator.run}: has no classes; the suite compares what it makes of two or more")
    if generator.config.data.content_hash != data_set.whole_hash:
        raise UserError(f"`set` run={generator.run}: trained on another set than {data_set.folder}")
    return generator


def _material(setting: Setting, data_set: DataSet, generator: Generator, sets: Sets) -> Material:
    """What classifiers are trained on; tests are the held-out images as they are and in pairs."""
    positive = setting.options["positive"]
    classes = Classes(positive, tuple(label for label in generator.config.data.classes if label != positive))
    variants = {**sets.synthetic, CLEANED: sets.cleaned}
    material = collect_material(data_set, variants.pop("synthetic"), classes, variants=variants)
    tests = list(material.tests)
    for name, pairs in sets.pairs.items():
        rows = pairs.part(np.isin(pairs.labels.astype(str), [classes.positive, *classes.negative]))
        images = np.asarray(decode_images(rows, material.decoding))
        tests.append(HeldOut(name, rows, images, classes.truth(rows)))
    return replace(material, tests=tests)


def _arms(sets: Sets, ratio: float) -> list[Arm]:
    """Real, shown longer, cleaned, every synthetic set alone, and one synthetic image for each real one, if there are enough."""
    named = [Arm(name, real=0.0, synthetic=None, variant=name) for name in sets.synthetic if name != "synthetic"]
    return [
        REAL,
        OVERSAMPLED,
        Arm(f"real, {CLEANED}", variant=CLEANED),
        SYNTHETIC,
        *named,
        mixed(min(MIXED, int(100 * ratio) / 100)),
    ]


def measure_amplification(material: Material, sets: Sets, target: Scorer) -> list[Amplification]:
    """Of every set: the share of each class that shows the artefact, its mean score, and how well the score tells the class.

    Real images are those trained on; all images are looked at by one scorer at one size.
    """
    training = sets.cleaned.table["split"] == "train"
    cleaned = material.classes.of(sets.cleaned.part(training.to_numpy()), CLEANED)
    every = {"real": material.training, CLEANED: cleaned, **sets.synthetic}
    rows = []
    for name, data_set in every.items():
        scores, truth = scores_of(data_set, material.decoding, target), material.classes.truth(data_set)
        positive = scores >= target.threshold
        both = 0 < truth.sum() < len(truth)
        rows.append(
            Amplification(
                set=name, positive=share(positive[truth]).model_dump(), negative=share(positive[~truth]).model_dump(),
                mean_positive=float(scores[truth].mean()) if truth.any() else float("nan"),
                mean_negative=float(scores[~truth].mean()) if (~truth).any() else float("nan"),
                tells=delong_interval(truth, scores) if both else (float("nan"),) * 3,
            )
        )  # fmt: skip
    return rows


def _switched(material: Material, arm: Arm, useful: UtilityResult, out: Path) -> list[dict[str, Any]]:
    """For each kind of pair: what the ensemble of an arm's classifiers says of the images that were changed, before and after."""
    original, *further = material.tests
    repeats = useful.settings.repeats
    threshold = next(f.threshold for f in useful.figures if (f.arm, f.test) == (arm.name, original.name))
    before = stored_scores(out / "utility", arm, repeats, original.name).mean(axis=0)
    places = {name: row for row, name in enumerate(original.rows.table["file_name"])}
    results = []
    for test in further:
        after = stored_scores(out / "utility", arm, repeats, test.name).mean(axis=0)
        rows = [places[name] for name in test.rows.table["edited_from"]]
        changed = (
            test.rows.table.get("filled_share", pd.Series("1", test.rows.table.index)).astype(float).to_numpy() > 0
        )
        pair = counterfactual(test.truth[changed], before[rows][changed], after[changed], threshold)
        results.append({"arm": arm.name, "test": test.name, **pair.model_dump(exclude_none=True)})
    return results


def _write_pictures(sets: Sets, material: Material, target: Scorer, out: Path) -> None:
    """The same latents as generated and edited, those first that show most; real test images, inserted and removed."""
    source = sets.synthetic["synthetic"]
    most = np.argsort(-scores_of(source, material.decoding, target), kind="stable")[:PICTURED]
    names = ["synthetic", *map(edited_set, sets.directions)]
    rows_picture(
        out / "edited.png",
        [np.asarray(decode_images(sets.synthetic[name], material.decoding))[most] for name in names],
        scale=2,
    )
    rows_picture(out / "pairs.png", [test.images[:PICTURED] for test in material.tests], scale=2)


def amplification_table(rows: Sequence[Amplification], target: Scorer) -> list[str]:
    """A line a set."""
    heads = ("set", f"positives with {target.name}", "other classes", "mean scores", "the score tells the class: AUC")
    lines = [f"| {' | '.join(heads)} |", "|--" * len(heads) + "|"]
    for row in rows:
        shares = " | ".join(
            f"{side['share']:.1%} ({side['low']:.1%} to {side['high']:.1%}, n = {side['n']})"
            for side in (row.positive, row.negative)
        )
        value, low, high = row.tells
        means = f"{row.mean_positive:.3f}, {row.mean_negative:.3f}"
        lines.append(f"| {row.set} | {shares} | {means} | {value:.3f} ({low:.3f} to {high:.3f}) |")
    return lines


def plot(rows: Sequence[Amplification], target: Scorer) -> str:
    """Shares with the artefact of either side, set by set."""
    pairs = [(f"{row.set}, {side}", getattr(row, side)) for row in rows for side in ("positive", "negative")]
    values, low, high = ([shares[key] for _, shares in pairs] for key in ("share", "low", "high"))
    return bars([name for name, _ in pairs], values, low, high, title=f"share of images with {target.name}")


def classifier_table(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line an arm, a column a test: AUC of the repeats' ensemble."""
    arms, tests = (list(dict.fromkeys(row[key] for row in figures)) for key in ("arm", "test"))
    lines = ["| trained on | " + " | ".join(tests) + " |", "|--" * (len(tests) + 1) + "|"]
    cells = {(row["arm"], row["test"]): row for row in figures}
    for arm in arms:
        row = [cells[arm, test] for test in tests]
        values = (f"{c['ensemble_auc']:.3f} ({c['delong'][0]:.3f} to {c['delong'][1]:.3f})" for c in row)
        lines.append(f"| {arm} | " + " | ".join(values) + " |")
    first = figures[0]
    return [
        *lines,
        "",
        f"AUC of {first['repeats']} trainings together, {first['images']} images, {first['positive']} positive.",
    ]


def switched_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line an arm and kind of pair."""
    lines = ["| trained on | pairs | predictions switched | AUC difference |", "|--|--|--|--|"]
    for row in rows:
        switched, (value, low, high, _) = row["switched"], row.get("auc_difference", (float("nan"),) * 4)
        shares = f"{switched['share']:.1%} ({switched['low']:.1%} to {switched['high']:.1%})"
        lines.append(f"| {row['arm']} | {row['test']} | {shares} | {value:+.3f} ({low:+.3f} to {high:+.3f}) |")
    return lines
