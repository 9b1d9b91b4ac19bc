"""Requests to the ISIC Archive's public API (v2): no faster than allowed, patient with a busy server, page by page."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from dermsynth.errors import UserError

API = "https://api.isic-archive.com/api/v2"
PAGE = 100
ATTEMPTS = 5
Record = dict[str, Any]
"""What the archive says of an image."""


class RefusedRequest(UserError):
    """A request that the server will not answer, with its status."""

    def __init__(self, url: str, response: httpx.Response) -> None:
        super().__init__(f"{url}: the server answers {response.status_code} {response.reason_phrase}")
        self.status = response.status_code


@dataclass
class Client:
    """Requests with a minimum distance in time, and with patience when the server asks for it."""

    http: httpx.Client
    pause: float
    last: float = 0.0

    def get(self, url: str) -> httpx.Response:
        """The answer to a request; UserError where there is none, RefusedRequest where the server says no."""
        for attempt in range(ATTEMPTS):
            time.sleep(max(0.0, self.last + self.pause - time.monotonic()))
            self.last = time.monotonic()
            try:
                response = self.http.get(url)
            except httpx.TransportError as error:
                if attempt == ATTEMPTS - 1:
                    raise UserError(
                        f"{url}: no answer ({error}); check the connection and repeat the command"
                    ) from error
                time.sleep(min(2.0**attempt * self.pause, 30))
                continue
            if response.status_code == 429 or response.status_code >= 500:
                time.sleep(_wait_seconds(response, attempt, self.pause))
                continue
            if response.status_code >= 400:
                raise RefusedRequest(url, response)
            return response
        raise UserError(f"{url}: the server is busy; repeat the command later, it goes on where it stopped")

    def get_json(self, url: str) -> Any:
        """The answer to a request as JSON; UserError where it is none."""
        try:
            return self.get(url).json()
        except json.JSONDecodeError as error:
            raise UserError(f"{url}: not the answer of an ISIC Archive (no JSON)") from error


def _wait_seconds(response: httpx.Response, attempt: int, pause: float) -> float:
    asked = response.headers.get("retry-after", "")
    return min(float(asked) if asked.isdigit() else 2.0**attempt * pause, 60)


def image_records(client: Client, base: str, count: int | None, query: str, collections: Sequence[int]) -> list[Record]:
    """What the archive says of the first `count` images of a search, or of all, in its order, each once.

    Raises UserError for a search that it does not understand, and for pages that are none of an ISIC Archive.
    """
    found: dict[str, Record] = {}
    url: str | None = _first_page(base, count, query, collections)
    seen = set[str]()
    while url and url not in seen and (count is None or len(found) < count):
        seen.add(url)
        try:
            page = client.get_json(url)
            found |= {str(record["isic_id"]): record for record in page["results"] if record["files"]["full"]["url"]}
            url = page.get("next")
        except RefusedRequest as error:
            raise _refused_page(error, query, collections, first=len(seen) == 1) from error
        except (KeyError, TypeError) as error:
            raise UserError(f"{url}: not the answer of an ISIC Archive ({type(error).__name__})") from error
    return list(found.values())[:count]


def _first_page(base: str, count: int | None, query: str, collections: Sequence[int]) -> str:
    parameters = {"limit": str(min(PAGE, count or PAGE))}
    parameters |= {"query": query} if query else {}
    parameters |= {"collections": ",".join(map(str, collections))} if collections else {}
    return str(httpx.URL(f"{base}/images/{'search/' if query or collections else ''}", params=parameters))


def _refused_page(error: RefusedRequest, query: str, collections: Sequence[int], *, first: bool) -> UserError:
    """What a refusal of a page of the list means: of the first, that of the search; of another, that of its cursor."""
    if error.status != 400:
        return error
    if first:
        asked = describe_search(query, collections)
        return UserError(f"{asked}: the archive does not understand it; its search language is on api.isic-archive.com")
    return UserError(f"{error}: the archive lost its place in the list; repeat the command, what is there is kept")


def describe_search(query: str, collections: Sequence[int]) -> str:
    """The fields of a search and their values."""
    parts = [f"`query` {query!r}"] if query or not collections else []
    return " ".join(parts + ([f"`collections` {','.join(map(str, collections))}"] if collections else []))
