"""Both kinds of a study: the same shares of the same classes, and what else tells them apart is said."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.io import read_json
from dermsynth.study.confounding import confounding, separation
from dermsynth.study.create import create_study
from dermsynth.study.drawing import StudyImage
from dermsynth.study.selection import TRIAL, quotas, select_images, target_shares
from tests.study.conftest import read_protocol, small_protocol

COUNTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 60))


@settings(deadline=None)
@given(COUNTS, COUNTS, st.integers(1, 40), st.integers(1, 40))
def test_shares_are_those_that_both_sides_can_follow(
    left: dict[str, int], right: dict[str, int], m: int, n: int
) -> None:
    shares = target_shares(right, [(left, m), (right, n)])
    assert sum(shares.values()) <= 1 + 1e-9
    room = sum(min(left.get(label, 0) / m, right[label] / n) for label in right)
    assert sum(shares.values()) == pytest.approx(min(1, room))
    for label, share in shares.items():
        assert share <= min(left.get(label, 0) / m, right[label] / n) + 1e-9
    if room >= 1:
        for side, count in ((left, m), (right, n)):
            parts = quotas(shares, count, side)
            assert sum(parts.values()) == count
            assert all(parts[label] <= side[label] and abs(parts[label] - shares[label] * count) < 4 for label in parts)


def test_what_a_class_lacks_goes_to_the_others_in_proportion() -> None:
    shares = target_shares(
        {"a": 50, "b": 30, "c": 20}, [({"a": 10, "b": 90, "c": 90}, 50), ({"a": 50, "b": 30, "c": 20}, 30)]
    )
    assert shares == pytest.approx({"a": 0.2, "b": 0.48, "c": 0.32})
    assert quotas(shares, 25, {"a": 50, "b": 30, "c": 20}) == {"a": 5, "b": 12, "c": 8}


def labels_of(chosen: list[StudyImage], kind: str) -> Counter[str]:
    return Counter(one.label.lower() for one in chosen if one.kind == kind and one.role == TRIAL)


def with_columns(side: DataSet, **columns: object) -> DataSet:
    return DataSet(side.folder, side.table.assign(**columns), side.description)


def test_classes_of_both_kinds_are_the_same(sides: tuple[DataSet, DataSet]) -> None:
    real, synthetic = sides
    two = synthetic.select(np.isin(synthetic.labels.astype(str), synthetic.classes[:2]))
    two = with_columns(two, label=[str(label).upper() for label in two.labels])
    chosen, notes = select_images(read_protocol("baur"), {"real": real, "synthetic": two}, 0)
    shown = [labels_of(chosen, kind) for kind in ("real", "synthetic")]
    assert [sum(each.values()) for each in shown] == [50, 30]
    assert set(shown[0]) == set(shown[1]) == {name.lower() for name in two.classes}
    for label in shown[0]:
        assert shown[0][label] / 50 == pytest.approx(shown[1][label] / 30, abs=0.02)
    assert notes == []
    loose, _ = select_images(read_protocol("baur"), {"real": real, "synthetic": two}, 0, matched=False)
    assert set(labels_of(loose, "real")) - set(labels_of(loose, "synthetic"))


def test_an_open_kind_follows_the_other_whose_classes_are_fixed(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    path = Path(small_protocol(tmp_path))
    each = 'kind = "synthetic", count = 2, each_label = true'
    path.write_text(path.read_text().replace('kind = "synthetic", count = 4', each).replace("count = 4", "count = 12"))
    chosen, _ = select_images(read_protocol(str(path)), {"real": sides[0], "synthetic": sides[1]}, 0)
    assert labels_of(chosen, "synthetic") == dict.fromkeys(sides[0].classes, 2)
    assert labels_of(chosen, "real") == dict.fromkeys(sides[0].classes, 4)


def test_classes_that_cannot_be_matched_are_refused(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    real, synthetic = sides
    other = with_columns(synthetic, label=[f"x {label}" for label in synthetic.labels])
    few = real.select((real.labels != real.classes[0]) | (np.arange(len(real.table)) < 30))
    one = synthetic.select(synthetic.labels == real.classes[0])
    for pair in ((real, other), (few, one)):
        with pytest.raises(UserError, match=r"classes that both kinds have \(left: .*\) for equal shares.*`unmatched`"):
            create_study("baur", *pair, tmp_path / "study", 0)
    assert not (tmp_path / "study").exists()
    nameless = DataSet(synthetic.folder, synthetic.table.drop(columns="label"), synthetic.description)
    _, notes = select_images(read_protocol("baur"), {"real": real, "synthetic": nameless}, 0)
    assert notes == ["the synthetic set has no labels: both kinds may be of other classes"]


def test_patients_come_twice_only_when_all_came_once(sides: tuple[DataSet, DataSet]) -> None:
    groups = [f"p{i // 4}" if i % 2 else f"P{i // 4}" for i in range(len(sides[0].table))]
    real = with_columns(sides[0], group=groups)
    protocol = read_protocol("baur")
    chosen, _ = select_images(protocol, {"real": real, "synthetic": sides[1]}, 0, matched=False)
    shown = Counter(groups[one.row].lower() for one in chosen if one.kind == "real")
    assert set(shown.values()) == {1}
    crowded = with_columns(real, group=[f"{i // 40}.0" for i in range(len(groups))])
    chosen, _ = select_images(protocol, {"real": crowded, "synthetic": sides[1]}, 0, matched=False)
    said = confounding(chosen, {"real": crowded, "synthetic": sides[1]}, [(64, 64)] * len(chosen))
    assert any(note.startswith("50 of the real images are of 8 patients or lesions") for note in said)


def test_what_differs_between_the_kinds_is_noted(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    n = len(sides[0].table)
    real = with_columns(sides[0], hair=["True"] * n, site=["arm", "leg"] * (n // 2), ink=["1", "0"] * (n // 2))
    synthetic = with_columns(sides[1], hair=["0"] * (n - 40) + ["1"] * 40, site=["Arm", "LEG"] * (n // 2), ink="NA")
    told = create_study("baur", real, synthetic, tmp_path / "study", 0).notes
    assert any(
        note.startswith(
            "column 'hair' differs between real and synthetic images: a rater who knew nothing else could still be right"
        )
        for note in told
    )
    assert any("ink (known of the real images only)" in note for note in told)
    assert not any("site" in note or "class" in note for note in told)
    assert read_json(tmp_path / "study" / "study.json")["notes"] == list(told)


def test_sizes_and_formats_of_unknown_files_are_noted(sides: tuple[DataSet, DataSet]) -> None:
    real = with_columns(sides[0], file_name=[f"{i}.JPG" for i in range(len(sides[0].table))])
    pair = {"real": real, "synthetic": sides[1]}
    chosen, _ = select_images(read_protocol("baur"), pair, 0)
    large = [(600, 450) if one.kind == "real" else (64, 64) for one in chosen]
    said = " ".join(confounding(chosen, pair, large))
    assert "the real images' files are 8.1 times as long and wide" in said
    assert "differ in aspect ratio" in said
    assert "JPEG" not in said  # what is reduced so much shows no blocks
    assert "files of one kind are JPEG" in " ".join(confounding(chosen, pair, [(64, 64)] * len(chosen)))
    ours = DataSet(sides[1].folder, sides[1].table, {**sides[1].description, "generator": {"crop": "centre"}})
    assert not [note for note in confounding(chosen, {**pair, "synthetic": ours}, large) if "files" in note]


def test_separation_is_half_of_one_and_the_variation() -> None:
    real = np.array([True] * 4 + [False] * 4)
    assert separation(list("aabbaabb"), real) == 0.5
    assert separation(list("aaaabbbb"), real) == 1
    assert separation(list("aaabcccb"), real) == pytest.approx(0.5 + (0.75 + 0 + 0.75) / 4)
