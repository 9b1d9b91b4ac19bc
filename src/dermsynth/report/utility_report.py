"""A utility experiment as a page: the verdict, every arm on every test set, and how they differ."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dermsynth.report.page import bars, paths, write_page

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
                "plots": _plots(rows, [c for c in result["comparisons"] if c["test"] == test]),
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
    return found
