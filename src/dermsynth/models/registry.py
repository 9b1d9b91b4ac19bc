"""Where each family is, by its name; nothing is imported before a family is asked for.

Another package adds a family without any change here, by an entry point in its `pyproject.toml`:

    [project.entry-points."dermsynth.models"]
    my-gan = "my_package.my_gan:MyGAN"
"""

import importlib
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from dermsynth.errors import UserError

if TYPE_CHECKING:
    from dermsynth.models.base import Model

GROUP = "dermsynth.models"
"""Entry points of other packages: name -> module:Class."""
FAMILIES = {
    "dcgan": "dermsynth.models.dcgan:DCGAN",
    "lapgan": "dermsynth.models.lapgan:LAPGAN",
    "ddgan": "dermsynth.models.ddgan:DDGAN",
    "pgan": "dermsynth.models.pgan:PGAN",
    "frozen-pggan": "dermsynth.models.frozen_pggan:FrozenPGGAN",
    "multiscale": "dermsynth.models.multiscale:MultiScale",
    "stylegan2-ada": "dermsynth.models.stylegan2_ada:StyleGAN2ADA",
    "projected": "dermsynth.models.projected:ProjectedGAN",
    "pix2pixhd": "dermsynth.models.pix2pixhd:Pix2PixHD",
    "residual-translation": "dermsynth.models.residual_translation:ResidualTranslation",
    "cyclegan": "dermsynth.models.cyclegan:CycleGAN",
    "r3gan": "dermsynth.models.r3gan:R3GAN",
    "diffusion": "dermsynth.models.diffusion:Diffusion",
    "map-diffusion": "dermsynth.models.map_diffusion:MapDiffusion",
}
"""Families of this package: name on the command line -> module:Class."""
DECLARED = ("publication", "good_for", "config_type", "presets")
"""What a class must declare beside its methods."""


def families() -> dict[str, str]:
    """Name -> module:Class of every family, those of other packages last; their names never replace one of this package."""
    installed = {point.name: point.value for point in sorted(entry_points(group=GROUP))}
    return FAMILIES | {name: place for name, place in installed.items() if name not in FAMILIES}


def require_family(name: str) -> str:
    """module:Class of a family, which is not imported; UserError when there is no such family."""
    place = FAMILIES.get(name) or families().get(name)
    if place is None:
        raise UserError(f"family {name!r}: unknown; there are: {', '.join(families())}")
    return place


def family(name: str) -> "type[Model]":
    """Import the class of a family.

    Raises UserError when there is no such family, or its package cannot be imported or declares too little.
    """
    place = require_family(name)
    module, _, attribute = place.partition(":")
    try:
        kind: type[Model] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"family {name!r}: {place} cannot be imported ({error})") from error
    missing = [field for field in DECLARED if not hasattr(kind, field)]
    if missing:
        raise UserError(f"family {name!r}: {place} does not declare {', '.join(missing)}")
    return kind
