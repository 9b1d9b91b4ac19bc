"""Lists of images that an import leaves out: of `dermsynth audit`, CleanVision, SelfClean, or anybody's column of names.

Formats were read in the packages' own code: CleanVision 0.3 (`imagelab.issues`, `imagelab.info`), SelfClean 0.0.8 and later
(`issues.get_issues("near_duplicates", return_as_df=True)`).
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermsynth.data.duplicates import fingerprints, near_duplicates
from dermsynth.data.image_names import NAME_COLUMNS, ImageNames, name_column
from dermsynth.data.importers.folder_layout import split_name
from dermsynth.data.importers.sources import Source
from dermsynth.data.tables import read_table
from dermsynth.errors import BadImage, UserError
from dermsynth.values import parse_flag

FLAGS = ("is_exact_duplicates_issue", "is_near_duplicates_issue")
FIRST, SECOND, SELECTED = "path_indices_1", "path_indices_2", "auto_issues"
ALL, MOST = 10, 0.9
"""Of more images than these, pairs of as large a share are no selection."""
FORMS = (
    f"a CSV with a column {', '.join(NAME_COLUMNS[:-1])} or {NAME_COLUMNS[-1]}; CleanVision's issues (CSV) or info (JSON); "
    "SelfClean's near_duplicates with paths (CSV or JSON)"
)
Names = tuple[str, ...]


@dataclass(frozen=True)
class ExclusionList:
    """What a list says.

    Attributes
    ----------
    program
        Who wrote it: dermsynth, CleanVision or SelfClean.
    images
        Images to leave out, by name, and why.
    sets
        Sets of images that show the same: one of each stays.
    flagged
        Images that have a twin among one another, of which the list does not say which.
    ranking
        Whether the sets are pairs in an order, and nothing says which of them are duplicates.
    """

    program: str
    images: dict[str, str]
    sets: tuple[Names, ...] = ()
    flagged: Names = ()
    ranking: bool = False

    @property
    def names(self) -> list[str]:
        """All images that the list names."""
        return list(dict.fromkeys([*self.images, *(name for twins in self.sets for name in twins), *self.flagged]))


def read_exclusion_list(path: Path) -> ExclusionList:
    """Read a list in any of the known forms.

    Raises UserError for a file in none of them, or one that names no image.
    """
    if path.suffix.casefold() == ".json":
        return _from_json(path)
    table = read_table(path)
    named = name_column(table.columns)
    if set(FLAGS) & set(table.columns):
        return ExclusionList("CleanVision", {}, flagged=_flagged(table, named or str(table.columns[0]), path))
    if {FIRST, SECOND} <= set(table.columns):
        return _selfclean(table)
    if named:
        return ExclusionList("dermsynth", _plain(table, named))
    raise UserError(f"`leave_out` {path}: not understood (columns {', '.join(map(str, table.columns))}); give {FORMS}")


def _plain(table: pd.DataFrame, name: str) -> dict[str, str]:
    reasons = table["reason"] if "reason" in table else [""] * len(table)
    return {str(image): str(reason) for image, reason in zip(table[name], reasons, strict=True) if image}


def _flagged(table: pd.DataFrame, named: str, path: Path) -> Names:
    """Images with a flag of CleanVision's."""
    flags = [name for name in FLAGS if name in table]
    try:
        return tuple(
            str(row[named]) for _, row in table.iterrows() if any(parse_flag(str(row[flag])) for flag in flags)
        )
    except ValueError as error:
        raise UserError(f"`leave_out` {path}: a column {' or '.join(flags)} holds a value that is no flag") from error


def _selfclean(table: pd.DataFrame) -> ExclusionList:
    """SelfClean's pairs: those it selected, or all of a ranking that somebody has cut."""
    pairs = [(str(a), str(b)) for a, b in zip(table[FIRST], table[SECOND], strict=True)]
    if SELECTED not in table:
        return ExclusionList("SelfClean", {}, tuple(pairs), ranking=True)
    chosen = tuple(pair for pair, flag in zip(pairs, table[SELECTED], strict=True) if parse_flag(str(flag)))
    return ExclusionList("SelfClean", {}, chosen)


def _refuse_whole_ranking(listed: ExclusionList, named: int, source: Source, path: Path) -> None:
    """Raise UserError for SelfClean's ranking of all images, whether of all pairs or of each image's nearest ones."""
    every = len(source.rows) > ALL and named >= MOST * len(source.rows)
    images = len(listed.names)
    if listed.ranking and (every or (images > ALL and len(listed.sets) == images * (images - 1) // 2)):
        raise UserError(
            f"`leave_out` {path}: ranks {images} images, duplicates or not, and has no column {SELECTED!r}; run SelfClean with "
            "auto_cleaning=True, or leave only the pairs that are duplicates in it"
        )


def _from_json(path: Path) -> ExclusionList:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"`leave_out` {path}: no JSON that can be read ({type(error).__name__})") from error
    sets = _cleanvision_sets(content)
    if sets is not None:
        return ExclusionList("CleanVision", {}, sets)
    try:
        table = pd.DataFrame(content).map(str)
    except (ValueError, TypeError, AttributeError):
        table = pd.DataFrame()
    if not {FIRST, SECOND} <= set(table.columns):
        raise UserError(f"`leave_out` {path}: not understood; give {FORMS}")
    return _selfclean(table)


def _cleanvision_sets(content: Any) -> tuple[Names, ...] | None:
    """The sets of duplicates in CleanVision's `info`; None where there are none."""
    kinds = [content.get(kind) for kind in ("exact_duplicates", "near_duplicates")] if isinstance(content, dict) else []
    lists = [kind["sets"] for kind in kinds if isinstance(kind, dict) and isinstance(kind.get("sets"), list)]
    return tuple(tuple(map(str, twins)) for sets in lists for twins in sets) if lists else None


def without_listed(source: Source, path: Path, jobs: int | None = None) -> Source:
    """A source whose listed rows are marked as left out, each with its reason, and notes about the list.

    Names are understood by the rules of `ImageNames`; one that can be several images is none of them.

    Raises
    ------
    UserError
        Where none of the listed images is there.
    """
    listed = read_exclusion_list(path)
    places = _rows_named(source, listed.names)
    if listed.names and not places:
        raise UserError(
            f"`leave_out` {path}: none of its {len(listed.names)} images is in {source.folder}, for example {listed.names[0]}"
        )
    _refuse_whole_ranking(listed, len({place for several in places.values() for place in several}), source, path)
    reasons = _reasons(source, listed, places, jobs)
    rows = [
        replace(row, problem=f"listed in {path.name}: {reasons[place]}")
        if place in reasons and not row.problem
        else row
        for place, row in enumerate(source.rows)
    ]
    notes = [f"{len(reasons)} images are left out by {path.name} (a list of {listed.program})"]
    missing = [name for name in listed.names if name not in places]
    if missing:
        notes.append(
            f"{len(missing)} images of {path.name} are not in {source.folder}, or may be several of it (first: {missing[0]})"
        )
    return replace(source, rows=rows, notes=[*source.notes, *notes])


def _rows_named(source: Source, names: Sequence[str]) -> dict[str, list[int]]:
    """The rows of each name that means one file: several of a file of several frames, none where another may be meant."""
    paths = [(path, place) for place, row in enumerate(source.rows) for path in (row.image, row.title)]
    images, known = [row.image for row in source.rows], ImageNames(paths)
    found = {name: known.find(name) for name in names}
    return {name: places for name, places in found.items() if len({images[place] for place in places}) == 1}


def _reasons(
    source: Source, listed: ExclusionList, places: Mapping[str, Sequence[int]], jobs: int | None
) -> dict[int, str]:
    """Which rows are left out, and why; of every set of twins one stays: one for the test, or else the first."""
    reasons = {place: why or "left out" for name, why in listed.images.items() for place in places.get(name, ())}
    alone = {name: several[0] for name, several in places.items() if len(several) == 1}
    sets = [sorted({alone[name] for name in twins if name in alone}) for twins in listed.sets]
    flagged = sorted({alone[name] for name in listed.flagged if name in alone})
    for twins in [*sets, *_twin_sets(source, flagged, jobs)]:
        there = [place for place in twins if place not in reasons]
        stays = min(there, key=lambda place: split_name(source.rows[place].split) != "test", default=None)
        for place in there:
            if place != stays and stays is not None:
                reasons[place] = f"near-duplicate of {source.rows[stays].image}"
    return reasons


def _twin_sets(source: Source, flagged: Sequence[int], jobs: int | None) -> list[list[int]]:
    """CleanVision's table does not say which images are twins of one another: those of the flagged that our hashes join."""
    if len(flagged) < 2:
        return []
    try:
        hashes, thumbnails = fingerprints([source.folder / source.rows[place].image for place in flagged], jobs)
    except BadImage as error:
        raise UserError(f"`leave_out`: a listed image cannot be compared: {error}") from error
    sets = defaultdict[int, list[int]](list)
    first = np.arange(len(flagged))
    for a, b in near_duplicates(hashes, thumbnails):
        first[first == first[b]] = first[a]
    for place, number in zip(flagged, first, strict=True):
        sets[int(number)].append(place)
    return [twins for twins in sets.values() if len(twins) > 1]
