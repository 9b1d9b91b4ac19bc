"""What raters can do, as the pages call it: one answer a submission, nobody else's trials, links that end."""

import io
import time
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.study import service
from dermsynth.study.analysis import analyse
from dermsynth.study.counting import read_answers
from dermsynth.study.create import Study, create_study
from dermsynth.study.export import answers_csv, answers_table, study_answers
from dermsynth.study.links import Links
from dermsynth.study.serve import open_live_study, organiser_token, prepare_server
from dermsynth.study.service import LiveStudy
from dermsynth.study.store import DATABASE, open_store
from tests.study.conftest import small_protocol

GIVEN = {"kind": "real", "certainty": "3", "remark": ""}


@pytest.fixture
def found(small: Study) -> LiveStudy:
    return open_live_study(small.folder)


def joined(found: LiveStudy, cap: int = 1) -> str:
    token = service.join(found, service.invite(found, 1, cap)[0], "en")
    assert token is not None
    service.describe(found, token, "lay_person", "")
    service.instruct(found, token)
    return token


def seat(found: LiveStudy, token: str) -> service.Seat:
    one = service.seat_of(found, token)
    assert one is not None
    return one


def test_answers_are_taken_in_turn_once(found: LiveStudy) -> None:
    token = joined(found)
    assert not service.answer(found, token, 1, "a", GIVEN, {})  # the first has no answer yet
    assert service.answer(found, token, 0, "a", GIVEN, {"shown_ms": 1.0})
    assert service.answer(found, token, 0, "a", GIVEN, {})  # the same submission again: stored already
    assert not service.answer(found, token, 0, "b", {**GIVEN, "kind": "synthetic"}, {})  # no going back here
    assert seat(found, token).following == 1
    table = answers_table(found)
    assert table["answer"].tolist() == ["real"]
    assert not service.answer(found, token, 99, "c", GIVEN, {})
    assert not service.answer(found, "nobody", 1, "c", GIVEN, {})


def test_revisions_are_kept_and_the_last_counts(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    found = open_live_study(create_study(small_protocol(tmp_path, back=True), *sides, tmp_path / "study", 0).folder)
    token = joined(found)
    for nonce, kind in (("a", "real"), ("b", "synthetic")):
        assert service.answer(found, token, 0, nonce, {**GIVEN, "kind": kind}, {})
    assert answers_table(found)["answer"].tolist() == ["synthetic"]
    assert answers_table(found)["revisions"].tolist() == [1]
    assert [one.values["kind"] for one in service.all_trials(found, seat(found, token))[0].answers] == [
        "real",
        "synthetic",
    ]


def test_the_same_page_answered_otherwise_is_a_revision(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    """A browser may show a page from its memory, with the value that marks repeated submissions."""
    found = open_live_study(create_study(small_protocol(tmp_path, back=True), *sides, tmp_path / "study", 0).folder)
    token = joined(found)
    for kind in ("real", "real", "synthetic"):
        assert service.answer(found, token, 0, "same", {**GIVEN, "kind": kind}, {})
    assert [one.values["kind"] for one in service.all_trials(found, seat(found, token))[0].answers] == [
        "real",
        "synthetic",
    ]


def test_nothing_is_taken_after_the_end_or_while_paused(found: LiveStudy) -> None:
    token = joined(found)
    service.set_state(found, service.PAUSED)
    assert not service.answer(found, token, 0, "a", GIVEN, {})
    service.set_state(found, service.OPEN)
    for position in range(seat(found, token).trials):
        assert service.answer(found, token, position, "a", GIVEN, {})
    service.finish(found, token, "bye")
    service.finish(found, token, "again")
    assert seat(found, token).rater.comments == "bye"
    assert not service.answer(found, token, 0, "z", GIVEN, {})


def test_invitations_are_for_as_many_as_they_say(found: LiveStudy) -> None:
    one, three = service.invite(found, 1)[0], service.invite(found, 1, cap=3)[0]
    first, again = service.join(found, one, "en"), service.join(found, one, "de")
    assert found.links.identity(first or "") == found.links.identity(again or "")  # the same person, on any device
    people = [service.join(found, three, "en") for _ in range(4)]
    assert people[3] is None
    assert len({found.links.identity(p) for p in people if p}) == 3
    assert service.invitation_open(found, one)
    assert not service.invitation_open(found, three)
    assert not service.invitation_open(found, "nonsense")
    assert len(service.overview(found)) == 4


def test_links_are_signed_and_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    links, others = Links(b"a" * 32, days=1), Links(b"b" * 32, days=1)
    token = links.new()
    assert links.identity(token)
    assert others.identity(token) is None
    assert links.identity(token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    assert links.identity("") is None
    later = time.time() + 2 * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    assert links.identity(token) is None
    assert links.check_form("x", links.form("x"))
    assert not links.check_form("x", links.form("y"))


def test_only_hashes_are_stored(found: LiveStudy) -> None:
    token = joined(found)
    data = b"".join(path.read_bytes() for path in found.study.folder.glob(f"{DATABASE}*"))
    assert token.split(".")[0].encode() not in data
    assert found.links.identity(token)[:20].encode() in data  # type: ignore[index]


def test_a_rater_can_be_forgotten(found: LiveStudy) -> None:
    token, other = joined(found), joined(found)
    for one in (token, other):
        service.answer(found, one, 0, "a", GIVEN, {})
    name = seat(found, token).rater.name
    assert service.forget(found, name)
    assert not service.forget(found, name)
    with found.engine.connect() as connection:
        rows = connection.execute(text("select count(*) from answer")).scalar_one()
        trials = connection.execute(text("select count(*) from trial")).scalar_one()
        notes = connection.execute(text("select count(*) from invitation")).scalar_one()
    assert (rows, trials, notes) == (1, 11, 1)
    identity = found.links.identity(token)
    assert identity is not None
    left = b"".join(path.read_bytes() for path in found.study.folder.glob("study.sqlite*"))
    assert identity.encode() not in left
    assert (found.study.folder / "study.sqlite").stat().st_mode & 0o777 == 0o600
    assert [row.rater for row in service.overview(found)] == [seat(found, other).rater.name]


def test_checks_repeats_and_excluded_raters_are_left_out_of_the_analysis(found: LiveStudy) -> None:
    tokens = [joined(found), joined(found)]
    for token in tokens:
        for trial in service.all_trials(found, seat(found, token)):
            service.answer(found, token, trial.position, "a", {**GIVEN, "kind": trial.asked or "real"}, {})
    answers, counted = study_answers(found)
    assert len(answers.table) == 2 * 10
    assert counted.left_out == {"of excluded raters": 0, "to attention checks": 2}
    assert len(answers.first.table) == 2 * 8
    assert [row.attention_missed for row in service.overview(found)] == [0, 0]
    service.exclude(found, seat(found, tokens[0]).rater.name, "a test")
    answers, counted = study_answers(found)
    assert len(answers.raters) == 1
    assert counted.left_out == {"of excluded raters": 11, "to attention checks": 1}
    service.exclude(found, seat(found, tokens[0]).rater.name, "")
    assert len(study_answers(found)[0].raters) == 2


def test_an_exported_table_gives_the_figures_of_the_study(found: LiveStudy, tmp_path: Path) -> None:
    for number in range(3):
        token = joined(found)
        for trial in service.all_trials(found, seat(found, token)):
            kind = ("real", "synthetic")[(trial.position + number) % 2]
            service.answer(found, token, trial.position, "a", {**GIVEN, "kind": kind}, {})
    service.exclude(found, seat(found, token).rater.name, "left out")
    answers_table(found).to_csv(tmp_path / "answers.csv", index=False)
    (ours, counted), (theirs, same) = study_answers(found), read_answers(tmp_path / "answers.csv")
    assert (counted.left_out, counted.noticed, ours.positive) == (same.left_out, same.noticed, theirs.positive)
    assert analyse(ours).groups == analyse(theirs).groups
    assert len(theirs.raters) == 2


def test_a_reason_that_reads_like_a_flag_stays_a_reason(found: LiveStudy, tmp_path: Path) -> None:
    for _ in range(2):
        token = joined(found)
        for trial in service.all_trials(found, seat(found, token)):
            service.answer(found, token, trial.position, "a", {**GIVEN, "kind": trial.asked or "real"}, {})
    service.exclude(found, seat(found, token).rater.name, "no")
    answers_table(found).to_csv(tmp_path / "answers.csv", index=False)
    assert set(answers_table(found)["excluded"]) == {"", "reason: no"}
    for answers, counted in (study_answers(found), read_answers(tmp_path / "answers.csv")):
        assert (len(answers.raters), counted.left_out["of excluded raters"]) == (1, 11)


def test_doubtful_answers_are_counted_and_left_out_if_wanted(found: LiveStudy) -> None:
    whole, half = joined(found), joined(found)
    for token in (whole, half):
        for trial in service.all_trials(found, seat(found, token))[: 11 if token == whole else 4]:
            service.answer(found, token, trial.position, "a", {**GIVEN, "kind": trial.asked or "real"}, {})
    service.finish(found, whole, "")
    again = next(t for t in service.all_trials(found, seat(found, whole)) if not t.asked)
    for _ in range(2):
        service.count_view(found, again.id)
    answers, counted = study_answers(found)
    shown_again = "to images shown for a limited time whose page was opened again"
    mine = int((answers.table["rater"] == seat(found, half).rater.name).sum())
    assert counted.noticed == {"of raters who did not finish": mine, shown_again: 1}
    fewer, counted = study_answers(found, ("unfinished", "reopened"))
    assert len(fewer.table) == len(answers.table) - mine - 1 == 9
    assert (counted.left_out[shown_again], counted.left_out["of raters who did not finish"]) == (1, mine)
    assert counted.noticed == {}


def test_free_text_is_no_formula_for_a_spreadsheet(found: LiveStudy) -> None:
    token = joined(found)
    service.answer(found, token, 0, "a", {**GIVEN, "remark": "=1+1"}, {})
    assert pd.read_csv(io.StringIO(answers_csv(found)))["remark"].tolist() == ["'=1+1"]


def test_a_second_click_makes_no_second_rater(found: LiveStudy) -> None:
    link = service.invite(found, 1, cap=2)[0]
    first, again = (service.join(found, link, "en", "the page's nonce") for _ in range(2))
    assert found.links.identity(first or "") == found.links.identity(again or "")
    assert service.join(found, link, "en", "another page")
    assert service.join(found, link, "en", "a third") is None
    assert service.join(found, link, "en", "the page's nonce") is not None  # who is in stays in
    assert len(service.overview(found)) == 2


def test_nothing_is_stored_of_a_rater_before_the_instructions(found: LiveStudy) -> None:
    link = service.invite(found, 1)[0]
    token = service.join(found, link, "en") or ""
    assert not service.answer(found, token, 0, "a", GIVEN, {})
    service.set_state(found, service.PAUSED)
    service.describe(found, token, "lay_person", "")
    service.instruct(found, token)
    assert (seat(found, token).rater.group, seat(found, token).rater.instructed) == ("", "")


def test_a_study_without_answers_says_so(found: LiveStudy) -> None:
    with pytest.raises(UserError, match="no answers yet"):
        study_answers(found)


def test_databases_that_cannot_be_opened_are_named_without_their_password(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        open_store(tmp_path, "postgresql+psycopg://me:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)
    assert "cannot be opened" in str(caught.value)
    with pytest.raises(UserError, match="not a URL of a database"):
        open_store(tmp_path, "no such thing")


def test_others_are_let_in_only_with_a_chosen_token(small: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DERMSYNTH_STUDY_TOKEN", raising=False)
    with pytest.raises(UserError, match=r"`host` 0.0.0.0: others can reach this server; choose"):
        organiser_token(small, "0.0.0.0")
    made = organiser_token(small, "127.0.0.1")
    assert organiser_token(small, "127.0.0.1") == made
    assert (small.folder / "organiser.token").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("DERMSYNTH_STUDY_TOKEN", "short")
    with pytest.raises(UserError, match="5 characters; at least 16"):
        organiser_token(small, "127.0.0.1")
    with pytest.raises(UserError, match=r"`prefix` 'x/': write it as /study"):
        prepare_server(small.folder, host="127.0.0.1", port=1, prefix="x/", proxy="127.0.0.1", database="", days=1)
