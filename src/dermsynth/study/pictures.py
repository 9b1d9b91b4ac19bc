"""The files of a study: images one at a time or several in one picture, all of one size, and the table of what they show."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.images import encode_png, fit, read_image
from dermsynth.progress import progress_bar
from dermsynth.study.columns import REAL, SYNTHETIC
from dermsynth.study.drawing import StudyImage
from dermsynth.study.notes import what_differs
from dermsynth.study.protocol import Protocol
from dermsynth.study.selection import select_images, table_of
from dermsynth.study.sets import select_sets, table_of_sets, together

Size = tuple[int, int]
"""Width and height."""


class Pictures(NamedTuple):
    """The files of a study, the table of what they show but for their names, what else tells the kinds apart, and their size."""

    encoded: list[bytes]
    table: pd.DataFrame
    notes: list[str]
    size: Size


def show_alone(
    rules: Protocol,
    real: DataSet,
    generators: Mapping[str, DataSet],
    size: Size,
    seed: int,
    *,
    matched: bool,
) -> Pictures:
    """Images that are shown one at a time."""
    (synthetic,) = generators.values()
    sides = {REAL: real, SYNTHETIC: synthetic}
    images, notes = select_images(rules, sides, seed, matched=matched)
    pixels, sizes = _decode(images, sides, size, synthetic)
    encoded = [encode_png(one, compression=0) for one in pixels]
    notes = [*notes, *what_differs(images, sides, sizes, size)]
    return Pictures(encoded, table_of(images, sides, [""] * len(images)), notes, size)


def show_together(
    rules: Protocol,
    real: DataSet,
    generators: Mapping[str, DataSet],
    size: Size,
    seed: int,
    *,
    matched: bool,
) -> Pictures:
    """Pictures that are shown together, each set one file."""
    sides = {REAL: real, **generators}
    sets, notes = select_sets(rules, real, generators, seed, matched=matched)
    images = [image for one in sets for image in one.images]
    pixels, sizes = _decode(images, sides, size, next(iter(generators.values())))
    each = iter(pixels)
    sheets = [together([next(each) for _ in one.images]) for one in sets]
    for name, generator in generators.items():
        found = _differences(images, sizes, name, {REAL: real, SYNTHETIC: generator}, size)
        own = {own for image, own in zip(images, sizes, strict=True) if image.kind == name} - {size}
        if own:
            width, height = max(own)
            found.append(
                f"images of {width} x {height} pixels are shown at {size[0]} x {size[1]}: sharpness may give them away"
            )
        notes += found if len(generators) == 1 else [f"{name}: {note}" for note in found]
    encoded = [encode_png(sheet, compression=0) for sheet in sheets]
    return Pictures(
        encoded, table_of_sets(sets, sides, [""] * len(sets)), notes, (sheets[0].shape[1], sheets[0].shape[0])
    )


def _differences(
    images: Sequence[StudyImage], sizes: Sequence[Size], name: str, sides: Mapping[str, DataSet], size: Size
) -> list[str]:
    """What tells the photographs from the images of one generator."""
    pairs = [
        (image._replace(kind=SYNTHETIC if image.kind == name else REAL), own)
        for image, own in zip(images, sizes, strict=True)
        if image.kind in (REAL, name)
    ]
    return what_differs([image for image, _ in pairs], sides, [own for _, own in pairs], size)


def _decode(
    images: Sequence[StudyImage], sides: Mapping[str, DataSet], size: Size, synthetic: DataSet
) -> tuple[list[NDArray[np.uint8]], list[Size]]:
    """Images of one size (width, height), and the sizes of the originals; photographs are cut as the generator's were."""
    pixels, sizes = list[NDArray[np.uint8]](), list[Size]()
    paths = {kind: side.paths for kind, side in sides.items()}
    for image in progress_bar(images, total=len(images), label="encoding", unit="img"):
        generator = (synthetic if image.kind == REAL else sides[image.kind]).provenance.generator
        own = _large_enough(paths[image.kind][image.row], *size)
        sizes.append((own.shape[1], own.shape[0]))
        pixels.append(fit(own, size[1], size[0], generator.crop, generator.filter))
    return pixels, sizes


def _large_enough(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    """An image that need not be enlarged: that would blur it, and the blur would tell its kind."""
    pixels = read_image(path)
    if pixels.shape[1] < width or pixels.shape[0] < height:
        own = f"{pixels.shape[1]} x {pixels.shape[0]}"
        raise UserError(
            f"{path}: {own} is smaller than the study's {width} x {height}; an enlarged image would give itself away; "
            "set `size` in the protocol to less, or take larger images"
        )
    return pixels
