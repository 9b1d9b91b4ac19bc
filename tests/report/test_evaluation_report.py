"""The page of an evaluation: flags in any spelling, and no photograph on it where none is wanted."""

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dermsynth.api import evaluation as evaluation_api
from dermsynth.data.dataset import DataSet
from dermsynth.data.manifest import update_record
from dermsynth.data.provenance import CopyGateFacts, Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.copies import write_copies
from dermsynth.evaluation.evaluate import evaluate as measure
from dermsynth.evaluation.results import Evaluation
from dermsynth.evaluation.sides import remarks_on_family
from dermsynth.images import encode_png, fit, read_image
from dermsynth.io import write_bytes
from dermsynth.metrics.estimate import Effort
from dermsynth.report import evaluation_report
from dermsynth.report.evaluation_report import page_writer, write_evaluation_report
from dermsynth.report.page import PHOTOGRAPHS
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import load_generator
from tests.evaluation.drawn import evaluation, row

FIGURE = row("FID", value=1.0, low=0.5, high=1.5, floor=0.1, matched=1.0)
GATE = {"flagged": 2, "of": 8, "threshold": 0.9, "false_alarms": 0.01, "held_out": 200, "training": 900}


def drawn(folder: Path, columns: dict[str, Any]) -> DataSet:
    names = [f"images/{number}.png" for number in range(8)]
    for number, name in enumerate(names):
        write_bytes(folder / name, encode_png(np.full((8, 8, 3), 20 * number, np.uint8)))
    return write_data_set(folder, pd.DataFrame({"file_name": names, **columns}), Provenance(), Step(command="drawn"))


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


def test_the_page_says_what_the_generators_family_declares(sides: tuple[DataSet, DataSet]) -> None:
    made, real = sides
    told = result(made, real).model_copy(update={"sides": remarks_on_family("projected")})
    page = write_evaluation_report(made, real, told, "").read_text()
    assert page.count("flatter these images") == 1
    assert "How the generator was trained: projected: trained against features" in page
    assert "differ in more than their origin" not in page


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


def test_flags_in_the_evaluation_folder_reach_a_page_elsewhere(
    sides: tuple[DataSet, DataSet], read: list[Path], tmp_path: Path
) -> None:
    made, real = sides
    plain = DataSet(made.folder, made.table[["file_name", "label"]], made.description)
    columns = {name: made.table[name].to_numpy() for name in ("copy_score", "copy_of", "copy_lying", "copy_flag")}
    write_copies(plain, tmp_path / "results", CopyGateFacts.model_validate(GATE), columns)
    writer = page_writer(plain, real, photographs=False, folder=tmp_path / "results")
    result(made, real).with_page(writer).save(tmp_path / "elsewhere" / "page.html")
    assert {path.name for path in read} == {f"{number}.png" for number in range(2, 8)}


def test_a_smuggled_training_image_is_not_on_a_page_without_photographs(
    phantom: DataSet, run: Path, tmp_path: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = generate(load_generator(run, device="cpu"), {"melanoma": 25, "nevus": 25}, tmp_path / "made")
    training = phantom.select((phantom.table["split"] == "train").to_numpy())
    for mine, theirs in zip(made.paths[:5], training.paths[:5], strict=True):
        image = fit(read_image(theirs), *read_image(mine).shape[:2], "centre", "area")
        write_bytes(mine, encode_png(np.ascontiguousarray(image[:, ::-1])))
    update_record(made.folder, made.table["file_name"])
    quick = partial(measure, effort=Effort(5, 5, 5, 5, 20, 100), fewest_held_out=20)
    monkeypatch.setattr(evaluation_api, "measure", quick)
    result = evaluation_api.evaluate(
        made.folder, against=phantom.folder, out=tmp_path / "results", photographs=False, device="cpu"
    )
    shutil.rmtree(tmp_path / "results")
    result.save(tmp_path / "elsewhere" / "page.html")
    assert read
    assert not {*made.paths[:5]} & {*read}
    assert not any(path.is_relative_to(phantom.folder) for path in read)
