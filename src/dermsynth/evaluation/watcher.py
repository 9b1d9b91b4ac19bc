"""What looks at a generator while it is trained."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dermsynth.evaluation.kernel import kernel_distance
from dermsynth.networks.features import load_extractor

Generate = Callable[[Sequence[int], Sequence[int]], NDArray[np.uint8]]
FIRST_SEED = 10_000_000
"""Seeds of watched images start here: they are no seed of a sample grid."""


def kid_watcher(
    images: NDArray[np.uint8], labels: NDArray[np.int64], count: int
) -> Callable[[Generate, int], Mapping[str, float]]:
    """KID x 1000 with the embedded extractor between `count` generated images and as many training images.

    Labels of generated images are those of the real images compared with.
    """
    extractor = load_extractor("embedded")
    chosen = np.sort(np.random.default_rng(0).permutation(len(images))[:count])
    real = extractor(np.asarray(images[chosen]))
    seeds, classes = range(FIRST_SEED, FIRST_SEED + len(chosen)), [int(v) for v in labels[chosen]]

    def watch(generate: Generate, shown: int) -> Mapping[str, float]:
        found = extractor(generate(seeds, classes))
        return {"KID-embedded x 1000": 1000 * kernel_distance(found, real)}

    return watch
