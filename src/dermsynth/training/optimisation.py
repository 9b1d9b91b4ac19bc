"""Between two yields of a model: backward pass, average over processes, optimiser step where losses are finite."""

import math
from collections import defaultdict
from dataclasses import replace

import torch
from torch import Tensor
from torch.optim import Adam

from dermsynth.errors import UserError
from dermsynth.models.base import Batch, Model, Player, Progress
from dermsynth.training import distributed
from dermsynth.training.callbacks import LossName


class TrainingStopped(UserError):
    """An alarm: why training stopped; the last good checkpoint is kept."""


class Updater:
    """One Adam a player, and the sums of the loss terms since the last line of the log.

    `rate` multiplies every learning rate of the model.
    """

    def __init__(self, model: Model, rate: float = 1.0) -> None:
        self.model = model
        self.players = {name: scale_rate(player, rate) for name, player in model.players().items()}
        self.optimisers = {name: _adam(player) for name, player in self.players.items()}
        self._sums: dict[LossName, Tensor] = {}
        self._counts: dict[LossName, int] = defaultdict(int)
        device = next(model.parameters()).device
        self._bad, self._left_out = torch.zeros((), device=device), torch.zeros((), device=device)

    def step(self, batches: list[Batch], progress: Progress) -> None:
        """One training step; several batches are pieces of one, whose gradients add up before each update.

        The pieces' generators advance in turn, so only one piece's graph is in memory.
        """
        steps = [self.model.step(batch, progress) for batch in batches]
        while True:
            yields = [self._backward(step, share=1 / len(steps), first=i == 0) for i, step in enumerate(steps)]
            player = yields[0]
            if player is None:
                return
            self._fill(player)
            self._bad = distributed.average_gradients(self.players[player].parameters, self._bad)
            self._prepare(player, progress.images)
            self._move(player)

    def _move(self, player: str) -> None:
        """Update the player's parameters, unless a loss was not finite: what is known on the device alone decides there."""
        left_out = self._bad.clamp(max=1.0)
        optimiser = self.optimisers[player]
        optimiser.found_inf = left_out  # type: ignore[attr-defined]  # what fused Adam reads for a GradScaler
        optimiser.step()
        self._left_out += left_out
        self._bad = torch.zeros_like(left_out)

    def _fill(self, player: str) -> None:
        """Set gradients of zero where the update's terms reach no parameter, for players that ask for it."""
        if self.players[player].zero_gradients:
            for parameter in self.players[player].parameters:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)

    def _prepare(self, player: str, images: int) -> None:
        """Set the rate and betas of this step, and clear Adam's moments where the player's restart is due."""
        schedule, restarts = self.players[player].schedule, self.players[player].restarts
        if restarts is not None and restarts(images):
            self.optimisers[player].state.clear()
        if schedule is not None:
            group = self.optimisers[player].param_groups[0]
            group["lr"], group["betas"] = schedule(images)

    def _backward(self, step: object, *, share: float, first: bool) -> str | None:
        """Advance one piece to its next yield and add the gradients of its terms; None at the end."""
        with self.model.arithmetic():
            player, terms = next(step, (None, {}))  # type: ignore[call-overload]
        if player is None:
            return None
        parameters = self.players[player].parameters
        if first:
            for parameter in parameters:
                parameter.grad = None
        loss = torch.stack([term.float() for term in terms.values()]).sum() * share
        self._bad = self._bad + (~loss.detach().isfinite()).float()
        loss.backward(inputs=parameters)
        for name, value in terms.items():
            self._count(LossName(str(player), name), value.detach())
        return str(player)

    def _count(self, name: LossName, value: Tensor) -> None:
        self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + value
        self._counts[name] += 1

    def check(self) -> None:
        """Raise TrainingStopped where updates were left out because a loss was not finite; waits for the device."""
        if not (number := int(self._left_out)):
            return
        values = {str(name): float(total) for name, total in self._sums.items()}
        named = ", ".join(f"{name} {value:.3g}" for name, value in values.items() if not math.isfinite(value))
        raise TrainingStopped(
            f"loss is not finite ({named or 'in another process'}); updates left out since the last line of the log: {number}; "
            "lower the learning rate or use float32"
        )

    def losses(self) -> dict[str, float]:
        """Mean of every term since the last call, by the keys of the log."""
        means = {str(name): float(total) / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, defaultdict(int)
        return means


def scale_rate(player: Player, rate: float) -> Player:
    """A player whose learning rate, constant or scheduled, is scaled by `rate`."""
    schedule = player.schedule
    if rate == 1:
        return player
    if schedule is None:
        return replace(player, learning_rate=player.learning_rate * rate)

    def scaled(images: int) -> tuple[float, tuple[float, float]]:
        own, betas = schedule(images)
        return own * rate, betas

    return replace(player, learning_rate=player.learning_rate * rate, schedule=scaled)


def _adam(player: Player) -> Adam:
    return Adam(player.parameters, lr=player.learning_rate, betas=player.betas, eps=1e-8, fused=True)
