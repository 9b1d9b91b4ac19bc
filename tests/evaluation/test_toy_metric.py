"""A metric that one entry adds is in the JSON, on the page, in the terminal, in the verdict and on the data card."""

import html
from pathlib import Path

import pytest

from dermsynth.backbones.extractors import load_extractor
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.copies import copies_of
from dermsynth.evaluation.evaluate import evaluate
from dermsynth.evaluation.floors import judgements
from dermsynth.evaluation.memorisation import check_copies
from dermsynth.evaluation.results import evaluation_of
from dermsynth.export.huggingface import export
from dermsynth.io import read_json
from dermsynth.metrics.estimate import ALL, Effort
from dermsynth.metrics.registry import METRICS, with_defaults
from dermsynth.report.evaluation_report import write_evaluation_report
from dermsynth.report.evaluation_text import evaluation_table
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import load_generator
from tests.metrics.test_public import TOY


@pytest.fixture(scope="module")
def made(run: Path, tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return generate(load_generator(run, device="cpu"), {"nevus": 50}, tmp_path_factory.mktemp("toy") / "made")


def test_a_metric_of_one_entry_is_everywhere(
    made: DataSet, phantom: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, "brightness", with_defaults(TOY))
    out = tmp_path / "elsewhere"
    result = evaluate(
        made, phantom, load_extractor("embedded"), out=out, fewest_held_out=20,
        effort=Effort(distance_resamples=5, kernel_resamples=5, histogram_resamples=5, mean_resamples=5, pairs=5),
    )  # fmt: skip
    rows = [row for row in read_json(out / "assessment.json")["measurements"] if row["id"] == "brightness"]
    assert [row["group"] for row in rows] == ["all classes", "nevus"]
    assert rows[0]["value"] == result["brightness"].value
    page = html.unescape(write_evaluation_report(made, phantom, result, "", path=out / "a.html").read_text())
    assert "<summary>Brightness (" in page
    assert f"{result['brightness'].value:.3f}" in page
    assert "difference of mean brightness" in page
    assert "brightness" in evaluation_table(result)
    assert any("brightness" in judgement.says for judgement in judgements(result.of_group(ALL), "fidelity"))
    assert not (made.folder / "assessment").exists(), "the result went where it was told"
    assert evaluation_of(made) is None
    assert evaluation_of(made, out) == result
    with pytest.raises(UserError, match=r"`evaluation` .*: holds no evaluation of the images of"):
        evaluation_of(phantom, out)
    exported = export(open_data_set(made.folder), tmp_path / "exported", with_flagged=True, evaluation=out)
    assert f"| brightness | {result['brightness'].value:.3f} |" in (exported.folder / "README.md").read_text()
    assert "copy_flag" in exported.table
    with pytest.raises(UserError, match="not checked for copies"):
        export(open_data_set(made.folder), tmp_path / "without")


def test_a_set_that_is_no_longer_the_same_has_no_evaluation(made: DataSet, phantom: DataSet, tmp_path: Path) -> None:
    assert check_copies(made, phantom.folder, fewest=20).facts is not None
    copies = copies_of(open_data_set(made.folder))
    assert copies is not None
    assert len(copies.flagged) == 50
    fewer = open_data_set(made.folder)
    (made.folder / "metadata.csv").write_text(fewer.table.head(40).to_csv(index=False))
    assert copies_of(open_data_set(made.folder)) is None
    (made.folder / "metadata.csv").write_text(fewer.table.to_csv(index=False))
    assert copies_of(open_data_set(made.folder)) is not None
