"""One image and all its masks from its parameters."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.data.phantom.artefacts import insert
from dermsynth.data.phantom.canvas import Canvas, soften
from dermsynth.data.phantom.lesion import distance_from_border, render_pigment, render_skin
from dermsynth.data.phantom.markers import add_markers
from dermsynth.data.phantom.parameters import Parameters, PhantomSettings
from dermsynth.images import Pixels

Mask = NDArray[np.uint8]
FEWEST_PIXELS = 128
"""Small images are drawn on a canvas at least this wide and averaged down."""
TINT = np.array([1.0, 0.93, 0.86], np.float32)


@dataclass(frozen=True)
class Rendering:
    """An image uint8 [h, w, 3] and masks uint8 [h, w] (0 or 255) of the lesion, the markers and the artefacts."""

    image: Pixels
    lesion: Mask
    structures: dict[str, Mask]
    parameters: Parameters


def render(parameters: Parameters, settings: PhantomSettings) -> Rendering:
    """Draw skin, pigment, markers and artefacts, and average down to the wanted size."""
    factor = max(1, -(-FEWEST_PIXELS // min(settings.height, settings.width)))
    canvas = Canvas(settings.height * factor, settings.width * factor, np.random.default_rng([parameters.seed, 11]))
    skin = render_skin(canvas, parameters)
    inside = distance_from_border(canvas, parameters)
    coverage, density = render_pigment(canvas, parameters, inside)
    density, bright, masks = add_markers(canvas, parameters, inside, coverage, density)
    image = skin * cv2.exp(-density)
    if bright is not None:
        image = image + (TINT * 0.95 - image) * bright
    for name in parameters.artefacts:
        image, masks[name] = insert(canvas, image, name)
    image = soften(image, 0.0025 * canvas.side)
    size = (settings.width, settings.height)
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if factor > 1 else image
    image = image + canvas.generator.standard_normal(image.shape, dtype=np.float32) * 0.006
    pixels = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    lesion = _reduce((inside > 0).astype(np.uint8) * 255, size, 127)
    small = {name: _reduce(mask, size, 63) for name, mask in masks.items()}
    return Rendering(pixels, lesion, small, parameters)


def _reduce(mask: Mask, size: tuple[int, int], threshold: int) -> Mask:
    """Average a mask down; a structure counts where it covers a pixel by more than the threshold of 255."""
    return (cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > threshold).astype(np.uint8) * 255
