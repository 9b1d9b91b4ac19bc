"""What to train, at which size and for how long: from a data set, a time and a machine."""

import shlex
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from dermsynth.backbones.efficientnet_lite import LITE0
from dermsynth.data.audit_findings import Suggestion, suggestions
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.images import image_size
from dermsynth.io import count_text
from dermsynth.models.inputs import Conditions
from dermsynth.models.layers.shapes import Shape
from dermsynth.records import Record
from dermsynth.training.cost import seconds_per_image
from dermsynth.training.data import Plan, chosen_preset
from dermsynth.training.pretrained import BASE, base_for

TABLE = Path(__file__).with_suffix(".toml")
PROJECTED, ALONE = "projected", "stylegan2-ada"
"""The family that was ahead at equal time here, and the one that needs no other network."""
WHY = {
    PROJECTED: f"{PROJECTED} was ahead of {ALONE} in half the minutes here, by FID-768, coverage and eye (docs/projected.md)",
    ALONE: f"{ALONE} was the best at equal length of the families that need no other package (docs/baur.md); in short "
    f"trainings {PROJECTED} is ahead: pip install dermsynth[projected]",
}
FEWEST = 50
"""Training images below which a generator of one's own is a copying machine."""
FEW = 1000
"""Training images below which it pays to start from a generator that knows skin."""
ENOUGH = {64: 10_000, 128: 30_000, 256: 100_000}
"""Longer side -> images shown before pictures are worth looking at: seen here at 64 px, the others are guesses."""
SIZES = 50
"""Images whose sizes are looked at."""
RARE, HELD_OUT = 100, 50
"""Images of a class below which it is learnt badly, and held-out images below which copies are hardly found."""
LONGEST = {"cpu": 2_000_000, "cuda": 25_000_000}
"""Images after which more bring nothing that was measured here, or in the papers."""


class Experience(Record):
    """A training whose figures were measured."""

    family: str
    preset: str
    resolution: str
    start: str
    training_images: int
    images: int
    figures: dict[str, float]
    source: str

    def text(self) -> str:
        """One line for a person."""
        figures = ", ".join(f"{name.replace('_', '-')} {value:g}" for name, value in self.figures.items())
        what = f"{self.family} ({self.preset}, {self.resolution} px, from {self.start})"
        shown, learnt = count_text(self.images), f"{self.training_images:,} training images"
        return f"{what}, {learnt}, {shown} shown: {figures} [{self.source}]"


class Advice(Record):
    """What to train.

    Attributes
    ----------
    family, preset, resolution
        The generator and its size.
    images
        How many images are shown in the time.
    seconds_per_image
        What one costs here, as measured.
    minutes
        The time.
    command
        The command, ready to be pasted.
    reasons
        Why this and no other.
    risks
        What may go wrong with these data.
    expected
        Figures of the trainings that are most alike.
    """

    family: str
    preset: str
    resolution: str
    images: int
    seconds_per_image: float
    minutes: float
    command: str
    reasons: tuple[str, ...]
    risks: tuple[str, ...]
    expected: tuple[Experience, ...]

    def text(self) -> str:
        """Several lines for a person."""
        rate = 1 / self.seconds_per_image
        lines = [
            f"{self.family} ({self.preset}) at {self.resolution} px, {count_text(self.images)} images shown",
            f"  measured here: {rate:.3g} images a second, so {self.minutes:g} minutes",
            *(f"  because {reason}" for reason in self.reasons), "risks",
            *(f"  - {risk}" for risk in self.risks or ("none was seen; the audit looks closer",)),
            "measured on other images (yours will differ)", *(f"  {one.text()}" for one in self.expected), "command",
            f"  {self.command}",
        ]  # fmt: skip
        return "\n".join(lines)


@cache
def experiences() -> tuple[Experience, ...]:
    """The trainings whose figures are known."""
    with TABLE.open("rb") as file:
        return tuple(Experience(**one) for one in tomllib.load(file)["training"])


def advise(data_set: DataSet, *, minutes: float, device: torch.device) -> Advice:
    """Choose family, size and length for a data set, a time and a device, measuring what an image costs here.

    Raises UserError when there are too few images to learn from.
    """
    count = int(data_set.in_split("train").sum())
    if count < FEWEST:
        raise UserError(
            f"{data_set.folder}: {count} training images; a generator of fewer than {FEWEST} gives back what it was shown. "
            f"Collect more, or use images of another source: dermsynth generate {BASE}"
        )
    options, preset = suggestions(data_set), "auto" if device.type == "cuda" else "laptop"
    left_out = {one.value for one in options if one.option == "exclude"}
    conditions = Conditions(len(set(data_set.classes) - left_out))
    family = _family()
    chosen, seconds = _size_within(
        data_set, Plan(family, preset, training={"images": 1}), conditions, minutes * 60, device
    )
    images = max(min(int(minutes * 60 / seconds) // 1000, LONGEST[device.type] // 1000), 1) * 1000
    initial = _start(count, chosen)
    preset = chosen_preset(Plan(family, None, training={"initial": initial})) if initial else preset
    return Advice(
        family=family, preset=preset, resolution=str(chosen), images=images, seconds_per_image=seconds, minutes=minutes,
        command=_command(data_set, options, chosen, images, initial, preset, family),
        risks=tuple(_risks(data_set, images)), reasons=tuple(_reasons(family, count, chosen, initial, images)),
        expected=_alike(family, chosen, initial, images),
    )  # fmt: skip


def _family() -> str:
    """The one whose judge is installed."""
    return PROJECTED if find_spec(LITE0.module) else ALONE


def _size_within(
    data_set: DataSet, plan: Plan, conditions: Conditions, seconds: float, device: torch.device
) -> tuple[Shape, float]:
    """The largest size at which enough images can be shown in the time, and seconds an image there."""
    best: tuple[Shape, float] | None = None
    for side, enough in ENOUGH.items():
        shape = _shape(data_set, side)
        cost = seconds_per_image({plan.family: plan}, shape, conditions, device, rounds=1)[plan.family]
        if best is not None and seconds / cost < enough:
            break
        best = (shape, cost)
        if cost * enough * 2 > seconds:  # the next size costs at least four times as much
            break
    assert best is not None
    return best


def _shape(data_set: DataSet, side: int) -> Shape:
    """The size of a longer side whose aspect ratio is nearest to that of the images: square, or 4 : 3."""
    ratio = float(np.median([width / tall for width, tall in map(image_size, data_set.paths[:SIZES])]))
    return Shape(side * 3 // 4, side) if ratio > 7 / 6 else Shape(side, side)


def _start(count: int, shape: Shape) -> str:
    """The pretrained generator to start from, where images are few and it is near in size."""
    return base_for(max(shape.height, shape.width)) if count < FEW and max(shape.height, shape.width) <= 256 else ""


def _command(
    data_set: DataSet, options: Sequence[Suggestion], shape: Shape, images: int, initial: str, preset: str, family: str
) -> str:
    parts = ["dermsynth", "train", family, "--data", str(data_set.folder), "--out", f"{data_set.folder}-run"]
    parts += ["--images", count_text(images), "--resolution", str(shape)]
    parts += ["--from-base"] if initial else ["--preset", preset]
    for one in options:
        parts += [f"--{one.option}", one.value]
    return shlex.join(parts)


def _reasons(family: str, count: int, shape: Shape, initial: str, images: int) -> list[str]:
    reasons = [WHY[family]]
    if initial:
        reasons.append(f"{count:,} training images are few: it starts from {initial!r}, which knows dermoscopy")
    enough = ENOUGH.get(max(shape.height, shape.width), 0)
    if images < enough:
        reasons.append(f"smaller images are not worth it; {count_text(enough)} shown would be better")
    else:
        reasons.append("the time is too short for larger images")
    return reasons


def _risks(data_set: DataSet, images: int) -> list[str]:
    """What may go wrong, a sentence each."""
    train = data_set.in_split("train")
    labels = data_set.labels.astype(str)
    risks = []
    for label in data_set.classes:
        n = int((labels[train] == label).sum())
        if 0 < n < RARE:
            risks.append(f"{label!r}: {n} training images; its images will be few kinds, and may be copies")
    per_image = images / max(int(train.sum()), 1)
    if per_image > 200:
        risks.append(f"every image is shown {per_image:.0f} times: look at the copy gate of each snapshot")
    held_out = int((~train).sum())
    if held_out < HELD_OUT:
        risks.append(f"{held_out} held-out images: copies are hardly found, and no figure has a floor")
    named = [group for group in data_set.groups if group]
    if len(set(named)) < len(named):
        risks.append(
            f"{len(set(named)):,} patients or lesions for {len(named):,} images: fewer independent ones than it looks"
        )
    return risks


def _alike(family: str, shape: Shape, initial: str, images: int) -> tuple[Experience, ...]:
    """The measured trainings that are most alike: of this family and start first, then the nearest size and length."""
    start = initial or "nothing"

    def difference(one: Experience) -> tuple[bool, bool, bool, int]:
        return one.family != family, one.start != start, one.resolution != str(shape), abs(one.images - images)

    order = sorted(experiences(), key=difference)
    return tuple(order[:3])
