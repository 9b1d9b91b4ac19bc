"""The organiser's pages, behind a token: counts, exclusion, deletion, export, pause and close."""

import hmac
import io
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadSignature, TimestampSigner
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from dermsynth.study import service
from dermsynth.study.export import answers_table
from dermsynth.study.links import organiser_hash
from dermsynth.study.web.app import Site
from dermsynth.study.web.guard import same_site

COOKIE, HOURS = "organiser", 12
STATES = (service.OPEN, service.PAUSED, service.CLOSED)


def organiser_pages(site: Site) -> APIRouter:
    """All routes under /organise."""
    router = APIRouter(prefix="/organise")
    running = site.running
    signer = TimestampSigner(running.study.secret, salt="organiser")

    def home(request: Request) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/organise", 303)

    def session_of(request: Request) -> str | None:
        cookie = request.cookies.get(COOKIE, "")
        try:
            signer.unsign(cookie, max_age=HOURS * 3600)
        except BadSignature:
            return None
        return cookie

    def organiser(request: Request) -> str:
        session = session_of(request)
        if session is None:
            raise HTTPException(404)
        return session

    async def form(request: Request, session: Annotated[str, Depends(organiser)]) -> FormData:
        data = await request.form(max_fields=10, max_files=0)
        ours = same_site(request.headers.get("sec-fetch-site"))
        if not ours or not running.links.check_form(session, str(data.get("form", ""))):
            raise HTTPException(404)
        return data

    Sent = Annotated[FormData, Depends(form)]
    Session = Annotated[str, Depends(organiser)]

    def overview(request: Request, session: str, links: list[str] | None = None) -> Response:
        return site.page(
            request, "organise.html", "en", raters=service.overview(running), state=service.state(running), states=STATES,
            form=running.links.form(session), links=links or [], study=running.study.folder.name,
        )  # fmt: skip

    @router.get("")
    def show(request: Request) -> Response:
        session = session_of(request)
        return site.page(request, "login.html", "en") if session is None else overview(request, session)

    @router.post("/login")
    async def login(request: Request) -> Response:
        address = request.client.host if request.client else ""
        if site.limits.guessed_out(address):
            raise HTTPException(429)
        token = str((await request.form(max_fields=4, max_files=0)).get("token", ""))
        if not hmac.compare_digest(organiser_hash(running.study.secret, token), site.organiser):
            site.limits.guess(address)
            return site.page(request, "login.html", "en", 403, wrong=True)
        answer = home(request)
        answer.set_cookie(
            COOKIE, signer.sign("organiser").decode(), max_age=HOURS * 3600, httponly=True, samesite="strict",
            secure=request.url.scheme == "https", path=request.scope.get("root_path", "") + "/organise",
        )  # fmt: skip
        return answer

    @router.post("/logout")
    def logout(request: Request, sent: Sent) -> Response:
        answer = home(request)
        answer.delete_cookie(COOKIE, path=request.scope.get("root_path", "") + "/organise")
        return answer

    @router.post("/state")
    def change(request: Request, sent: Sent) -> Response:
        if sent.get("state") in STATES:
            service.set_state(running, str(sent["state"]))
        return home(request)

    @router.post("/invite")
    def invite(request: Request, session: Session, sent: Sent) -> Response:
        """New links, shown once."""
        count, cap = (_number(str(sent.get(name, "")), 1, 500) for name in ("count", "cap"))
        base = str(request.base_url).rstrip("/")
        tokens = service.invite(running, count, cap, str(sent.get("note", "")))
        return overview(request, session, [f"{base}/i/{token}" for token in tokens])

    @router.post("/exclude")
    def exclude(request: Request, sent: Sent) -> Response:
        service.exclude(running, str(sent.get("rater", "")), str(sent.get("reason", "")))
        return home(request)

    @router.post("/forget")
    def forget(request: Request, sent: Sent) -> Response:
        if sent.get("sure") == "yes":
            service.forget(running, str(sent.get("rater", "")))
        return home(request)

    @router.get("/answers.csv")
    def as_csv(session: Session) -> Response:
        return _download(answers_table(running).to_csv(index=False).encode(), "text/csv", "answers.csv")

    @router.get("/answers.parquet")
    def as_parquet(session: Session) -> Response:
        buffer = io.BytesIO()
        answers_table(running).astype(str).to_parquet(buffer, index=False)
        return _download(buffer.getvalue(), "application/vnd.apache.parquet", "answers.parquet")

    return router


def _number(text: str, low: int, high: int) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else low
    return min(max(value, low), high)


def _download(data: bytes, kind: str, name: str) -> Response:
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
