"""The groups of images that are compared: all images, classes, skin tones, values of columns."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.data.writing import TEXT_COLUMNS
from dermsynth.errors import UserError
from dermsynth.evaluation.levels import cells_by_label, levels_above, slips, values_of_labels, why_no_level
from dermsynth.evaluation.refusals import Refusal
from dermsynth.evaluation.tones import cells_of_column, columns_of, has_column
from dermsynth.metrics.clinical_features import TONE
from dermsynth.metrics.estimate import ALL, MINIMUM
from dermsynth.records import Record
from dermsynth.segmentation.skin import skin_tone_class
from dermsynth.statistics.rates import Rate, rate
from dermsynth.values import is_missing, meaning

TONES = "skin tone: "
"""How the names of groups of one skin tone begin."""
MEASURED = 0.5
"""Share of the images of either side whose skin tone must be measurable for tones to be compared."""


class Group(NamedTuple):
    """A name, and the rows of either set that belong to it."""

    name: str
    synthetic: NDArray[np.int64]
    real: NDArray[np.int64]


def groups(synthetic: DataSet, real: DataSet, columns: Sequence[str] = ()) -> list[Group]:
    """All images, each class, the levels of diagnosis above the classes, and each value of the columns.

    Both sets must have the columns, or the real one a level above the labels.

    Raises UserError when a column is missing, or where two groups would have one name.
    """
    parts = [Group(ALL, np.arange(len(synthetic.table)), np.arange(len(real.table)))]
    if synthetic.classes:
        parts += _by_value(synthetic.labels, real.labels, "")
    named = columns_of(columns, synthetic, real)
    for column in dict.fromkeys([*levels_of(synthetic, real), *named]):
        for side in (synthetic, real):
            if not has_column(side, column) and not _is_level(column, synthetic, real):
                both = [
                    str(name) for name in synthetic.table.columns if name in real.table and name not in TEXT_COLUMNS
                ]
                there = ", ".join([*both, *levels_of(synthetic, real)]) or "none"
                why = f"; {reason}" if (reason := why_no_level(real, column)) else ""
                raise UserError(f"`by` {column!r}: no such column in {side.folder}; columns of both sets: {there}{why}")
        parts += _by_value(*_one_spelling(synthetic, real, column), f"{column}: ")
    _require_distinct(parts)
    return parts


def levels_of(synthetic: DataSet, real: DataSet) -> list[str]:
    """Levels of diagnosis at which both sets are compared: columns of the real set that put several of the synthetic set's
    classes together.
    """
    return [column for column in levels_above(real) if _is_level(column, synthetic, real)]


def _is_level(column: str, synthetic: DataSet, real: DataSet) -> bool:
    """Whether the labels of a synthetic set without the column say what its values would be, and say more than one."""
    values = values_of_labels(real, column)
    there = [values[label] for label in synthetic.classes if label in values]
    return column not in synthetic.table and 1 < len(set(there)) < len(there)


def _require_distinct(parts: Sequence[Group]) -> None:
    """Raise UserError where two groups would have one name, so that their estimates would be mixed."""
    names = [part.name for part in parts]
    twice = [name for name in names if names.count(name) > 1 or name.startswith(TONES)]
    if twice:
        raise UserError(
            f"{twice[0]!r}: two groups of images would have this name; rename the class or column in metadata.csv"
        )


def values_of_one_side(synthetic: DataSet, real: DataSet, columns: Sequence[str] = ()) -> list[str]:
    """Classes and values of columns that one side alone has, of which nothing is measured; and levels that few images spoil."""
    lines = slips(real) if synthetic.classes else []
    both: list[tuple[str, tuple[NDArray[Any], NDArray[Any]]]]
    both = [("class", (synthetic.labels, real.labels))] if synthetic.classes else []
    both += [(column, _one_spelling(synthetic, real, column)) for column in columns_of(columns, synthetic, real)]
    for what, (of_synthetic, of_real) in both:
        for side, own, other in (("synthetic", of_synthetic, of_real), ("real", of_real, of_synthetic)):
            alone = sorted({str(value) for value in own if value} - {str(value) for value in other})
            lines += [f"{what} {value!r}: only {side} images have it ({(own == value).sum()})" for value in alone]
    return lines


def skin_tone_groups(synthetic: NDArray[np.float64], real: NDArray[np.float64]) -> list[Group]:
    """A group a skin tone, from the named features of both sets; images that could not be measured are in none.

    None where too few could be measured: the light of the others may go with their tone.
    """
    if min(measured_tone_shares(synthetic, real).values()) < MEASURED:
        return []
    return _by_value(skin_tones(synthetic), skin_tones(real), TONES)


def tone_shares(synthetic: NDArray[np.float64], real: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """Skin tone -> its share of the measurable images of either set, the most frequent first.

    Empty where the tone of more than half of either side could not be measured.
    """
    if min(measured_tone_shares(synthetic, real).values()) < MEASURED:
        return {}
    shares: dict[str, dict[str, float]] = {}
    for side, angles in (("synthetic", synthetic), ("real", real)):
        tones = [tone for tone in skin_tones(angles) if tone]
        for tone in tones:
            shares.setdefault(str(tone), {"synthetic": 0.0, "real": 0.0})[side] += 1 / len(tones)
    order = sorted(shares, key=lambda tone: -shares[tone]["real"])
    return {tone: {side: round(share, 4) for side, share in shares[tone].items()} for tone in order}


class ToneOfClass(Record):
    """How frequent a skin tone is among the measurable images of a class: shares with exact 95 % intervals, and of how many."""

    label: str
    tone: str
    synthetic: Rate
    real: Rate


def tones_by_class(
    synthetic: DataSet, real: DataSet, appearances: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> tuple[list[ToneOfClass], list[Refusal]]:
    """Skin tones within every class of the synthetic set, and why there are none of some classes.

    Of a class of which either side has fewer than 50 measurable images nothing is said, and nothing at all where the tone of
    more than half of either side could not be measured.
    """
    if min(measured_tone_shares(*appearances).values()) < MEASURED:
        return [], []
    tones = [skin_tones(rows) for rows in appearances]
    found, refused = list[ToneOfClass](), list[Refusal]()
    for label in synthetic.classes:
        sides = [
            of[(side.labels.astype(str) == label) & (of != "")]
            for of, side in zip(tones, (synthetic, real), strict=True)
        ]
        fewest = min(map(len, sides))
        if fewest < MINIMUM:
            text = (
                f"skin tones of class {label}: measurable in {len(sides[0])} synthetic and {len(sides[1])} real images"
            )
            refused.append(Refusal(text=f"{text}, at least {MINIMUM} a side are needed"))
            continue
        for tone in dict.fromkeys([*sorted(set(sides[1])), *sorted(set(sides[0]))]):
            rates = [rate(int((side == tone).sum()), len(side)) for side in sides]
            found.append(ToneOfClass(label=label, tone=str(tone), synthetic=rates[0], real=rates[1]))
    return found, refused


def measured_tone_shares(synthetic: NDArray[np.float64], real: NDArray[np.float64]) -> dict[str, float]:
    """Share of the images of either set whose skin tone could be measured."""
    sides = (("synthetic", synthetic), ("real", real))
    return {side: round(float(np.isfinite(rows[:, TONE]).mean()), 4) if len(rows) else 0.0 for side, rows in sides}


def skin_tones(rows: NDArray[np.float64]) -> NDArray[np.str_]:
    """Skin-tone class of every image from its named features [n, 13]; empty where it could not be measured."""
    return np.array([skin_tone_class(angle) for angle in rows[:, TONE]])


def _by_value(synthetic: NDArray[Any], real: NDArray[Any], prefix: str) -> list[Group]:
    values = sorted({str(v) for v in synthetic if v} & {str(v) for v in real if v})
    return [
        Group(f"{prefix}{value}", np.flatnonzero(synthetic == value), np.flatnonzero(real == value)) for value in values
    ]


def _one_spelling(synthetic: DataSet, real: DataSet, column: str) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Both sides' cells, empty where the value is missing, in the first of the spellings that mean the same.

    Where the column is a level of diagnosis, those of both sides follow from the labels.
    """
    if _is_level(column, synthetic, real):
        values = values_of_labels(real, column)
        return cells_by_label(synthetic, values), cells_by_label(real, values)
    spelling: dict[object, str] = {}

    def cells_of(side: DataSet) -> NDArray[np.object_]:
        cells = cells_of_column(side, column)
        return np.array(["" if is_missing(c) else spelling.setdefault(meaning(c), c) for c in cells], object)

    return cells_of(synthetic), cells_of(real)
