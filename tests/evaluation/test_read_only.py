"""Sets that cannot be written to are evaluated and exported from a folder beside them, and nothing in them changes."""

import shutil
from pathlib import Path

import pytest

from dermsynth.backbones.extractors import load_extractor
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.evaluate import evaluate
from dermsynth.evaluation.results import read_evaluation
from dermsynth.export.huggingface import export
from dermsynth.metrics.estimate import Effort
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import load_generator
from tests.read_only import in_child, read_only


def test_a_set_that_cannot_be_written_is_evaluated_and_exported(run: Path, phantom: DataSet, tmp_path: Path) -> None:
    made = generate(load_generator(run, device="cpu"), {"nevus": 50}, tmp_path / "made")
    real = open_data_set(Path(shutil.copytree(phantom.folder, tmp_path / "real")))
    extractor, effort, out = (
        load_extractor("embedded"),
        Effort(distance_resamples=5, kernel_resamples=5),
        tmp_path / "out",
    )
    expected = evaluate(made, real, extractor, brief=True, effort=effort, out=tmp_path / "expected")

    def work() -> None:
        with pytest.raises(PermissionError):
            (made.folder / "new").touch()
        with pytest.raises(UserError, match=r"made: cannot be written to; name a folder for the results with `out`"):
            evaluate(made, real, extractor, brief=True, effort=effort)
        evaluate(made, real, extractor, brief=True, effort=effort, out=out / "assessment")
        export(made, out / "exported", with_flagged=True, evaluation=out / "assessment")

    with read_only([made.folder, real.folder]):
        in_child(work)
    assert read_evaluation(out / "assessment") == expected
    assert "FID-embedded" in (out / "exported" / "README.md").read_text()
