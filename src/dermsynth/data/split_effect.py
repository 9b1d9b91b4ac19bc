"""What a split that cuts groups is worth to a classifier: an apparent gain, measured on the set at hand."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.statistics.split_comparison import NEIGHBOURS, SplitComparison, compare_splits, comparison_problem

FEWEST = 20
"""Images of a class below which it is not compared."""


@dataclass(frozen=True)
class SplitEffect:
    """How much better a classifier looks when groups lie on both sides of a split, or why that was not measured.

    Attributes
    ----------
    comparison
        Areas under the ROC curve; None where nothing was measured.
    first, second
        The classes that were told apart.
    seen_by
        What the classifier saw of an image.
    problem
        Why nothing was measured.
    """

    comparison: SplitComparison | None = None
    first: str = ""
    second: str = ""
    seen_by: str = ""
    problem: str = ""

    @property
    def matters(self) -> bool:
        """Whether the gain is surely above zero."""
        return self.comparison is not None and self.comparison.gain.low > 0

    @property
    def text(self) -> str:
        """What was measured, as a sentence."""
        found = self.comparison
        if found is None:
            return f"Random against grouped split: not measured ({self.problem})."
        return (
            f"Random against grouped split: a classifier ({NEIGHBOURS} nearest neighbours, {self.seen_by}) tells {self.first} "
            f"from {self.second} with AUC {found.random.value:.3f} when images of one patient or lesion are on both sides, and "
            f"{found.grouped.value:.3f} when none are: {found.gain.value:+.3f} (95 % {found.gain.low:+.3f} to "
            f"{found.gain.high:+.3f}) {'is' if self.matters else 'would be'} only apparent; {found.images:,} images of "
            f"{found.groups:,} groups, {found.sharing:,} share theirs."
        )

    def as_json(self) -> dict[str, Any]:
        """Every figure by name."""
        return asdict(self) | {"text": self.text}


def split_effect(
    data_set: DataSet, rows: NDArray[np.floating], groups: NDArray[np.int64], seen_by: str, seed: int = 0
) -> SplitEffect:
    """Measure it between the two largest classes of a set.

    Parameters
    ----------
    data_set
        The set.
    rows
        What the classifier sees of each image, [n, d]; NaN where one could not be read.
    groups
        Patient, lesion or photograph of each image, [n].
    seen_by
        What `rows` are, in words.
    seed
        Seed of folds and draws.
    """
    readable = ~np.isnan(rows).any(axis=1) if rows.shape[1] else np.zeros(len(rows), bool)
    labels = np.where(readable, data_set.labels.astype(str), "")
    largest = sorted(data_set.classes, key=lambda label: -int((labels == label).sum()))[:2]
    if len(largest) < 2 or (labels == largest[1]).sum() < FEWEST:
        return SplitEffect(problem=f"it needs two classes of at least {FEWEST} images")
    chosen = np.isin(labels, largest)
    truth = labels[chosen] == largest[0]
    problem = comparison_problem(truth, groups[chosen])
    if problem:
        unnamed = "" if "group" in data_set.table else "; the set has no column `group` that names patient or lesion"
        return SplitEffect(problem=problem + unnamed)
    comparison = compare_splits(rows[chosen], truth, groups[chosen], seed=seed)
    return SplitEffect(comparison, largest[0], largest[1], seen_by)
