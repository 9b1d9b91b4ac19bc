"""The largest clean rectangle and square: as found by trying all."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dermsynth.artefacts.removal import largest_clean

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans())


def area(box: tuple[slice, slice] | None) -> int:
    return 0 if box is None else (box[0].stop - box[0].start) * (box[1].stop - box[1].start)


@given(MASKS, st.booleans())
def test_it_is_the_largest_of_all(dirty: np.ndarray, square: bool) -> None:
    best = 0
    height, width = dirty.shape
    for top in range(height):
        for bottom in range(top + 1, height + 1):
            for left in range(width):
                for right in range(left + 1, width + 1):
                    fits = not square or bottom - top == right - left
                    if fits and not dirty[top:bottom, left:right].any():
                        best = max(best, (bottom - top) * (right - left))
    box = largest_clean(dirty, square=square)
    assert area(box) == best
    if box is not None:
        assert not dirty[box].any()
        assert not square or box[0].stop - box[0].start == box[1].stop - box[1].start


def test_large_masks_are_cut_safely() -> None:
    dirty = np.zeros((700, 1000), bool)
    y, x = np.mgrid[:700, :1000]
    dirty |= np.hypot(x - 500, y - 350) > 420
    box = largest_clean(dirty, square=False)
    assert box is not None
    assert not dirty[box].any()
    assert area(box) > 0.9 * 2 * 420 * 420
