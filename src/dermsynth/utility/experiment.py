"""Arms against one another: the same test images for all, several seeds each, every score kept."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError, require_seed
from dermsynth.evaluation.results import write_usefulness
from dermsynth.evaluation.sides import Side, remarks
from dermsynth.io import environment, read_json, replacing, write_json
from dermsynth.locks import LOCK, folder_lock
from dermsynth.progress import progress_bar
from dermsynth.statistics.roc import Array, auc, best_threshold
from dermsynth.utility.arms import REAL, Arm
from dermsynth.utility.cautions import cautions
from dermsynth.utility.classifier import Training, classical, mirrored, trained, write_classifier
from dermsynth.utility.datasets import HeldOut, Material
from dermsynth.utility.metrics import Scored, comparisons, figures_of, verdict, worth

GROWING = ("arms", "repeats", "variants")
"""Settings of which an experiment may be given more."""
RESULT, SETTINGS = "utility.json", "settings.json"
VALIDATION, MADE = "(validation)", "(synthetic)"
"""Names under which the scores of images that are no test set are kept."""


@dataclass(frozen=True)
class Plan:
    """What is compared, how often, and how classifiers are trained."""

    arms: Sequence[Arm]
    repeats: int = 5
    training: Training = field(default_factory=Training)
    seed: int = 0


def carry_out(material: Material, plan: Plan, out: Path) -> dict[str, Any]:
    """Train every arm `repeats` times and write scores, figures and verdict into `out`. Repeated, it goes on.

    Raises UserError when `out` holds an experiment with other settings.
    """
    with folder_lock(out):
        return _carried_out(material, plan, out)


def _carried_out(material: Material, plan: Plan, out: Path) -> dict[str, Any]:
    require_seed(plan.seed)
    plan = _with_earlier(plan, out)
    for arm in plan.arms:
        material.wanted(arm)  # an arm that cannot be made is told now
    _claim(material, plan, out)
    jobs = [(arm, repeat) for repeat in range(plan.repeats) for arm in plan.arms]
    for arm, repeat in progress_bar(jobs, total=len(jobs), label="training classifiers", unit="model"):
        path = _scores_path(out, arm, repeat)
        if not path.exists():
            _train_one(material, plan, arm, repeat, path)
    tables = {arm: _tables(plan, arm, out) for arm in plan.arms}
    found = [_scored(material, arm, test, tables[arm]) for test in material.tests for arm in plan.arms]
    result = {
        "schema": 1,
        "settings": read_json(out / SETTINGS),
        "figures": [figures_of(one, plan.seed) for one in found],
        "comparisons": [
            c for test in material.tests for c in comparisons([f for f in found if f.test is test], plan.seed)
        ],
        "environment": environment(),
    }
    result["outcome"], result["verdict"] = verdict(result, material.tests[0].name)
    made = Side(material.synthetic, material.synthetic_images, "synthetic")
    sides = remarks(made, Side(material.training, material.training_images, "real"), material.decoding, True)
    result["sides"] = [asdict(remark) for remark in sides]
    result["cautions"] = [*cautions(result), *(f"{remark.says}." for remark in sides if remark.level == "warning")]
    result["worth"] = worth(result, len(material.training.table), material.tests[0].name)
    if REAL in plan.arms and material.both_made:
        truth = material.classes.truth(material.synthetic)
        areas = [auc(truth, scores) for scores in _kept(tables[REAL], MADE)]
        result["trained_on_real_tested_on_synthetic"] = {"auc": float(np.mean(areas)), "images": len(truth)}
    write_json(out / RESULT, result)
    write_usefulness(material.synthetic, out, str(result["outcome"]), str(result["verdict"]))
    return result


def _with_earlier(plan: Plan, out: Path) -> Plan:
    """The plan with the arms and repeats that are there already: all are in one table, and in one correction of p."""
    if not (out / SETTINGS).exists():
        return plan
    earlier = read_json(out / SETTINGS)
    arms = dict.fromkeys([*(Arm(**arm) for arm in earlier["arms"]), *plan.arms])
    return replace(plan, arms=tuple(arms), repeats=max(plan.repeats, int(earlier["repeats"])))


def _claim(material: Material, plan: Plan, out: Path) -> None:
    settings = {
        "arms": [asdict(arm) for arm in plan.arms],
        "repeats": plan.repeats,
        "training": asdict(plan.training),
        "seed": plan.seed,
        "positive": material.classes.positive,
        "negative": list(material.classes.negative),
        "real": {
            "content_hash": material.training.content_hash,
            "training_images": len(material.training.table),
            "rows": table_hash(material.training),
        },
        "validation_images": len(material.validation.truth),
        "validation_rows": table_hash(material.validation_rows),
        "synthetic": {"content_hash": material.synthetic.content_hash, "images": len(material.synthetic.table)},
        "variants": {
            name: {"content_hash": rows.content_hash, "images": len(rows.table)}
            for name, (rows, _) in material.variants.items()
        }
        | {
            name: {"content_hash": copies.content_hash, "images": len(copies.rows)}
            for name, copies in material.copies.items()
        },
        "tests": [
            {"name": t.name, "images": len(t.truth), "positive": int(t.truth.sum()), "rows": table_hash(t.rows)}
            for t in material.tests
        ],
    }
    settings = json.loads(json.dumps(settings))
    path = out / SETTINGS
    if path.exists():
        earlier = read_json(path)
        changed = [key for key in settings if key not in GROWING and earlier.get(key) != settings[key]]
        known = earlier.get("variants", {})
        changed += [f"variant {name}" for name in known if settings["variants"].get(name) != known[name]]
        if changed:
            raise UserError(f"{out}: begun with another {changed[0]}; choose another `out`")
    elif any(path.name != LOCK for path in out.iterdir()):
        raise UserError(f"{out}: not empty and no utility experiment; choose another `out`")
    write_json(path, settings)


def _scores_path(out: Path, arm: Arm, repeat: int) -> Path:
    told = {name: value for name, value in asdict(arm).items() if name != "variant" or value}
    key = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]
    return out / "scores" / f"{key}-{repeat}.csv"


def _train_one(material: Material, plan: Plan, arm: Arm, repeat: int, path: Path) -> None:
    seed = plan.seed + repeat
    shown = material.shown(arm, seed)
    length = max(round(plan.training.images * arm.length), plan.training.batch)
    training = Training(**{**asdict(plan.training), "images": length})
    model, _ = trained(shown, material.validation, training, classical if arm.classical else mirrored, seed=seed)
    if arm == REAL and repeat == 0:
        chosen = best_threshold(material.validation.truth, model.probabilities(material.validation.images))
        write_classifier(path.parent.parent, model, training, material.decoding, chosen)
    rows = [
        pd.DataFrame(
            {"test": test.name, "file_name": test.rows.table["file_name"], "score": model.probabilities(test.images)}
        )
        for test in material.tests
    ]
    validation = pd.DataFrame({"test": VALIDATION, "score": model.probabilities(material.validation.images)})
    if arm == REAL:  # train on real, test on synthetic: what of the classes the synthetic images show
        made = model.probabilities(material.synthetic_images)
        rows.append(pd.DataFrame({"test": MADE, "file_name": material.synthetic.table["file_name"], "score": made}))
    with replacing(path) as temporary:
        pd.concat([*rows, validation]).to_csv(temporary, index=False)


def _tables(plan: Plan, arm: Arm, out: Path) -> list[pd.DataFrame]:
    """What every repeat of an arm has left."""
    return [pd.read_csv(_scores_path(out, arm, repeat), keep_default_na=False) for repeat in range(plan.repeats)]


def _scored(material: Material, arm: Arm, test: HeldOut, tables: Sequence[pd.DataFrame]) -> Scored:
    truth = material.validation.truth
    chosen = best_threshold(truth, _kept(tables, VALIDATION).mean(axis=0))
    return Scored(arm, test, _kept(tables, test.name), chosen, float(truth.mean()))


def kept_scores(out: Path, arm: Arm, repeats: int, test: str) -> Array:
    """What every repeat of an arm said of a test set's images, in its order: [repeats, n]."""
    return _kept(
        [pd.read_csv(_scores_path(out, arm, repeat), keep_default_na=False) for repeat in range(repeats)], test
    )


def _kept(tables: Sequence[pd.DataFrame], name: str) -> Array:
    """Probabilities of every repeat for one set of images: [repeats, n]."""
    return np.stack([table.loc[table["test"] == name, "score"].to_numpy(float) for table in tables])


def table_hash(rows: DataSet) -> str:
    """A hash of which images, and which labels, in which order."""
    return hashlib.sha256(rows.table[["file_name", "label"]].to_csv(index=False).encode()).hexdigest()[:16]
