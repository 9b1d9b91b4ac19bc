"""In which order a rater sees which images."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dermsynth.study.answers import REAL, SYNTHETIC
from dermsynth.study.create import Study
from dermsynth.study.protocol import positions
from dermsynth.study.selection import ATTENTION, TRIAL


class Place(NamedTuple):
    """One place of a sequence: its image, whether it is a repeat, and the answer that an attention check asks for."""

    item: str
    repeat: bool = False
    asked: str = ""


def conditions_for(study: Study, given: Mapping[str, int], random: np.random.Generator) -> list[str]:
    """The conditions of the next rater, in random order: those assigned least often so far, ties broken at random."""
    trials = study.items[study.items["role"] == TRIAL]
    names = list(dict.fromkeys(trials["condition"]))
    ranked = sorted(names, key=lambda name: (given.get(name, 0), random.random()))
    chosen = ranked[: study.protocol.conditions_each]
    return [chosen[i] for i in random.permutation(len(chosen))]


def sequence(study: Study, conditions: Sequence[str], random: np.random.Generator) -> list[Place]:
    """The images of the conditions in random order, or condition by condition; then repeats and attention checks put in."""
    trials = study.items[study.items["role"] == TRIAL]
    blocks = [[str(item) for item in trials.loc[trials["condition"] == name, "item"]] for name in conditions]
    if study.protocol.order == "random":
        blocks = [[item for block in blocks for item in block]]
    places = [Place(block[i]) for block in blocks for i in random.permutation(len(block))]
    _insert_repeats(places, study.protocol.repeats, random)
    answers = positions(study.protocol.pictures) if study.protocol.sets else (REAL, SYNTHETIC)
    for item in study.items.loc[study.items["role"] == ATTENTION, "item"]:
        asked = answers[int(random.integers(len(answers)))]
        places.insert(int(random.integers(0, len(places) + 1)), Place(str(item), asked=asked))
    return places


def repeats_apart(places: int) -> int:
    """At how many places after its first time an image is repeated at the earliest; so many of the last are not repeated."""
    return max(places // 4, 1)


def _insert_repeats(places: list[Place], count: int, random: np.random.Generator) -> None:
    """Repeat `count` images, each at the earliest a quarter of the sequence after its first time."""
    distance = repeats_apart(len(places))
    chosen = random.permutation(len(places) - distance)[:count]
    for item in [places[i].item for i in chosen]:
        first = next(i for i, place in enumerate(places) if place.item == item)
        places.insert(int(random.integers(first + distance, len(places) + 1)), Place(item, repeat=True))
