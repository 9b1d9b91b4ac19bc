"""The answers of a study as a table, for the organiser's download and for the analysis."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from dermsynth.study.answers import Answers, validate_answers
from dermsynth.study.columns import clean_table, is_flag
from dermsynth.study.counting import CountedAnswers, Doubt, count_answers, refuse_choices
from dermsynth.study.service import MEASURED, LiveStudy, everybody
from dermsynth.study.sets import SEPARATOR
from dermsynth.study.store import Rater, Trial

COLUMNS = [
    "rater", "positive", "group", "years", "excluded", "finished", "item", "truth", "label", "condition", "position", "repeat",
    "attention",
]  # fmt: skip


FORMULA = ("=", "+", "-", "@", "\t", "\r")


def answers_table(live: LiveStudy) -> pd.DataFrame:
    """One row a trial with an answer, the last one given; attention checks have `attention` set to what was asked."""
    rows = [_row(live, rater, trial) for rater in everybody(live) for trial in rater.trials if trial.answers]
    return pd.DataFrame(rows, columns=None if rows else [*COLUMNS, "answer", "seconds"])


def answers_csv(live: LiveStudy) -> str:
    """The table as CSV; free text that a spreadsheet would take for a formula gets an apostrophe before it."""
    table = answers_table(live)
    for question in live.study.protocol.questions:
        if question.type == "text" and question.name in table:
            risky = table[question.name].str.startswith(FORMULA)
            table[question.name] = table[question.name].where(~risky, "'" + table[question.name])
    return table.to_csv(index=False)


def _reason(text: str) -> str:
    """The reason of an exclusion, in words that are not taken for a flag."""
    return f"reason: {text}" if text and is_flag(text) else text


def _row(live: LiveStudy, rater: Rater, trial: Trial) -> dict[str, Any]:
    item, last = live.study.by_item[trial.item], trial.answers[-1]
    kind = live.study.protocol.kind_question
    given, times = dict(last.values), last.times
    timed = "shown_ms" in times and "answered_ms" in times
    return {
        "rater": rater.name, "positive": live.study.protocol.positive,
        "group": rater.group, "years": rater.years, "excluded": _reason(rater.excluded),
        "finished": rater.finished, "item": trial.item, "truth": item["truth"], "label": item["label"],
        "condition": item["condition"], "position": trial.position, "repeat": trial.repeat, "attention": trial.asked,
        **_choice(item, given[kind]), "answer": given.pop(kind), **given,
        "seconds": round((times["answered_ms"] - times["shown_ms"]) / 1000, 3) if timed else "",
        **{name: times.get(name, "") for name in MEASURED},
        "views": trial.views, "revisions": len(trial.answers) - 1, "received": last.received,
    }  # fmt: skip


def _choice(item: Mapping[str, str], answer: str) -> dict[str, str]:
    """Of pictures shown together: their sources, and that of the one chosen."""
    if "shown" not in item:
        return {}
    return {"shown": item["shown"], "chosen": item["shown"].split(SEPARATOR)[int(answer) - 1]}


def study_answers(live: LiveStudy, without: Collection[Doubt] = ()) -> tuple[Answers, CountedAnswers]:
    """The answers that are analysed, and how many were left out for what reason.

    Raises UserError when nothing is left.
    """
    folder, positive = live.study.folder, live.study.protocol.positive
    table = answers_table(live)
    refuse_choices(table)
    counted = count_answers(clean_table(table, folder, positive), folder, without)
    return validate_answers(counted.table, positive, folder), counted
