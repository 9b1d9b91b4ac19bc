"""A study of pictures shown together as a page: who found the photograph, the ranking of generators, every set."""

from pathlib import Path

from markupsafe import Markup

from dermsynth.report.page import dots, write_page
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
    raters = [one for one in result.raters if one.share.value is not None]
    if not raters:
        return Markup("")
    shares = [(one.share.value or 0.0, one.share.low, one.share.high) for one in raters]
    return dots(
        [*(one.rater for one in raters), *(one.group for one in result.groups)],
        [*shares, *((one.share.value, one.share.low, one.share.high) for one in result.groups)],
        title="Photograph found (dashed: guessing)",
        line=result.groups[-1].share.chance,
        highlighted=len(raters),
    )


def _ranking(result: ChoiceResult) -> Markup:
    """How often each source would be chosen beside the reference, with intervals; as often as it as a line."""
    return dots(
        [one.source for one in result.ranking],
        [(one.preferred, one.preferred_low, one.preferred_high) for one in result.ranking],
        title="Chosen beside the reference",
        line=0.5,
    )
