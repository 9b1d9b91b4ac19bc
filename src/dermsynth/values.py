"""What a cell of a table means: flags, numbers, missing values and identifiers, whoever wrote the table.

The same value comes out of a spreadsheet, a library or a country in many spellings (`true`, `True`, `WAHR`, `1`, `1.0`).
Every column that the program reads is read here; a spelling that is not understood is an error that names row and column.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.errors import UserError


def _words(text: str, separator: str | None = None) -> frozenset[str]:
    return frozenset(text.split(separator))


MISSING = _words(
    "na n/a n.a. n.a #n/a #na #n/v #nv #null! nan -nan +nan nat null none nil <na> <null> <none> (null) \\n 1.#qnan 1.#ind "
    "#n/d #n/b #н/д #saknas! #ref! #value! #wert! #name? #num! #zahl! #div/0! (blank) (leer) (empty) na_character_ na_real_ "
    "??? ---- - -- --- – — ? . .. ..."
)
"""Spellings of "no value" by programs; compared without case."""

UNKNOWN = _words(
    "unknown;unk;missing;not available;not applicable;not known;not specified;not recorded;not reported;unspecified;"
    "undefined;no data;not given;not provided;not documented;not collected;anonymous;tbd;nd;n.d.;nicht bekannt;non renseigné;"
    "unbekannt;keine angabe;k.a.;k. a.;inconnu;non connu;desconocido;sconosciuto;onbekend;okänd;ukendt;"
    "ukjent;nieznany;desconhecido;неизвестно;不明;未知",
    ";",
)
"""Words for "not known" by people; a class may bear one, a group or a number may not."""

_TRUE = _words(
    "true t yes y on 1 -1 wahr ja j vrai oui verdadero sí si verdadeiro sim vero waar sant sann sand prawda tak tosi kyllä "
    "igaz igen pravda ano adevărat da истина да doğru evet 真 是 はい 예 ✓ ✔ ☑"
)
_FALSE = _words(
    "false f no n off 0 falsch nein faux non falso não nao onwaar nee falskt falsk usann nej nei fałsz nie epätosi ei "
    "hamis nem nepravda ne fals ложь нет yanlış hayır 假 否 いいえ 아니오 ✗ ✘ ☐"
)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?%?")
_WHOLE = re.compile(r"([+-]?\d+)(?:\.0+|,0{1,2})")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
"""A comma that may part thousands as well as decimals."""
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u2060\ufeff"))
T = TypeVar("T")


def as_tuple(values: T | Iterable[T]) -> tuple[T, ...]:
    """What may be one value or several, as a tuple: a text is one value, the empty text none."""
    if isinstance(values, str):
        return (values,) if values else ()
    return tuple(values) if isinstance(values, Iterable) else (values,)


def visible_text(text: str) -> str:
    """A text in single blanks, without letters that nobody sees (zero-width spaces, soft hyphens, byte-order marks)."""
    return " ".join(str(text).translate(_INVISIBLE).split())


def is_missing(text: str, *, words: bool = True) -> bool:
    """Whether a cell says that there is no value; with `words` also where a person wrote so ("unknown")."""
    plain = visible_text(text).casefold()
    return plain in MISSING or not plain.strip("?-–—.") or (words and plain.replace("_", " ") in UNKNOWN)


def parse_flag(text: str) -> bool | None:
    """A flag in any common spelling; None where the value is missing.

    Raises ValueError for anything else.
    """
    plain = unicodedata.normalize("NFC", str(text)).strip().casefold()
    if is_missing(plain):
        return None
    whole = _WHOLE.fullmatch(plain)
    plain = (whole[1] if whole else plain).removeprefix("+")
    if plain in _TRUE:
        return True
    if plain in _FALSE:
        return False
    raise ValueError(text)


def parse_number(text: str, *, comma: bool = False) -> float | None:
    """A finite number with a decimal point or comma, or a percentage; None where the value is missing.

    Raises ValueError for anything else, numbers with separators of thousands among it; `1,234` may be one, and is read
    as a decimal where `comma` says that commas are such.
    """
    plain = str(text).strip().replace("\u2212", "-")
    if is_missing(plain):
        return None
    if not _NUMBER.fullmatch(plain) or (not comma and _THOUSANDS.fullmatch(plain)):
        raise ValueError(text)
    value = float(plain.rstrip("%").replace(",", "."))
    if not math.isfinite(value):
        raise ValueError(text)
    return value / 100 if plain.endswith("%") else value


def plain_identifier(text: str) -> str:
    """One spelling of an identifier: `P001` and `p001`, `12` and `12.0` are one; the empty string where it is missing."""
    plain = visible_text(unicodedata.normalize("NFKC", str(text))).casefold()
    if is_missing(plain):
        return ""
    whole = _WHOLE.fullmatch(plain)
    plain = whole[1] if whole else plain
    return plain.removeprefix("+") if plain[1:].isdigit() else plain


def meaning(text: str) -> object:
    """What a cell means, whatever its spelling: a flag, or else an identifier."""
    try:
        return parse_flag(text)
    except ValueError:
        return plain_identifier(text)


def _parse_column(table: pd.DataFrame, column: str, parse: Callable[[str], T], kind: str) -> list[T]:
    names = table.get("file_name")
    result = []
    for index, value in enumerate(table[column]):
        try:
            result.append(parse(value))
        except ValueError as error:
            name = f" ({names.iloc[index]})" if names is not None else ""
            raise UserError(f"row {index + 2}{name}, column {column!r}: {value!r} is no {kind}") from error
    return result


def flags(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """A column of flags as 1 and 0; NaN where the value is missing, as everywhere of a column that is not there.

    Raises UserError naming row and column (rows are counted as in the file, the header is row 1).
    """
    if column not in table:
        return np.full(len(table), np.nan)
    return _with_nan(_parse_column(table, column, parse_flag, "flag; write true or false"))


def numbers(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """A column of numbers; NaN where the value is missing.

    `1,234` is a decimal where another cell of the column has a comma that can be nothing else.

    Raises UserError naming row and column.
    """
    values = _parse_column(
        table, column, parse_number, "number; write it without separators of thousands, for example 1234.5"
    )
    return _with_nan(values)


def _with_nan(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def identifiers(values: Iterable[str]) -> NDArray[np.object_]:
    """One spelling for each identifier of a column; the empty string where it is missing."""
    return np.array([plain_identifier(value) for value in values], dtype=object)
