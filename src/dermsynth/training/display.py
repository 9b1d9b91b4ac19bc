"""What a person sees of a training: its settings, a progress bar with losses, the time left, a warning when it stalls."""

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Mapping
from threading import Event, Thread
from typing import Any

import psutil
import torch
from tqdm import tqdm

from dermsynth.io import count_text, time_text
from dermsynth.models.base import Model
from dermsynth.progress import counting_bar
from dermsynth.training import distributed
from dermsynth.training.callbacks import Callback, LogLine, LossName, TrainingStart
from dermsynth.training.pace import Pace

logger = logging.getLogger(__name__)

WARM_UP, MEASURED = 4, 16
"""Steps that are not timed, and steps from which time and memory are estimated (a whole mix of regularisations)."""
LOOK = 5.0
"""Seconds between looks whether a training has stalled."""


class Display(Callback):
    """Progress bar and log messages."""

    def __init__(self) -> None:
        self.bar: tqdm[Any] | None = None
        self.model: Model | None = None
        self.pace = Pace()
        self._length = self._steps = 0
        self._clock = 0.0
        self._closed, self._slow = Event(), False

    def start(self, training: TrainingStart) -> None:
        """Log what will be trained, and open the bar."""
        for line in describe(training):
            logger.info(line)
        self.model, self._length = training.model, training.config.training.images
        self.bar = counting_bar(total=self._length, initial=training.images, unit="img")
        Thread(target=self._watch_pace, daemon=True).start()

    def _watch_pace(self) -> None:
        """Check the pace every few seconds, also while one step lasts for minutes."""
        while not self._closed.wait(LOOK):
            self.check_pace(time.monotonic())

    def check_pace(self, now: float) -> None:
        """Mark a stalled training in the progress bar, and log once what may help."""
        rate, usual = self.pace.stalled_rate(now), self.pace.usual
        if rate is not None and usual is not None and not self._slow:
            logger.warning(
                f"stalled: at most {rate:.2g} images a second, usually {usual:.3g}; is another job on these processors? "
                f"Ctrl-C saves; the same command with `threads` 1 may go on faster"
            )
        if self.bar is not None and self._slow != (rate is not None):
            self.bar.set_description("" if rate is None else "stalled", refresh=True)
        self._slow = rate is not None

    def begin_step(self, batch: int) -> None:
        """Start the clock of this step: snapshots and measurements are not part of the pace."""
        self.pace.begin(time.monotonic(), batch)

    def end_step(self, images: int, batch: int) -> None:
        """Move the bar; after the first steps log the time left and the memory used."""
        self.pace.end(time.monotonic())
        self._steps += 1
        if self._steps == WARM_UP:
            self._clock = time.perf_counter()
        if self._steps == WARM_UP + MEASURED:
            logger.info(self._estimate(images, batch))
        if self.bar is not None:
            self.bar.update(batch)

    def _estimate(self, images: int, batch: int) -> str:
        rate = MEASURED * batch / (time.perf_counter() - self._clock)
        left = max(self._length - images, 0) / rate
        memory = psutil.Process().memory_info().rss / 2**30
        text = f"{rate:.3g} images a second: about {time_text(left)} left; memory {memory:.1f} GiB"
        if torch.cuda.is_available():
            text += f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB on the GPU"
        return text

    def log(self, line: LogLine) -> None:
        """Show the current losses behind the bar, and the probability of augmentation as p."""
        if self.bar is not None and self.model is not None:
            short = {name: f"{value:.3g}" for name, value in short_names(line.losses).items()}
            strength = self.model.augmentation_strength()
            self.bar.set_postfix(short | ({} if strength is None else {"p": f"{strength:.3f}"}), refresh=False)

    def measure(self, images: int, figures: Mapping[str, float]) -> None:
        """Show what the watchers measured."""
        logger.info(", ".join(f"{name} {value:.4g}" for name, value in figures.items()))

    def close(self) -> None:
        """Close the bar."""
        self._closed.set()
        if self.bar is not None:
            self.bar.close()


def short_names(losses: Mapping[str, float]) -> dict[str, float]:
    """Losses by their terms; by player and term where several players have a term of this name."""
    names = [LossName.parse(key) for key in losses]
    counts = Counter(name.term for name in names)
    return {
        name.term if counts[name.term] == 1 else str(name): value
        for name, value in zip(names, losses.values(), strict=True)
    }


def describe(training: TrainingStart) -> list[str]:
    """Lines on what will be trained: the family, its size, the data, the device."""
    config, data, device = training.config, training.data, training.device
    settings, shape = config.training, config.data
    sizes = ", ".join(
        f"{name} {sum(p.numel() for p in player.parameters):,}" for name, player in training.model.players().items()
    )
    labels = f"conditional on {', '.join(data.classes)}" if data.classes else "unconditional"
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return [
        f"{config.family} ({config.preset}), {shape.width} x {shape.height} pixels, {labels}",
        f"parameters: {sizes}",
        f"{len(data.images):,} images, {count_text(settings.images)} to be shown, {settings.batch} a step",
        f"on {machine} x {distributed.count()}, {settings.precision}; into {training.run}",
        *_length_notes(training),
        *training.model.notes(),
    ]


def _length_notes(training: TrainingStart) -> list[str]:
    """A line where images are shown more often than is usual for a family that learns them by heart."""
    usual, count = training.model.passes, len(training.data.images)
    if usual is None or training.config.training.images <= usual * count:
        return []
    return [
        f"each image is shown {training.config.training.images / count:.0f} times, usual are up to {usual}: look out for copies"
    ]


class TensorBoard(Callback):
    """Event files in the run's folder, where TensorBoard is installed."""

    def __init__(self) -> None:
        self.writer: Any = None

    def start(self, training: TrainingStart) -> None:
        """Open the event file."""
        with contextlib.suppress(ImportError):
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(training.run / "tensorboard"))

    def log(self, line: LogLine) -> None:
        """Losses and statistics."""
        self._write(line.images, line.losses | line.statistics)

    def measure(self, images: int, figures: Mapping[str, float]) -> None:
        """What the watchers measured."""
        self._write(images, figures)

    def _write(self, images: int, values: Mapping[str, float]) -> None:
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, images)

    def close(self) -> None:
        """Close the event file."""
        if self.writer is not None:
            self.writer.close()
