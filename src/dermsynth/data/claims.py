"""What is claimed of a generator elsewhere: which images of a real set it was trained on, and which it was given."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.data.file_names import plain_name, safe_stem
from dermsynth.data.provenance import LISTED, GeneratorProvenance
from dermsynth.data.tables import read_table
from dermsynth.errors import UserError
from dermsynth.values import is_missing

CONDITIONED = "conditioned_on"
"""Column of a set made elsewhere: the real image that a row was made from."""
LIST_COLUMNS = ("file_name", "image", "file", "path", "filename", "image_id", "isic_id")
"""Columns of a list of files, the first that there is; else its first column."""


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
    """The files that a list names: a CSV with a header, or a text file of one name a line.

    Raises UserError for a list without a name.
    """
    if place.suffix.lower() in (".csv", ".tsv"):
        table = read_table(place)
        column = next((name for name in LIST_COLUMNS if name in table), table.columns[0])
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
    """The images of a set that names mean: by their path in it, else by their name without folder and ending.

    A name that is missing stays blank. Raises UserError where an image is not in the set, or several could be meant.
    """
    places = _by_name(real)
    found = ["" if is_missing(name, words=False) else _image_named(name, places) for name in names]
    lost = [name for name, image in zip(names, found, strict=True) if image is None]
    if lost:
        count = f"; {len(lost)} of {len(names)} are not" if len(lost) > 1 else ""
        raise UserError(f"`{field}` {lost[0]!r}: no image of {real.folder}, or not one alone{count}")
    return [image or "" for image in found]


def _by_name(real: DataSet) -> dict[str, list[str]]:
    places: dict[str, list[str]] = defaultdict(list)
    for name in map(str, real.table["file_name"]):
        for key in {plain_name(name), plain_name(PurePosixPath(name).name), plain_name(PurePosixPath(name).stem)}:
            places[key].append(name)
    return places


def _image_named(name: str, places: dict[str, list[str]]) -> str | None:
    path = PureWindowsPath(name) if "\\" in name else PurePosixPath(name)
    for key in (path.as_posix(), path.name, path.stem, safe_stem(path.name)):
        images = places.get(plain_name(key), [])
        if images:
            return images[0] if len(images) == 1 else None
    return None


def held_out_sources(
    synthetic: DataSet, real: DataSet, held_out: NDArray[np.bool_], *, strict: bool = False
) -> list[str]:
    """Held-out images, or images of their groups, that synthetic rows say they were made from: a name for each such row.

    Raises UserError for a row that names no image of the real set, where `strict`.
    """
    if CONDITIONED not in synthetic.table:
        return []
    said = list(map(str, synthetic.table[CONDITIONED]))
    places = {} if strict else _by_name(real)
    known = images_named(said, real, CONDITIONED) if strict else [_image_named(name, places) or "" for name in said]
    names = np.array(known, str)
    files, groups = real.table["file_name"].to_numpy(str), real.groups.astype(str)
    related = np.isin(groups, sorted(set(groups[held_out]) - {""}))
    return [str(name) for name in names[np.isin(names, files[held_out | related])]]
