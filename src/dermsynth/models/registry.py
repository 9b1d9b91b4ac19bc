"""One file per GAN family. `FAMILIES` names them; nothing is imported before a family is asked for."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dermsynth.errors import UserError

if TYPE_CHECKING:
    from dermsynth.models.base import Recipe


@dataclass(frozen=True)
class Family:
    """Where a GAN family is, and what a person wants to know before choosing it."""

    place: str
    paper: str
    takes: str
    good_for: str


IMAGES = "images, labels if wanted"
FAMILIES = {
    "dcgan": Family(
        "dcgan:DCGAN",
        "Radford et al. 2015; Mirza & Osindero 2014 (BAUR, LUNAGARIYA)",
        IMAGES,
        "a fast baseline; seven games to compare",
    ),
    "lapgan": Family("lapgan:LAPGAN", "Denton et al. 2015 (BAUR)", IMAGES, "a baseline that refines level by level"),
    "ddgan": Family(
        "ddgan:DDGAN", "Baur et al. 2018b, MelanoGANs", IMAGES, "DCGAN with a discriminator on every resolution"
    ),
    "pgan": Family(
        "pgan:PGAN", "Karras et al. 2018 (BAUR, BISSOTO)", IMAGES, "steady training to high resolutions without tuning"
    ),
    "frozen-pggan": Family(
        "frozen_pggan:FrozenPGGAN", "Lunagariya & Patel 2020", IMAGES, "seeing what each resolution adds; cheap phases"
    ),
    "multiscale": Family(
        "multiscale:MultiScale", "Furger et al. 2020", IMAGES, "any aspect ratio; truncation by resampling"
    ),
    "stylegan2-ada": Family(
        "stylegan2_ada:StyleGAN2ADA",
        "Karras et al. 2020a, b (ROSEN)",
        IMAGES,
        "the best images from few; transfer; latent editing",
    ),
    "pix2pixhd": Family(
        "pix2pixhd:Pix2PixHD",
        "Wang et al. 2018 (BISSOTO)",
        "images with lesion masks",
        "images whose lesion and markers are known pixel by pixel; any size",
    ),
    "residual-translation": Family(
        "residual_translation:ResidualTranslation",
        "Furger et al. 2020, targeted",
        "two labels, one with masks",
        "adding a finding where a mask says, or removing it; nothing else changes",
    ),
    "cyclegan": Family(
        "cyclegan:CycleGAN",
        "Zhu et al. 2017; Furger et al. 2020, untargeted",
        "two labels",
        "translating both ways without masks or pairs",
    ),
    "r3gan": Family(
        "r3gan:R3GAN", "Huang et al. 2024", IMAGES, "the modern baseline: a loss that converges, no tricks"
    ),
}
"""By the name on the command line."""


def family(name: str) -> "type[Recipe]":
    """Import the class of a GAN family.

    Raises UserError when there is no such family.
    """
    if name not in FAMILIES:
        raise UserError(f"recipe {name!r}: unknown; there are: {', '.join(FAMILIES)}")
    module, _, attribute = FAMILIES[name].place.partition(":")
    found: type[Recipe] = getattr(importlib.import_module(f"dermsynth.models.{module}"), attribute)
    return found
