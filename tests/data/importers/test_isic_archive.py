"""Against a local server that speaks the archive's documented API, with its faults."""

import io
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dermsynth.data.importers.isic_archive import fetch_isic
from dermsynth.data.importers.published import from_isic_archive
from dermsynth.errors import UserError


class Archive(BaseHTTPRequestHandler):
    total = 7
    requests: ClassVar[list[tuple[float, str]]] = []
    busy: ClassVar[dict[str, int]] = {}
    short: ClassVar[set[str]] = set()

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
        elif url.path.startswith("/api/v2/images/"):
            self._listing(parse_qs(url.query), "search" in url.path)
        else:
            self._file(Path(url.path).stem)

    def _listing(self, query: dict[str, list[str]], search: bool) -> None:
        start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        numbers = [n for n in range(self.total) if not search or n % 2]
        host = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
        results = [
            {
                "isic_id": f"ISIC_{n:07d}",
                "copyright_license": "CC-0",
                "attribution": "Clinic",
                "metadata": {
                    "acquisition": {"image_type": "dermoscopic"},
                    "clinical": {"diagnosis_3": "Nevus", "age_approx": 40},
                },
                "files": {"full": {"url": f"{host}/files/{n}.jpg", "size": len(_jpeg(n))}},
            }
            for n in numbers[start : start + limit]
        ]
        more = start + limit < len(numbers)
        following = f"{host}{urlparse(self.path).path}?limit={limit}&cursor={start + limit}" if more else None
        self._send(json.dumps({"count": len(numbers), "next": following, "results": results}).encode())

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
    Archive.short.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api/v2"
    server.shutdown()


def test_images_and_metadata_arrive_and_can_be_imported(archive: str, tmp_path: Path) -> None:
    table = fetch_isic(tmp_path, 5, base=archive, per_second=1000).metadata
    assert len(pd.read_csv(table)) == 5
    source = from_isic_archive(table, images=tmp_path / "images")
    assert {row.label for row in source.rows} == {"Nevus"}
    assert source.facts["licence"] == ["CC-0"]


def test_a_second_call_downloads_nothing_and_a_damaged_file_again(archive: str, tmp_path: Path) -> None:
    fetch_isic(tmp_path, 7, base=archive, per_second=1000)
    Archive.requests.clear()
    (tmp_path / "images" / "ISIC_0000002.jpg").write_bytes(b"broken")
    fetch_isic(tmp_path, 7, base=archive, per_second=1000)
    assert [path for _, path in Archive.requests if "files" in path] == ["/files/2.jpg"]
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
    assert len([path for _, path in Archive.requests if path == "/files/1.jpg"]) == 3


def test_no_faster_than_allowed(archive: str, tmp_path: Path) -> None:
    start = time.monotonic()
    fetch_isic(tmp_path, 5, base=archive, per_second=20)
    count = len(Archive.requests)
    assert count > 5
    assert time.monotonic() - start >= (count - 1) / 20  # from the first to the last: a busy machine only adds to it


def test_a_query_uses_the_search(archive: str, tmp_path: Path) -> None:
    fetch_isic(tmp_path, 10, query='diagnosis_3:"Nevus"', base=archive, per_second=1000)
    assert {p.stem for p in (tmp_path / "images").iterdir()} == {"ISIC_0000001", "ISIC_0000003", "ISIC_0000005"}


def test_no_server_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no answer"):
        fetch_isic(tmp_path, 1, base="http://127.0.0.1:9/api/v2", per_second=1000)
