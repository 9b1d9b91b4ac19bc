"""The pages of a rater: consent, background, instructions, trials, comments, thanks.

What only reads is answered in the event loop, for readers never wait for the one who writes; what writes has a thread.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from dermsynth.study import service
from dermsynth.study.answers import REAL, SYNTHETIC
from dermsynth.study.protocol import Question
from dermsynth.study.selection import EXAMPLE
from dermsynth.study.service import Seat
from dermsynth.study.store import Trial
from dermsynth.study.web.app import Site, preferred
from dermsynth.study.web.guard import same_site

KEYS = ("asdfg", "qwert", "zxcvb")
"""Keys of the options of the first, second and third question that is no scale; scales take the numbers."""


def rater_pages(site: Site) -> APIRouter:
    """All routes under invitations (/i/) and personal links (/r/)."""
    router = APIRouter()
    running, study = site.running, site.running.study
    protocol = study.protocol

    def address(request: Request) -> str:
        return request.client.host if request.client else ""

    def refuse(request: Request) -> HTTPException:
        """Unknown, expired, used up or malformed: always the same page."""
        site.limits.guess(address(request))
        return HTTPException(404)

    async def invited(request: Request, token: str) -> str:
        if site.limits.guessed_out(address(request)):
            raise HTTPException(429)
        if not service.invitation_open(running, token):
            raise refuse(request)
        return token

    async def seat(request: Request, token: str) -> Seat:
        if site.limits.guessed_out(address(request)):
            raise HTTPException(429)
        found = service.seat_of(running, token)
        if found is None:
            raise refuse(request)
        if not site.limits.person(found.rater.token_hash):
            raise HTTPException(429)
        return found

    async def form(request: Request, token: str) -> FormData:
        """What was sent, if it came from a page of ours under the same link."""
        data = await request.form(max_fields=40, max_files=0)
        if not same_site(request.headers.get("sec-fetch-site")) or not running.links.check_form(
            token, str(data.get("form", ""))
        ):
            raise HTTPException(404)
        return data

    Known = Annotated[Seat, Depends(seat)]
    Invited = Annotated[str, Depends(invited)]
    Sent = Annotated[FormData, Depends(form)]

    def go(request: Request, path: str) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '')}{path}", 303)

    def place(one: Seat, token: str) -> str:
        """Where a rater has to go on."""
        if one.rater.finished:
            return f"/r/{token}/thanks"
        if not one.rater.group:
            return f"/r/{token}/background"
        if not one.rater.instructed:
            return f"/r/{token}/instructions"
        return f"/r/{token}/trial/{one.following}" if one.following < one.trials else f"/r/{token}/comments"

    def show(request: Request, one: Seat, token: str, template: str, status: int = 200, **values: Any) -> Response:
        if not one.rater.finished and service.state(running) != service.OPEN:
            return site.message(request, "closed", 403)
        return site.page(
            request, template, one.rater.language, status, token=token, form=running.links.form(token),
            protocol=protocol, **values,
        )  # fmt: skip

    @router.get("/i/{token}")
    async def consent(request: Request, token: Invited) -> Response:
        if service.state(running) != service.OPEN:
            return site.message(request, "closed", 403)
        language = preferred(request, protocol.languages)
        return site.page(
            request, "consent.html", language, token=token, form=running.links.form(token), protocol=protocol,
            own=protocol.consent.get(language, ""),
        )  # fmt: skip

    @router.post("/i/{token}")
    def agree(request: Request, token: Invited, sent: Sent) -> Response:
        if service.state(running) != service.OPEN:
            return site.message(request, "closed", 403)
        if sent.get("agree") != "yes":
            return go(request, f"/i/{token}")
        language = str(sent.get("language", ""))
        personal = service.join(running, token, language if language in protocol.languages else protocol.languages[0])
        if personal is None:
            raise HTTPException(404)
        return go(request, f"/r/{personal}")

    @router.get("/r/{token}")
    async def resume(request: Request, token: str, one: Known) -> Response:
        return go(request, place(one, token))

    @router.get("/r/{token}/background")
    async def background(request: Request, token: str, one: Known) -> Response:
        return show(request, one, token, "background.html") if not one.rater.group else go(request, place(one, token))

    @router.post("/r/{token}/background")
    def describe(request: Request, token: str, one: Known, sent: Sent) -> Response:
        group, years = str(sent.get("group", "")), str(sent.get("years", ""))
        if group not in protocol.groups or not (
            years == "" or (years.isascii() and years.isdigit() and int(years[:4]) <= 80)
        ):
            return show(request, one, token, "background.html", 422, missing=True)
        service.describe(running, token, group, years)
        return go(request, f"/r/{token}")

    @router.get("/r/{token}/instructions")
    async def instructions(request: Request, token: str, one: Known) -> Response:
        if not one.rater.group:
            return go(request, place(one, token))
        rows = study.items[study.items["role"] == EXAMPLE].to_dict("records")
        examples = {kind: [r["item"] for r in rows if r["truth"] == kind] for kind in (REAL, SYNTHETIC)}
        return show(request, one, token, "instructions.html", examples=examples, count=one.trials, size=study.size)

    @router.post("/r/{token}/instructions")
    def instruct(request: Request, token: str, one: Known, sent: Sent) -> Response:
        service.instruct(running, token)
        return go(request, f"/r/{token}")

    def trial_of(one: Seat, position: int) -> Trial | None:
        """The trial that may be shown: the next one, or an earlier one where going back is allowed."""
        allowed = position == one.following or (protocol.back and 0 <= position < one.following)
        return service.trial_at(running, one, position) if allowed and not one.rater.finished else None

    @router.get("/r/{token}/trial/{position}")
    async def trial(request: Request, token: str, position: int, one: Known) -> Response:
        current = trial_of(one, position)
        if current is None or not one.rater.instructed:
            return go(request, place(one, token))
        if protocol.exposure_ms:
            await run_in_threadpool(service.seen, running, current.id)
        given = current.answers[-1].values if current.answers else {}
        return _trial_page(request, token, one, current, given, 200)

    def _trial_page(
        request: Request, token: str, one: Seat, current: Trial, given: Mapping[str, str], status: int
    ) -> Response:
        following = position if (position := current.position + 1) < one.trials else None
        return show(
            request, one, token, "trial.html", status, trial=current, given=given, nonce=secrets.token_hex(8),
            keys=_keys(protocol.questions), following=following, size=study.size, count=one.trials, missing=status == 422,
        )  # fmt: skip

    @router.post("/r/{token}/trial/{position}")
    def submit(request: Request, token: str, position: int, one: Known, sent: Sent) -> Response:
        if service.state(running) != service.OPEN:
            return site.message(request, "closed", 403)
        current = service.trial_at(running, one, position)
        if current is None or one.rater.finished:
            return go(request, place(one, token))
        given = {q.name: str(sent.get(q.name, ""))[: 10 * 1024] for q in protocol.questions}
        wrong = [q for q in protocol.questions if (given[q.name] or q.required) and not q.accepts(given[q.name])]
        if wrong:
            return _trial_page(request, token, one, current, given, 422)
        nonce = str(sent.get("nonce", ""))[:32] or secrets.token_hex(8)
        service.answer(running, token, position, nonce, given, _measured(sent))
        if protocol.back and position + 1 < one.trials:
            return go(request, f"/r/{token}/trial/{position + 1}")
        return go(request, f"/r/{token}")

    @router.get("/r/{token}/image/{position}")
    async def image(request: Request, token: str, position: int, one: Known) -> Response:
        """The image of a trial that may be shown, or of the one after it, which is fetched ahead."""
        allowed = range(0 if protocol.back else one.following, one.following + 2)
        found = service.trial_at(running, one, position) if position in allowed else None
        if found is None or not one.rater.instructed or one.rater.finished:
            raise HTTPException(404)
        return _picture(study.image(found.item))

    @router.get("/r/{token}/example/{item}")
    async def example(request: Request, token: str, item: str, one: Known) -> Response:
        row = study.by_item.get(item)
        if row is None or row["role"] != EXAMPLE:
            raise HTTPException(404)
        return _picture(study.image(item))

    @router.get("/r/{token}/comments")
    async def comments(request: Request, token: str, one: Known) -> Response:
        if one.rater.finished or one.following < one.trials:
            return go(request, place(one, token))
        return show(request, one, token, "comments.html", last=one.trials - 1)

    @router.post("/r/{token}/comments")
    def finish(request: Request, token: str, one: Known, sent: Sent) -> Response:
        if service.state(running) != service.OPEN:
            return site.message(request, "closed", 403)
        if one.rater.instructed and one.following == one.trials:
            service.finish(running, token, str(sent.get("comments", ""))[:5000])
        return go(request, f"/r/{token}")

    @router.get("/r/{token}/thanks")
    async def thanks(request: Request, token: str, one: Known) -> Response:
        if not one.rater.finished:
            return go(request, place(one, token))
        result = _result(site, one) if protocol.feedback else None
        return show(request, one, token, "thanks.html", result=result)

    return router


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
            found[question.name] = dict(zip(options, next(rows, ""), strict=False))
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


def _result(site: Site, one: Seat) -> dict[str, int]:
    """How many images a rater told rightly, without repeats and checks."""
    study = site.running.study
    everything = service.all_trials(site.running, one)
    trials = [t for t in everything if t.answers and not t.repeat and not t.asked]
    kind = study.protocol.kind_question
    right = sum(t.answers[-1].values.get(kind) == study.by_item[t.item]["truth"] for t in trials)
    return {"right": right, "count": len(trials)}
