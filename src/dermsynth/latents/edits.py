"""Move points along directions: by a step, or step by step until a scorer sees nothing any more."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermsynth.latents.attributes import Scorer
from dermsynth.latents.directions import Direction
from dermsynth.latents.space import Images, Points, Space

STEP, MOST = 0.25, 3.0
"""Length of a try and farthest move, in deviations of the points along a direction."""


def moved(space: Space, points: Points, direction: Direction, steps: float | NDArray[np.float64]) -> Points:
    """Points [n, d] or [n, layers, d] moved by steps [n] times the deviation along a direction.

    The answer has a point a layer where the points have, or where the direction moves some layers only.
    """
    change = (np.broadcast_to(steps, len(points)) * direction.scale)[:, None] * direction.vector
    if points.ndim == 2 and direction.layers is None:
        return (points + change).astype(np.float32)
    spread = points.copy() if points.ndim == 3 else np.repeat(points[:, None], space.layers, axis=1)
    first, last = direction.layers or (0, space.layers - 1)
    spread[:, first : last + 1] += change[:, None]
    return spread.astype(np.float32)


def until_gone(
    space: Space, points: Points, seeds: Sequence[int], labels: Sequence[int], direction: Direction, scorer: Scorer
) -> tuple[Images, NDArray[np.float64]]:
    """Images moved against a direction as little as is needed for the scorer to see nothing, and the steps taken.

    Images in which it saw nothing stay as they are; where three deviations do not suffice the last step is kept.
    """
    images = space.images(points, seeds, labels)
    steps = np.zeros(len(points))
    left = np.flatnonzero(scorer.shows(images)).tolist()
    for step in np.arange(STEP, MOST + STEP / 2, STEP):
        if not left:
            break
        made = moved(space, points[left], direction, -float(step))
        images[left] = space.images(made, [seeds[i] for i in left], [labels[i] for i in left])
        steps[left] = -step
        left = [place for place, shown in zip(left, scorer.shows(images[left]), strict=True) if shown]
    return images, steps
