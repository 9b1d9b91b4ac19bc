"""Protection of every page: bounded bodies, rate limits, headers that forbid everything not needed."""

from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 64 * 1024
POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
}
A_PERSON, GUESSES = RateLimitItemPerSecond(30), RateLimitItemPerMinute(60)


class Limits:
    """How often one link may be used, and how often one address may try unknown links."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def person(self, identity: str) -> bool:
        """Whether a known link may be used once more."""
        return self._limiter.hit(A_PERSON, identity)

    def guess(self, address: str) -> bool:
        """Whether an address may try once more."""
        return self._limiter.hit(GUESSES, address)

    def is_blocked(self, address: str) -> bool:
        """Whether an address has tried too often."""
        return not self._limiter.test(GUESSES, address)


class TooLarge(Exception):
    """A body above the limit."""


class Guard:
    """Refuses large bodies before they are read, and adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            await PlainTextResponse("too large", 413)(scope, receive, guarded)
            return
        try:
            await self.app(scope, _bounded(receive), guarded)
        except TooLarge:
            await PlainTextResponse("too large", 413)(scope, receive, guarded)


class Prefix:
    """Restores the path's prefix where a proxy has cut it off."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app, self.prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and not f"{scope['path']}/".startswith(f"{self.prefix}/"):
            scope = {**scope, "path": self.prefix + scope["path"]}
        await self.app(scope, receive, send)


def _bounded(receive: Receive) -> Receive:
    """Counts the bytes of a body, whatever length was announced."""
    received = 0

    async def counting() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LARGEST_BODY:
            raise TooLarge
        return message

    return counting


def same_site(fetch_site: str | None) -> bool:
    """Whether a form was sent from this site's own page; browsers say so, other programs need not."""
    return fetch_site in (None, "same-origin", "none")
