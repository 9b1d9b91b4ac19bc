"""Edits: points moved along directions by a step, or step by step until a scorer sees nothing any more."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dermsynth.errors import UserError, require_seed
from dermsynth.latents.attributes import Scorer
from dermsynth.latents.directions import Direction
from dermsynth.latents.space import Images, Points, Space, class_number, space_of
from dermsynth.sampling.generator import Trained, check_truncation, open_generator

STEP, MOST = 0.25, 3.0
"""Length of a step and farthest move, in deviations of the points along a direction."""
WALK = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Steps at which a direction is shown."""
LATENTS = 3


def move_points(space: Space, points: Points, direction: Direction, steps: float | NDArray[np.float64]) -> Points:
    """Points [n, d] or [n, layers, d] moved by steps [n] times the deviation along a direction.

    Returned is a point a layer where the points are so, or where the direction moves some layers only.
    """
    if not np.isfinite(steps).all():
        raise UserError("`steps`: must be finite numbers")
    change = (np.broadcast_to(steps, len(points)) * direction.scale)[:, None] * direction.vector
    if points.ndim == 2 and direction.layers is None:
        return (points + change).astype(np.float32)
    spread = points.copy() if points.ndim == 3 else np.repeat(points[:, None], space.layers, axis=1)
    first, last = direction.layers or (0, space.layers - 1)
    spread[:, first : last + 1] += change[:, None]
    return spread.astype(np.float32)


def remove_attribute(
    space: Space, points: Points, seeds: Sequence[int], labels: Sequence[int], direction: Direction, scorer: Scorer
) -> tuple[Images, NDArray[np.float64]]:
    """Images moved against a direction as little as is needed for the scorer to see nothing, and the steps taken.

    Images in which it saw nothing stay as they are; where three deviations do not suffice the last step is kept.
    """
    images = space.images(points, seeds, labels)
    steps = np.zeros(len(points))
    showing = np.flatnonzero(scorer.shows(images)).tolist()
    for step in np.arange(STEP, MOST + STEP / 2, STEP):
        if not showing:
            break
        edited = move_points(space, points[showing], direction, -float(step))
        images[showing] = space.images(edited, [seeds[i] for i in showing], [labels[i] for i in showing])
        steps[showing] = -step
        showing = [i for i, shows in zip(showing, scorer.shows(images[showing]), strict=True) if shows]
    return images, steps


def strips(space: Space, directions: Sequence[Direction], seeds: Sequence[int]) -> list[tuple[str, Images]]:
    """Names of directions with images uint8 [latents, steps, 3, h, w] of the first three seeds at every step of `WALK`."""
    targets, chosen = space.generator.model.targets(), list(seeds[:LATENTS])
    labels = [targets[i % len(targets)] for i in range(LATENTS)]
    points = space.points(chosen, labels, None)
    return [
        (
            direction.name,
            np.stack(
                [space.images(move_points(space, points, direction, step), chosen, labels) for step in WALK], axis=1
            ),
        )
        for direction in directions
    ]


def edit(
    generator: Trained,
    direction: Direction,
    seeds: Sequence[int],
    steps: float | Sequence[float] = 2.0,
    *,
    label: str = "",
    truncation: float | None = None,
) -> Images:
    """Images of seeds, moved along a direction.

    Parameters
    ----------
    generator : Generator, Checkpoint, Path or str
        Of a family with a latent space, or its run.
    direction : Direction
        One of this generator's, from `directions` or `read_directions`.
    seeds : sequence of int
        Those of `generate`, n of them: with steps of 0 the images are those that it makes.
    steps : float, or sequence of float [n]
        How far, in deviations of points along the direction: one number, or one a seed; negative against it.
    label : str
        Class of the images; empty for an unconditional generator.
    truncation : float or None
        As in `generate`.

    Returns
    -------
    ndarray of uint8 [n, height, width, 3]
        RGB images.

    Raises
    ------
    UserError
        For a family without latents, an unknown class, no seeds, or a number out of range.

    References
    ----------
    Shen et al. 2020, Interpreting the Latent Space of GANs for Semantic Face Editing, section 3.3.

    Examples
    --------
    >>> import dermsynth as ds
    >>> generator = ds.load_generator("run", device="cpu")
    >>> first, *others = ds.directions(generator, "pca", count=100)
    >>> ds.edit(generator, first, range(4), -2.0, label="melanoma").shape
    (4, 32, 32, 3)
    """
    space = space_of(open_generator(generator))
    seeds = [require_seed(seed) for seed in seeds]
    if not seeds:
        raise UserError("`seeds`: none given; name at least 1")
    check_truncation(space.generator, truncation)
    numbers = [class_number(space.generator, label)] * len(seeds)
    points = space.points(seeds, numbers, truncation)
    lengths = np.broadcast_to(np.asarray(steps, np.float64), len(seeds))
    images = space.images(move_points(space, points, direction, lengths), seeds, numbers)
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))
