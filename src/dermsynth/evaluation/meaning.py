"""What every figure of an evaluation says, and which value of it is good."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Meaning(NamedTuple):
    """Which way is better, and a sentence for somebody who does not know the figure."""

    better: str
    says: str


AS_REAL = "near that of real images"
MEANINGS: dict[str, Meaning] = {
    "FID": Meaning("lower", "distance of features' means and spreads; 0 for equal distributions, more for few images"),
    "KID": Meaning("lower", "as FID without its excess for few images; about 0, or below, for equal distributions"),
    "MMD": Meaning("lower", "as KID, with another kernel; about 0, or below, for equal distributions"),
    "SWD": Meaning("lower", "distance of small patches, fine detail at the largest size; sees noise and blur"),
    "precision": Meaning("higher", "share of synthetic images among real ones; 1 is best, real images reach the floor"),
    "recall": Meaning("higher", "share of real images among synthetic ones; 1 is best, real images reach the floor"),
    "density": Meaning("higher", "how densely real images lie around synthetic ones; about 1 for equal distributions"),
    "coverage": Meaning(
        "higher", "share of real images with a synthetic one near; 1 is best, real images reach the floor"
    ),
    "MS-SSIM of pairs": Meaning(
        AS_REAL, "likeness of two synthetic images; above that of real ones the set repeats itself"
    ),
    "Inception score": Meaning(AS_REAL, "sure and varied classes; knows no real images, so alone it says little"),
    "Frechet distance, dermatology": Meaning(
        "lower", "distance of twelve features with names; 0 for equal distributions"
    ),
    "difference of": Meaning(
        "near 0", "synthetic minus real mean, in deviations of the real images; below 0.2 is small"
    ),
    "JSD": Meaning("lower", "difference of a channel's colours; 0 for equal ones, 1000 for none shared"),
    "Wasserstein": Meaning(
        "lower", "how far a channel's colours are apart, in thousandths of its range; 0 for equal ones"
    ),
    "authenticity": Meaning(
        "not far below that without copying",
        "share of images farther from a training image than that is from its next one",
    ),
    "distance ratio": Meaning(
        "near 1", "distance to training over that to held-out images; below 1 too close to training"
    ),
    "C_T": Meaning("near 0", "below -2 too close to training images, below -3 copying, above 5 far from all"),
    "membership": Meaning("near 0.5", "how well training images are told from held-out ones; 1 gives them away"),
}
"""By how the names of figures begin."""
PAIRS = Meaning(AS_REAL, "perceptual distance of two synthetic images; below that of real ones the set repeats itself")


def meaning(metric: str) -> Meaning:
    """The meaning of a figure by its name."""
    if metric.endswith(", of pairs"):
        return PAIRS
    return next(found for name, found in MEANINGS.items() if metric.startswith(name))


def outside(row: Mapping[str, Any]) -> str:
    """Why a value lies outside its interval; empty where it lies inside."""
    if row["low"] <= row["value"] <= row["high"]:
        return ""
    if row["metric"].startswith(("FID", "SWD")):
        return "few images raise the value; the interval is that of the distance between the two distributions"
    return "the value is not in the middle of what other images would give; trust the interval"
