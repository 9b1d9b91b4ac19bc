"""Every figure of a study from its answers: raters, groups, images, diagnoses."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from dermsynth import __version__
from dermsynth.statistics.agreement import agreement_interval, fleiss_kappa, krippendorff_alpha
from dermsynth.statistics.mixed_model import fit_panel
from dermsynth.statistics.rates import Counts, against_chance, detection, rate, rates
from dermsynth.study.answers import REAL, SYNTHETIC, Answers

RESAMPLES = 2000


def analyse(answers: Answers, seed: int = 0) -> dict[str, Any]:
    """Everything that `report.json` holds; repeats count only for the agreement of raters with themselves."""
    first = answers.first
    return {
        "schema": 1,
        "program": f"dermsynth {__version__}",
        "positive": answers.positive,
        "seed": seed,
        "answers": len(answers.table),
        "raters": [_rater(first, answers, name) for name in first.raters],
        "groups": [_group(first.of_group(group), group, seed) for group in first.groups],
        "conditions": _conditions(first),
        "agreement": [
            row
            for group in first.groups
            for kind in (REAL, SYNTHETIC, "")
            for row in _agreement(first, group, kind, seed)
        ],
        "images": _images(first),
        "matrix": _matrix(first),
        "certainty": _certainty(first),
        "diagnosis": _diagnosis(first, seed),
    }


def _rater(first: Answers, everything: Answers, name: str) -> dict[str, Any]:
    mine = Answers(first.table[first.table["rater"] == name], first.positive)
    counts = mine.counts()
    return {
        "rater": name,
        "group": str(mine.table["group"].iloc[0]),
        "condition": ", ".join(dict.fromkeys(mine.table["condition"])),
        "counts": asdict(counts),
        "rates": {key: asdict(value) for key, value in rates(counts).items()},
        "detection": _detected(counts),
        "p_against_chance": against_chance(counts),
        "seconds_median": _median(mine.table["seconds"]),
        "self_agreement": _self_agreement(everything, name),
    }


def _self_agreement(everything: Answers, name: str) -> dict[str, Any] | None:
    """How often a rater said the same of an image seen again, and Cohen's kappa of both answers."""
    mine = everything.table[everything.table["rater"] == name]
    pairs = mine[~mine["repeat"]].merge(mine[mine["repeat"]], on="item", suffixes=("", "_again"))
    if pairs.empty:
        return None
    same = pairs["answer"] == pairs["answer_again"]
    varied = len({*pairs["answer"], *pairs["answer_again"]}) == 2
    kappa = float(cohen_kappa_score(pairs["answer"], pairs["answer_again"])) if varied else None
    return {"share": asdict(rate(int(same.sum()), len(same))), "kappa": kappa}


def _group(mine: Answers, name: str, seed: int) -> dict[str, Any]:
    """Pooled counts, the panel's balanced accuracy for other raters and images, and whether it is equivalent to tossing."""
    counts = mine.counts()
    found: dict[str, Any] = {
        "group": name,
        "raters": len(mine.raters),
        "counts": asdict(counts),
        "rates": {key: asdict(value) for key, value in rates(counts).items()},
        "detection": _detected(counts),
        "panel": None,
    }
    right, answers, _, items = mine.matrix()
    try:
        fit = fit_panel(right, answers, mine.positives(items))
    except ValueError as error:
        return found | {"panel_refused": str(error)}
    low, high = fit.interval()
    panel = {"balanced_accuracy": fit.accuracy, "low": low, "high": high, "p": fit.p, "equivalent": fit.equivalent}
    return found | {"panel": {**asdict(fit), **panel}}


def _detected(counts: Counts) -> dict[str, float] | None:
    found = detection(counts)
    return None if found is None else asdict(found)


def _conditions(first: Answers) -> list[dict[str, Any]]:
    """FURGER's figure: F1 and accuracy per rater in every set of images."""
    found = []
    for name, table in first.table.groupby("condition", sort=True):
        mine = Answers(table, first.positive)
        each = [rates(Answers(rows, first.positive).counts()) for _, rows in table.groupby("rater", sort=False)]
        values = {key: [v for v in (r[key].value for r in each) if v is not None] for key in ("f1", "accuracy")}
        mean = {f"mean_{key}": float(np.mean(v)) if v else None for key, v in values.items()}
        found.append({"condition": str(name), "raters": len(mine.raters), **values, **mean})
    return found


def _agreement(first: Answers, group: str, kind: str, seed: int) -> list[dict[str, Any]]:
    """Fleiss' kappa and Krippendorff's alpha of a group on real, synthetic or all images; intervals over images."""
    mine = first.of_group(group)
    mine = mine.of_truth(kind) if kind else mine
    ratings = _ratings(mine)
    if ratings.shape[0] < 2 or ratings.shape[1] < 2:
        return []
    counts = np.stack([np.nansum(ratings == value, axis=0) for value in (0.0, 1.0)], axis=1).astype(float)
    rated = counts[counts.sum(axis=1) >= 2]
    measures: list[tuple[str, float, Callable[[NDArray[np.int64]], float], int]] = []
    if len(rated) >= 2:
        measures.append(("Fleiss' kappa", fleiss_kappa(rated), lambda i: fleiss_kappa(rated[i]), len(rated)))
        measures.append(
            (
                "Krippendorff's alpha",
                krippendorff_alpha(ratings),
                lambda i: krippendorff_alpha(ratings[:, i]),
                ratings.shape[1],
            )
        )
    found = []
    for name, value, statistic, images in measures:
        low, high = agreement_interval(value, statistic, images, rated, seed)
        found.append(
            {"measure": name, "group": group, "images": kind or "all", "value": _finite(value), "low": _finite(low),
             "high": _finite(high), "n_images": images, "raters": ratings.shape[0]}
        )  # fmt: skip
    return found


def _ratings(mine: Answers) -> NDArray[np.float64]:
    """[raters, images]: 1 where real was said, 0 where synthetic, NaN where nothing."""
    pivot = mine.table.assign(said=(mine.table["answer"] == REAL).astype(float))
    return pivot.pivot_table(index="rater", columns="item", values="said", aggfunc="first").to_numpy(float)


def _images(first: Answers) -> dict[str, Any]:
    """How many raters were right about every image, and which fooled all or nobody."""
    rows: list[dict[str, Any]] = []
    for item, table in first.table.groupby("item", sort=True):
        right = int((table["truth"] == table["answer"]).sum())
        rows.append(
            {"item": str(item), "truth": str(table["truth"].iloc[0]), "label": str(table["label"].iloc[0]), "right": right,
             "raters": len(table), "certainty_mean": _mean(table["certainty"]), "seconds_median": _median(table["seconds"])}
        )  # fmt: skip
    fooled = [row["item"] for row in rows if row["right"] == 0 and row["raters"] >= 2]
    nobody = [row["item"] for row in rows if row["right"] == row["raters"] and row["raters"] >= 2]
    return {"rows": rows, "fooled_all": fooled, "fooled_none": nobody}


def _matrix(first: Answers) -> dict[str, Any]:
    """Right (1) or wrong (0) of every rater about every image, None where there is no answer."""
    right, answers, raters, items = first.matrix()
    rows = [[int(r > 0) if a else None for r, a in zip(*row, strict=True)] for row in zip(right, answers, strict=True)]
    return {"raters": raters, "items": items, "right": rows}


def _certainty(first: Answers) -> list[dict[str, Any]]:
    """Share of right answers at every certainty: raters who know what they know are more often right when surer."""
    known = first.table[first.table["certainty"].notna()]
    found = []
    for value, table in known.groupby("certainty", sort=True):
        right = int((table["truth"] == table["answer"]).sum())
        found.append({"certainty": float(value), **asdict(rate(right, len(table)))})  # type: ignore[arg-type]
    return found


def _diagnosis(first: Answers, seed: int) -> dict[str, Any] | None:
    """Confusion of diagnoses on real and on synthetic images apart, and whether their accuracies differ.

    The test is a permutation of the images between the two kinds, answers of an image kept together: raters say what they
    say of an image, whichever kind it is.
    """
    table = first.table[(first.table["diagnosis"] != "") & (first.table["label"] != "")]
    if table.empty:
        return None
    found: dict[str, Any] = {}
    for kind in (REAL, SYNTHETIC):
        rows = table[table["truth"] == kind]
        right = int((rows["diagnosis"] == rows["label"]).sum())
        confusion = pd.crosstab(rows["label"], rows["diagnosis"])
        found[kind] = {
            "accuracy": asdict(rate(right, len(rows))),
            "labels": [str(v) for v in confusion.index],
            "said": [str(v) for v in confusion.columns],
            "confusion": confusion.to_numpy().tolist(),
        }
    return found | {"difference": _difference(table, seed)}


def _difference(table: pd.DataFrame, seed: int) -> dict[str, Any] | None:
    images = table.assign(right=table["diagnosis"] == table["label"]).groupby("item")
    share, kind = images["right"].mean().to_numpy(float), (images["truth"].first() == REAL).to_numpy()
    if min(kind.sum(), (~kind).sum()) < 2:
        return None
    test = scipy.stats.permutation_test(
        (share[kind], share[~kind]), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis), n_resamples=RESAMPLES,
        vectorized=True, rng=seed,
    )  # fmt: skip
    return {"real_minus_synthetic": float(test.statistic), "p": float(test.pvalue), "images": len(share)}


def _mean(values: pd.Series) -> float | None:
    return _finite(float(values.mean()))


def _median(values: pd.Series) -> float | None:
    return _finite(float(values.median()))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
