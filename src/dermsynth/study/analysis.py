"""Every figure of a study from its answers: raters, groups, images, diagnoses."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from dermsynth import __version__
from dermsynth.errors import require_path
from dermsynth.statistics.agreement import RESAMPLES as AGREEMENT_RESAMPLES
from dermsynth.statistics.agreement import agreement_interval, fleiss_kappa, krippendorff_alpha
from dermsynth.statistics.mixed_model import fit_panel
from dermsynth.statistics.rates import against_chance, detection, rate, rates
from dermsynth.study.answers import REAL, SYNTHETIC, Answers, check_positive
from dermsynth.study.certainty import areas_by_certainty, left_out_of_areas
from dermsynth.study.counting import Doubt, counted_answers, read_answers
from dermsynth.study.create import Study
from dermsynth.study.export import study_answers
from dermsynth.study.results import (
    AccuracyDifference,
    AgreementResult,
    AnswerMatrix,
    CertaintyResult,
    ConditionResult,
    Confusion,
    DiagnosisResult,
    GroupResult,
    ImageResult,
    ImageResults,
    Panel,
    RaterResult,
    SelfAgreement,
    StudyResult,
)
from dermsynth.study.serve import open_live_study
from dermsynth.values import as_tuple

RESAMPLES = 2000


def analyse_study(
    source: Study | Path | str | pd.DataFrame,
    *,
    positive: Literal["real", "synthetic", ""] = "",
    without: Doubt | Collection[Doubt] = (),
    database: str = "",
    seed: int = 0,
) -> StudyResult:
    """Analyse a reader study: rates, panel, agreement, images that fooled, diagnoses.

    Parameters
    ----------
    source : Study, Path, str or DataFrame
        A study or its folder, a CSV, or a table with the columns `rater`, `item`, `truth` and `answer` (real or synthetic), and
        what else there is of `group`, `condition`, `label`, `diagnosis`, `certainty`, `seconds`, `repeat`.
    positive : {"real", "synthetic", ""}
        The kind whose recognition counts as a hit; by default the protocol's, or what the table says, or real.
    without : str, or collection of {"unfinished", "reopened", "diagnosis"}
        Doubtful answers to leave out: `unfinished` (of raters who did not finish), `reopened` (to images shown for a limited
        time whose page was opened again); `diagnosis` leaves out all diagnoses.
    database : str
        URL of a study's database, if it is not in its folder.
    seed : int
        Of intervals and tests by resampling, at least 0.

    Returns
    -------
    StudyResult
        Figures with 95 % intervals; `.to_frame()` is a table of raters, `.save(path)` writes JSON.

    Raises
    ------
    UserError
        For a table without a column that is needed, a value that is not understood, no answer that counts, and for pictures
        that were shown together: see `analyse_choices`.

    References
    ----------
    Baur, Albarqouni & Navab 2018, Generating Highly Realistic Images of Skin Lesions with GANs, section 3.3.
    Clopper & Pearson 1934, The use of confidence or fiducial limits.
    Fleiss 1971, Measuring nominal scale agreement among many raters.

    Examples
    --------
    >>> import pandas as pd
    >>> from dermsynth.study.analysis import analyse_study
    >>> answers = pd.DataFrame({
    ...     "rater": ["a", "a", "b", "b"], "item": ["1", "2", "1", "2"],
    ...     "truth": ["real", "synthetic"] * 2, "answer": ["real", "real", "real", "synthetic"],
    ... })
    >>> result = analyse_study(answers)
    >>> result.to_frame()["accuracy"].tolist()
    [0.5, 1.0]
    """
    notes: tuple[str, ...] = ()
    without = as_tuple(without)
    if isinstance(source, pd.DataFrame):
        answers, counted = counted_answers(source.fillna("").astype(str), Path("answers"), positive, without)
        return analyse(answers, seed, left_out=counted.left_out, noticed=counted.noticed, notes=counted.notes)
    place = source.folder if isinstance(source, Study) else require_path(source, "source")
    if place.is_dir():
        live = open_live_study(place, database)
        answers, counted = study_answers(live, without)
        notes = live.study.notes
        answers = Answers(answers.table, check_positive(positive)) if positive else answers
    else:
        answers, counted = read_answers(place, positive, without)
    return analyse(answers, seed, left_out=counted.left_out, noticed=counted.noticed, notes=(*counted.notes, *notes))


def analyse(
    answers: Answers,
    seed: int = 0,
    *,
    left_out: Mapping[str, int] | None = None,
    noticed: Mapping[str, int] | None = None,
    notes: Sequence[str] = (),
    resamples: int = AGREEMENT_RESAMPLES,
) -> StudyResult:
    """Everything that `report.json` holds; repeats count only for the agreement of raters with themselves.

    `left_out` and `noticed` say how many answers do not count, or do though something is odd, and why; `notes` is what else a
    reader should know. `resamples` is how often the images are redrawn for each interval of agreement.
    """
    first = answers.first
    kinds = (REAL, SYNTHETIC, "")
    areas, areas_refused = areas_by_certainty(first)
    return StudyResult(
        program=f"dermsynth {__version__}",
        positive=answers.positive,
        seed=seed,
        answers=len(answers.table),
        raters=tuple(_rater(first, answers, name) for name in first.raters),
        groups=tuple(_group(first.of_group(group), group) for group in first.groups),
        conditions=_conditions(first),
        agreement=tuple(
            row for group in first.groups for kind in kinds for row in _agreement(first, group, kind, seed, resamples)
        ),
        images=_images(first),
        matrix=_matrix(first),
        certainty=_certainty(first),
        areas=areas,
        areas_refused=areas_refused,
        diagnosis=_diagnosis(first, seed),
        left_out=dict(left_out or {}),
        noticed=dict(noticed or {}),
        notes=(*notes, *(left_out_of_areas(first) if areas else ())),
    )


def _rater(first: Answers, everything: Answers, name: str) -> RaterResult:
    of_rater = Answers(first.table[first.table["rater"] == name], first.positive)
    counts = of_rater.counts()
    return RaterResult(
        rater=name,
        group=str(of_rater.table["group"].iloc[0]),
        condition=", ".join(dict.fromkeys(of_rater.table["condition"])),
        counts=counts,
        rates=rates(counts),
        detection=detection(counts),
        p_against_chance=against_chance(counts),
        seconds_median=_median(of_rater.table["seconds"]),
        self_agreement=_self_agreement(everything, name),
    )


def _self_agreement(everything: Answers, name: str) -> SelfAgreement | None:
    """How often a rater gave the same answer to an image seen again, and Cohen's kappa of both answers."""
    table = everything.table[everything.table["rater"] == name]
    pairs = table[~table["repeat"]].merge(table[table["repeat"]], on="item", suffixes=("", "_again"))
    if pairs.empty:
        return None
    same = pairs["answer"] == pairs["answer_again"]
    varied = len({*pairs["answer"], *pairs["answer_again"]}) == 2
    kappa = float(cohen_kappa_score(pairs["answer"], pairs["answer_again"])) if varied else None
    return SelfAgreement(share=rate(int(same.sum()), len(same)), kappa=kappa)


def _group(answers: Answers, name: str) -> GroupResult:
    """Pooled counts, the panel's balanced accuracy for other raters and images, and whether it is equivalent to guessing."""
    panel, refused = _panel(answers)
    counts = answers.counts()
    return GroupResult(
        group=name,
        raters=len(answers.raters),
        counts=counts,
        rates=rates(counts),
        detection=detection(counts),
        panel=panel,
        panel_refused=refused,
    )


def _panel(answers: Answers) -> tuple[Panel | None, str | None]:
    """The group's mixed model, or why there is none."""
    right, answered, _, items = answers.matrix()
    try:
        fit = fit_panel(right, answered, answers.positives(items))
    except ValueError as error:
        return None, str(error)
    low, high = fit.interval()
    return (
        Panel(**asdict(fit), balanced_accuracy=fit.accuracy, low=low, high=high, p=fit.p, equivalent=fit.equivalent),
        None,
    )


def _conditions(first: Answers) -> tuple[ConditionResult, ...]:
    """FURGER's figure: F1 and accuracy per rater in every condition."""
    conditions = []
    for name, table in first.table.groupby("condition", sort=True):
        each = [rates(Answers(rows, first.positive).counts()) for _, rows in table.groupby("rater", sort=False)]
        f1, accuracy = (
            tuple(rate.value for rate in (row[key] for row in each) if rate.value is not None)
            for key in ("f1", "accuracy")
        )
        conditions.append(
            ConditionResult(
                condition=str(name), raters=table["rater"].nunique(), f1=f1, accuracy=accuracy,
                mean_f1=float(np.mean(f1)) if f1 else None, mean_accuracy=float(np.mean(accuracy)) if accuracy else None,
            )
        )  # fmt: skip
    return tuple(conditions)


Statistic = Callable[[NDArray[np.int64]], float]


def _agreement(first: Answers, group: str, kind: str, seed: int, resamples: int) -> list[AgreementResult]:
    """Fleiss' kappa and Krippendorff's alpha of a group on real, synthetic or all images; intervals over images."""
    answers = first.of_group(group)
    ratings = _ratings(answers.of_truth(kind) if kind else answers)
    if ratings.shape[0] < 2 or ratings.shape[1] < 2:
        return []
    counts = np.stack([np.nansum(ratings == value, axis=0) for value in (0.0, 1.0)], axis=1).astype(float)
    rated = counts[counts.sum(axis=1) >= 2]
    if len(rated) < 2:
        return []
    measures: list[tuple[str, float, Statistic, int]] = [
        ("Fleiss' kappa", fleiss_kappa(rated), lambda i: fleiss_kappa(rated[i]), len(rated)),
        (
            "Krippendorff's alpha",
            krippendorff_alpha(ratings),
            lambda i: krippendorff_alpha(ratings[:, i]),
            ratings.shape[1],
        ),
    ]
    results = []
    for name, value, statistic, images in measures:
        low, high = agreement_interval(value, statistic, images, rated, seed, resamples)
        results.append(
            AgreementResult(
                measure=name, group=group, images=kind or "all", value=_finite(value), low=_finite(low), high=_finite(high),
                n_images=images, raters=ratings.shape[0],
            )
        )  # fmt: skip
    return results


def _ratings(answers: Answers) -> NDArray[np.float64]:
    """[raters, images]: 1 where the answer is real, 0 where synthetic, NaN where there is none."""
    pivot = answers.table.assign(called_real=(answers.table["answer"] == REAL).astype(float))
    return pivot.pivot_table(index="rater", columns="item", values="called_real", aggfunc="first").to_numpy(float)


def _images(first: Answers) -> ImageResults:
    """How many raters were right about every image, and which images fooled all or none."""
    rows = tuple(_image(str(item), table) for item, table in first.table.groupby("item", sort=True))
    several = [row for row in rows if row.raters >= 2]
    return ImageResults(
        rows=rows,
        fooled_all=tuple(row.item for row in several if row.right == 0),
        fooled_none=tuple(row.item for row in several if row.right == row.raters),
    )


def _image(item: str, table: pd.DataFrame) -> ImageResult:
    return ImageResult(
        item=item,
        truth=str(table["truth"].iloc[0]),
        label=str(table["label"].iloc[0]),
        right=int((table["truth"] == table["answer"]).sum()),
        raters=len(table),
        certainty_mean=_mean(table["certainty"]),
        seconds_median=_median(table["seconds"]),
    )


def _matrix(first: Answers) -> AnswerMatrix:
    """Right (1) or wrong (0) of every rater about every image, None where there is no answer."""
    right, answered, raters, items = first.matrix()
    rows = [
        tuple(int(r > 0) if a else None for r, a in zip(*row, strict=True)) for row in zip(right, answered, strict=True)
    ]
    return AnswerMatrix(raters=tuple(raters), items=tuple(items), right=tuple(rows))


def _certainty(first: Answers) -> tuple[CertaintyResult, ...]:
    """Share of right answers at every certainty: a rater's certainty means something if it rises."""
    rated = first.table[first.table["certainty"].notna()]
    results = []
    for value, table in rated.groupby("certainty", sort=True):
        right = int((table["truth"] == table["answer"]).sum())
        results.append(CertaintyResult(certainty=float(str(value)), **asdict(rate(right, len(table)))))
    return tuple(results)


def _diagnosis(first: Answers, seed: int) -> DiagnosisResult | None:
    """Confusion of diagnoses on real and on synthetic images, and whether their accuracies differ."""
    table = first.table[(first.table["diagnosis"] != "") & (first.table["label"] != "")]
    if table.empty:
        return None
    real, synthetic = (_confusion(table[table["truth"] == kind]) for kind in (REAL, SYNTHETIC))
    return DiagnosisResult(real=real, synthetic=synthetic, difference=_difference(table, seed))


def _confusion(table: pd.DataFrame) -> Confusion:
    counts = pd.crosstab(table["label"], table["diagnosis"])
    return Confusion(
        accuracy=rate(int((table["diagnosis"] == table["label"]).sum()), len(table)),
        labels=tuple(str(label) for label in counts.index),
        said=tuple(str(diagnosis) for diagnosis in counts.columns),
        confusion=tuple(tuple(row) for row in counts.to_numpy().tolist()),
    )


def _difference(table: pd.DataFrame, seed: int) -> AccuracyDifference | None:
    """Permutation test of the images between the two kinds, answers to an image kept together.

    Under the null hypothesis raters say of an image what they say of it, whichever kind it is.
    """
    images = table.assign(right=table["diagnosis"] == table["label"]).groupby("item")
    share, real = images["right"].mean().to_numpy(float), (images["truth"].first() == REAL).to_numpy()
    if min(real.sum(), (~real).sum()) < 2:
        return None
    test = scipy.stats.permutation_test(
        (share[real], share[~real]), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis), n_resamples=RESAMPLES,
        vectorized=True, rng=seed,
    )  # fmt: skip
    return AccuracyDifference(real_minus_synthetic=float(test.statistic), p=float(test.pvalue), images=len(share))


def _mean(values: pd.Series) -> float | None:
    return _finite(float(values.mean()))


def _median(values: pd.Series) -> float | None:
    return _finite(float(values.median()))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
