"""The pages of a rater: consent, background, instructions, trials, comments, thanks.

What only reads is answered in the event loop, for readers never wait for the one who writes; what writes has a thread.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from dermsynth.study import service
from dermsynth.study.answers import REAL, SYNTHETIC
from dermsynth.study.create import Study
from dermsynth.study.protocol import Protocol, Question
from dermsynth.study.selection import EXAMPLE
from dermsynth.study.service import Running, Seat
from dermsynth.study.store import Trial
from dermsynth.study.web.site import Site, address, form_of, preferred, site_of

KEYS = ("asdfg", "qwert", "zxcvb")
"""Keys of the options of the first, second and third question that is no scale; scales take the numbers."""
router = APIRouter()


@dataclass(frozen=True)
class Arrival:
    """Somebody with a link that is known."""

    request: Request
    site: Site
    token: str

    @property
    def running(self) -> Running:
        """The study and its database."""
        return self.site.running

    @property
    def study(self) -> Study:
        """The study on disk."""
        return self.running.study

    @property
    def protocol(self) -> Protocol:
        """What raters are shown and asked."""
        return self.study.protocol

    @property
    def open(self) -> bool:
        """Whether answers are taken."""
        return service.state(self.running) == service.OPEN

    def go(self, path: str) -> Response:
        """To another page."""
        return RedirectResponse(f"{self.request.scope.get('root_path', '')}{path}", 303)

    def closed(self) -> Response:
        """The study is paused or has ended."""
        return self.site.message(self.request, "closed", 403)

    def page(self, template: str, language: str, status: int = 200, **values: Any) -> Response:
        """A page with the form value of this link."""
        form = self.running.links.form(self.token)
        return self.site.page(
            self.request, template, language, status, token=self.token, form=form, protocol=self.protocol, **values
        )


@dataclass(frozen=True)
class Visit(Arrival):
    """A rater, who comes by a personal link."""

    seat: Seat

    @property
    def place(self) -> str:
        """Where the rater has to go on."""
        rater, home = self.seat.rater, f"/r/{self.token}"
        if rater.finished:
            return f"{home}/thanks"
        if not rater.group:
            return f"{home}/background"
        if not rater.instructed:
            return f"{home}/instructions"
        return f"{home}/trial/{self.seat.following}" if self.seat.following < self.seat.trials else f"{home}/comments"

    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page in the rater's language, while the study is open."""
        if not self.seat.rater.finished and not self.seat.open:
            return self.closed()
        return self.page(template, self.seat.rater.language, status, **values)

    def onward(self) -> Response:
        """To where the rater has to go on."""
        return self.go(self.place)

    def trial(self, position: int) -> Trial | None:
        """The trial that may be shown: the next one, or an earlier one where going back is allowed."""
        following = self.seat.following
        allowed = position == following or (self.protocol.back and 0 <= position < following)
        busy = self.seat.rater.instructed and not self.seat.rater.finished
        return service.trial_at(self.running, self.seat, position) if allowed and busy else None


def _refused(request: Request) -> HTTPException:
    """Unknown, expired, used up or malformed: always the same page, until somebody tries too often.

    Who has a good link never comes here, however many others guess from the same address.
    """
    limits, at = site_of(request).limits, address(request)
    if limits.guessed_out(at):
        return HTTPException(429)
    limits.guess(at)
    return HTTPException(404)


async def arrival(request: Request, token: str) -> Arrival:
    """Somebody with an invitation."""
    site = site_of(request)
    if not service.invitation_open(site.running, token):
        raise _refused(request)
    return Arrival(request, site, token)


async def visit(request: Request, token: str) -> Visit:
    """A rater."""
    site = site_of(request)
    seat = service.seat_of(site.running, token)
    if seat is None:
        raise _refused(request)
    if not site.limits.person(seat.rater.token_hash):
        raise HTTPException(429)
    return Visit(request, site, token, seat)


async def form(request: Request, token: str) -> FormData:
    """What was sent, if it came from a page of ours under the same link."""
    return await form_of(request, token)


Invited = Annotated[Arrival, Depends(arrival)]
Known = Annotated[Visit, Depends(visit)]
Sent = Annotated[FormData, Depends(form)]


@router.get("/i/{token}")
async def consent(one: Invited) -> Response:
    """What taking part means."""
    if not one.open:
        return one.closed()
    language = preferred(one.request, one.protocol.languages)
    own = one.protocol.consent.get(language, "")
    return one.page("consent.html", language, own=own, nonce=secrets.token_hex(8))


@router.post("/i/{token}")
def agree(one: Invited, sent: Sent) -> Response:
    """A person becomes a rater."""
    if not one.open:
        return one.closed()
    if sent.get("agree") != "yes":
        return one.go(f"/i/{one.token}")
    language, languages = str(sent.get("language", "")), one.protocol.languages
    chosen = language if language in languages else languages[0]
    personal = service.join(one.running, one.token, chosen, str(sent.get("nonce", ""))[:32])
    if personal is None:
        raise HTTPException(404)
    return one.go(f"/r/{personal}")


@router.get("/r/{token}")
async def resume(one: Known) -> Response:
    """The personal link."""
    return one.onward()


@router.get("/r/{token}/background")
async def background(one: Known) -> Response:
    """Who the rater is."""
    return one.onward() if one.seat.rater.group else one.show("background.html")


@router.post("/r/{token}/background")
def describe(one: Known, sent: Sent) -> Response:
    """Store who the rater is."""
    group, years = str(sent.get("group", "")), str(sent.get("years", ""))
    sensible = years == "" or (years.isascii() and years.isdigit() and len(years) <= 2 and int(years) <= 80)
    if group not in one.protocol.groups or not sensible:
        return one.show("background.html", 422, missing=True)
    service.describe(one.running, one.token, group, years)
    return one.go(f"/r/{one.token}")


@router.get("/r/{token}/instructions")
async def instructions(one: Known) -> Response:
    """How it works, with examples."""
    if not one.seat.rater.group:
        return one.onward()
    rows = one.study.items[one.study.items["role"] == EXAMPLE].to_dict("records")
    examples = {kind: [r["item"] for r in rows if r["truth"] == kind] for kind in (REAL, SYNTHETIC)}
    return one.show("instructions.html", examples=examples, count=one.seat.trials, size=one.study.size)


@router.post("/r/{token}/instructions")
def instruct(one: Known, sent: Sent) -> Response:
    """Store that the instructions were read."""
    service.instruct(one.running, one.token)
    return one.go(f"/r/{one.token}")


@router.get("/r/{token}/trial/{position}")
async def trial(one: Known, position: int) -> Response:
    """One image and its questions."""
    current = one.trial(position)
    if current is None:
        return one.onward()
    await run_in_threadpool(_seen, one, current)
    return _trial_page(one, current, current.answers[-1].values if current.answers else {})


def _seen(one: Visit, current: Trial) -> None:
    if one.protocol.exposure_ms:
        service.seen(one.running, current.id)


def _trial_page(one: Visit, current: Trial, given: Mapping[str, str], status: int = 200) -> Response:
    following = current.position + 1
    return one.show(
        "trial.html", status, trial=current, given=given, nonce=secrets.token_hex(8), keys=_keys(one.protocol.questions),
        following=following if following < one.seat.trials else None, size=one.study.size, count=one.seat.trials,
        missing=status == 422,
    )  # fmt: skip


@router.post("/r/{token}/trial/{position}")
def submit(one: Known, position: int, sent: Sent) -> Response:
    """Store an answer; a trial that is not the rater's turn changes nothing."""
    if not one.seat.open:
        return one.closed()
    questions = one.protocol.questions
    given, measured = {q.name: str(sent.get(q.name, ""))[: 10 * 1024] for q in questions}, _measured(sent)
    unseen = one.protocol.exposure_ms and "shown_ms" not in measured
    if unseen or not all(q.accepts(given[q.name]) for q in questions):
        current = one.trial(position)
        if current is None:
            return one.onward()
        _seen(one, current)
        return _trial_page(one, current, given, 422)
    nonce = str(sent.get("nonce", ""))[:32] or secrets.token_hex(8)
    taken = service.answer(one.running, one.token, position, nonce, given, measured)
    if not taken:
        return one.onward()
    if one.protocol.back and position + 1 < one.seat.trials:
        return one.go(f"/r/{one.token}/trial/{position + 1}")
    return one.go(f"/r/{one.token}")


@router.get("/r/{token}/image/{position}")
async def image(one: Known, position: int) -> Response:
    """The image of a trial that may be shown, or of the one after it, which is fetched ahead."""
    allowed = range(0 if one.protocol.back else one.seat.following, one.seat.following + 2)
    item = service.item_at(one.running, one.seat, position) if position in allowed else None
    if item is None or not one.seat.rater.instructed or one.seat.rater.finished:
        raise HTTPException(404)
    return _picture(one.study.image(item))


@router.get("/r/{token}/example/{item}")
async def example(one: Known, item: str) -> Response:
    """An image whose truth is told."""
    row = one.study.by_item.get(item)
    if row is None or row["role"] != EXAMPLE:
        raise HTTPException(404)
    return _picture(one.study.image(item))


@router.get("/r/{token}/comments")
async def comments(one: Known) -> Response:
    """Before the end."""
    if one.seat.rater.finished or one.seat.following < one.seat.trials:
        return one.onward()
    return one.show("comments.html", last=one.seat.trials - 1)


@router.post("/r/{token}/comments")
def finish(one: Known, sent: Sent) -> Response:
    """The end, if every trial has an answer."""
    if not one.seat.open:
        return one.closed()
    if one.seat.rater.instructed and one.seat.following == one.seat.trials:
        service.finish(one.running, one.token, str(sent.get("comments", "")).replace("\x00", "")[:5000])
    return one.go(f"/r/{one.token}")


@router.get("/r/{token}/thanks")
async def thanks(one: Known) -> Response:
    """After the end, with what was right if the protocol says so."""
    if not one.seat.rater.finished:
        return one.onward()
    return one.show("thanks.html", result=_result(one) if one.protocol.feedback else None)


def _picture(path: Path) -> Response:
    """An image, with the same headers for all: times of files tell nothing."""
    return Response(path.read_bytes(), media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


def _keys(questions: tuple[Question, ...]) -> dict[str, dict[str, str]]:
    """Question -> option -> the key that chooses it."""
    rows, found = iter(KEYS), {}
    for question in questions:
        if question.type == "scale":
            found[question.name] = {str(n): str(n) for n in range(question.low, question.high + 1)}
        elif question.type != "text":
            options = (REAL, SYNTHETIC) if question.type == "kind" else question.options
            keys = next(rows, "")
            found[question.name] = {option: keys[i : i + 1] for i, option in enumerate(options)}
    return found


def _measured(sent: FormData) -> dict[str, float]:
    """The numbers the browser reported; what is none is left out."""
    found = {}
    for name in service.MEASURED:
        try:
            value = float(str(sent.get(name, ""))[:32])
        except ValueError:
            continue
        if 0 <= value < service.LARGEST:
            found[name] = round(value, 3)
    return found


def _result(visit: Visit) -> dict[str, int]:
    """How many images a rater told rightly, without repeats and checks."""
    study = visit.study
    everything = service.all_trials(visit.running, visit.seat)
    trials = [t for t in everything if t.answers and not t.repeat and not t.asked]
    kind = study.protocol.kind_question
    right = sum(t.answers[-1].values.get(kind) == study.by_item[t.item]["truth"] for t in trials)
    return {"right": right, "count": len(trials)}
