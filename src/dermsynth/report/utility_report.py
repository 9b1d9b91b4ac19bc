"""A utility experiment as a page: the verdict and what to do, how the arms differ and how surely, then every figure."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from markupsafe import Markup

from dermsynth.report.page import COLOURS, as_svg, drawing, paths, write_page
from dermsynth.utility.reading import WORDS, next_step
from dermsynth.utility.results import THRESHOLDS, ArmFigures, Comparison, Settings, UtilityResult

PAGE = "utility.html"


def write_utility_report(out: Path, result: UtilityResult, command: str) -> Path:
    """Write `utility.html` into a folder."""
    tests = []
    for test in result.settings.tests:
        figures = [row for row in result.figures if row.test == test.name]
        comparisons = [row for row in result.comparisons if row.test == test.name]
        tests.append(
            {
                "name": test.name,
                "figures": figures,
                "comparisons": comparisons,
                "pictures": [*_differences(comparisons), _learning_curve(figures, result.settings)],
                "curves": _curves(figures),
            }
        )
    page = out / PAGE
    values = {"name": out.name, "result": result, "tests": tests, "command": command, "words": WORDS}
    write_page(page, "utility.html", {**values, "next_step": next_step(result)})
    return page


def _curves(figures: Sequence[ArmFigures]) -> list[Markup]:
    reliability = {row.arm: ([b[0] for b in row.calibration], [b[1] for b in row.calibration]) for row in figures}
    roc, recall = ({row.arm: getattr(row, name) for row in figures} for name in ("roc", "precision_recall"))
    title = "Precision and recall, ensembles"
    return [
        paths(roc, title="ROC, ensembles", xlabel="1 - specificity", ylabel="sensitivity"),
        paths(reliability, title="Reliability", xlabel="predicted probability", ylabel="share of positives"),
        paths(recall, title=title, xlabel="recall", ylabel="precision", diagonal=False),
        *_decision_curves(figures),
    ]


def _decision_curves(figures: Sequence[ArmFigures]) -> list[Markup]:
    """Net benefit of every arm over the probability from which on somebody acts, beside that of treating all and none."""
    rows = [row for row in figures if row.net_benefit]
    if not rows:
        return []
    prevalence = rows[0].positive / rows[0].images
    with drawing(4.2, 4.0) as (figure, axes):
        everybody = [prevalence - (1 - prevalence) * p / (1 - p) for p in THRESHOLDS]
        axes.plot(
            THRESHOLDS, everybody, color="#718096", linewidth=0.9, linestyle="--", label="everybody is called positive"
        )
        axes.axhline(0, color="#718096", linewidth=0.9, linestyle=":", label="nobody is")
        for colour, row in zip(cycle(COLOURS), rows, strict=False):
            axes.plot(THRESHOLDS, row.net_benefit, color=colour, label=row.arm, linewidth=1.2)
        axes.set(title="Net benefit, ensembles", xlabel="probability from which on somebody acts", ylabel="net benefit")
        axes.set_ylim(-0.3 * prevalence, 1.15 * prevalence)
        axes.legend(frameon=False, fontsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        return [as_svg(figure)]


def _differences(comparisons: Sequence[Comparison]) -> list[Markup]:
    """Differences to the first arm with their intervals; what crosses the line at 0 is no evidence."""
    if not comparisons:
        return []
    baseline = comparisons[0].against
    rows = [row for row in comparisons if row.against == baseline]
    places = range(len(rows))
    colours = [COLOURS[0] if row.p_holm < 0.05 else "#718096" for row in rows]
    with drawing(6.4, 0.32 * len(rows) + 1.1) as (figure, axes):
        axes.axvline(0, color="#1a202c", linewidth=0.8)
        axes.hlines(places, [row.low for row in rows], [row.high for row in rows], color=colours, linewidth=2)
        axes.scatter([row.difference for row in rows], places, color=colours, zorder=3)
        axes.set(yticks=places, ylim=(len(rows) - 0.5, -0.5), title=f"Mean AUC, difference to: {baseline}")
        axes.set_yticklabels([row.arm for row in rows])
        axes.set_xlabel("worse  |  better; grey: p of 0.05 or more after Holm")
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right", "left"]].set_visible(False)
        return [as_svg(figure)]


def _learning_curve(figures: Sequence[ArmFigures], settings: Settings) -> Markup:
    """Mean AUC over the number of real training images, with the deviation over repeats; other arms as lines across."""
    count, arms = settings.real.training_images, {row.arm: settings.arm(row.arm) for row in figures}
    curve = sorted(
        (arms[row.arm].real * count, row.auc, row.auc_deviation) for row in figures if arms[row.arm].is_real_only
    )
    if len(curve) < 2:
        return Markup("")
    with drawing(4.6, 4.0) as (figure, axes):
        axes.errorbar(*zip(*curve, strict=True), color=COLOURS[0], marker="o", capsize=3, label="real images alone")
        few = sorted((arms[r.arm].real * count, r.auc, r.auc_deviation) for r in figures if arms[r.arm].has_few_real)
        if few:
            x, y, reach = zip(*few, strict=True)
            axes.errorbar(x, y, reach, color=COLOURS[1], marker="s", capsize=3, label="with synthetic images")
        with_synthetic = [row for row in figures if arms[row.arm].synthetic != 0 and not arms[row.arm].has_few_real]
        for colour, row in zip(cycle(COLOURS[2:]), with_synthetic, strict=False):
            axes.axhline(row.auc, color=colour, linewidth=1, label=row.arm)
        axes.set(title="Worth in real images", xlabel="real training images", ylabel="mean AUC", xscale="log")
        axes.set_xticks([images for images, _, _ in curve], [f"{images:.0f}" for images, _, _ in curve])
        axes.minorticks_off()
        axes.legend(frameon=False, fontsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)
