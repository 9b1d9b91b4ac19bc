"""Estimates compared with their floor: the same metric between two halves of the real images."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dermsynth.metrics.estimate import Estimate
from dermsynth.metrics.registry import METRICS, Question

Light = Literal["green", "amber", "red", "not measured"]
GOOD, FAIR = 0.9, 0.7
"""Shares of what real images reach against each other, from which an estimate is green or amber."""
NEAR, FAR = 2.0, 5.0
"""Times a distance between real and real images, up to which a distance is green or amber."""
ORDER: Sequence[Light] = ("red", "amber", "green", "not measured")
RULE = (
    f"at equal n: distances up to {NEAR:g} times those of real against real images are green, up to {FAR:g} amber; "
    f"shares from {GOOD:g} times theirs green, from {FAIR:g} amber; the worst figure decides"
)


@dataclass(frozen=True)
class Judgement:
    """An estimate beside its floor: its metric, its light, how bad it is (1: no worse than real images), and a sentence."""

    id: str
    light: Light
    severity: float
    says: str


def judgements(estimates: Sequence[Estimate], question: Question) -> list[Judgement]:
    """Every estimate of a group that answers a question of the verdict, the worst first.

    KID, MMD and FID at infinity have floors of about zero, of which nothing is a multiple: FID of the same features stands
    for them. Of single colour channels the mean distance counts: one may be small by chance.
    """
    judged: list[Judgement | None] = []
    for id in dict.fromkeys(estimate.id for estimate in estimates):
        of_metric = [estimate for estimate in estimates if estimate.id == id]
        if id in METRICS and METRICS[id].question == question:
            judged += RULES[METRICS[id].floor](of_metric)
    complete = (judgement for judgement in judged if judgement is not None)
    return sorted(complete, key=lambda judgement: (ORDER.index(judgement.light), -judgement.severity))


def worst(judged: Iterable[Judgement]) -> Light:
    """The light of the worst estimate; "not measured" where there is none."""
    return min((judgement.light for judgement in judged), key=ORDER.index, default="not measured")


def summary(judged: Sequence[Judgement], most: int = 3) -> str:
    """The estimates that are not green, or else the worst of all, in words; at most three."""
    bad = [judgement for judgement in judged if judgement.light != "green"]
    if not bad:
        return f"{judged[0].says}; of {len(judged)} figures none is farther from real images" if judged else ""
    more = f"; and {len(bad) - most} more" if len(bad) > most else ""
    return "; ".join(judgement.says for judgement in bad[:most]) + more


def _times(estimates: Sequence[Estimate]) -> list[Judgement | None]:
    return [_distance(e.id, e.name, e.matched, e.floor, e.n_floor) for e in estimates]


def _mean_of_parts(estimates: Sequence[Estimate]) -> list[Judgement | None]:
    matched, floor = (
        sum(values) / len(estimates) for values in zip(*((e.matched, e.floor) for e in estimates), strict=True)
    )
    metric = METRICS[estimates[0].id]
    name = f"{metric.title} {metric.unit}, mean of {len(estimates)} colour channels"
    return [_distance(metric.id, name, matched, floor, estimates[0].n_floor)]


def _shares(estimates: Sequence[Estimate]) -> list[Judgement | None]:
    return [_share(e, e.matched, e.floor) for e in estimates]


def _missing_shares(estimates: Sequence[Estimate]) -> list[Judgement | None]:
    """Of a similarity: what is missing to 1 is diversity."""
    return [_share(e, 1 - e.matched, 1 - e.floor) for e in estimates]


def _not_judged(_: Sequence[Estimate]) -> list[Judgement | None]:
    return []


RULES: dict[str, Callable[[Sequence[Estimate]], list[Judgement | None]]] = {
    "times": _times,
    "mean of parts": _mean_of_parts,
    "share": _shares,
    "missing share": _missing_shares,
    "": _not_judged,
}


def _distance(id: str, name: str, matched: float, floor: float, count: int) -> Judgement | None:
    if floor <= 0:
        return None
    ratio = matched / floor
    light: Light = "green" if ratio <= NEAR else "amber" if ratio <= FAR else "red"
    says = f"{name} {matched:.3g}, {ratio:.1f} times real against real ({floor:.3g}, n = {count})"
    return Judgement(id, light, ratio, says)


def _share(estimate: Estimate, matched: float, floor: float) -> Judgement | None:
    if floor <= 0:
        return None
    ratio = matched / floor
    light: Light = "green" if ratio >= GOOD else "amber" if ratio >= FAIR else "red"
    says = f"{estimate.name} {estimate.matched:.2f}, real images {estimate.floor:.2f} (n = {estimate.n_floor})"
    return Judgement(estimate.id, light, 1 / max(ratio, 1e-6), says)
