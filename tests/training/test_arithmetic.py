"""Which arithmetic a training computes in."""

import logging
from pathlib import Path

import pytest
import torch

from dermsynth.data.dataset import DataSet
from dermsynth.io import write_json
from dermsynth.training import arithmetic
from dermsynth.training.arithmetic import bfloat16_speed, chosen_precision
from dermsynth.training.run_folder import CONFIG
from tests.conftest import tiny_config

CPU = torch.device("cpu")


@pytest.mark.parametrize(("speed", "chosen"), [(3.0, "bfloat16"), (0.1, "float32")])
def test_auto_is_what_is_faster(
    speed: float, chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(arithmetic, "bfloat16_speed", lambda device: speed)
    with caplog.at_level(logging.INFO):
        assert chosen_precision("auto", tmp_path, CPU) == chosen
    assert f"{speed:.2g} times as fast as float32" in caplog.text
    for asked in ("float32", "float16", "bfloat16"):
        assert chosen_precision(asked, tmp_path, CPU) == asked


def test_a_run_goes_on_in_the_arithmetic_it_began_with(
    phantom: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arithmetic, "bfloat16_speed", lambda device: 0.1)
    config, _ = tiny_config(phantom, images=16)
    document = config.model_dump(mode="json")
    document["training"]["precision"] = "bfloat16"
    write_json(tmp_path / CONFIG, document)
    assert chosen_precision("auto", tmp_path, CPU) == "bfloat16"


def test_whoever_asks_for_what_is_slower_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(arithmetic, "bfloat16_speed", lambda device: 0.02)
    assert chosen_precision("bfloat16", tmp_path, CPU) == "bfloat16"
    assert "takes 50 times as long as float32" in caplog.text
    caplog.clear()
    monkeypatch.setattr(arithmetic, "bfloat16_speed", lambda device: 2.0)
    chosen_precision("bfloat16", tmp_path, CPU)
    assert not caplog.text


def test_the_probe_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fastest of the rounds of each side, of which the first does not count."""
    times = iter([9.0, 1.0, 4.0, 2.0, 6.0, 3.0, 5.0, 8.0])
    monkeypatch.setattr(arithmetic, "_seconds", lambda device, dtype: next(times))
    assert bfloat16_speed(CPU) == 4.0 / 2.0
    monkeypatch.undo()
    assert 0 < bfloat16_speed(CPU) < 1000
