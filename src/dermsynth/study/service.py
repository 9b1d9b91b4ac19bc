"""What raters and organisers can do, each in one transaction; the pages only call these."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

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

OPEN, PILOT, PAUSED, CLOSED = STATES = "open", "pilot", "paused", "closed"
"""States of a study. Raters who join in a pilot see what all see; their answers are kept and left out of the analysis."""
TAKING_ANSWERS = (OPEN, PILOT)
MEASURED = ("shown_ms", "hidden_ms", "answered_ms", "window_width", "window_height", "zoom", "pixel_ratio")
"""What the browser reports with an answer: milliseconds since the page was there, pixels, ratios."""
LARGEST = 1e9


@dataclass(frozen=True)
class LiveStudy:
    """A study with its database and its links."""

    study: Study
    engine: Engine
    links: Links


def state(live: LiveStudy) -> str:
    """Open, a pilot, paused or closed."""
    with reading(live.engine) as session:
        return setting(session, "state", OPEN)


def set_state(live: LiveStudy, value: str) -> None:
    """Open, pause or close the study, or make it a pilot."""
    with writing(live.engine) as session:
        change_setting(session, "state", value)
        session.commit()


def invite(live: LiveStudy, count: int, cap: int = 1, note: str = "") -> list[str]:
    """Tokens of new invitations, each for `cap` persons. They are not kept: show them now."""
    tokens = [live.links.new() for _ in range(count)]
    with writing(live.engine) as session:
        for token in tokens:
            identity = live.links.identity(token)
            assert identity is not None
            session.add(Invitation(token_hash=identity, cap=cap, used=0, note=note[:200], created=now()))
        session.commit()
    return tokens


def invitation_open(live: LiveStudy, token: str) -> bool:
    """Whether an invitation is ours, valid, and not used up (one for a single person stays open to that person)."""
    identity = live.links.identity(token)
    with reading(live.engine) as session:
        row = session.scalar(select(Invitation).where(Invitation.token_hash == identity))
        return row is not None and (row.cap == 1 or row.used < row.cap)


def join(live: LiveStudy, token: str, language: str, nonce: str = "") -> str | None:
    """The personal token of a new rater, or of the rater who joined before; None if the invitation is used up.

    A second click on one page joins once: a link for one person, or an open link with the same nonce, leads to the same rater.
    """
    identity = live.links.identity(token)
    with writing(live.engine) as session:
        row = session.scalar(select(Invitation).where(Invitation.token_hash == identity).with_for_update())
        if row is None:
            return None
        personal = live.links.personal(row.token_hash, "" if row.cap == 1 else nonce or secrets.token_hex(8))
        if session.scalar(select(Rater.id).where(Rater.token_hash == live.links.identity(personal))):
            return personal
        if row.used >= row.cap:
            return None
        row.used += 1
        _add_rater(live, session, row, personal, language)
        session.commit()
        return personal


def _add_rater(live: LiveStudy, session: Session, invitation: Invitation, personal: str, language: str) -> None:
    random = np.random.default_rng(secrets.randbits(128))
    earlier = _conditions_given(live, session)
    places = sequence(live.study, conditions_for(live.study, earlier, random), random)
    identity = live.links.identity(personal)
    assert identity is not None
    rater = Rater(
        token_hash=identity, invitation_id=invitation.id, name=f"r{secrets.token_hex(4)}", language=language,
        consented=now(), excluded=PILOT if setting(session, "state", OPEN) == PILOT else "",
    )  # fmt: skip
    session.add(rater)
    session.flush()
    rows = [
        {"rater_id": rater.id, "position": i, "item": p.item, "repeat": p.repeat, "asked": p.asked, "views": 0}
        for i, p in enumerate(places)
    ]
    session.execute(insert(Trial), rows)


def _conditions_given(live: LiveStudy, session: Session) -> dict[str, int]:
    """How many raters had each condition: as many as had one of its images. With one condition nobody needs to know."""
    if live.study.items.loc[live.study.items["role"] == TRIAL, "condition"].nunique() < 2:
        return {}
    each = select(Trial.item, func.count()).where(~Trial.repeat, Trial.asked == "").group_by(Trial.item)
    return {live.study.by_item[item]["condition"]: count for item, count in session.execute(each)}


@dataclass(frozen=True)
class Seat:
    """A rater, the number of trials, the first trial without an answer, and whether the study takes answers.

    `following` is the number of trials when all have an answer.
    """

    rater: Rater
    trials: int
    following: int
    open: bool


def seat_of(live: LiveStudy, token: str) -> Seat | None:
    """The seat of a personal token; withdrawn raters have none."""
    identity = live.links.identity(token)
    if identity is None:
        return None
    of_rater = Trial.rater_id == Rater.id
    count = select(func.count()).select_from(Trial).where(of_rater).scalar_subquery()
    following = select(func.min(Trial.position)).where(of_rater, ~_answered()).scalar_subquery()
    with reading(live.engine) as session:
        row = session.execute(
            select(Rater, count, following, _state()).where(Rater.token_hash == identity)
        ).one_or_none()
    if row is None:
        return None
    return Seat(row[0], row[1], row[1] if row[2] is None else row[2], row[3] in (None, *TAKING_ANSWERS))


def _state() -> ScalarSelect[str]:
    return select(Setting.value).where(Setting.name == "state").scalar_subquery()


def _answered() -> Exists:
    return exists().where(Answer.trial_id == Trial.id)


def trial_at(live: LiveStudy, seat: Seat, position: int) -> Trial | None:
    """A rater's trial with its answers."""
    chosen = select(Trial).where(Trial.rater_id == seat.rater.id, Trial.position == position)
    with reading(live.engine) as session:
        return session.scalars(chosen.options(joinedload(Trial.answers))).unique().one_or_none()


def item_at(live: LiveStudy, seat: Seat, position: int) -> str | None:
    """The image of a rater's trial."""
    chosen = select(Trial.item).where(Trial.rater_id == seat.rater.id, Trial.position == position)
    with reading(live.engine) as session:
        return session.scalar(chosen)


def all_trials(live: LiveStudy, seat: Seat) -> list[Trial]:
    """All of a rater's trials with their answers."""
    chosen = select(Trial).where(Trial.rater_id == seat.rater.id).order_by(Trial.position)
    with reading(live.engine) as session:
        return list(session.scalars(chosen.options(selectinload(Trial.answers))))


def describe(live: LiveStudy, token: str, group: str, years: str) -> None:
    """Store a rater's background."""
    _change(live, token, group=group, years=years)


def instruct(live: LiveStudy, token: str) -> None:
    """Store that a rater has read the instructions."""
    _change(live, token, instructed=now())


def finish(live: LiveStudy, token: str, comments: str) -> None:
    """Store comments and the end; afterwards nothing can be changed."""
    _change(live, token, comments=comments, finished=now())


def _change(live: LiveStudy, token: str, **values: str) -> None:
    identity = live.links.identity(token)
    with writing(live.engine) as session:
        rater = session.scalar(select(Rater).where(Rater.token_hash == identity).with_for_update())
        if rater is not None and not rater.finished and setting(session, "state", OPEN) in TAKING_ANSWERS:
            for name, value in values.items():
                setattr(rater, name, value)
        session.commit()


def count_view(live: LiveStudy, trial_id: int) -> None:
    """Count that a page with an image for a limited time was opened."""
    with writing(live.engine) as session:
        session.execute(update(Trial).where(Trial.id == trial_id).values(views=Trial.views + 1))
        session.commit()


class Attempt(NamedTuple):
    """A trial that somebody answers, whether answers are taken from them, and whether an earlier trial has none yet."""

    trial: Trial
    accepted: bool
    skipped: bool


def answer(
    live: LiveStudy, token: str, position: int, nonce: str, given: Mapping[str, str], measured: Mapping[str, float]
) -> bool:
    """Store an answer and say whether it counts: not for another's trial, out of turn, twice, or after the end."""
    identity = live.links.identity(token)
    with writing(live.engine) as session:
        attempt = _attempt(session, identity, position)
        if attempt is None or not attempt.accepted:
            return False
        trial, earlier = attempt.trial, {stored.nonce: stored.values for stored in attempt.trial.answers}
        if earlier.get(nonce) == dict(given):
            return True  # the same submission again
        if nonce in earlier:
            nonce = secrets.token_hex(8)  # a page from the browser's memory, answered otherwise
        if (earlier and not live.study.protocol.back) or (not earlier and attempt.skipped):
            return False
        session.add(
            Answer(
                trial_id=trial.id, nonce=nonce, given=json.dumps(dict(given)), measured=json.dumps(dict(measured)),
                received=now(),
            )
        )  # fmt: skip
        _commit_once(session, trial.id, nonce)
        return True


def _attempt(session: Session, identity: str | None, position: int) -> Attempt | None:
    """A rater's trial, locked until the transaction ends."""
    before = aliased(Trial)
    skipped = exists().where(
        before.rater_id == Trial.rater_id,
        before.position < Trial.position,
        ~exists().where(Answer.trial_id == before.id),
    )
    row = session.execute(
        select(Trial, Rater.finished, Rater.instructed, _state(), skipped).join(Rater)
        .where(Rater.token_hash == identity, Trial.position == position)
        .options(joinedload(Trial.answers)).with_for_update(of=Trial)
    ).unique().one_or_none()  # fmt: skip
    if row is None:
        return None
    trial, finished, instructed, study_state, is_skipped = row
    return Attempt(
        trial, bool(instructed) and not finished and study_state in (None, *TAKING_ANSWERS), bool(is_skipped)
    )


def _commit_once(session: Session, trial_id: int, nonce: str) -> None:
    """Commit, unless the same submission came a moment ago through another connection."""
    try:
        session.commit()
    except IntegrityError:
        session.rollback()
        same = exists().where(Answer.trial_id == trial_id, Answer.nonce == nonce)
        if not session.scalar(select(same)):
            raise


def exclude(live: LiveStudy, name: str, reason: str) -> None:
    """Leave a rater out of the analysis, with a reason; an empty one takes that back."""
    with writing(live.engine) as session:
        rater = session.scalar(select(Rater).where(Rater.name == name))
        if rater is not None:
            rater.excluded = reason[:500]
        session.commit()


def forget(live: LiveStudy, name: str) -> bool:
    """Delete everything of one rater."""
    with writing(live.engine) as session:
        rater = session.scalar(select(Rater).where(Rater.name == name))
        if rater is not None:
            invitation = session.get(Invitation, rater.invitation_id)
            session.delete(rater)
            session.flush()
            if invitation is not None and invitation.cap == 1:  # with its note, which may name somebody
                session.delete(invitation)
        session.commit()
    empty_journal(live.engine)
    return rater is not None


def everybody(live: LiveStudy) -> list[Rater]:
    """All raters in the order in which they came, with their trials and answers."""
    chosen = select(Rater).order_by(Rater.id).options(selectinload(Rater.trials).selectinload(Trial.answers))
    with reading(live.engine) as session:
        return list(session.scalars(chosen))


class RaterRow(NamedTuple):
    """A rater as the organiser sees them: progress, times, missed attention checks, and the reason of an exclusion."""

    rater: str
    group: str
    language: str
    consented: str
    answered: int
    trials: int
    finished: str
    attention_missed: int
    excluded: str
    comments: str


def overview(live: LiveStudy) -> list[RaterRow]:
    """Every rater: how far, since when, excluded or not, and how many attention checks were missed."""
    return [_row(live, rater) for rater in everybody(live)]


def _row(live: LiveStudy, rater: Rater) -> RaterRow:
    answered = [trial for trial in rater.trials if trial.answers]
    kind = live.study.protocol.kind_question
    missed = sum(trial.answers[-1].values.get(kind) != trial.asked for trial in answered if trial.asked)
    return RaterRow(
        rater.name, rater.group, rater.language, rater.consented, len(answered), len(rater.trials), rater.finished, missed,
        rater.excluded, rater.comments,
    )  # fmt: skip
