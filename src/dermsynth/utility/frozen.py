"""Classifiers whose backbone stays as it was pretrained: features are computed once, and the linear layer alone is trained."""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dermsynth.errors import UserError
from dermsynth.progress import progress_bar
from dermsynth.statistics.roc import Array
from dermsynth.utility.augmentation import MIXES, Augment, Images, Way
from dermsynth.utility.classifier import (
    CHUNK,
    Checkpoint,
    Classifier,
    Examples,
    Training,
    fit,
    log_loss,
    normalise,
)

VIEWS = 8
"""Augmented looks of an image whose features are kept; steps draw among them."""
FLAT = 1e-4
"""A feature whose deviation is a smaller share of its mean, and of the largest deviation, is taken for constant."""
Features = NDArray[np.float32]
Views = Callable[[Images, bytes], Images]
"""From an image [3, h, w] and the hash of its content to looks [k, 3, h, w] of it."""


class FeatureStore:
    """Features of a frozen backbone, by image and augmentation: whichever arm, repeat or split asks, computed once.

    Memory: an image of an arm takes 8 x 5 kB with 1,280 features, for each augmentation.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._network: nn.Module | None = None
        self._known: dict[tuple[str, bytes], Features] = {}

    def looks(self, images: Images, augment: Augment) -> Features:
        """Of eight augmented looks of every image uint8 [n, 3, h, w]: [n, 8, d]; the looks of an image are always the same."""
        return self._of(images, augment.__name__, lambda image, key: _looks(image, augment, key))

    def plain(self, images: Images) -> Features:
        """Of the images as they are, [n, d]."""
        return self._of(images, "", lambda image, _: image[None])[:, 0]

    def _of(self, images: Images, kind: str, views: Views) -> Features:
        keys = [(kind, hashlib.blake2b(image.tobytes(), digest_size=16).digest()) for image in images]
        missing = list({key: place for place, key in enumerate(keys) if key not in self._known}.items())
        starts = range(0, len(missing), CHUNK)
        for start in progress_bar(starts, total=len(starts), label="features", unit=f"x{CHUNK} img"):
            part = missing[start : start + CHUNK]
            looks = [views(images[place], key[1]) for key, place in part]
            features = self._features(np.concatenate(looks)).reshape(len(part), len(looks[0]), -1)
            self._known.update(zip((key for key, _ in part), features, strict=True))
        return np.stack([self._known[key] for key in keys])

    def _features(self, images: Images) -> Features:
        if self._network is None:
            self._network = Classifier(self.place, 0).backbone.eval()
        with torch.inference_mode():
            parts = [self._network(normalise(images[i : i + CHUNK])).numpy() for i in range(0, len(images), CHUNK)]
        return np.concatenate(parts)


def _looks(image: Images, augment: Augment, key: bytes) -> Images:
    """Eight augmented copies [8, 3, h, w] of an image, drawn by its own content."""
    random = np.random.default_rng(int.from_bytes(key, "little"))
    return augment(np.repeat(image[None], VIEWS, axis=0), random)


class FrozenClassifier(Classifier):
    """A classifier that takes the features of its backbone from a store.

    While it learns, its linear layer is one of standardised features; `finish` makes it one of the features themselves.
    """

    def __init__(self, store: FeatureStore, seed: int) -> None:
        super().__init__(store.place, seed)
        self.store, self.mean, self.deviation = store, torch.zeros(1), torch.ones(1)

    def logits(self, features: Features) -> Tensor:
        """Of features [n, d]: [n]."""
        logits: Tensor = self.head((torch.from_numpy(features) - self.mean) / self.deviation).squeeze(1)
        return logits

    def standardise(self, features: Features) -> None:
        """Take mean and deviation from features [n, d]; those that hardly vary are divided by 1."""
        mean, deviation = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
        varies = deviation > FLAT * np.maximum(np.abs(mean), deviation.max(initial=0.0))
        self.mean = torch.from_numpy(mean.astype(np.float32))
        self.deviation = torch.from_numpy(np.where(varies, deviation, 1).astype(np.float32))

    def finish(self) -> None:
        """Write mean and deviation into the linear layer."""
        with torch.no_grad():
            self.head.weight.div_(self.deviation)
            self.head.bias.sub_((self.head.weight * self.mean).sum())
        self.mean, self.deviation = torch.zeros(1), torch.ones(1)

    def probabilities(self, images: Images) -> Array:
        """Of the positive class, for uint8 [n, 3, h, w]."""
        with torch.inference_mode():
            return self.logits(self.store.plain(images)).double().sigmoid().numpy() if len(images) else np.empty(0)


def require_frozen(training: Training, ways: set[Way]) -> None:
    """Raise UserError for a backbone without pretrained weights, and for arms that mix pixels in every step."""
    place = training.backbone
    if place == "small" or (place.startswith("timm:") and "=" not in place):
        raise UserError(
            f"`frozen`: {place!r} has no pretrained weights; choose `model` lite0, lite2, mobilenet=FILE or timm:NAME=FILE"
        )
    if mixing := sorted(ways & set(MIXES)):
        raise UserError(f"`frozen`: the arm {mixing[0]} mixes pixels of two images in every step; leave it out")


def train_head(
    store: FeatureStore, examples: Examples, validation: Examples, training: Training, augment: Augment, *,
    seed: int, way: Way = "",
) -> tuple[FrozenClassifier, Checkpoint]:  # fmt: skip
    """As `train_classifier`, but the linear layer alone learns, from the features of eight looks of each image.

    Raises UserError when no score is finite.
    """
    looks, model = store.looks(examples.images, augment), FrozenClassifier(store, seed)
    model.standardise(looks.reshape(-1, looks.shape[2]))

    def loss_of(index: NDArray[np.int64], random: np.random.Generator) -> Tensor:
        logits = model.logits(looks[index, random.integers(0, VIEWS, len(index))])
        weights = examples.class_weights(index) if way == "weights" else None
        return log_loss(logits, examples.truth[index].astype(np.float32), weights)

    best = fit(model, model.head, loss_of, examples, validation, training, seed=seed, way=way)
    model.finish()
    return model, best
