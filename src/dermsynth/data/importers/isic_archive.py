"""Download from the ISIC Archive: resumable, checked, within the disk, and with the licences that images are under."""

import csv
import io
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from dermsynth.data.file_names import safe_stem
from dermsynth.data.importers.isic_client import API as API
from dermsynth.data.importers.isic_client import Client, Record, RefusedRequest, describe_search, image_records
from dermsynth.errors import UserError, require_whole
from dermsynth.images import SUFFIXES, BadImage, decode_image
from dermsynth.io import append_json_line, byte_text, file_hash, write_bytes, write_text
from dermsynth.progress import progress_bar

MANIFEST = "download.jsonl"
METADATA, ATTRIBUTION, LICENCES = "metadata.csv", "attribution.txt", "licenses"
SNAPSHOT = "https://isic-archive.s3.us-east-1.amazonaws.com/snapshots/ISIC_images.zip"
FIRST_COLUMNS = ("isic_id", "attribution", "copyright_license")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FetchResult:
    """What was downloaded.

    Attributes
    ----------
    metadata
        The table of the images.
    images
        How many images are there now, those of earlier searches in this folder included.
    downloaded
        How many of them came in this call; the others were there.
    left_out
        What was wrong with those that are not there.
    """

    metadata: Path
    images: int
    downloaded: int
    left_out: tuple[str, ...] = ()

    def summary(self) -> str:
        """The table, how many images it has, and how many of them are new."""
        there = self.images - self.downloaded
        return f"{self.metadata}: {self.images:,} images" + (f" ({there:,} were there)" if there else "")


@dataclass(frozen=True)
class _Download:
    """Where a download goes, whom it asks, and the hash of every file that came before."""

    out: Path
    client: Client
    base: str
    known: Mapping[str, str]

    def path(self, record: Record) -> Path:
        """The place of an image."""
        return self.out / file_of(record)

    def is_there(self, record: Record) -> bool:
        """Whether an image lies at its place with the archive's size, and as it was when it came."""
        path, size = self.path(record), _size(record)
        if not path.is_file() or (size is not None and path.stat().st_size != size):
            return False
        known = self.known.get(file_of(record))
        return size is not None if known is None else known == file_hash(path)


def parse_collections(text: str) -> tuple[int, ...]:
    """Numbers of collections from a list with commas, as the archive has it; UserError for anything else."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise UserError(f"`collections` {text!r}: write the numbers of collections with commas, as 66,70")
    return tuple(map(int, parts))


def fetch_isic(
    out: Path, count: int | None = None, *, query: str = "", collections: Sequence[int] = (), base: str = API,
    per_second: float = 4.0, timeout: float = 60.0,
) -> FetchResult:  # fmt: skip
    """Download images, their metadata and their licences from the ISIC Archive.

    Files that are there and as they were when downloaded are kept, as are those of another program with the right size.
    Every image is decoded once, and its length is compared with the server's. The table is written even where the
    download stops in the middle.

    Parameters
    ----------
    out
        Folder for `metadata.csv`, `images/`, `attribution.txt` and `licenses/`.
    count
        How many images at most; None for all of the query and collections, one of which must then be there.
    query
        The archive's own search language, for example `diagnosis_3:"Nevus"`.
    collections
        Numbers of the archive's collections; an image of any of them is taken.
    base
        Address of the API.
    per_second, timeout
        Requests a second at most, and seconds to wait for an answer.

    Raises
    ------
    UserError
        When the server refuses, is away, or sends something else, or the disk has no room for the images.
    """
    if count is not None:
        require_whole(count, "count", 1)
    elif not query and not collections:
        raise UserError(
            f"`count` is missing: without `query` or `collections` it is the whole archive, 60 GB in {SNAPSHOT}"
        )
    out.mkdir(parents=True, exist_ok=True)
    with httpx.Client(timeout=timeout, follow_redirects=True) as http:
        client = Client(http, 1 / per_second)
        records = image_records(client, base, count, query, collections)
        if not records:
            raise UserError(f"{describe_search(query, collections)}: the archive has no such images")
        result = _fetch_images(_Download(out, client, base, _known(out)), records)
    for problem in result.left_out:
        _log.warning(f"left out: {problem}")
    return result


def _fetch_images(download: _Download, records: Sequence[Record]) -> FetchResult:
    """Download the images that are not there yet; the table of those that are is written even where it stops in between."""
    missing = [record for record in records if not download.is_there(record)]
    _require_space(download.out, missing)
    try:
        bar = progress_bar(missing, total=len(missing), label="downloading", unit="img")
        problems = tuple(problem for record in bar if (problem := _fetch_image(download, record)))
    finally:
        there = [_flat_row(record) for record in records if download.path(record).is_file()]
        rows = [*there, *_earlier_rows(download.out, {str(record["isic_id"]) for record in records})]
        if there:
            _write_metadata(download.out, rows)
    if not there:
        raise UserError(f"none of the {len(records)} images could be downloaded; the first: {problems[0]}")
    _write_licences(download, rows)
    return FetchResult(download.out / METADATA, len(rows), len(missing) - len(problems), problems)


def _earlier_rows(out: Path, names: set[str]) -> list[dict[str, Any]]:
    """The rows of the table of an earlier call, of another search, whose images are there and not among those `names`."""
    path = out / METADATA
    if not path.is_file():
        return []
    images = {image.stem for image in (out / "images").glob("*")}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, restkey="", restval="")
        rows = [{name: cell for name, cell in row.items() if name} for row in reader]
    return [row for row in rows if row.get("isic_id") in images - names]


def file_of(record: Record) -> str:
    """The name of an image's file, from the folder of a download: its number with the ending of its address.

    Raises UserError for what is no number of the archive.
    """
    identity = str(record["isic_id"])
    if not identity.replace("_", "").isalnum():
        raise UserError(f"isic_id {identity!r}: not an identifier of the archive")
    suffix = PurePosixPath(httpx.URL(record["files"]["full"]["url"]).path).suffix.lower()
    return f"images/{identity}{suffix if suffix in SUFFIXES else '.jpg'}"


def _size(record: Record) -> int | None:
    size = record["files"]["full"].get("size")
    return None if size is None else int(size)


def _require_space(out: Path, records: Sequence[Record]) -> None:
    """Raise UserError where the disk has less room than the images take."""
    need, free = sum(_size(record) or 0 for record in records), shutil.disk_usage(out).free
    if need > free:
        raise UserError(
            f"{out}: {len(records):,} images need {byte_text(need)}, and {byte_text(free)} are free; "
            "free some space, take fewer with `count`, or another folder with `out`"
        )


def _known(out: Path) -> dict[str, str]:
    """Name and hash of every file downloaded before."""
    path = out / MANIFEST
    known = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
            known[entry["file"]] = entry["sha256"]
        except (json.JSONDecodeError, KeyError):
            continue  # cut short by a kill: the file is fetched again
    return known


def _fetch_image(download: _Download, record: Record) -> str:
    """Download an image; what is wrong with it, or nothing."""
    identity = str(record["isic_id"])
    try:
        data = _image_bytes(download, record)
        decode_image(data, identity)
    except (BadImage, RefusedRequest) as error:
        return str(error)
    path = download.path(record)
    write_bytes(path, data)
    append_json_line(download.out / MANIFEST, {"file": file_of(record), "sha256": file_hash(path), "bytes": len(data)})
    return ""


def _image_bytes(download: _Download, record: Record) -> bytes:
    """The bytes of an image, from a new address where the one of the list is no longer valid.

    Raises UserError where fewer arrive than the archive names.
    """
    try:
        data = download.client.get(record["files"]["full"]["url"]).content
    except RefusedRequest as error:
        if error.status != 403:
            raise
        record = download.client.get_json(f"{download.base}/images/{record['isic_id']}/")
        data = download.client.get(record["files"]["full"]["url"]).content
    expected = _size(record)
    if expected is not None and expected != len(data):
        raise UserError(f"{record['isic_id']}: {len(data):,} of {expected:,} bytes arrived; repeat the command")
    return data


def _write_metadata(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    """One flat row an image, in the order of columns of the archive's own client."""
    columns = [*FIRST_COLUMNS, *sorted({key for row in rows for key in row} - set(FIRST_COLUMNS))]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_text(out / METADATA, buffer.getvalue())


def _flat_row(record: Record) -> dict[str, Any]:
    metadata = record.get("metadata") or {}
    sections = [metadata.get(section) or {} for section in ("acquisition", "clinical")]
    flat = {key: value for section in sections for key, value in section.items()}
    facts = {name: record.get(name) or "" for name in FIRST_COLUMNS}
    return {**flat, **facts}


def _write_licences(download: _Download, rows: Sequence[dict[str, Any]]) -> None:
    """Whom to name for the images, and the text of each licence; a text that the archive does not give is said."""
    names = sorted({str(row["attribution"]) for row in rows if row.get("attribution")})
    write_text(download.out / ATTRIBUTION, "\n\n".join(names) + "\n")
    for licence in sorted({str(row["copyright_license"]) for row in rows if row.get("copyright_license")}):
        path = download.out / LICENCES / f"{safe_stem(f'{licence}.txt')}.txt"
        if path.exists():
            continue
        try:
            text = download.client.get(f"{download.base}/zip-download/license-file/{licence}/").text
        except UserError as error:
            _log.warning(f"the text of licence {licence} is missing: {error}")
            continue
        write_text(path, text)
