"""Hair, ruler, frame, ink and stickers on top of an image, each with its exact mask."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.data.phantom.canvas import Canvas, Field, soften

Mask = NDArray[np.uint8]
INKS = np.array([[0.35, 0.12, 0.50], [0.10, 0.16, 0.45], [0.08, 0.40, 0.30]], np.float32)
STICKERS = np.array([[0.20, 0.45, 0.85], [0.95, 0.80, 0.20], [0.30, 0.70, 0.35], [0.85, 0.35, 0.30]], np.float32)


def insert(canvas: Canvas, image: Field, name: str) -> tuple[Field, Mask]:
    """Put one artefact into an image [h, w, 3] in [0, 1]; returns the image and the artefact's mask."""
    return {"hair": _hair, "ruler": _ruler, "frame": _frame, "ink": _ink, "sticker": _sticker}[name](canvas, image)


def _blend(image: Field, mask: NDArray[np.generic], colour: NDArray[np.float32], opacity: float) -> Field:
    weight = (np.asarray(mask, dtype=np.float32) * (opacity / 255))[..., None]
    return image * (1 - weight) + colour * weight


def _hair(canvas: Canvas, image: Field) -> tuple[Field, Mask]:
    """Curved lines, dark or, on some people, light, with a faint highlight."""
    g = canvas.generator
    mask = canvas.blank()
    light = g.random() < 0.15
    colour = np.array([0.82, 0.70, 0.50] if light else [0.10, 0.07, 0.06], np.float32) * np.float32(g.uniform(0.8, 1.3))
    main = g.uniform(0, np.pi)
    extent = np.array([canvas.width, canvas.height]) / canvas.side
    t = np.linspace(0, 1, 16)[:, None]
    for _ in range(int(g.integers(4, 22))):
        start = g.uniform(-0.1, 1.1, 2) * extent
        turn = main + g.normal(0, 0.5)
        reach = g.uniform(0.3, 1.1) * np.array([np.cos(turn), np.sin(turn)])
        bend = g.normal(0, 0.25) * np.array([-reach[1], reach[0]])
        curve = start + reach * t + bend * 4 * t * (1 - t)
        canvas.stroke(mask, curve, g.uniform(0.004, 0.011))
    return _blend(image, mask, np.clip(colour, 0, 1), 0.85), mask


def _ruler(canvas: Canvas, image: Field) -> tuple[Field, Mask]:
    """Ticks along one border, every fifth longer, with a baseline."""
    g = canvas.generator
    mask = canvas.blank()
    extent = np.array([canvas.width, canvas.height]) / canvas.side
    along = int(g.integers(0, 2))
    far = bool(g.integers(0, 2))
    offset = g.uniform(0.02, 0.06)
    step = g.uniform(0.03, 0.05)
    for number, position in enumerate(np.arange(g.uniform(0, step), extent[along], step)):
        length = 0.075 if number % 5 == 0 else 0.04
        ends = np.empty((2, 2))
        ends[:, along] = position
        other = np.array([offset, offset + length])
        ends[:, 1 - along] = extent[1 - along] - other if far else other
        canvas.stroke(mask, ends, 0.006)
    return _blend(image, mask, np.array([0.12, 0.10, 0.12], np.float32), 0.8), mask


def _frame(canvas: Canvas, image: Field) -> tuple[Field, Mask]:
    """The black rim of the dermoscope: everything outside a circle."""
    g = canvas.generator
    y, x = np.mgrid[: canvas.height, : canvas.width].astype(np.float32)
    centre = np.array([canvas.width, canvas.height]) * (0.5 + g.normal(0, 0.015, 2))
    radius = canvas.side * g.uniform(0.50, 0.60) * (np.hypot(canvas.width, canvas.height) / (np.sqrt(2) * canvas.side))
    distance = np.hypot(x - centre[0], y - centre[1])
    edge = canvas.side * g.uniform(0.006, 0.02)
    weight = np.clip((distance - radius) / edge + 0.5, 0, 1)
    rim = np.array([0.02, 0.02, 0.025], np.float32)
    shadow = 1 - 0.25 * np.clip(1 - (radius - distance) / (0.15 * canvas.side), 0, 1)
    image = image * shadow[..., None]
    return image * (1 - weight[..., None]) + rim * weight[..., None], (weight * 255).astype(np.uint8)


def _ink(canvas: Canvas, image: Field) -> tuple[Field, Mask]:
    """A stroke of a surgical marker: broad, uneven, see-through."""
    g = canvas.generator
    mask = canvas.blank()
    extent = np.array([canvas.width, canvas.height]) / canvas.side
    edge = g.uniform(0, 2 * np.pi)
    start = (0.5 + 0.42 * np.array([np.cos(edge), np.sin(edge)])) * extent
    turn = edge + np.pi / 2 + g.normal(0, 0.4)
    t = np.linspace(-0.5, 0.5, 12)[:, None]
    reach = g.uniform(0.25, 0.6)
    curve = (
        start + reach * t * np.array([np.cos(turn), np.sin(turn)]) + 0.1 * t**2 * np.array([np.cos(edge), np.sin(edge)])
    )
    canvas.stroke(mask, curve, g.uniform(0.025, 0.05))
    uneven = np.clip(0.8 + 0.25 * canvas.noise(20), 0.3, 1)
    soft = soften(mask, 0.006 * canvas.side) * uneven
    ink = INKS[int(g.integers(len(INKS)))]
    return _blend(image, soft, ink, 0.75), (soft > 64).astype(np.uint8) * 255


def _sticker(canvas: Canvas, image: Field) -> tuple[Field, Mask]:
    """A coloured patch that reaches in from the border."""
    g = canvas.generator
    mask = canvas.blank()
    extent = np.array([canvas.width, canvas.height]) / canvas.side
    edge = g.uniform(0, 2 * np.pi)
    x, y = (0.5 + g.uniform(0.52, 0.62) * np.array([np.cos(edge), np.sin(edge)])) * extent
    canvas.disc(mask, float(x), float(y), float(g.uniform(0.16, 0.26)))
    colour = STICKERS[int(g.integers(len(STICKERS)))] * (1 + 0.05 * canvas.noise(3)[..., None])
    shadow = soften(cv2.dilate(mask, np.ones((3, 3), np.uint8)), 0.012 * canvas.side)
    image = image * (1 - 0.25 * (shadow / 255))[..., None]
    return _blend(image, mask, colour.astype(np.float32), 1.0), mask
