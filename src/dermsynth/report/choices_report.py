"""A study of pictures shown together as a page: who found the photograph, the ranking of generators, every set."""

from pathlib import Path

from markupsafe import Markup

from dermsynth.report.page import COLOURS, as_svg, drawing, write_page
from dermsynth.report.study_report import PAGE, RESULT
from dermsynth.study.results import ChoiceResult


def write_choices_report(folder: Path, result: ChoiceResult, command: str) -> Path:
    """Write `report.json` and `study.html`."""
    folder.mkdir(parents=True, exist_ok=True)
    result.save(folder / RESULT)
    page = folder / PAGE
    values = {
        "result": result,
        "command": command,
        "name": folder.resolve().name,
        "reference": next(one.source for one in result.ranking if one.strength == 0),
        "plots": [_shares(result), _ranking(result)],
    }
    write_page(page, "choices.html", values)
    return page


def _shares(result: ChoiceResult) -> Markup:
    """Shares of right choices of every rater and group, with intervals; guessing as a line."""
    rows = [
        (one.rater, one.share.value, one.share.low, one.share.high)
        for one in result.raters
        if one.share.value is not None
    ]
    rows += [(one.group, one.share.value, one.share.low, one.share.high) for one in result.groups]
    if not rows:
        return Markup("")
    places = range(len(rows))
    with drawing(5.2, 0.28 * len(rows) + 1) as (figure, axes):
        colours = [COLOURS[0]] * (len(rows) - len(result.groups)) + [COLOURS[1]] * len(result.groups)
        axes.hlines(places, [row[2] for row in rows], [row[3] for row in rows], color=colours)
        axes.scatter([row[1] for row in rows], places, color=colours, zorder=3)
        axes.axvline(result.groups[-1].share.chance, color="#718096", linewidth=0.8, linestyle="--")
        axes.set(title="Photograph found (dashed: guessing)", xlim=(0, 1), yticks=places, ylim=(len(rows) - 0.5, -0.5))
        axes.set_yticklabels([row[0] for row in rows])
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)


def _ranking(result: ChoiceResult) -> Markup:
    """How often each source would be chosen beside the reference, with intervals; as often as it as a line."""
    rows, places = result.ranking, range(len(result.ranking))
    with drawing(5.2, 0.35 * len(rows) + 1) as (figure, axes):
        axes.hlines(places, [row.preferred_low for row in rows], [row.preferred_high for row in rows], color=COLOURS[0])
        axes.plot([row.preferred for row in rows], places, "o", color=COLOURS[0])
        axes.axvline(0.5, color="#718096", linewidth=0.8, linestyle="--")
        axes.set(title="Chosen beside the reference", xlim=(0, 1), yticks=places, ylim=(len(rows) - 0.5, -0.5))
        axes.set_yticklabels([row.source for row in rows])
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)
