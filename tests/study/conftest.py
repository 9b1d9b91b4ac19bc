"""A small study of drawn images, and its server as a real process."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.folder import DESCRIPTION
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.io import read_json, write_json
from dermsynth.study.create import Study, create_study
from dermsynth.study.protocol import Protocol, parse_protocol, protocol_text
from dermsynth.study.serve import open_live_study
from dermsynth.study.service import LiveStudy, invite
from tests.warm import WAIT, Warm, free_port, start_verb, wait_for_server

PROTOCOL = """
positive = "synthetic"
groups = ["dermatologist", "lay_person"]
examples = 1
repeats = 2
attention = 1
back = {back}
feedback = {feedback}
exposure_ms = {exposure}

[title]
en = "A small study"
de = "Eine kleine Studie"

[[conditions]]
name = "all"
images = [{{ kind = "real", count = 4 }}, {{ kind = "synthetic", count = 4 }}]

[[questions]]
name = "kind"
type = "kind"

[[questions]]
name = "certainty"
type = "scale"

[[questions]]
name = "remark"
type = "text"
required = false
"""
TOKEN = "an organiser's long token"


def small_protocol(folder: Path, *, back: bool = False, feedback: bool = False, exposure: int = 0) -> str:
    path = folder / "protocol.toml"
    text = PROTOCOL.format(back=str(back).lower(), feedback=str(feedback).lower(), exposure=exposure)
    path.write_text(text)
    return str(path)


def read_protocol(place: str) -> Protocol:
    return parse_protocol(protocol_text(place), place)


def drawn_sides(out: Path) -> tuple[DataSet, DataSet]:
    """Two phantoms of 320 images, of which the second says that it is synthetic."""
    found = []
    for number, synthetic in enumerate((False, True)):
        folder = out / ("synthetic" if synthetic else "real")
        if not folder.exists():
            write_phantom(folder, 320, PhantomSettings(64, 64), seed=1000 * number, jobs=1)
            write_json(folder / DESCRIPTION, {**read_json(folder / DESCRIPTION), "synthetic": synthetic})
        found.append(open_data_set(folder))
    return found[0], found[1]


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataSet, DataSet]:
    """A real set and one that calls itself synthetic, both drawn."""
    return drawn_sides(tmp_path_factory.mktemp("sides"))


@pytest.fixture
def small(sides: tuple[DataSet, DataSet], tmp_path: Path) -> Study:
    return create_study(small_protocol(tmp_path), *sides, tmp_path / "study", 0)


@dataclass(frozen=True)
class Server:
    """A server process, where it listens, and its database if that is not in the study's folder."""

    process: Warm
    url: str
    folder: Path
    database: str = ""

    def links(self, count: int = 1, cap: int = 1) -> list[str]:
        return [f"{self.url}/i/{token}" for token in invite(self.running, count, cap)]

    @property
    def running(self) -> LiveStudy:
        return open_live_study(self.folder, self.database)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(WAIT)


def started(folder: Path, *arguments: str, port: int = 0, largest_file: int = 0, **environment: str) -> Server:
    port = port or free_port()
    prefix = arguments[arguments.index("--prefix") + 1] if "--prefix" in arguments else ""
    environment = {**os.environ, "DERMSYNTH_STUDY_TOKEN": TOKEN, **environment}
    words = ["study", "serve", folder, "--port", port, *arguments]
    process = start_verb(*words, environment=environment, largest_file=largest_file)
    url = f"http://127.0.0.1:{port}{prefix}"
    wait_for_server(f"{url}/organise", process)
    return Server(process, url, folder, environment.get("DERMSYNTH_STUDY_DATABASE", ""))


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(folder: Path, *arguments: str, **values: object) -> Server:
        servers.append(started(folder, *arguments, **values))  # type: ignore[arg-type]
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def postgresql(postgresql_server: str) -> str:
    """URL of an empty database of its own: no test finds the raters of another."""
    import sqlalchemy as sa

    name = f"t{secrets.token_hex(8)}"
    engine = sa.create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{postgresql_server.rpartition('/')[0]}/{name}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a fresh PostgreSQL server, started for the tests as a user that is not root."""
    pytest.importorskip("psycopg", reason="needs psycopg")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("no PostgreSQL server: apt-get install postgresql")
    other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: the path of a socket has at most 107 letters
    if other:
        shutil.chown(folder, "postgres")
    port = free_port()
    binary = programs[-1].parent
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    steps = [
        [binary / "initdb", "-D", folder / "data", "-U", "dermsynth", "-A", "trust", "-E", "UTF8"],
        [binary / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-o", options, "-w", "start"],
    ]
    for step in steps:
        done = subprocess.run([*other, *map(str, step)], capture_output=True, text=True, cwd="/", check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            pytest.skip(f"PostgreSQL does not start: {(done.stderr or done.stdout).strip()[:200]}")
    yield f"postgresql+psycopg://dermsynth@127.0.0.1:{port}/postgres"
    subprocess.run(
        [*other, str(binary / "pg_ctl"), "-D", str(folder / "data"), "-m", "immediate", "stop"], check=False, cwd="/"
    )
    shutil.rmtree(folder, ignore_errors=True)
