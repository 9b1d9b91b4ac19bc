"""A measured value with its interval, its numbers of images and its floor; and the two sides that it is measured between."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from dermsynth.errors import UserError
from dermsynth.statistics.intervals import Indices, bootstrap

MINIMUM = 50
"""Images a side below which no estimate is given."""
ALL = "all classes"
"""The group that holds every image."""

Figure = Annotated[float, BeforeValidator(lambda value: float("nan") if value is None else value)]
"""A number that could perhaps not be computed, such as 0 / 0: NaN, which JSON keeps as null."""

Rows = NDArray[Any]
Groups = NDArray[Any]
Distance = Callable[[Rows, Rows], float]


class Effort(NamedTuple):
    """How much is computed: resamples of the bootstraps, pairs of images, and the most images of SWD."""

    distance_resamples: int = 100
    kernel_resamples: int = 1000
    histogram_resamples: int = 200
    mean_resamples: int = 500
    pairs: int = 500
    swd_images: int = 10_000


class Measured(BaseModel):
    """What every estimate has: which metric it is, of what, and its value with a 95 % interval.

    Attributes
    ----------
    id
        Key of the metric in `dermsynth.metrics.registry.METRICS`.
    name
        Its name on pages and in tables, such as `FID-embedded`: only features of the published network are called FID alone.
    part
        Which one of several values of the metric: a level of the pyramid, a colour channel, a named feature; else empty.
    value, low, high
        The value and the ends of its 95 % interval, in the metric's unit; NaN where it could not be computed.
    n_synthetic
        How many synthetic images it is of.
    seed
        Seed of everything drawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: str
    name: str = Field(alias="metric")
    part: str = ""
    value: Figure
    low: Figure
    high: Figure
    n_synthetic: int = Field(alias="synthetic")
    seed: int

    @model_validator(mode="before")
    @classmethod
    def _with_id(cls, row: Any) -> Any:
        """Rows of earlier versions have no id, only a name."""
        if not isinstance(row, dict) or "id" in row or "metric" not in row:
            return row
        from dermsynth.metrics.registry import parse_name

        id, part = parse_name(str(row["metric"]))
        return {"id": id, "part": part, **row}

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends of the 95 % interval."""
        return self.low, self.high


class Estimate(Measured):
    """A metric between a synthetic and a real set, with what it takes to believe it.

    The interval is where the value would lie with other images, as many of them, from the same two sources: it holds the
    value. FID and SWD of few images lie above zero even for equal distributions; how far, the floor tells. Where patients or
    lesions of real images are known, they are drawn or left out whole, and lie in one half of the floor.

    Attributes
    ----------
    group
        The part of the images that it is of: a class, a skin tone, or all.
    n_real
        How many real images.
    people
        Of how many patients or lesions these are; None where that is not known, and then not in JSON.
    floor
        The same metric between two disjoint halves of the real images.
    matched
        The metric between as many synthetic images and one of these halves: floor and matched differ in nothing but where
        images come from.
    n_floor
        Images a side of floor and matched.
    """

    group: str = ALL
    n_real: int = Field(alias="real")
    floor: Figure
    matched: Figure
    n_floor: int = Field(alias="half")
    people: int | None = None

    @model_serializer(mode="wrap")
    def _without_unknown(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return (
            values if self.people is not None else {name: value for name, value in values.items() if name != "people"}
        )

    @property
    def n_text(self) -> str:
        """Numbers of synthetic and real images, and of the people of the latter where they are known."""
        return f"{self.n_synthetic} / {self.n_real}" + (f" ({self.people})" if self.people is not None else "")

    def __str__(self) -> str:
        """One line: name, value, interval, numbers of images, floor."""
        of_people = "" if self.people is None else f" of {self.people} patients or lesions"
        return (
            f"{self.name} {self.value:.3g} ({self.low:.3g} to {self.high:.3g}), n = {self.n_synthetic} synthetic and "
            f"{self.n_real} real{of_people}; real against real {self.floor:.3g} at n = {self.n_floor}"
        )


class CopyEstimate(Measured):
    """A measure of copying, beside what it would be if the generator knew nothing of single training images.

    Attributes
    ----------
    without
        The value without copying.
    part
        Of C_T the number of cells that the images were divided into; else empty.
    n_training, n_held_out
        Real images that the generator was trained on, and others of the same kind.
    """

    without: Figure
    n_training: int = Field(alias="training")
    n_held_out: int = Field(alias="held_out")

    def __str__(self) -> str:
        """One line: name, value, interval, value without copying."""
        return f"{self.name} {self.value:.2f} ({self.low:.2f} to {self.high:.2f}), {self.without:g} without copying"


def require(count: int, side: str, group: str = ALL) -> None:
    """Raise UserError below the number of images at which an estimate means anything."""
    if count < MINIMUM:
        raise UserError(f"{group}: {count} {side} images, at least {MINIMUM} a side are needed for a figure")


def require_both(synthetic: Rows, real: Rows, group: str = ALL) -> None:
    """The same of both sides; and every number must be finite."""
    for side, rows in (("synthetic", synthetic), ("real", real)):
        require(len(rows), side, group)
        if not np.isfinite(rows).all():
            raise UserError(f"{group}: {side} features hold NaN or infinity; the extractor or an image is broken")


def halves(count: int, seed: int, groups: Groups | None = None) -> tuple[Indices, Indices]:
    """Two disjoint random halves of `count` images; of whole `groups`, where they are known, and then about equally large."""
    random = np.random.default_rng(seed)
    if groups is None:
        order = random.permutation(count)
        return order[: count // 2], order[count // 2 : count // 2 * 2]
    number = np.unique(groups, return_inverse=True)[1]
    place = random.permutation(int(number.max()) + 1)[number]
    filled = np.cumsum(np.bincount(place))
    last = int(np.abs(filled - count / 2).argmin())
    order = np.argsort(place, kind="stable")
    return order[: filled[last]], order[filled[last] :]


@dataclass(frozen=True)
class Sides:
    """Rows of both sets (images, features, histograms), and the parts of them that floor and matched are computed from.

    `groups` [m] is the person or lesion of each real row; None where every image is of its own.
    """

    synthetic: Rows
    real: Rows
    group: str = ALL
    seed: int = 0
    features: str = ""
    groups: Groups | None = None

    @property
    def sizes(self) -> tuple[int, int]:
        """How many rows either side has."""
        return len(self.synthetic), len(self.real)

    @property
    def people(self) -> int | None:
        """Of how many people the real rows are; None where they are not known."""
        return None if self.groups is None else len(np.unique(self.groups))

    @property
    def parts(self) -> tuple[Indices, Indices, Indices]:
        """Rows of two real halves, and as many synthetic rows."""
        first, second = self.real_halves()
        half = min(len(first), len(second), len(self.synthetic))
        first, second = first[:half], second[:half]
        some = np.random.default_rng(self.seed + 1).permutation(len(self.synthetic))[:half]
        return first, second, some

    def real_halves(self) -> tuple[Indices, Indices]:
        """Rows of two halves of the real images that share nobody.

        Raises UserError where one person has so many images that one half would have too few.
        """
        both = halves(len(self.real), self.seed, self.groups)
        if self.groups is not None and min(map(len, both)) < MINIMUM // 2:
            people = len(np.unique(self.groups))
            raise UserError(
                f"{self.group}: {len(self.real)} real images of {people} patients or lesions; a floor needs {MINIMUM // 2} on "
                "either side of a division between these"
            )
        return both

    def require_enough(self) -> Self:
        """The sides as they are; UserError where they are too few or not finite."""
        require_both(self.synthetic, self.real, self.group)
        return self

    def in_random_order(self) -> "Sides":
        """The same rows in random order, drawn by the seed."""
        random = np.random.default_rng(self.seed)
        first, second = (random.permutation(size) for size in self.sizes)
        groups = None if self.groups is None else self.groups[second]
        return replace(self, synthetic=self.synthetic[first], real=self.real[second], groups=groups)

    def with_rows(self, synthetic: Rows, real: Rows, kept: NDArray[np.bool_] | None = None) -> "Sides":
        """Other rows of the same images; of some of the real ones, where it is said which are `kept`, [m]."""
        groups = self.groups if kept is None or self.groups is None else self.groups[kept]
        return replace(self, synthetic=synthetic, real=real, groups=groups)

    def over_rows(self, distance: Distance) -> Callable[[Indices, Indices], float]:
        """The distance as a function of which rows count."""
        return lambda i, j: distance(self.synthetic[i], self.real[j])

    def estimate(
        self,
        id: str,
        value: float,
        interval: tuple[float, float],
        distance: Distance,
        *,
        scale: float = 1,
        part: str = "",
    ) -> Estimate:
        """The whole estimate of a value; `distance` makes floor and matched, `scale` multiplies all."""
        first, second, some = self.parts
        floor = distance(self.real[second], self.real[first])
        matched = distance(self.synthetic[some], self.real[first])
        limits = (floor * scale, matched * scale, len(first))
        return self.estimate_with(id, value * scale, (interval[0] * scale, interval[1] * scale), limits, part=part)

    def estimate_with(
        self, id: str, value: float, interval: tuple[float, float], limits: tuple[float, float, int], *, part: str = ""
    ) -> Estimate:
        """The estimate from a value and `limits`: floor, matched, and images a side of both."""
        low, high = interval
        floor, matched, count = limits
        return Estimate(
            id=id, name=name_of(id, self.features, part), part=part, group=self.group, value=value, low=low, high=high,
            n_synthetic=len(self.synthetic), n_real=len(self.real), floor=floor, matched=matched, n_floor=count,
            seed=self.seed, people=self.people,
        )  # fmt: skip

    def bootstrap_estimate(
        self, id: str, distance: Distance, *, resamples: int, scale: float = 1, part: str = "", least: float = -np.inf
    ) -> Estimate:
        """The estimate of a distance whose interval comes from a bootstrap of both sides; `least` bounds the interval."""
        value = distance(self.synthetic, self.real)
        low, high = bootstrap(
            self.over_rows(distance), self.sizes, value, resamples=resamples, seed=self.seed, groups=self.groups
        )
        return self.estimate(id, value, (max(low, least), max(high, least)), distance, scale=scale, part=part)


def name_of(id: str, features: str = "", part: str = "") -> str:
    """How an estimate is called; `features` follows the metric's name where they are not those of the published metric."""
    from dermsynth.metrics.registry import METRICS

    return METRICS[id].label.format(features=features, part=part)
