"""The columns of a set as Hugging Face's `datasets` and Croissant name them: one feature a column, with its type."""

from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

Kind = Literal["image", "string", "int64", "float64", "bool"]
IMAGE, SUFFIX = "image", "file_name"
ROWS = 10_000
"""Rows from which types are inferred, as `datasets` does."""


class Feature(NamedTuple):
    """A column of `metadata.csv`, the name under which `datasets` gives it, and its type."""

    column: str
    name: str
    kind: Kind


def features_of(metadata: Path) -> list[Feature]:
    """The features of a set by its `metadata.csv`: columns of file names are images, the others what pandas takes them for."""
    table = pd.read_csv(metadata, nrows=ROWS)
    return [_feature(str(column), table[column]) for column in table.columns]


def _feature(column: str, values: pd.Series) -> Feature:
    kind = _kind(values)
    if kind == "string" and (column == SUFFIX or column.endswith(f"_{SUFFIX}")):
        return Feature(column, column.removesuffix(SUFFIX).removesuffix("_") or IMAGE, "image")
    return Feature(column, column, kind)


def _kind(values: pd.Series) -> Kind:
    if pd.api.types.is_bool_dtype(values):
        return "bool"
    if pd.api.types.is_integer_dtype(values):
        return "int64"
    return "float64" if pd.api.types.is_float_dtype(values) else "string"
