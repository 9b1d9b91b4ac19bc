"""What a person sees of a training: what is about to happen, how fast, how long, and how it goes."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import torch
from tqdm import tqdm

from dermsynth.data.training_set import TrainingSet
from dermsynth.io import count_text
from dermsynth.models.base import Recipe
from dermsynth.training import distributed
from dermsynth.training.config import RunConfig
from dermsynth.training.pace import Pace

WARM_UP, MEASURED = 4, 16
"""Steps that are not timed, and steps from which time and memory are estimated (a whole mix of regularisations)."""
LOOK = 5.0
"""Seconds between looks whether a training has stalled."""


class Display:
    """Progress bar, first lines and, where TensorBoard is installed, its event file; silent in all but one process."""

    def __init__(self, run: Path, config: RunConfig) -> None:
        self.run, self.config = run, config
        self.bar: tqdm[Any] | None = None
        self.steps = 0
        self.clock = 0.0
        self.writer: Any = None
        self.pace = Pace()
        self._closed, self._slow = Event(), False

    def tell(self, line: str) -> None:
        """One line above the progress bar."""
        if distributed.rank() == 0:
            tqdm.write(line, file=sys.stderr)

    def start(self, recipe: Recipe, data: TrainingSet, done: int, device: torch.device) -> None:
        """Say what will be trained and open the bar."""
        if distributed.rank() != 0:
            return
        settings, shape = self.config.training, self.config.data
        sizes = ", ".join(
            f"{name} {sum(p.numel() for p in player.parameters):,}" for name, player in recipe.players().items()
        )
        kinds = f"conditional on {', '.join(data.classes)}" if data.classes else "unconditional"
        name = (
            torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
        )
        self.tell(f"{self.config.recipe} ({self.config.preset}), {shape.width} x {shape.height} pixels, {kinds}")
        self.tell(f"  parameters: {sizes}")
        self.tell(f"  {len(data.images):,} images, {count_text(settings.images)} to be shown, {settings.batch} a step")
        self.tell(f"  on {name} x {distributed.count()}, {settings.precision}; into {self.run}")
        for note in recipe.notes():
            self.tell(f"  {note}")
        self._open_tensorboard()
        terminal = sys.stderr.isatty()
        self.bar = tqdm(
            total=settings.images, initial=done, unit="img", unit_scale=True, dynamic_ncols=terminal,
            mininterval=0.5 if terminal else 30, smoothing=0.05,
        )  # fmt: skip
        Thread(target=self._watch_pace, daemon=True).start()

    def _watch_pace(self) -> None:
        """Look from time to time, also while one step lasts for minutes."""
        while not self._closed.wait(LOOK):
            self.tell_pace(time.monotonic())

    def tell_pace(self, now: float) -> None:
        """Say in the progress line that the training has stalled, and once what may help."""
        rate, usual = self.pace.stalled(now), self.pace.usual
        if rate is not None and usual is not None and not self._slow:
            self.tell(
                f"  stalled: at most {rate:.2g} images a second, usually {usual:.3g}; is another job on these processors? "
                f"Ctrl-C saves; the same command with `threads` 1 may go on faster"
            )
        if self.bar is not None and self._slow != (rate is not None):
            self.bar.set_description("" if rate is None else "stalled", refresh=True)
        self._slow = rate is not None

    @contextlib.contextmanager
    def timed(self, images: int) -> Iterator[None]:
        """Around a step of so many images: its pace is watched, that of snapshots and measurements is not."""
        self.pace.begin(time.monotonic(), images)
        yield
        self.pace.end(time.monotonic())

    def _open_tensorboard(self) -> None:
        with contextlib.suppress(ImportError):
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(self.run / "tensorboard"))

    def advance(self, images: int, batch: int) -> None:
        """Move the bar; after the first steps say how long and how much memory."""
        self.steps += 1
        if self.steps == WARM_UP:
            self.clock = time.perf_counter()
        if self.steps == WARM_UP + MEASURED:
            self._estimate(images, batch)
        if self.bar is not None:
            self.bar.update(batch)

    def _estimate(self, images: int, batch: int) -> None:
        rate = MEASURED * batch / (time.perf_counter() - self.clock)
        left = max(self.config.training.images - images, 0) / rate
        memory = psutil.Process().memory_info().rss / 2**30
        text = f"  {rate:.3g} images a second: about {_duration(left)} left; memory {memory:.1f} GiB"
        if torch.cuda.is_available():
            text += f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB on the GPU"
        self.tell(text)

    def losses(self, line: Mapping[str, Any]) -> None:
        """Show the current losses behind the bar."""
        if self.bar is not None:
            short = {name.split("/")[1]: f"{value:.3g}" for name, value in line["losses"].items()}
            p = line["statistics"].get("augmentation_p")
            self.bar.set_postfix(short | ({} if p is None else {"p": f"{p:.3f}"}), refresh=False)
        self._scalars(line["images"], line["losses"] | line["statistics"])

    def metrics(self, figures: Mapping[str, float]) -> None:
        """Show what the watchers measured."""
        self.tell("  " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
        if self.bar is not None:
            self._scalars(int(self.bar.n), figures)

    def _scalars(self, images: int, values: Mapping[str, float]) -> None:
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, images)

    def close(self) -> None:
        """Close the bar and the event file."""
        self._closed.set()
        if self.bar is not None:
            self.bar.close()
        if self.writer is not None:
            self.writer.close()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
