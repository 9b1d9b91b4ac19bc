"""Artefacts drawn into images: counterfactual pairs, and holes whose content is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.phantom.artefacts import insert
from dermsynth.data.phantom.canvas import Canvas
from dermsynth.images import Pixels

Mask = NDArray[np.bool_]
INSERTED = ("frame", "hair", "ruler", "ink", "sticker")
COVERED = 63
"""Of 255: what covers a pixel by more is in the mask."""


def inserted(image: Pixels, names: Sequence[str], seed: int) -> tuple[Pixels, dict[str, Mask]]:
    """RGB uint8 [h, w, 3] with artefacts drawn as in the phantom, in the order given, and each one's exact mask, bool [h, w].

    The shadows of frames and stickers lie outside their masks.
    """
    canvas = Canvas(image.shape[0], image.shape[1], np.random.default_rng([seed, 23]))
    found: NDArray[np.floating[Any]] = image.astype(np.float32) / 255
    masks = dict[str, Mask]()
    for name in names:
        found, mask = insert(canvas, found, name)
        masks[name] = np.asarray(mask) > COVERED
    return np.clip(np.rint(found * 255), 0, 255).astype(np.uint8), masks
