"""Estimates as a picture, images side by side, and both in a real browser."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.evaluation.copies import Copies
from dermsynth.images import encode_png
from dermsynth.io import write_bytes
from dermsynth.report import side_by_side as module
from dermsynth.report.evaluation_report import write_evaluation_report
from dermsynth.report.forest import forest_plots
from dermsynth.report.side_by_side import ROWS, side_by_side
from tests.browser import SIZES, checked, page_of
from tests.evaluation.drawn import evaluation, row

FIGURES = [
    row("FID-x", value=1.0, low=0.8, high=1.2, floor=0.1, matched=1.1),
    row("FID-x", value=2.0, low=1.5, high=2.5, floor=0.3, matched=2.2, group="nevus"),
    row("recall-x", value=math.nan, low=math.nan, high=math.nan),
    row("SWD mean", value=40.0, low=30.0, high=50.0, floor=10.0, matched=41.0),
    row("SWD 64 px", value=70.0, low=60.0, high=80.0, floor=8.0, matched=71.0),
    row("JSD x 1000 red", value=3.0, low=2.0, high=4.0, floor=1.0, matched=3.0),
    row("difference of hair", value=0.4, low=0.3, high=0.5, floor=0.0, matched=0.4),
]


def drawn(folder: Path, labels: list[str], **columns: Any) -> DataSet:
    names = [f"images/{number}.png" for number in range(len(labels))]
    for number, name in enumerate(names):
        write_bytes(folder / name, encode_png(np.full((8, 8, 3), 4 * number, np.uint8)))
    table = pd.DataFrame({"file_name": names, "label": labels, **columns})
    return write_data_set(folder, table, Provenance(), Step(command="drawn"))


def test_a_panel_a_metric_with_a_row_a_group() -> None:
    panels = forest_plots(evaluation(FIGURES).estimates)
    assert len(panels) == 2  # neither what could not be computed, nor channels and named features
    assert "FID-x" in panels[0]
    assert "nevus" in panels[0]
    assert "less is better" in panels[0]
    assert "SWD mean" in panels[1]
    assert "SWD 64 px" not in panels[1]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[list[Path]]:
    found: list[list[Path]] = []
    usual = module.thumbnails

    def seen(paths: list[Path], side: int = 8) -> np.ndarray:
        found.append(list(paths))
        return usual(paths, side)

    monkeypatch.setattr(module, "thumbnails", seen)
    return found


def test_each_synthetic_image_beside_its_nearest_and_a_random_one_of_its_class(
    tmp_path: Path, shown: list[list[Path]]
) -> None:
    real = drawn(tmp_path / "real", ["melanoma"] * 10 + ["nevus"] * 10)
    made = drawn(tmp_path / "made", ["nevus", "melanoma"] * 10)
    nearest = pd.DataFrame(
        {"file_name": made.table["file_name"], "copy_of": [f"images/{n % 3}.png" for n in range(20)]}
    )
    rows = side_by_side(made, real, real, Copies(None, nearest))
    assert len(rows) == len(shown) == ROWS
    for (_, label), paths in zip(rows, shown, strict=True):
        number = int(paths[0].stem)
        assert label == ("nevus", "melanoma")[number % 2]
        assert paths[1] == real.folder / f"images/{number % 3}.png"
        assert (int(paths[2].stem) < 10) == (label == "melanoma")


def test_without_a_gate_two_images_stand_beside_each_other(tmp_path: Path, shown: list[list[Path]]) -> None:
    real, made = drawn(tmp_path / "real", [""] * 5), drawn(tmp_path / "made", ["other"] * 3)
    assert len(side_by_side(made, real, real, None)) == 3
    assert {len(paths) for paths in shown} == {2}


@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_every_window(tmp_path: Path, browser: Any, size: str) -> None:
    real, made = drawn(tmp_path / "real", ["nevus"] * 20), drawn(tmp_path / "made", ["nevus"] * 20)
    lines = [
        {"question": "fidelity", "light": "red", "says": "far", "rule": "the rule"},
        {"question": "copying", "light": "not measured", "says": "nothing held out", "rule": "the rule"},
    ]
    shares = {"value": 0.25, "low": 0.15, "high": 0.4, "n": 60}
    tones = [{"label": "nevus", "tone": "dark", "synthetic": {**shares, "value": 0.0, "low": 0.0}, "real": shares}]
    result = evaluation(FIGURES, verdict=lines, class_verdicts={"nevus": lines}, tones_by_class=tones)
    path = write_evaluation_report(made, real, result, "", path=tmp_path / "page.html")
    page = page_of(browser, size)
    page.goto(path.as_uri())
    assert "do not look like the real ones. Not measured: copying." in page.inner_text(".lead")
    for summary in page.query_selector_all("summary"):
        summary.click()
    assert "nevus\tdark\t0.0 %" in page.inner_text("body")
    checked(page)
