"""Who asks for a page: somebody with an invitation, or a rater with a personal link."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from dermsynth.study import service
from dermsynth.study.create import Study
from dermsynth.study.protocol import Protocol
from dermsynth.study.service import LiveStudy, Seat
from dermsynth.study.store import Trial
from dermsynth.study.web.site import Site, address, form_of, site_of


@dataclass(frozen=True)
class Arrival:
    """Somebody with a link that is known."""

    request: Request
    site: Site
    token: str

    @property
    def live(self) -> LiveStudy:
        """The study and its database."""
        return self.site.live

    @property
    def study(self) -> Study:
        """The study on disk."""
        return self.live.study

    @property
    def protocol(self) -> Protocol:
        """What raters are shown and asked."""
        return self.study.protocol

    @property
    def open(self) -> bool:
        """Whether answers are taken."""
        return service.state(self.live) in service.TAKING_ANSWERS

    def go(self, path: str) -> Response:
        """To another page."""
        return RedirectResponse(f"{self.request.scope.get('root_path', '')}{path}", 303)

    def closed(self) -> Response:
        """The study is paused or has ended."""
        return self.site.message(self.request, "closed", 403)

    def page(self, template: str, language: str, status: int = 200, **values: Any) -> Response:
        """A page with the form value of this link."""
        form = self.live.links.form(self.token)
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
        return service.trial_at(self.live, self.seat, position) if allowed and busy else None


def _refused(request: Request) -> HTTPException:
    """Unknown, expired, used up or malformed: always the same page, until somebody tries too often.

    Who has a good link never comes here, however many others guess from the same address.
    """
    limits, at = site_of(request).limits, address(request)
    if limits.is_blocked(at):
        return HTTPException(429)
    limits.guess(at)
    return HTTPException(404)


async def find_arrival(request: Request, token: str) -> Arrival:
    """Somebody with an invitation."""
    site = site_of(request)
    if not service.invitation_open(site.live, token):
        raise _refused(request)
    return Arrival(request, site, token)


async def find_visit(request: Request, token: str) -> Visit:
    """A rater."""
    site = site_of(request)
    seat = service.seat_of(site.live, token)
    if seat is None:
        raise _refused(request)
    if not site.limits.person(seat.rater.token_hash):
        raise HTTPException(429)
    return Visit(request, site, token, seat)


async def form(request: Request, token: str) -> FormData:
    """What was sent, if it came from a page of ours under the same link."""
    return await form_of(request, token)


Invited = Annotated[Arrival, Depends(find_arrival)]
Known = Annotated[Visit, Depends(find_visit)]
Sent = Annotated[FormData, Depends(form)]
