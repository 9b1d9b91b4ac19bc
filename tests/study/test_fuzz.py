"""Any request whatever gets a proper answer, and stores nothing that is no answer."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from dermsynth.data.dataset import DataSet
from dermsynth.study import service
from dermsynth.study.create import create_study
from dermsynth.study.export import answers_table
from dermsynth.study.serve import open_live_study
from dermsynth.study.service import LiveStudy
from dermsynth.study.web.app import application
from dermsynth.study.web.site import Site
from tests.study.conftest import small_protocol

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(
    ["real", "synthetic", "3", "6", "' OR 1=1 --", "<b>", "\x00", "../..", "9" * 40, "-1"]
)
NAMES = st.sampled_from(["form", "nonce", "kind", "certainty", "remark", "agree", "group", "years", "comments", "shown_ms", "zoom",
                         "state", "rater", "token", "x"])  # fmt: skip
PATHS = ["/i/{i}", "/r/{r}", "/r/{r}/background", "/r/{r}/instructions", "/r/{r}/trial/{n}", "/r/{r}/image/{n}", "/r/{r}/example/{x}",
         "/r/{r}/comments", "/r/{r}/thanks", "/organise", "/organise/login", "/organise/state", "/organise/answers.csv", "/{x}",
         "/static/{x}", "/r/{x}/trial/{n}"]  # fmt: skip


@pytest.fixture(scope="module")
def found(sides: tuple[DataSet, DataSet], tmp_path_factory: pytest.TempPathFactory) -> LiveStudy:
    folder = tmp_path_factory.mktemp("fuzz")
    return open_live_study(create_study(small_protocol(folder), *sides, folder / "study", 0).folder)


@pytest.fixture(scope="module")
def site(found: LiveStudy) -> Iterator[tuple[TestClient, dict[str, str]]]:
    invitation = service.invite(found, 1, cap=100_000)[0]
    token = service.join(found, invitation, "en")
    assert token is not None
    service.describe(found, token, "lay_person", "")
    service.instruct(found, token)
    made = Site(found, "hash")
    made.limits.person = made.limits.guess = lambda _: True  # type: ignore[method-assign]
    made.limits.is_blocked = lambda _: False  # type: ignore[method-assign]
    with TestClient(application(made), raise_server_exceptions=False, follow_redirects=False) as client:
        yield client, {"i": invitation, "r": token, "form": found.links.form(token)}


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    path=st.sampled_from(PATHS), method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "DELETE"]), position=TEXT | st.integers(-3, 40),
    x=TEXT, data=st.dictionaries(NAMES, TEXT, max_size=8), signed=st.booleans(),
)  # fmt: skip
def test_every_request_gets_a_proper_answer(
    path: str, method: str, position: object, x: str, data: dict[str, str], signed: bool,
    site: tuple[TestClient, dict[str, str]], found: LiveStudy,
) -> None:  # fmt: skip
    client, known = site
    before = answers_table(found)
    url = path.format(i=known["i"], r=known["r"], n=quote(str(position)), x=quote(x, safe="/."))
    body = {**data, "form": known["form"]} if signed else data
    answer = client.request(method, url, data=body if method in ("POST", "PUT") else None)
    assert answer.status_code in (200, 303, 307, 404, 405, 413, 422, 403), answer.text
    assert "Traceback" not in answer.text
    assert "content-security-policy" in answer.headers
    after = answers_table(found)
    assert len(before) <= len(after) <= len(before) + 1
    assert after["answer"].isin(["real", "synthetic"]).all()
    if len(after):
        assert after["certainty"].isin(list("12345")).all()
