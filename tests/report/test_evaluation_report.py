"""The page of an evaluation: flags in any spelling, and no photograph on it where none is wanted."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dermsynth.data.dataset import DataSet, write_data_set
from dermsynth.images import encode_png
from dermsynth.io import write_bytes
from dermsynth.report import evaluation_report
from dermsynth.report.evaluation_report import OLD_PAGE, PAGE, write_evaluation_report
from dermsynth.report.page import PHOTOGRAPHS

RESULT: dict[str, Any] = {
    "synthetic": {"images": 8, "content_hash": "s", "classes": [], "generator": {}},
    "real": {
        "images": 8, "folder": "real", "split": "all", "content_hash": "r", "trained_on": 0, "training_set_known": False,
        "classes": [], "left_out": {},
    },
    "extractor": {"name": "embedded", "resizer": "area", "identity": "e", "comparable_with_published_fid": False},
    "size": [8, 8], "verdict": [], "class_verdicts": {}, "sides": [], "shared_images": 0, "label_fidelity": [],
    "measurements": [{"group": "all classes", "metric": "FID", "value": 1.0, "low": 0.5, "high": 1.5, "synthetic": 8,
                      "real": 8, "floor": 0.1, "matched": 1.0, "half": 4, "seed": 0}],
    "copying": [], "copying_refused": "", "refused": [], "skin_tones": {}, "environment": {}, "path_lengths": [],
    "copy_gate": {"flagged": 2, "of": 8, "threshold": 0.9, "false_alarms": 0.01, "held_out": 200, "training": 900},
}  # fmt: skip


def drawn(folder: Path, columns: dict[str, Any]) -> DataSet:
    names = [f"images/{number}.png" for number in range(8)]
    for number, name in enumerate(names):
        write_bytes(folder / name, encode_png(np.full((8, 8, 3), 20 * number, np.uint8)))
    return write_data_set(folder, pd.DataFrame({"file_name": names, **columns}), {}, {"command": "drawn"})


@pytest.fixture
def sides(tmp_path: Path) -> tuple[DataSet, DataSet]:
    real = drawn(tmp_path / "real", {"label": "nevus"})
    gate = {
        "copy_score": [str(number / 8) for number in range(8)], "copy_of": real.table["file_name"], "copy_lying": "as it is",
        "copy_flag": ["True"] * 2 + ["FALSE"] * 6,
    }  # fmt: skip
    return drawn(tmp_path / "made", {"label": "nevus", "synthetic": "true", **gate}), real


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that were read for a page's pictures."""
    found: list[Path] = []
    usual = evaluation_report.thumbnails

    def seen(paths: list[Path], side: int = 8) -> np.ndarray:
        found.extend(paths)
        return usual(paths, side)

    monkeypatch.setattr(evaluation_report, "thumbnails", seen)
    return found


def result(made: DataSet, real: DataSet) -> dict[str, Any]:
    points = [
        {"x": 0.0, "y": 0.0, "label": "nevus", "side": side, "file_name": name}
        for side, rows in (("synthetic", made), ("real", real))
        for name in rows.table["file_name"]
    ]
    closest = {"SSIM": [{"file_name": "images/0.png", "of": "images/3.png", "value": 0.9}]}
    return {**RESULT, "closest": closest, "embedding": [{"method": "PCA", "note": "", "points": points}]}


def test_flags_of_any_spelling_are_marked(sides: tuple[DataSet, DataSet]) -> None:
    made, real = sides
    write_evaluation_report(made, real, result(made, real), "")
    assert (made.folder / PAGE).read_text().count("<b>flagged</b>") == 2


def test_the_page_says_that_it_embeds_photographs(sides: tuple[DataSet, DataSet], read: list[Path]) -> None:
    made, real = sides
    write_evaluation_report(made, real, result(made, real), "")
    assert PHOTOGRAPHS in (made.folder / PAGE).read_text()
    assert any(path.is_relative_to(real.folder) for path in read)


def test_without_photographs_no_real_image_and_no_copy_is_read(
    sides: tuple[DataSet, DataSet], read: list[Path]
) -> None:
    made, real = sides
    write_evaluation_report(made, real, result(made, real), "", photographs=False)
    assert {path.name for path in read} == {f"{number}.png" for number in range(2, 8)}
    assert all(path.is_relative_to(made.folder) for path in read)
    page = (made.folder / PAGE).read_text()
    assert PHOTOGRAPHS not in page
    assert "left out." in page
    assert "images/3.png" in page  # names of nearest images stay
    assert len(re.findall("<b>flagged</b>", page)) == 2


def test_translations_of_photographs_count_as_photographs(sides: tuple[DataSet, DataSet], read: list[Path]) -> None:
    made, real = sides
    table = made.table.assign(source_image=real.table["file_name"])
    translated = DataSet(made.folder, table, made.description)
    write_evaluation_report(translated, real, result(made, real), "", photographs=False)
    assert read == []


def test_a_page_of_an_earlier_name_gives_way(sides: tuple[DataSet, DataSet]) -> None:
    made, real = sides
    (made.folder / OLD_PAGE).write_text("earlier")
    write_evaluation_report(made, real, result(made, real), "")
    assert (made.folder / PAGE).exists()
    assert not (made.folder / OLD_PAGE).exists()
