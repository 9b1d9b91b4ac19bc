"""The server against people who do not do what they are asked: through real HTTP."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.study import service
from dermsynth.study.create import Study, create_study
from dermsynth.study.export import answers_table
from tests.study.conftest import TOKEN, Server, small_protocol, started
from tests.study.load import Seen, hidden, panel

EVIL = ["' OR 1=1 --", "<script>alert(1)</script>", "{{7*7}}", "../../etc/passwd", "\x00", "𝕌𝕟𝕚", "%s%n", "a" * 1900]


@pytest.fixture(scope="module")
def server(sides: tuple[DataSet, DataSet], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("web")
    found = started(create_study(small_protocol(folder), *sides, folder / "study", 0).folder)
    yield found
    found.stop()


class Person:
    """A rater without a browser."""

    def __init__(self, server: Server, link: str = "") -> None:
        self.client = httpx.Client()
        link = link or server.links()[0]
        self.address = server.url
        page = self.client.get(link)
        moved = self.client.post(link, data={**hidden(page.text), "agree": "yes", "language": "en"})
        where = moved.headers["location"]
        self.url = link.split("/i/")[0] + where[where.index("/r/") :]
        for step, data in (("background", {"group": "lay_person"}), ("instructions", {})):
            page = self.client.get(f"{self.url}/{step}")
            self.client.post(f"{self.url}/{step}", data={**hidden(page.text), **data})

    def page(self, position: int) -> httpx.Response:
        return self.client.get(f"{self.url}/trial/{position}")

    def answer(self, position: int, **values: str) -> httpx.Response:
        page = self.page(position)
        data = {**hidden(page.text), "kind": "real", "certainty": "3", **values}
        return self.client.post(f"{self.url}/trial/{position}", data=data)


def test_pages_load_nothing_from_elsewhere_and_forbid_it(server: Server) -> None:
    person = Person(server)
    for url in (server.links()[0], f"{person.url}/trial/0", f"{server.url}/organise", f"{server.url}/nothing"):
        answer = person.client.get(url)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
        assert not answer.cookies
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', answer.text)
        assert "style=" not in answer.text
        assert "onclick" not in answer.text


def test_the_truth_is_in_no_page(server: Server) -> None:
    study = server.running.study
    people = [Person(server) for _ in range(3)]
    shapes: dict[str, set[str]] = {"real": set(), "synthetic": set()}
    lengths: set[tuple[str, ...]] = set()
    for person in people:
        seat = service.seat_of(server.running, person.url.rsplit("/", 1)[1])
        assert seat is not None
        for trial in service.all_trials(server.running, seat):
            page, image = person.page(trial.position), person.client.get(f"{person.url}/image/{trial.position}")
            row = study.by_item[trial.item]
            assert image.status_code == 200, (trial.position, page.status_code, image.text)
            assert row["source"] not in page.text
            assert trial.item not in page.text
            names = ("content-length", "content-type", "etag", "last-modified", "cache-control")
            lengths.add(tuple(image.headers.get(name, "") for name in names))
            text = page.text.replace(person.url.rsplit("/", 1)[1], "TOKEN")
            text = re.sub(r'value="[0-9a-f]{16,}"|\d+', "N", text)
            if not trial.asked:
                shapes[row["truth"]].add(text)
            assert person.answer(trial.position).status_code == 303
            time.sleep(0.2)  # thirty requests a second are allowed
    assert len(lengths) == 1
    assert shapes["real"] & shapes["synthetic"]
    assert (
        len(shapes["real"] ^ shapes["synthetic"]) <= 2
    )  # the first page has no button back, the last loads no next image


def test_unknown_links_all_get_one_answer(
    sides: tuple[DataSet, DataSet], tmp_path: Path, serve: Callable[..., Server]
) -> None:
    server = serve(create_study(small_protocol(tmp_path), *sides, tmp_path / "study", 0).folder)
    person = Person(server)
    token = person.url.rsplit("/", 1)[1]
    forged = token[:-2] + ("aa" if token[-2:] != "aa" else "bb")
    used = server.links(cap=2)[0]
    for _ in range(2):
        Person(server, used)
    urls = [f"/i/{forged}", f"/r/{forged}", "/i/x", "/r/..%2f..%2fsecret.key", "/nothing", "/static/../../secret.key",
            "/organise/answers.csv", f"/r/{token}/trial/x", f"/r/{token}/image/99", f"/r/{token}/example/secret.key",
            used.removeprefix(server.url), f"/i/{token}"]  # fmt: skip
    answers = [httpx.get(f"{server.url}{url}") for url in urls]
    bodies = {answer.text for answer in answers if "/static" not in str(answer.url)}
    assert {answer.status_code for answer in answers} == {404}
    assert len(bodies) == 1
    assert "wait a moment" in too_many_guesses(server)


def too_many_guesses(server: Server) -> str:
    """Guess links until the server takes no more: so many in a minute that a busy machine may take longer."""
    with httpx.Client() as client:
        for _ in range(2000):
            answer = client.get(f"{server.url}/r/guess")
            if answer.status_code == 429:
                return answer.text
    raise AssertionError("any number of guesses is answered")


def test_a_form_must_come_from_our_page(server: Server) -> None:
    person = Person(server)
    page = person.page(0)
    values = {**hidden(page.text), "kind": "real", "certainty": "3"}
    for data, headers in (
        ({**values, "form": ""}, {}), ({**values, "form": "0" * 32}, {}), (values, {"sec-fetch-site": "cross-site"}),
        ({**values, "form": hidden(httpx.get(server.links()[0]).text)["form"]}, {}),
    ):  # fmt: skip
        assert person.client.post(f"{person.url}/trial/0", data=data, headers=headers).status_code == 404
    assert (
        person.client.post(f"{person.url}/trial/0", data=values, headers={"sec-fetch-site": "same-origin"}).status_code
        == 303
    )


def test_wrong_answers_are_refused_and_nothing_is_stored(server: Server) -> None:
    person = Person(server)
    before = len(answers_table(server.running))
    for values in ({"certainty": "6"}, {"certainty": "0"}, {"kind": "maybe"}, {"kind": ""}, {"certainty": "3.5"},
                   {"remark": "x" * 2001}):  # fmt: skip
        answer = person.answer(0, **values)
        assert answer.status_code == 422
        assert "answer every question" in answer.text
    huge = person.client.post(f"{person.url}/trial/0", content=b"remark=" + b"x" * 10_000_000)
    assert huge.status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    try:
        status = person.client.post(f"{person.url}/trial/0", content=endless()).status_code
    except httpx.TransportError:
        status = 413  # the server hung up first
    assert status in (404, 413)
    values = {**hidden(person.page(0).text), "kind": "real", "certainty": "3"}
    assert person.client.post(f"{person.url}/trial/5", data=values).headers["location"].endswith("/trial/0")
    assert len(answers_table(server.running)) == before


@pytest.mark.parametrize("text", EVIL)
def test_any_text_is_stored_as_it_is_and_shown_as_text(server: Server, text: str) -> None:
    person = Person(server)
    assert person.answer(0, remark=text).status_code == 303
    stored = answers_table(server.running).iloc[-1]["remark"]
    assert stored == text
    for position in range(1, 11):
        person.answer(position)
    page = person.client.get(f"{person.url}/comments")
    person.client.post(f"{person.url}/comments", data={**hidden(page.text), "comments": text})
    organiser = organised(server)
    shown = organiser.get(f"{server.url}/organise").text
    assert "<script>alert" not in shown
    assert "49" not in re.findall(r"<td>(\d+)</td>", shown)


def organised(server: Server) -> httpx.Client:
    client = httpx.Client(follow_redirects=True)
    assert client.post(f"{server.url}/organise/login", data={"token": TOKEN}).status_code == 200
    return client


def test_repeated_and_foreign_submissions_change_nothing(server: Server) -> None:
    first, second = Person(server), Person(server)
    page = first.page(0)
    data = {**hidden(page.text), "kind": "real", "certainty": "3"}
    for _ in range(3):
        assert first.client.post(f"{first.url}/trial/0", data=data).status_code == 303
    mine = first.url.rsplit("/", 1)[1]
    seat = service.seat_of(server.running, mine)
    assert seat is not None
    assert len(service.all_trials(server.running, seat)[0].answers) == 1
    stolen = first.client.post(f"{second.url}/trial/0", data=data)
    assert stolen.status_code == 404  # another's link with my form


def test_a_finished_study_takes_nothing(server: Server) -> None:
    person = Person(server)
    for position in range(11):
        assert person.answer(position).status_code == 303
    page = person.client.get(f"{person.url}/comments")
    person.client.post(f"{person.url}/comments", data={**hidden(page.text), "comments": "done"})
    before = len(answers_table(server.running))
    again = person.client.post(
        f"{person.url}/trial/0", data={**hidden(page.text), "kind": "synthetic", "certainty": "1"}
    )
    assert again.headers["location"].endswith("/thanks")
    assert person.client.get(f"{person.url}/image/0").status_code == 404
    assert len(answers_table(server.running)) == before


def test_the_organisers_pages_are_closed_to_others(server: Server) -> None:
    for path in ("answers.csv", "answers.parquet"):
        assert httpx.get(f"{server.url}/organise/{path}").status_code == 404
        assert httpx.get(f"{server.url}/organise/{path}", cookies={"organiser": "organiser.x.y"}).status_code == 404
    for path in ("state", "invite", "exclude", "forget", "logout"):
        assert httpx.post(f"{server.url}/organise/{path}", data={"state": "closed"}).status_code == 404
    client = organised(server)
    assert client.post(f"{server.url}/organise/state", data={"state": "closed"}).status_code == 404  # no form value
    assert service.state(server.running) == service.OPEN
    assert client.get(f"{server.url}/organise/answers.csv").text.startswith("rater,positive,group,years,excluded")
    assert client.get(f"{server.url}/organise/answers.parquet").content[:4] == b"PAR1"


def test_guesses_of_others_keep_nobody_with_a_good_link_out(
    sides: tuple[DataSet, DataSet], tmp_path: Path, serve: Callable[..., Server]
) -> None:
    server = serve(create_study(small_protocol(tmp_path), *sides, tmp_path / "study", 0).folder)
    person, link = Person(server), server.links()[0]
    too_many_guesses(server)
    assert person.answer(0).status_code == 303
    assert httpx.get(link).status_code == 200
    assert person.client.post(f"{person.url}/trial/1", data={"form": "é"}).status_code == 404


def test_a_path_prefix_is_kept_in_every_link(
    sides: tuple[DataSet, DataSet], tmp_path: Path, serve: Callable[..., Server]
) -> None:
    server = serve(create_study(small_protocol(tmp_path), *sides, tmp_path / "study", 0).folder, "--prefix", "/skin")
    bare = server.url.removesuffix("/skin")  # a proxy may cut the prefix off
    assert httpx.get(f"{bare}/static/study.css").status_code == 200
    assert "/skin/static/study.css" in httpx.get(f"{bare}/organise").text
    person = Person(server)
    page = person.page(0)
    assert page.status_code == 200
    links = re.findall(r'(?:src|href|action)="([^"]+)"', page.text)
    assert all(link.startswith(("/skin/", "#")) for link in links), links
    assert person.answer(0).headers["location"].startswith("/skin/r/")
    assert httpx.get(f"{server.url}/static/study.css").status_code == 200


def test_a_timed_image_is_answered_only_after_it_was_shown(
    sides: tuple[DataSet, DataSet], tmp_path: Path, serve: Callable[..., Server]
) -> None:
    server = serve(create_study(small_protocol(tmp_path, exposure=500), *sides, tmp_path / "study", 0).folder)
    person = Person(server)
    assert '<fieldset id="questions" class="plain" disabled>' in person.page(0).text
    assert person.answer(0).status_code == 422
    assert person.answer(0, shown_ms="12", answered_ms="900").status_code == 303
    assert answers_table(server.running)["views"].tolist() == [
        4
    ]  # each of these opened the page, one refused form showed it


def test_another_token_ends_the_organisers_sessions(small: Study, serve: Callable[..., Server]) -> None:
    server = serve(small.folder)
    client = organised(server)
    assert client.get(f"{server.url}/organise/answers.csv").status_code == 200
    server.stop()
    port = int(server.url.rsplit(":", 1)[1])
    again = serve(small.folder, port=port, DERMSYNTH_STUDY_TOKEN="quite another long token")
    assert client.get(f"{again.url}/organise/answers.csv").status_code == 404


def test_a_mistake_of_ours_is_a_guarded_page_too(small: Study, serve: Callable[..., Server]) -> None:
    server = serve(small.folder)
    person = Person(server)
    for path in (small.folder / "images").iterdir():
        path.unlink()
    answer = person.client.get(f"{person.url}/image/0")
    assert answer.status_code == 500
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "Traceback" not in answer.text


def test_a_full_disk_acknowledges_nothing(small: Study, serve: Callable[..., Server]) -> None:
    """Files may not grow beyond a limit: from there on nothing is acknowledged, a page says so, and nothing is lost."""
    links = Server(None, "", small.folder).links(40)  # type: ignore[arg-type]
    server = serve(small.folder, largest_file=400 * 1024)
    acknowledged, refused = 0, None
    for link in links:
        page = httpx.get(server.url + link)
        joined = httpx.post(server.url + link, data={**hidden(page.text), "agree": "yes"})
        refused = joined if joined.status_code == 503 else None
        person = None if refused else Person(server, server.url + link)
        for position in range(11 if person else 0):
            answer = person.answer(position, remark="x" * 1900)  # type: ignore[union-attr]
            acknowledged += answer.status_code == 303
            refused = answer if answer.status_code == 503 else refused
        if refused:
            break
    assert refused is not None, "the disk was never full"
    assert "could not be stored" in refused.text
    server.stop()
    assert len(answers_table(serve(small.folder).running)) == acknowledged > 0


def test_ten_raters_at_once_lose_nothing(small: Study, serve: Callable[..., Server]) -> None:
    server = serve(small.folder)
    seen = panel(server.links(10), 11, (0.15, 0.25))
    table = answers_table(server.running)
    assert len(table) == 110
    assert not table.duplicated(["rater", "position"]).any()
    assert all(len(positions) == 11 for positions in seen.acknowledged.values())


def test_what_was_acknowledged_survives_kill(small: Study, serve: Callable[..., Server]) -> None:
    survives(small, serve, kills=2, raters=6)


@pytest.mark.slow
def test_what_was_acknowledged_survives_twenty_kills(small: Study, serve: Callable[..., Server]) -> None:
    survives(small, serve, kills=20, raters=20)


def stored(seen: Seen) -> int:
    return sum(map(len, list(seen.acknowledged.values())))


def survives(study: Study, serve: Callable[..., Server], *, kills: int, raters: int) -> None:
    import threading

    server = serve(study.folder)
    port = int(server.url.rsplit(":", 1)[1])
    seen = Seen()
    links = [link for _ in range(kills // 4 + 1) for link in server.links(raters)]
    thread = threading.Thread(target=panel, args=(links, 11, (0.2, 0.6), seen))
    thread.start()
    share = 11 * len(links) // (2 * kills)
    for kill in range(kills):
        while stored(seen) <= share * kill and thread.is_alive():
            time.sleep(0.05)
        server.process.kill()
        server.process.wait()
        server = serve(study.folder, port=port)
    thread.join(500)
    assert not thread.is_alive(), "raters are stuck"
    table = answers_table(server.running)
    assert seen.broken > 0
    assert not table.duplicated(["rater", "position"]).any()
    answers = table.groupby("rater").size()
    assert len(answers) == len(links)
    assert (answers == 11).all()


def test_postgresql_serves_as_well(small: Study, serve: Callable[..., Server], postgresql: str) -> None:
    server = serve(small.folder, DERMSYNTH_STUDY_DATABASE=postgresql)
    seen = panel([*server.links(9), *server.links(1, cap=3) * 3], 11, (0.15, 0.25))
    table = answers_table(server.running)
    assert len(table) == 12 * 11
    assert not table.duplicated(["rater", "position"]).any()
    assert all(len(positions) == 11 for positions in seen.acknowledged.values())
    assert not (small.folder / "study.sqlite").exists()
    name = str(table["rater"].iloc[0])
    assert service.forget(server.running, name)
    assert len(answers_table(server.running)) == 11 * 11


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_hundred_raters_are_answered_quickly(
    database: str,
    sides: tuple[DataSet, DataSet],
    tmp_path: Path,
    serve: Callable[..., Server],
    request: pytest.FixtureRequest,
) -> None:
    """Each thinks three to seven seconds about each of 50 images."""
    path = Path(small_protocol(tmp_path))
    path.write_text(path.read_text().replace("count = 4", "count = 30"))
    study = create_study(str(path), *sides, tmp_path / "study", 0)
    place = {"DERMSYNTH_STUDY_DATABASE": request.getfixturevalue("postgresql")} if database == "postgresql" else {}
    server = serve(study.folder, **place)
    seen = panel(server.links(200), 50, (3.0, 7.0))
    table = answers_table(server.running)
    print(f"{database}: {len(seen.seconds)} requests, p50 {seen.quantile(0.5):.3f} s, p95 {seen.quantile(0.95):.3f} s")
    assert len(table) == 200 * 50
    assert not table.duplicated(["rater", "position"]).any()
    assert seen.quantile(0.95) < 0.1
