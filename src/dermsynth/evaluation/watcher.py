"""What looks at a generator while it is trained."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.training_set import TrainingSet
from dermsynth.evaluation.kernel import kernel_distance
from dermsynth.networks.features import load_extractor
from dermsynth.training.loop import Glimpse, Watcher
from dermsynth.training.settings import RunConfig
from dermsynth.training.showing import unseen_images

FIRST_SEED = 10_000_000
"""Seeds of watched images start here: they are no seed of a sample grid."""
WATCHED = 512


def usual_watchers(config: RunConfig, shown: TrainingSet) -> list[Watcher]:
    """KID, by which the best checkpoint is chosen, and the discriminator's opinion where there are held-out images."""
    watchers = [kid_watcher(shown.images, shown.labels, min(WATCHED, len(shown.images)))]
    unseen = unseen_images(config.recipe, config.data)
    return watchers if unseen is None else [*watchers, discriminator_watcher(shown, unseen, WATCHED)]


def kid_watcher(images: NDArray[np.uint8], labels: NDArray[np.int64], count: int) -> Watcher:
    """KID x 1000 with the embedded extractor between `count` generated images and as many training images.

    Labels of generated images are those of the real images compared with.
    """
    extractor = load_extractor("embedded")
    chosen = np.sort(np.random.default_rng(0).permutation(len(images))[:count])
    real = extractor(np.asarray(images[chosen]))
    seeds, classes = range(FIRST_SEED, FIRST_SEED + len(chosen)), [int(v) for v in labels[chosen]]

    def watch(glimpse: Glimpse) -> Mapping[str, float]:
        found = extractor(glimpse.generate(seeds, classes))
        return {"KID-embedded x 1000": 1000 * kernel_distance(found, real)}

    return watch


def discriminator_watcher(shown: TrainingSet, held_out: TrainingSet, count: int) -> Watcher:
    """How sure the discriminator is that training, held-out and generated images are real (FURGER, overfitting).

    Means of sigmoid(D) over at most `count` images of each kind. The difference between training and held-out images
    is what the discriminator knows by heart. Families without a discriminator of images give no figures.
    """
    random = np.random.default_rng(0)
    sides = {}
    for name, side in (("training", shown), ("held-out", held_out)):
        chosen = np.sort(random.permutation(len(side.images))[:count])
        sides[name] = np.asarray(side.images[chosen]), [int(v) for v in side.labels[chosen]]

    def watch(glimpse: Glimpse) -> Mapping[str, float]:
        labels = sides["held-out"][1]
        made = glimpse.generate(range(FIRST_SEED, FIRST_SEED + len(labels)), labels), labels
        found = {name: glimpse.confidence(*side) for name, side in {**sides, "generated": made}.items()}
        means = {f"D({name})": float(values.mean()) for name, values in found.items() if values is not None}
        return means and {**means, "D(training) - D(held-out)": means["D(training)"] - means["D(held-out)"]}

    return watch
