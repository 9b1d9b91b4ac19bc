import json
import logging
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.training_set import Selection, training_set
from dermsynth.errors import UserError
from dermsynth.images import read_image
from dermsynth.io import read_json, read_json_lines, write_json
from dermsynth.locks import folder_lock
from dermsynth.models.diffusion import PASSES
from dermsynth.models.inputs import DataRequest
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.registry import FAMILIES
from dermsynth.training import checkpoints
from dermsynth.training.benchmark import measure
from dermsynth.training.callbacks import Callback, LogLine, TrainingStart
from dermsynth.training.config import RunConfig, TrainingSettings, read_config, validate
from dermsynth.training.data import Plan, configure, resolve
from dermsynth.training.display import describe
from dermsynth.training.health import Alarms, spread
from dermsynth.training.loop import Interrupted, Trainer, train
from dermsynth.training.optimisation import TrainingStopped
from dermsynth.training.snapshot import Snapshot, Watcher
from tests.conftest import tiny_config
from tests.warm import Warm, start, start_verb


def _train(data: Path, folder: Path, images: int) -> int:
    config, chosen = tiny_config(open_data_set(data), images=images, snapshot=24)
    try:
        train(folder, config, chosen, device="cpu")
    except Interrupted:
        return 130
    return 0


class Timer(Callback):
    """Ends the process without warning when it has computed so many seconds after so many lines of its log.

    The signal of a timer of CPU time is not handled: it ends a process as abruptly as SIGKILL, on a busy machine as on an idle one.
    """

    def __init__(self, lines: int, seconds: float) -> None:
        self.lines, self.seconds = lines, seconds

    def log(self, line: LogLine) -> None:
        self.lines -= 1
        if self.lines == 0:
            signal.setitimer(signal.ITIMER_PROF, self.seconds)


def _train_until(data: Path, folder: Path, images: int, lines: int, seconds: float) -> None:
    config, chosen = tiny_config(open_data_set(data), images=images, snapshot=24)
    train(folder, config, chosen, callbacks=[Timer(lines, seconds)], device="cpu")


def _start(data: DataSet, folder: Path, images: int) -> Warm:
    return start(_train, data.folder, folder, images)


def _equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_a_run_is_one_folder(run: Path) -> None:
    assert {p.name for p in run.iterdir()} >= {
        "config.json",
        "environment.json",
        "log.jsonl",
        "checkpoints",
        "samples",
        "best.json",
    }
    losses = [line for line in read_json_lines(run / "log.jsonl") if "losses" in line]
    assert [line["images"] for line in losses] == [16, 32, 48, 64]
    assert {"generator/adversarial", "discriminator/real", "discriminator/fake"} <= losses[0]["losses"].keys()
    assert all("augmentation_p" in line["statistics"] for line in losses)
    assert json.loads((run / "best.json").read_text()) == {"images": 64, "value": 36.0}
    assert read_image(run / "samples" / "000000064.png").shape == (4 * 18 - 2, 8 * 18 - 2, 3)


class Recorder(Callback):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []
        self.lines: list[LogLine] = []

    def start(self, training: TrainingStart) -> None:
        self.events.append(("start", training.images))

    def end_step(self, images: int, batch: int) -> None:
        self.events.append(("step", images))

    def log(self, line: LogLine) -> None:
        self.lines.append(line)

    def measure(self, images: int, figures: Mapping[str, float]) -> None:
        self.events.append(("measure", int(figures["figure"])))

    def close(self) -> None:
        self.events.append(("close", 0))


def test_callbacks_hear_of_steps_log_lines_and_measurements(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, images=24, recipe="dcgan", snapshot=16)
    recorder = Recorder()
    watchers = [Watcher(lambda glimpse: {"figure": float(glimpse.images_shown)})]
    train(tmp_path / "run", config, chosen, watchers=watchers, callbacks=[recorder], device="cpu")
    assert recorder.events == [
        ("start", 0), ("measure", 0), ("step", 8), ("step", 16), ("measure", 16), ("step", 24), ("measure", 24), ("close", 0),
    ]  # fmt: skip
    written = [line for line in read_json_lines(tmp_path / "run" / "log.jsonl") if "losses" in line]
    assert [line.model_dump() for line in recorder.lines] == written


def test_the_best_checkpoint_is_chosen_by_the_figure_that_is_named(phantom: DataSet, tmp_path: Path) -> None:
    def figures(glimpse: Snapshot) -> dict[str, float]:
        return {"rises": float(glimpse.images_shown), "falls": float(-glimpse.images_shown)}

    config, chosen = tiny_config(phantom, images=32, recipe="dcgan", snapshot=16)
    for name, best in (("rises", 16), ("falls", 32)):
        watchers = [Watcher(lambda glimpse: {"other": 0.0}), Watcher(figures, best_by=name)]
        train(tmp_path / name, config, chosen, watchers=watchers, device="cpu")
        assert checkpoints.find(tmp_path / name, "best").images == best
        assert checkpoints.find(tmp_path / name).state.best_by == name
    for name in ("", "other"):
        run = tmp_path / f"none-{name}"
        train(run, config, chosen, watchers=[Watcher(figures, best_by=name)], device="cpu")
        assert checkpoints.find(run).state.best is None


def test_a_watcher_can_end_a_training_before_its_checkpoint(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, images=32, recipe="dcgan", snapshot=8)
    shown = Watcher(lambda glimpse: {"shown": float(glimpse.images_shown)}, best_by="shown")
    alarm = Watcher(
        lambda glimpse: {"figure": float(glimpse.images_shown)},
        alarm=lambda figures: "too far" if figures["figure"] >= 24 else None,
    )
    for _ in range(2):
        with pytest.raises(TrainingStopped, match="too far"):
            train(tmp_path / "run", config, chosen, watchers=[shown, alarm], device="cpu")
        assert checkpoints.find(tmp_path / "run").images == 16, (
            "the same again: it goes on from the last good checkpoint"
        )
    lines = [line for line in read_json_lines(tmp_path / "run" / "log.jsonl") if "metrics" in line]
    assert [line["images"] for line in lines] == [0, 8, 16, 24]


def test_families_without_adversary_have_a_length_of_their_own(phantom: DataSet) -> None:
    request = DataRequest(Decoding(16, 16), Selection())
    plan = Plan("diffusion", training={"seed": 0})
    config, chosen = configure(plan, phantom, request)
    assert config.training.images == PASSES * len(chosen.images)
    assert (config.training.snapshot, resolve(Plan("dcgan", training={"images": 5}), Shape(16, 16))[1].snapshot) == (
        16_000,
        4_000,
    )
    asked, _ = configure(Plan("diffusion", training={"images": 50, "snapshot": 10}), phantom, request)
    assert (asked.training.images, asked.training.snapshot) == (50, 10)
    with pytest.raises(UserError, match="`images` is missing: how many images dcgan is shown, for example 40k"):
        configure(Plan("dcgan"), phantom, request)


def test_a_length_beyond_a_familys_own_is_said(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, images=100 * PASSES * 240, recipe="diffusion")
    trainer = Trainer(tmp_path / "run", config, chosen, [], "cpu")
    start = TrainingStart(tmp_path / "run", config, trainer.model, chosen, 0, trainer.device)
    (line,) = [line for line in describe(start) if "each image" in line]
    assert re.fullmatch(r"each image is shown \d+ times, usual are up to 200: look out for copies", line)
    shorter = config.model_copy(update={"training": config.training.model_copy(update={"images": 240})})
    assert not [line for line in describe(replace(start, config=shorter)) if "each image" in line]


def test_slow_families_are_not_measured_before_they_are_trained(phantom: DataSet, tmp_path: Path) -> None:
    watchers = [Watcher(lambda glimpse: {"shown": float(glimpse.images_shown)})]
    for name, first in (("diffusion", 8), ("dcgan", 0)):
        config, chosen = tiny_config(phantom, images=8, recipe=name, snapshot=8)
        train(tmp_path / name, config, chosen, watchers=watchers, device="cpu")
        lines = [line for line in read_json_lines(tmp_path / name / "log.jsonl") if "metrics" in line]
        assert lines[0]["images"] == first


def test_callbacks_are_closed_where_one_fails(phantom: DataSet, tmp_path: Path) -> None:
    class Failing(Callback):
        def end_step(self, images: int, batch: int) -> None:
            raise UserError("enough")

    config, chosen = tiny_config(phantom, images=24, recipe="dcgan")
    recorder = Recorder()
    with pytest.raises(UserError, match="enough"):
        train(tmp_path / "run", config, chosen, callbacks=[recorder, Failing()], device="cpu")
    assert recorder.events[-1] == ("close", 0)


def test_every_random_kill_leaves_a_run_that_ends_the_same(phantom: DataSet, tmp_path: Path) -> None:
    """Killed at a random moment after it has gone on by at least one line of its log."""
    images = 320
    assert _start(phantom, tmp_path / "calm", images).wait(timeout=400) == 0
    chance = random.Random(3)
    for _ in range(3):
        lines, seconds = chance.randint(1, 4), chance.uniform(0.001, 0.05)
        process = start(_train_until, phantom.folder, tmp_path / "killed", images, lines, seconds)
        assert process.wait(timeout=400) == -signal.SIGPROF, process.output()
    assert _start(phantom, tmp_path / "killed", images).wait(timeout=400) == 0
    calm, killed = checkpoints.find(tmp_path / "calm"), checkpoints.find(tmp_path / "killed")
    assert calm.images == killed.images == images
    assert _equal(calm.network(), killed.network())
    assert _equal(calm.optimiser(), killed.optimiser())
    logs = [
        [line["images"] for line in read_json_lines(tmp_path / n / "log.jsonl") if "losses" in line]
        for n in ("calm", "killed")
    ]
    assert logs[0] == logs[1]


@pytest.mark.slow
def test_ten_random_kills_of_a_real_training_leave_the_same_weights(tmp_path: Path) -> None:
    """The laptop preset at 32 px on the phantom through the shell, killed ten times, against an undisturbed run."""
    command = [sys.executable, "-m", "dermsynth.cli.app", "train", "stylegan2-ada", "--resolution", "32", "--images", "2k",
               "--snapshot", "160", "--log", "80"]  # fmt: skip
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([*command, "--out", str(tmp_path / "calm")], check=True, capture_output=True, env=environment)
    chance, kills = random.Random(0), 0
    while kills < 10:
        process = subprocess.Popen(
            [*command, "--out", str(tmp_path / "killed")], stderr=subprocess.DEVNULL, env=environment
        )
        time.sleep(chance.uniform(8, 20))
        assert process.poll() is None, "finished before ten kills; make it longer"
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    subprocess.run([*command, "--out", str(tmp_path / "killed")], check=True, capture_output=True, env=environment)
    calm, killed = checkpoints.find(tmp_path / "calm"), checkpoints.find(tmp_path / "killed")
    assert calm.images == killed.images == 2000
    assert _equal(calm.network(), killed.network())
    assert _equal(calm.optimiser(), killed.optimiser())


def test_control_c_saves_and_the_same_call_goes_on(phantom: DataSet, tmp_path: Path) -> None:
    process = _start(phantom, tmp_path / "run", 100_000)
    while not list((tmp_path / "run").glob("checkpoints/00*8")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=400) == 130
    stopped = checkpoints.find(tmp_path / "run").images
    assert stopped > 0
    assert read_config(tmp_path / "run").training.images == 100_000
    config, chosen = tiny_config(phantom, images=stopped + 16, snapshot=24)
    assert train(tmp_path / "run", config, chosen, device="cpu").images == stopped + 16


def test_another_configuration_on_the_same_folder_is_refused(run: Path, phantom: DataSet) -> None:
    config, chosen = tiny_config(phantom, batch=16)
    with pytest.raises(UserError, match=r"training\.batch was 8, now 16"):
        train(run, config, chosen, device="cpu")


def test_a_folder_with_other_things_is_not_touched(phantom: DataSet, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    config, chosen = tiny_config(phantom)
    with pytest.raises(UserError, match="not empty and not a run"):
        train(tmp_path, config, chosen, device="cpu")
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_second_training_in_the_same_folder_stops(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, images=16, recipe="dcgan")
    with (
        folder_lock(tmp_path / "run"),
        pytest.raises(UserError, match=rf"process {os.getpid()} on \S+ writes into it since"),
    ):
        train(tmp_path / "run", config, chosen, device="cpu")
    assert train(tmp_path / "run", config, chosen, device="cpu").images == 16
    assert not (tmp_path / "run" / ".lock").exists()


def test_not_finite_stops_and_keeps_the_last_good_checkpoint(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, images=200)
    trainer = Trainer(tmp_path / "run", config, chosen, [], "cpu")
    (tmp_path / "run").mkdir()
    inner, calls = trainer.step, []

    def poison() -> None:
        inner()
        calls.append(1)
        if len(calls) == 10:
            next(trainer.model.generator.parameters()).data[:] = float("nan")  # type: ignore[union-attr]

    trainer.step = poison  # type: ignore[method-assign]
    with pytest.raises(TrainingStopped, match="not finite"):
        trainer.train()
    good = checkpoints.find(tmp_path / "run")
    assert good.images == 64
    assert checkpoints.first_not_finite(good.network()) is None


def test_collapse_ends_a_run_and_saturation_is_said_once_after_three_snapshots() -> None:
    generator = np.random.default_rng(0)
    real = generator.integers(0, 255, (64, 3, 16, 16), dtype=np.uint8)
    alike = np.repeat(real[:1], 64, axis=0)
    alarms = Alarms()
    assert [alarms.observe(alike, spread(real), 0.1, 0.8) for _ in range(2)] == [None, None]
    assert "collapse" in str(alarms.observe(alike, spread(real), 0.1, 0.8))
    alarms = Alarms()
    said = []
    for p in (0.8, 0.8, 0.1, 0.8, 0.8, 0.8, 0.8, 0.8, 0.1, 0.8, 0.8, 0.8):
        assert alarms.observe(real, spread(real), p, 0.8) is None
        said.append(alarms.warning(0.8))
    assert [place for place, text in enumerate(said) if text] == [5, 11]
    assert "augmentation saturated: p has stayed at its bound 0.8" in str(said[5])
    assert [alarms.observe(real, spread(real), None, 0.0) for _ in range(5)] == [None] * 5
    assert alarms.warning(0.0) is None


def test_a_training_with_augmentation_at_its_bound_goes_on(
    phantom: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few images are what augmentation is for: the bound is said, in the terminal and in the log, and nothing ends."""
    monkeypatch.setattr("dermsynth.training.loop.GRACE", 0)
    config, chosen = tiny_config(phantom, images=80, snapshot=16)
    bound = {"ada_initial": 0.3, "ada_maximum": 0.3, "ada_target": 0.0, "ada_images": 1e9}
    config = config.model_copy(update={"model": {**config.model, **bound}})
    assert train(tmp_path / "run", config, chosen, device="cpu").images == 80
    lines = [line for line in read_json_lines(tmp_path / "run" / "log.jsonl") if "warning" in line]
    assert [line["images"] for line in lines] == [32]
    assert "p has stayed at its bound 0.3" in lines[0]["warning"]
    assert caplog.text.count("warning: augmentation saturated") == 1


def test_a_full_disk_is_one_line_and_leaves_a_run_that_goes_on(phantom: DataSet, tmp_path: Path) -> None:
    """Files may not grow beyond 200 KiB, as on a disk that is full; the checkpoint before is whole."""
    words = ["train", "dcgan", "--data", str(phantom.folder), "--out", str(tmp_path / "run"), "--resolution", "16", "--batch", "8",
             "--images", "16", "--unconditional", "--device", "cpu"]  # fmt: skip
    full = start_verb(*words, largest_file=200 * 1024)
    _, errors = full.communicate(timeout=400)
    assert full.returncode == 1
    assert errors.splitlines()[-1].startswith("dermsynth: ")
    assert "free some space and repeat the command" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert start_verb(*words).wait(timeout=400) == 0
    assert checkpoints.find(tmp_path / "run").images == 16


def test_batches_of_any_size_are_a_clear_line_or_work(phantom: DataSet, tmp_path: Path) -> None:
    train_images = int((phantom.table["split"] == "train").sum())
    for batch, images in ((2 * train_images, 16), (64, 16)):  # more than there are images, more than are to be shown
        config, chosen = tiny_config(phantom, images=images, recipe="dcgan", batch=batch)
        assert train(tmp_path / str(batch), config, chosen, device="cpu").images == batch
    with pytest.raises(UserError, match="batch = 0: input should be greater than or equal to 1"):
        validate(TrainingSettings, {"images": 1, "batch": 0}, "train")


def test_whole_batches_refuse_pieces_of_a_batch(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, recipe="dcgan", batch=8, accumulate=2)
    with pytest.raises(UserError, match=r"`accumulate` 2: dcgan has statistics or a pool over a batch"):
        train(tmp_path / "run", config, chosen, device="cpu")
    assert not (tmp_path / "run").exists()


def test_half_precision_is_automatic_where_it_can_be(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, recipe="dcgan", images=32, precision="float16")
    with pytest.raises(UserError, match="`precision` 'float16': dcgan takes float32 or bfloat16"):
        train(tmp_path / "run", config, chosen, device="cpu")
    ends = []
    for precision in ("float32", "bfloat16"):
        config, chosen = tiny_config(phantom, recipe="dcgan", images=32, precision=precision)
        ends.append(train(tmp_path / precision, config, chosen, device="cpu").network())
    one, two = (torch.cat([t.float().flatten() for t in end.values()]) for end in ends)
    assert not torch.equal(one, two)
    assert float((one - two).norm() / one.norm()) < 0.1
    assert all(t.dtype != torch.bfloat16 for t in ends[1].values())


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_family_takes_every_kind_of_step_in_bfloat16(name: str, phantom: DataSet, tmp_path: Path) -> None:
    """Penalties through the augmentation too, whose gradients come in bfloat16 where its images are float32."""
    config, chosen = tiny_config(phantom, recipe=name, precision="bfloat16")
    trainer = Trainer(tmp_path, config, chosen, [], "cpu")
    for step in (0, 1, trainer.model.period):
        trainer.state.step = step
        trainer.step()
    assert trainer.updater.losses()
    assert all(math.isfinite(value) for value in trainer.updater.losses().values())
    assert all(parameter.dtype == torch.float32 for parameter in trainer.model.parameters())


def test_the_clock_counts_images_where_the_batch_changes(phantom: DataSet, tmp_path: Path) -> None:
    """pgan halves its batch at 8 pixels; every image of the order is still shown once and in order."""
    config, chosen = tiny_config(phantom, recipe="pgan", images=64, snapshot=16, log=1)
    model = {**config.model, "minibatch": {8: 4}}
    train(tmp_path / "run", config.model_copy(update={"model": model}), chosen, device="cpu")
    shown = [line["images"] for line in read_json_lines(tmp_path / "run" / "log.jsonl") if "losses" in line]
    assert shown == [8, 16, *range(20, 65, 4)]


def test_measuring_a_family_counts_and_times() -> None:
    facts = measure("dcgan", Shape(16, 16), steps=1)
    assert facts.seconds is not None
    assert facts.seconds > 0
    assert set(facts.parameters) == {"generator", "discriminator"}
    assert "nearest" in measure("dcgan", Shape(100, 100)).text()


def test_batch_must_divide(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, batch=8, accumulate=3)
    with pytest.raises(UserError, match="`batch` 8: not divisible"):
        train(tmp_path / "run", config, chosen, device="cpu")


def test_settings_name_the_field_the_value_and_what_is_allowed() -> None:
    with pytest.raises(
        UserError, match=r"train: precision = 'float8': input should be 'float32', 'bfloat16' or 'float16'"
    ):
        validate(TrainingSettings, {"images": 1, "precision": "float8"}, "train")
    with pytest.raises(UserError, match=r"unknown option 'lerning_rate'; there are: .*batch"):
        validate(TrainingSettings, {"images": 1, "lerning_rate": 1}, "train")


def test_the_configuration_comes_back_complete(run: Path, phantom: DataSet) -> None:
    config = read_config(run)
    assert config == tiny_config(phantom)[0]
    assert isinstance(config, RunConfig)


def test_bfloat16_trains(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, images=32, precision="bfloat16")
    assert checkpoints.first_not_finite(train(tmp_path / "run", config, chosen, device="cpu").network()) is None


def test_every_batch_that_will_come_must_divide(phantom: DataSet, tmp_path: Path) -> None:
    config, chosen = tiny_config(phantom, recipe="pgan", images=64, accumulate=2)
    model = {**config.model, "minibatch": {16: 5}}
    with pytest.raises(UserError, match="`batch` 5: not divisible"):
        train(tmp_path / "run", config.model_copy(update={"model": model}), chosen, device="cpu")
    assert not list((tmp_path / "run" / "checkpoints").glob("*"))


def test_one_label_beside_unlabelled_images_trains_on_all(phantom: DataSet) -> None:
    table = phantom.table.assign(label=["nevus" if i % 2 else "" for i in range(len(phantom.table))], split="train")
    half = DataSet(phantom.folder, table, phantom.description)
    assert len(training_set(half, Decoding(16, 16)).images) == len(table)


def test_a_resumed_run_keeps_its_best_under_the_id_or_the_stored_name(
    phantom: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, chosen = tiny_config(phantom, images=16, recipe="dcgan", snapshot=16)
    rising = [Watcher(lambda glimpse: {checkpoints.STORED_NAME: float(glimpse.images_shown)}, checkpoints.STORED_NAME)]
    train(tmp_path / "run", config, chosen, watchers=rising, device="cpu")
    state = checkpoints.find(tmp_path / "run").path / "state.json"
    write_json(state, {**read_json(state), "best_by": checkpoints.MEAN_DISTANCE_RATIO})
    longer, chosen = tiny_config(phantom, images=32, recipe="dcgan", snapshot=16)
    train(tmp_path / "run", longer, chosen, watchers=rising, device="cpu")
    assert "from now on by" not in caplog.text
    assert checkpoints.find(tmp_path / "run").state.best == checkpoints.Best(images=16, value=16.0)


def test_a_setting_that_is_newer_than_a_run_is_what_it_was_then_unless_it_is_asked_for(
    phantom: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`colour_start` came later, and the preset has another value than the default by now."""
    caplog.set_level(logging.INFO)
    config, chosen = tiny_config(phantom, images=16)
    newer = config.model_copy(update={"model": config.model | {"colour_start": 0.2}})
    older = config.model_copy(update={"model": config.model | {"colour_start": 1.0}})
    for run in ("whole", "resumed"):
        train(tmp_path / run, older if run == "whole" else older.model_copy(deep=True), chosen, device="cpu")
    path = tmp_path / "resumed" / "config.json"
    written = json.loads(path.read_text())
    del written["model"]["colour_start"]
    path.write_text(json.dumps(written))
    longer = {"training": config.training.model_copy(update={"images": 32})}
    asked = newer.model_copy(update={**longer, "model": newer.model | {"colour_start": 0.7}})
    with pytest.raises(UserError, match=r"model.colour_start was 1.0, now 0.7"):
        train(tmp_path / "resumed", asked, chosen, device="cpu")
    ends = [
        train(tmp_path / run, begun.model_copy(update=longer), chosen, device="cpu")
        for run, begun in (("whole", older), ("resumed", newer))
    ]
    whole, resumed = (end.network() for end in ends)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert json.loads(path.read_text())["model"]["colour_start"] == 1.0
    assert "begun before these settings existed, and goes on without them: colour_start 1.0" in caplog.text
