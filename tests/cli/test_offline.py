"""The whole chain, from images to a released set and a study, in processes that may not reach the network."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import pack
from tests.study.conftest import small_protocol, started
from tests.study.load import panel
from tests.warm import OFFLINE, PRELOADED

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """Environment of a process that refuses every socket to anywhere, and writes what it refused into `network.log`."""
    path = os.pathsep.join([str(OFFLINE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"DERMSYNTH_TEST_NETWORK_LOG": str(tmp_path / "network.log"), "PYTHONPATH": path}


def refused(environment: dict[str, str]) -> str:
    log = Path(environment["DERMSYNTH_TEST_NETWORK_LOG"])
    return log.read_text() if log.exists() else ""


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("import socket; socket.create_connection(('192.0.2.1', 80))", "socket.getaddrinfo '192.0.2.1'"),
        ("import socket; socket.socket().connect_ex(('127.0.0.1', 9))", "socket.connect ('127.0.0.1', 9)"),
        ("import _socket; _socket.socket(2, 2).sendto(b'x', ('192.0.2.1', 53))", "socket.sendto ('192.0.2.1', 53)"),
        ("import urllib.request as u; u.urlopen('http://example.org')", "socket.getaddrinfo 'example.org'"),
        (
            "from joblib import Parallel, delayed; import socket; "
            "Parallel(2)(delayed(socket.gethostbyname)('example.org') for _ in 'ab')",
            "socket.gethostbyname 'example.org'",
        ),
    ],
)
def test_the_network_is_refused_and_the_attempt_written_down(code: str, event: str, offline: dict[str, str]) -> None:
    wrapped = f"try:\n    exec({code!r})\nexcept Exception: pass"
    subprocess.run([sys.executable, "-c", wrapped], env={**os.environ, **offline}, check=True, timeout=300)
    assert event in refused(offline)


def test_imports_reach_for_nothing(offline: dict[str, str]) -> None:
    code = f"import importlib\nfor name in {PRELOADED!r}: importlib.import_module(name)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **offline}, check=True, timeout=300)
    assert not refused(offline)


def test_the_whole_chain_without_a_network(shell: Shell, tmp_path: Path, offline: dict[str, str]) -> None:
    data, run, synthetic = tmp_path / "data", tmp_path / "run", tmp_path / "synthetic"

    def verb(*words: object, **more: str) -> str:
        result = shell(*words, **offline, **more)
        assert not refused(offline), words
        return result.stdout

    verb(
        "import", "csv", pack.TABLE, "--image", "image", "--label", "label", "--mask", "mask", "--out", tmp_path / "in"
    )
    verb("phantom", "--out", data, "--count", 600, "--resolution", 16)
    verb("audit", data)
    verb("artefacts", "detect", tmp_path / "in")
    verb("artefacts", "remove", tmp_path / "in", "--frames", "nearest", "--out", tmp_path / "removed")
    small = ("--set", "channel_base=64", "--set", "channel_max=8", "--set", "latent=8", "--snapshot", 32, "--log", 16)
    verb("train", "stylegan2-ada", "--data", data, "--resolution", 16, "--out", run, "--images", 64, *small)
    verb("generate", run, "--out", synthetic, "--count", "melanoma=60", "--count", "nevus=60")
    verb("evaluate", synthetic, "--against", data)
    verb("report", run)
    verb("latents", "directions", "pca", run, "--out", tmp_path / "directions", "--count", 40, "--components", 2)
    file = tmp_path / "directions" / "directions.safetensors"
    verb(
        "latents", "edit", synthetic, "--directions", file, "--direction", "pca0", "--steps", 1, "--out", tmp_path / "e"
    )
    sides = ("--real", data, "--positive", "melanoma", "--negative", "nevus")
    verb(
        "utility",
        synthetic,
        *sides,
        "--arms",
        "real",
        "--arms",
        "synthetic",
        "--repeats",
        2,
        "--images",
        64,
        "--out",
        tmp_path / "u",
    )
    verb("export", synthetic, "--out", tmp_path / "released")
    verb("study", "plan", "--raters", 3, "--items", 50)
    study = tmp_path / "study"
    verb(
        "study",
        "create",
        "--real",
        data,
        "--synthetic",
        synthetic,
        "--protocol",
        small_protocol(tmp_path),
        "--out",
        study,
    )
    links = verb("study", "invite", study, "--count", 2, "--base-url", "http://127.0.0.1:1").split()
    server = started(study, **offline, DERMSYNTH_TEST_LOOPBACK="1")
    try:
        tokens = [link.rsplit("/i/", 1)[1] for link in links]
        seen = panel([f"{server.url}/i/{token}" for token in tokens], answers=11, think=(0.2, 0.3))
    finally:
        server.stop()
    assert not refused(offline)
    assert [len(answers) for answers in seen.acknowledged.values()] == [11, 11]
    verb("study", "export", study, "--out", tmp_path / "answers.csv")
    assert len((tmp_path / "answers.csv").read_text().splitlines()) > 20
    verb("study", "report", study)
    for page in (data / "audit.html", synthetic / "assessment.html", run / "report.html", study / "study.html"):
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page.read_text()), page
