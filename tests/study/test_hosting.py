"""What a hospital needs to run a study: files for container, systemd and proxy; backup and restore; pilot; a page for the ethics board."""

import json
import re
import shlex
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from dermsynth.cli import study as verbs
from dermsynth.errors import UserError
from dermsynth.report.ethics_report import STORED, Responsible, write_ethics_report
from dermsynth.study import service
from dermsynth.study.analysis import analyse_study
from dermsynth.study.backup import back_up, restore
from dermsynth.study.create import Study
from dermsynth.study.export import answers_table
from dermsynth.study.serve import open_live_study
from dermsynth.study.store import Base
from tests.browser import checked, page_of
from tests.study.conftest import Server, started
from tests.study.test_web import Person
from tests.warm import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_a_backup_of_a_running_study_has_every_answer_acknowledged_before(
    small: Study, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(small.folder)
    people = [Person(server) for _ in range(3)]
    for person in people:
        assert person.answer(0).status_code == 303
    done = threading.Event()

    def busy() -> None:
        position = 1
        while not done.is_set() and position < 5:
            people[0].answer(position)
            position += 1

    thread = threading.Thread(target=busy)
    thread.start()
    raters = back_up(server.running, tmp_path / "study.zip")
    done.set()
    thread.join()
    server.stop()
    assert raters == 3
    assert (tmp_path / "study.zip").stat().st_mode & 0o777 == 0o600
    again = restore(tmp_path / "study.zip", tmp_path / "again")
    table = answers_table(open_live_study(again.folder))
    assert set(table["rater"]) == {row.rater for row in service.overview(open_live_study(small.folder))}
    assert (table["position"] == 0).sum() == 3
    assert again.folder.stat().st_mode & 0o777 == 0o700
    assert (again.folder / "secret.key").stat().st_mode & 0o777 == 0o600


def test_links_go_on_in_a_restored_study(small: Study, serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(small.folder)
    person = Person(server)
    person.answer(0)
    back_up(server.running, tmp_path / "study.zip")
    server.stop()
    restored = serve(restore(tmp_path / "study.zip", tmp_path / "again").folder)
    person.url = f"{restored.url}/r/{person.url.rsplit('/', 1)[1]}"
    assert person.answer(1).status_code == 303
    newcomer = Person(restored)
    assert newcomer.answer(0).status_code == 303
    assert len(answers_table(restored.running)) == 3


def test_a_backup_moves_into_postgresql_and_out_of_it(small: Study, postgresql: str, tmp_path: Path) -> None:
    live = open_live_study(small.folder)
    for token in service.invite(live, 2):
        service.join(live, token, "en")
    back_up(live, tmp_path / "study.zip")
    moved = restore(tmp_path / "study.zip", tmp_path / "moved", postgresql)
    assert not (moved.folder / "study.sqlite").exists()
    there = open_live_study(moved.folder, postgresql)
    assert [row.rater for row in service.overview(there)] == [row.rater for row in service.overview(live)]
    (token,) = service.invite(there, 1)
    assert service.join(there, token, "en")  # numbers go on after those copied
    back_up(there, tmp_path / "back.zip")
    back = restore(tmp_path / "back.zip", tmp_path / "back")
    assert len(service.overview(open_live_study(back.folder))) == 3
    with pytest.raises(UserError, match="3 raters and 3 invitations are in it already"):
        restore(tmp_path / "study.zip", tmp_path / "twice", postgresql)
    assert not (tmp_path / "twice").exists()


def test_what_is_no_backup_is_refused_and_leaves_nothing(small: Study, tmp_path: Path) -> None:
    whole = tmp_path / "whole.zip"
    back_up(open_live_study(small.folder), whole)
    with pytest.raises(UserError, match="exists already"):
        back_up(open_live_study(small.folder), whole)
    (tmp_path / "text.zip").write_text("no zip")
    lacking, foreign, cut = (tmp_path / f"{name}.zip" for name in ("lacking", "foreign", "cut"))
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(lacking, "w") as target:
        for name in source.namelist():
            if name != "secret.key":
                target.writestr(name, source.read(name))
    shutil.copy(whole, foreign)
    with zipfile.ZipFile(foreign, "a") as target:
        target.writestr("../evil.py", "print()")
    cut.write_bytes(whole.read_bytes()[:2000])
    for path, said in (
        (tmp_path / "text.zip", "no readable backup"),
        (tmp_path / "nothing.zip", "no readable backup"),
        (cut, "no readable backup"),
        (lacking, "lacks secret.key"),
        (foreign, "'../evil.py', which no study has"),
    ):
        with pytest.raises(UserError, match=re.escape(said)):
            restore(path, tmp_path / "out")
        assert not (tmp_path / "out").exists()
    items = small.items["item"].tolist()
    changes: dict[str, dict[str, bytes | None]] = {
        f"lacks image {items[0]}": {f"images/{items[0]}.png": None},
        "lacks the key": {"secret.key": b""},
        "cannot be opened": {"study.sqlite": b"no database" * 100},
        "is newer": {"study.json": b'{"schema": 99}'},
    }
    for said, change in changes.items():
        changed = tmp_path / "changed.zip"
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(changed, "w") as target:
            for name in source.namelist():
                data = change.get(name, source.read(name))
                if data is not None:
                    target.writestr(name, data)
        with pytest.raises(UserError, match=said):
            restore(changed, tmp_path / "out")
        assert not (tmp_path / "out").exists(), said
    pressed = tmp_path / "pressed.zip"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(pressed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    damaged = bytearray(pressed.read_bytes())
    damaged[len(damaged) // 3 : len(damaged) // 3 + 400] = bytes(400)
    pressed.write_bytes(damaged)
    with pytest.raises(UserError, match="no readable backup"):
        restore(pressed, tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="full"):
        restore(whole, tmp_path / "full")
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_another_database_is_neither_forgotten_nor_mistaken(
    small: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unserved = tmp_path / "unserved"
    shutil.copytree(small.folder, unserved)
    (unserved / "study.sqlite").unlink(missing_ok=True)
    with pytest.raises(UserError, match="holds no answers; name their database"):
        verbs.backup(unserved, tmp_path / "empty.zip")
    assert not (unserved / "study.sqlite").exists()
    back_up(open_live_study(small.folder), tmp_path / "study.zip")
    monkeypatch.setenv("DERMSYNTH_STUDY_DATABASE", "postgresql://u:secret@h/db")
    with pytest.raises(UserError, match="DERMSYNTH_STUDY_DATABASE is set"):
        restore(tmp_path / "study.zip", tmp_path / "again")
    page = write_ethics_report(small, tmp_path / "ethics.html", Responsible()).read_text()
    assert "In postgresql://u:***@h/db." in page
    with pytest.raises(UserError, match="not a URL of a database"):
        write_ethics_report(small, tmp_path / "ethics.html", Responsible(), "nonsense")


def test_raters_of_a_pilot_are_left_out(
    small: Study, serve: Callable[..., Server], capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(small.folder)
    verbs.state(small.folder, "pilot")
    assert capsys.readouterr().out == f"{small.folder}: pilot\n"
    early = Person(server)
    verbs.state(small.folder, "open")
    late = Person(server)
    for person in (early, late):
        for trial in range(11):
            assert person.answer(trial).status_code == 303
    server.stop()
    result = analyse_study(small.folder)
    assert len(result.raters) == 1
    assert result.left_out["of excluded raters"] == 11
    verbs.state(small.folder)
    assert capsys.readouterr().out.splitlines()[-1] == f"{small.folder}: open"


def test_the_ethics_page_names_everything_that_is_stored(small: Study, tmp_path: Path, browser: Any) -> None:
    described = {(table.__tablename__, column) for table, columns in STORED.items() for column in columns}
    there = {(t.name, c.name) for t in Base.metadata.sorted_tables for c in t.columns if c.name != "id"}
    assert described == there
    path = write_ethics_report(
        small, tmp_path / "ethics.html", Responsible("Hospital", contact="a@b"), "postgresql://u:secret@h/db"
    )
    page = page_of(browser, "phone")
    page.goto(path.as_uri())
    text = page.inner_text("body")
    assert "Still to be said: --responsible, --keep-until, --photographs." in text
    assert "One rater gives 11 answers" in text
    assert "postgresql://u:***@h/db" in text
    assert "Is this picture a photograph or generated?" in text
    assert "window width" in text
    assert "keeps in its own logs" in text
    told = Responsible(keep_until="2999-01-31", photographs="consent of the patients, EK 12/34")
    said = write_ethics_report(small, tmp_path / "told.html", told).read_text()
    assert "consent of the patients, EK 12/34" in said
    assert "2999-01-31" in said
    assert Responsible(keep_until="29990131").keep_until == "2999-01-31"
    assert "photographs" in Responsible(photographs="  ").missing(small.protocol)
    for wrong, why in (("soon", "write a date, such as 2030-12-31"), ("2001-01-01", "has passed")):
        with pytest.raises(UserError, match=f"`keep_until` '?{wrong}'?: {why}"):
            Responsible(keep_until=wrong)
    assert "overwritten" in write_ethics_report(small, tmp_path / "own.html", Responsible()).read_text()
    checked(page)


def test_the_ethics_verb_says_what_is_missing(small: Study, capsys: pytest.CaptureFixture[str]) -> None:
    verbs.ethics(small.folder, institution="a", responsible="b", contact="c", keep_until="2999-12-31", photographs="d")
    assert capsys.readouterr().out.strip() == str(small.folder / "ethics.html")
    verbs.ethics(small.folder)
    assert "--keep-until" in capsys.readouterr().out


def words_after_dermsynth(line: str) -> list[str]:
    words = shlex.split(line)
    return words[next(i for i, word in enumerate(words) if word.rsplit("/", 1)[-1] == "dermsynth") + 1 :]


def served(arguments: list[str], folder: str, study: Path) -> Server:
    """A real server by the words of a file, but for folder, address and port."""
    assert arguments[:3] == ["study", "serve", folder]
    rest = arguments[3:]
    for option in ("--port", "--host"):
        place = rest.index(option)
        del rest[place : place + 2]
    return started(study, *rest)


def test_the_systemd_unit_starts_the_study_behind_the_proxy_of_the_docs(small: Study, tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("no nginx: apt-get install nginx-light")
    unit = (DEPLOY / "dermsynth-study.service").read_text()
    (line,) = re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)
    server = served(words_after_dermsynth(line), "/var/lib/dermsynth/study", small.folder)
    port, own = free_port(), int(server.url.split(":")[2].split("/")[0])
    location = (DEPLOY / "nginx.conf").read_text().replace("127.0.0.1:8000", f"127.0.0.1:{own}")
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\nevents {{}}\n"
        f"http {{ access_log off; {temporary}\nserver {{ listen 127.0.0.1:{port};\n{location}}} }}\n"
    )
    process = subprocess.Popen([nginx, "-e", str(tmp_path / "error.log"), "-c", str(configuration)])
    try:
        outside = f"http://127.0.0.1:{port}/study"
        _wait(f"{outside}/organise", process)
        (token,) = service.invite(server.running, 1)
        person = Person(server, f"{outside}/i/{token}")
        assert person.url.startswith(outside)
        assert person.answer(0).status_code == 303
        assert person.client.get(f"{person.url}/image/1").headers["content-type"] == "image/png"
        assert person.client.post(f"{person.url}/comments", content=b"x" * 70_000).status_code == 413
        assert f"{outside}/r/" in person.client.get(f"{person.url}/instructions").text
    finally:
        process.terminate()
        process.wait(30)
        server.stop()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        assert process.poll() is None
        try:
            if httpx.get(url).status_code < 500:
                return
        except httpx.TransportError:
            pass
        threading.Event().wait(0.1)
    raise AssertionError(f"{url}: no answer")


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze")
    for path in DEPLOY.glob("dermsynth-*"):
        text = (
            path.read_text().replace("/opt/dermsynth/bin/dermsynth", "/bin/true").replace("User=dermsynth", "User=root")
        )
        (tmp_path / path.name).write_text(text.replace("Group=dermsynth", "Group=root"))
    units = sorted(map(str, tmp_path.iterdir()))
    assert len(units) == 3
    done = subprocess.run([program, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    about = [line for line in done.stderr.splitlines() if "dermsynth" in line]
    assert about == []


def test_the_backup_unit_names_a_verb_that_is_there(small: Study, tmp_path: Path) -> None:
    (line,) = re.findall("^ExecStart=(.*)$", (DEPLOY / "dermsynth-backup.service").read_text(), re.MULTILINE)
    open_live_study(small.folder)
    script = shlex.split(line)[2].replace("$$", "$").replace("%%", "%")
    verb = Path(shutil.which("dermsynth") or Path(__import__("sys").executable).parent / "dermsynth")
    script = script.replace("/opt/dermsynth/bin/dermsynth", str(verb)).replace(
        "/var/lib/dermsynth/study", str(small.folder)
    )
    script = script.replace("/var/backups/dermsynth", str(tmp_path))
    subprocess.run(["/bin/sh", "-c", script], check=True, timeout=240)
    (path,) = tmp_path.glob("study-*.zip")
    assert restore(path, tmp_path / "again").items.equals(small.items)


def test_the_container_serves_the_study(small: Study) -> None:
    text = (DEPLOY / "Containerfile").read_text()
    words = [
        word
        for key in ("ENTRYPOINT", "CMD")
        for word in json.loads(re.findall(f"^{key} (\\[.*\\])$", text, re.MULTILINE)[0])
    ]
    server = served(words_after_dermsynth(shlex.join(words)), "/study", small.folder)
    try:
        assert httpx.get(f"{server.url}/organise").status_code == 200
    finally:
        server.stop()
