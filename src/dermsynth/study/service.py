"""What raters and organisers can do, each one transaction: the pages only call these."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Engine, Exists, ScalarSelect, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from dermsynth.study.create import Study
from dermsynth.study.links import Links
from dermsynth.study.selection import TRIAL
from dermsynth.study.sequence import conditions_for, sequence
from dermsynth.study.store import (
    Answer,
    Invitation,
    Rater,
    Setting,
    Trial,
    change_setting,
    empty_journal,
    now,
    reading,
    setting,
    writing,
)

OPEN, PAUSED, CLOSED = "open", "paused", "closed"
MEASURED = ("shown_ms", "hidden_ms", "answered_ms", "window_width", "window_height", "zoom", "pixel_ratio")
"""What the browser reports with an answer: milliseconds since the page was there, pixels, ratios."""
LARGEST = 1e9


@dataclass(frozen=True)
class Running:
    """A study with its database and its links."""

    study: Study
    engine: Engine
    links: Links


def state(running: Running) -> str:
    """Open, paused or closed."""
    with reading(running.engine) as session:
        return setting(session, "state", OPEN)


def set_state(running: Running, value: str) -> None:
    """Open, pause or close the study."""
    with writing(running.engine) as session:
        change_setting(session, "state", value)
        session.commit()


def invite(running: Running, count: int, cap: int = 1, note: str = "") -> list[str]:
    """Tokens of new invitations, each for `cap` persons. They are not kept: show them now."""
    tokens = [running.links.new() for _ in range(count)]
    with writing(running.engine) as session:
        for token in tokens:
            identity = running.links.identity(token)
            assert identity is not None
            session.add(Invitation(token_hash=identity, cap=cap, used=0, note=note[:200], created=now()))
        session.commit()
    return tokens


def invitation_open(running: Running, token: str) -> bool:
    """Whether an invitation is ours, valid, and not used up (one for a single person stays open to that person)."""
    identity = running.links.identity(token)
    with reading(running.engine) as session:
        row = session.scalar(select(Invitation).where(Invitation.token_hash == identity))
        return row is not None and (row.cap == 1 or row.used < row.cap)


def join(running: Running, token: str, language: str, nonce: str = "") -> str | None:
    """The personal token of a new rater, or of the one who joined before; None if the invitation is used up.

    That is whom a link for one person already made, or an open link with the same nonce: a second click on one page.
    """
    identity = running.links.identity(token)
    with writing(running.engine) as session:
        row = session.scalar(select(Invitation).where(Invitation.token_hash == identity).with_for_update())
        if row is None:
            return None
        personal = running.links.personal(row.token_hash, "" if row.cap == 1 else nonce or secrets.token_hex(8))
        if session.scalar(select(Rater.id).where(Rater.token_hash == running.links.identity(personal))):
            return personal
        if row.used >= row.cap:
            return None
        row.used += 1
        _add_rater(running, session, row, personal, language)
        session.commit()
        return personal


def _add_rater(running: Running, session: Session, invitation: Invitation, personal: str, language: str) -> None:
    random = np.random.default_rng(secrets.randbits(128))
    earlier = _conditions_given(running, session)
    places = sequence(running.study, conditions_for(running.study, earlier, random), random)
    identity = running.links.identity(personal)
    assert identity is not None
    rater = Rater(
        token_hash=identity, invitation_id=invitation.id, name=f"r{secrets.token_hex(4)}", language=language,
        consented=now(),
    )  # fmt: skip
    session.add(rater)
    session.flush()
    rows = [
        {"rater_id": rater.id, "position": i, "item": p.item, "repeat": p.repeat, "asked": p.asked, "views": 0}
        for i, p in enumerate(places)
    ]
    session.execute(insert(Trial), rows)


def _conditions_given(running: Running, session: Session) -> dict[str, int]:
    """How many raters had each condition: as many as had one of its images. With one condition nobody needs to know."""
    if running.study.items.loc[running.study.items["role"] == TRIAL, "condition"].nunique() < 2:
        return {}
    each = select(Trial.item, func.count()).where(~Trial.repeat, Trial.asked == "").group_by(Trial.item)
    return {running.study.by_item[item]["condition"]: count for item, count in session.execute(each)}


@dataclass(frozen=True)
class Seat:
    """A rater, how many trials there are, the first without an answer (as many as there are when all have one), and whether
    answers are taken.
    """

    rater: Rater
    trials: int
    following: int
    open: bool


def seat_of(running: Running, token: str) -> Seat | None:
    """The seat of a personal token; withdrawn raters have none."""
    identity = running.links.identity(token)
    if identity is None:
        return None
    mine = Trial.rater_id == Rater.id
    count = select(func.count()).select_from(Trial).where(mine).scalar_subquery()
    following = select(func.min(Trial.position)).where(mine, ~_answered()).scalar_subquery()
    with reading(running.engine) as session:
        row = session.execute(
            select(Rater, count, following, _state()).where(Rater.token_hash == identity)
        ).one_or_none()
    if row is None:
        return None
    return Seat(row[0], row[1], row[1] if row[2] is None else row[2], row[3] in (None, OPEN))


def _state() -> ScalarSelect[str]:
    return select(Setting.value).where(Setting.name == "state").scalar_subquery()


def _answered() -> Exists:
    return exists().where(Answer.trial_id == Trial.id)


def trial_at(running: Running, seat: Seat, position: int) -> Trial | None:
    """A rater's trial with its answers."""
    chosen = select(Trial).where(Trial.rater_id == seat.rater.id, Trial.position == position)
    with reading(running.engine) as session:
        return session.scalars(chosen.options(joinedload(Trial.answers))).unique().one_or_none()


def item_at(running: Running, seat: Seat, position: int) -> str | None:
    """The image of a rater's trial."""
    chosen = select(Trial.item).where(Trial.rater_id == seat.rater.id, Trial.position == position)
    with reading(running.engine) as session:
        return session.scalar(chosen)


def all_trials(running: Running, seat: Seat) -> list[Trial]:
    """All of a rater's trials with their answers."""
    chosen = select(Trial).where(Trial.rater_id == seat.rater.id).order_by(Trial.position)
    with reading(running.engine) as session:
        return list(session.scalars(chosen.options(selectinload(Trial.answers))))


def describe(running: Running, token: str, group: str, years: str) -> None:
    """Store a rater's background."""
    _change(running, token, group=group, years=years)


def instruct(running: Running, token: str) -> None:
    """Store that a rater has read the instructions."""
    _change(running, token, instructed=now())


def finish(running: Running, token: str, comments: str) -> None:
    """Store comments and the end; afterwards nothing can be changed."""
    _change(running, token, comments=comments, finished=now())


def _change(running: Running, token: str, **values: str) -> None:
    identity = running.links.identity(token)
    with writing(running.engine) as session:
        rater = session.scalar(select(Rater).where(Rater.token_hash == identity).with_for_update())
        if rater is not None and not rater.finished and setting(session, "state", OPEN) == OPEN:
            for name, value in values.items():
                setattr(rater, name, value)
        session.commit()


def seen(running: Running, trial_id: int) -> None:
    """Count that a page with an image for a limited time was opened."""
    with writing(running.engine) as session:
        session.execute(update(Trial).where(Trial.id == trial_id).values(views=Trial.views + 1))
        session.commit()


def answer(
    running: Running, token: str, position: int, nonce: str, given: Mapping[str, str], measured: Mapping[str, float]
) -> bool:
    """Store an answer and say whether it counts: not for another's trial, out of turn, twice, or after the end."""
    identity = running.links.identity(token)
    with writing(running.engine) as session:
        before = aliased(Trial)
        earlier = exists().where(
            before.rater_id == Trial.rater_id, before.position < Trial.position,
            ~exists().where(Answer.trial_id == before.id),
        )  # fmt: skip
        found = session.execute(
            select(Trial, Rater.finished, Rater.instructed, _state(), earlier).join(Rater)
            .where(Rater.token_hash == identity, Trial.position == position)
            .options(joinedload(Trial.answers)).with_for_update(of=Trial)
        ).unique().one_or_none()  # fmt: skip
        if found is None:
            return False
        trial, finished, instructed, condition, skipped = found
        if finished or not instructed or condition not in (None, OPEN):
            return False
        if any(one.nonce == nonce and one.values == dict(given) for one in trial.answers):
            return True  # the same submission again
        if any(one.nonce == nonce for one in trial.answers):
            nonce = secrets.token_hex(8)  # a page from the browser's memory, answered otherwise
        if trial.answers and not running.study.protocol.back:
            return False
        if not trial.answers and skipped:
            return False
        session.add(
            Answer(
                trial_id=trial.id, nonce=nonce, given=json.dumps(dict(given)), measured=json.dumps(dict(measured)),
                received=now(),
            )
        )  # fmt: skip
        try:
            session.commit()
        except IntegrityError:
            session.rollback()
            same = exists().where(Answer.trial_id == trial.id, Answer.nonce == nonce)
            if not session.scalar(select(same)):  # not the same submission a moment ago, through another connection
                raise
        return True


def exclude(running: Running, name: str, reason: str) -> None:
    """Leave a rater out of the analysis, with a reason; an empty one takes that back."""
    with writing(running.engine) as session:
        rater = session.scalar(select(Rater).where(Rater.name == name))
        if rater is not None:
            rater.excluded = reason[:500]
        session.commit()


def forget(running: Running, name: str) -> bool:
    """Delete everything of one rater."""
    with writing(running.engine) as session:
        rater = session.scalar(select(Rater).where(Rater.name == name))
        if rater is not None:
            invitation = session.get(Invitation, rater.invitation_id)
            session.delete(rater)
            session.flush()
            if invitation is not None and invitation.cap == 1:  # with its note, which may name somebody
                session.delete(invitation)
        session.commit()
    empty_journal(running.engine)
    return rater is not None


def everybody(running: Running) -> list[Rater]:
    """All raters in the order in which they came, with their trials and answers."""
    chosen = select(Rater).order_by(Rater.id).options(selectinload(Rater.trials).selectinload(Trial.answers))
    with reading(running.engine) as session:
        return list(session.scalars(chosen))


def overview(running: Running) -> list[dict[str, Any]]:
    """Every rater: how far, since when, excluded or not, and how many attention checks were missed."""
    return [_row(running, rater) for rater in everybody(running)]


def _row(running: Running, rater: Rater) -> dict[str, Any]:
    answered = [trial for trial in rater.trials if trial.answers]
    kind = running.study.protocol.kind_question
    missed = sum(t.answers[-1].values.get(kind) != t.asked for t in answered if t.asked)
    return {
        "rater": rater.name, "group": rater.group, "language": rater.language, "consented": rater.consented,
        "answered": len(answered), "trials": len(rater.trials), "finished": rater.finished, "attention_missed": missed,
        "excluded": rater.excluded, "comments": rater.comments,
    }  # fmt: skip
