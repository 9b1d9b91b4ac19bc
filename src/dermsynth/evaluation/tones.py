"""Skin tone as the table says it: which of several scales both sets have, and its values."""

from collections.abc import Sequence

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.segmentation.skin import skin_tone_class
from dermsynth.values import is_missing, plain_identifier

TONE = "tone"
"""What is asked for: the skin tone by whichever scale both sets have."""
SINGLE, PAIR, ANGLE = "fitzpatrick", "fitzpatrick_pair", "ita"
SCALES = (SINGLE, PAIR, "monk", "tone_class", ANGLE)
"""Columns of skin tone, the one that is preferred first."""


def has_column(side: DataSet, column: str) -> bool:
    """Whether a set has a column; pairs of skin types are known wherever the types are."""
    return column in side.table or (column == PAIR and SINGLE in side.table)


def columns_of(columns: Sequence[str], synthetic: DataSet, real: DataSet) -> list[str]:
    """The columns that were asked for; `tone` is the first scale of skin tone that both sets have.

    Raises UserError where they have none in common.
    """
    return [_scale(synthetic, real) if _is_tone(column, synthetic, real) else column for column in columns]


def _is_tone(column: str, synthetic: DataSet, real: DataSet) -> bool:
    return column == TONE and not (TONE in synthetic.table and TONE in real.table)


def _scale(synthetic: DataSet, real: DataSet) -> str:
    sides = (synthetic, real)
    scale = next((name for name in SCALES if all(has_column(side, name) for side in sides)), "")
    if not scale:
        there = "; ".join(f"{side.folder}: {_scales_of(side)}" for side in sides)
        raise UserError(
            f"`by` {TONE}: no scale of skin tone that both sets have ({there}); without it, tones that are measured in the "
            "images are compared"
        )
    return scale


def _scales_of(side: DataSet) -> str:
    return ", ".join(name for name in SCALES if name in side.table) or "none"


def cells_of_column(side: DataSet, column: str) -> list[str]:
    """The values of a column: pairs of skin types from the types, and classes of the typology angle."""
    if column == ANGLE:
        return [skin_tone_class(angle) for angle in side.numbers(ANGLE)]
    if column == PAIR and PAIR not in side.table:
        return [_pair(str(cell)) for cell in side.table[SINGLE]]
    return [str(cell) for cell in side.table[column]]


def _pair(cell: str) -> str:
    """The pair that a Fitzpatrick type lies in: 1 in 1-2, 4 in 3-4."""
    plain = plain_identifier(cell)
    if is_missing(cell) or not plain.isdigit():
        return ""
    first = int(plain) - (int(plain) - 1) % 2
    return f"{first}-{first + 1}"
