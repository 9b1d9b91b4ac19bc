"""Draws images from a real and a synthetic set by the rules of a protocol, none of them twice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.images import read_image
from dermsynth.metrics.clinical_features import COMPARED, measure_appearance
from dermsynth.parallel import parallel_map
from dermsynth.study.columns import REAL, SYNTHETIC, plain_word
from dermsynth.study.protocol import Images
from dermsynth.values import identifiers, parse_flag, plain_identifier


class StudyImage(NamedTuple):
    """A row of the real or synthetic set (`kind`), its role, condition and label."""

    kind: str
    row: int
    role: str
    condition: str
    label: str


class Features:
    """Clinical features of the real set, measured when they are first needed, and how deceptive other images are by them."""

    def __init__(self, real: DataSet) -> None:
        self.real = real

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Of all real images, [n, features]; NaN where no lesion could be measured."""
        return _features(self.real.paths)

    def likeness(self, side: DataSet, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much nearer images lie to another class than to their own, in the real set's deviations, [rows].

        Images whose lesion cannot be measured come last.
        """
        centre, scale = np.nanmean(self.values, axis=0), np.maximum(np.nanstd(self.values, axis=0), 1e-6)
        means = self._class_means(centre, scale)
        paths = side.paths
        features = (_features([paths[row] for row in rows]) - centre) / scale
        labels = map(plain_word, side.labels[rows])
        return np.array([_likeness(row, label, means) for row, label in zip(features, labels, strict=True)], np.float64)

    def _class_means(self, centre: NDArray[np.float64], scale: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        labels = np.array([plain_word(label) for label in self.real.labels])
        names = sorted({plain_word(name) for name in self.real.classes})
        return {name: np.nanmean((self.values[labels == name] - centre) / scale, axis=0) for name in names}


def _likeness(features: NDArray[np.float64], label: str, means: Mapping[str, NDArray[np.float64]]) -> float:
    distances = [np.linalg.norm(features - mean) for name, mean in means.items() if name != label]
    if label not in means or not distances or not np.isfinite(features).all():
        return -np.inf
    return float(np.linalg.norm(features - means[label]) - min(distances))


class Drawing:
    """Draws images from both sets; `taken` are the rows drawn so far."""

    def __init__(self, sides: Mapping[str, DataSet], seed: int) -> None:
        self.sides, self.random, self.features = sides, np.random.default_rng(seed), Features(sides[REAL])
        self.taken: dict[str, set[int]] = {REAL: set(), SYNTHETIC: set()}
        self.labels = {kind: np.array([plain_word(label) for label in side.labels]) for kind, side in sides.items()}
        self.groups = {kind: side.groups for kind, side in sides.items()}

    def unlabelled(self) -> list[str]:
        """A note on sets without any label, whose classes cannot be matched."""
        none = [kind for kind, labels in self.labels.items() if not any(labels)]
        return [f"the {' and the '.join(none)} set has no labels: both kinds may be of other classes"] if none else []

    def available(self, rule: Images) -> Counter[str]:
        """How many images of each class are left that fit a rule."""
        rows = sorted(self.possible(rule, "") - self.taken[rule.kind])
        return Counter(str(label) for label in self.labels[rule.kind][rows] if label)

    def refuse_unlike(self, rule: Images, classes: Mapping[str, int]) -> None:
        """Raise UserError for a set that has too few images of the classes of the other kind."""
        available = self.available(rule)
        both = [f"{label} {available[label]}" for label in sorted(classes) if available[label]]
        raise UserError(
            f"{self.sides[rule.kind].folder}: the protocol takes {rule.count} {rule.kind} images, and too few are of the "
            f"classes that both kinds have (left: {', '.join(both) or 'none'}) for equal shares; other classes would give "
            "the kind away: take larger sets, give both the same labels, or allow it with `unmatched`"
        )

    def refuse_few(self, rule: Images, label: str, possible: set[int]) -> None:
        """Raise UserError where fewer images are left than a rule takes."""
        side, left = self.sides[rule.kind], len(possible - self.taken[rule.kind])
        if left < rule.count:
            fit = " that fit" if rule.where or rule.exclude else ""
            what = f"{rule.kind} images{f' of {label}' if label else ''}{fit}"
            raise UserError(f"{side.folder}: {left} {what} are left, the protocol takes {rule.count}")

    def possible(self, rule: Images, label: str) -> set[int]:
        """Rows that fit a rule, of one label if there is one.

        Raises UserError for a column or an image that the set does not have.
        """
        side = self.sides[rule.kind]
        keep = np.ones(len(side.table), bool)
        if label:
            keep &= self.labels[rule.kind] == plain_word(label)
        for conditions, equal in ((rule.where, True), (rule.exclude, False)):
            for column, value in conditions.items():
                if column not in side.table:
                    raise UserError(f"{side.folder}: no column {column!r}, which the protocol asks for")
                keep &= _equals(side.table[column], value) == equal
        if rule.names:
            keep &= _listed(side, rule.names)
        return {int(row) for row in np.flatnonzero(keep)}

    def draw(self, rule: Images, label: str, possible: set[int], role: str, condition: str) -> list[StudyImage]:
        """As many images as a rule takes, of the possible rows that are not taken."""
        self.refuse_few(rule, label, possible)
        kind, side = rule.kind, self.sides[rule.kind]
        rows = np.array(sorted(possible - self.taken[kind]), np.int64)
        order = self._patients_apart(kind, rows, self.random.permutation(len(rows)))
        if rule.selection == "similar":
            order = np.argsort(-self.features.likeness(side, rows), kind="stable")
        chosen = [int(row) for row in rows[order[: rule.count]]]
        self.taken[kind].update(chosen)
        return [StudyImage(kind, row, role, condition, str(side.labels[row])) for row in chosen]

    def _patients_apart(self, kind: str, rows: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
        """An order in which every patient comes once before one comes again, after those who were drawn already."""
        times = Counter(self.groups[kind][row] for row in self.taken[kind])
        return order[ranks_of_patients(self.groups[kind][rows[order]], times)]


def ranks_of_patients(groups: NDArray[Any], times: Counter[str]) -> NDArray[np.int64]:
    """The order in which every patient of these comes once before one comes again; `times` is how often each came before."""
    ranks = []
    for group in groups:
        ranks.append(times[group] if group else 0)
        times[group] += 1
    return np.argsort(ranks, kind="stable")


def _listed(side: DataSet, names: Sequence[str]) -> NDArray[np.bool_]:
    """Which rows a protocol lists by file name."""
    missing = set(names) - set(side.table["file_name"])
    if missing:
        raise UserError(f"{side.folder}: no image {sorted(missing)[0]!r}, which the protocol lists")
    return side.table["file_name"].isin(names).to_numpy()


def _equals(values: pd.Series, value: str) -> NDArray[np.bool_]:
    """Which cells are a value that a protocol asks for, in any spelling of words, numbers and flags."""
    plain = identifiers(values)
    same = plain == plain_identifier(value)
    flag = _flag_or_none(value)
    if flag is not None:
        same |= np.array([_flag_or_none(cell) is flag for cell in plain])
    return np.asarray(same, bool)


def _flag_or_none(text: str) -> bool | None:
    try:
        return parse_flag(text)
    except ValueError:
        return None


def _features(paths: Sequence[Path]) -> NDArray[np.float64]:
    return np.array(parallel_map(_clinical_features, paths, label="measuring lesions"), np.float64)


def _clinical_features(path: Path) -> list[float]:
    features = measure_appearance(read_image(path).transpose(2, 0, 1))
    return [features[column] for column in COMPARED]
