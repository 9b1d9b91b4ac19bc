"""Names of generated images: class numbers, folders and seeds agree for any number and any name of classes."""

import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermsynth.errors import UserError
from dermsynth.sampling.names import class_folder, image_name, images_there, seeds_of, truncation_of

HARD = [
    "..", ".hidden", "a/b", "a:b", "a|b", "a_b", "CON", "nul", "x" * 120, "日" * 120, "🙂", "<b>x<", "test", "a train 1",
    unicodedata.normalize("NFC", "Nävus"), unicodedata.normalize("NFD", "Nävus"), "tab\tand\nline", "NA", "'", '"',
]  # fmt: skip


def touch(folder: Path, classes: list[str], wanted: dict[str, list[int]]) -> None:
    for label, seeds in wanted.items():
        for seed in seeds:
            path = folder / image_name(classes, label, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


@pytest.mark.parametrize("count", [1, 2, 10, 100, 101, 102, 999, 1001, 2500])
def test_the_label_of_an_image_is_the_class_it_was_made_for(tmp_path: Path, count: int) -> None:
    classes = [f"condition {number:03d}" for number in range(count)]
    chosen = sorted({0, 9, 10, 99, 100, 101, count // 2, count - 1} & set(range(count)))
    wanted = {classes[number]: [0, number + 1] for number in chosen}
    touch(tmp_path, classes, wanted)
    there = images_there(tmp_path, classes)
    assert {label: [one.seed for one in there if one.label == label] for label in wanted} == wanted
    for one in there:
        assert int(one.name.split("/")[1].partition("_")[0]) == classes.index(one.label)


def test_names_of_any_kind_neither_collide_nor_climb_nor_hide(tmp_path: Path) -> None:
    wanted = {label: [number] for number, label in enumerate(HARD)}
    touch(tmp_path, HARD, wanted)
    assert {one.label: [one.seed] for one in images_there(tmp_path, HARD)} == wanted
    folders = [class_folder(HARD, label) for label in HARD]
    assert len({folder.casefold() for folder in folders}) == len(HARD)
    for folder in folders:
        assert folder[:2].isdigit()
        assert len(folder.encode()) <= 255
        assert not set(folder) & set('<>:"/\\|?*.\t\n ')
        assert not folder.endswith(("_test", "_train"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=130), min_size=1, max_size=130, unique=True), st.integers(0, 999_999_999))
def test_whatever_the_classes_are_called(
    tmp_path_factory: pytest.TempPathFactory, classes: list[str], seed: int
) -> None:
    classes = [label.encode("utf-8", "ignore").decode() or f"class {n}" for n, label in enumerate(classes)]
    classes = list(dict.fromkeys(classes))
    folder = tmp_path_factory.mktemp("any")
    last = classes[-1]
    touch(folder, classes, {last: [seed]})
    assert [(one.label, one.seed) for one in images_there(folder, classes)] == [(last, seed)]


def test_images_of_another_naming_are_refused_before_any_work(tmp_path: Path) -> None:
    """Folders of an earlier version that numbered 100 and more classes with two digits, and what others put there."""
    classes = [f"c{number}" for number in range(102)]
    old = tmp_path / "images" / "10_c10" / "seed000000001.png"
    old.parent.mkdir(parents=True)
    old.touch()
    with pytest.raises(UserError, match=r"images/10_c10/seed000000001.png is not named as this program.*`out`"):
        images_there(tmp_path, classes)
    assert [one.label for one in images_there(tmp_path, classes[:12])] == ["c10"]


def test_seeds_and_truncation_are_read_in_any_spelling() -> None:
    rows = pd.DataFrame({"file_name": ["a", "b"], "seed": ["3", "4.0"], "truncation": ["0,7", "0.7"]})
    assert seeds_of(rows) == [3, 4]
    assert truncation_of(rows) == 0.7
    assert truncation_of(rows.assign(truncation=["none", "None"])) is None
    for seed in ("", "x", "1.5", "-1"):
        with pytest.raises(UserError, match="seed"):
            seeds_of(rows.assign(seed=["3", seed]))
    with pytest.raises(UserError, match="truncation"):
        truncation_of(rows.assign(truncation=["0.7", "none"]))
