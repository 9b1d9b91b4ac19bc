"""Against a local server that speaks the archive's documented API, with its faults."""

import io
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dermsynth.data.importers.isic_archive import fetch_isic, parse_collections
from dermsynth.data.importers.published import from_isic_archive
from dermsynth.errors import UserError


class Archive(BaseHTTPRequestHandler):
    total = 7
    requests: ClassVar[list[tuple[float, str]]] = []
    busy: ClassVar[dict[str, int]] = {}
    short: ClassVar[set[str]] = set()
    stale: ClassVar[set[str]] = set()
    """Addresses that are no longer valid where the list names them."""
    refused: ClassVar[dict[str, int]] = {}
    """Status by a part of the address that is refused."""
    suffixes: ClassVar[dict[int, str]] = {}

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        url = urlparse(self.path)
        self.requests.append((time.monotonic(), self.path))
        if self.busy.get(url.path, 0) > 0:
            self.busy[url.path] -= 1
            self.send_response(429)
            self.send_header("Retry-After", "0")
            self.end_headers()
        elif status := next((s for part, s in self.refused.items() if part in self.path), 0):
            self.send_response(status)
            self.end_headers()
        elif "license-file" in url.path:
            self._send(f"text of {Path(url.path).name}".encode())
        elif "ISIC_" in url.path:
            self._send(json.dumps(self._record(int(url.path.rstrip("/")[-7:]), fresh=True)).encode())
        elif url.path.startswith("/api/v2/images/"):
            self._listing(parse_qs(url.query), "search" in url.path)
        elif Path(url.path).stem in self.stale and "fresh" not in url.query:
            self.send_response(403)
            self.end_headers()
        else:
            self._file(Path(url.path).stem)

    def _listing(self, query: dict[str, list[str]], search: bool) -> None:
        start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        numbers = [n for n in range(self.total) if not search or n % 2]
        results = [self._record(n) for n in numbers[start : start + limit]]
        more = start + limit < len(numbers)
        following = f"{self._host}{urlparse(self.path).path}?limit={limit}&cursor={start + limit}" if more else None
        self._send(json.dumps({"count": len(numbers), "next": following, "results": results}).encode())

    @property
    def _host(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]

    def _record(self, number: int, *, fresh: bool = False) -> dict[str, Any]:
        signature = "?fresh=1" if fresh else "?Expires=1"
        suffix = self.suffixes.get(number, "jpg")
        return {
            "isic_id": f"ISIC_{number:07d}",
            "copyright_license": ("CC-0", "CC-BY")[number % 2],
            "attribution": ("Clinic", "Praxis Müller")[number % 2],
            "metadata": {
                "acquisition": {"image_type": "dermoscopic"},
                "clinical": {"diagnosis_3": "Nevus", "age_approx": 40},
            },
            "files": {"full": {"url": f"{self._host}/files/{number}.{suffix}{signature}", "size": len(_jpeg(number))}},
        }

    def _file(self, name: str) -> None:
        data = _jpeg(int(name))
        self._send(data[:100] if name in self.short else data)

    def _send(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _jpeg(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((20, 20, 3), number * 20, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def archive() -> Iterator[str]:
    Archive.requests.clear()
    Archive.busy.clear()
    for faults in (Archive.short, Archive.stale, Archive.refused, Archive.suffixes):
        faults.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api/v2"
    server.shutdown()


def test_images_and_metadata_arrive_and_can_be_imported(archive: str, tmp_path: Path) -> None:
    table = fetch_isic(tmp_path, 5, base=archive, per_second=1000).metadata
    assert len(pd.read_csv(table)) == 5
    source = from_isic_archive(table, images=tmp_path / "images")
    assert {row.label for row in source.rows} == {"Nevus"}
    assert source.facts["licence"] == ["CC-0", "CC-BY"]
    assert (tmp_path / "attribution.txt").read_text(encoding="utf-8") == "Clinic\n\nPraxis Müller\n"
    licences = {path.name: path.read_text() for path in (tmp_path / "licenses").iterdir()}
    assert licences == {"CC-0.txt": "text of CC-0", "CC-BY.txt": "text of CC-BY"}
    columns = ["isic_id", "attribution", "copyright_license", "age_approx", "diagnosis_3", "image_type"]
    assert list(pd.read_csv(table).columns) == columns


def test_a_second_call_downloads_nothing_and_a_damaged_file_again(archive: str, tmp_path: Path) -> None:
    fetch_isic(tmp_path, 7, base=archive, per_second=1000)
    Archive.requests.clear()
    (tmp_path / "images" / "ISIC_0000002.jpg").write_bytes(b"broken")
    fetch_isic(tmp_path, 7, base=archive, per_second=1000)
    assert [path for _, path in Archive.requests if "files" in path] == ["/files/2.jpg?Expires=1"]
    assert (tmp_path / "images" / "ISIC_0000002.jpg").read_bytes() == _jpeg(2)


def test_a_short_answer_stops_and_the_next_call_goes_on(archive: str, tmp_path: Path) -> None:
    Archive.short.add("3")
    with pytest.raises(UserError, match=r"ISIC_0000003: 100 of"):
        fetch_isic(tmp_path, 7, base=archive, per_second=1000)
    assert len(list((tmp_path / "images").iterdir())) == 3
    Archive.short.clear()
    fetch_isic(tmp_path, 7, base=archive, per_second=1000)
    assert len(list((tmp_path / "images").glob("*.jpg"))) == 7


def test_a_busy_server_is_asked_again(archive: str, tmp_path: Path) -> None:
    Archive.busy["/files/1.jpg"] = 2
    fetch_isic(tmp_path, 3, base=archive, per_second=1000)
    assert len([path for _, path in Archive.requests if path.startswith("/files/1.jpg")]) == 3


def test_no_faster_than_allowed(archive: str, tmp_path: Path) -> None:
    start = time.monotonic()
    fetch_isic(tmp_path, 5, base=archive, per_second=20)
    count = len(Archive.requests)
    assert count > 5
    assert time.monotonic() - start >= (count - 1) / 20  # from the first to the last: a busy machine only adds to it


def test_a_query_uses_the_search(archive: str, tmp_path: Path) -> None:
    fetch_isic(tmp_path, 10, query='diagnosis_3:"Nevus"', base=archive, per_second=1000)
    assert {p.stem for p in (tmp_path / "images").iterdir()} == {"ISIC_0000001", "ISIC_0000003", "ISIC_0000005"}


def test_another_search_in_the_folder_keeps_the_rows_of_the_first(archive: str, tmp_path: Path) -> None:
    fetch_isic(tmp_path, 3, base=archive, per_second=1000)
    (tmp_path / "images" / "ISIC_0000000.jpg").unlink()
    result = fetch_isic(tmp_path, 10, query="x", base=archive, per_second=1000)
    assert (result.images, result.downloaded) == (4, 2)
    assert sorted(pd.read_csv(result.metadata)["isic_id"]) == [f"ISIC_000000{number}" for number in (1, 2, 3, 5)]
    assert (tmp_path / "attribution.txt").read_text(encoding="utf-8") == "Clinic\n\nPraxis Müller\n"


def test_no_server_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no answer"):
        fetch_isic(tmp_path, 1, base="http://127.0.0.1:9/api/v2", per_second=1000)


def test_collections_are_asked_for_on_every_page(archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermsynth.data.importers.isic_client.PAGE", 2)
    result = fetch_isic(tmp_path, 9, collections=parse_collections("66, 70"), base=archive, per_second=1000)
    assert Archive.requests[0][1] == "/api/v2/images/search/?limit=2&collections=66%2C70"
    assert result.images == 3
    assert fetch_isic(tmp_path, collections=[66], base=archive, per_second=1000).images == 3
    with pytest.raises(UserError, match=r"`count` is missing: without `query` or `collections`"):
        fetch_isic(tmp_path, base=archive)
    with pytest.raises(UserError, match=r"`collections` 'HAM10000': write the numbers"):
        parse_collections("HAM10000")


def test_a_file_has_the_ending_of_its_address(archive: str, tmp_path: Path) -> None:
    Archive.suffixes.update({1: "PNG", 2: "exe"})
    table = fetch_isic(tmp_path, 3, base=archive, per_second=1000).metadata
    names = sorted(path.name for path in (tmp_path / "images").iterdir())
    assert names == ["ISIC_0000000.jpg", "ISIC_0000001.png", "ISIC_0000002.jpg"]
    assert {row.problem for row in from_isic_archive(table, images=tmp_path / "images").rows} == {""}


def test_a_full_disk_is_said_before_anything_is_fetched(
    archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_isic(tmp_path, 2, base=archive, per_second=1000)
    rest = sum(len(_jpeg(number)) for number in range(2, 7))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=rest - 1))
    with pytest.raises(UserError, match=r"5 images need .* are free; free some space, take fewer with `count`"):
        fetch_isic(tmp_path, 7, base=archive, per_second=1000)
    assert len(list((tmp_path / "images").iterdir())) == 2
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=rest))
    result = fetch_isic(tmp_path, 7, base=archive, per_second=1000)
    assert (result.images, result.downloaded) == (7, 5)
    assert "7 images (2 were there)" in result.summary()


def test_files_of_another_program_with_the_right_size_are_kept(archive: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number, data in ((0, _jpeg(0)), (1, _jpeg(1)[:-9])):
        (tmp_path / "images" / f"ISIC_{number:07d}.jpg").write_bytes(data)
    assert fetch_isic(tmp_path, 2, base=archive, per_second=1000).downloaded == 1
    assert (tmp_path / "images" / "ISIC_0000001.jpg").read_bytes() == _jpeg(1)


def test_an_address_that_ran_out_is_asked_for_anew(archive: str, tmp_path: Path) -> None:
    Archive.stale.add("1")
    assert fetch_isic(tmp_path, 3, base=archive, per_second=1000).images == 3


def test_one_missing_image_is_left_out_by_name(archive: str, tmp_path: Path) -> None:
    Archive.refused["/files/1.jpg"] = 404
    result = fetch_isic(tmp_path, 3, base=archive, per_second=1000)
    assert result.images == 2
    assert "/files/1.jpg" in result.left_out[0]
    assert "404" in result.left_out[0]
    Archive.refused["/files/"] = 404
    with pytest.raises(UserError, match="none of the 1 images could be downloaded; the first: http"):
        fetch_isic(tmp_path / "other", 1, base=archive, per_second=1000)


def test_a_place_in_the_list_that_the_archive_lost_and_a_query_it_does_not_read(
    archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermsynth.data.importers.isic_client.PAGE", 2)
    Archive.refused["cursor="] = 400
    with pytest.raises(UserError, match="lost its place in the list; repeat the command"):
        fetch_isic(tmp_path, 7, base=archive, per_second=1000)
    Archive.refused["query="] = 400
    with pytest.raises(UserError, match=r"`query` 'a:': the archive does not understand it"):
        fetch_isic(tmp_path, 7, query="a:", base=archive, per_second=1000)


def test_the_table_of_what_came_is_written_where_a_download_stops(archive: str, tmp_path: Path) -> None:
    Archive.short.add("3")
    with pytest.raises(UserError, match="bytes arrived"):
        fetch_isic(tmp_path, 7, base=archive, per_second=1000)
    assert len(pd.read_csv(tmp_path / "metadata.csv")) == 3


def test_a_licence_without_text_is_said(archive: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Archive.refused["license-file/CC-BY"] = 404
    fetch_isic(tmp_path, 2, base=archive, per_second=1000)
    assert "the text of licence CC-BY is missing" in caplog.text
    assert [path.name for path in (tmp_path / "licenses").iterdir()] == ["CC-0.txt"]
