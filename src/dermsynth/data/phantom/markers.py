"""The five dermoscopic markers, each with its exact mask."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.data.phantom.canvas import Canvas, Field, soften
from dermsynth.data.phantom.lesion import MELANIN
from dermsynth.data.phantom.parameters import Parameters

Mask = NDArray[np.uint8]
CELL = 0.045
"""Width of a mesh of the pigment network, a share of the shorter side."""


def network_lines(canvas: Canvas, cell: float, width: float) -> Field:
    """Lines of a honeycomb in [0, 1]: borders between the cells of jittered seed points (a Voronoi diagram)."""
    step = max(cell * canvas.side, 3.0)
    ys, xs = np.mgrid[0 : canvas.height + step : step, 0 : canvas.width + step : step]
    jitter = canvas.generator.uniform(-0.38, 0.38, (2, *ys.shape)) * step
    ys = np.clip(ys + jitter[0], 0, canvas.height - 1).astype(int)
    xs = np.clip(xs + jitter[1], 0, canvas.width - 1).astype(int)
    seeds = np.full((canvas.height, canvas.width), 255, np.uint8)
    seeds[ys.ravel(), xs.ravel()] = 0
    _, owner = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    owner = owner.astype(np.float32)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    edge = (cv2.dilate(owner, cross) != cv2.erode(owner, cross)).astype(np.float32)
    lines = soften(edge, max(width * canvas.side, 0.5))
    return np.clip(lines / max(float(lines.max()), 1e-6) * 1.4, 0, 1)


def add_markers(
    canvas: Canvas, p: Parameters, inside: Field, coverage: Field, density: Field
) -> tuple[Field, Field | None, dict[str, Mask]]:
    """Draw the markers into the density, and what scatters light into a brightening; masks by name."""
    masks: dict[str, Mask] = {}
    bright = None
    if "pigment_network" in p.markers:
        region = coverage * (canvas.noise(2) > -0.6)
        lines = network_lines(canvas, CELL, 0.004) * soften(region, 0.02 * canvas.side)
        density = (
            density * (1 - 0.25 * (1 - lines) * region)[..., None] + (0.75 * p.density * lines)[..., None] * MELANIN
        )
        masks["pigment_network"] = _mask(lines > 0.35)
    if "negative_network" in p.markers:
        region = coverage * (canvas.noise(2) > 0.0)
        lines = network_lines(canvas, 1.5 * CELL, 0.006) * soften(region, 0.02 * canvas.side)
        density = density * (1 - 0.6 * lines)[..., None]
        masks["negative_network"] = _mask(lines > 0.35)
    if "streaks" in p.markers:
        streaks = _streaks(canvas, p, inside)
        density = density + (1.1 * p.density * soften(streaks, 0.5) / 255)[..., None] * MELANIN
        masks["streaks"] = _mask(streaks > 127)
    if "globules" in p.markers:
        globules = _spots(canvas, inside, int(canvas.generator.integers(12, 45)), (0.008, 0.016), 0.015)
        density = density + (0.9 * p.density * soften(globules, 0.004 * canvas.side) / 255)[..., None] * MELANIN
        masks["globules"] = _mask(globules > 127)
    if "milia_like_cyst" in p.markers:
        cysts = _spots(canvas, inside, p.cysts, (0.009, 0.02), 0.04)
        bright = (soften(cysts, 0.005 * canvas.side) / 255)[..., None] * 0.75
        masks["milia_like_cyst"] = _mask(cysts > 127)
    return density, bright, masks


def _mask(chosen: NDArray[np.bool_]) -> Mask:
    return chosen.astype(np.uint8) * 255


def _streaks(canvas: Canvas, p: Parameters, inside: Field) -> Mask:
    """Radial lines across the border, in one or two sectors of the lesion."""
    mask = canvas.blank()
    g = canvas.generator
    centre = np.array([p.centre[0] * canvas.width, p.centre[1] * canvas.height]) / canvas.side
    border = np.argwhere(np.abs(inside) < 1.5 / canvas.side)
    if len(border) == 0:
        return mask
    sector = g.uniform(-np.pi, np.pi)
    for y, x in border[g.integers(0, len(border), 70)]:
        point = np.array([x, y]) / canvas.side
        outward = point - centre
        turn = np.arctan2(outward[1], outward[0]) - sector
        if np.cos(turn) < 0.2:
            continue
        outward /= np.linalg.norm(outward) + 1e-6
        start, end = point - outward * g.uniform(0.02, 0.06), point + outward * g.uniform(0.01, 0.05)
        canvas.stroke(mask, np.stack([start, end]), 0.008)
    return mask


def _spots(canvas: Canvas, inside: Field, count: int, radii: tuple[float, float], margin: float) -> Mask:
    """Discs at random places at least `margin` inside the border."""
    mask = canvas.blank()
    places = np.argwhere(inside > margin)
    if len(places) == 0:
        return mask
    for y, x in places[canvas.generator.integers(0, len(places), count)]:
        canvas.disc(mask, x / canvas.side, y / canvas.side, canvas.generator.uniform(*radii))
    return mask
