"""One file per GAN family. `FAMILIES` names them; nothing is imported before a family is asked for."""

import importlib
from typing import TYPE_CHECKING

from dermsynth.errors import UserError

if TYPE_CHECKING:
    from dermsynth.recipes.contract import Recipe

FAMILIES = {"stylegan2-ada": "dermsynth.recipes.stylegan2_ada:StyleGAN2ADA"}
"""Name on the command line -> module and class."""


def family(name: str) -> "type[Recipe]":
    """Import the class of a GAN family.

    Raises UserError when there is no such family.
    """
    if name not in FAMILIES:
        raise UserError(f"recipe {name!r}: unknown; there are: {', '.join(FAMILIES)}")
    module, _, attribute = FAMILIES[name].partition(":")
    found: type[Recipe] = getattr(importlib.import_module(module), attribute)
    return found
