"""Raters by the hundred, through real HTTP, each thinking a while between answers."""

import asyncio
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


PATIENCE = 400
"""Seconds in which a server that was killed has to come back, on a machine however busy."""
ARRIVAL = 8
"""Within how many times the longest thought all raters have come."""


@dataclass
class Seen:
    """What was acknowledged, how long requests took (seconds), and what went wrong."""

    acknowledged: dict[str, set[int]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    broken: int = 0

    def quantile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[int(share * (len(ordered) - 1))]


def hidden(text: str) -> dict[str, str]:
    return dict(HIDDEN.findall(text))


async def one_rater(client: httpx.AsyncClient, link: str, answers: int, think: tuple[float, float], seen: Seen) -> None:
    """From the invitation on; a connection that breaks is tried again, as a person would reload."""

    deadline = time.monotonic() + PATIENCE

    async def request(method: str, url: str, **options: object) -> httpx.Response:
        while time.monotonic() < deadline:
            try:
                start = time.perf_counter()
                answer = await client.request(method, url, **options)  # type: ignore[arg-type]
                seen.seconds.append(time.perf_counter() - start)
                return answer
            except httpx.TransportError:
                seen.broken += 1
                await asyncio.sleep(0.1)
        raise AssertionError("the server is gone")

    await asyncio.sleep(random.random() * ARRIVAL * think[1])  # raters do not all open their link in one second
    page = await request("GET", link)
    await asyncio.sleep(random.uniform(*think))
    moved = await request("POST", link, data={**hidden(page.text), "agree": "yes"})
    base = str(page.url).split("/i/")[0]
    personal = moved.headers["location"]
    mine = seen.acknowledged.setdefault(personal.rsplit("/", 1)[1].split(".")[0], set())
    personal = base + personal[personal.index("/r/") :]
    for step, data in (("background", {"group": "lay_person"}), ("instructions", {})):
        page = await request("GET", f"{personal}/{step}")
        await asyncio.sleep(random.uniform(*think))
        await request("POST", f"{personal}/{step}", data={**hidden(page.text), **data})
    for position in range(answers):
        url = f"{personal}/trial/{position}"
        page = await request("GET", url)
        if page.status_code == 303:  # stored already: the answer to the last submission was lost on the way
            mine.add(position)
            continue
        await request("GET", f"{personal}/image/{position}")
        await asyncio.sleep(random.uniform(*think))
        data = {
            **hidden(page.text),
            "kind": random.choice(["real", "synthetic"]),
            "certainty": "3",
            "shown_ms": "1",
            "answered_ms": "2",
        }
        answer = await request("POST", url, data=data)
        assert answer.status_code == 303, answer.text
        mine.add(position)


def panel(links: Sequence[str], answers: int, think: tuple[float, float], seen: Seen | None = None) -> Seen:
    """All raters at once; `seen` may be watched by another thread meanwhile."""
    seen = Seen() if seen is None else seen

    async def everybody() -> None:
        limits = httpx.Limits(max_connections=len(links), max_keepalive_connections=len(links))
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:
            await asyncio.gather(*(one_rater(client, link, answers, think, seen) for link in links))

    asyncio.run(everybody())
    return seen
