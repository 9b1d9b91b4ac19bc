"""The whole chain, from images to a released set and a study, in processes that may not reach the network."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import pack
from tests.cli.conftest import refused
from tests.study.conftest import small_protocol, started
from tests.study.load import panel
from tests.warm import PRELOADED

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


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


@pytest.mark.slow
def test_imports_reach_for_nothing(offline: dict[str, str]) -> None:
    code = f"import importlib\nfor name in {PRELOADED!r}: importlib.import_module(name)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **offline}, check=True, timeout=300)
    assert not refused(offline)


CHAIN = """
import csv PACK --image image --label label --mask mask --out imported
artefacts detect imported
artefacts remove imported --frames nearest --out removed
phantom --out data --count 510 --resolution 16
audit data
train stylegan2-ada --data data --resolution 16 --out run --images 64 --snapshot 32 --log 16 --set channel_base=64 --set channel_max=8
generate run --out synthetic --count melanoma=50 --count nevus=50
evaluate synthetic --against data --brief
report run
latents directions pca run --out directions --count 40 --components 2
latents edit synthetic --directions directions/directions.safetensors --direction pca0 --steps 1 --out edited
utility synthetic --real data --positive melanoma --negative nevus --arms real --arms synthetic --repeats 2 --images 64 --out utility
export synthetic --out released
study plan --raters 3 --items 50
study create --real data --synthetic synthetic --protocol protocol.toml --out study
"""
AFTER = """
study export study answers.csv
study report study
"""
PAGES = ("data/audit.html", "run/report.html", "utility/utility.html", "study/study.html")


@pytest.mark.slow  # every verb in a process that starts from nothing; the chain of test_shell.py runs under the same hook
def test_the_whole_chain_without_a_network(
    shell: Shell, tmp_path: Path, offline: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole evaluation, with its page, is in the chain of `test_shell`."""
    monkeypatch.chdir(tmp_path)
    small_protocol(tmp_path)

    def run(words: str) -> str:
        result = shell(*words.replace("PACK", str(pack.TABLE)).split(), **offline)
        assert not refused(offline), words
        return result.stdout

    for line in CHAIN.strip().splitlines():
        run(line)
    links = run("study invite study --count 2 --base-url http://127.0.0.1:1").split()
    answer([link.rsplit("/i/", 1)[1] for link in links], tmp_path / "study", offline)
    for line in AFTER.strip().splitlines():
        run(line)
    assert len((tmp_path / "answers.csv").read_text().splitlines()) > 20
    for page in PAGES:
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", (tmp_path / page).read_text()), page


def answer(tokens: list[str], study: Path, offline: dict[str, str]) -> None:
    """Two raters answer everything, through a server that may talk to this machine alone."""
    server = started(study, **offline, DERMSYNTH_TEST_LOOPBACK="1")
    try:
        seen = panel([f"{server.url}/i/{token}" for token in tokens], answers=11, think=(0.2, 0.3))
    finally:
        server.stop()
    assert not refused(offline)
    assert [len(answers) for answers in seen.acknowledged.values()] == [11, 11]
