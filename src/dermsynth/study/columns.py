"""The columns of a table of answers, whoever wrote them: one spelling for each word, flag, number and identifier."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from dermsynth.errors import UserError
from dermsynth.values import flags, is_missing, numbers, parse_flag, plain_identifier

REAL, SYNTHETIC = "real", "synthetic"
ROW = "row of the file"
"""Column that keeps where an answer stood: the header is row 1."""
WORDS = {
    REAL: "real;echt;wirklich;authentic;genuine;natural;original;photo;photograph;foto;photographie;réel;réelle;reale;auténtico;"
    "auténtica;autentico;äkta;ekte;ægte;prawdziwy;skutečný;настоящий;реальный",
    SYNTHETIC: "synthetic;fake;generated;artificial;forged;simulated;gan;ai;ki;ai generated;computer generated;machine made;"
    "synthetisch;künstlich;kuenstlich;erzeugt;generiert;computergeneriert;ki generiert;unecht;gefälscht;synthétique;artificiel;"
    "artificielle;généré;générée;sintetico;sintetica;sintético;sintética;artificiale;generato;generado;generada;kunstmatig;nep;"
    "gegenereerd;syntetisk;konstgjord;kunstig;syntetyczny;sztuczny;syntetický;синтетический;искусственный;поддельный",
}
"""Words for both kinds, as `plain_word` spells them; true and false are none: they may mean either."""
NUMBERS = ("certainty", "seconds", "position", "views")
FLAGS = ("excluded", "finished", "attention", "repeat")
_NAMED = 3
"""How many spellings or words a message names."""


class CleanTable(NamedTuple):
    """A table in one spelling, why rows were left out and how many, and what a reader should know of it."""

    table: pd.DataFrame
    left_out: dict[str, int]
    notes: tuple[str, ...]


def plain_word(text: str) -> str:
    """One spelling of a word: without case, composed, with a space for blanks, underscores and hyphens between letters."""
    spaced = re.sub(r"(?<=[^\W_])[\s_-]+(?=[^\W_])", " ", unicodedata.normalize("NFKC", str(text)).strip())
    return plain_identifier(spaced) or spaced.casefold()


_KINDS = {plain_word(word): kind for kind, words in WORDS.items() for word in words.split(";")}


def kind_of(text: str) -> str:
    """Real or synthetic by any common word; empty for another word."""
    return _KINDS.get(plain_word(text), "")


KEYS = {"rater": plain_identifier, "item": plain_identifier, "group": plain_word, "condition": plain_word}


def clean_table(table: pd.DataFrame, source: Path, positive: str = "") -> CleanTable:
    """Bring every column to one spelling and kind; `positive` is the kind that the number 1 stands for, if that is known.

    Raises UserError naming row and column for what is not understood, and for an image with two truths or labels.
    """
    table = table.reset_index(drop=True).assign(**{ROW: range(2, len(table) + 2)})
    notes: list[str] = []
    with naming(source):
        positive = positive or positive_of(table, source)
        table = with_numbers(with_flags(table))
        for column in ("truth", "answer"):
            table[column] = _kinds(table, column, positive, notes)
        for column, key in KEYS.items():
            if column in table:
                table[column] = one_spelling(table[column], key, column, notes)
        table = _with_diagnoses(table, notes)
        for column in ("truth", "label"):
            if column in table:
                table[column] = of_item(table, column, notes)
        table, left_out = without_incomplete(table)
        table = _apart_by_condition(table, notes)
    return CleanTable(table, left_out, tuple(notes))


@contextmanager
def naming(source: Path) -> Iterator[None]:
    """Put the name of the table before an error about one of its rows."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{source}, {error}" if not str(error).startswith(str(source)) else str(error)) from error


def positive_of(table: pd.DataFrame, source: Path) -> str:
    """The positive kind that a column `positive` names; the empty string where there is none.

    Raises UserError for an unknown word, and for both kinds.
    """
    if "positive" not in table:
        return ""
    kinds = {_KINDS.get(plain_word(value), str(value)) for value in table["positive"] if not is_missing(value)}
    if len(kinds) > 1 or not kinds <= {REAL, SYNTHETIC}:
        both = ", ".join(sorted(kinds)[:_NAMED])
        raise UserError(
            f"{source}: column 'positive' says {both}; it must be {REAL} or {SYNTHETIC}, the same in every row"
        )
    return next(iter(kinds), "")


def with_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Certainties, seconds, positions and views as numbers, NaN where there is none.

    Raises UserError naming row and column for what is no number, and for negative ones that cannot be.
    """
    for column in NUMBERS:
        if column in table:
            values = numbers(table, column)
            negative = values < 0
            if column != "certainty" and negative.any():  # a scale may go from -2 to 2
                first = int(np.flatnonzero(negative)[0])
                raise UserError(f"row {first + 2}, column {column!r}: {table[column][first]!r} is less than 0")
            table = table.assign(**{column: values})
    return table


def with_flags(table: pd.DataFrame) -> pd.DataFrame:
    """Flags; this program writes a time into `finished`, what was asked for into `attention`, a reason into `excluded`."""
    own = {"received", "revisions"} <= set(table.columns)
    also: dict[str, Callable[[str], bool]] = {
        "finished": _is_time,
        "attention": lambda text: plain_word(text) in _KINDS or (own and text.isdigit()),
        "excluded": lambda text: own and not is_flag(text),
    }
    for column in FLAGS:
        if column in table:
            plain = table[column].astype(str)
            if column in also:
                plain = plain.where(~plain.map(also[column]).astype(bool), "true")
            table = table.assign(**{column: flags(table.assign(**{column: plain}), column) == 1})
    return table


def is_flag(text: str) -> bool:
    """Whether a text is a flag in any spelling, or says that there is none."""
    try:
        parse_flag(text)
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text.strip())
    except ValueError:
        return False
    return not is_flag(text)


def _kinds(table: pd.DataFrame, column: str, positive: str, notes: list[str]) -> pd.Series:
    """Real or synthetic in any common word; blank where the value is missing."""
    counts: dict[str, int] = {}
    result = [_kind(str(value), positive) if not is_missing(value) else "" for value in table[column]]
    for value, kind, row in zip(table[column], result, table[ROW], strict=True):
        if kind is None:
            raise UserError(f"row {row}, column {column!r}: {value!r} is {_unclear(str(value), positive)}")
        if plain_word(value) != kind and kind:
            counts[f"{value!r} is read as {kind}"] = counts.get(f"{value!r} is read as {kind}", 0) + 1
    notes += [f"column {column!r}: {reading} ({count} rows)" for reading, count in counts.items()]
    return pd.Series(result, table.index, dtype=object)


def _kind(text: str, positive: str) -> str | None:
    plain = plain_identifier(text)
    if plain in ("0", "1") and positive:
        return positive if plain == "1" else {REAL: SYNTHETIC, SYNTHETIC: REAL}[positive]
    return _KINDS.get(plain_word(text))


def _unclear(text: str, positive: str) -> str:
    if is_flag(text) and not positive:
        return f"ambiguous; write {REAL} or {SYNTHETIC}, or say with `positive` which of them 1 means"
    return f"no known word; it must be {REAL} or {SYNTHETIC}"


def one_spelling(values: pd.Series, key: Callable[[str], str], what: str, notes: list[str]) -> pd.Series:
    """The first spelling of each value, blank where it is missing; other spellings are noted."""
    spellings: dict[str, dict[str, int]] = {}
    keys = [key(value) if not is_missing(value, words=False) else "" for value in values]
    for value, plain in zip(values, keys, strict=True):
        counts = spellings.setdefault(plain, {})
        counts[str(value)] = counts.get(str(value), 0) + 1
    several = {plain: list(counts) for plain, counts in spellings.items() if plain and len(counts) > 1}
    if several:
        example = " and ".join(map(repr, next(iter(several.values()))[:_NAMED]))
        notes.append(
            f"column {what!r}: spellings of one {what} are taken together ({len(several)}, for example {example})"
        )
    return pd.Series([next(iter(spellings[plain])) if plain else "" for plain in keys], values.index, dtype=object)


def _with_diagnoses(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Labels, and diagnoses in the spelling of the labels."""
    columns = [column for column in ("label", "diagnosis") if column in table]
    if not columns:
        return table
    both = pd.concat([table[column] for column in columns], ignore_index=True)
    plain = one_spelling(both, plain_word, " and ".join(columns), notes)
    parts = {column: plain.iloc[i * len(table) : (i + 1) * len(table)].to_numpy() for i, column in enumerate(columns)}
    return table.assign(**parts)


def of_item(table: pd.DataFrame, column: str, notes: list[str]) -> pd.Series:
    """The one truth or label of every image, also in rows that do not say it.

    Raises UserError where an image has two.
    """
    rows = table[(table[column] != "") & (table["item"] != "")]
    first = rows.drop_duplicates("item").set_index("item")
    other = rows[rows[column] != rows["item"].map(first[column])]
    if len(other):
        row, before = other.iloc[0], first.loc[other["item"].iloc[0]]
        raise UserError(
            f"row {row[ROW]}, column {column!r}: image {row['item']!r} is {row[column]!r} here and {before[column]!r} in row "
            f"{before[ROW]} (images that have two: {other['item'].nunique()}); correct the table"
        )
    whole = table[column].where(table[column] != "", table["item"].map(first[column])).astype(object).fillna("")
    filled = int((whole != table[column]).sum())
    if filled:
        notes.append(f"column {column!r}: {filled} blank cells are filled from other rows of the same image")
    return whole


def _apart_by_condition(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """An item a condition of images that are judged in several; `case` is what the image was called."""
    table = table.assign(case=table["item"])
    if "condition" not in table:
        return table
    first = table[~table["repeat"].astype(bool)] if "repeat" in table else table
    judged = first.drop_duplicates(["rater", "item", "condition"]).groupby(["rater", "item"]).size()
    several = {str(item) for _, item in judged[judged > 1].index}
    if not several:
        return table
    notes.append(f"{len(several)} images are judged in several conditions by one rater: each counts once a condition")
    both = table["item"].isin(several)
    return table.assign(item=table["item"].where(~both, table["item"] + ", " + table["condition"]))


NEEDED = {"rater": "a rater", "item": "an image", "truth": "a known truth", "answer": "a value"}
"""Columns that every answer needs, and what a row lacks where one is blank."""


def without_incomplete(
    table: pd.DataFrame, needed: Mapping[str, str] = MappingProxyType(NEEDED)
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Without rows in which a needed column is blank, and how many there were of each."""
    left_out: dict[str, int] = {}
    for column, what in needed.items():
        blank = table[column] == ""
        if blank.any():
            left_out[f"without {what} (first in row {table.loc[blank, ROW].iloc[0]})"] = int(blank.sum())
            table = table[~blank]
    return table.reset_index(drop=True), left_out
