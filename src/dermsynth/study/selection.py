"""Which images a study shows: drawn from a real and a synthetic set by the protocol's rules."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.images import read_image
from dermsynth.metrics.clinical_features import COMPARED, appearance_found
from dermsynth.parallel import parallel_map
from dermsynth.study.columns import REAL, SYNTHETIC, plain_word
from dermsynth.study.matching import quotas, target_shares
from dermsynth.study.protocol import Condition, Images, Protocol
from dermsynth.values import identifiers, parse_flag, plain_identifier

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
        labels = np.array([plain_word(label) for label in self.real.labels])
        names = {plain_word(name) for name in self.real.classes}
        means = {name: np.nanmean((self.features[labels == name] - centre) / scale, axis=0) for name in sorted(names)}
        mine = (_features([side.paths[row] for row in rows]) - centre) / scale
        found = np.full(len(rows), -np.inf)
        for index, (features, own) in enumerate(zip(mine, map(plain_word, side.labels[rows]), strict=True)):
            others = [np.linalg.norm(features - mean) for other, mean in means.items() if other != own]
            if own in means and others and np.isfinite(features).all():
                found[index] = np.linalg.norm(features - means[own]) - min(others)
        return found


class Wish(NamedTuple):
    """Images of a condition that the protocol asks for, of one label if there is one."""

    condition: str
    wanted: Images
    label: str

    @property
    def free(self) -> bool:
        """Whether any class would do: these are drawn last, in the shares of the other kind."""
        return self.wanted.selection == "random" and not self.label


def chosen_images(
    protocol: Protocol, sides: Mapping[str, DataSet], seed: int, *, matched: bool = True
) -> tuple[list[Chosen], list[str]]:
    """The images of all conditions, then examples and attention checks, which fit a condition too; none plays two parts.

    Where the protocol leaves the class open, both kinds get the same shares of the same classes, unless `matched` is false.
    The second value says what could not be matched.

    Raises UserError when a set has too few, lacks a label, column or file that is asked for, or has no class of the other.
    """
    labels = _labels(protocol, sides)
    conditions = _conditions(protocol, labels)
    if protocol.conditions_each > len(conditions):
        raise UserError(
            f"conditions_each = {protocol.conditions_each}, but these sets make {len(conditions)} conditions"
        )
    drawing, notes = Drawing(sides, seed), list[str]()
    wishes = [
        Wish(name, wanted, label)
        for name, condition, only in conditions
        for wanted in condition.images
        for label in (labels if wanted.each_label and not only else [only or wanted.label])
    ]
    if matched and any(wish.free for wish in wishes):
        notes = drawing.unlabelled()
    found: list[Chosen] = []
    for wish in sorted(
        wishes, key=lambda wish: (wish.wanted.selection == "random", wish.free)
    ):  # these take what is left
        shared = [one for one in wishes if one.condition == wish.condition and one.free]
        parts = _matched_parts(wish, shared, found, drawing) if matched and wish.free and not notes else [wish]
        for part in parts:
            possible = drawing.possible(part.wanted, part.label)
            found += drawing.draw(part.wanted.kind, part.wanted, part.label, possible, (TRIAL, part.condition))
    for role, count in ((EXAMPLE, protocol.examples), (ATTENTION, (protocol.attention + 1) // 2)):
        for kind in (REAL, SYNTHETIC) if count else ():
            fitting = set[int]().union(*(drawing.possible(w.wanted, w.label) for w in wishes if w.wanted.kind == kind))
            found += drawing.draw(kind, Images(kind=kind, count=count), "", fitting, (role, ""))
    extra = [one for one in found if one.role == ATTENTION][protocol.attention :]
    return [one for one in found if one not in extra], notes


def _matched_parts(wish: Wish, shared: Sequence[Wish], found: Sequence[Chosen], drawing: "Drawing") -> list[Wish]:
    """A wish for any class as wishes for some of each: the shares are those of the other kind where these are fixed, else
    those of the synthetic set, as far as both kinds of this condition have images.

    Raises UserError when they have too few of the same classes.
    """
    other = (
        one for one in found if one.condition == wish.condition and one.kind != wish.wanted.kind and one.role == TRIAL
    )
    fixed = Counter(plain_word(one.label) for one in other)
    drawing.refuse_few(wish.wanted.kind, wish.wanted, "", drawing.possible(wish.wanted, ""))
    rest = [one.wanted for one in shared if not fixed or one.wanted.kind == wish.wanted.kind]
    there = [drawing.available(one) for one in rest]
    drawn = {kind: sum(one.count for one in rest if one.kind == kind) for kind in (REAL, SYNTHETIC)}
    mine, theirs = (
        drawing.available(wish.wanted),
        (n for one, n in zip(rest, there, strict=True) if one.kind == SYNTHETIC),
    )
    wanted = fixed or next(theirs, mine)
    shares = target_shares(wanted, [(counts, drawn[one.kind]) for one, counts in zip(rest, there, strict=True)])
    if sum(shares.values()) < 1 - 1e-6:
        drawing.refuse_unlike(wish.wanted, wanted)
    parts = quotas(shares, wish.wanted.count, mine)
    return [
        wish._replace(wanted=wish.wanted.model_copy(update={"count": n}), label=label) for label, n in parts.items()
    ]


class Drawing:
    """Draws images from both sets, none of them twice."""

    def __init__(self, sides: Mapping[str, DataSet], seed: int) -> None:
        self.sides, self.random, self.looks = sides, np.random.default_rng(seed), Looks(sides[REAL])
        self.taken: dict[str, set[int]] = {REAL: set(), SYNTHETIC: set()}
        self.labels = {kind: np.array([plain_word(label) for label in side.labels]) for kind, side in sides.items()}
        self.groups = {
            kind: identifiers(side.table["group"]) if "group" in side.table else np.full(len(side.table), "", object)
            for kind, side in sides.items()
        }

    def unlabelled(self) -> list[str]:
        """Sets without any label: their classes cannot be matched."""
        none = [kind for kind, labels in self.labels.items() if not any(labels)]
        return [f"the {' and the '.join(none)} set has no labels: both kinds may be of other classes"] if none else []

    def available(self, wanted: Images) -> Counter[str]:
        """How many images of each class are left that fit."""
        rows = sorted(self.possible(wanted, "") - self.taken[wanted.kind])
        return Counter(str(label) for label in self.labels[wanted.kind][rows] if label)

    def refuse_unlike(self, wanted: Images, classes: Mapping[str, int]) -> None:
        """Raise UserError for a set that has too few images of the classes of the other kind."""
        mine = self.available(wanted)
        both = [f"{label} {mine[label]}" for label in sorted(classes) if mine[label]]
        raise UserError(
            f"{self.sides[wanted.kind].folder}: the protocol takes {wanted.count} {wanted.kind} images, and too few are of the "
            f"classes that both kinds have (left: {', '.join(both) or 'none'}) for equal shares; other classes would tell the "
            "kinds apart: take larger sets, give both the same labels, or allow it with `unmatched`"
        )

    def refuse_few(self, kind: str, wanted: Images, label: str, possible: set[int]) -> None:
        """Raise UserError where fewer images are left than are wanted."""
        side, left = self.sides[kind], len(possible - self.taken[kind])
        if left < wanted.count:
            fit = " that fit" if wanted.where or wanted.exclude else ""
            what = f"{kind} images{f' of {label}' if label else ''}{fit}"
            raise UserError(f"{side.folder}: {left} {what} are left, the protocol takes {wanted.count}")

    def possible(self, wanted: Images, label: str) -> set[int]:
        """Rows that fit, of one label if there is one."""
        side = self.sides[wanted.kind]
        keep = np.ones(len(side.table), bool)
        if label:
            keep &= self.labels[wanted.kind] == plain_word(label)
        for rule, equal in ((wanted.where, True), (wanted.exclude, False)):
            for column, value in rule.items():
                if column not in side.table:
                    raise UserError(f"{side.folder}: no column {column!r}, which the protocol asks for")
                keep &= _equals(side.table[column], value) == equal
        if wanted.names:
            missing = set(wanted.names) - set(side.table["file_name"])
            if missing:
                raise UserError(f"{side.folder}: no image {sorted(missing)[0]!r}, which the protocol lists")
            keep &= side.table["file_name"].isin(wanted.names).to_numpy()
        return {int(row) for row in np.flatnonzero(keep)}

    def draw(self, kind: str, wanted: Images, label: str, possible: set[int], part: tuple[str, str]) -> list[Chosen]:
        """As many as are wanted of the possible rows that are not taken, for a role and condition."""
        self.refuse_few(kind, wanted, label, possible)
        side, rows = self.sides[kind], np.array(sorted(possible - self.taken[kind]), np.int64)
        order = self._patients_apart(kind, rows, self.random.permutation(len(rows)))
        if wanted.selection == "similar":
            order = np.argsort(-self.looks.likeness(side, rows), kind="stable")
        chosen = [int(row) for row in rows[order[: wanted.count]]]
        self.taken[kind].update(chosen)
        return [Chosen(kind, row, *part, str(side.labels[row])) for row in chosen]

    def _patients_apart(self, kind: str, rows: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
        """An order in which every patient comes once before one comes again, after those who are shown already."""
        times = Counter(self.groups[kind][row] for row in self.taken[kind])
        ranks = []
        for group in self.groups[kind][rows[order]]:
            ranks.append(times[group] if group else 0)
            times[group] += 1
        return order[np.argsort(ranks, kind="stable")]


def _equals(values: pd.Series, value: str) -> NDArray[np.bool_]:
    """Which cells are a value that a protocol asks for, in any spelling of words, numbers and flags."""
    wanted, plain = plain_identifier(value), identifiers(values)
    same = plain == wanted
    try:
        flag = parse_flag(value)
    except ValueError:
        flag = None
    if flag is not None:
        same |= np.array([_flag_or_none(cell) is flag for cell in plain])
    return np.asarray(same, bool)


def _flag_or_none(text: str) -> bool | None:
    try:
        return parse_flag(text)
    except ValueError:
        return None


def _labels(protocol: Protocol, sides: Mapping[str, DataSet]) -> list[str]:
    """Labels that both sets have, and that may be answered if there is a question of diagnosis."""
    theirs = {plain_word(label) for label in sides[SYNTHETIC].classes}
    both = [label for label in sides[REAL].classes if plain_word(label) in theirs]
    options = [plain_word(o) for q in protocol.questions if q.name == "diagnosis" for o in q.options]
    found = [label for label in both if not options or plain_word(label) in options]
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
    return np.array(parallel_map(_appearance, paths, label="looking at lesions"), np.float64)


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
