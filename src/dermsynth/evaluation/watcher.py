"""Measurements of a generator while it is trained."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dermsynth.backbones.extractors import load_extractor
from dermsynth.data.training_set import TrainingSet
from dermsynth.evaluation.copy_watcher import copy_watcher
from dermsynth.metrics.estimate import halves, name_of
from dermsynth.metrics.frechet import frechet_distance
from dermsynth.metrics.kernels import kernel_distance
from dermsynth.metrics.sliced_wasserstein import SMALLEST, descriptors, line_distance
from dermsynth.models.registry import family
from dermsynth.training.checkpoints import STORED_NAME
from dermsynth.training.config import RunConfig
from dermsynth.training.data import unseen_images
from dermsynth.training.snapshot import Snapshot, Watcher

FIRST_SEED = 10_000_000
"""Seeds of watched images start here: they are no seed of a sample grid."""
WATCHED, SLOWLY_WATCHED, PATCHED, DIRECTIONS = 512, 256, 256, 64
"""Images whose features are compared (fewer of families that sample slowly), of which patches are cut, directions of these."""
CHOOSING = STORED_NAME
"""The figure by which the best checkpoint is chosen, as it is stored; its id is `MEAN_DISTANCE_RATIO`."""

CONFIDENCE = {"training": "D(training)", "held-out": "D(held-out)", "generated": "D(generated)"}
"""Figures of the discriminator's confidence, by the kind of images."""
GAP = "D(training) - D(held-out)"
PLOTS = {"How sure the discriminator is that images are real": (*CONFIDENCE.values(), GAP)}
"""Figures that a report draws together: title of a plot -> names."""

Images = NDArray[np.uint8]
Projected = list[NDArray[np.float32]]


def usual_watchers(config: RunConfig, training: TrainingSet) -> list[Watcher]:
    """Distances, by whose mean the best checkpoint is chosen; the discriminator's opinion where images are held out.

    And the copy gate, which can end the training, of families that ask for it.
    """
    kind = family(config.family)
    count = min(SLOWLY_WATCHED if kind.samples_slowly else WATCHED, len(training.images))
    watchers = [distance_watcher(training.images, training.labels, count)]
    unseen = unseen_images(config.family, config.data)
    if unseen is not None:
        watchers.append(discriminator_watcher(training, unseen, WATCHED))
    if kind.stops_at_copies:
        watchers += copy_watcher(config, training, *requests(training.labels, count))
    return watchers


def requests(labels: NDArray[np.int64], count: int) -> tuple[list[int], list[int]]:
    """Seeds and class numbers of `count` watched images: the classes are those of as many training images, drawn at random."""
    return list(range(FIRST_SEED, FIRST_SEED + count)), [int(v) for v in labels[_chosen(len(labels), count)]]


def _chosen(of: int, count: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).permutation(of)[:count])


def distance_watcher(images: Images, labels: NDArray[np.int64], count: int) -> Watcher:
    """Distances between `count` generated images and as many training images, and their mean.

    The Frechet distance and KID of the embedded features see colours and forms, and hardly noise and blur; distances of patches
    at every size of a pyramid (SWD, on fewer images and directions than in an evaluation) see these. Each is divided by that
    between two halves of the training images, and by the geometric mean of the ratios the best checkpoint is chosen. Not by
    the largest, which would hide that the others get worse, nor by KID alone, which is blind to noise.
    Labels of generated images are those of the real images compared with.
    """
    extractor = load_extractor("embedded")
    pixels = np.asarray(images[_chosen(len(images), count)])
    real, patches = extractor(pixels), project_patches(pixels[:PATCHED])
    first, second = halves(len(pixels), 0)
    floors = _distances(
        real[first], real[second], project_patches(pixels[first][:PATCHED]), project_patches(pixels[second][:PATCHED])
    )
    seeds, classes = requests(labels, count)

    def measure(snapshot: Snapshot) -> Mapping[str, float]:
        generated = snapshot.generate(seeds, classes)
        features = extractor(generated)
        distances = _distances(features, real, project_patches(generated[:PATCHED]), patches)
        ratios = [max(distances[name], 1e-6) / max(floors[name], 1e-6) for name in distances]
        return {
            CHOOSING: float(np.exp(np.mean(np.log(ratios)))),
            name_of("kid", extractor.suffix): 1000 * kernel_distance(features, real),
            **distances,
        }

    return Watcher(measure, best_by=CHOOSING)


def _distances(
    features: NDArray[np.floating], real: NDArray[np.floating], patches: Projected, other_patches: Projected
) -> dict[str, float]:
    """Frechet distance of features, and distance of patches a level, the finest first."""
    distances = {name_of("fid", "-embedded"): frechet_distance(features, real)}
    for level, (x, y) in enumerate(zip(patches, other_patches, strict=True)):
        name = "SWD, full size" if level == 0 else f"SWD, 1/{2**level} of the size"
        distances[name] = 1000 * float(np.mean([_line_distance(a, b) for a, b in zip(x, y, strict=True)]))
    return distances


def project_patches(images: Images) -> Projected:
    """Patches of every level of a pyramid, projected on fixed random directions: a [directions, patches] array a level.

    Images with a side below 16 have no levels to cut patches from: an empty list.
    """
    if min(images.shape[2:]) < SMALLEST:
        return []
    random = np.random.default_rng(0)
    unit = random.standard_normal((3 * 7 * 7, DIRECTIONS)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=0)
    return [(patches @ unit).T for patches in descriptors(images, 0)]


def _line_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Distance of two samples of values; of the larger one as many are taken as the smaller has."""
    count = min(len(a), len(b))
    return line_distance(a[:count], b[:count])


def discriminator_watcher(training: TrainingSet, held_out: TrainingSet, count: int) -> Watcher:
    """How sure the discriminator is that training, held-out and generated images are real (FURGER, overfitting).

    Means of sigmoid(D) over at most `count` images of each kind. The difference between training and held-out images
    is what the discriminator knows by heart. Families without a discriminator of images give no figures.
    """
    random = np.random.default_rng(0)
    sides = {}
    for name, side in (("training", training), ("held-out", held_out)):
        chosen = np.sort(random.permutation(len(side.images))[:count])
        sides[name] = np.asarray(side.images[chosen]), [int(v) for v in side.labels[chosen]]

    def measure(snapshot: Snapshot) -> Mapping[str, float]:
        labels = sides["held-out"][1]
        if snapshot.confidence(sides["held-out"][0][:1], labels[:1]) is None:
            return {}
        generated = snapshot.generate(range(FIRST_SEED, FIRST_SEED + len(labels)), labels), labels
        confidence = {name: snapshot.confidence(*side) for name, side in {**sides, "generated": generated}.items()}
        means = {CONFIDENCE[name]: float(values.mean()) for name, values in confidence.items() if values is not None}
        return {**means, GAP: means[CONFIDENCE["training"]] - means[CONFIDENCE["held-out"]]}

    return Watcher(measure)
