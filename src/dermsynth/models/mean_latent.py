"""The mean of w, towards which truncation moves images: computed from the weights of a mapping network when it is needed.

The authors average w while they train, the w of the raw network and of all classes together. Here it is that of the network
as it stands and of each class, so that every class, also a rare one, has its own mean from the first image on.
"""

import torch
from torch import Tensor

from dermsynth.models.stylegan2_networks import Mapping
from dermsynth.rng import seed_of

SAMPLES, CHUNK = 8192, 1024
"""Over how many z of a label w is averaged, and how many are mapped at a time."""


def even_normals(count: int, latent: int) -> Tensor:
    """Standard normal numbers [count, latent] that fill the space evenly, the same on every machine.

    The inverse distribution function of scrambled Sobol points (Owen 1998): with them the mean of w is some four times as near
    to that over all z as with numbers drawn at random.
    """
    engine = torch.quasirandom.SobolEngine(latent, scramble=True, seed=seed_of("mean w"))
    points = engine.draw(count, dtype=torch.float64)
    return torch.special.ndtri(points.clamp(1e-9, 1 - 1e-9))


@torch.no_grad()
def mean_w(mapping: Mapping, label: Tensor) -> Tensor:
    """The mean w [n, width] of labels [n, classes], over the same z for each."""
    weight = next(mapping.parameters())
    parts = even_normals(SAMPLES, mapping.latent).to(weight).split(CHUNK)
    total = torch.zeros(len(label), mapping.width, dtype=torch.float64, device=weight.device)
    for place, class_row in enumerate(label.to(weight)):
        for part in parts:
            total[place] += mapping(part, class_row.expand(len(part), -1)).double().sum(dim=0)
    return (total / SAMPLES).to(weight.dtype)


class Centre:
    """A cache of the mean w of labels, which is valid until the mapping's weights change."""

    def __init__(self) -> None:
        self._weights: list[Tensor] = []
        self._known: dict[tuple[float, ...], Tensor] = {}

    def of(self, mapping: Mapping, label: Tensor) -> Tensor:
        """[n, classes] -> [n, width]."""
        rows = [tuple(row) for row in label.tolist()]
        with torch.inference_mode(False), torch.no_grad():
            if not self._fits(mapping):
                self._weights, self._known = [p.detach().clone() for p in mapping.parameters()], {}
            new = {row: index for index, row in enumerate(rows) if row not in self._known}
            if new:
                self._known |= zip(new, mean_w(mapping, label[list(new.values())].clone()), strict=True)
        return torch.stack([self._known[row] for row in rows])

    def _fits(self, mapping: Mapping) -> bool:
        now = list(mapping.parameters())
        return len(now) == len(self._weights) and all(
            own.device == other.device and own.dtype == other.dtype and torch.equal(own, other)
            for own, other in zip(self._weights, now, strict=True)
        )
