"""Studies of pictures shown together: creation, pages, analysis; real HTTP, real sets."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dermsynth.cli.study import report
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.images import read_image
from dermsynth.study import service
from dermsynth.study.analysis import analyse_study
from dermsynth.study.choices import analyse_choices
from dermsynth.study.create import Study, create_study
from dermsynth.study.protocol import parse_protocol
from dermsynth.study.sets import GAP
from tests.browser import SIZES, checked, page_of, send, wait_until
from tests.study.conftest import Server
from tests.study.load import hidden
from tests.study.test_web import Person

SETS = """
groups = ["dermatologist", "lay_person"]
repeats = 2
attention = 1
feedback = {feedback}

[title]
en = "Which one?"
de = "Welches?"

[sets]
count = {count}
pictures = {pictures}
real = {real}

[[questions]]
name = "which"
type = "position"
"""


def protocol(folder: Path, *, pictures: int = 4, real: bool = True, count: int = 8, feedback: bool = False) -> str:
    path = folder / "sets.toml"
    words = {"real": str(real).lower(), "feedback": str(feedback).lower()}
    path.write_text(SETS.format(pictures=pictures, count=count, **words))
    return str(path)


@pytest.fixture
def two(sides: tuple[DataSet, DataSet]) -> tuple[DataSet, list[DataSet]]:
    """A real set, and a synthetic one as if of two generators."""
    real, made = sides
    half = np.arange(len(made.table)) < len(made.table) // 2
    parts = []
    for name, keep in (("old", half), ("new", ~half)):
        part = made.select(keep)
        generator = part.provenance.generator.model_copy(update={"name": name})
        provenance = part.provenance.model_copy(update={"generator": generator})
        part.__dict__["provenance"] = provenance
        parts.append(part)
    return real, parts


@pytest.fixture
def quartet(two: tuple[DataSet, list[DataSet]], tmp_path: Path) -> Study:
    return create_study(protocol(tmp_path, feedback=True), two[0], two[1], tmp_path / "study", 0)


def test_a_set_holds_one_photograph_and_others_of_its_class(quartet: Study, two: tuple[DataSet, list[DataSet]]) -> None:
    real, (old, new) = two
    files = {"real": real, "old": old, "new": new}
    used = Counter[str]()
    for row in quartet.items.itertuples():
        shown, sources = row.shown.split(";"), row.source.split(";")
        assert shown[int(row.truth) - 1] == "real"
        assert Counter(shown)["real"] == 1
        sheet = read_image(quartet.image(row.item))
        assert sheet.shape == (2 * 64 + GAP, 2 * 64 + GAP, 3)
        for place, (kind, name) in enumerate(zip(shown, sources, strict=True)):
            top, left = (place // 2) * (64 + GAP), (place % 2) * (64 + GAP)
            own = read_image(files[kind].folder / name)
            assert np.array_equal(sheet[top : top + 64, left : left + 64], own)
            table = files[kind].table
            assert table.loc[table["file_name"] == name, "label"].iloc[0] == row.label
            used[f"{kind}/{name}"] += 1
    assert max(used.values()) == 1
    counts = Counter(source for row in quartet.items.itertuples() for source in row.shown.split(";"))
    assert abs(counts["old"] - counts["new"]) <= 1
    assert len({quartet.image(item).stat().st_size for item in quartet.items["item"]}) == 1
    assert len(set(quartet.items["truth"])) > 1
    assert set(quartet.description.synthetic) == {"old", "new"}


def test_generators_alone_are_shown_side_by_side(two: tuple[DataSet, list[DataSet]], tmp_path: Path) -> None:
    study = create_study(protocol(tmp_path, pictures=2, real=False), two[0], two[1], tmp_path / "study", 0)
    assert set(study.items["shown"]) <= {"old;new", "new;old"}
    assert set(study.items["truth"]) == {""}


def test_unmatched_sets_draw_from_all_classes(two: tuple[DataSet, list[DataSet]], tmp_path: Path) -> None:
    real, made = two
    study = create_study(protocol(tmp_path, count=20), real, made, tmp_path / "study", 0, matched=False)
    labels = dict(zip(real.table["file_name"], real.table["label"], strict=True))
    photographs = [labels[row.source.split(";")[int(row.truth) - 1]] for row in study.items.itertuples()]
    assert len(set(photographs)) == 3
    assert "" in set(study.items["label"])  # most sets hold several classes


@pytest.mark.parametrize("seed", range(4))
def test_as_many_sets_as_there_are_images_for(two: tuple[DataSet, list[DataSet]], tmp_path: Path, seed: int) -> None:
    """Every set takes what its sources have left, in whatever order they come."""
    real, made = two
    few = made[0].select(np.arange(len(made[0].table)) < 40)
    study = create_study(protocol(tmp_path, pictures=2, count=38), real, few, tmp_path / "study", seed)
    assert len(study.items) == 39  # one attention check


def test_the_same_seed_gives_the_same_sets(two: tuple[DataSet, list[DataSet]], tmp_path: Path) -> None:
    real, made = two
    place = protocol(tmp_path)
    sources = [
        sorted(create_study(place, real, made, tmp_path / name, seed).items["source"])
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert sources[0] == sources[1] != sources[2]


def test_a_label_is_kept_and_an_unknown_one_named(two: tuple[DataSet, list[DataSet]], tmp_path: Path) -> None:
    real, made = two
    path = Path(protocol(tmp_path))
    path.write_text(path.read_text().replace("[sets]", '[sets]\nlabel = "Melanoma"'))
    study = create_study(str(path), real, made, tmp_path / "study", 0, matched=False)
    assert set(study.items["label"]) == {"melanoma"}
    path.write_text(path.read_text().replace("Melanoma", "carcinoma"))
    with pytest.raises(
        UserError, match="no images of 'carcinoma', the `label` of \\[sets\\]; there are: melanoma, nevus"
    ):
        create_study(str(path), real, made, tmp_path / "other", 0)


def test_what_cannot_be_shown_is_refused(two: tuple[DataSet, list[DataSet]], tmp_path: Path) -> None:
    real, made = two
    with pytest.raises(UserError, match="compares generators with each other; give two"):
        create_study(protocol(tmp_path, real=False, pictures=2), real, made[:1], tmp_path / "a", 0)
    with pytest.raises(UserError, match="shows images one at a time; give one set"):
        create_study("baur", real, made, tmp_path / "b", 0)
    with pytest.raises(UserError, match="one set twice"):
        create_study(protocol(tmp_path), real, [made[0], made[0]], tmp_path / "c", 0)
    with pytest.raises(UserError, match=r"too few images of the same classes for 401 sets \(.*nevus 185"):
        create_study(protocol(tmp_path, count=400), real, made, tmp_path / "d", 0)
    few = made[0].part(np.arange(len(made[0].table)) < 2)
    with pytest.raises(UserError, match=r"too few images|no more images"):
        create_study(protocol(tmp_path, pictures=4), real, few, tmp_path / "e", 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("pictures = 4", "pictures = 7"), "sets.pictures"),
        (('type = "position"', 'type = "kind"'), "type 'position'"),
        (("repeats = 2", "repeats = 2\nexamples = 2"), "leave them out with `sets`"),
        (
            ("[sets]", '[[conditions]]\nname = "a"\nimages = [{ kind = "real", count = 3 }]\n[sets]'),
            "either `conditions`",
        ),
        (("real = true", "real = false"), "leave `feedback` out"),
        (("repeats = 2", "repeats = 2\norder = 'blocked'"), "`order` is of images shown one at a time"),
    ],
)
def test_protocols_that_cannot_be_are_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    text = Path(protocol(tmp_path, feedback=True)).read_text()
    assert change[0] in text
    with pytest.raises(UserError) as error:
        parse_protocol(text.replace(*change), "p.toml")
    assert said in str(error.value)


class Chooser(Person):
    """A rater without a browser who chooses pictures."""

    def choose(self, position: int, place: str) -> int:
        return self.answer(position, which=place).status_code


def takes_part(server: Server, ability: float, random: np.random.Generator) -> None:
    """One rater, who finds the photograph with some probability and else chooses at random."""
    person = Chooser(server)
    seat = service.seat_of(server.running, person.url.rsplit("/", 1)[1])
    assert seat is not None
    for trial in service.all_trials(server.running, seat):
        truth = server.running.study.by_item[trial.item]["truth"]
        place = trial.asked or (truth if random.random() < ability else str(random.integers(1, 5)))
        assert person.choose(trial.position, place) == 303
    person.client.post(f"{person.url}/comments", data={**_form(person), "comments": ""})


def _form(person: Person) -> dict[str, str]:
    return hidden(person.client.get(f"{person.url}/comments").text)


def test_a_study_from_links_to_report(
    quartet: Study, serve: Callable[..., Server], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="no answers yet"):
        analyse_choices(quartet.folder)
    server, random = serve(quartet.folder), np.random.default_rng(0)
    for ability in (0.9, 0.7, 0.8):
        takes_part(server, ability, random)
    person = Chooser(server)
    assert person.choose(0, "5") == person.choose(0, "real") == person.choose(0, "") == 422
    assert "Set 1 of" in person.page(0).text
    assert 'data-key="4"' in person.page(0).text
    server.stop()
    result = analyse_choices(quartet.folder)
    assert (len(result.raters), result.pictures, result.answers) == (3, 4, 24)
    assert result.left_out["to attention checks"] == 3
    assert result.left_out["to sets shown a second time"] == 6
    assert 0.5 < result.groups[-1].share.value <= 1
    assert result.ranking[0].source == "real"
    report(quartet.folder)
    said = capsys.readouterr().out
    assert "3 raters find the photograph in" in said
    assert "beside real it would be chosen in" in said
    assert json.loads((quartet.folder / "report.json").read_text())["pictures"] == 4
    with pytest.raises(UserError, match="analyse_choices analyses these"):
        analyse_study(quartet.folder)


@pytest.mark.parametrize("size", SIZES)
def test_a_rater_in_a_browser_chooses_by_key(
    quartet: Study, serve: Callable[..., Server], browser: Any, size: str
) -> None:
    server = serve(quartet.folder)
    page = page_of(browser, size)
    page.goto(server.links()[0])
    page.check("input[name=agree]")
    send(page, "button[type=submit]")
    page.check("input[name=group][value=lay_person]")
    send(page, "button[type=submit]")
    assert "sets of 4 pictures" in page.inner_text("main")
    send(page, "button[type=submit]")
    seat = service.seat_of(server.running, page.url.split("/r/")[1].split("/")[0])
    assert seat is not None
    trials, right = service.all_trials(server.running, seat), 0
    for trial in trials:
        page.wait_for_url(f"**/trial/{trial.position}")
        wait_until(page, "!document.getElementById('questions').disabled")
        if trial.position == 0:
            checked(page)
        truth = server.running.study.by_item[trial.item]["truth"]
        page.keyboard.press(trial.asked or truth)
        assert page.locator("input[name=which]:checked").get_attribute("value") == (trial.asked or truth)
        right += not trial.asked and not trial.repeat
        with page.expect_navigation():
            page.keyboard.press("Enter")
    send(page, "button[type=submit]")
    assert f"You found the photograph in {right} of {right} sets." in page.inner_text("main")


def table(**columns: Any) -> pd.DataFrame:
    rows = {
        "rater": ["a"] * 4 + ["b"] * 4, "item": list("1234") * 2, "shown": ["real;x;y", "x;real;y", "y;x;real", "real;y;x"] * 2,
        "answer": ["1", "2", "3", "2", "1", "1", "3", "1"],
    }  # fmt: skip
    return pd.DataFrame({**rows, **columns})


def test_shares_and_ranking_of_a_table() -> None:
    result = analyse_choices(table())
    assert [one.share.value for one in result.raters] == [0.75, 0.75]
    assert result.groups[-1].share.chance == pytest.approx(1 / 3)
    assert {one.source: (one.chosen, one.shown) for one in result.ranking} == {"real": (6, 8), "x": (1, 8), "y": (1, 8)}
    assert [one.right for one in result.sets] == [2, 1, 2, 1]
    assert result.to_frame()["source"][0] == "real"


def test_without_photographs_the_best_generator_is_the_reference() -> None:
    shown = ["x;y", "y;x"] * 4
    result = analyse_choices(table(shown=shown, answer=["1", "2", "1", "2", "1", "2", "1", "1"]))
    assert result.groups == ()
    assert [(one.source, one.strength == 0) for one in result.ranking] == [("x", True), ("y", False)]
    assert result.raters[0].p_against_chance is None


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"answer": ["4"] + ["1"] * 7}, "row 2, column 'answer': '4' is no position from 1 to 3"),
        ({"answer": ["real"] * 8}, "'real' is no position"),
        ({"shown": ["real"] * 8}, "two sources or more"),
        ({"shown": ["real;real"] * 8}, "one of them at most real"),
        ({"shown": ["real;x;y"] * 7 + ["real;x;z"]}, "set '4' has two lists of sources"),
        ({"shown": ["real;x", "real;x;y"] * 4, "answer": ["1"] * 8}, "sets of [2, 3] pictures"),
        ({"item": ["1"] * 8, "shown": ["real;x;y"] * 8}, "answers set '1' twice"),
        ({"group": ["derm", "lay"] * 4}, "is in group"),
        ({"label": ["nevus"] * 7 + ["melanoma"]}, "'4'"),
        ({"excluded": ["yes"] * 8}, "no answers that count yet"),
    ],
)
def test_tables_that_cannot_be_are_refused(columns: dict[str, list[str]], said: str) -> None:
    with pytest.raises(UserError) as error:
        analyse_choices(table(**columns))
    assert said in str(error.value)


def test_answers_in_any_spelling() -> None:
    plain = analyse_choices(table())
    odd = table(
        rater=["R1", "r1", "R1 ", "r1", "R2", "R2", "r2", "r2"], excluded=["no"] * 8, attention=["", "0", "no", "FALSCH"] * 2,
        shown=["Real; x;y", "x;real ;y", "Y;x;REAL", "echt;y;X"] * 2, answer=["1.0", "02", "3,0", "2", "1", "1", "3", "1"],
    )  # fmt: skip
    found = analyse_choices(odd)
    assert [one.share for one in found.raters] == [one.share for one in plain.raters]
    assert any("spellings of one rater" in note for note in found.notes)
    assert [one.source for one in found.ranking] == [one.source for one in plain.ranking]


def test_sets_without_a_photograph_do_not_change_what_guessing_is() -> None:
    alone = pd.DataFrame({"rater": ["a"] * 3, "item": ["7", "8", "9"], "shown": ["x;y"] * 3, "answer": ["1"] * 3})
    for rows in (pd.concat([alone, table()]), pd.concat([table(), alone])):
        found = analyse_choices(rows.reset_index(drop=True))
        assert found.groups[-1].share.chance == pytest.approx(1 / 3)
        (rater,) = (one for one in found.raters if one.rater == "a")
        assert rater.sensitivity == analyse_choices(table()).raters[0].sensitivity
        assert rater.p_against_chance == analyse_choices(table()).raters[0].p_against_chance


def test_rows_that_lack_something_are_left_out_and_said() -> None:
    result = analyse_choices(table(answer=["1", "", "3", "2", "1", "1", "3", "1"]))
    assert result.answers == 7
    assert result.left_out["without a choice (first in row 3)"] == 1


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'answer'"):
        analyse_choices(table().drop(columns="answer"))
    path = tmp_path / "answers.csv"
    table().to_csv(path, index=False)
    assert analyse_choices(path) == analyse_choices(table())


def test_one_who_left_half_way_counts_with_what_was_answered() -> None:
    rows = table(finished=["yes"] * 4 + [""] * 4).iloc[:-2]
    result = analyse_choices(rows)
    assert result.noticed == {
        "of raters who did not finish": 2,
        "to images shown for a limited time whose page was opened again": 0,
    }
    assert analyse_choices(rows, without="unfinished").answers == 4
    assert result.groups[-1].share.value == pytest.approx(4 / 6)
