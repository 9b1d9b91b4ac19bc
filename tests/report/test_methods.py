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
from dermsynth.io import read_json, write_json
from dermsynth.report.facts import Fact, _utility_facts, facts_of
from dermsynth.report.methods import UNKNOWN, checklist
from dermsynth.training.checkpoints import find
from dermsynth.utility.arms import REAL
from dermsynth.utility.classifier import Training
from dermsynth.utility.results import ArmFigures, Confusion, RealSet, Settings, SyntheticSet, TestSet, UtilityResult
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
    assert items["ethics approval, or why none is needed"].text == UNKNOWN
    assert items["external test set"].text == UNKNOWN
    assert all(item.known == bool(item.file) for item in result.items)
    assert items["partition of the data"].file == "metadata.csv"


def test_figures_come_with_their_intervals_and_floors(run: Path, tmp_path: Path) -> None:
    result = ds.methods(run, evaluations=assessed(tmp_path, run))
    text = result.text()
    assert f"8 synthetic images (checkpoint {find(run).hash[:16]}, truncation 0.7, first seed 0 of each class)" in text
    assert "12.3 (95 % interval 11 to 13.5; real against real 4)" in text
    assert (
        "2 of 8 synthetic images lay closer to one of 900 training images than 1 % of 200 held-out real images do"
        in text
    )
    items = {item.topic: item for item in result.items}
    assert items["measures of performance"].file == "assessment.json"
    assert items["assessment of bias"].text == "nevus: fidelity amber"


def test_several_evaluations_are_all_written_up(run: Path, tmp_path: Path) -> None:
    several = [assessed(tmp_path / name, run) for name in ("a", "b")]
    text = ds.methods(run, evaluations=several).text()
    assert "(1) 8 synthetic images" in text
    assert "(2) 8 synthetic images" in text
    assert text.count("12.3 (95 % interval 11 to 13.5") == 2


def test_length_and_weights_are_those_of_the_checkpoint_that_made_the_images(phantom: DataSet, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ds.train("dcgan", phantom, out=run, images=32, resolution=16, batch=16, log=16, snapshot=16, device="cpu")
    first, last = find(run, "16"), find(run)
    assert first.hash != last.hash
    folder = assessed(tmp_path / "a", run)
    document = read_json(folder / "assessment.json")
    document["synthetic"]["generator"]["checkpoint"] = first.hash
    write_json(folder / "assessment.json", document)
    text = ds.methods(run, evaluations=folder).text()
    assert "Length: 16 real images shown" in text
    assert first.hash in text
    assert last.hash not in text


def test_columns_of_the_data_are_counted(run: Path, phantom: DataSet) -> None:
    facts = facts_of(run, phantom.folder, [], None)
    assert facts["licence"] == Fact("CC0-1.0", "dataset.json")
    assert "skin tone" not in facts or facts["skin tone"].file == "metadata.csv"
    numbers = {
        guideline: [i.number for i in checklist({}) if i.guideline == guideline]
        for guideline in ("CLEAR Derm", "STARD-AI")
    }
    assert numbers["CLEAR Derm"] == [str(number) for number in range(1, 26)]
    assert len(numbers["STARD-AI"]) == len({*numbers["STARD-AI"]}) == 48
    assert {int(number.rstrip("abcd")) for number in numbers["STARD-AI"]} == {*range(1, 41)}
    assert all(item.text == UNKNOWN for item in checklist({}))


def test_every_fact_that_a_topic_asks_for_is_one_that_files_can_give(run: Path) -> None:
    import inspect

    from dermsynth.report import facts
    from dermsynth.report.methods import guideline_rows

    asked = {key for _, (_, _, keys) in guideline_rows() for key in keys}
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
    assert "items of guidelines" in result.stdout
    rows = list(csv.DictReader(io.StringIO((tmp_path / "m.csv").read_text())))
    assert list(rows[0]) == ["guideline", "number", "section", "topic", "text", "file"]
    assert {row["guideline"] for row in rows} == {"CLEAR Derm", "STARD-AI"}
    assert not (run / "report.html").exists()
    assert "--utility: goes with --methods" in shell("report", run, "--utility", tmp_path, status=1).stderr


def test_the_classifier_of_a_utility_experiment_is_the_index_test(tmp_path: Path) -> None:
    settings = Settings(
        arms=(REAL,), repeats=3, training=Training(), seed=4, positive="melanoma", negative=("nevus",), validation_images=30,
        real=RealSet(content_hash="r", training_images=240, rows="r"), synthetic=SyntheticSet(content_hash="s", images=8),
        tests=(TestSet(name="test", images=60, positive=20, rows="t"),),
    )  # fmt: skip
    figures = ArmFigures(
        arm="real", test="test", images=60, positive=20, repeats=3, auc=0.8, auc_deviation=0.01, auc_repeats=(0.8,) * 3,
        ensemble_auc=0.812, delong=(0.7, 0.9), bootstrap=(0.7, 0.9), balanced_accuracy=0.7, threshold=0.4,
        confusion=Confusion(true_positive=15, false_negative=5, false_positive=4, true_negative=36),
        sensitivity_at_90_specificity=0.5, specificity_at_90_sensitivity=0.5, calibration_error=0.1, calibration=(),
        average_precision=0.5, roc=((), ()), precision_recall=((), ()), strata=(),
    )  # fmt: skip
    result = UtilityResult(
        settings=settings, figures=(figures,), comparisons=(), outcome="helps", verdict="the images help", cautions=(),
        environment={}, sides=(), worth="",
    )  # fmt: skip
    result.save(tmp_path / "utility.json")
    items = {item.number: item.text for item in checklist(_utility_facts(tmp_path)) if item.guideline == "STARD-AI"}
    assert items["15a"] == (
        "small network, melanoma against nevus; 8,000 images shown, 32 a step; 3 repeats from seed 4"
    )
    assert items["15b"] == "240 real training images, 30 validation images; test images: test 60 (20 melanoma)"
    assert "sensitivity and specificity" in items["15c"]
    assert items["30"] == "real on test: 15 true positive, 5 false negative, 4 false positive, 36 true negative"
    assert "AUC of the ensemble of 3 classifiers 0.812 (95 % interval 0.700 to 0.900, 60 images)" in items["31"]
