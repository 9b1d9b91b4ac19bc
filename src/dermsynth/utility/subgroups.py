"""Parts of a test set: images that agree in a column."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import TEXT_COLUMNS
from dermsynth.errors import UserError
from dermsynth.values import is_missing, numbers, parse_flag, plain_identifier

MOST = 8
"""Values up to which a column is looked at value by value."""


def telling_columns(table: pd.DataFrame) -> list[str]:
    """Columns by which images can be looked at apart: those of two to eight values, and those of numbers."""
    others = [str(column) for column in table.columns if column not in TEXT_COLUMNS]
    return [column for column in others if 2 <= len(parts_of(table, column, most=MOST)) <= MOST]


def parts_of(table: pd.DataFrame, column: str, most: int | None = None) -> dict[str, NDArray[np.bool_]]:
    """Name of a part -> its rows: a value each, whatever its spelling; of many numbers the lower and the upper half.

    Rows without a value are in none. With `most`, text of more values has no parts.
    """
    cells = [str(cell) for cell in table[column]]
    halves = _halves(table, column)
    if halves:
        return halves
    spelling: dict[object, str] = {}
    values = np.array(["" if is_missing(cell) else spelling.setdefault(_meant(cell), cell) for cell in cells], object)
    if most is not None and len(spelling) > most:
        return {}
    return {f"{column}: {value}": values == value for value in sorted(spelling.values())}


def _meant(cell: str) -> object:
    """What a cell means: a flag in any spelling, or else text."""
    try:
        return parse_flag(cell)
    except ValueError:
        return plain_identifier(cell)


def _halves(table: pd.DataFrame, column: str) -> dict[str, NDArray[np.bool_]]:
    """Up to the median and above it, where a column has more than eight numbers; empty for others."""
    try:
        values = numbers(table, column)
    except UserError:
        return {}
    known = np.isfinite(values)
    if len(np.unique(values[known])) <= MOST:
        return {}
    middle = float(np.median(values[known]))
    return {
        f"{column}: up to {middle:g}": known & (values <= middle),
        f"{column}: above {middle:g}": known & (values > middle),
    }
