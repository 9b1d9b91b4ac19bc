"""A utility experiment as a page: the verdict, every arm on every test set, and how they differ."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from markupsafe import Markup

from dermsynth.report.page import COLOURS, as_svg, bars, drawing, paths, write_page
from dermsynth.utility.results import ArmFigures, Comparison, Settings, UtilityResult

PAGE = "utility.html"


def write_utility_report(out: Path, result: UtilityResult, command: str) -> Path:
    """Write `utility.html` into a folder."""
    tests = []
    for test in result.settings.tests:
        figures = [row for row in result.figures if row.test == test.name]
        comparisons = [row for row in result.comparisons if row.test == test.name]
        plots = [*_plots(figures, comparisons), _learning_curve(figures, result.settings)]
        tests.append({"name": test.name, "figures": figures, "comparisons": comparisons, "plots": plots})
    page = out / PAGE
    write_page(page, "utility.html", {"name": out.name, "result": result, "tests": tests, "command": command})
    return page


def _plots(figures: Sequence[ArmFigures], comparisons: Sequence[Comparison]) -> list[Markup]:
    reliability = {row.arm: ([b[0] for b in row.calibration], [b[1] for b in row.calibration]) for row in figures}
    roc, recall = ({row.arm: getattr(row, name) for row in figures} for name in ("roc", "precision_recall"))
    title = "Precision and recall, repeats averaged"
    return [
        *_differences(comparisons),
        paths(roc, title="ROC, repeats averaged", xlabel="1 - specificity", ylabel="sensitivity"),
        paths(reliability, title="Reliability", xlabel="predicted probability", ylabel="share of positives"),
        paths(recall, title=title, xlabel="recall", ylabel="precision", diagonal=False),
    ]


def _differences(comparisons: Sequence[Comparison]) -> list[Markup]:
    """Bars of the differences to the first arm."""
    if not comparisons:
        return []
    baseline = comparisons[0].against
    rows = [row for row in comparisons if row.against == baseline]
    values = ([getattr(row, name) for row in rows] for name in ("difference", "low", "high"))
    return [bars([row.arm for row in rows], *values, title=f"Difference of mean AUC to: {baseline}")]


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
        axes.legend(frameon=False, fontsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)
