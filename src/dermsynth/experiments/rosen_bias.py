"""ROSEN: does a generator amplify the bias of its images, and is a classifier freed of it by edited or cleaned images?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermsynth.artefacts.datasets import INSERTED
from dermsynth.artefacts.fill import METHODS
from dermsynth.artefacts.removal import CUTS
from dermsynth.data.cache import decoded
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.experiments.rosen_sets import Sets, Wanted, all_sets, scores_of
from dermsynth.experiments.steps import Setting, conclude, plan, rows_picture, trained
from dermsynth.io import claim, parse_count, write_text
from dermsynth.latents.attributes import Scorer, scorer
from dermsynth.latents.entanglement import Observers, entanglement, ranked
from dermsynth.latents.space import require_w, space_of
from dermsynth.report.latents_report import as_text
from dermsynth.report.page import bars
from dermsynth.sampling.generate import Generator, load_generator
from dermsynth.statistics.roc import delong_interval
from dermsynth.utility.arms import OVERSAMPLED, REAL, SYNTHETIC, Arm, mixed
from dermsynth.utility.classifier import Training, backbone
from dermsynth.utility.counterfactual import counterfactual, share
from dermsynth.utility.datasets import gathered
from dermsynth.utility.experiment import Plan as Comparison
from dermsynth.utility.experiment import carry_out as compared
from dermsynth.utility.experiment import kept_scores
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


def carry_out(setting: Setting, data_set: DataSet, out: Path, device: str = "auto") -> dict[str, Any]:
    """Train, make the sets, measure the artefact in all of them, train classifiers on each, and test them on pairs."""
    asked = setting.options
    _check(setting, data_set)
    target, artefact = scorer(asked["target"], asked["model"]), _artefact(asked)
    begun = {**asked, "generated": setting.generated, "data": data_set.content_hash, "seed": setting.seed}
    claim(out / BEGUN, {key: value for key, value in begun.items() if key != "repeats"})
    generator = _generator(setting, data_set, out, device)
    space = space_of(generator)
    require_w(space, "experiment rosen-bias")
    wanted = Wanted(setting.generated, parse_count(asked["points"]), artefact, asked["fill"], setting.seed)
    made = all_sets(data_set, space, target, wanted, out)
    material = _material(setting, data_set, generator, made)
    amplification = amplified(material, made, target)
    arms = _arms(made, len(material.synthetic.table) / len(material.training.table))
    training = Training(asked["classifier"], parse_count(asked["images"]))
    comparison = Comparison(arms, parse_count(asked["repeats"]), training, setting.seed)
    useful = compared(material, comparison, out / "utility")
    classifiers = [row.model_dump() for row in useful.figures]
    switched = [row for arm in arms for row in _switched(material, arm, useful, out)]
    seeds = range(1_000_000, 1_000_200)
    costs = entanglement(space, list(made.directions.values()), Observers(target), seeds=seeds, steps=STEPS)
    best = ranked(costs) if costs else []
    _pictures(made, material, target, out)
    write_text(out / "amplification.svg", str(plot(amplification, target)))
    result = {
        "target": target.name,
        "threshold": target.threshold,
        "artefact": artefact,
        "amplification": amplification,
        "classifiers": classifiers,
        "comparisons": [row.model_dump() for row in useful.comparisons],
        "switched": switched,
        "left_out": dict(made.left_out),
        "entanglement": [row.model_dump(exclude_unset=True) for row in costs],
        "generator": generator.provenance(None),
        "directions": {name: one.facts for name, one in made.directions.items()},
    }
    lines = [*amplification_table(amplification, target), "", *classifier_table(classifiers), ""]
    lines += [*switched_table(switched), "", "```", *(as_text(best).splitlines() if best else ["no direction"]), "```"]
    lines += [f"left out: {name}: {why}" for name, why in made.left_out.items()]
    conclude(out, "rosen-bias", setting, result, lines)
    return result


def _check(setting: Setting, data_set: DataSet) -> None:
    """What could not be used is told before the training."""
    asked = setting.options
    recipes = {one.recipe for one in setting.plans.values()}
    if recipes != {STYLED}:
        raise UserError(f"`families` {', '.join(sorted(recipes))}: rosen-bias edits in W, which only {STYLED} has")
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
        return trained(setting, next(iter(setting.plans)), data_set, out, device)[0]
    generator = load_generator(Path(setting.options["run"]), device=device)
    if len(generator.config.data.classes) < 2:
        raise UserError(f"`set` run={generator.run}: has no classes; the suite compares what it makes of two or more")
    if generator.config.data.content_hash != data_set.content_hash:
        raise UserError(f"`set` run={generator.run}: trained on another set than {data_set.folder}")
    return generator


def _material(setting: Setting, data_set: DataSet, generator: Generator, made: Sets) -> Material:
    """What classifiers are trained on; tests are the held-out images as they are and in pairs."""
    positive = setting.options["positive"]
    classes = Classes(positive, tuple(label for label in generator.config.data.classes if label != positive))
    variants = {**made.synthetic, CLEANED: made.cleaned}
    material = gathered(data_set, variants.pop("synthetic"), classes, variants=variants)
    tests = list(material.tests)
    for name, rows in made.pairs.items():
        kept = rows.select(np.isin(rows.labels.astype(str), [classes.positive, *classes.negative]))
        images = np.asarray(decoded(kept, material.decoding))
        tests.append(HeldOut(name, kept, images, classes.truth(kept)))
    return replace(material, tests=tests)


def _arms(made: Sets, ratio: float) -> list[Arm]:
    """Real, shown longer, cleaned, every synthetic set alone, and one synthetic image for each real one, if there are so many."""
    named = [Arm(name, real=0.0, synthetic=None, variant=name) for name in made.synthetic if name != "synthetic"]
    return [
        REAL,
        OVERSAMPLED,
        Arm(f"real, {CLEANED}", variant=CLEANED),
        SYNTHETIC,
        *named,
        mixed(min(MIXED, int(100 * ratio) / 100)),
    ]


def amplified(material: Material, made: Sets, target: Scorer) -> list[dict[str, Any]]:
    """Of every set: the share of each class that shows the artefact, its mean score, and how well the score tells the class.

    Real images are those trained on; all images are looked at by one scorer at one size.
    """
    places = made.cleaned.table["split"] == "train"
    sets = {"real": material.training, CLEANED: material.classes.of(made.cleaned.select(places.to_numpy()), CLEANED)}
    rows = []
    for name, one in {**sets, **made.synthetic}.items():
        scores, truth = scores_of(one, material.decoding, target), material.classes.truth(one)
        shown = scores >= target.threshold
        both = 0 < truth.sum() < len(truth)
        rows.append(
            {
                "set": name, "positive": share(shown[truth]).model_dump(), "negative": share(shown[~truth]).model_dump(),
                "mean_positive": float(scores[truth].mean()) if truth.any() else float("nan"),
                "mean_negative": float(scores[~truth].mean()) if (~truth).any() else float("nan"),
                "tells": delong_interval(truth, scores) if both else (float("nan"),) * 3,
            }
        )  # fmt: skip
    return rows


def _switched(material: Material, arm: Arm, useful: UtilityResult, out: Path) -> list[dict[str, Any]]:
    """For each kind of pair: what the ensemble of an arm's classifiers says of the images that were changed, before and after."""
    original, *others = material.tests
    repeats = useful.settings.repeats
    threshold = next(f.threshold for f in useful.figures if (f.arm, f.test) == (arm.name, original.name))
    before = kept_scores(out / "utility", arm, repeats, original.name).mean(axis=0)
    places = {name: row for row, name in enumerate(original.rows.table["file_name"])}
    found = []
    for test in others:
        after = kept_scores(out / "utility", arm, repeats, test.name).mean(axis=0)
        rows = [places[name] for name in test.rows.table["edited_from"]]
        changed = (
            test.rows.table.get("filled_share", pd.Series("1", test.rows.table.index)).astype(float).to_numpy() > 0
        )
        pair = counterfactual(test.truth[changed], before[rows][changed], after[changed], threshold)
        found.append({"arm": arm.name, "test": test.name, **pair.model_dump(exclude_none=True)})
    return found


def _pictures(made: Sets, material: Material, target: Scorer, out: Path) -> None:
    """The same latents as generated and edited, those first that show most; real test images, inserted and removed."""
    source = made.synthetic["synthetic"]
    most = np.argsort(-scores_of(source, material.decoding, target), kind="stable")[:PICTURED]
    names = ["synthetic", *(name for name in made.synthetic if name.startswith("edited"))]
    rows_picture(
        out / "edited.png",
        [np.asarray(decoded(made.synthetic[name], material.decoding))[most] for name in names],
        scale=2,
    )
    rows_picture(out / "pairs.png", [test.images[:PICTURED] for test in material.tests], scale=2)


def amplification_table(rows: Sequence[Mapping[str, Any]], target: Scorer) -> list[str]:
    """A line a set."""
    heads = ("set", f"positives with {target.name}", "other classes", "mean scores", "the score tells the class: AUC")
    lines = [f"| {' | '.join(heads)} |", "|--" * len(heads) + "|"]
    for row in rows:
        shares = " | ".join(
            f"{row[side]['share']:.1%} ({row[side]['low']:.1%} to {row[side]['high']:.1%}, n = {row[side]['n']})"
            for side in ("positive", "negative")
        )
        value, low, high = row["tells"]
        means = f"{row['mean_positive']:.3f}, {row['mean_negative']:.3f}"
        lines.append(f"| {row['set']} | {shares} | {means} | {value:.3f} ({low:.3f} to {high:.3f}) |")
    return lines


def plot(rows: Sequence[Mapping[str, Any]], target: Scorer) -> str:
    """Shares with the artefact of either side, set by set."""
    pairs = [(f"{row['set']}, {side}", row[side]) for row in rows for side in ("positive", "negative")]
    values, low, high = ([one[key] for _, one in pairs] for key in ("share", "low", "high"))
    return bars([name for name, _ in pairs], values, low, high, title=f"share of images with {target.name}")


def classifier_table(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line an arm, a column a test: AUC of the repeats' ensemble."""
    arms, tests = (list(dict.fromkeys(row[key] for row in figures)) for key in ("arm", "test"))
    lines = ["| trained on | " + " | ".join(tests) + " |", "|--" * (len(tests) + 1) + "|"]
    cells = {(row["arm"], row["test"]): row for row in figures}
    for arm in arms:
        found = [cells[arm, test] for test in tests]
        values = (f"{c['ensemble_auc']:.3f} ({c['delong'][0]:.3f} to {c['delong'][1]:.3f})" for c in found)
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
        one, (value, low, high, _) = row["switched"], row.get("auc_difference", (float("nan"),) * 4)
        shares = f"{one['share']:.1%} ({one['low']:.1%} to {one['high']:.1%})"
        lines.append(f"| {row['arm']} | {row['test']} | {shares} | {value:+.3f} ({low:+.3f} to {high:+.3f}) |")
    return lines
