"""Procedural dermoscopy: images whose every structure is known exactly."""

from dermsynth.data.phantom.dataset import default_phantom, write_phantom
from dermsynth.data.phantom.parameters import ARTEFACTS, CLASSES, MARKERS, PhantomSettings, draw_parameters
from dermsynth.data.phantom.render import Rendering, render

__all__ = [
    "ARTEFACTS",
    "CLASSES",
    "MARKERS",
    "PhantomSettings",
    "Rendering",
    "default_phantom",
    "draw_parameters",
    "render",
    "write_phantom",
]
