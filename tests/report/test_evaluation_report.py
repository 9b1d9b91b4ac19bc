"""The page of an evaluation: flags in any spelling, and no photograph on it where none is wanted."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dermsynth.data.dataset import DataSet, write_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.results import Evaluation
from dermsynth.images import encode_png
from dermsynth.io import write_bytes
from dermsynth.report import evaluation_report
from dermsynth.report.evaluation_report import page_writer, write_evaluation_report
from dermsynth.report.page import PHOTOGRAPHS
from tests.evaluation.drawn import evaluation, row

FIGURE = row("FID", value=1.0, low=0.5, high=1.5, floor=0.1, matched=1.0)
GATE = {"flagged": 2, "of": 8, "threshold": 0.9, "false_alarms": 0.01, "held_out": 200, "training": 900}


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


def result(made: DataSet, real: DataSet) -> Evaluation:
    points = [
        {"x": 0.0, "y": 0.0, "label": "nevus", "side": side, "file_name": name}
        for side, rows in (("synthetic", made), ("real", real))
        for name in rows.table["file_name"]
    ]
    closest = {"SSIM": [{"file_name": "images/0.png", "of": "images/3.png", "value": 0.9}]}
    embedding = [{"method": "PCA", "note": "", "points": points}]
    return evaluation([FIGURE], copying=[], copy_gate=GATE, closest=closest, embedding=embedding)


def test_flags_of_any_spelling_are_marked(sides: tuple[DataSet, DataSet]) -> None:
    made, real = sides
    page = write_evaluation_report(made, real, result(made, real), "").read_text()
    assert page.count("<b>flagged</b>") == 2


def test_the_page_says_that_it_embeds_photographs(sides: tuple[DataSet, DataSet], read: list[Path]) -> None:
    made, real = sides
    page = write_evaluation_report(made, real, result(made, real), "").read_text()
    assert PHOTOGRAPHS in page
    assert any(path.is_relative_to(real.folder) for path in read)


def test_without_photographs_no_real_image_and_no_copy_is_read(
    sides: tuple[DataSet, DataSet], read: list[Path]
) -> None:
    made, real = sides
    page = write_evaluation_report(made, real, result(made, real), "", photographs=False).read_text()
    assert {path.name for path in read} == {f"{number}.png" for number in range(2, 8)}
    assert all(path.is_relative_to(made.folder) for path in read)
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


def test_the_page_goes_where_it_is_told(sides: tuple[DataSet, DataSet], tmp_path: Path) -> None:
    made, real = sides
    assert write_evaluation_report(made, real, result(made, real), "") == made.folder / "assessment" / "assessment.html"
    assert write_evaluation_report(made, real, result(made, real), "", path=tmp_path / "a.html").exists()
    saved = result(made, real).with_page(page_writer(made, real)).save(tmp_path / "b.html")
    assert "<b>flagged</b>" in saved.read_text()
    with pytest.raises(UserError, match="the images are not at hand"):
        result(made, real).save(tmp_path / "c.html")
    with pytest.raises(UserError, match=r"must end in \.json or \.html"):
        result(made, real).save(tmp_path / "d.txt")
