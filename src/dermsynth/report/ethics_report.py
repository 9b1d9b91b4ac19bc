"""What an ethics board asks about a reader study, from its protocol and its database: who, what, where, how long, how deleted."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from dermsynth.errors import UserError
from dermsynth.report.page import write_page
from dermsynth.study.create import Study
from dermsynth.study.protocol import Protocol, Question
from dermsynth.study.selection import ATTENTION, EXAMPLE, TRIAL
from dermsynth.study.sequence import repeats_apart
from dermsynth.study.serve import DATABASE_VARIABLE
from dermsynth.study.service import MEASURED
from dermsynth.study.store import DATABASE, Answer, Base, Invitation, Rater, Setting, Trial
from dermsynth.study.texts import words
from dermsynth.study.web.site import option_text, question_text

SECONDS = 10
"""Assumed for one answer, where nobody has given any."""


def measure_name(name: str) -> str:
    """What a browser reports, in words."""
    return name.replace("_ms", " (ms)").replace("_", " ")


STORED: Mapping[type[Base], Mapping[str, str]] = {
    Rater: {
        "name": "a random name such as r1a2b3c4d",
        "group": "which of the professions offered",
        "years": "years of experience, if given",
        "language": "language of the pages",
        "consented": "time of consent",
        "instructed": "time at which the instructions were read",
        "finished": "time of the end",
        "comments": "comments at the end, if any: free text, which a rater may use to name somebody",
        "excluded": "reason of an exclusion from the analysis, if any",
        "token_hash": "a hash of the personal link; the link itself is not stored",
        "invitation_id": "which invitation was used",
    },
    Trial: {
        "position": "place of an image in the rater's order",
        "item": "random name of the image",
        "repeat": "whether the rater saw it before",
        "asked": "the answer an attention check asks for",
        "views": "how often the page was opened, where images are shown for a limited time",
        "rater_id": "whose it is",
    },
    Answer: {
        "given": "the answers to the questions above",
        "measured": f"what the browser measures: {', '.join(map(measure_name, MEASURED))}",
        "received": "time of arrival",
        "nonce": "a random number, so that a second click is not a second answer",
        "trial_id": "to which image",
    },
    Invitation: {
        "token_hash": "a hash of the link; the link itself is not stored",
        "cap": "how many persons a link is for",
        "used": "how many have used it",
        "note": "the organiser's remark, which may name somebody; that of a link for one person is deleted with the rater",
        "created": "when it was made",
    },
    Setting: {"name": "a fact about the whole study", "value": "such as open, pilot, paused, closed"},
}
"""Every column of the database but the numbers of rows -> what it holds."""


@dataclass(frozen=True)
class Responsible:
    """What the program cannot know; what is empty is named on the page as missing.

    `keep_until` is a date, YYYY-MM-DD; `photographs` says by which right the photographs are shown to raters.
    """

    institution: str = ""
    person: str = ""
    contact: str = ""
    keep_until: str = ""
    photographs: str = ""

    def __post_init__(self) -> None:
        for name in ("institution", "person", "contact", "keep_until", "photographs"):
            object.__setattr__(self, name, getattr(self, name).strip())
        if not self.keep_until:
            return
        try:
            last = date.fromisoformat(self.keep_until)
        except ValueError as error:
            raise UserError(f"`keep_until` {self.keep_until!r}: write a date, such as 2030-12-31") from error
        if last < date.today():
            raise UserError(f"`keep_until` {self.keep_until}: has passed; answers would have to be deleted already")
        object.__setattr__(self, "keep_until", last.isoformat())

    def missing(self, protocol: Protocol) -> list[str]:
        """What still has to be said of a study by this protocol."""
        wanted = {
            "institution": self.institution,
            "responsible": self.person,
            "contact": self.contact,
            "keep-until": self.keep_until,
        }
        if shows_photographs(protocol):
            wanted["photographs"] = self.photographs
        return [name for name, value in wanted.items() if not value]


def shows_photographs(protocol: Protocol) -> bool:
    """Whether raters see photographs, not generated images alone."""
    return protocol.sets is None or protocol.sets.real


def write_ethics_report(study: Study, path: Path, responsible: Responsible, database: str = "") -> Path:
    """Write the page for an ethics board; `database` is the URL of a database that is not in the study's folder."""
    protocol, database = study.protocol, database or os.environ.get(DATABASE_VARIABLE, "")
    rules = {role: int((study.items["role"] == role).sum()) for role in (TRIAL, EXAMPLE, ATTENTION)}
    each = _answers_each(study)
    consents = {
        language: protocol.consent.get(language) or words(protocol.consent_key, language)
        for language in protocol.languages
    }
    values = {
        "study": study,
        "protocol": protocol,
        "title": next(iter(protocol.title.values())),
        "responsible": responsible,
        "missing": responsible.missing(protocol),
        "photographs": shows_photographs(protocol),
        "images": rules,
        "answers": each,
        "minutes": max(round(each * (SECONDS + protocol.exposure_ms / 1000) / 60), 1),
        "seconds": SECONDS,
        "consents": consents,
        "unnamed": not any(responsible.contact and responsible.contact in text for text in consents.values()),
        "questions": [_question(question, protocol) for question in protocol.questions],
        "groups": [_group(name, protocol) for name in protocol.groups],
        "stored": list(_stored()),
        "place": _place(database),
    }
    write_page(path, "ethics.html", values)
    return path


def _place(database: str) -> str:
    """Where answers are stored, without the password of a URL."""
    if not database:
        return f"the file {DATABASE} in the study's folder"
    try:
        return make_url(database).render_as_string(hide_password=True)
    except ArgumentError as error:
        raise UserError("`database`: not a URL of a database") from error


def _answers_each(study: Study) -> int:
    """How many answers one rater gives."""
    trials = study.items[study.items["role"] == TRIAL]
    sizes = trials.groupby("condition").size().sort_values(ascending=False)
    own = int(sizes.head(study.protocol.conditions_each).sum())
    repeats = min(study.protocol.repeats, own - repeats_apart(own))
    return own + repeats + int((study.items["role"] == ATTENTION).sum())


def _question(question: Question, protocol: Protocol) -> tuple[str, str]:
    """What is asked, and what may be answered, in the first language."""
    language = protocol.languages[0]
    answers = {
        "kind": ", ".join(words(f"kind_{kind}", language) for kind in ("real", "synthetic")),
        "position": f"one of {protocol.pictures} pictures",
        "choice": ", ".join(option_text(question, option, language) for option in question.options),
        "scale": f"{question.low} to {question.high}",
        "text": "free text, which a rater may use to name somebody",
    }
    return question_text(question, language), answers[question.type]


def _group(name: str, protocol: Protocol) -> str:
    language = protocol.languages[0]
    return protocol.group_texts.get(name, {}).get(language) or words(f"group_{name}", language)


def _stored() -> Iterator[tuple[str, str, str]]:
    """Table, column and what it holds, of everything in the database."""
    for table, columns in STORED.items():
        for column, holds in columns.items():
            yield table.__tablename__, column, holds
