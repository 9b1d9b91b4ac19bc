"""Which images belong to one person: the columns of a table that identify somebody, and what they join."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.values import identifiers, parse_flag, plain_identifier


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PERSON = re.compile(
    r"(patient|pacient|pazient|patid|subject|person|particip|individual|proband|lesion|läsion|lesión|case|mole$|mrn|pid$|"
    r"accession|donor|client|identity|pseudonym|visit|series|photograph|parent|group$|groups$)"
)
"""Beginnings of words for who, or which lesion or photograph, an image is of."""
_BESIDE = _words(
    "id ids uid uuid guid no nr num number nummer numero code key identifier name hash hashed pseudonym anon anonymous source "
    "original image images photo photos isic clinic clinical hospital internal external local global unique study attribution "
    "health record the of per and de la del en nummer"
)
_PLACES = _words(
    "site hospital center centre clinic camera device scanner annotator rater reader observer doctor dermatologist source "
    "dataset set model class label batch country region diagnosis icd collection licence license study project seed split"
)
LARGEST_SHARE = 0.2
"""A value that more images share is no person's but a placeholder, a place, a flag or a class."""


def identifying_columns(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Columns whose values are of one patient, lesion or photograph, and those named so of which a value cannot be one."""
    columns, doubtful = [], []
    for column in map(str, table.columns):
        if column == "file_name" or not names_somebody(column) or _flags_only(table[column]):
            continue
        every, personal = identifiers(table[column]), personal_identifiers(table[column])
        if column != "group" and (every != personal).any():
            doubtful.append(column)
        counts = Counter(every if column == "group" else personal)
        if any(count > 1 for value, count in counts.items() if value):
            columns.append(column)
    return columns, doubtful


def personal_identifiers(values: Iterable[str]) -> NDArray[np.object_]:
    """One spelling for each identifier of a column; blank where it is missing, or shared by too many images to be a person's."""
    plain = identifiers(values)
    counts, most = Counter(plain), max(2, LARGEST_SHARE * len(plain))
    return np.array([value if counts[value] <= most else "" for value in plain], dtype=object)


def _flags_only(values: pd.Series) -> bool:
    try:
        return len({parse_flag(value) for value in values} - {None}) > 0
    except ValueError:
        return False


def names_somebody(column: str) -> bool:
    """Whether a column is called as one that says of whom, or of which photograph, an image is."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", column)
    words = [word for word in re.split(r"[\W\d_]+", spaced.casefold()) if word]
    who = [bool(_PERSON.match(word)) for word in words]
    if any(who):
        return all(person or word in _BESIDE for person, word in zip(who, words, strict=True))
    numbered = bool(words) and words[-1] in ("id", "uid", "uuid")
    return _names_an_origin({*words}) or (numbered and not {*words} & _PLACES)


def _names_an_origin(words: set[str]) -> bool:
    """Whether the words say which photograph an image was cut from, or which record of a hospital it belongs to."""
    photograph = (
        {"image", "images", "photo"} & words and {"original", "source", "parent"} & words and "type" not in words
    )
    record = {"number", "no", "nr"} & words and {"hospital", "health", "record"} & words
    return bool(photograph or record)


def identity_pairs(columns: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """Pairs [k, 2] of images that share an identifier of any of the columns; values of too many images are nobody's."""
    pairs = []
    for values in columns:
        first: dict[str, int] = {}
        for index, value in enumerate(personal_identifiers(values)):
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
