"""The answers of the page to a move: the image before and after, scores of both, and what the copy gate says."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.copy_detection import FEWEST_HELD_OUT, CopyGate
from dermsynth.evaluation.memorisation import fit_gate, sources
from dermsynth.latents.attributes import Scorer
from dermsynth.latents.directions import Direction
from dermsynth.latents.edits import move_points
from dermsynth.latents.space import Space
from dermsynth.sampling.generator import SEEDS_A_CLASS, Generator
from dermsynth.training.data import data_trained_on

FARTHEST = 5.0
"""Greatest step along a direction, in deviations."""
REMEMBERED = 32
"""Moves whose answers are remembered."""


@dataclass(frozen=True)
class Move:
    """A seed, a class ("" for none), a truncation, and steps along named directions, in deviations; those of 0 left out."""

    seed: int
    label: str
    truncation: float | None
    steps: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Score:
    """Of the image before and after, and from which score on an image shows it."""

    name: str
    before: float
    after: float
    threshold: float


@dataclass(frozen=True)
class Nearness:
    """Score of the copy gate (small is close), the threshold below which it flags, and the nearest training image."""

    score: float
    threshold: float
    nearest: str
    flagged: bool


@dataclass(frozen=True)
class ImagePair:
    """Images uint8 [h, w, 3] before and after a move, their scores, and the nearness of the second; None without a gate."""

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    scores: tuple[Score, ...]
    nearness: Nearness | None


class RecipeStep(BaseModel):
    """A step along a direction, with what the direction's file says of how it was found."""

    model_config = ConfigDict(frozen=True, extra="allow")

    direction: str
    step: float
    deviation: float
    vector: str


class Recipe(BaseModel):
    """Everything that an image of the page is a function of; it is written into its file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    run: str
    checkpoint: str
    seed: int
    label: str
    truncation: float | None
    space: str
    moves: tuple[RecipeStep, ...]


@dataclass(frozen=True)
class Gate:
    """The copy gate of a generator's training images, with their names."""

    gate: CopyGate
    names: Sequence[str]

    def near(self, image: NDArray[np.uint8]) -> Nearness:
        """Of an image [3, h, w]."""
        matches = self.gate.check_planes(image[None])
        name = self.names[int(matches.index[0])]
        return Nearness(float(matches.score[0]), self.gate.threshold, name, bool(matches.flagged[0]))


def gate_of(
    generator: Generator, place: Path | None = None, fewest_held_out: int = FEWEST_HELD_OUT
) -> tuple[Gate | None, str]:
    """The copy gate of a generator, or None and why there is none; `place` is the folder of its data set, if that was moved."""
    data, shape = generator.config.data, generator.model.shape
    facts = {"synthetic": True, "generator": generator.origin().with_facts(truncation=None).document}
    empty = DataSet(generator.run, pd.DataFrame({"file_name": []}), facts)
    try:
        sides = sources(empty, data_trained_on(data, place))
        gate = fit_gate(sides, Decoding(shape.height, shape.width, data.crop, data.filter), fewest=fewest_held_out)
    except UserError as error:
        return None, str(error)
    return Gate(gate, sides.training.table["file_name"].tolist()), ""


class Explorer:
    """A generator with directions and scorers; the answers to the last moves are remembered.

    One thread computes all of them: torch keeps a team of threads for each that asks it to compute.
    """

    def __init__(
        self, space: Space, directions: Mapping[str, Direction], scorers: Sequence[Scorer], gate: Gate | None
    ) -> None:
        self.space, self.directions, self.scorers, self.gate = space, directions, scorers, gate
        self._worker = ThreadPoolExecutor(1)
        self._remembered = lru_cache(REMEMBERED)(self._pair)

    @property
    def classes(self) -> tuple[str, ...]:
        """Those that images can be generated of."""
        names = self.space.generator.config.data.classes
        return tuple(names[i] for i in self.space.generator.model.targets()) if names else ()

    def pair(self, move: Move) -> ImagePair:
        """The images before and after a move, with scores and nearness.

        Raises UserError for a seed, class, truncation, direction or step that does not exist here.
        """
        self._check(move)
        return self._worker.submit(self._remembered, move).result()

    def recipe(self, move: Move) -> Recipe:
        """Everything that the image of a move is a function of."""
        generator = self.space.generator
        return Recipe(
            recipe=generator.config.family,
            run=generator.run.name,
            checkpoint=generator.checkpoint.hash,
            seed=move.seed,
            label=move.label,
            truncation=move.truncation,
            space=self.space.name,
            moves=tuple(self._recipe_step(name, step) for name, step in move.steps),
        )

    def _recipe_step(self, name: str, step: float) -> RecipeStep:
        direction = self.directions[name]
        values = {"direction": name, "step": step, "deviation": direction.scale, "vector": direction.identity}
        return RecipeStep(**{**values, **direction.facts})

    def _check(self, move: Move) -> None:
        if not 0 <= move.seed < SEEDS_A_CLASS:
            raise UserError(f"seed {move.seed}: must be 0 to {SEEDS_A_CLASS - 1}")
        if move.label not in (self.classes or ("",)):
            raise UserError(f"class {move.label!r}: there are: {', '.join(self.classes) or 'none'}")
        model = self.space.generator.model
        if move.truncation is not None and not model.accepts_truncation(move.truncation):
            raise UserError(
                f"truncation {move.truncation}: {self.space.generator.config.family} takes {model.truncation}"
            )
        for name, step in move.steps:
            self._check_step(name, step)

    def _check_step(self, name: str, step: float) -> None:
        if name not in self.directions:
            raise UserError(f"direction {name!r}: there are: {', '.join(self.directions) or 'none'}")
        if not abs(step) <= FARTHEST:
            raise UserError(f"{name} {step}: a step must be -{FARTHEST:g} to {FARTHEST:g}")

    def _pair(self, move: Move) -> ImagePair:
        classes = self.space.generator.config.data.classes
        label = classes.index(move.label) if classes else 0
        points = self.space.points([move.seed], [label], move.truncation)
        edited = points
        for name, step in move.steps:
            edited = move_points(self.space, edited, self.directions[name], step)
        both = np.concatenate([np.broadcast_to(points[:, None], edited.shape) if edited.ndim == 3 else points, edited])
        images = self.space.images(both, [move.seed] * 2, [label] * 2)
        scores = []
        for scorer in self.scorers:
            before, after = scorer.score(images)
            scores.append(Score(scorer.name, float(before), float(after), scorer.threshold))
        near = None if self.gate is None else self.gate.near(images[1])
        before, after = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
        return ImagePair(before, after, tuple(scores), near)
