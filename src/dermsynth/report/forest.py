"""Estimates of every class and skin tone beside what real images reach, a panel a metric."""

import math
import textwrap
from collections.abc import Sequence

from markupsafe import Markup

from dermsynth.metrics.estimate import Estimate
from dermsynth.metrics.registry import APPEARANCE, COLOURS, METRICS
from dermsynth.report.page import COLOURS as PALETTE
from dermsynth.report.page import as_svg, drawing

WIDTH, ROW, MARGIN = 3.5, 0.27, 0.85
"""Inches of a panel, of a row, and above and below the rows."""
TITLE = 32
"""Letters of a line of a title."""
ARROWS = {"lower": "less is better", "higher": "more is better", "near": "good: near the real ones"}


def forest_plots(estimates: Sequence[Estimate]) -> list[Markup]:
    """A panel of every metric that has a single figure a group: its value and interval, and real against real, by group.

    Of metrics with many parts of a kind (levels of a pyramid) the first part is drawn; colour channels and named features,
    which have no first one, are left to their tables.
    """
    panels = []
    for id, metric in METRICS.items():
        rows = _first_parts([estimate for estimate in estimates if estimate.id == id])
        if rows and metric.section != COLOURS and not (metric.section == APPEARANCE and "{part}" in metric.label):
            panels.append(_panel(rows))
    return panels


def _first_parts(estimates: Sequence[Estimate]) -> list[Estimate]:
    """One estimate a group, without those that could not be computed."""
    first: dict[str, Estimate] = {}
    for estimate in estimates:
        first.setdefault(estimate.group, estimate)
    return [estimate for estimate in first.values() if not math.isnan(estimate.value)]


def _panel(rows: Sequence[Estimate]) -> Markup:
    places = range(len(rows))
    with drawing(WIDTH, ROW * len(rows) + MARGIN) as (figure, axes):
        axes.hlines(places, [row.low for row in rows], [row.high for row in rows], color=PALETTE[0], linewidth=2)
        axes.plot([row.value for row in rows], places, "o", color=PALETTE[0], markersize=5)
        axes.plot([row.matched for row in rows], places, "o", color=PALETTE[0], markersize=7, fillstyle="none")
        axes.plot([row.floor for row in rows], places, "D", color=PALETTE[1], markersize=5)
        axes.set(yticks=places, ylim=(len(rows) - 0.5, -0.5), title=textwrap.fill(rows[0].name, TITLE))
        axes.set_yticklabels([row.group for row in rows])
        axes.set_xlabel(ARROWS[METRICS[rows[0].id].direction], color="#4a5568")
        axes.margins(x=0.08)
        axes.grid(axis="x", alpha=0.25)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        return as_svg(figure)
