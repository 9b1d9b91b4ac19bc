"""The one training loop: batches in, updates, snapshots, and a run folder that can always be resumed."""

import json
import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np
import psutil
import torch
from pydantic import BaseModel

from dermsynth.data.training_set import TrainingSet
from dermsynth.errors import Stopped
from dermsynth.io import append_json_line, count_text, environment, read_json_lines, write_json, write_text
from dermsynth.models.base import Batch, Model, Progress
from dermsynth.models.inputs import Conditions
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.registry import family
from dermsynth.rng import Draws, seed_of
from dermsynth.signals import handle_signals
from dermsynth.training import checkpoints, distributed
from dermsynth.training.callbacks import Callback, LogLine, TrainingStart
from dermsynth.training.checkpoints import Best, Checkpoint, CheckpointState
from dermsynth.training.checks import as_begun, check_abilities, check_batch, check_batches, check_folder
from dermsynth.training.config import RunConfig, TrainingSettings, validate
from dermsynth.training.display import Display, TensorBoard
from dermsynth.training.feed import feed_of
from dermsynth.training.health import GRACE, Alarms, spread
from dermsynth.training.memory import in_more_pieces
from dermsynth.training.optimisation import TrainingStopped, Updater
from dermsynth.training.run_folder import CONFIG
from dermsynth.training.snapshot import Watcher, measure, write_samples
from dermsynth.training.threads import ENVIRONMENT
from dermsynth.training.transfer import transfer

logger = logging.getLogger(__name__)

LOG = "log.jsonl"


class Interrupted(Stopped):
    """Ctrl-C or a signal such as SIGTERM: everything is saved."""


def build(config: RunConfig, device: torch.device) -> Model:
    """The model of a configuration with freshly drawn weights: a function of its seed."""
    data = config.data
    own = validate(family(config.family).config_type, config.model, "model")
    conditions = Conditions(len(data.classes), len(data.map_layers), data.superpixels)
    return create(config.family, own, Shape(data.height, data.width), conditions, config.training).to(device)


def create(name: str, own: BaseModel, shape: Shape, conditions: Conditions, settings: TrainingSettings) -> Model:
    """A family's model with freshly drawn weights from its own configuration and the settings of the loop."""
    torch.manual_seed(settings.seed)
    model = family(name).create(own, shape, conditions)
    model.dtype = getattr(torch, settings.precision)
    model.length = settings.images
    return model


@dataclass
class State:
    """What changes from step to step, beside networks and optimisers."""

    images: int = 0
    step: int = 0
    seconds: float = 0.0
    best: Best | None = None
    best_by: str = ""
    alarms: Alarms = field(default_factory=Alarms)

    @classmethod
    def of(cls, saved: CheckpointState) -> "State":
        """The state that a checkpoint was written with."""
        return cls(saved.images, saved.step, saved.seconds, saved.best, saved.best_by, saved.alarms)


class Trainer:
    """A run in progress."""

    def __init__(
        self,
        run: Path,
        config: RunConfig,
        data: TrainingSet,
        watchers: Sequence[Watcher],
        device: str,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.run, self.config, self.data, self.watchers = run, config, data, watchers
        self.device = distributed.choose_device(device)
        self.model = build(config, self.device)
        self.updater = Updater(self.model, config.training.rate)
        self.feed = feed_of(data, self.device)
        self.state = State()
        self.callbacks = [Display(), TensorBoard(), *callbacks] if self.leader else []
        self.real_spread = spread(np.asarray(data.images[:512]))
        self.stop_requested = False

    @property
    def leader(self) -> bool:
        """Whether this process writes."""
        return distributed.rank() == 0

    def _report(self, line: str) -> None:
        if self.leader:
            logger.info(line)

    def prepare(self) -> None:
        """Resume from the last whole checkpoint, or start: from nothing, or from other weights."""
        if self.leader:
            checkpoints.sweep(self.run)
        last, problems = checkpoints.last_whole(self.run)
        for problem in problems:
            logger.warning(f"passed over: {problem}")
        if last is not None:
            self._resume(last)
        elif self.config.training.initial:
            source = checkpoints.find(Path(self.config.training.initial))
            self._report(transfer(self.model, self.config.family, self.data.classes, source, self.data.label))
        self._trim_log()

    def _resume(self, last: Checkpoint) -> None:
        self.model.load_state_dict(last.network())
        checkpoints.restore_optimisers(self.updater.optimisers, last.optimiser())
        self.state = State.of(last.state)
        if last.state.threads not in (None, torch.get_num_threads()):
            self._report(
                f"{last.state.threads} threads so far, now {torch.get_num_threads()}: sums of floats are rounded in another "
                "way, so the run does not go on bit for bit"
            )
        self._report(f"resuming at {count_text(self.state.images)} images")

    def _trim_log(self) -> None:
        """Drop lines that were written after the checkpoint from which the run goes on."""
        lines = [line for line in read_json_lines(self.run / LOG) if line["images"] <= self.state.images]
        if self.leader and (self.run / LOG).exists():
            write_text(self.run / LOG, "".join(json.dumps(line) + "\n" for line in lines))

    def train(self) -> Checkpoint:
        """Show images until the length is reached; returns the last checkpoint.

        Raises TrainingStopped for an alarm and Interrupted for a signal, both after the last good state is on disk.
        """
        state, started = self.state, time.perf_counter() - self.state.seconds
        start = TrainingStart(self.run, self.config, self.model, self.data, state.images, self.device)
        with ExitStack() as stack:
            for callback in self.callbacks:
                stack.callback(callback.close)
                callback.start(start)
            if state.images == 0:
                self._snapshot()
            while state.images < self.config.training.images:
                before = state.images
                self._timed_step(started)
                self._after_step(before)
        return checkpoints.find(self.run)

    def _timed_step(self, started: float) -> None:
        batch = self.model.batch_at(self.state.images, self.config.training.batch)
        for callback in self.callbacks:
            callback.begin_step(batch)
        self.step()
        self.state.seconds = time.perf_counter() - started
        for callback in self.callbacks:
            callback.end_step(self.state.images, batch)

    def _after_step(self, before: int) -> None:
        """Log and snapshot where they are due since `before` images, and stop where a signal came."""
        settings, images = self.config.training, self.state.images
        last = images >= settings.images
        log_due = last or images // settings.log > before // settings.log
        due = last or images // settings.snapshot > before // settings.snapshot
        stopping = distributed.agree(self.stop_requested) and not last
        if log_due or due or stopping:
            self.updater.check()
        if log_due:
            self._log()
        if due:
            self._snapshot()
        if stopping:
            if not due:
                self._save()
            raise Interrupted(f"stopped and saved in {self.run}; repeat the command to go on")

    def step(self) -> None:
        """One step on the next images in order: this process's share, in `accumulate` pieces."""
        settings, state = self.config.training, self.state
        total = self.model.batch_at(state.images, settings.batch)
        check_batch(total, settings.accumulate)
        share = total // distributed.count()
        size = share // settings.accumulate
        begin = distributed.rank() * share
        pieces = [self._batch(total, begin + i * size, size) for i in range(settings.accumulate)]
        progress = Progress(state.step, state.images, distributed.count(), distributed.total)
        self.updater.step(pieces, progress)
        state.step += 1
        state.images += total

    def _batch(self, total: int, offset: int, size: int) -> Batch:
        seed = seed_of(self.config.training.seed, "step", self.state.step)
        draws = Draws.for_step(self.device, seed, total=total, start=offset, count=size)
        return self.feed.batch(self.state.images + offset, size, draws)

    def _log(self) -> None:
        line = LogLine(
            images=self.state.images,
            seconds=round(self.state.seconds, 2),
            losses=self.updater.losses(),
            statistics=self.model.statistics(),
            memory_gib=round(psutil.Process().memory_info().rss / 2**30, 3),
        )
        if self.leader:
            append_json_line(self.run / LOG, line.model_dump())
        for callback in self.callbacks:
            callback.log(line)

    def _snapshot(self) -> None:
        """Check, sample, measure and save in the first process, while the others wait."""
        reason = (self._check_health() or self._measure()) if self.leader else None
        if distributed.agree(reason is not None):
            raise TrainingStopped(reason or "stopped by another process")
        self._save()

    def _check_health(self) -> str | None:
        """Write samples and look at them and the weights; returns the reason to stop, if there is one."""
        bad = checkpoints.first_not_finite(self.model.state_dict())
        if bad:
            return f"{bad} is not finite; lower the learning rate or use float32"
        samples = write_samples(self.model, self.data, self.run / "samples" / f"{self.state.images:09d}.png")
        if self.state.images < GRACE:
            return None
        alarms, strength, limit = self.state.alarms, self.model.augmentation_strength(), self.model.augmentation_limit()
        reason = alarms.observe(samples, self.real_spread, strength, limit or 0.0)
        warning = None if reason else alarms.warning(limit or 0.0)
        if warning:
            logger.warning(f"warning: {warning}")
            append_json_line(self.run / LOG, {"images": self.state.images, "warning": warning})
        return reason

    def _measure(self) -> str | None:
        """Let the watchers measure, and keep track of the best checkpoint; returns the reason to stop, if there is one.

        Where sampling is slow an untrained generator is not measured.
        """
        if self.state.images == 0 and self.model.samples_slowly:
            return None
        figures, reason = measure(self.watchers, self.model, self.data, self.state.images)
        if not figures:
            return reason
        append_json_line(self.run / LOG, {"images": self.state.images, "metrics": figures})
        for callback in self.callbacks:
            callback.measure(self.state.images, figures)
        best_by = next((watcher.best_by for watcher in self.watchers if watcher.best_by in figures), "")
        if best_by and not reason:
            self._choose_best(best_by, figures[best_by])
        return reason

    def _choose_best(self, name: str, value: float) -> None:
        state = self.state
        if state.best and checkpoints.figure_id(state.best_by) != checkpoints.figure_id(name):
            former = state.best_by or "another figure"
            self._report(f"the best checkpoint was chosen by {former}, from now on by {name}")
            state.best = None
        state.best_by = name
        if state.images > 0 and value < (state.best.value if state.best else float("inf")):
            state.best = Best(images=state.images, value=value)
            self._report(f"best checkpoint so far, by {name}: {value:.4g} at {count_text(state.images)}")

    def _save(self) -> None:
        if self.leader:
            best = self.state.best
            checkpoints.save(self.run, self.model.state_dict(), self.updater.optimisers, self._checkpoint_state())
            if best is not None:
                write_json(self.run / checkpoints.BEST, best.model_dump())
            checkpoints.prune(self.run, self.config.training.keep, None if best is None else best.images)
        distributed.wait()

    def _checkpoint_state(self) -> CheckpointState:
        return CheckpointState(
            **{**vars(self.state), "alarms": Alarms(**asdict(self.state.alarms))},
            edition=self.model.edition,
            family=self.config.family,
            classes=self.data.classes,
            threads=torch.get_num_threads(),
        )

    def request_stop(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: finish this step, save, stop."""
        self.stop_requested = True


def train(
    run: Path,
    config: RunConfig,
    data: TrainingSet,
    *,
    watchers: Sequence[Watcher] = (),
    callbacks: Sequence[Callback] = (),
    device: str = "auto",
) -> Checkpoint:
    """Train to the configured length, or go on where the run folder stands, alone in this folder.

    The same configuration on the same folder, with the same number of threads, resumes bit for bit. Where a GPU's memory is too
    small, the run goes on from its last checkpoint with each batch in more pieces.

    Parameters
    ----------
    run
        The run's folder.
    config
        Every choice.
    data
        The images that are shown.
    watchers
        Measure every snapshot; the figure that one of them names (`best_by`) chooses the best checkpoint.
    callbacks
        Told of every step, line of the log and measurement, beside the progress bar.
    device
        auto, cpu, cuda or cuda:1.

    Returns
    -------
    Checkpoint
        The last one.

    Raises
    ------
    UserError
        The folder holds a run with another configuration, or another process writes into it.
    TrainingStopped
        An alarm; the last good checkpoint is kept.
    Interrupted
        Ctrl-C or SIGTERM; everything is saved.
    """
    distributed.keep_freed_memory()
    distributed.start(device)
    try:
        config = as_begun(run, config)
        check_batch(config.training.batch, config.training.accumulate)
        check_abilities(config)
        check_folder(run, config)
        distributed.wait()
        with distributed.held(run):
            while True:
                try:
                    return _train(run, config, data, watchers, callbacks, device)
                except torch.OutOfMemoryError:
                    pass  # what the networks held is free once the error is forgotten
                config = in_more_pieces(run, config)
    finally:
        distributed.stop()


def _train(
    run: Path,
    config: RunConfig,
    data: TrainingSet,
    watchers: Sequence[Watcher],
    callbacks: Sequence[Callback],
    device: str,
) -> Checkpoint:
    """Train from the last whole checkpoint, or from the start."""
    _write_config(run, config)
    trainer = Trainer(run, config, data, watchers, device, callbacks)
    check_batches(trainer.model, config)
    trainer.prepare()
    with handle_signals(trainer.request_stop):
        return trainer.train()


def _write_config(run: Path, config: RunConfig) -> None:
    """Write the configuration into the folder, with what else the numbers depend on."""
    if distributed.rank() == 0:
        write_json(run / CONFIG, config.model_dump(mode="json"))
        write_json(run / ENVIRONMENT, {**environment(), "threads": torch.get_num_threads()})
    distributed.wait()
