"""Confounders of a study: classes, artefacts and other columns, sizes and formats of files that differ between the kinds."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.data.writing import TEXT_COLUMNS
from dermsynth.study.columns import REAL, SYNTHETIC, plain_word
from dermsynth.study.drawing import StudyImage
from dermsynth.study.selection import TRIAL
from dermsynth.values import is_missing, parse_flag, parse_number

ARTEFACTS = (
    "frame", "dark_corner", "hair", "ruler", "ink", "sticker", "patches", "bubble", "gel_border", "gel_bubble",
)  # fmt: skip
"""Columns of this program and of ISIC's artefact lists."""
INVISIBLE = (
    *TEXT_COLUMNS, "seed", "source", "licence", "license", "attribution", "checkpoint", "truncation", "width", "height",
)  # fmt: skip
"""Columns that say where an image comes from, or how large its file was, not what is seen in it; sizes have their own notes."""
LOSSY = {".jpg", ".jpeg", ".jfif", ".jpe"}
LEVEL, RESAMPLES, BINS, FEWEST = 0.05, 1999, 4, 5
REDUCED = 1.5
"""By how much more one kind may be reduced without a note."""


def confounding(
    images: Sequence[StudyImage], sides: Mapping[str, DataSet], sizes: Sequence[tuple[int, int]]
) -> list[str]:
    """Sentences on everything but the images themselves that differs between real and synthetic trials.

    `sizes` are the widths and heights of the files.
    """
    keep = [i for i, image in enumerate(images) if image.role == TRIAL]
    trials, own_sizes = [images[i] for i in keep], [sizes[i] for i in keep]
    real = np.array([image.kind == REAL for image in trials])
    if real.all() or not real.any():
        return []
    columns = {"label": [image.label for image in trials], **_shared(trials, sides)}
    level = LEVEL / len(columns)
    notes = [*_foreign_classes(trials), *(_separating(name, values, real, level) for name, values in columns.items())]
    notes += [_one_sided(trials, sides), *_files(trials, sides, own_sizes, real), *_patients(trials, sides)]
    return [note for note in notes if note]


def _foreign_classes(trials: Sequence[StudyImage]) -> list[str]:
    """Classes of which only one kind has images."""
    labels = {
        kind: [plain_word(image.label) for image in trials if image.kind == kind and image.label]
        for kind in (REAL, SYNTHETIC)
    }
    notes = []
    for kind, other in ((REAL, SYNTHETIC), (SYNTHETIC, REAL)):
        alone = [label for label in labels[kind] if label not in labels[other]]
        if alone and labels[other]:
            names = ", ".join(sorted(set(alone)))
            notes.append(
                f"{len(alone)} of {len(labels[kind])} {kind} images are of classes that no {other} one has ({names})"
            )
    return notes


def separation(values: Sequence[str], real: NDArray[np.bool_]) -> float:
    """The best balanced accuracy of a rater who knows only these values: (1 + total variation) / 2."""
    return float(_separations(values, real[None])[0])


def _separations(values: Sequence[str], real: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The same for several assignments of real and synthetic [assignments, images]."""
    codes = pd.Categorical(list(values)).codes
    each = (codes[:, None] == np.unique(codes)).astype(float)
    shares = real @ each / real.sum(axis=1, keepdims=True) - ~real @ each / (~real).sum(axis=1, keepdims=True)
    result: NDArray[np.float64] = 0.5 + np.abs(shares).sum(axis=1) / 4
    return result


def differs(values: Sequence[str], real: NDArray[np.bool_], level: float) -> bool:
    """Whether a random assignment of kinds would separate them as well less often than `level` (permutation test)."""
    random = np.random.default_rng(0)
    draws = _separations(values, np.stack([random.permutation(real) for _ in range(RESAMPLES)]))
    observed = separation(values, real) - 1e-12
    return bool((1 + (draws >= observed).sum()) / (RESAMPLES + 1) < max(level, 2 / RESAMPLES))


def _separating(name: str, values: Sequence[str], real: NDArray[np.bool_], level: float) -> str:
    """One column's sentence, of the images for which it has a value; empty where it does not separate the kinds."""
    plain = np.array(_plain(values), dtype=object)
    words, kinds = list(plain[plain != ""]), real[plain != ""]
    if min(kinds.sum(), (~kinds).sum()) < FEWEST or len(set(words)) < 2 or not differs(words, kinds, level):
        return ""
    return (
        f"{'the class' if name == 'label' else f'column {name!r}'} differs between real and synthetic images: a rater who knew "
        f"nothing else could still be right about {separation(words, kinds):.0%} of them"
    )


def _plain(values: Sequence[str]) -> list[str]:
    """Flags and words in one spelling, many numbers as quarters of their ranks; blank where the value is missing."""
    words = ["" if is_missing(value, words=False) else plain_word(value) for value in values]
    try:
        return ["" if (flag := parse_flag(value)) is None else str(flag) for value in values]
    except ValueError:
        pass
    try:
        numbers = np.array([np.nan if (n := parse_number(value)) is None else n for value in values], float)
    except ValueError:
        return words
    return words if len(set(words)) <= BINS else _quarters(numbers)


def _quarters(numbers: NDArray[np.float64]) -> list[str]:
    edges = np.nanquantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1])
    return ["" if np.isnan(value) else str(np.searchsorted(edges, value)) for value in numbers]


def _shared(trials: Sequence[StudyImage], sides: Mapping[str, DataSet]) -> dict[str, list[str]]:
    """Columns that both sets have, but names, paths and ids."""
    both = [c for c in sides[REAL].table if c in sides[SYNTHETIC].table and c not in INVISIBLE]
    columns = {str(name): [str(sides[image.kind].table[name].iloc[image.row]) for image in trials] for name in both}
    return {name: values for name, values in columns.items() if len(set(values)) < len(values) / 2 or _numeric(values)}


def _numeric(values: Sequence[str]) -> bool:
    try:
        return any(parse_number(value) is not None for value in values)
    except ValueError:
        return False


def _one_sided(trials: Sequence[StudyImage], sides: Mapping[str, DataSet]) -> str:
    """Artefacts that are known of one set only."""
    rows = {kind: [image.row for image in trials if image.kind == kind] for kind in sides}
    there = {
        kind: {c for c in ARTEFACTS if c in side.table and not all(map(is_missing, side.table[c].iloc[rows[kind]]))}
        for kind, side in sides.items()
    }
    alone = [
        f"{', '.join(sorted(there[kind] - there[other]))} (known of the {kind} images only)"
        for kind, other in ((REAL, SYNTHETIC), (SYNTHETIC, REAL))
        if there[kind] - there[other]
    ]
    if not alone:
        return ""
    return f"not compared between real and synthetic images: {'; '.join(alone)}; dermsynth artefacts detect measures both sets"


def _files(
    trials: Sequence[StudyImage],
    sides: Mapping[str, DataSet],
    sizes: Sequence[tuple[int, int]],
    real: NDArray[np.bool_],
) -> list[str]:
    """Sizes and formats: what the files were leaves traces of sharpness and blocks in images of one size."""
    lengths = np.array([width * height for width, height in sizes], float) ** 0.5
    ratio = float(np.median(lengths[real]) / np.median(lengths[~real]))
    alike = max(ratio, 1 / ratio) <= REDUCED
    notes = []
    if not sides[SYNTHETIC].provenance.generator.says("crop"):  # else the generator's images were cut alike
        notes += [] if alike else [_reduced_more(ratio)]
        notes += _aspects(sizes, real)
    lossy = ["1" if _ending(image, sides) in LOSSY else "0" for image in trials]
    if alike and _separating("format", lossy, real, LEVEL):
        notes.append(
            "files of one kind are JPEG and hardly reduced in size, the others are not: traces of compression may give them away"
        )
    return notes


def _reduced_more(ratio: float) -> str:
    more, less = ("real", "synthetic") if ratio > 1 else ("synthetic", "real")
    return (
        f"the {more} images' files are {max(ratio, 1 / ratio):.1f} times as long and wide as the {less} ones' and are "
        "reduced by so much more: sharpness may give them away"
    )


def _aspects(sizes: Sequence[tuple[int, int]], real: NDArray[np.bool_]) -> list[str]:
    shapes = [f"{width / height:.1f}" for width, height in sizes]
    if not _separating("aspect", shapes, real, LEVEL):
        return []
    return [
        "files of real and synthetic images differ in aspect ratio: the crop, or how near the lesion is, may give them away"
    ]


def _ending(image: StudyImage, sides: Mapping[str, DataSet]) -> str:
    name = str(sides[image.kind].table["file_name"].iloc[image.row])
    return f".{name.rsplit('.', 1)[-1].lower()}"


def _patients(trials: Sequence[StudyImage], sides: Mapping[str, DataSet]) -> list[str]:
    """Several images of one patient or lesion: they are alike, and intervals take images as independent."""
    groups = sides[REAL].groups
    own = pd.Series([groups[image.row] for image in trials if image.kind == REAL and groups[image.row]], dtype=object)
    counts = own.value_counts()
    several = counts[counts > 1]
    if several.empty:
        return []
    return [
        f"{int(several.sum())} of the real images are of {len(several)} patients or lesions (column 'group') who are shown "
        "more than once: intervals assume independent images and are too narrow by that"
    ]
