"""The study in a real browser: from invitation to thanks, on a desk and on a phone, with the keyboard alone, in time."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.study import service
from dermsynth.study.create import Study, create_study
from dermsynth.study.export import answers_table
from tests.browser import checked, page_of, send, wait_until
from tests.study.conftest import Server, small_protocol


def begin(page: Any, link: str, group: str = "dermatologist", look: Callable[[Any], None] = checked) -> None:
    page.goto(link)
    look(page)
    page.check("input[name=agree]")
    send(page, "button[type=submit]")
    look(page)
    page.check(f"input[name=group][value={group}]")
    page.fill("input[name=years]", "7")
    send(page, "button[type=submit]")
    look(page)
    send(page, "button[type=submit]")


def answer(page: Any, values: dict[str, str]) -> None:
    for name in page.locator("fieldset input").evaluate_all("all => [...new Set(all.map(i => i.name))]"):
        options = page.locator(f"input[name={name}]").evaluate_all("all => all.map(i => i.value)")
        page.check(f'input[name={name}][value="{values.get(name, options[-1])}"]')
    send(page, "#answers button[type=submit]")


QUICK = [("furger", "phone")]
SLOW = [("baur", "desk"), ("baur", "phone"), ("furger", "desk"), ("rosen", "desk"), ("rosen", "phone")]


@pytest.mark.parametrize(("place", "size"), [*QUICK, *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW)])
def test_every_built_in_protocol_from_invitation_to_thanks(
    place: str, size: str, sides: tuple[DataSet, DataSet], tmp_path: Path, serve: Callable[..., Server], browser: Any,
) -> None:  # fmt: skip
    study = create_study(place, *sides, tmp_path / "study", 0)
    server = serve(study.folder)
    page = page_of(browser, size)
    begin(page, server.links()[0], study.protocol.groups[0])
    count = 0
    while "/trial/" in page.url:
        if page.locator("#reveal").count():
            page.click("#reveal")
        if count < 2:
            checked(page)
        answer(page, {"kind": "real" if count % 2 else "synthetic"})
        count += 1
        assert count <= 200
    checked(page)
    page.fill("textarea", "Danke <b>&")
    send(page, "button[type=submit]")
    checked(page)
    assert "/thanks" in page.url
    table = answers_table(server.running)
    assert len(table) == count == {"baur": 80, "furger": 20, "rosen": 200}[place]
    assert set(table["finished"]) != {""}
    assert (table["seconds"].astype(float) > 0).all()
    assert (table["zoom"].astype(float) >= 1).all()
    page.context.close()


def test_the_keyboard_alone_is_enough(
    sides: tuple[DataSet, DataSet], tmp_path: Path, serve: Callable[..., Server], browser: Any
) -> None:
    study = create_study(small_protocol(tmp_path, back=True, feedback=True), *sides, tmp_path / "study", 0)
    page = page_of(browser)
    server = serve(study.folder)
    page.goto(server.links()[0])

    def tab_to(selector: str) -> None:
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"{selector} cannot be reached with Tab on {page.url}")

    tab_to("input[name=agree]")
    page.keyboard.press("Space")
    tab_to("button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/background")
    tab_to("input[name=group]")
    page.keyboard.press("Space")
    tab_to("button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/instructions")
    tab_to("button")
    page.keyboard.press("Enter")
    for position in range(11):
        page.wait_for_url(f"**/trial/{position}")
        wait_until(page, "document.querySelector('#answers [name=shown_ms]').value")
        for key in ("a", "3"):
            page.keyboard.press(key)
        page.keyboard.press("Enter")
    page.wait_for_url("**/comments")
    tab_to("button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/thanks")
    assert "of 8 pictures correctly" in page.inner_text("main")
    table = answers_table(server.running)
    assert set(table["answer"]) == {"real"}
    assert set(table["certainty"]) == {"3"}
    assert table["repeat"].sum() == 2
    page.context.close()


def test_images_are_shown_as_long_as_the_protocol_says(
    sides: tuple[DataSet, DataSet], tmp_path: Path, serve: Callable[..., Server], browser: Any
) -> None:
    study = create_study(small_protocol(tmp_path, exposure=600), *sides, tmp_path / "study", 0)
    server = serve(study.folder)
    page = page_of(browser)
    page.clock.install(time=datetime(2026, 1, 1))
    begin(page, server.links()[0], look=lambda page: None)
    page.clock.pause_at(datetime(2026, 1, 2))  # from here on a busy machine takes no time from the page
    for _ in range(11):
        assert not page.is_visible("#picture")
        assert page.locator("#questions input").first.is_disabled()
        page.keyboard.press("a")
        assert page.locator("input:checked").count() == 0
        page.click("#reveal")
        page.clock.run_for(400)
        assert page.is_visible("#picture")
        page.clock.run_for(400)
        page.wait_for_selector("#hidden-note:not([hidden])")
        assert not page.is_visible("#picture")
        answer(page, {})
    table = answers_table(server.running)
    shown = table["hidden_ms"].astype(float) - table["shown_ms"].astype(float)
    assert shown.between(550, 650).all(), shown.tolist()
    assert (table["views"] == 1).all()
    page.context.close()


@pytest.mark.parametrize("exposure", [0, 600])
def test_a_picture_that_does_not_load_cannot_be_judged(
    exposure: int, sides: tuple[DataSet, DataSet], tmp_path: Path, serve: Callable[..., Server], browser: Any
) -> None:
    study = create_study(small_protocol(tmp_path, exposure=exposure), *sides, tmp_path / "study", 0)
    server = serve(study.folder)
    page = page_of(browser)
    page.route("**/image/0", lambda route: route.abort())
    begin(page, server.links()[0], look=lambda page: None)
    page.wait_for_selector("#failed:not([hidden])")
    assert page.locator("#questions input").first.is_disabled()
    page.unroute("**/image/0")
    page.reload()
    if exposure:
        page.click("#reveal")
    answer(page, {})
    assert len(answers_table(server.running)) == 1
    page.context.close()


def test_a_second_click_on_start_makes_no_second_rater(
    small: Study, serve: Callable[..., Server], browser: Any
) -> None:
    server = serve(small.folder)
    page = page_of(browser)
    page.goto(server.links(1, cap=5)[0])
    page.check("input[name=agree]")
    page.dblclick("button[type=submit]")
    page.wait_for_url("**/background")
    assert len(service.overview(server.running)) == 1
    page.context.close()


def test_back_reload_two_tabs_and_another_device(
    sides: tuple[DataSet, DataSet], tmp_path: Path, serve: Callable[..., Server], browser: Any
) -> None:
    study = create_study(small_protocol(tmp_path, back=True), *sides, tmp_path / "study", 0)
    server = serve(study.folder)
    page = page_of(browser)
    link = server.links()[0]
    begin(page, link, look=lambda page: None)
    answer(page, {"kind": "real", "certainty": "2"})
    page.reload()
    assert page.url.endswith("/trial/1")
    page.go_back()
    answer(page, {"kind": "synthetic", "certainty": "4"})  # the page of the first trial, from the browser's history
    page.wait_for_url("**/trial/1")
    second = page_of(browser, "phone", locale="de-DE")
    second.goto(link)  # the same invitation on another device goes on where the first is
    second.check("input[name=agree]")
    send(second, "button[type=submit]")
    second.wait_for_url("**/trial/1")
    answer(second, {"kind": "real"})
    answer(page, {"kind": "synthetic"})  # the other tab still showed that trial
    table = answers_table(server.running)
    assert len(table) == 2
    assert table["answer"].tolist() == ["synthetic", "synthetic"]
    assert table["revisions"].tolist() == [1, 1]
    assert len(service.overview(server.running)) == 1
    page.context.close()
    second.context.close()


def test_the_organisers_page_works_and_is_accessible(small: Study, serve: Callable[..., Server], browser: Any) -> None:
    server = serve(small.folder)
    rater = page_of(browser)
    begin(rater, server.links()[0], look=lambda page: None)
    answer(rater, {})
    page = page_of(browser)
    page.goto(f"{server.url}/organise")
    checked(page)
    page.fill("input[name=token]", "wrong")
    send(page, "button")
    assert "The token is wrong" in page.inner_text("main")
    page.problems.clear()  # the browser reports the refusal itself
    page.fill("input[name=token]", "an organiser's long token")
    send(page, "button")
    checked(page)
    assert "1 raters, 0 finished, 1 answers" in page.inner_text("main")
    send(page, "text=Pause")
    rater.reload()
    assert "not open" in rater.inner_text("h1")
    send(page, "button:text('Open')")
    page.fill("input[name=reason]", "tested the pages")
    send(page, "text=Save")
    assert answers_table(server.running)["excluded"].tolist() == ["tested the pages"]
    send(page, "text=Create links")
    assert f"{server.url}/i/" in page.inner_text("pre")
    page.check("input[name=sure]")
    send(page, "button:text('Delete')")
    assert service.overview(server.running) == []
    rater.reload()
    assert "not found" in rater.inner_text("h1")
    page.context.close()
    rater.context.close()
