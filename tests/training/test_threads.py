"""The number of threads: asked for, recorded, found by a probe; and how a stall is seen."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.io import read_json, write_json
from dermsynth.training import checkpoints, threads
from dermsynth.training.callbacks import TrainingStart
from dermsynth.training.display import Display
from dermsynth.training.loop import build, train
from dermsynth.training.pace import LEAST, Pace
from dermsynth.training.threads import fastest, recorded_threads, use_threads
from tests.conftest import tiny_config


@pytest.fixture(autouse=True)
def _one_thread_afterwards() -> Iterator[None]:
    yield
    torch.set_num_threads(1)


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)


def _rates(monkeypatch: pytest.MonkeyPatch, rates: dict[int, float]) -> None:
    monkeypatch.setattr(threads, "_rate", lambda number: rates[number])


@pytest.mark.parametrize(
    ("rates", "best"),
    [
        ({1: 10, 2: 19, 4: 35}, 4),
        ({1: 10, 2: 19, 4: 20}, 2),  # not worth two more
        ({1: 10, 2: 0.1, 4: 0.1}, 1),  # another job
        ({1: 10, 2: 10.5, 4: 30}, 4),
    ],
)
def test_the_probe_takes_more_threads_where_they_are_worth_it(
    rates: dict[int, float], best: int, four_cores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _rates(monkeypatch, rates)
    chosen = use_threads(device="cpu")
    assert chosen.number == best
    assert "1: 1.00, 2: " in chosen.text()


def test_what_is_asked_recorded_or_set_goes_before_the_probe(
    four_cores: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _rates(monkeypatch, {1: 1, 2: 2, 4: 4})
    write_json(tmp_path / "environment.json", {"threads": 3})
    assert use_threads(2, run=tmp_path, device="cpu").text() == "2 threads (`threads`)"
    assert use_threads(run=tmp_path, device="cpu").text() == "3 threads (as this run was trained so far)"
    write_json(tmp_path / "environment.json", {"threads": 64})
    assert use_threads(run=tmp_path, device="cpu").number == 4
    assert "64 threads so far, here are 4 processors: the run does not go on bit for bit" in caplog.text
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert use_threads(device="cpu").text() == "4 threads (OMP_NUM_THREADS)"
    for number in (0, -1, 5):
        with pytest.raises(UserError, match=f"`threads` {number}: must be 1 to 4"):
            use_threads(number)


def test_the_probe_computes_for_a_few_seconds_at_most() -> None:
    start = time.process_time()
    chosen = fastest(2)
    assert chosen.number in (1, 2)
    assert time.process_time() - start < 20
    assert torch.get_num_threads() == 1


def test_a_run_remembers_its_threads(phantom: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "dermsynth")
    config, chosen = tiny_config(phantom, images=16, recipe="dcgan")
    train(tmp_path / "run", config, chosen, device="cpu")
    assert recorded_threads(tmp_path / "run") == 1
    assert checkpoints.find(tmp_path / "run").state.threads == 1
    torch.set_num_threads(2)
    longer, chosen = tiny_config(phantom, images=24, recipe="dcgan")
    train(tmp_path / "run", longer, chosen, device="cpu")
    assert "1 threads so far, now 2: sums of floats are rounded in another way" in caplog.text
    assert read_json(tmp_path / "run" / "environment.json")["threads"] == 2


def test_threads_on_the_command_line(phantom: DataSet, tmp_path: Path, shell: Callable[..., object]) -> None:
    words = ("train", "dcgan", "--data", phantom.folder, "--out", tmp_path / "run", "--resolution", 16, "--batch", 8,
             "--unconditional", "--device", "cpu", "--images")  # fmt: skip
    assert "must be 1 to" in shell(*words, 16, "--threads", 999, status=1).stderr  # type: ignore[attr-defined]
    assert "  1 thread (--threads)" in shell(*words, 16, "--threads", 1).stderr  # type: ignore[attr-defined]
    assert "  1 thread (as this run was trained so far)" in shell(*words, 24).stderr  # type: ignore[attr-defined]


def _steps(pace: Pace, now: float, count: int, seconds: float) -> float:
    for _ in range(count):
        pace.begin(now, 8)
        now += seconds
        pace.end(now)
    return now


def test_a_stall_is_seen_within_a_step_and_over_many() -> None:
    pace = Pace()
    assert pace.usual is None
    now = _steps(pace, 0.0, 20, 1.0)
    assert pace.usual == pytest.approx(8)
    pace.begin(now, 8)
    assert pace.stalled_rate(now + 4) is None
    assert pace.stalled_rate(now + 19) is None
    assert pace.stalled_rate(now + 95) == pytest.approx(8 / 95)
    pace.end(now + 95)
    assert pace.stalled_rate(now + 95) == pytest.approx(8 / 95)
    now = _steps(pace, now + 95, 1, 1.0)
    assert pace.stalled_rate(now) is None
    now = _steps(pace, now, 2, 6.0)
    assert pace.stalled_rate(now) is None  # slow, but not for long
    now = _steps(pace, now, 3, 6.0)
    assert pace.stalled_rate(now) == pytest.approx(8 / 6)


def test_slower_by_half_is_no_stall_and_a_new_pace_becomes_the_usual_one() -> None:
    pace = Pace()
    now = _steps(pace, 0.0, LEAST, 1.0)
    now = _steps(pace, now, 100, 2.0)
    assert pace.stalled_rate(now) is None
    now = _steps(pace, now, 100, 20.0)  # larger images from now on
    assert pace.stalled_rate(now) is None


def test_a_stall_is_said_in_the_progress_line(
    phantom: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, chosen = tiny_config(phantom, images=16, recipe="dcgan")
    device, display = torch.device("cpu"), Display()
    display.start(TrainingStart(tmp_path, config, build(config, device), chosen, 0, device))
    assert display.bar is not None
    now = _steps(display.pace, 0.0, 20, 1.0)
    display.pace.begin(now, 8)
    display.check_pace(now + 2)
    assert display.bar.desc == ""
    for later in (30, 60):
        display.check_pace(now + later)
        assert display.bar.desc == "stalled: "
    display.pace.end(now + 60)
    now = _steps(display.pace, now + 60, 1, 1.0)
    display.check_pace(now)
    assert display.bar.desc == ""
    display.close()
    assert (
        caplog.text.count("stalled: at most 0.27 images a second, usually 8; is another job on these processors?") == 1
    )
