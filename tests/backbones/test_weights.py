import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dermsynth.backbones.weights import Download, obtain
from dermsynth.errors import UserError


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "w.pth").write_bytes(b"weights" * 1000)
    service = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "www")))
    threading.Thread(target=service.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{service.server_port}"
    service.shutdown()


def test_the_right_file_is_kept_and_a_wrong_one_is_not(server: str, tmp_path: Path) -> None:
    good = Download("w.pth", f"{server}/w.pth", hashlib.sha256(b"weights" * 1000).hexdigest())
    path = obtain(good)
    assert path.read_bytes() == b"weights" * 1000
    (tmp_path / "www" / "w.pth").unlink()
    assert obtain(good) == path
    (tmp_path / "www" / "bad.pth").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"checksum .* expected .* not kept"):
        obtain(Download("bad.pth", f"{server}/bad.pth", "0" * 64))
    assert sorted(p.name for p in path.parent.iterdir()) == ["w.pth"]
    with pytest.raises(UserError, match="cannot be downloaded"):
        obtain(Download("gone.pth", f"{server}/gone.pth", "0" * 64))
