"""A regression of a column of numbers on features of images: what an image would have in a column that it does not come with."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from dermsynth.artefacts.classifier import Pooled, Rows, groups_of, pooled_rows
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError

FEWEST, FOLDS = 50, 5
STRENGTHS = np.logspace(0, 5, 11)
"""Penalties of the ridge regression, of which the best by leaving one image out is taken."""


@dataclass(frozen=True)
class Regressor:
    """A fitted regression, the median of the column, and R^2 on groups that it had not seen."""

    model: Pipeline
    median: float
    r2: float

    def __call__(self, rows: Rows) -> NDArray[np.float64]:
        """What rows of features [n, d] would have in the column, [n]."""
        return np.asarray(self.model.predict(rows.astype(np.float64)))


def fitted_regressor(data_set: DataSet, column: str, pooled: Pooled) -> Regressor:
    """Ridge regression on pooled features of the images that have a number in the column.

    Raises UserError for a column that is missing, or has fewer than fifty numbers or only one value.
    """
    if column not in data_set.table:
        there = ", ".join(map(str, data_set.table.columns))
        raise UserError(f"`score` column={data_set.folder}:{column}: no such column; there are: {there}")
    values = pd.to_numeric(data_set.table[column], errors="coerce").to_numpy(np.float64)
    known = np.isfinite(values)
    if known.sum() < FEWEST or len(np.unique(values[known])) < 2:
        raise UserError(
            f"`score` column={data_set.folder}:{column}: {int(known.sum())} numbers of "
            f"{len(np.unique(values[known]))} values; at least {FEWEST} of two or more are needed"
        )
    chosen = data_set.select(known)
    rows, truth = pooled_rows(chosen, pooled).astype(np.float64), values[known]
    model = make_pipeline(StandardScaler(), RidgeCV(STRENGTHS))
    held_out = cross_val_predict(model, rows, truth, groups=groups_of(chosen), cv=GroupKFold(FOLDS))
    return Regressor(model.fit(rows, truth), float(np.median(truth)), float(r2_score(truth, held_out)))
