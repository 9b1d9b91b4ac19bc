"""Pictures that are shown together: which images stand in each set, in which order, and the one picture that holds them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np
import pandas as pd

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.images import Pixels, grid
from dermsynth.study.columns import REAL, plain_word
from dermsynth.study.drawing import StudyImage, ranks_of_patients
from dermsynth.study.protocol import Protocol, Sets
from dermsynth.study.selection import ATTENTION, TRIAL, quotas, target_shares

SEPARATOR = ";"
"""Between the sources of a set's pictures."""
GAP = 12
"""White pixels between pictures."""
COLUMNS = {2: 2, 3: 3, 4: 2, 5: 3, 6: 3}
"""Pictures in a row, by how many are shown."""


class PictureSet(NamedTuple):
    """Images that are shown together, in their order; `kind` of each is `real` or the name of a generator."""

    images: tuple[StudyImage, ...]
    role: str

    @property
    def label(self) -> str:
        """The class of all pictures, in the first one's spelling; empty where they are of several."""
        same = len({plain_word(image.label) for image in self.images}) == 1
        return self.images[0].label if same else ""

    @property
    def right(self) -> str:
        """The position of the photograph from 1; empty where there is none."""
        return next((str(i) for i, image in enumerate(self.images, 1) if image.kind == REAL), "")


class Generators:
    """Draws synthetic and real images by class, none twice, patients apart."""

    def __init__(self, sides: Mapping[str, DataSet], seed: int) -> None:
        self.sides, self.random = sides, np.random.default_rng(seed)
        orders = {name: self.random.permutation(len(side.table)) for name, side in sides.items()}
        self.rows = {
            name: order[ranks_of_patients(sides[name].groups[order], Counter())].tolist()
            for name, order in orders.items()
        }
        self.left = {name: _by_label(side, self.rows[name]) for name, side in sides.items()}

    def available(self, name: str) -> Counter[str]:
        """How many images of each class are left."""
        return Counter({label: len(rows) for label, rows in self.left[name].items()})

    def forget_labels(self) -> None:
        """Draw from all classes alike."""
        self.left = {name: {"": list(rows)} for name, rows in self.rows.items()}

    def draw(self, name: str, label: str, role: str) -> StudyImage:
        """One more image of a source, of a class; the next of its patients' first images, then of their second ones.

        Raises UserError where none is left.
        """
        rows = self.left[name].get(label, [])
        if not rows:
            raise UserError(
                f"{self.sides[name].folder}: no more images{f' of {label}' if label else ''} for the sets of the protocol; "
                "make more, "
                "or lower `count` in [sets]"
            )
        row = rows.pop(0)
        return StudyImage(name, row, role, "", str(self.sides[name].labels[row]))


def _by_label(side: DataSet, rows: Sequence[int]) -> dict[str, list[int]]:
    """Class -> its rows, in their order."""
    by_label: dict[str, list[int]] = {}
    for row in rows:
        by_label.setdefault(plain_word(side.labels[row]), []).append(row)
    return by_label


def select_sets(
    protocol: Protocol, real: DataSet, generators: Mapping[str, DataSet], seed: int, *, matched: bool = True
) -> tuple[list[PictureSet], list[str]]:
    """The sets of a protocol, and what could not be matched.

    All pictures of a set are of one class, in the shares of the first generator as far as all sources have images; where a
    source has no labels, or `matched` is false, of any class.

    Raises UserError where a source has too few images, or fewer generators are given than the protocol compares.
    """
    wanted = protocol.sets
    assert wanted is not None
    if not wanted.real and len(generators) < 2:
        raise UserError(
            "`synthetic`: the protocol compares generators with each other; give two synthetic sets or more"
        )
    sides = {REAL: real, **generators} if wanted.real else dict(generators)
    drawing, roles = Generators(sides, seed), [TRIAL] * wanted.count + [ATTENTION] * protocol.attention
    orders = _sources(wanted, list(generators), len(roles), drawing.random)
    unlabelled = [name for name, side in sides.items() if not side.classes]
    if wanted.label:
        _require_class(wanted.label, sides)
    if wanted.label or (matched and not unlabelled):
        labels, notes = _labels(wanted, orders, drawing), list[str]()
    else:
        drawing.forget_labels()
        labels = [""] * len(roles)
        notes = [f"no labels ({', '.join(unlabelled)}): pictures of a set may be of other classes"] if matched else []
    sets = [
        PictureSet(tuple(drawing.draw(name, label, role) for name in order), role)
        for order, label, role in zip(orders, labels, roles, strict=True)
    ]
    return sets, notes


def _sources(wanted: Sets, generators: Sequence[str], count: int, random: np.random.Generator) -> list[list[str]]:
    """Where the pictures of every set come from, in random order; generators in turn, so that each is shown as often."""
    turn = cycle(generators)
    orders = []
    for _ in range(count):
        sources = [REAL] * wanted.real + list(islice(turn, wanted.pictures - wanted.real))
        orders.append([sources[i] for i in random.permutation(len(sources))])
    return orders


def _require_class(label: str, sides: Mapping[str, DataSet]) -> None:
    """Raise UserError where a source has no image of the class that a protocol asks for."""
    for side in sides.values():
        if plain_word(label) not in {plain_word(name) for name in side.classes}:
            raise UserError(
                f"{side.folder}: no images of {label!r}, the `label` of [sets]; there are: "
                f"{', '.join(side.classes) or 'no labels'}"
            )


def _labels(wanted: Sets, orders: Sequence[Sequence[str]], drawing: Generators) -> list[str]:
    """The class of every set: in the shares of the first generator, as far as its pictures' sources have images left.

    Raises UserError where the sources have too few images of the same classes.
    """
    needed = Counter(name for order in orders for name in order)
    left = {name: drawing.available(name) for name in needed}
    goal = next(counts for name, counts in left.items() if name != REAL)
    only = [plain_word(wanted.label)] if wanted.label else sorted(label for label in goal if label)
    shares = target_shares(
        {label: goal[label] for label in only}, [(left[name], count) for name, count in needed.items()]
    )
    quota = Counter(quotas(shares, len(orders), dict.fromkeys(shares, len(orders))))
    labels = []
    for order in orders:
        taken = Counter(order)
        possible = [label for label in shares if all(left[name][label] >= count for name, count in taken.items())]
        if not possible:
            raise UserError(_too_few(len(orders), drawing))
        label = max(possible, key=lambda label: (quota[label], min(left[name][label] for name in taken)))
        quota[label] -= 1
        for name, count in taken.items():
            left[name][label] -= count
        labels.append(label)
    return labels


def _too_few(count: int, drawing: Generators) -> str:
    """How many images of each class every source has, and what to do."""
    there = "; ".join(
        f"{drawing.sides[name].folder}: "
        f"{', '.join(f'{label} {n}' for label, n in sorted(drawing.available(name).items()) if label)}"
        for name in drawing.sides
    )
    return (
        f"too few images of the same classes for {count} sets ({there}); make more, lower `count` in [sets], or allow "
        "several classes in one set with `unmatched`"
    )


def together(images: Sequence[Pixels]) -> Pixels:
    """Pictures [h, w, 3] in rows, with white between them; what is left of the last row is white."""
    return grid(np.stack(images), COLUMNS[len(images)], GAP)


def table_of_sets(sets: Sequence[PictureSet], sides: Mapping[str, DataSet], names: Sequence[str]) -> pd.DataFrame:
    """One row a set: its random name, the position of the photograph, and where its pictures come from, in their order."""
    return pd.DataFrame(
        {
            "item": names,
            "role": [one.role for one in sets],
            "condition": "",
            "truth": [one.right for one in sets],
            "label": [one.label for one in sets],
            "shown": [SEPARATOR.join(image.kind for image in one.images) for one in sets],
            "source": [
                SEPARATOR.join(str(sides[image.kind].table["file_name"].iloc[image.row]) for image in one.images)
                for one in sets
            ],
        }
    )
