"""The one training loop: batches in, updates, snapshots, and a run folder that can always be resumed."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from dermsynth.data.training_set import TrainingSet
from dermsynth.errors import Stopped, UserError
from dermsynth.images import encode_png, grid
from dermsynth.io import append_json_line, count_text, environment, read_json_lines, write_bytes, write_json, write_text
from dermsynth.locks import LOCK
from dermsynth.models.base import Batch, Progress, Recipe, require_edition
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.registry import family
from dermsynth.models.sampler import batch_of, beside_inputs, confidence_of, images_of
from dermsynth.rng import Draws, seed_of
from dermsynth.signals import handled
from dermsynth.training import checkpoints, distributed
from dermsynth.training.config import CONFIG, RunConfig, differences, read_config, validated
from dermsynth.training.display import Display
from dermsynth.training.health import GRACE, Alarms, spread
from dermsynth.training.optimisation import TrainingStopped, Updater
from dermsynth.training.threads import ENVIRONMENT
from dermsynth.training.transfer import transfer

LOG = "log.jsonl"
GRID_COLUMNS, GRID_ROWS = 8, 4


@dataclass(frozen=True)
class Glimpse:
    """What may be asked at a snapshot: images of seeds and class numbers, and how sure the discriminator is of images."""

    images_shown: int
    generate: Callable[[Sequence[int], Sequence[int]], NDArray[np.uint8]]
    confidence: Callable[[NDArray[np.uint8], Sequence[int]], NDArray[np.float64] | None]


Watcher = Callable[[Glimpse], Mapping[str, float]]
"""Called at every snapshot; returns figures for the log.

The first figure of the first watcher decides which checkpoint is the best: lower is better.
"""


class Interrupted(Stopped):
    """Ctrl-C or a signal such as SIGTERM: everything is saved."""


def build(config: RunConfig, device: torch.device) -> Recipe:
    """The recipe of a configuration with freshly drawn weights: a function of its seed."""
    kind = family(config.recipe)
    model = validated(kind.config_type, config.model, "model")
    torch.manual_seed(config.training.seed)
    data = config.data
    shape = Shape(data.height, data.width)
    extra = (len(data.map_layers), data.superpixels) if kind.takes == "maps" else ()
    recipe = kind(model, shape, len(data.classes), *extra)  # type: ignore[arg-type, call-arg]
    recipe.dtype = getattr(torch, config.training.precision)
    recipe.length = config.training.images
    return recipe.to(device)


@dataclass
class State:
    """What a checkpoint must hold beside the networks and the optimisers."""

    images: int = 0
    step: int = 0
    seconds: float = 0.0
    best: dict[str, float] = field(default_factory=dict)
    best_by: str = ""
    alarms: Alarms = field(default_factory=Alarms)


class Trainer:
    """A run in progress."""

    def __init__(
        self, run: Path, config: RunConfig, data: TrainingSet, watchers: Sequence[Watcher], device: str
    ) -> None:
        self.run, self.config, self.data, self.watchers = run, config, data, watchers
        self.device = distributed.choose_device(device)
        self.recipe = build(config, self.device)
        self.updater = Updater(self.recipe, config.training.rate)
        self.state = State()
        self.display = Display(run, config)
        self.real_spread = spread(np.asarray(data.images[:512]))
        self.stop_requested = False

    @property
    def leader(self) -> bool:
        """Whether this process writes."""
        return distributed.rank() == 0

    def prepare(self) -> None:
        """Resume from the last whole checkpoint, or start: from nothing, or from other weights."""
        if self.leader:
            checkpoints.sweep(self.run)
        found, problems = checkpoints.last_whole(self.run)
        for problem in problems:
            print(f"  passed over: {problem}", file=sys.stderr)
        if found is not None:
            self._resume(found)
        elif self.config.training.initial:
            source = checkpoints.find(Path(self.config.training.initial))
            self.display.tell(transfer(self.recipe, self.config.recipe, self.data.classes, source))
        self._trim_log()

    def _resume(self, found: checkpoints.Checkpoint) -> None:
        self.recipe.load_state_dict(found.network())
        checkpoints.restore_optimisers(self.updater.optimisers, found.optimiser())
        saved = found.state
        self.state = State(
            saved["images"],
            saved["step"],
            saved["seconds"],
            saved["best"],
            saved.get("best_by", ""),
            Alarms(**saved["alarms"]),
        )
        if saved.get("threads") not in (None, torch.get_num_threads()):
            self.display.tell(
                f"{saved['threads']} threads so far, now {torch.get_num_threads()}: sums of floats are rounded in another way, "
                "so the run does not go on bit for bit"
            )
        self.display.tell(f"resuming at {count_text(self.state.images)} images")

    def _trim_log(self) -> None:
        """Drop lines that were written after the checkpoint from which the run goes on."""
        lines = [line for line in read_json_lines(self.run / LOG) if line["images"] <= self.state.images]
        if self.leader and (self.run / LOG).exists():
            write_text(self.run / LOG, "".join(json.dumps(line) + "\n" for line in lines))

    def train(self) -> checkpoints.Checkpoint:
        """Show images until the length is reached; returns the last checkpoint.

        Raises TrainingStopped for an alarm and Interrupted for a signal, both after the last good state is on disk.
        """
        settings, state = self.config.training, self.state
        self.display.start(self.recipe, self.data, state.images, self.device)
        started = time.perf_counter() - state.seconds
        if state.images == 0:
            self._snapshot()
        while state.images < settings.images:
            before = state.images
            with self.display.timed(self.recipe.batch_at(state.images, settings.batch)):
                self.step()
            state.seconds = time.perf_counter() - started
            last = state.images >= settings.images
            if last or state.images // settings.log > before // settings.log:
                self._log()
            self.display.advance(state.images, state.images - before)
            due = last or state.images // settings.snapshot > before // settings.snapshot
            if due:
                self._snapshot()
            if distributed.agree(self.stop_requested, self.device) and not last:
                if not due:
                    self._save()
                raise Interrupted(f"stopped and saved in {self.run}; repeat the command to go on")
        return checkpoints.find(self.run)

    def step(self) -> None:
        """One step on the next images of the order: this process's share, in `accumulate` pieces."""
        settings, state = self.config.training, self.state
        total = self.recipe.batch_at(state.images, settings.batch)
        _check_batch(total, settings.accumulate)
        share = total // distributed.count()
        size = share // settings.accumulate
        begin = distributed.rank() * share
        pieces = [self._batch(total, begin + i * size, size) for i in range(settings.accumulate)]
        progress = Progress(state.step, state.images, distributed.count(), distributed.total)
        self.updater.step(pieces, progress)
        state.step += 1
        state.images += total

    def _batch(self, total: int, offset: int, size: int) -> Batch:
        shown = self.data.take(self.state.images + offset, size)
        seed = seed_of(self.config.training.seed, "step", self.state.step)
        draws = Draws.for_step(self.device, seed, total=total, start=offset, count=size)
        return batch_of(shown, len(self.data.classes), draws, self.device)

    def _log(self) -> None:
        line = {
            "images": self.state.images,
            "seconds": round(self.state.seconds, 2),
            "losses": self.updater.losses(),
            "statistics": self.recipe.statistics(),
            "memory_gib": round(psutil.Process().memory_info().rss / 2**30, 3),
        }
        self.display.losses(line)
        if self.leader:
            append_json_line(self.run / LOG, line)

    def _generate(self, seeds: Sequence[int], labels: Sequence[int]) -> NDArray[np.uint8]:
        return images_of(self.recipe, seeds, labels, inputs=self.data.inputs(seeds))

    def _confidence(self, images: NDArray[np.uint8], labels: Sequence[int]) -> NDArray[np.float64] | None:
        return confidence_of(self.recipe, images, labels)

    def _snapshot(self) -> None:
        """Check, show, watch and save; processes other than the first wait."""
        reason = self._look() if self.leader else None
        if distributed.agree(reason is not None, self.device):
            raise TrainingStopped(reason or "stopped by another process")
        self._save()

    def _look(self) -> str | None:
        """The reason to stop, if there is one; else samples and figures are written."""
        bad = checkpoints.all_finite(self.recipe.state_dict())
        if bad:
            return f"{bad} is not finite; lower the learning rate or use float32"
        samples = self._sample_grid()
        if self.state.images >= GRACE:
            maximum = float(self.config.model.get("ada_maximum", 0.0))
            p = self.recipe.augmentation_strength()
            reason = self.state.alarms.observe(samples, self.real_spread, p, maximum)
            if reason:
                return reason
            self._warn(self.state.alarms.warning(maximum))
        self._watch()
        return None

    def _warn(self, warning: str | None) -> None:
        """Say something above the progress bar and in the log, and go on."""
        if warning:
            self.display.tell(f"warning: {warning}")
            append_json_line(self.run / LOG, {"images": self.state.images, "warning": warning})

    def _sample_grid(self) -> NDArray[np.uint8]:
        """The same seeds at every snapshot; with classes, every row shows one; what they are made from stands above them."""
        targets = self.recipe.targets()
        count = GRID_COLUMNS * max(GRID_ROWS, len(targets))
        labels = [targets[i // GRID_COLUMNS % len(targets)] for i in range(count)]
        samples = self._generate(range(count), labels)
        path = self.run / "samples" / f"{self.state.images:09d}.png"
        inputs = self.data.inputs(range(count))
        sheet = samples if inputs is None else beside_inputs(samples, labels, inputs, GRID_COLUMNS)
        write_bytes(path, encode_png(grid(sheet.transpose(0, 2, 3, 1), GRID_COLUMNS), synthetic=True))
        return samples

    def _watch(self) -> None:
        figures: dict[str, float] = {}
        glimpse = Glimpse(self.state.images, self._generate, self._confidence)
        for watcher in self.watchers:
            figures.update(watcher(glimpse))
        if not figures:
            return
        append_json_line(self.run / LOG, {"images": self.state.images, "metrics": figures})
        self.display.metrics(figures)
        name, value = next(iter(figures.items()))
        if self.state.best and self.state.best_by != name:
            self.display.tell(
                f"the best checkpoint was chosen by {self.state.best_by or 'another figure'}, from now on by {name}"
            )
            self.state.best = {}
        self.state.best_by = name
        if self.state.images > 0 and value < self.state.best.get("value", float("inf")):
            self.state.best = {"images": self.state.images, "value": value}
            self.display.tell(f"best checkpoint so far, by {name}: {value:.4g} at {count_text(self.state.images)}")

    def _save(self) -> None:
        if self.leader:
            saved = asdict(self.state) | {"recipe": self.config.recipe, "classes": list(self.data.classes)}
            saved |= {"threads": torch.get_num_threads()}
            checkpoints.save(self.run, self.recipe.state_dict(), self.updater.optimisers, saved)
            if self.state.best:
                write_json(self.run / checkpoints.BEST, self.state.best)
            best = self.state.best.get("images")
            checkpoints.prune(self.run, self.config.training.keep, None if best is None else int(best))
        distributed.wait()

    def request_stop(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: finish this step, save, stop."""
        self.stop_requested = True


def train(
    run: Path,
    config: RunConfig,
    data: TrainingSet,
    *,
    watchers: Sequence[Watcher] = (),
    device: str = "auto",
) -> checkpoints.Checkpoint:
    """Train to the configured length, or go on where the run folder stands, alone in this folder.

    The same configuration on the same folder, with the same number of threads, resumes bit for bit. Raises UserError when the
    folder holds a run with another configuration or another process writes into it, TrainingStopped for an alarm, Interrupted
    after Ctrl-C.
    """
    distributed.keep_freed_memory()
    distributed.start(device)
    try:
        _check_batch(config.training.batch, config.training.accumulate)
        _check_abilities(config)
        _refuse_other_runs(run, config)
        with distributed.held(run, distributed.choose_device(device)):
            _claim(run, config)
            trainer = Trainer(run, config, data, watchers, device)
            _check_batches(trainer.recipe, config)
            trainer.prepare()
            with closing(trainer.display), handled(trainer.request_stop):
                return trainer.train()
    finally:
        distributed.stop()


def _check_batch(batch: int, accumulate: int) -> None:
    parts = distributed.count() * accumulate
    if batch % parts:
        raise UserError(f"batch {batch}: not divisible by processes x accumulate = {parts}")


def _check_batches(recipe: Recipe, config: RunConfig) -> None:
    """Every batch size that will come must be divisible, not only the first."""
    settings = config.training
    moments = np.unique(np.linspace(0, settings.images - 1, 1000).astype(int))
    for size in sorted({recipe.batch_at(int(images), settings.batch) for images in moments}):
        _check_batch(size, settings.accumulate)


def _check_abilities(config: RunConfig) -> None:
    kind = family(config.recipe)
    if config.training.precision == "float16" and not kind.casts_itself:
        raise UserError(f"precision 'float16': {config.recipe} takes float32 or bfloat16")
    model = validated(kind.config_type, config.model, "model")
    if config.training.accumulate > 1 and kind.needs_whole_batches(model):
        raise UserError(
            f"accumulate {config.training.accumulate}: {config.recipe} has statistics or a pool over a batch, which cannot be "
            "divided; use a smaller batch"
        )


def _refuse_other_runs(run: Path, config: RunConfig) -> None:
    """Raise UserError unless the folder is new, empty, or holds a run with this configuration."""
    if run.exists() and not run.is_dir():
        raise UserError(f"{run}: a file; choose another `out`")
    if (run / CONFIG).exists():
        for saved in checkpoints.checkpoints(run)[-1:]:
            if saved.state.get("recipe") == config.recipe:
                require_edition(family(config.recipe), saved.state, run)
        changed = differences(read_config(run), config)
        if changed:
            raise UserError(f"{run}: holds a run with another configuration ({changed[0]}); choose another `out`")
    elif run.exists() and any(path.name != LOCK for path in run.iterdir()):
        raise UserError(f"{run}: not empty and not a run; choose another `out`")
    distributed.wait()


def _claim(run: Path, config: RunConfig) -> None:
    """Write the configuration into the folder, with what else the numbers depend on."""
    if distributed.rank() == 0:
        write_json(run / CONFIG, config.model_dump(mode="json"))
        write_json(run / ENVIRONMENT, {**environment(), "threads": torch.get_num_threads()})
    distributed.wait()
