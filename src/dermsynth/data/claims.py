"""What is claimed of a generator elsewhere: which images of a real set it was trained on, and which it was given."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.data.image_names import NAME_COLUMNS, ORIGINAL, ImageNames, name_column
from dermsynth.data.provenance import LISTED, GeneratorProvenance
from dermsynth.data.tables import read_table
from dermsynth.errors import UserError
from dermsynth.values import is_missing

CONDITIONED = "conditioned_on"
"""Column of a set made elsewhere: the real image that a row was made from."""


def seen_images(generator: GeneratorProvenance, real: DataSet) -> NDArray[np.bool_]:
    """Which images of the set that it was trained on a generator has seen, shape [n]: those of its split, or of its list."""
    if generator.split == LISTED:
        return np.isin(real.table["file_name"].to_numpy(str), generator.trained_on_files)
    return real.in_split(generator.split)


def other_set(generator: GeneratorProvenance, real: DataSet) -> str:
    """Why a real set is not the one that a generator was trained on; empty where it is."""
    if generator.data_hash == real.whole_hash and (not generator.claimed or generator.says("data_hash")):
        return ""
    if not generator.claimed:
        return f"{real.folder}: not the set that the generator was trained on"
    if not generator.says("data_hash"):
        return "it is not said what the generator was trained on; import its images with `trained_on` DIR"
    then, now = generator.trained_on_images, len(real.table)
    differs = "other images" if then == now else f"{now:,} images, and that one had {then:,}"
    return f"{real.folder}: not the set that `trained_on` named when the synthetic images were imported ({differs})"


def listed_files(place: Path) -> list[str]:
    """The files that a list names: a CSV with a column of `NAME_COLUMNS`, or a text file of one name a line.

    Raises UserError for a list without such a column, or without a name.
    """
    if place.suffix.lower() in (".csv", ".tsv"):
        table = read_table(place)
        column = name_column(table.columns)
        if not column:
            there = ", ".join(map(str, table.columns))
            raise UserError(
                f"`trained_on_files` {place}: no column {' or '.join(NAME_COLUMNS)} in its first line ({there}); "
                "name the column of the files so"
            )
        names = [str(name) for name in table[column]]
    else:
        try:
            names = place.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"`trained_on_files` {place}: cannot be read as a list of files") from error
    names = [name.strip() for name in names if name.strip()]
    if not names:
        raise UserError(f"`trained_on_files` {place}: names no file")
    return names


def images_named(names: Sequence[str], real: DataSet, field: str) -> list[str]:
    """The images of a set that names mean, by the rules of `ImageNames`; a name that is missing stays blank.

    Raises UserError where an image is not in the set, or several could be meant.
    """
    found = _images_in(names, real)
    for name, images in zip(names, found, strict=True):
        if len(images) > 1:
            raise UserError(
                f"`{field}` {name!r}: may be {' or '.join(images[:3])} of {real.folder}; write one of these"
            )
    lost = [name for name, images in zip(names, found, strict=True) if not images]
    if lost:
        count = f"; {len(lost)} of {len(names)} are not in it" if len(lost) > 1 else ""
        raise UserError(f"`{field}` {lost[0]!r}: no image of {real.folder}{count}")
    return [images[0] for images in found]


def _images_in(names: Sequence[str], real: DataSet) -> list[list[str]]:
    """The images of a set that each name can mean; for a name that is missing the empty one."""
    known = image_names(real)
    return [[""] if is_missing(name, words=False) else known.find(name) for name in names]


def image_names(real: DataSet) -> ImageNames[str]:
    """The images of a set by their paths in it, and those that were called alike by the names that they had.

    Of the folders that these lay in, such are known as became the class and the split.
    """
    table = real.table
    paths = [(name, name) for name in map(str, table["file_name"])]
    if ORIGINAL in table:
        folders = [table[name] if name in table else [""] * len(table) for name in ("split", "label")]
        for *parts, original, image in zip(*folders, table[ORIGINAL], table["file_name"], strict=True):
            paths += [("/".join([*filter(None, map(str, parts)), str(original)]), str(image))] if original else []
    return ImageNames(paths)


def held_out_sources(
    synthetic: DataSet, real: DataSet, held_out: NDArray[np.bool_], *, strict: bool = False
) -> list[str]:
    """Held-out images, or images of their groups, that synthetic rows say they were made from: a name for each such row.

    Raises UserError for a row that names no image of the real set, where `strict`.
    """
    if CONDITIONED not in synthetic.table:
        return []
    said = list(map(str, synthetic.table[CONDITIONED]))
    if strict:
        images_named(said, real, CONDITIONED)
    names = np.array([images[0] if len(images) == 1 else "" for images in _images_in(said, real)], str)
    files, groups = real.table["file_name"].to_numpy(str), real.groups.astype(str)
    related = np.isin(groups, sorted(set(groups[held_out]) - {""}))
    return [str(name) for name in names[np.isin(names, files[held_out | related])]]
