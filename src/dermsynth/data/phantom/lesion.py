"""Skin and lesion: colours from the ITA scale, pigment as optical density on a wobbling ellipse."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.data.phantom.canvas import Canvas, Field
from dermsynth.data.phantom.parameters import Parameters

MELANIN = np.array([0.55, 0.95, 1.15], np.float32)
"""Absorption of red, green and blue by melanin, relative."""
HUES = np.array([[1.0, 1.0, 1.0], [0.75, 0.9, 1.25], [1.25, 1.05, 0.75], [0.65, 1.25, 1.0]], np.float32)
"""Colours of a lesion as multiples of melanin: brown, light brown, blue-grey, red."""


def skin_colour(ita: float, redness: float) -> NDArray[np.float32]:
    """RGB in [0, 1] of skin whose individual typology angle is `ita` degrees (Chardon et al. 1991).

    ITA = arctan((L - 50) / b): b is fixed by the angle's sign range, L follows, a is the redness.
    """
    b = 18.0 if ita > 0 else 14.0
    lightness = 50 + b * np.tan(np.radians(np.clip(ita, -55, 70)))
    lab = np.array([[[np.clip(lightness, 18, 88), redness, b]]], np.float32)
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)[0, 0], 0.02, 1)


def render_skin(canvas: Canvas, p: Parameters) -> Field:
    """[h, w, 3] in [0, 1]: tone, blotches, fine relief and the light that falls off towards the corners."""
    colour = skin_colour(p.ita, p.redness)
    blotches = canvas.fractal(3, 2)
    relief = 1 + canvas.noise(canvas.side / 3) * 0.012 + canvas.noise(24) * 0.014
    y, x = np.ogrid[-1 : 1 : canvas.height * 1j, -1 : 1 : canvas.width * 1j]
    light = (1.04 - 0.13 * (x**2 + y**2)).astype(np.float32)
    relief, blotches = relief * light, blotches * light
    return cv2.merge([relief * c + blotches * (c * b) for c, b in zip(colour, (0.012, 0.03, 0.028), strict=True)])


def distance_from_border(canvas: Canvas, p: Parameters) -> Field:
    """Signed relative distance to the border along the ray from the centre, positive inside."""
    unit = canvas.side
    x = (np.arange(canvas.width, dtype=np.float32)[None] + 0.5) / unit - p.centre[0] * canvas.width / unit
    y = (np.arange(canvas.height, dtype=np.float32)[:, None] + 0.5) / unit - p.centre[1] * canvas.height / unit
    cosine, sine = np.cos(p.angle), np.sin(p.angle)
    stretch = np.sqrt(p.elongation)
    u, v = (x * cosine + y * sine) / stretch, (y * cosine - x * sine) * stretch
    distance, angle = cv2.cartToPolar(u.astype(np.float32), v.astype(np.float32))
    return p.radius * _outline(canvas, p, angle) - distance


def _outline(canvas: Canvas, p: Parameters, angle: Field) -> Field:
    """Radius as a function of the angle in [0, 2 pi]: a low harmonic for asymmetry, high ones for an irregular border."""
    table = np.ones(720, np.float32)
    turn = np.linspace(0, 2 * np.pi, len(table), endpoint=False, dtype=np.float32)
    for harmonic in range(1, 16):
        strength = 0.02
        if harmonic <= 3:
            strength += 0.16 * p.asymmetry / harmonic
        else:
            strength += 0.11 * p.irregularity / np.sqrt(harmonic)
        phase = canvas.generator.uniform(0, 2 * np.pi)
        table += strength * canvas.generator.standard_normal() * np.cos(harmonic * turn + phase) * 0.8
    index = (angle * (len(table) / (2 * np.pi))).astype(np.int32) % len(table)
    return np.clip(table, 0.45, 1.7)[index]


def render_pigment(canvas: Canvas, p: Parameters, inside: Field) -> tuple[Field, Field]:
    """Coverage of the lesion in [0, 1], soft at the border, and its optical density [h, w, 3]."""
    softness = 0.008 + 0.06 * (1 - p.sharpness)
    coverage = np.clip(0.5 + inside / (2 * softness), 0, 1)
    coverage = coverage * coverage * (3 - 2 * coverage)
    mottle = 1 + (0.12 + 0.25 * p.irregularity) * canvas.fractal(4, 3)
    depth = np.clip(inside / p.radius, 0, 1)
    amount = p.density * coverage * np.clip(mottle, 0.3, 2.2) * (0.75 + 0.5 * depth)
    density = cv2.merge([amount * m for m in MELANIN])
    for hue in range(1, p.colours):
        patch = np.clip(canvas.noise(2.5) * 1.6 - 0.4, 0, 1)[..., None] * coverage[..., None]
        density = density * (1 - patch) + density * HUES[hue] * patch
    return coverage, density
