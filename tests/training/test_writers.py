"""The lines of the log in other programs: each against its own local mode, and no training that one of them stops."""

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import dermsynth as ds
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.io import read_json_lines
from dermsynth.training import writers
from dermsynth.training.callbacks import TrainingStart
from dermsynth.training.config import read_config
from dermsynth.training.writers import WRITERS, AlreadyWritten, Writer, settings_of

SIZES: dict[str, Any] = {"images": 32, "resolution": 16, "batch": 16, "log": 16, "snapshot": 32, "device": "cpu"}


class Kept(Writer):
    """A program that keeps what it is told, and may fail at a line."""

    package = "sys"

    def __init__(self, fails: str = "") -> None:
        super().__init__()
        self.fails, self.rows, self.settings, self.closed = fails, list[tuple[int, set[str]]](), dict[str, Any](), False

    def begin(self, training: TrainingStart, settings: Mapping[str, Any]) -> None:
        self._fail("begin")
        self.settings = dict(settings)

    def write(self, images: int, values: Mapping[str, float]) -> None:
        self._fail("write")
        self.rows.append((images, set(values)))

    def end(self) -> None:
        self.closed = True

    def _fail(self, where: str) -> None:
        if self.fails == where:
            raise RuntimeError("the server is away\nwith a long story")


def test_a_program_gets_every_number_of_the_log_and_the_settings(phantom: DataSet, tmp_path: Path) -> None:
    kept = Kept()
    ds.train("dcgan", phantom, out=tmp_path / "run", callbacks=kept, **SIZES)
    lines = read_json_lines(tmp_path / "run" / "log.jsonl")
    losses = [
        (line["images"], {*line["losses"], *line["statistics"], "seconds", "memory_gib"})
        for line in lines
        if "losses" in line
    ]
    figures = [(line["images"], set(line["metrics"])) for line in lines if "metrics" in line]
    assert sorted(kept.rows, key=str) == sorted(losses + figures, key=str)
    assert kept.closed
    assert kept.settings["training.images"] == 32
    assert "data.folder" not in kept.settings


def test_a_program_that_fails_is_left_out_and_the_training_goes_on(
    phantom: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "dermsynth"):
        last = ds.train("dcgan", phantom, out=tmp_path / "run", callbacks=Kept("write"), **SIZES)
    assert last.images == 32
    assert caplog.text.count("sys: the server is away; nothing more is written there") == 1


def test_a_program_that_cannot_be_started_is_one_line(phantom: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`log_to` sys: cannot be started \(the server is away\)$"):
        ds.train("dcgan", phantom, out=tmp_path / "run", callbacks=Kept("begin"), **SIZES)


def test_unknown_and_missing_programs_are_one_line(
    phantom: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="`log_to` 'excel': must be one of tensorboard, wandb, mlflow, trackio"):
        ds.train("dcgan", phantom, out=tmp_path / "run", log_to="excel", **SIZES)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"`log_to` wandb: wandb is not installed; .*pip install 'dermsynth\[wandb\]'"):
        ds.train("dcgan", phantom, out=tmp_path / "run", log_to=["wandb"], **SIZES)
    assert not (tmp_path / "run").exists()


def test_the_shell_has_the_flag(shell: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    result = shell("train", "dcgan", "--images", "8", "--out", tmp_path / "run", "--log-to", "excel", status=1)
    assert "--log-to 'excel': must be one of" in result.stderr


def test_settings_are_flat(run: Path) -> None:
    settings = settings_of(read_config(run))
    assert settings["training.batch"] == 8
    assert not any(isinstance(value, dict) for value in settings.values())
    assert writers._plain("KID (64 px) x 1000") == "KID _64 px_ x 1000"
    assert WRITERS["tensorboard"] is AlreadyWritten


def trained(name: str, phantom: DataSet, tmp_path: Path) -> Path:
    if find_spec(name) is None:  # not imported here: trackio settles on a folder when it is
        pytest.skip(f"needs {name}")
    ds.train("dcgan", phantom, out=tmp_path / "run", log_to=name, **SIZES)
    return tmp_path / "run"


def test_trackio_is_told_run_step_and_settings(
    phantom: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[tuple[str, Any]] = []
    fake: Any = ModuleType("trackio")
    fake.__spec__ = ModuleSpec("trackio", None)
    fake.utils = SimpleNamespace(TRACKIO_DIR=tmp_path)
    fake.init = lambda **options: (print("* a greeting"), calls.append(("init", options)))
    fake.log = lambda values, step: calls.append(("log", step))
    fake.finish = lambda: calls.append(("finish", None))
    monkeypatch.setitem(sys.modules, "trackio", fake)
    monkeypatch.delenv("TRACKIO_SPACE_ID", raising=False)
    with caplog.at_level(logging.WARNING, "dermsynth"):
        ds.train("dcgan", phantom, out=tmp_path / "run", log_to="trackio", **SIZES)
    assert calls[0][1]["name"] == "run"
    assert calls[0][1]["space_id"] is None
    assert [step for name, step in calls if name == "log" and step] == [16, 32, 32]
    assert calls[-1][0] == "finish"
    assert "greeting" not in capsys.readouterr().out
    assert f"trackio: writes into {tmp_path}" in caplog.text


@pytest.mark.slow
def test_wandb_writes_offline_into_the_run(phantom: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run = trained("wandb", phantom, tmp_path)
    (record,) = (run / "wandb").glob("offline-run-*/run-*.wandb")
    data = record.read_bytes()
    assert b"generator/adversarial" in data
    assert str(phantom.folder).encode() not in data


@pytest.mark.slow
def test_mlflow_writes_a_file_in_the_run(phantom: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = trained("mlflow", phantom, tmp_path)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{run}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("dermsynth")
    assert experiment is not None
    (written,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(written.info.run_id, "generator/adversarial")
    assert [metric.step for metric in history] == [16, 32]
    assert written.data.params["training.images"] == "32"
    assert written.info.status == "FINISHED"


@pytest.mark.slow
def test_trackio_writes_a_file_in_the_run(phantom: DataSet, tmp_path: Path) -> None:
    run = trained("trackio", phantom, tmp_path)
    (path,) = (run / "trackio").glob("*.db")
    with closing(sqlite3.connect(path)) as database:
        steps = [step for (step,) in database.execute("SELECT step FROM metrics WHERE run_name = 'run' ORDER BY step")]
        (settings,) = database.execute("SELECT config FROM configs").fetchone()
    assert steps == [0, 16, 32, 32]
    assert str(phantom.folder) not in str(settings)


@pytest.mark.slow
def test_tensorboard_is_written_as_ever(phantom: DataSet, tmp_path: Path) -> None:
    run = trained("tensorboard", phantom, tmp_path)
    assert list((run / "tensorboard").glob("events*"))
