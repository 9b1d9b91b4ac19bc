"""Download from the ISIC Archive's public API (v2): resumable, checked, and no faster than allowed."""

import csv
import io
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dermsynth.errors import UserError
from dermsynth.images import BadImage, decode_image
from dermsynth.io import file_hash, write_bytes, write_text
from dermsynth.progress import progress_bar

API = "https://api.isic-archive.com/api/v2"
PAGE = 100
ATTEMPTS = 5
MANIFEST = "download.jsonl"
METADATA = "metadata.csv"
_log = logging.getLogger(__name__)


@dataclass
class _Client:
    """Requests with a minimum distance in time, and with patience when the server asks for it."""

    http: httpx.Client
    pause: float
    last: float = 0.0

    def get(self, url: str) -> httpx.Response:
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
                raise UserError(f"{url}: the server answers {response.status_code} {response.reason_phrase}")
            return response
        raise UserError(f"{url}: the server is busy; repeat the command later, it goes on where it stopped")


def _wait_seconds(response: httpx.Response, attempt: int, pause: float) -> float:
    asked = response.headers.get("retry-after", "")
    return min(float(asked) if asked.isdigit() else 2.0**attempt * pause, 60)


@dataclass(frozen=True)
class FetchResult:
    """What was downloaded.

    Attributes
    ----------
    metadata
        The table of the images.
    images
        How many images the archive listed.
    left_out
        What was wrong with those that could not be decoded.
    """

    metadata: Path
    images: int
    left_out: tuple[str, ...] = ()

    def summary(self) -> str:
        """The table, and how many images it has."""
        return f"{self.metadata}: {self.images} images"


def fetch_isic(
    out: Path, limit: int, *, query: str = "", base: str = API, per_second: float = 4.0, timeout: float = 60.0
) -> FetchResult:
    """Download images and their metadata from the ISIC Archive.

    Files that are there and as they were when downloaded are kept; every image is decoded once, and its length is compared
    with the server's.

    Parameters
    ----------
    out
        Folder for `metadata.csv` and `images/`.
    limit
        How many images at most.
    query
        The archive's own search language, for example `diagnosis_3:"Nevus"`.
    base
        Address of the API.
    per_second, timeout
        Requests a second at most, and seconds to wait for an answer.

    Raises
    ------
    UserError
        When the server refuses, is away, or sends something else.
    """
    out.mkdir(parents=True, exist_ok=True)
    with httpx.Client(timeout=timeout, follow_redirects=True) as http:
        client = _Client(http, 1 / per_second)
        records = _records(client, base, limit, query)
        if not records:
            raise UserError(f"`query` {query!r}: the archive has no such images")
        digests = _known(out)
        bar = progress_bar(records, total=len(records), label="downloading", unit="img")
        problems = [_fetch_image(client, out, record, digests) for record in bar]
    _write_metadata(out, records)
    left_out = tuple(problem for problem in problems if problem)
    for problem in left_out:
        _log.warning(f"left out: {problem}")
    return FetchResult(out / METADATA, len(records), left_out)


def _records(client: _Client, base: str, limit: int, query: str) -> list[dict[str, Any]]:
    """Walk the pages of the listing."""
    parameters = {"limit": str(min(PAGE, limit))} | ({"query": query} if query else {})
    url: str | None = str(httpx.URL(f"{base}/images/{'search/' if query else ''}", params=parameters))
    records: list[dict[str, Any]] = []
    while url and len(records) < limit:
        try:
            page = client.get(url).json()
            records += page["results"]
            url = page.get("next")
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise UserError(f"{url}: not the answer of an ISIC Archive ({type(error).__name__})") from error
    return records[:limit]


def _known(out: Path) -> dict[str, str]:
    """Name and hash of every file downloaded before."""
    path = out / MANIFEST
    digests = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
            digests[entry["file"]] = entry["sha256"]
        except (json.JSONDecodeError, KeyError):
            continue  # cut short by a kill: the file is fetched again
    return digests


def _fetch_image(client: _Client, out: Path, record: dict[str, Any], digests: dict[str, str]) -> str:
    """Download an image that is not there yet; what is wrong with it, or nothing."""
    identity = str(record["isic_id"])
    if not identity.replace("_", "").isalnum():
        raise UserError(f"isic_id {identity!r}: not an identifier of the archive")
    name = f"images/{identity}.jpg"
    path = out / name
    if path.exists() and digests.get(name) == file_hash(path):
        return ""
    full = record["files"]["full"]
    data = client.get(full["url"]).content
    expected = full.get("size")
    if expected is not None and int(expected) != len(data):
        raise UserError(f"{identity}: {len(data):,} of {int(expected):,} bytes arrived; repeat the command")
    try:
        decode_image(data, identity)
    except BadImage as error:
        return str(error)
    write_bytes(path, data)
    with (out / MANIFEST).open("a") as file:
        file.write(json.dumps({"file": name, "sha256": file_hash(path), "bytes": len(data)}) + "\n")
    return ""


def _write_metadata(out: Path, records: list[dict[str, Any]]) -> None:
    """One flat row an image in the columns of the archive's own metadata export."""
    rows = []
    for record in records:
        if not (out / f"images/{record['isic_id']}.jpg").exists():
            continue
        metadata = record.get("metadata", {})
        flat = {k: v for section in ("acquisition", "clinical") for k, v in (metadata.get(section) or {}).items()}
        row = {"isic_id": record["isic_id"], "attribution": record.get("attribution", ""),
               "copyright_license": record.get("copyright_license", "")}  # fmt: skip
        rows.append({**row, **flat})
    columns = list(dict.fromkeys(key for row in rows for key in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_text(out / METADATA, buffer.getvalue())
