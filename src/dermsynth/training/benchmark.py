"""How large a family's networks are and how long they take here."""

from dataclasses import dataclass

from dermsynth.errors import UserError
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.registry import family
from dermsynth.training.cost import time_steps
from dermsynth.training.optimisation import Updater

LATE = 10_000_000
"""Images shown: every phase is over, every network has its full size."""


@dataclass(frozen=True)
class Facts:
    """Presets, trained parameters of the laptop preset, batch, and wall seconds per 1,000 images, if measured."""

    presets: list[str]
    parameters: dict[str, int]
    batch: int
    seconds: float | None = None
    refusal: str | None = None

    def text(self) -> str:
        """One line for a person."""
        if self.refusal:
            return self.refusal
        total = sum(self.parameters.values())
        time_needed = "" if self.seconds is None else f", {self.seconds:.3g} s per 1,000 images (batch {self.batch})"
        return f"{total:,} parameters{time_needed}"


def measure(name: str, shape: Shape, *, steps: int = 0, device: str = "cpu") -> Facts:
    """Build a family's laptop preset and train it for `steps` steps on noise; without steps only count parameters."""
    kind = family(name)
    preset = kind.presets["laptop"]
    config = preset(shape)
    parameters: dict[str, int] = {}
    seconds = None
    try:
        kind.check_shape(shape, config)
        model = kind.create(config, shape, kind.inputs.smallest).to(device)
        parameters = {n: sum(p.numel() for p in player.parameters) for n, player in model.players().items()}
        if steps:
            updater = Updater(model)
            time_steps(updater, model, preset.batch, range(1), LATE)
            seconds = 1000 * time_steps(updater, model, preset.batch, range(1, steps + 1), LATE)
    except UserError as error:
        return Facts(list(kind.presets), parameters, preset.batch, refusal=str(error))
    return Facts(list(kind.presets), parameters, preset.batch, seconds)
