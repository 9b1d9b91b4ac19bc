"""Follow a training while it runs: derive from `Callback`, and pass it to `train(..., callbacks=[...])`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict

from dermsynth.data.training_set import TrainingSet
from dermsynth.models.base import Model
from dermsynth.training.config import RunConfig


@dataclass(frozen=True)
class TrainingStart:
    """A training that begins, or goes on after `images` images were shown."""

    run: Path
    config: RunConfig
    model: Model
    data: TrainingSet
    images: int
    device: torch.device


class LossName(NamedTuple):
    """One term of a player's loss; `player/term` as a key in the log."""

    player: str
    term: str

    def __str__(self) -> str:
        return f"{self.player}/{self.term}"

    @classmethod
    def parse(cls, key: str) -> "LossName":
        """The name behind a key of the log."""
        player, _, term = key.partition("/")
        return cls(player, term)


class LogLine(BaseModel):
    """A line of `log.jsonl`: means of the losses since the line before, statistics of the family, wall seconds so far."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    seconds: float
    losses: dict[str, float]
    statistics: dict[str, float]
    memory_gib: float


class Callback:
    """Called by the training, in the first process only. Methods that are not overridden do nothing.

    Examples
    --------
    >>> import dermsynth as ds
    >>> class Losses(ds.Callback):
    ...     def __init__(self):
    ...         self.values = []
    ...
    ...     def log(self, line):
    ...         self.values.append(line.losses["generator/adversarial"])
    >>> losses = Losses()
    >>> sizes = {"images": 32, "resolution": 16, "batch": 16, "log": 16}
    >>> last = ds.train("dcgan", "data", out="watched_run", **sizes, callbacks=[losses], device="cpu")
    >>> len(losses.values)
    2
    """

    def start(self, training: TrainingStart) -> None:
        """Before the first step of this call."""

    def begin_step(self, batch: int) -> None:
        """Before a step on `batch` images."""

    def end_step(self, images: int, batch: int) -> None:
        """After it; `images` were shown in all."""

    def log(self, line: LogLine) -> None:
        """After a line was written into the log."""

    def measure(self, images: int, figures: Mapping[str, float]) -> None:
        """After the watchers have measured a snapshot."""

    def close(self) -> None:
        """At the end of this call, also after an error."""
