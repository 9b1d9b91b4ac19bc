"""Between two yields of a model: backward pass, average over processes, check for finite losses, optimiser step."""

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
            distributed.average_gradients(self.players[player].parameters)
            self._prepare(player, progress.images)
            self.optimisers[player].step()

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
        if not bool(loss.isfinite()):
            named = ", ".join(f"{name} {float(value.detach()):.3g}" for name, value in terms.items())
            raise TrainingStopped(f"{player}: loss is not finite ({named}); lower the learning rate or use float32")
        loss.backward(inputs=parameters)
        for name, value in terms.items():
            self._count(LossName(str(player), name), value.detach())
        return str(player)

    def _count(self, name: LossName, value: Tensor) -> None:
        self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + value
        self._counts[name] += 1

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
