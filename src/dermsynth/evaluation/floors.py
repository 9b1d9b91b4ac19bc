"""How far the figures of a group lie from what real images reach against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Light = Literal["green", "amber", "red", "not measured"]
Row = Mapping[str, Any]
GOOD, FAIR = 0.9, 0.7
"""Shares of what real images reach against each other, from which a figure is green or amber."""
NEAR, FAR = 2.0, 5.0
"""Times a distance between real and real images, up to which a distance is green or amber."""
ORDER: Sequence[Light] = ("red", "amber", "green", "not measured")
RULE = (
    f"at equal n: distances up to {NEAR:g} times those of real against real images are green, up to {FAR:g} amber; "
    f"shares from {GOOD:g} times theirs green, from {FAIR:g} amber; the worst figure decides"
)
CHANNELS = ("JSD", "Wasserstein")
"""Distances of one colour channel each, of which the sum over channels is judged: a single one may be small by chance."""


@dataclass(frozen=True)
class Judged:
    """A figure beside its floor: its light, how bad it is (1: no worse than real images), and a sentence."""

    light: Light
    badness: float
    says: str


def fidelity_figures(rows: Sequence[Row]) -> list[Judged]:
    """Every figure of a group that tells real from synthetic images, the worst first.

    KID, MMD and FID at infinity have floors of about zero, of which nothing is a multiple: FID of the same features
    stands for them.
    """
    found = [_distance(row["metric"], row["matched"], row["floor"], row["half"]) for row in rows if _is_distance(row)]
    found += [_channels(rows, name) for name in CHANNELS]
    found += [_share(row, row["matched"], row["floor"]) for row in rows if _kind(row) in ("precision", "density")]
    return _worst_first(found)


def diversity_figures(rows: Sequence[Row]) -> list[Judged]:
    """Every figure of a group that tells whether the synthetic images differ as real ones do, the worst first."""
    found = [_share(row, row["matched"], row["floor"]) for row in rows if _kind(row) in ("recall", "coverage")]
    for row in rows:
        if row["metric"] == "MS-SSIM of pairs":  # a similarity: what is missing to 1 is diversity
            found.append(_share(row, 1 - row["matched"], 1 - row["floor"]))
        elif row["metric"].endswith(", of pairs"):
            found.append(_share(row, row["matched"], row["floor"]))
    return _worst_first(found)


def worst(found: Sequence[Judged]) -> Light:
    """The light of the worst figure; "not measured" where there is none."""
    return min((one.light for one in found), key=ORDER.index, default="not measured")


def told(found: Sequence[Judged], most: int = 3) -> str:
    """The figures that are not green, or else the worst of all, in words; at most three."""
    bad = [one for one in found if one.light != "green"]
    if not bad:
        return f"{found[0].says}; of {len(found)} figures none is farther from real images" if found else ""
    more = f"; and {len(bad) - most} more" if len(bad) > most else ""
    return "; ".join(one.says for one in bad[:most]) + more


def _kind(row: Row) -> str:
    return str(row["metric"]).split("-")[0]


def _is_distance(row: Row) -> bool:
    name = str(row["metric"])
    if name.endswith("at infinity"):
        return False
    return name == "FID" or name.startswith(("FID-", "SWD ", "Frechet distance"))


def _distance(name: str, matched: float, floor: float, half: int) -> Judged | None:
    if floor <= 0:
        return None
    ratio = matched / floor
    light: Light = "green" if ratio <= NEAR else "amber" if ratio <= FAR else "red"
    return Judged(light, ratio, f"{name} {matched:.3g}, {ratio:.1f} times real against real ({floor:.3g}, n = {half})")


def _channels(rows: Sequence[Row], name: str) -> Judged | None:
    mine = [row for row in rows if row["metric"].startswith(f"{name} x")]
    if not mine:
        return None
    matched, floor = (sum(row[key] for row in mine) / len(mine) for key in ("matched", "floor"))
    return _distance(f"{name} x 1000, mean of {len(mine)} colour channels", matched, floor, mine[0]["half"])


def _share(row: Row, matched: float, floor: float) -> Judged | None:
    if floor <= 0:
        return None
    ratio = matched / floor
    light: Light = "green" if ratio >= GOOD else "amber" if ratio >= FAIR else "red"
    says = f"{row['metric']} {row['matched']:.2f}, real images {row['floor']:.2f} (n = {row['half']})"
    return Judged(light, 1 / max(ratio, 1e-6), says)


def _worst_first(found: Sequence[Judged | None]) -> list[Judged]:
    """Red before amber before green, within a light the farthest from its floor first."""
    return sorted((one for one in found if one is not None), key=lambda one: (ORDER.index(one.light), -one.badness))
