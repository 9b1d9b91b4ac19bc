"""Which images a study shows: trials of all conditions, examples and attention checks, with classes matched."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.study.columns import REAL, SYNTHETIC, plain_word
from dermsynth.study.drawing import Drawing, StudyImage
from dermsynth.study.protocol import Condition, Images, Protocol

TRIAL, EXAMPLE, ATTENTION = "trial", "example", "attention"
Counts = Mapping[str, int]


class Request(NamedTuple):
    """Images of a condition that the protocol asks for, of one label if there is one."""

    condition: str
    rule: Images
    label: str

    @property
    def is_free(self) -> bool:
        """Whether any class would do: these are drawn last, in the shares of the other kind."""
        return self.rule.selection == "random" and not self.label


class Selection(NamedTuple):
    """The images of a study, and what could not be matched."""

    images: list[StudyImage]
    notes: list[str]


def select_images(protocol: Protocol, sides: Mapping[str, DataSet], seed: int, *, matched: bool = True) -> Selection:
    """The images of all conditions, then examples and attention checks, which fit a condition too; none plays two parts.

    Where the protocol leaves the class open, both kinds get the same shares of the same classes, unless `matched` is false.

    Raises UserError when a set has too few, lacks a label, column or file that is asked for, or has no class of the other.
    """
    requests = _requests(protocol, sides)
    drawing = Drawing(sides, seed)
    notes = drawing.unlabelled() if matched and any(request.is_free for request in requests) else []
    images: list[StudyImage] = []
    for request in sorted(requests, key=lambda request: (request.rule.selection == "random", request.is_free)):
        parts = [request]
        if matched and request.is_free and not notes:
            parts = _matched_parts(request, requests, images, drawing)
        for part in parts:
            possible = drawing.possible(part.rule, part.label)
            images += drawing.draw(part.rule, part.label, possible, TRIAL, part.condition)
    images += _further(EXAMPLE, protocol.examples, requests, drawing)
    checks = _further(ATTENTION, (protocol.attention + 1) // 2, requests, drawing)
    return Selection([*images, *checks[: protocol.attention]], notes)


def _requests(protocol: Protocol, sides: Mapping[str, DataSet]) -> list[Request]:
    labels = _shared_labels(protocol, sides)
    conditions = _conditions(protocol, labels)
    if protocol.conditions_each > len(conditions):
        raise UserError(
            f"conditions_each = {protocol.conditions_each}, but these sets make {len(conditions)} conditions"
        )
    return [
        Request(name, rule, label)
        for name, condition, only in conditions
        for rule in condition.images
        for label in (labels if rule.each_label and not only else [only or rule.label])
    ]


def _further(role: str, count: int, requests: Sequence[Request], drawing: Drawing) -> list[StudyImage]:
    """`count` images of either kind that fit a condition but are no trials."""
    images: list[StudyImage] = []
    for kind in (REAL, SYNTHETIC) if count else ():
        rules = [request for request in requests if request.rule.kind == kind]
        possible = set[int]().union(*(drawing.possible(request.rule, request.label) for request in rules))
        images += drawing.draw(Images(kind=kind, count=count), "", possible, role, "")
    return images


def _matched_parts(
    request: Request, requests: Sequence[Request], images: Sequence[StudyImage], drawing: Drawing
) -> list[Request]:
    """A request for any class as requests for some of each.

    The shares are those of the other kind where these are drawn already, else those of the synthetic set, as far as both kinds
    of this condition have images. Raises UserError when they have too few of the same classes.
    """
    rule = request.rule
    drawing.refuse_few(rule, "", drawing.possible(rule, ""))
    fixed = _classes_of_other_kind(request, images)
    rules = [r.rule for r in requests if r.condition == request.condition and r.is_free]
    rules = [r for r in rules if not fixed or r.kind == rule.kind]
    available = [drawing.available(r) for r in rules]
    own = drawing.available(rule)
    goal = fixed or next((counts for r, counts in zip(rules, available, strict=True) if r.kind == SYNTHETIC), own)
    drawn = Counter[str]()
    for r in rules:
        drawn[r.kind] += r.count
    shares = target_shares(goal, [(counts, drawn[r.kind]) for r, counts in zip(rules, available, strict=True)])
    if sum(shares.values()) < 1 - 1e-6:
        drawing.refuse_unlike(rule, goal)
    return [
        request._replace(rule=rule.model_copy(update={"count": number}), label=label)
        for label, number in quotas(shares, rule.count, own).items()
    ]


def target_shares(goal: Counts, available: Sequence[tuple[Counts, int]]) -> dict[str, float]:
    """Shares of the labels as near to those of `goal` as every side can follow.

    `available` holds, for every side, how many images of each label it has and how many are drawn from it. What a label
    lacks goes to the others in proportion to their shares. The sum is less than 1 where the sides have too few images.
    """
    limits = {
        label: min((counts.get(label, 0) / drawn for counts, drawn in available), default=1.0)
        for label in goal
        if goal[label] > 0
    }
    shares, open_labels, rest = dict.fromkeys(limits, 0.0), set(limits), 1.0
    while open_labels and rest > 1e-12:
        total = sum(goal[label] for label in open_labels)
        offered = {label: rest * goal[label] / total for label in open_labels}
        full = {label for label in open_labels if shares[label] + offered[label] >= limits[label] - 1e-12}
        if not full:
            return {label: shares[label] + offered.get(label, 0.0) for label in shares}
        for label in full:
            rest -= limits[label] - shares[label]
            shares[label] = limits[label]
        open_labels -= full
    return shares


def quotas(shares: Mapping[str, float], count: int, available: Counts) -> dict[str, int]:
    """`count` images by shares, whole numbers by largest remainder, none above what is available (Hamilton's method)."""
    result = {label: min(int(share * count + 1e-9), available.get(label, 0)) for label, share in shares.items()}
    order = sorted(shares, key=lambda label: (-(shares[label] * count - result[label]), label))
    while sum(result.values()) < count:
        free = [label for label in order if result[label] < available.get(label, 0)]
        if not free:
            break
        for label in free[: count - sum(result.values())]:
            result[label] += 1
    return {label: number for label, number in result.items() if number}


def _classes_of_other_kind(request: Request, images: Sequence[StudyImage]) -> Counter[str]:
    """Classes of the trials of the condition's other kind that are drawn already."""
    return Counter(
        plain_word(image.label)
        for image in images
        if image.condition == request.condition and image.kind != request.rule.kind and image.role == TRIAL
    )


def _shared_labels(protocol: Protocol, sides: Mapping[str, DataSet]) -> list[str]:
    """Labels that both sets have, and that may be answered if there is a question of diagnosis."""
    options = {plain_word(option) for q in protocol.questions if q.name == "diagnosis" for option in q.options}
    allowed = {plain_word(label) for label in sides[SYNTHETIC].classes}
    if options:
        allowed &= options
    labels = [label for label in sides[REAL].classes if plain_word(label) in allowed]
    if not labels and protocol.needs_labels:
        there = {kind: ", ".join(side.classes) or "none" for kind, side in sides.items()}
        raise UserError(
            f"the protocol needs labels that both sets have{' and that it asks for' if options else ''}; real: {there[REAL]}; "
            f"synthetic: {there[SYNTHETIC]}"
        )
    return labels


def _conditions(protocol: Protocol, labels: list[str]) -> list[tuple[str, Condition, str]]:
    """Name, rules and the one label of every condition."""
    conditions = []
    for condition in protocol.conditions:
        if condition.per_label:
            conditions += [(f"{condition.name}: {label}", condition, label) for label in labels]
        else:
            conditions.append((condition.name, condition, ""))
    return conditions


def table_of(images: Sequence[StudyImage], sides: Mapping[str, DataSet], names: Sequence[str]) -> pd.DataFrame:
    """One row an image: its random name, what it is, and where it came from. This is the truth."""
    return pd.DataFrame(
        {
            "item": names,
            "role": [image.role for image in images],
            "condition": [image.condition for image in images],
            "truth": [image.kind for image in images],
            "label": [image.label for image in images],
            "source": [str(sides[image.kind].table["file_name"].iloc[image.row]) for image in images],
        }
    )
