"""What a study's organiser and readers should know: what tells the kinds apart beside the images, and what is only claimed."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from dermsynth.data.dataset import DataSet
from dermsynth.data.duplicates import twins_between
from dermsynth.data.flagged import flagged_text
from dermsynth.study.columns import REAL, SYNTHETIC
from dermsynth.study.confounding import confounding
from dermsynth.study.drawing import StudyImage


def what_differs(
    images: Sequence[StudyImage], sides: Mapping[str, DataSet], sizes: Sequence[tuple[int, int]], size: tuple[int, int]
) -> list[str]:
    """What an audit flagged, what tells the kinds apart beside the images, and what is only claimed."""
    return [
        *_flagged(images, sides),
        *confounding(images, sides, sizes),
        *_claims(sides[SYNTHETIC], images, sizes, size),
        *_photographs(images, sides),
    ]


def _flagged(images: Sequence[StudyImage], sides: Mapping[str, DataSet]) -> list[str]:
    """Which chosen images an audit of their set flagged."""
    chosen = {
        kind: [str(rows.table["file_name"].iloc[image.row]) for image in images if image.kind == kind]
        for kind, rows in sides.items()
    }
    return [text for kind, names in chosen.items() if (text := flagged_text(sides[kind], names))]


def _claims(
    synthetic: DataSet, images: Sequence[StudyImage], sizes: Sequence[tuple[int, int]], size: tuple[int, int]
) -> list[str]:
    """Of images made elsewhere: what is claimed of their generator, and how both kinds came to one size."""
    generator = synthetic.provenance.generator
    if not generator.claimed:
        return []
    notes = [f"the synthetic images' origin is {generator.claim}"]
    if set(sizes) != {size}:
        kinds = list(zip(images, sizes, strict=True))
        files = {
            kind: _most_frequent([own for image, own in kinds if image.kind == kind]) for kind in (REAL, SYNTHETIC)
        }
        notes.append(
            f"real images of {files[REAL]} and synthetic ones of {files[SYNTHETIC]} pixels are all shown at "
            f"{size[0]} x {size[1]} (crop {generator.crop}, filter {generator.filter})"
        )
    return notes


def _photographs(images: Sequence[StudyImage], sides: Mapping[str, DataSet]) -> list[str]:
    """Of images made elsewhere: how many are a photograph of the real set once more, which a rater rightly calls real."""
    if not sides[SYNTHETIC].provenance.generator.claimed:
        return []
    paths, names = sides[SYNTHETIC].paths, sides[REAL].table["file_name"]
    rows = [image.row for image in images if image.kind == SYNTHETIC]
    twins = twins_between([paths[row] for row in rows], sides[REAL].paths)
    if not len(twins):
        return []
    first, photograph = twins[0]
    example = f"first: {paths[rows[first]].name}, which is {names.iloc[photograph]}"
    return [
        f"{len(np.unique(twins[:, 0]))} of {len(rows)} synthetic images are photographs of the real set ({example}; mirrored and "
        "cropped ones are not counted): raters who call them real are right; leave out the copies that dermsynth gate finds"
    ]


def _most_frequent(sizes: Sequence[tuple[int, int]]) -> str:
    ordered = Counter(sizes).most_common()
    return f"{ordered[0][0][0]} x {ordered[0][0][1]}{' and other' if len(ordered) > 1 else ''}"
