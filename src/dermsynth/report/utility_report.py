"""A utility experiment as a page: the verdict, every arm on every test set, and how they differ."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from markupsafe import Markup

from dermsynth.report.page import COLOURS, as_svg, bars, drawing, paths, write_page
from dermsynth.utility.arms import SYNTHETIC

PAGE = "utility.html"


def write_utility_report(out: Path, result: Mapping[str, Any], command: str) -> None:
    """Write `utility.html` beside the figures."""
    tests = []
    for test in dict.fromkeys(figure["test"] for figure in result["figures"]):
        rows = [figure for figure in result["figures"] if figure["test"] == test]
        tests.append(
            {
                "name": test,
                "figures": rows,
                "comparisons": [c for c in result["comparisons"] if c["test"] == test],
                "plots": [
                    *_plots(rows, [c for c in result["comparisons"] if c["test"] == test]),
                    _learning_curve(rows, result["settings"]),
                ],
            }
        )
    write_page(out / PAGE, "utility.html", {"name": out.name, "result": result, "tests": tests, "command": command})


def _plots(rows: list[Any], comparisons: list[Any]) -> list[str]:
    roc = {row["arm"]: (row["roc"][0], row["roc"][1]) for row in rows}
    reliability = {row["arm"]: ([b[0] for b in row["calibration"]], [b[1] for b in row["calibration"]]) for row in rows}
    found: list[str] = []
    if comparisons:
        comparisons = [c for c in comparisons if c["against"] == comparisons[0]["against"]]
        values = ([c[key] for c in comparisons] for key in ("difference", "low", "high"))
        title = f"Difference of mean AUC to: {comparisons[0]['against']}"
        found.append(bars([c["arm"] for c in comparisons], *values, title=title))
    found.append(paths(roc, title="ROC, repeats averaged", xlabel="1 - specificity", ylabel="sensitivity"))
    found.append(paths(reliability, title="Reliability", xlabel="probability given", ylabel="share of positives"))
    found_at = {row["arm"]: (row["precision_recall"][0], row["precision_recall"][1]) for row in rows}
    title = "Precision and recall, repeats averaged"
    found.append(paths(found_at, title=title, xlabel="recall", ylabel="precision", diagonal=False))
    return found


def _learning_curve(rows: list[Any], settings: Mapping[str, Any]) -> Markup:
    """Mean AUC over the number of real training images, with the deviation over repeats; other arms as lines across."""
    shares = {arm["name"]: arm["real"] for arm in settings["arms"] if arm["synthetic"] == 0 and arm["length"] == 1}
    count = settings["real"]["training_images"]
    scale = sorted(
        (shares[row["arm"]] * count, row["auc"], row["auc_deviation"]) for row in rows if row["arm"] in shares
    )
    if len(scale) < 2:
        return Markup("")
    with drawing(4.6, 4.0) as (figure, axes):
        axes.errorbar(*zip(*scale, strict=True), color=COLOURS[0], marker="o", capsize=3, label="real images alone")
        others = [row for row in rows if row["arm"] == SYNTHETIC.name or row["arm"].startswith("mixed")]
        for colour, row in zip(cycle(COLOURS[1:]), others, strict=False):
            axes.axhline(row["auc"], color=colour, linewidth=1, label=row["arm"])
        axes.set(title="Worth in real images", xlabel="real training images", ylabel="mean AUC", xscale="log")
        axes.legend(frameon=False, fontsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)
