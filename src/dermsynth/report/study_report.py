"""A reader study as a page: the panel, every rater, agreement, images that fooled, diagnoses."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.colors import ListedColormap

from dermsynth.images import grid
from dermsynth.report.page import COLOURS, PHOTOGRAPHS, as_svg, drawing, picture, thumbnails, write_page
from dermsynth.study.create import Study
from dermsynth.study.results import AnswerMatrix, CertaintyResult, ImageResult, RaterResult, StudyResult

PAGE, RESULT = "study.html", "report.json"
SHOWN, COLUMNS = 40, 10


def write_study_report(folder: Path, result: StudyResult, command: str, study: Study | None = None) -> Path:
    """Write `report.json` and `study.html`; given the study's folder, the page shows the images."""
    folder.mkdir(parents=True, exist_ok=True)
    result.save(folder / RESULT)
    images = result.images
    sheets = {"fooled_all": _sheet(study, images.fooled_all), "fooled_none": _sheet(study, images.fooled_none)}
    page = folder / PAGE
    write_page(
        page, "study.html",
        {
            "result": result, "command": command, "name": folder.resolve().name,
            "plots": [_rates(result.raters), _boxes(result)],
            "images": _shares_right(images.rows), "heat": _heat(result.matrix), "certainty": _certainty(result.certainty),
            "photographs": PHOTOGRAPHS if study else "", "sheets": sheets,
        },
    )  # fmt: skip
    return page


def _rates(raters: Sequence[RaterResult]) -> Markup:
    """BAUR's figure: TPR, FPR and accuracy of every rater, coloured by group."""
    groups = list(dict.fromkeys(rater.group for rater in raters))
    names = ("sensitivity", "false_positive_rate", "accuracy")
    with drawing(max(4.5, 0.45 * len(raters) + 2), 3.4) as (figure, axes):
        for number, (name, marker) in enumerate(zip(names, "^vo", strict=True)):
            for colour, group in zip(COLOURS, groups, strict=False):
                points = [(i, rater.rates[name].value) for i, rater in enumerate(raters) if rater.group == group]
                x, y = ([point[k] for point in points if point[1] is not None] for k in (0, 1))
                label = f"{group or 'raters'}: {name.replace('_', ' ')}"
                axes.plot(np.array(x) + (number - 1) * 0.2, y, marker, color=colour, markersize=6, label=label)
        axes.axhline(0.5, color="#a0aec0", linewidth=0.8)
        axes.set(title="Rates per rater", ylim=(-0.03, 1.03), xticks=range(len(raters)))
        axes.set_xticklabels([rater.rater for rater in raters], rotation=60, ha="right", fontsize=7)
        axes.legend(frameon=False, fontsize=6, loc="upper left", bbox_to_anchor=(1, 1))
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)


def _boxes(result: StudyResult) -> Markup:
    """Box plots of accuracy per group (BAUR) and of F1 per condition (FURGER)."""
    groups: dict[str, list[float | None]] = {}
    for rater in result.raters:
        groups.setdefault(rater.group or "raters", []).append(rater.rates["accuracy"].value)
    series: dict[str, Sequence[float | None]] = {f"accuracy\n{name}": values for name, values in groups.items()}
    if len(result.conditions) > 1:
        series |= {f"F1\n{row.condition}": row.f1 for row in result.conditions if row.f1}
    with drawing(1.2 * len(series) + 1.5, 3.4) as (figure, axes):
        axes.boxplot(list(series.values()), tick_labels=list(series), widths=0.5, medianprops={"color": COLOURS[1]})
        axes.axhline(0.5, color="#a0aec0", linewidth=0.8)
        axes.set(title="Per group and condition", ylim=(-0.03, 1.03))
        axes.tick_params(axis="x", labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)


def _shares_right(rows: Sequence[ImageResult]) -> Markup:
    """How many real and how many synthetic images were recognised by which share of their raters."""
    with drawing(5, 3) as (figure, axes):
        shares = {kind: [row.right / row.raters for row in rows if row.truth == kind] for kind in ("real", "synthetic")}
        axes.hist(list(shares.values()), bins=np.linspace(0, 1, 11), label=list(shares), color=COLOURS[:2])
        axes.set(title="Images by the share of raters who were right", xlabel="share right", ylabel="images")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)


def _heat(matrix: AnswerMatrix) -> Markup:
    """Who was right about which image: raters down, images across, the most deceptive ones left."""
    right = np.array([[np.nan if value is None else value for value in row] for row in matrix.right], float)
    order = np.argsort(np.nanmean(right, axis=0), kind="stable")
    with drawing(9, 0.16 * len(right) + 1.4) as (figure, axes):
        colours = ListedColormap([COLOURS[1], COLOURS[0]])
        axes.imshow(right[:, order], aspect="auto", cmap=colours, interpolation="nearest", vmin=0, vmax=1)
        axes.set(title="Right (blue) and wrong (orange)", xlabel="images", yticks=range(len(right)))
        axes.set_yticklabels(matrix.raters, fontsize=6)
        return as_svg(figure)


def _certainty(rows: Sequence[CertaintyResult]) -> Markup:
    """Share right at every certainty, with exact intervals."""
    if not rows:
        return Markup("")
    with drawing(4.5, 3) as (figure, axes):
        x, y = [row.certainty for row in rows], np.array([row.value for row in rows], float)
        reach = np.abs(np.stack([y - [row.low for row in rows], np.array([row.high for row in rows]) - y]))
        axes.errorbar(x, y, yerr=reach, marker="o", capsize=3, color=COLOURS[0])
        axes.axhline(0.5, color="#a0aec0", linewidth=0.8)
        axes.set(title="Certainty and correctness", xlabel="certainty", ylabel="share right", ylim=(0, 1), xticks=x)
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)


def _sheet(study: Study | None, items: Sequence[str]) -> Markup:
    paths = [] if study is None else [study.image(item) for item in items if item in study.by_item][:SHOWN]
    if not paths:
        return Markup("")
    return picture(grid(thumbnails(paths, 96), COLUMNS), f"{len(paths)} images")
