"""Which images a study shows: drawn from a real and a synthetic set by the protocol's rules."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.dermatology import COMPARED, appearance_found
from dermsynth.images import read_image
from dermsynth.progress import progress_bar
from dermsynth.study.answers import REAL, SYNTHETIC
from dermsynth.study.protocol import Condition, Images, Protocol

TRIAL, EXAMPLE, ATTENTION = "trial", "example", "attention"


class Chosen(NamedTuple):
    """A row of a set, and the part it plays."""

    kind: str
    row: int
    role: str
    condition: str
    label: str


class Looks:
    """The real set's named features, measured when they are first needed, and how like them other images are."""

    def __init__(self, real: DataSet) -> None:
        self.real = real

    @cached_property
    def features(self) -> NDArray[np.float64]:
        """Of all real images; NaN where no lesion could be measured."""
        return _features(self.real.paths)

    def likeness(self, side: DataSet, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much nearer images lie to another class than to their own, in the real set's deviations.

        Images whose lesion cannot be measured come last.
        """
        centre, scale = np.nanmean(self.features, axis=0), np.maximum(np.nanstd(self.features, axis=0), 1e-6)
        labels = self.real.labels.astype(str)
        means = {
            name: np.nanmean((self.features[labels == name] - centre) / scale, axis=0) for name in self.real.classes
        }
        mine = (_features([side.paths[row] for row in rows]) - centre) / scale
        found = np.full(len(rows), -np.inf)
        for index, (features, own) in enumerate(zip(mine, side.labels[rows], strict=True)):
            others = [np.linalg.norm(features - mean) for other, mean in means.items() if other != own]
            if own in means and others and np.isfinite(features).all():
                found[index] = np.linalg.norm(features - means[str(own)]) - min(others)
        return found


def chosen_images(protocol: Protocol, sides: Mapping[str, DataSet], seed: int) -> list[Chosen]:
    """The images of all conditions, then examples and attention checks, which fit a condition too; none plays two parts.

    Raises UserError when a set has too few, or lacks a label, column or file that is asked for.
    """
    labels = _labels(protocol, sides)
    conditions = _conditions(protocol, labels)
    if protocol.conditions_each > len(conditions):
        raise UserError(
            f"conditions_each = {protocol.conditions_each}, but these sets make {len(conditions)} conditions"
        )
    drawing = Drawing(sides, seed)
    wishes = [
        (name, wanted, label)
        for name, condition, only in conditions
        for wanted in condition.images
        for label in (labels if wanted.each_label and not only else [only or wanted.label])
    ]
    found: list[Chosen] = []
    for name, wanted, label in sorted(
        wishes, key=lambda wish: wish[1].selection == "random"
    ):  # these take what is left
        found += drawing.draw(wanted.kind, wanted, label, drawing.possible(wanted, label), (TRIAL, name))
    for role, count in ((EXAMPLE, protocol.examples), (ATTENTION, (protocol.attention + 1) // 2)):
        for kind in (REAL, SYNTHETIC) if count else ():
            fitting = set[int]().union(*(drawing.possible(one, label) for _, one, label in wishes if one.kind == kind))
            found += drawing.draw(kind, Images(kind=kind, count=count), "", fitting, (role, ""))
    extra = [one for one in found if one.role == ATTENTION][protocol.attention :]
    return [one for one in found if one not in extra]


class Drawing:
    """Draws images from both sets, none of them twice."""

    def __init__(self, sides: Mapping[str, DataSet], seed: int) -> None:
        self.sides, self.random, self.looks = sides, np.random.default_rng(seed), Looks(sides[REAL])
        self.taken: dict[str, set[int]] = {REAL: set(), SYNTHETIC: set()}

    def possible(self, wanted: Images, label: str) -> set[int]:
        """Rows that fit, of one label if there is one."""
        side = self.sides[wanted.kind]
        keep = np.ones(len(side.table), bool)
        if label:
            keep &= side.labels.astype(str) == label
        for rule, equal in ((wanted.where, True), (wanted.exclude, False)):
            for column, value in rule.items():
                if column not in side.table:
                    raise UserError(f"{side.folder}: no column {column!r}, which the protocol asks for")
                keep &= (side.table[column] == value).to_numpy() == equal
        if wanted.names:
            missing = set(wanted.names) - set(side.table["file_name"])
            if missing:
                raise UserError(f"{side.folder}: no image {sorted(missing)[0]!r}, which the protocol lists")
            keep &= side.table["file_name"].isin(wanted.names).to_numpy()
        return {int(row) for row in np.flatnonzero(keep)}

    def draw(self, kind: str, wanted: Images, label: str, possible: set[int], part: tuple[str, str]) -> list[Chosen]:
        """As many as are wanted of the possible rows that are not taken, for a role and condition."""
        side, rows = self.sides[kind], np.array(sorted(possible - self.taken[kind]), np.int64)
        if len(rows) < wanted.count:
            what = (
                f"{kind} images{f' of {label}' if label else ''}{' that fit' if wanted.where or wanted.exclude else ''}"
            )
            raise UserError(f"{side.folder}: {len(rows)} {what} are left, the protocol takes {wanted.count}")
        order = self.random.permutation(len(rows))
        if wanted.selection == "similar":
            order = np.argsort(-self.looks.likeness(side, rows), kind="stable")
        chosen = [int(row) for row in rows[order[: wanted.count]]]
        self.taken[kind].update(chosen)
        return [Chosen(kind, row, *part, str(side.labels[row])) for row in chosen]


def _labels(protocol: Protocol, sides: Mapping[str, DataSet]) -> list[str]:
    """Labels that both sets have, and that may be answered if there is a question of diagnosis."""
    both = [label for label in sides[REAL].classes if label in sides[SYNTHETIC].classes]
    options = [o for q in protocol.questions if q.name == "diagnosis" for o in q.options]
    found = [label for label in both if not options or label in options]
    needed = any(c.per_label or any(i.each_label for i in c.images) for c in protocol.conditions)
    if needed and not found:
        there = {kind: ", ".join(side.classes) or "none" for kind, side in sides.items()}
        raise UserError(
            f"the protocol needs labels that both sets have{' and that it asks for' if options else ''}; real: {there[REAL]}; "
            f"synthetic: {there[SYNTHETIC]}"
        )
    return found


def _conditions(protocol: Protocol, labels: list[str]) -> list[tuple[str, Condition, str]]:
    """Name, rules and the one label of every condition."""
    found = []
    for condition in protocol.conditions:
        if condition.per_label:
            found += [(f"{condition.name}: {label}", condition, label) for label in labels]
        else:
            found.append((condition.name, condition, ""))
    return found


def _features(paths: Sequence[Path]) -> NDArray[np.float64]:
    found = Parallel(n_jobs=-1, return_as="generator")(delayed(_appearance)(path) for path in paths)
    return np.array(list(progress_bar(found, total=len(paths), label="looking at lesions", unit="img")), np.float64)


def _appearance(path: Path) -> list[float]:
    found = appearance_found(read_image(path).transpose(2, 0, 1))
    return [found[column] for column in COMPARED]


def table_of(chosen: list[Chosen], sides: Mapping[str, DataSet], identifiers: list[str]) -> pd.DataFrame:
    """One row an image: its random name, what it is, and where it came from. This is the truth."""
    return pd.DataFrame(
        {
            "item": identifiers,
            "role": [one.role for one in chosen],
            "condition": [one.condition for one in chosen],
            "truth": [one.kind for one in chosen],
            "label": [one.label for one in chosen],
            "source": [str(sides[one.kind].table["file_name"].iloc[one.row]) for one in chosen],
        }
    )
