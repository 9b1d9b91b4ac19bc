"""The methods of a run from its files alone: nothing is invented, and what is missing says so."""

import csv
import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import dermsynth as ds
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.errors import UserError
from dermsynth.io import write_json
from dermsynth.report.facts import Fact, facts_of
from dermsynth.report.methods import UNKNOWN, checklist
from dermsynth.training.checkpoints import find
from tests.evaluation.drawn import SYNTHETIC, evaluation, row

FIGURE = row("FID", value=12.34, low=11.0, high=13.5, floor=4.0, matched=9.0)
GATE = {"flagged": 2, "of": 8, "threshold": 0.9, "false_alarms": 0.01, "held_out": 200, "training": 900}
LINE = {"question": "fidelity", "light": "amber", "says": "so and so", "rule": "a rule"}


def assessed(folder: Path, run: Path) -> Path:
    """A folder with an evaluation of a set that the run made."""
    made = {**SYNTHETIC, "generator": {"checkpoint": find(run).hash, "truncation": 0.7}}
    result = evaluation(
        [FIGURE], copying=[], copy_gate=GATE, verdict=[LINE], class_verdicts={"nevus": [LINE]}, synthetic=made
    )
    write_json(folder / "assessment.json", result.document())
    return folder


def test_the_files_of_a_run_say_data_licence_splits_generator_length_and_seed(run: Path, phantom: DataSet) -> None:
    text = ds.methods(run).text()
    assert "Licence: CC0-1.0" in text
    assert (
        "stylegan2-ada (Karras et al. 2020a, b; preset laptop, 16 x 16 pixels, conditional on melanoma, nevus" in text
    )
    assert "64 real images shown, 8 a step, in float32; seed 0" in text
    assert f"content hash {phantom.whole_hash[:16]}" in text
    assert "Images: 240 images; classes: melanoma " in text
    counts = {split: int((phantom.splits == split).sum()) for split in ("test", "train", "validation")}
    assert all(f"{split} {count} (" in text for split, count in counts.items())
    assert "dermsynth 0.1.0, python 3" in text


def test_what_no_file_says_is_not_known(run: Path) -> None:
    result = ds.methods(run)
    text = result.text()
    assert "attribution: not known" in text
    assert "Copies: not known" in text
    items = {item.topic: item for item in result.items}
    assert items["ethics approval or waiver"].text == UNKNOWN
    assert items["external test set"].text == UNKNOWN
    assert all(item.known == bool(item.file) for item in result.items)
    assert items["partition of the data"].file == "metadata.csv"


def test_figures_come_with_their_intervals_and_floors(run: Path, tmp_path: Path) -> None:
    result = ds.methods(run, evaluations=assessed(tmp_path, run))
    text = result.text()
    assert "8 synthetic images (truncation 0.7, first seed 0 of each class)" in text
    assert "12.3 (95 % interval 11 to 13.5; real against real 4)" in text
    assert (
        "2 of 8 synthetic images lay closer to one of 900 training images than 1 % of 200 held-out real images do"
        in text
    )
    items = {item.topic: item for item in result.items}
    assert items["measures of performance"].file == "assessment.json"
    assert items["assessment of bias"].text == "nevus: fidelity amber"


def test_columns_of_the_data_are_counted(run: Path, phantom: DataSet) -> None:
    facts = facts_of(run, phantom.folder, [], None)
    assert facts["licence"] == Fact("CC0-1.0", "dataset.json")
    assert "skin tone" not in facts or facts["skin tone"].file == "metadata.csv"
    topics = [item.topic for item in checklist({})]
    assert len(topics) > 40
    assert all(item.text == UNKNOWN for item in checklist({}))


def test_every_fact_that_a_topic_asks_for_is_one_that_files_can_give(run: Path) -> None:
    import inspect
    import tomllib

    from dermsynth.report import facts, methods

    asked = {key for item in tomllib.loads(methods._table())["item"] for key in item["facts"]}
    source = inspect.getsource(facts)
    assert {key for key in asked if f'"{key}"' not in source} == set()


def test_another_data_set_and_folders_without_a_result_are_one_line(run: Path, tmp_path: Path) -> None:
    other = ds.phantom(tmp_path / "other", count=4, resolution=16, jobs=1)
    with pytest.raises(UserError, match="no longer holds the images that were trained on, or is another set"):
        ds.methods(run, data=other.folder)
    with pytest.raises(UserError, match=r"`evaluation` .*holds no evaluation"):
        ds.methods(run, evaluations=[tmp_path])
    write_json(tmp_path / "assessment.json", evaluation([FIGURE], copying=[], verdict=[LINE]).document())
    with pytest.raises(UserError, match=r"`evaluation` .*of a set that no checkpoint of .*run made"):
        ds.methods(run, evaluations=tmp_path)
    with pytest.raises(UserError, match="not a run folder"):
        ds.methods(tmp_path)
    with pytest.raises(UserError, match=r"`methods` .*must end in .md or .txt"):
        ds.methods(run).save(tmp_path / "methods.docx")
    assert open_data_set(other.folder).provenance.licence == ("CC0-1.0",)


def test_the_shell_writes_both_files(
    run: Path, tmp_path: Path, shell: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    result = shell("report", run, "--methods", tmp_path / "m.md", "--evaluation", assessed(tmp_path / "a", run))
    assert "topics of guidelines" in result.stdout
    rows = list(csv.DictReader(io.StringIO((tmp_path / "m.csv").read_text())))
    assert list(rows[0]) == ["guideline", "section", "topic", "text", "file"]
    assert {row["guideline"] for row in rows} == {"CLEAR Derm", "STARD-AI"}
    assert not (run / "report.html").exists()
    assert "--utility: goes with --methods" in shell("report", run, "--utility", tmp_path, status=1).stderr
