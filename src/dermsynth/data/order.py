"""In which order images are shown: a function of the seed and of how many were shown before."""

import numpy as np
from numpy.typing import NDArray


def class_weights(labels: NDArray[np.int64], temperature: float) -> NDArray[np.float64]:
    """Probability of each class: proportional to its share to the power of `temperature`; -1 is no class.

    1 keeps the data set's shares, 0 shows every class equally often (class-balanced). Images of no class keep their share of all
    images, which is the last probability, where there are any.
    """
    known = labels[labels >= 0]
    count = np.bincount(known).astype(np.float64)
    weight = np.where(count > 0, count, 1) ** temperature * (count > 0)
    weight /= max(weight.sum(), 1e-300)
    share = len(known) / len(labels)
    return weight if share == 1 else np.append(weight * share, 1 - share)


class Order:
    """An endless order of images in which each is shown once before any of its class is shown again.

    Classes follow each other at random with `class_weights`; within a class the images are permuted afresh in every
    round. Position k of the order does not depend on how it was reached, so a resumed run goes on exactly.
    """

    BLOCK = 4096

    def __init__(self, labels: NDArray[np.int64], *, temperature: float = 1.0, seed: int = 0) -> None:
        numbers = [*range(int(labels.max(initial=0)) + 1), *([-1] if (labels < 0).any() else [])]
        self.members = [np.flatnonzero(labels == number) for number in numbers]
        self.weights = class_weights(labels, temperature)
        self.seed = seed
        self._block = -1
        self._indices = np.empty(0, dtype=np.int64)
        self._counts = [np.zeros(len(self.members), dtype=np.int64)]

    def take(self, start: int, count: int) -> NDArray[np.int64]:
        """Indices of the images at positions start ... start + count - 1."""
        positions = np.arange(start, start + count)
        return np.concatenate([self._within(b, positions) for b in np.unique(positions // self.BLOCK)])

    def _within(self, block: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        if block != self._block:
            self._block, self._indices = block, self._build(block)
        return self._indices[positions[positions // self.BLOCK == block] - block * self.BLOCK]

    def _classes(self, block: int) -> NDArray[np.int64]:
        generator = np.random.default_rng([self.seed, 1, block])
        return generator.choice(len(self.weights), self.BLOCK, p=self.weights)

    def _build(self, block: int) -> NDArray[np.int64]:
        while len(self._counts) <= block:
            drawn = np.bincount(self._classes(len(self._counts) - 1), minlength=len(self.members))
            self._counts.append(self._counts[-1] + drawn)
        classes = self._classes(block)
        indices = np.empty(self.BLOCK, dtype=np.int64)
        for label, members in enumerate(self.members):
            places = np.flatnonzero(classes == label)
            if len(places):
                indices[places] = self._shown(label, members, int(self._counts[block][label]), len(places))
        return indices

    def _shown(self, label: int, members: NDArray[np.int64], start: int, count: int) -> NDArray[np.int64]:
        """Images `start` ... of a class that is permuted once a round."""
        positions = np.arange(start, start + count)
        rounds = positions // len(members)
        order = {
            r: np.random.default_rng([self.seed, 2, label, r]).permutation(len(members)) for r in np.unique(rounds)
        }
        return np.array([members[order[r][p % len(members)]] for r, p in zip(rounds, positions, strict=True)])
