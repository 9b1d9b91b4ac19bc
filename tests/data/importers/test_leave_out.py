"""Lists of images to leave out, in every form, and what an import does with them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermsynth.api.importing import import_csv, import_folder
from dermsynth.data.dataset import DataSet
from dermsynth.data.importers.importing import REPORT
from dermsynth.data.importers.leave_out import read_exclusion_list
from dermsynth.errors import UserError
from dermsynth.images import encode_png
from dermsynth.io import write_bytes

TWINS = ("a/3.png", "b/4.png")
"""The same photograph in two folders."""


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    for number in range(8):
        seed = 3 if number == 4 else number
        pixels = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        write_bytes(folder / ("a" if number < 4 else "b") / f"{number}.png", encode_png(pixels))
    return folder


def names(data: DataSet) -> set[str]:
    return {Path(name).stem for name in data.table["file_name"]}


def bring(photographs: Path, table: Path) -> tuple[set[str], dict[str, str]]:
    out = table.with_name(f"{table.stem}-set")
    data = import_folder(photographs, out=out, leave_out=table, jobs=1).data_set
    report = pd.read_csv(out / REPORT)
    return names(data), dict(zip(report["file"], report["problem"], strict=True))


def put(path: Path, rows: list[dict[str, object]], *, index: bool = False) -> Path:
    table = pd.DataFrame(rows)
    (table.set_index(table.columns[0]).rename_axis(None) if index else table).to_csv(path, index=index)
    return path


def test_a_plain_list_names_images_by_path_or_by_name(photographs: Path, tmp_path: Path) -> None:
    rows = [{"file_name": "images/99.png", "reason": ""}, {"file_name": "./B/6.PNG", "reason": "blurred"},
            {"file_name": "/elsewhere/photographs/a/0.png"}, {"file_name": "images/7.jpg"}]  # fmt: skip
    left, report = bring(photographs, put(tmp_path / "list.csv", rows))
    assert report["b/6.png"] == "listed in list.csv: blurred"
    assert report["a/0.png"] == report["b/7.png"] == "listed in list.csv: left out"
    assert left == {"1", "2", "3", "4", "5"}


def test_a_name_that_may_be_several_images_leaves_none_out_and_is_said(photographs: Path, tmp_path: Path) -> None:
    (photographs / "b" / "4.png").rename(photographs / "b" / "3.png")
    listed = put(tmp_path / "list.csv", [{"ISIC_ID": "images/3.png"}, {"ISIC_ID": "x/a/2.png"}])
    result = import_folder(photographs, out=tmp_path / "set", leave_out=listed, jobs=1)
    assert len(result.data_set) == 7
    assert any(f"1 images of list.csv are not in {photographs}, or may be several" in note for note in result.notes)


def test_selfclean_pairs_keep_one_of_each(photographs: Path, tmp_path: Path) -> None:
    pairs = [{"indices_1": 3, "indices_2": 4, "scores": 0.01, "path_indices_1": f"x/{TWINS[1]}", "path_indices_2": TWINS[0],
              "auto_issues": True},
             {"indices_1": 0, "indices_2": 1, "scores": 0.4, "path_indices_1": "a/0.png", "path_indices_2": "a/1.png",
              "auto_issues": False}]  # fmt: skip
    left, report = bring(photographs, put(tmp_path / "pairs.csv", pairs))
    assert (len(left), report["b/4.png"]) == (7, "listed in pairs.csv: near-duplicate of a/3.png")
    for form in ("columns", "records"):
        place = tmp_path / f"{form}.json"
        place.write_text(pd.DataFrame(pairs).to_json(orient=form))
        assert read_exclusion_list(place).sets == ((f"x/{TWINS[1]}", TWINS[0]),)


def test_a_whole_ranking_is_no_list(tmp_path: Path) -> None:
    """All pairs, as SelfClean ranks them, or the nearest two of each image, as it does with approximate neighbours."""
    names = [f"{k}.png" for k in range(12)]
    for name in names:
        pixels = np.random.default_rng(int(name[:-4])).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        write_bytes(tmp_path / "all" / name, encode_png(pixels))
    every = [{"path_indices_1": a, "path_indices_2": b} for k, a in enumerate(names) for b in names[:k]]
    nearest = [
        {"path_indices_1": names[k], "path_indices_2": names[(k + step) % 12]} for k in range(12) for step in (1, 2)
    ]
    for ranking in (every, nearest):
        with pytest.raises(UserError, match="ranks 12 images, duplicates or not, and has no column 'auto_issues'"):
            bring(tmp_path / "all", put(tmp_path / "ranking.csv", ranking))
    three = [pair for pair in every if set(pair.values()) <= set(names[:3])]
    left, _ = bring(tmp_path / "all", put(tmp_path / "cut.csv", three))
    assert len(left) == 10


def test_a_name_in_one_of_the_folders_means_no_image_of_another(photographs: Path, tmp_path: Path) -> None:
    """`b/1.png` is gone; `a/1.png` is another photograph, and stays."""
    left, _ = bring(photographs, put(tmp_path / "list.csv", [{"image": "b/1.png"}, {"image": "a/0.jpg"}]))
    assert left == {"1", "2", "3", "4", "5", "6", "7"}


def test_cleanvision_flags_do_not_lose_both_twins(photographs: Path, tmp_path: Path) -> None:
    rows = [{"": f"/data/photographs/{'a' if k < 4 else 'b'}/{k}.png", "is_dark_issue": k == 1, "dark_score": 0.5,
             "is_exact_duplicates_issue": k in (3, 4), "is_near_duplicates_issue": k == 6} for k in range(8)]  # fmt: skip
    left, report = bring(photographs, put(tmp_path / "issues.csv", rows, index=True))
    assert len(left) == 7
    assert report["b/4.png"] == "listed in issues.csv: near-duplicate of a/3.png"


def test_cleanvision_sets_are_read(photographs: Path, tmp_path: Path) -> None:
    info = {
        "exact_duplicates": {"sets": [list(TWINS)], "num_sets": 1},
        "near_duplicates": {"sets": [["a/0.png", "a/1.png"]]},
    }
    (tmp_path / "info.json").write_text(json.dumps(info))
    left, report = bring(photographs, tmp_path / "info.json")
    assert len(left) == 6
    assert set(report) >= {"b/4.png", "a/1.png"}


def test_of_twins_the_one_for_the_test_stays(photographs: Path, tmp_path: Path) -> None:
    rows = [{"file": f"{'a' if k < 4 else 'b'}/{k}.png", "part": "test" if k == 4 else "train"} for k in range(8)]
    pairs = put(tmp_path / "pairs.csv", [{"path_indices_1": TWINS[0], "path_indices_2": TWINS[1], "scores": 0.1}])
    table = put(photographs / "table.csv", rows)
    data = import_csv(table, image="file", split_column="part", out=tmp_path / "out", leave_out=pairs, jobs=1).data_set
    assert len(data) == 7
    assert "test" in set(data.splits)


def test_what_is_no_list_or_of_other_images_is_refused(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`leave_out` .* not understood"):
        read_exclusion_list(put(tmp_path / "other.csv", [{"colour": "red"}]))
    (tmp_path / "other.json").write_text("[1, 2]")
    with pytest.raises(UserError, match=r"`leave_out` .* not understood"):
        read_exclusion_list(tmp_path / "other.json")
    with pytest.raises(UserError, match=r"none of its 1 images is in .*, for example ISIC_1\.jpg"):
        bring(photographs, put(tmp_path / "strange.csv", [{"file_name": "ISIC_1.jpg"}]))
    assert not (tmp_path / "strange-set").exists()
