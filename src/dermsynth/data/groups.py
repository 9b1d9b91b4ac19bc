"""Which images belong to one person: the columns of a table that identify somebody, and what they join."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.values import identifiers, plain_identifier


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PEOPLE = _words("patient subject person participant individual proband lesion case mole mrn pid accession group")
_NUMBERS = _words("id ids uid uuid guid no nr num number code key identifier name hash pseudonym")
_PLACES = _words(
    "site hospital center centre clinic camera device scanner annotator rater reader observer doctor dermatologist source "
    "dataset set model class label batch country region diagnosis icd collection licence license study project seed split"
)
LARGEST_SHARE = 0.2
"""A value that more images share is no person's: the column is a place, a flag or a class."""


def identifying_columns(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Columns whose values are of one patient, lesion or photograph, and those named so whose values cannot be."""
    found, doubtful = [], []
    for column in map(str, table.columns):
        if column == "file_name" or not _names_somebody(column):
            continue
        values = pd.Series(identifiers(table[column]))
        counts = values[values != ""].value_counts()
        if column != "group" and len(counts) and counts.iloc[0] > max(2, LARGEST_SHARE * len(table)):
            doubtful.append(column)
        elif len(counts) and counts.iloc[0] > 1:
            found.append(column)
    return found, doubtful


def _names_somebody(column: str) -> bool:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", column)
    words = [w for w in re.split(r"[^a-z]+", spaced.casefold()) if w and w != "source"]
    words = [part for w in words for part in ([w[:-2], "id"] if w.endswith("id") and w[:-2] in _PEOPLE else [w])]
    if not words or set(words) & _PLACES:
        return False
    return words[-1] in ("id", "uid", "uuid") or (bool(set(words) & _PEOPLE) and set(words) <= _PEOPLE | _NUMBERS)


def identity_pairs(columns: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """Pairs [k, 2] of images that share an identifier of any of the columns."""
    pairs = []
    for values in columns:
        first: dict[str, int] = {}
        for index, value in enumerate(identifiers(values)):
            if value and first.setdefault(value, index) != index:
                pairs.append((first[value], index))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def one_spelling(groups: Sequence[str]) -> tuple[list[str], list[str]]:
    """Every group in the spelling that came first, blank where it is missing, and what was changed in words."""
    spellings: dict[str, dict[str, int]] = defaultdict(dict)
    missing: dict[str, int] = defaultdict(int)
    result = []
    for group in groups:
        text, plain = unicodedata.normalize("NFC", group).strip(), plain_identifier(group)
        if not plain:
            missing[text] += bool(text)
        else:
            spellings[plain].setdefault(text, 1)
        result.append(next(iter(spellings[plain])) if plain else "")
    notes = [f"group {text!r} of {count} images means that it is not known; each of them is a group of its own"
             for text, count in missing.items() if text]  # fmt: skip
    several = [list(ways) for ways in spellings.values() if len(ways) > 1]
    if several:
        first = " and ".join(map(repr, several[0][:2]))
        notes.append(f"{len(several)} groups are written in several ways ({first}, ...); they are taken as one each")
    return result, notes
