"""The table of all metrics that an evaluation reports.

A new metric is one function and one entry here: an evaluation computes it, and JSON, terminal, page, card and verdict have it.
"""

import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from dermsynth.metrics.appearance import appearance_estimates
from dermsynth.metrics.colour import colour_estimates
from dermsynth.metrics.comparison import Comparison
from dermsynth.metrics.estimate import Estimate
from dermsynth.metrics.frechet import fid_estimates, fid_infinity_estimates
from dermsynth.metrics.kernels import kid_estimates, mmd_estimates
from dermsynth.metrics.pairs import ms_ssim_estimates, perceptual_estimates
from dermsynth.metrics.prdc import manifold_estimates
from dermsynth.metrics.pyramids import swd_estimates
from dermsynth.metrics.scores import score_estimates
from dermsynth.metrics.vendi_score import vendi_estimates

Direction = Literal["lower", "higher", "near"]
Question = Literal["fidelity", "diversity", ""]
Floor = Literal["times", "mean of parts", "share", "missing share", ""]
Measure = Callable[[Comparison], Iterable[Estimate]]
"""Computes one metric, or several that are computed together, of a group of images."""

DISTRIBUTIONS = "Distances of distributions"
MANIFOLDS = "Fidelity and diversity apart"
DIVERSITY = "Diversity without real images"
COLOURS = "Colours"
APPEARANCE = "Features with names"
COPYING = "Copying"
AS_REAL = "near that of real images"


class Metric(NamedTuple):
    """A metric: its name, what its values mean, how it is computed, and how the verdict uses it.

    Attributes
    ----------
    id
        Its key: in results, on disk, and for every rule.
    title
        Its name.
    unit
        What its values count; empty for a number without unit.
    direction
        `lower` or `higher` is better, or `near` what `good` says.
    section
        The heading on pages under which it stands.
    function
        Computes its estimates of a group of images, maybe with those of other metrics; None where an evaluation needs more
        than two sets of images (training images, the generator).
    good
        Which values are good, in words.
    says
        A sentence for somebody who does not know it.
    label
        The name of one estimate, from its `features` and `part`.
    floor
        How it is compared with the same figure between real images: `times` for a distance, as a multiple; `mean of parts` for
        distances of many parts, whose mean is compared; `share` where higher is better; `missing share` for a similarity,
        whose difference from 1 is compared. Empty where it is not.
    question
        The question of the verdict that it helps to answer.
    brief
        Whether a brief evaluation has it.
    of_tones
        Whether it is computed of each skin tone, too.
    on_card
        Whether a data card shows its first part.
    few_images
        Whether few images raise its value.
    """

    id: str
    title: str
    unit: str
    direction: Direction
    section: str
    function: Measure | None
    good: str = ""
    says: str = ""
    label: str = ""
    floor: Floor = ""
    question: Question = ""
    brief: bool = False
    of_tones: bool = False
    on_card: bool = False
    few_images: bool = False


def _metric(
    id: str, title: str, unit: str, direction: Direction, section: str, function: Measure | None, **more: object
) -> Metric:
    """A metric whose estimates bear its title, and whose good values follow from its direction unless given."""
    return with_defaults(Metric(id, title, unit, direction, section, function, **more))  # type: ignore[arg-type]


def with_defaults(metric: Metric) -> Metric:
    """The metric with a label and with words for good values where it has none."""
    return metric._replace(label=metric.label or metric.title, good=metric.good or metric.direction)


SHARE = "1 is best, real images reach the floor"
METRICS: dict[str, Metric] = {
    metric.id: metric
    for metric in (
        _metric(
            "fid", "FID", "", "lower", DISTRIBUTIONS, fid_estimates, label="FID{features}", floor="times", question="fidelity",
            says="distance of features' means and spreads; 0 for equal distributions, more for few images",
            brief=True, of_tones=True, on_card=True, few_images=True,
        ),
        _metric(
            "kid", "KID", "x 1000", "lower", DISTRIBUTIONS, kid_estimates, label="KID{features} x 1000",
            says="as FID without its excess for few images; about 0, or below, for equal distributions",
            brief=True, of_tones=True, on_card=True,
        ),
        _metric(
            "fid_infinity", "FID at infinity", "", "lower", DISTRIBUTIONS, fid_infinity_estimates,
            label="FID{features} at infinity", says="FID without its excess for few images, read off a line",
            of_tones=True, on_card=True, few_images=True,
        ),
        _metric(
            "mmd", "MMD", "x 1000", "lower", DISTRIBUTIONS, mmd_estimates, label="MMD{features} x 1000",
            says="as KID, with another kernel; about 0, or below, for equal distributions", of_tones=True,
        ),
        _metric(
            "precision", "precision", "share", "higher", MANIFOLDS, manifold_estimates, label="precision{features}",
            floor="share", question="fidelity", says=f"share of synthetic images among real ones; {SHARE}",
            of_tones=True, on_card=True,
        ),
        _metric(
            "recall", "recall", "share", "higher", MANIFOLDS, manifold_estimates, label="recall{features}",
            floor="share", question="diversity", says=f"share of real images among synthetic ones; {SHARE}",
            of_tones=True, on_card=True,
        ),
        _metric(
            "density", "density", "", "higher", MANIFOLDS, manifold_estimates, label="density{features}",
            floor="share", question="fidelity", of_tones=True, on_card=True,
            says="how densely real images lie around synthetic ones; about 1 for equal distributions",
        ),
        _metric(
            "coverage", "coverage", "share", "higher", MANIFOLDS, manifold_estimates, label="coverage{features}",
            floor="share", question="diversity", says=f"share of real images with a synthetic one near; {SHARE}",
            of_tones=True, on_card=True,
        ),
        _metric(
            "clipped_density", "clipped density", "share", "higher", MANIFOLDS, manifold_estimates,
            label="clipped density{features}", of_tones=True, on_card=True,
            says="share of good synthetic images: that of good and far ones which is as dense; 1 is best",
        ),
        _metric(
            "clipped_coverage", "clipped coverage", "share", "higher", MANIFOLDS, manifold_estimates,
            label="clipped coverage{features}", of_tones=True, on_card=True,
            says="share of good synthetic images that would cover as many kinds of real ones; 1 is best",
        ),
        _metric(
            "inception_score", "Inception score", "", "near", DIVERSITY, score_estimates, good=AS_REAL,
            label="Inception score{features}", of_tones=True,
            says="sure and varied classes; knows no real images, so alone it says little",
        ),
        _metric(
            "vendi", "Vendi score", "images", "near", DIVERSITY, vendi_estimates, good=AS_REAL, label="Vendi score{features}",
            says="effective number of different images; below that of as many real ones the set repeats itself",
        ),
        _metric(
            "swd", "SWD", "x 1000", "lower", DISTRIBUTIONS, swd_estimates, label="SWD {part}", floor="times",
            question="fidelity", brief=True, on_card=True, few_images=True,
            says="distance of small patches, fine detail at the largest size; sees noise and blur",
        ),
        _metric(
            "colour_jsd", "JSD", "x 1000", "lower", COLOURS, colour_estimates, label="JSD x 1000 {part}",
            floor="mean of parts", question="fidelity",
            says="difference of a channel's colours; 0 for equal ones, 1000 for none shared",
        ),
        _metric(
            "colour_wasserstein", "Wasserstein", "x 1000", "lower", COLOURS, colour_estimates,
            label="Wasserstein x 1000 {part}", floor="mean of parts", question="fidelity",
            says="how far a channel's colours are apart, in thousandths of its range; 0 for equal ones",
        ),
        _metric(
            "appearance_distance", "Frechet distance, dermatology", "", "lower", APPEARANCE, appearance_estimates,
            floor="times", question="fidelity", of_tones=True, on_card=True,
            says="distance of twelve features with names; 0 for equal distributions",
        ),
        _metric(
            "appearance_difference", "difference of a named feature", "deviations", "near", APPEARANCE,
            appearance_estimates, good="near 0", label="difference of {part}", of_tones=True,
            says="synthetic minus real mean, in deviations of the real images; below 0.2 is small",
        ),
        _metric(
            "skin_tone_distance", "distance of skin tones", "degrees", "lower", APPEARANCE, appearance_estimates,
            of_tones=True, on_card=True,
            says="how far apart the individual typology angles are, light and dark ends alike; 0 for equal distributions",
        ),
        _metric(
            "ms_ssim", "MS-SSIM of pairs", "", "near", DIVERSITY, ms_ssim_estimates, good=AS_REAL,
            floor="missing share", question="diversity",
            says="likeness of two synthetic images; above that of real ones the set repeats itself",
        ),
        _metric(
            "lpips", "perceptual distance of pairs", "", "near", DIVERSITY, perceptual_estimates, good=AS_REAL,
            label="{part}, of pairs", floor="share", question="diversity",
            says="perceptual distance of two synthetic images; below that of real ones the set repeats itself",
        ),
        _metric(
            "authenticity", "authenticity", "share", "near", COPYING, None, label="authenticity{features}",
            good="not far below that without copying",
            says="share of images farther from a training image than that is from its next one",
        ),
        _metric(
            "memorised_share", "memorised share", "share", "near", COPYING, None, label="memorised share{features}",
            good="near that without copying",
            says="share of images whose nearest training image is less than a third as far as the second nearest",
        ),
        _metric(
            "distance_ratio", "distance ratio", "", "near", COPYING, None, label="distance ratio{features}", good="near 1",
            says="distance to training over that to held-out images; below 1 too close to training",
        ),
        _metric(
            "membership_distance", "membership by distance, AUC", "", "near", COPYING, None,
            label="membership by distance, AUC{features}", good="near 0.5",
            says="how well training images are told from held-out ones; 1 gives them away",
        ),
        _metric(
            "membership_sure", "membership by distance, true positive rate", "share", "near", COPYING, None,
            label="membership by distance at {part} false positives{features}", good="near that without copying",
            says="share of training images that are told from held-out ones with so few errors",
        ),
        _metric(
            "membership_discriminator", "membership by discriminator, AUC", "", "near", COPYING, None, good="near 0.5",
            says="how well training images are told from held-out ones; 1 gives them away",
        ),
        _metric(
            "memorisation", "C_T", "", "near", COPYING, None, label="C_T in {part} cells{features}", good="near 0",
            says="below -2 too close to training images, below -3 copying, above 5 far from all",
        ),
    )
}  # fmt: skip
"""Id -> metric, in the order of computation and of pages."""


def add_metric(metric: Metric) -> None:
    """Add a metric to the table, from another package too.

    Parameters
    ----------
    metric : Metric
        Its id, title, unit, direction, section of the page, and the function that computes it.

    Raises
    ------
    ValueError
        For an id that is taken.

    Examples
    --------
    >>> from dermsynth import metrics
    >>> from dermsynth.metrics.registry import METRICS
    >>> metrics.add_metric(METRICS["fid"])
    Traceback (most recent call last):
    ValueError: metric 'fid': the id is taken
    """
    if metric.id in METRICS:
        raise ValueError(f"metric {metric.id!r}: the id is taken")
    METRICS[metric.id] = with_defaults(metric)


def measures(*, brief: bool = False, of_tones: bool = False) -> list[Measure]:
    """The functions that compute the metrics of an evaluation, each once: all, those of a brief one, or of skin tones."""
    fields = [
        metric.function
        for metric in METRICS.values()
        if metric.function is not None and (metric.brief or not brief) and (metric.of_tones or not of_tones)
    ]
    return list(dict.fromkeys(fields))


def sections() -> list[str]:
    """Headings of pages, in the order of the table."""
    return list(dict.fromkeys(metric.section for metric in METRICS.values()))


def parse_name(name: str) -> tuple[str, str]:
    """Id and part of an estimate of an earlier version, which was kept by its name alone.

    Raises ValueError for a name that no metric has.
    """
    for metric in sorted(METRICS.values(), key=lambda metric: -len(metric.label.replace("{features}", ""))):
        pattern = re.escape(metric.label).replace(r"\{features\}", "(-.+)?").replace(r"\{part\}", "(?P<part>.+)")
        match = re.fullmatch(pattern, name)
        if match is not None:
            return metric.id, match.groupdict().get("part", "")
    raise ValueError(f"{name}: no metric of this version")
