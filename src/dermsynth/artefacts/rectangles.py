"""The largest rectangle or square of an image that shows nothing unwanted."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Box = tuple[slice, slice]
LOOKED_AT = 160
"""Larger masks are looked at with their smaller side reduced to this, every block dirty that holds a dirty pixel."""


def largest_clean(dirty: Mask, *, square: bool) -> Box | None:
    """Rows and columns of the largest axis-parallel rectangle, or square, without a dirty pixel; None where there is none."""
    block = max(1, -(-min(dirty.shape) // LOOKED_AT))
    height, width = (side // block for side in dirty.shape)
    blocks = dirty[: height * block, : width * block].reshape(height, block, width, block).any(axis=(1, 3))
    best, found = 0, None
    above = np.vstack([np.zeros((1, width), np.int64), np.cumsum(blocks, axis=0)])
    for rows in range(1, height + 1):
        clean = above[rows:] == above[:-rows]
        run = _runs(clean)
        run = np.where(run >= rows, rows, 0) if square else run
        place = int(run.argmax())
        area = rows * int(run.flat[place])
        if area > best:
            top, end = divmod(place, width)
            best, found = area, (top, top + rows, end + 1 - int(run.flat[place]), end + 1)
    if found is None:
        return None
    return slice(found[0] * block, found[1] * block), slice(found[2] * block, found[3] * block)


def _runs(clean: Mask) -> NDArray[np.int64]:
    """How many clean places end at every place of a row."""
    places = np.arange(1, clean.shape[1] + 1)
    last_dirty = np.maximum.accumulate(np.where(clean, 0, places), axis=1)
    found: NDArray[np.int64] = places - last_dirty
    return found
