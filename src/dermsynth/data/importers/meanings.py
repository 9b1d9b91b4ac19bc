"""Columns that mean the same in every data set: age, sex, site, skin tone, kind of image, in one coding."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from dermsynth.data.importers.layout_records import KIND, Cells, first_value
from dermsynth.data.importers.layout_table import Meaning
from dermsynth.values import is_missing, parse_number, plain_identifier, visible_text

MEASURED = "skin_tone"
"""A column that the program writes itself, the angle that it measures; a source's own is kept under another name."""
OURS = (*Meaning.model_fields, MEASURED)
"""Names of columns with a meaning of their own in a data set."""
MOST = 6
"""Spellings that are named in a note."""
_SEXES = {
    "female": "f female w woman women girl weiblich femme feminino femenino mujer",
    "male": "m male man men boy männlich homme masculino hombre",
    "other": "o other d diverse divers intersex nonbinary non-binary",
}
_TYPE = r"(?:fst|fitzpatrick|fp|skin|photo|type|tone|scale)"
_STEP = "vi|iv|v|iii|ii|i|[1-6]"
_FITZPATRICK = re.compile(
    rf"(?:{_TYPE}[\s_:-]*)*({_STEP})(?:[.,]0+)?(?![\w.])(?!,\d)(?!\s*(?:[-/–,;&+]|to|or|and|bis|und)\s*(?:{_STEP})\b)",
    re.IGNORECASE,
)
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6"}
_MONK = re.compile(r"(?:monk|mst|skin|tone|[\s_:-])*(10|[1-9])(?:\.0+)?", re.IGNORECASE)
_PAIR = re.compile(r"\D*([1-6])\D*([1-6])\D*(?:\.0+)?")
_RANGE = re.compile(r"(?:age[\s_]*)?(\d{1,3})\s*(?:-|–|_?to_?|\s+to\s+)\s*(\d{1,3})", re.IGNORECASE)
_KINDS = (
    ("dermoscopic", r"dermo|dermato?scop|dscope"),
    ("tbp", r"\btbp|total body"),
    ("rcm", r"\brcm|confocal"),
    ("clinical", r"clinical|close.?up|overview|macro|smartphone|^\d+ ?(in|ft|cm)$|distance|angle"),
)


def _sex(text: str) -> str:
    plain = visible_text(text).casefold()
    return next((sex for sex, words in _SEXES.items() if plain in words.split()), "")


def _age(text: str) -> str:
    try:
        years = parse_number(text.rstrip("+"))
    except ValueError:
        return ""
    return f"{years:g}" if years is not None and 0 <= years <= 120 else ""


def _age_range(text: str) -> str:
    found = _RANGE.fullmatch(text.strip())
    return f"{int(found[1])}-{int(found[2])}" if found else ""


def _fitzpatrick(text: str) -> str:
    found = _FITZPATRICK.match(visible_text(text))
    return _ROMAN.get(found[1].casefold(), found[1]) if found else ""


def _pair(text: str) -> str:
    found = _PAIR.fullmatch(text.strip())
    return f"{found[1]}-{found[2]}" if found else ""


def _monk(text: str) -> str:
    found = _MONK.fullmatch(visible_text(text))
    return found[1] if found else ""


def _number(text: str) -> str:
    try:
        number = parse_number(text)
    except ValueError:
        return ""
    return "" if number is None else f"{number:g}"


def image_kind(text: str) -> str:
    """Kind of an image in one word (dermoscopic, clinical, tbp, rcm) for what a set calls it; empty where it is none of these."""
    return next((kind for kind, words in _KINDS if re.search(words, text, re.IGNORECASE)), "")


CODES: Mapping[str, Callable[[str], str]] = {
    "age": _age,
    "age_range": _age_range,
    "sex": _sex,
    "site": visible_text,
    "fitzpatrick": _fitzpatrick,
    "fitzpatrick_pair": _pair,
    "monk": _monk,
    "ita": _number,
    "tone_class": _number,
    "image_type": image_kind,
}
"""Name of a column -> what turns a cell into its coding; the empty string for what is not understood."""


def with_meanings(rows: Sequence[Cells], meaning: Meaning) -> tuple[list[Cells], list[str]]:
    """The rows with columns of one name and coding, and what was converted or not understood, as sentences.

    The source's columns stay as they are. One that has the name of ours stays as `source_NAME` where it says it otherwise.
    """
    there = {name for cells in rows for name in cells}
    ours: list[Cells] = [{} for _ in rows]
    notes, words = list[str](), list[str]()
    for name, code in CODES.items():
        sources = [column for column in getattr(meaning, name) if column in there]
        if sources:
            written = [first_understood(cells, sources, code) for cells in rows]
            values = [code(cell) for cell in written]
            pairs = Counter(zip(written, values, strict=True))
            words.append(_words(name, sources, pairs))
            notes += _not_understood(name, pairs)
            ours = [{**cells, name: value} for cells, value in zip(ours, values, strict=True)]
    changed = {name for name in OURS for cells, new in zip(rows, ours, strict=True) if _differs(name, cells, new)}
    notes = [f"columns of one meaning in every set: {', '.join(words)}", *notes] if words else []
    return [_beside(cells, new, changed) for cells, new in zip(rows, ours, strict=True)], notes


def first_understood(cells: Cells, sources: Sequence[str], code: Callable[[str], str]) -> str:
    """The first of several cells that is understood by `code`, else the first that is not missing."""
    understood = (cells[name] for name in sources if not is_missing(cells.get(name, "")) and code(cells[name]))
    return next(understood, "") or first_value(cells, sources)


def _differs(name: str, cells: Cells, new: Cells) -> bool:
    """Whether a column of the source has a name of ours and says something else."""
    if name not in new and name != MEASURED:
        return False
    return not is_missing(cells.get(name, "")) and plain_identifier(cells[name]) != plain_identifier(new.get(name, ""))


def _beside(cells: Cells, new: Cells, changed: set[str]) -> Cells:
    rest = {
        f"source_{name}" if name in changed else name: cell
        for name, cell in cells.items()
        if name not in new or name in changed
    }
    return {**new, **rest}


def _words(name: str, sources: Sequence[str], pairs: Counter[tuple[str, str]]) -> str:
    """Where a column comes from, and which spellings became which."""
    converted = [pair for pair in pairs if pair[1] and plain_identifier(pair[1]) != plain_identifier(pair[0])]
    words = ", ".join(f"{before!r} is {after}" for before, after in converted[:MOST])
    more = f" and {len(converted) - MOST} more" if len(converted) > MOST else ""
    blank = sum(count for (before, _), count in pairs.items() if not before)
    unknown = f"not known of {blank} images" if blank else ""
    remarks = "; ".join(remark for remark in (words + more, unknown) if remark)
    place = " or ".join(column if column == KIND else repr(column) for column in sources)
    return f"{name} from {place}" + (f" ({remarks})" if remarks else "")


def _not_understood(name: str, pairs: Counter[tuple[str, str]]) -> list[str]:
    unclear = [before for before, after in pairs if before and not after]
    if not unclear:
        return []
    count, first = sum(pairs[before, ""] for before in unclear), ", ".join(map(repr, unclear[:MOST]))
    return [f"column {name!r}: {first} of {count} images is not understood and left blank"]
