"""Names of generated images: the class and seed of a file, for writing and for reading."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dermsynth.data.file_names import names_a_split
from dermsynth.errors import UserError
from dermsynth.values import numbers

LONGEST = 60
"""Letters of a label in the name of its folder: of four bytes each they are still a file name everywhere."""


class Image(NamedTuple):
    """A generated image: its file name within the set, its class ("" for an unconditional generator) and its seed."""

    name: str
    label: str
    seed: int


def class_folder(classes: Sequence[str], label: str) -> str:
    """Folder of a class: its number, which identifies it, and those letters of its name that a file name can have.

    Numbers have as many digits as the last one needs, two at least. The name is left out where `datasets` would take it
    for the name of a split.
    """
    number = f"{list(classes).index(label):0{max(2, len(str(len(classes) - 1)))}d}"
    name = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", label))[:LONGEST]
    return number if not name.strip("_") or names_a_split(name) else f"{number}_{name}"


def image_name(classes: Sequence[str], label: str, seed: int) -> str:
    """File name of an image in its set: a folder a class where there are classes."""
    folder = f"{class_folder(classes, label)}/" if classes else ""
    return f"images/{folder}seed{seed:09d}.png"


def images_there(out: Path, classes: Sequence[str]) -> list[Image]:
    """Every generated image of a folder, classes in order, seeds ascending.

    The label of an image is the class whose folder it lies in by `image_name`. Raises UserError for images that this
    function does not name: those of an earlier version with another naming, or of somebody else.
    """
    images = [
        Image(image_name(classes, label, seed), label, seed)
        for label in (classes or [""])
        for seed in _seeds(out / "images" / (class_folder(classes, label) if classes else ""))
    ]
    names = {image.name for image in images}
    for path in sorted((out / "images").rglob("*.png")):
        name = path.relative_to(out).as_posix()
        if name not in names:
            raise UserError(f"{out}: {name} is not named as this program names images; choose another `out`")
    return images


def _seeds(folder: Path) -> list[int]:
    names = (re.fullmatch(r"seed(\d{9,})\.png", path.name) for path in folder.glob("seed*.png"))
    return sorted(int(name[1]) for name in names if name)


def seeds_of(rows: pd.DataFrame) -> list[int]:
    """Seeds of rows of a set's table, in any spelling of numbers (`3`, `3.0`).

    Raises UserError for a row whose seed is missing or not a whole number.
    """
    values = numbers(rows, "seed")
    for name, text, value in zip(rows["file_name"], rows["seed"], values, strict=True):
        if not value >= 0 or value != round(value):  # NaN is not at least 0
            raise UserError(f"{name}: seed {text!r} is no whole number; restore metadata.csv as it was generated")
    return [int(value) for value in values]


def truncation_of(rows: pd.DataFrame) -> float | None:
    """The truncation of rows of a set's table, None where they had none.

    Raises UserError where it is not a number, or rows differ in it.
    """
    values = numbers(rows, "truncation")
    truncations = {None if value != value else float(value) for value in values}
    if len(truncations) != 1:
        raise UserError("column 'truncation': rows of one set differ; restore metadata.csv as it was generated")
    return truncations.pop()
