"""One figure of a synthetic set against a real one, with what it takes to believe it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermsynth.errors import UserError
from dermsynth.statistics.intervals import Indices

MINIMUM = 50
"""Images a side below which no figure is given."""

Rows = NDArray[Any]
Distance = Callable[[Rows, Rows], float]


@dataclass(frozen=True)
class Measurement:
    """One figure and what it takes to believe it.

    The interval is where the figure would lie with other images, as many of them, from the same two sources: it holds
    the value. FID and SWD of few images lie above zero even for equal distributions; how far, the floor tells.
    `floor` is the same metric between two disjoint halves of the real set; `matched` is the metric between as many
    synthetic images and one of the halves, so that floor and matched differ in nothing but where images come from.
    """

    metric: str
    group: str
    value: float
    low: float
    high: float
    synthetic: int
    real: int
    floor: float
    matched: float
    half: int
    seed: int


def require(count: int, side: str, group: str) -> None:
    """Raise UserError below the number of images at which a figure means anything."""
    if count < MINIMUM:
        raise UserError(f"{group}: {count} {side} images, at least {MINIMUM} a side are needed for a figure")


def require_both(synthetic: Rows, real: Rows, group: str) -> None:
    """The same of both sides; and every number must be finite."""
    for side, rows in (("synthetic", synthetic), ("real", real)):
        require(len(rows), side, group)
        if not np.isfinite(rows).all():
            raise UserError(f"{group}: {side} features hold NaN or infinity; the extractor or an image is broken")


def halves(count: int, seed: int) -> tuple[Indices, Indices]:
    """Two disjoint random halves of `count` images."""
    order = np.random.default_rng(seed).permutation(count)
    return order[: count // 2], order[count // 2 : count // 2 * 2]


@dataclass(frozen=True)
class Sides:
    """Rows of both sets (features, histograms), and the parts of them that floor and matched figures are made from."""

    synthetic: Rows
    real: Rows
    group: str
    seed: int

    @property
    def parts(self) -> tuple[Indices, Indices, Indices]:
        """Rows of two real halves, and as many synthetic rows."""
        half = min(len(self.real) // 2, len(self.synthetic))
        first, second = (side[:half] for side in halves(len(self.real), self.seed))
        some = np.random.default_rng(self.seed + 1).permutation(len(self.synthetic))[:half]
        return first, second, some

    def resampled(self, distance: Distance) -> Callable[[Indices, Indices], float]:
        """The distance as a function of which rows count."""
        return lambda i, j: distance(self.synthetic[i], self.real[j])

    @property
    def sizes(self) -> tuple[int, int]:
        """How many rows either side has."""
        return len(self.synthetic), len(self.real)

    def measurement(
        self, metric: str, value: float, interval: tuple[float, float], distance: Distance, scale: float = 1
    ) -> Measurement:
        """The whole row of a figure; `distance` makes floor and matched, `scale` multiplies all."""
        first, second, some = self.parts
        floor = distance(self.real[second], self.real[first])
        matched = distance(self.synthetic[some], self.real[first])
        low, high = interval
        return Measurement(
            metric, self.group, value * scale, low * scale, high * scale, *self.sizes,
            floor * scale, matched * scale, len(first), self.seed,
        )  # fmt: skip


def as_rows(measurements: Sequence[Any]) -> list[dict[str, Any]]:
    """Measurements, or other dataclasses of figures, as plain dictionaries for JSON."""
    return [asdict(m) for m in measurements]
