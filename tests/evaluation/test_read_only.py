"""Sets that cannot be written to are evaluated and exported from a folder beside them, and nothing in them changes."""

import shutil
import tempfile
from collections.abc import Iterator
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
from tests.read_only import in_child


def state(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in (folder, *sorted(folder.rglob("*")))}


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user can reach, with one in which every user can write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "out").mkdir()
    (folder / "out").chmod(0o777)
    yield folder
    for path in (folder, *(p for p in folder.rglob("*") if p.is_dir())):
        path.chmod(0o755)
    shutil.rmtree(folder)


def protected(folder: Path) -> Path:
    """Mode 555 for every folder, 444 for every file."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


def test_a_set_that_cannot_be_written_is_evaluated_and_exported(run: Path, phantom: DataSet, place: Path) -> None:
    made = generate(load_generator(run, device="cpu"), {"nevus": 50}, place / "made")
    real = open_data_set(Path(shutil.copytree(phantom.folder, place / "real")))
    extractor, effort, out = load_extractor("embedded"), Effort(distance_resamples=5, kernel_resamples=5), place / "out"
    expected = evaluate(made, real, extractor, brief=True, effort=effort, out=place / "expected")
    folders = [protected(made.folder), protected(real.folder)]
    before = list(map(state, folders))

    def work() -> None:
        with pytest.raises(PermissionError):
            (made.folder / "new").touch()
        with pytest.raises(UserError, match=r"made: cannot be written to; name a folder for the results with `out`"):
            evaluate(made, real, extractor, brief=True, effort=effort)
        evaluate(made, real, extractor, brief=True, effort=effort, out=out / "assessment")
        export(made, out / "exported", with_flagged=True, evaluation=out / "assessment")

    in_child(work)
    assert read_evaluation(out / "assessment") == expected
    assert "FID-embedded" in (out / "exported" / "README.md").read_text()
    assert list(map(state, folders)) == before
