"""The pages of a rater: consent, background, instructions, trials, comments, thanks.

What only reads is answered in the event loop, for readers never wait for the one who writes; what writes has a thread.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from dermsynth.study import service
from dermsynth.study.answers import REAL, SYNTHETIC
from dermsynth.study.protocol import Protocol, positions
from dermsynth.study.selection import EXAMPLE
from dermsynth.study.sets import COLUMNS
from dermsynth.study.store import Trial
from dermsynth.study.web.site import preferred_language
from dermsynth.study.web.visits import Invited, Known, Sent, Visit

LONGEST = 10 * 1024
"""Characters of an answer that are read."""
KEYS = ("asdfg", "qwert", "zxcvb")
"""Keys of the options of the first, second and third question that is no scale; scales take the numbers."""
router = APIRouter()


@router.get("/i/{token}")
async def consent(arrival: Invited) -> Response:
    """What taking part means."""
    if not arrival.open:
        return arrival.closed()
    language = preferred_language(arrival.request, arrival.protocol.languages)
    own = arrival.protocol.consent.get(language, "")
    return arrival.page("consent.html", language, own=own, nonce=secrets.token_hex(8))


@router.post("/i/{token}")
def agree(arrival: Invited, sent: Sent) -> Response:
    """A person becomes a rater."""
    if not arrival.open:
        return arrival.closed()
    if sent.get("agree") != "yes":
        return arrival.go(f"/i/{arrival.token}")
    language, languages = str(sent.get("language", "")), arrival.protocol.languages
    chosen = language if language in languages else languages[0]
    personal = service.join(arrival.live, arrival.token, chosen, str(sent.get("nonce", ""))[:32])
    if personal is None:
        raise HTTPException(404)
    return arrival.go(f"/r/{personal}")


@router.get("/r/{token}")
async def resume(visit: Known) -> Response:
    """The personal link."""
    return visit.onward()


@router.get("/r/{token}/background")
async def background(visit: Known) -> Response:
    """Who the rater is."""
    return visit.onward() if visit.seat.rater.group else visit.show("background.html")


@router.post("/r/{token}/background")
def describe(visit: Known, sent: Sent) -> Response:
    """Store who the rater is."""
    group, years = str(sent.get("group", "")), str(sent.get("years", ""))
    sensible = years == "" or (years.isascii() and years.isdigit() and len(years) <= 2 and int(years) <= 80)
    if group not in visit.protocol.groups or not sensible:
        return visit.show("background.html", 422, missing=True)
    service.describe(visit.live, visit.token, group, years)
    return visit.go(f"/r/{visit.token}")


@router.get("/r/{token}/instructions")
async def instructions(visit: Known) -> Response:
    """How it works, with examples."""
    if not visit.seat.rater.group:
        return visit.onward()
    rows = visit.study.items[visit.study.items["role"] == EXAMPLE].to_dict("records")
    examples = {kind: [r["item"] for r in rows if r["truth"] == kind] for kind in (REAL, SYNTHETIC)}
    return visit.show("instructions.html", examples=examples, count=visit.seat.trials, size=visit.study.size)


@router.post("/r/{token}/instructions")
def instruct(visit: Known, sent: Sent) -> Response:
    """Store that the instructions were read."""
    service.instruct(visit.live, visit.token)
    return visit.go(f"/r/{visit.token}")


@router.get("/r/{token}/trial/{position}")
async def trial(visit: Known, position: int) -> Response:
    """One image and its questions."""
    current = visit.trial(position)
    if current is None:
        return visit.onward()
    await run_in_threadpool(_count_view, visit, current)
    return _trial_page(visit, current, current.answers[-1].values if current.answers else {})


def _count_view(visit: Visit, current: Trial) -> None:
    if visit.protocol.exposure_ms:
        service.count_view(visit.live, current.id)


def _trial_page(visit: Visit, current: Trial, given: Mapping[str, str], status: int = 200) -> Response:
    following = current.position + 1
    return visit.show(
        "trial.html", status, trial=current, given=given, nonce=secrets.token_hex(8), keys=_keys(visit.protocol),
        following=following if following < visit.seat.trials else None, size=visit.study.size, count=visit.seat.trials,
        missing=status == 422, columns=COLUMNS.get(visit.protocol.pictures, 1),
    )  # fmt: skip


@router.post("/r/{token}/trial/{position}")
def submit(visit: Known, position: int, sent: Sent) -> Response:
    """Store an answer; a trial that is not the rater's turn changes nothing."""
    if not visit.seat.open:
        return visit.closed()
    given = {question.name: str(sent.get(question.name, ""))[:LONGEST] for question in visit.protocol.questions}
    measured = _measured(sent)
    if not _is_complete(visit.protocol, given, measured):
        return _ask_again(visit, position, given)
    nonce = str(sent.get("nonce", ""))[:32] or secrets.token_hex(8)
    if not service.answer(visit.live, visit.token, position, nonce, given, measured):
        return visit.onward()
    if visit.protocol.back and position + 1 < visit.seat.trials:
        return visit.go(f"/r/{visit.token}/trial/{position + 1}")
    return visit.go(f"/r/{visit.token}")


def _is_complete(protocol: Protocol, given: Mapping[str, str], measured: Mapping[str, float]) -> bool:
    """Whether the image was shown and every question has an answer that it accepts."""
    unseen = protocol.exposure_ms and "shown_ms" not in measured
    return not unseen and all(
        question.accepts(given[question.name], protocol.pictures) for question in protocol.questions
    )


def _ask_again(visit: Visit, position: int, given: Mapping[str, str]) -> Response:
    current = visit.trial(position)
    if current is None:
        return visit.onward()
    _count_view(visit, current)
    return _trial_page(visit, current, given, 422)


@router.get("/r/{token}/image/{position}")
async def image(visit: Known, position: int) -> Response:
    """The image of a trial that may be shown, or of the visit after it, which is fetched ahead."""
    allowed = range(0 if visit.protocol.back else visit.seat.following, visit.seat.following + 2)
    item = service.item_at(visit.live, visit.seat, position) if position in allowed else None
    if item is None or not visit.seat.rater.instructed or visit.seat.rater.finished:
        raise HTTPException(404)
    return _picture(visit.study.image(item))


@router.get("/r/{token}/example/{item}")
async def example(visit: Known, item: str) -> Response:
    """An example image, shown with its truth."""
    row = visit.study.by_item.get(item)
    if row is None or row["role"] != EXAMPLE:
        raise HTTPException(404)
    return _picture(visit.study.image(item))


@router.get("/r/{token}/comments")
async def comments(visit: Known) -> Response:
    """Before the end."""
    if visit.seat.rater.finished or visit.seat.following < visit.seat.trials:
        return visit.onward()
    return visit.show("comments.html", last=visit.seat.trials - 1)


@router.post("/r/{token}/comments")
def finish(visit: Known, sent: Sent) -> Response:
    """The end, if every trial has an answer."""
    if not visit.seat.open:
        return visit.closed()
    if visit.seat.rater.instructed and visit.seat.following == visit.seat.trials:
        service.finish(visit.live, visit.token, str(sent.get("comments", "")).replace("\x00", "")[:5000])
    return visit.go(f"/r/{visit.token}")


@router.get("/r/{token}/thanks")
async def thanks(visit: Known) -> Response:
    """After the end, with what was right if the protocol says so."""
    if not visit.seat.rater.finished:
        return visit.onward()
    return visit.show("thanks.html", score=_score(visit) if visit.protocol.feedback else None)


def _picture(path: Path) -> Response:
    """An image, with the same headers for all: times of files tell nothing."""
    return Response(path.read_bytes(), media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


def _keys(protocol: Protocol) -> dict[str, dict[str, str]]:
    """Question -> option -> the key that chooses it: numbers choose pictures shown together, or else a value of a scale."""
    rows, by_question = iter(KEYS), {}
    for question in protocol.questions:
        if question.type == "position":
            by_question[question.name] = {place: place for place in positions(protocol.pictures)}
        elif question.type == "scale":
            values = map(str, range(question.low, question.high + 1))
            by_question[question.name] = {value: "" if protocol.sets else value for value in values}
        elif question.type != "text":
            options = (REAL, SYNTHETIC) if question.type == "kind" else question.options
            keys = next(rows, "")
            by_question[question.name] = {option: keys[i : i + 1] for i, option in enumerate(options)}
    return by_question


def _measured(sent: FormData) -> dict[str, float]:
    """The numbers that the browser reported; what is no number is left out."""
    numbers = {name: _number(str(sent.get(name, ""))[:32]) for name in service.MEASURED}
    return {name: round(value, 3) for name, value in numbers.items() if 0 <= value < service.LARGEST}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


class Score(NamedTuple):
    """How many of the pictures a rater recognised."""

    right: int
    pictures: int


def _score(visit: Visit) -> Score:
    """A rater's score, without repeats and attention checks."""
    study = visit.study
    trials = [t for t in service.all_trials(visit.live, visit.seat) if t.answers and not t.repeat and not t.asked]
    kind = study.protocol.kind_question
    right = sum(t.answers[-1].values.get(kind) == study.by_item[t.item]["truth"] for t in trials)
    return Score(right, len(trials))
