"""Real processes, real signals: a training saves and goes on, other verbs clear away what was begun."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.signals import NAMES, handle_signals
from dermsynth.training import checkpoints
from tests.warm import Warm, start_verb

SENT = [name for name in NAMES if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Whoever started the tests may ignore signals (nohup, a background job), which every process inherits."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in SENT}
    for name, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(getattr(signal, name), signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


def _wait_for(path: Path, pattern: str, process: Warm) -> None:
    deadline = time.monotonic() + 300
    while not list(path.glob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _training(data: DataSet, out: Path, images: int) -> tuple[object, ...]:
    return ("train", "dcgan", "--data", data.folder, "--out", out, "--resolution", 16, "--batch", 8, "--snapshot", 64,
            "--images", images, "--unconditional", "--device", "cpu")  # fmt: skip


def test_every_signal_reaches_the_handler_and_the_earlier_ones_come_back() -> None:
    before = {name: signal.getsignal(getattr(signal, name)) for name in SENT}
    heard: list[int] = []
    with handle_signals(lambda number, frame: heard.append(number)):
        for name in SENT:
            os.kill(os.getpid(), getattr(signal, name))
    assert heard == [getattr(signal, name) for name in SENT]
    assert {name: signal.getsignal(getattr(signal, name)) for name in SENT} == before


def test_the_signals_of_batch_systems_save_a_training_that_goes_on(phantom: DataSet, tmp_path: Path) -> None:
    """One run, stopped by each in turn; Ctrl-C has a test beside the training loop."""
    stopped = [0]
    for name in ("SIGTERM", "SIGHUP", "SIGUSR1"):
        process = start_verb(*_training(phantom, tmp_path / "run", 100_000))
        _wait_for(tmp_path / "run" / "checkpoints", f"{stopped[-1] // 64 * 64 + 64:09d}", process)
        process.send_signal(getattr(signal, name))
        _, told = process.communicate(timeout=400)
        assert process.returncode == 130, (name, told)
        assert "stopped and saved in" in told
        assert "Traceback" not in told
        stopped.append(checkpoints.find(tmp_path / "run").images)
        assert stopped[-1] > stopped[-2]
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_hang_up_that_is_ignored_stays_so(phantom: DataSet, tmp_path: Path) -> None:
    process = start_verb(*_training(phantom, tmp_path / "run", 256), ignored=["SIGHUP"])
    _wait_for(tmp_path / "run" / "checkpoints", "000000064", process)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=400) == 0
    assert checkpoints.find(tmp_path / "run").images == 256


@pytest.mark.parametrize("name", ["SIGINT", "SIGUSR1"])
def test_a_set_that_was_being_drawn_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    process = start_verb("phantom", "--out", tmp_path / "set", "--count", 20_000, "--resolution", 64)
    _wait_for(tmp_path, ".set.*/images/*.png", process)
    process.send_signal(getattr(signal, name))
    _, told = process.communicate(timeout=400)
    assert process.returncode == 130, told
    assert told.splitlines()[-1] == "dermsynth: stopped; repeat the command to go on"
    assert os.listdir(tmp_path) == []


def test_generating_goes_on_where_it_was_stopped(run: Path, tmp_path: Path) -> None:
    words = ("generate", run, "--count", "nevus=30000", "--out", tmp_path / "set", "--device", "cpu")
    process = start_verb(*words)
    _wait_for(tmp_path / "set" / "images", "*/*.png", process)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=400)
    assert process.returncode == 130, told
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("seed*.png")}
    again = start_verb(*words[:2], "--count", f"nevus={len(kept) + 8}", *words[4:])
    told = again.communicate(timeout=400)[1]
    assert again.returncode == 0, told
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("seed*.png")}
    assert len(after) == len(kept) + 8
    assert all(after[name] == time_ for name, time_ in kept.items())
