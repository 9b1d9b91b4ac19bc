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
from dermsynth.study.export import answers_csv, answers_table
from dermsynth.study.links import organiser_hash
from dermsynth.study.service import LiveStudy
from dermsynth.study.web.site import address, form_of, site_of

COOKIE, HOURS = "organiser", 12
router = APIRouter(prefix="/organise")


def _live(request: Request) -> LiveStudy:
    return site_of(request).live


def _signer(request: Request) -> TimestampSigner:
    """Another token ends all sessions."""
    return TimestampSigner(_live(request).study.secret, salt=f"organiser/{site_of(request).organiser}")


def _path(request: Request) -> str:
    return f"{request.scope.get('root_path', '')}/organise"


def _home(request: Request) -> Response:
    return RedirectResponse(_path(request), 303)


def _session(request: Request) -> str | None:
    """The cookie, if it is ours and not too old."""
    cookie = request.cookies.get(COOKIE, "")
    try:
        _signer(request).unsign(cookie, max_age=HOURS * 3600)
    except BadSignature:
        return None
    return cookie


def organiser(request: Request) -> str:
    """The organiser's session; for anybody else the page does not exist."""
    session = _session(request)
    if session is None:
        raise HTTPException(404)
    return session


Session = Annotated[str, Depends(organiser)]


async def form(request: Request, session: Session) -> FormData:
    """The form, if it came from a page of this session."""
    return await form_of(request, session)


Sent = Annotated[FormData, Depends(form)]


def _overview(request: Request, session: str, links: list[str] | None = None) -> Response:
    live = _live(request)
    return site_of(request).page(
        request, "organise.html", "en", raters=service.overview(live), state=service.state(live), states=service.STATES,
        form=live.links.form(session), links=links or [], study=live.study.folder.name,
    )  # fmt: skip


@router.get("")
def show(request: Request) -> Response:
    """The overview, or the login."""
    session = _session(request)
    return site_of(request).page(request, "login.html", "en") if session is None else _overview(request, session)


@router.post("/login")
async def login(request: Request) -> Response:
    """Log the organiser in for some hours."""
    site, at = site_of(request), address(request)
    if site.limits.is_blocked(at):
        raise HTTPException(429)
    token = str((await request.form(max_fields=4, max_files=0)).get("token", ""))
    if not hmac.compare_digest(organiser_hash(site.live.study.secret, token), site.organiser):
        site.limits.guess(at)
        return site.page(request, "login.html", "en", 403, wrong=True)
    answer = _home(request)
    answer.set_cookie(
        COOKIE, _signer(request).sign("organiser").decode(), max_age=HOURS * 3600, httponly=True, samesite="strict",
        secure=request.url.scheme == "https", path=_path(request),
    )  # fmt: skip
    return answer


@router.post("/logout")
def logout(request: Request, sent: Sent) -> Response:
    """Log out."""
    answer = _home(request)
    answer.delete_cookie(COOKIE, path=_path(request))
    return answer


@router.post("/state")
def change(request: Request, sent: Sent) -> Response:
    """Open, pause or close the study, or make it a pilot."""
    if sent.get("state") in service.STATES:
        service.set_state(_live(request), str(sent["state"]))
    return _home(request)


@router.post("/invite")
def invite(request: Request, session: Session, sent: Sent) -> Response:
    """New links, shown once."""
    count, cap = (_number(str(sent.get(name, "")), 1, 500) for name in ("count", "cap"))
    base = str(request.base_url).rstrip("/")
    tokens = service.invite(_live(request), count, cap, str(sent.get("note", "")))
    return _overview(request, session, [f"{base}/i/{token}" for token in tokens])


@router.post("/exclude")
def exclude(request: Request, sent: Sent) -> Response:
    """Leave a rater out, with a reason."""
    service.exclude(_live(request), str(sent.get("rater", "")), str(sent.get("reason", "")))
    return _home(request)


@router.post("/forget")
def forget(request: Request, sent: Sent) -> Response:
    """Delete a rater."""
    if sent.get("sure") == "yes":
        service.forget(_live(request), str(sent.get("rater", "")))
    return _home(request)


@router.get("/answers.csv")
def as_csv(request: Request, session: Session) -> Response:
    """All answers so far."""
    return _download(answers_csv(_live(request)).encode(), "text/csv", "answers.csv")


@router.get("/answers.parquet")
def as_parquet(request: Request, session: Session) -> Response:
    """All answers so far, every value as text."""
    buffer = io.BytesIO()
    answers_table(_live(request)).astype(str).to_parquet(buffer, index=False)
    return _download(buffer.getvalue(), "application/vnd.apache.parquet", "answers.parquet")


def _number(text: str, low: int, high: int) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else low
    return min(max(value, low), high)


def _download(data: bytes, kind: str, name: str) -> Response:
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
