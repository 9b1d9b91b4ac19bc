"""Arms against one another: the same test images for all, several seeds each, every score stored."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import ValidationError

from dermsynth.data.dataset import DataSet
from dermsynth.data.flagged import flagged_text
from dermsynth.errors import UserError, require_seed
from dermsynth.evaluation.results import USEFULNESS, Usefulness
from dermsynth.evaluation.sides import Remark, Side, remarks, remarks_on_claims, size_policy
from dermsynth.io import environment, read_json, replace_file, write_json
from dermsynth.locks import claim_folder, folder_lock
from dermsynth.progress import progress_bar
from dermsynth.statistics.roc import Array, auc, best_threshold
from dermsynth.utility.arms import REAL, Arm
from dermsynth.utility.augmentation import classical_augmentation, random_dihedral, strong_copies
from dermsynth.utility.classifier import (
    Classifier,
    Training,
    train_classifier,
    write_classifier,
)
from dermsynth.utility.frozen import FeatureStore, require_frozen, train_head
from dermsynth.utility.material import HeldOut, Material
from dermsynth.utility.metrics import ArmScores, arm_figures, comparisons
from dermsynth.utility.results import (
    ArmFigures,
    Comparison,
    RealSet,
    Settings,
    SyntheticSet,
    SyntheticTest,
    TestSet,
    UtilityResult,
)
from dermsynth.utility.verdict import cautions, verdict, worth

GROWING = ("arms", "repeats", "variants", "generators")
"""Settings that may grow when an experiment is continued."""
RESULT, SETTINGS = "utility.json", "settings.json"
VALIDATION, MADE = "(validation)", "(synthetic)"
"""Names under which the scores of validation and synthetic images are stored."""


@dataclass(frozen=True)
class Plan:
    """Which arms are compared, how many classifiers are trained for each, and how."""

    arms: Sequence[Arm]
    repeats: int = 5
    training: Training = field(default_factory=Training)
    seed: int = 0


def run_experiment(material: Material, plan: Plan, out: Path) -> UtilityResult:
    """Train every arm `repeats` times and write scores, figures and verdict into `out`; repeated, it continues.

    Nothing is written into the data sets. Raises UserError when `out` holds an experiment with other settings.
    """
    with folder_lock(out):
        require_seed(plan.seed)
        plan = _with_earlier(plan, out)
        for arm in plan.arms:
            for generator in range(material.generators_of(arm)):
                material.synthetic_count(arm, generator)  # an arm without enough images is refused before training
        if plan.training.frozen:
            require_frozen(plan.training, {arm.way for arm in plan.arms})
        settings = _claim(material, plan, out)
        _train_missing(material, plan, out)
        result = _result(material, plan, settings, out)
        result.save(out / RESULT)
        if material.view == "whole":  # only whole images say whether the set is useful
            usefulness = Usefulness(
                outcome=result.outcome, verdict=result.verdict, content_hash=material.synthetic.content_hash
            )
            write_json(out / USEFULNESS, usefulness.model_dump())
    return result


def _with_earlier(plan: Plan, out: Path) -> Plan:
    """The plan with the arms and repeats that are there already: all are in one table, and in one correction of p."""
    if not (out / SETTINGS).exists():
        return plan
    earlier = read_json(out / SETTINGS)
    arms = dict.fromkeys([*(Arm(**arm) for arm in earlier["arms"]), *plan.arms])
    return replace(plan, arms=tuple(arms), repeats=max(plan.repeats, int(earlier["repeats"])))


def _claim(material: Material, plan: Plan, out: Path) -> Settings:
    """Write the settings into `out`, unless it holds something else."""
    settings = _settings(material, plan)
    claim_folder(out, SETTINGS, settings.model_dump(), kind="a utility experiment", difference=_difference)
    return settings


def _settings(material: Material, plan: Plan) -> Settings:
    training, synthetic = material.training, material.synthetic
    variants = {name: (rows.content_hash, len(rows.table)) for name, (rows, _) in material.variants.items()}
    variants |= {name: (copies.content_hash, len(copies.rows)) for name, copies in material.copies.items()}
    return Settings(
        arms=tuple(plan.arms),
        repeats=plan.repeats,
        training=plan.training,
        seed=plan.seed,
        positive=material.classes.positive,
        negative=material.classes.negative,
        real=RealSet(content_hash=training.whole_hash, training_images=len(training.table), rows=table_hash(training)),
        validation_images=len(material.validation.truth),
        validation_rows=table_hash(material.validation_rows),
        synthetic=SyntheticSet(content_hash=synthetic.content_hash, images=len(synthetic.table)),
        variants={
            name: SyntheticSet(content_hash=content_hash, images=count)
            for name, (content_hash, count) in variants.items()
        },
        generators=tuple(
            SyntheticSet(content_hash=rows.content_hash, images=len(rows.table), name=rows.folder.name)
            for rows, _ in material.generators
        ),
        size=(material.decoding.width, material.decoding.height, material.decoding.crop) if material.chosen else None,
        tests=tuple(
            TestSet(name=test.name, images=len(test.truth), positive=int(test.truth.sum()), rows=table_hash(test.rows))
            for test in material.tests
        ),
        view=material.view,
    )


def _difference(earlier: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The first setting that is not as it was, but for those that may grow."""
    changed = [key for key in settings if key not in GROWING and earlier.get(key) != settings[key]]
    changed += ["view"] if "view" in earlier and "view" not in settings else []
    variants = earlier.get("variants", {})
    changed += [f"variant {name}" for name in variants if settings["variants"].get(name) != variants[name]]
    if changed == ["training"]:
        parts = {**earlier["training"], **settings["training"]}
        changed = [name for name in parts if earlier["training"].get(name) != settings["training"].get(name)]
    there = {one["content_hash"] for one in settings.get("generators", ())}
    missing = [one["name"] for one in earlier.get("generators", ()) if one["content_hash"] not in there]
    if missing and not changed:
        return f"begun with the further generator {missing[0]}, too; name it again in `generators`"
    return f"begun with another {changed[0]}" if changed else ""


def _train_missing(material: Material, plan: Plan, out: Path) -> None:
    store = FeatureStore(plan.training.backbone) if plan.training.frozen else None
    jobs = [
        (arm, repeat, generator)
        for repeat in range(plan.repeats)
        for arm in plan.arms
        for generator in range(material.generators_of(arm))
    ]
    for arm, repeat, generator in progress_bar(jobs, total=len(jobs), label="training classifiers", unit="model"):
        path = _scores_path(out, arm, repeat, _key_of(material, generator))
        if not path.exists():
            _train_classifier(material, plan, Job(arm, repeat, generator), path, store)


def _key_of(material: Material, generator: int) -> str:
    """What tells the scores of a further generator from those of the first one."""
    return material.generators[generator - 1].rows.content_hash if generator else ""


class Job(NamedTuple):
    """One training: of an arm, with a seed, from a generator."""

    arm: Arm
    repeat: int
    generator: int


def _train_classifier(material: Material, plan: Plan, job: Job, path: Path, store: FeatureStore | None) -> None:
    """Train one classifier and store what it says of test, validation and, of the first arm, synthetic images."""
    arm, repeat, seed = job.arm, job.repeat, plan.seed + job.repeat
    length = max(round(plan.training.images * arm.length), plan.training.batch)
    training = replace(plan.training, images=length)
    augment = strong_copies if arm.way == "copies" else classical_augmentation if arm.classical else random_dihedral
    train = train_classifier if store is None else partial(train_head, store)
    examples = material.examples(arm, seed, job.generator)
    model, _ = train(examples, material.validation, training, augment, seed=seed, way=arm.way)
    if arm == REAL and repeat == 0 and material.view == "whole":
        threshold = best_threshold(material.validation.truth, model.probabilities(material.validation.images))
        write_classifier(path.parent.parent, model, training, material.decoding, threshold)
    with replace_file(path) as temporary:
        _scores(material, arm, model).to_csv(temporary, index=False)


def _scores(material: Material, arm: Arm, model: Classifier) -> pd.DataFrame:
    rows = [
        pd.DataFrame(
            {"test": test.name, "file_name": test.rows.table["file_name"], "score": model.probabilities(test.images)}
        )
        for test in material.tests
    ]
    validation = pd.DataFrame({"test": VALIDATION, "score": model.probabilities(material.validation.images)})
    if arm == REAL and len(
        material.synthetic
    ):  # train on real, test on synthetic: whether synthetic images show their labels
        scores = model.probabilities(material.synthetic_images)
        rows.append(pd.DataFrame({"test": MADE, "file_name": material.synthetic.table["file_name"], "score": scores}))
    return pd.concat([*rows, validation])


def _scores_path(out: Path, arm: Arm, repeat: int, generator: str = "") -> Path:
    values = {name: value for name, value in asdict(arm).items() if name not in ("variant", "way") or value}
    key = hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]
    return out / "scores" / f"{key}-{repeat}{generator and f'-{generator[:12]}'}.csv"


def _result(material: Material, plan: Plan, settings: Settings, out: Path) -> UtilityResult:
    keys = {arm: [_key_of(material, number) for number in range(material.generators_of(arm))] for arm in plan.arms}
    tables = {arm: [table for key in keys[arm] for table in _tables(plan.repeats, arm, out, key)] for arm in plan.arms}
    figures: list[ArmFigures] = []
    rows: list[Comparison] = []
    for test in material.tests:
        scores = [_arm_scores(material, arm, test, tables[arm]) for arm in plan.arms]
        figures += [arm_figures(arm, plan.seed) for arm in scores]
        rows += comparisons(scores, plan.seed)
    first = material.tests[0].name
    of_first = [row for row in figures if row.test == first]
    outcome, text = verdict(of_first, [row for row in rows if row.test == first], plan.arms)
    sides = _remarks(material)
    warnings = [f"{remark.says}." for remark in sides if remark.level == "warning" or remark.about == "claimed"]
    return UtilityResult(
        settings=settings,
        figures=tuple(figures),
        comparisons=tuple(rows),
        environment=environment(),
        outcome=outcome,
        verdict=text,
        sides=sides,
        sizes=size_policy(*_sides(material), material.decoding, chosen=material.chosen),
        cautions=(*cautions(figures, rows, plan.repeats, plan.arms), *warnings),
        worth=worth(of_first, plan.arms, len(material.training.table)),
        trained_on_real_tested_on_synthetic=_synthetic_test(material, tables.get(REAL)),
    )


def _sides(material: Material) -> tuple[Side, Side]:
    synthetic = Side(material.synthetic, material.synthetic_images, "synthetic")
    return synthetic, Side(material.training, material.training_images, "real")


def _remarks(material: Material) -> tuple[Remark, ...]:
    """What makes both sides unlike; and what is claimed of the generator, here of all synthetic sets."""
    synthetic = [rows for rows, _ in (*material.every_generator, *material.variants.values())]
    claims = dict.fromkeys(rows.provenance.generator.claim for rows in synthetic)
    trained = not any(claims) and material.decoding.crop == material.synthetic.provenance.generator.crop
    decoding, chosen = material.decoding, material.chosen
    of_sides = remarks(*_sides(material), decoding, trained, chosen=chosen) if len(material.synthetic) else ()
    of_claims = (remark for claim in claims for remark in remarks_on_claims(claim, ()))
    apart = "that the sets of several generators are from trainings of their own is claimed, and was not checked"
    unchecked = (Remark("claimed", "note", apart),) if material.generators and any(claims) else ()
    return (*of_claims, *unchecked, *_flagged(material), *of_sides)


def _flagged(material: Material) -> Iterator[Remark]:
    """Which real images take part that an audit flagged."""
    every = [material.training, material.validation_rows, *(test.rows for test in material.tests)]
    for folder in dict.fromkeys(rows.folder for rows in every):
        parts = [rows for rows in every if rows.folder == folder]
        says = flagged_text(parts[0], [str(name) for rows in parts for name in rows.table["file_name"]])
        if says:
            yield Remark("flagged", "warning", says)


def _synthetic_test(material: Material, tables: Sequence[pd.DataFrame] | None) -> SyntheticTest | None:
    if tables is None or not material.has_both_classes:
        return None
    truth = material.classes.truth(material.synthetic)
    areas = [auc(truth, scores) for scores in _stored(tables, MADE)]
    return SyntheticTest(auc=float(np.mean(areas)), images=len(truth))


def _tables(repeats: int, arm: Arm, out: Path, generator: str = "") -> list[pd.DataFrame]:
    """The stored scores of every repeat of an arm, from one generator."""
    return [pd.read_csv(_scores_path(out, arm, repeat, generator), keep_default_na=False) for repeat in range(repeats)]


def _arm_scores(material: Material, arm: Arm, test: HeldOut, tables: Sequence[pd.DataFrame]) -> ArmScores:
    truth = material.validation.truth
    threshold = best_threshold(truth, _stored(tables, VALIDATION).mean(axis=0))
    scores, share = _stored(tables, test.name), float(truth.mean())
    return ArmScores(arm, test, scores, threshold, share, material.generators_of(arm))


def stored_scores(out: Path, arm: Arm, repeats: int, test: str) -> Array:
    """Stored probabilities of every repeat of an arm for a test set's images, in its order: [repeats, n]."""
    return _stored(_tables(repeats, arm, out), test)


def _stored(tables: Sequence[pd.DataFrame], name: str) -> Array:
    """Probabilities of every repeat for one set of images: [repeats, n]."""
    return np.stack([table.loc[table["test"] == name, "score"].to_numpy(float) for table in tables])


def read_result(out: Path) -> UtilityResult:
    """The result of an experiment's folder.

    Raises UserError when the folder holds none.
    """
    try:
        return UtilityResult.model_validate(read_json(out / RESULT))
    except (UserError, ValidationError) as error:
        raise UserError(f"{out}: no result of dermsynth utility ({RESULT}); name the `out` of an experiment") from error


def table_hash(rows: DataSet) -> str:
    """A hash of which images, and which labels, in which order."""
    return hashlib.sha256(rows.table[["file_name", "label"]].to_csv(index=False).encode()).hexdigest()[:16]
