"""What a utility experiment measured, as models; `utility.json` is their dump."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from dermsynth.evaluation.sides import Remark, SizePolicy
from dermsynth.io import write_json
from dermsynth.records import Record
from dermsynth.statistics.rates import Rate, rate
from dermsynth.statistics.roc import Difference
from dermsynth.utility.arms import REAL, Arm
from dermsynth.utility.classifier import Training
from dermsynth.utility.views import TEXTS, View

THRESHOLDS = tuple(round(0.01 * percent, 2) for percent in range(1, 61))
"""Probabilities from which on somebody might act: decision curves are drawn over these."""

Outcome = Literal["helps", "no evidence", "hurts", "not measured"]


def _as_arm(value: object) -> object:
    return (
        Arm(**value) if isinstance(value, Mapping) else value
    )  # numbers stay int or float: scores are found by their JSON


class RealSet(Record):
    """The real set: its content hash, training images, and a hash of which images with which labels."""

    content_hash: str
    training_images: int
    rows: str


class SyntheticSet(Record):
    """A synthetic set, or edited copies of the real one; `name` is the folder of that of a further generator."""

    content_hash: str
    images: int
    name: str = ""

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {key: value for key, value in values.items() if key != "name" or value}


class TestSet(Record):
    """A set of held-out real images: `rows` is a hash of which images with which labels."""

    __test__ = False  # no test class of pytest
    name: str
    images: int
    positive: int
    rows: str


class Settings(Record):
    """Everything that an experiment's figures are a function of."""

    arms: tuple[Annotated[Arm, BeforeValidator(_as_arm)], ...]
    repeats: int
    training: Training
    seed: int
    positive: str
    negative: tuple[str, ...]
    real: RealSet
    validation_images: int
    validation_rows: str = ""
    synthetic: SyntheticSet
    variants: dict[str, SyntheticSet] = Field(default_factory=dict)
    generators: tuple[SyntheticSet, ...] = ()
    size: tuple[int, int, str] | None = None
    tests: tuple[TestSet, ...]
    view: View = "whole"

    @model_serializer(mode="wrap")
    def _without_default(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        if self.view == "whole":  # as experiments were written before there were views
            del values["view"]
        if not self.generators:  # or several generators,
            del values["generators"]
        if not self.training.frozen:  # or frozen backbones
            del values["training"]["frozen"]
        return values

    def arm(self, name: str) -> Arm:
        """The arm of a name."""
        return next(arm for arm in self.arms if arm.name == name)


class StratumFigure(Record):
    """AUC of the ensemble within images that agree in a column, with DeLong's 95 % interval."""

    stratum: str
    images: int
    positive: int
    auc: float
    low: float
    high: float
    column: str = Field(default="", exclude=True)


class Confusion(Record):
    """Counts at the threshold chosen on validation images."""

    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int

    @property
    def sensitivity(self) -> Rate:
        """Share of positives that were called positive, with its exact interval."""
        return rate(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> Rate:
        """Share of negatives that were called negative, with its exact interval."""
        return rate(self.true_negative, self.true_negative + self.false_positive)


class ArmFigures(Record):
    """Figures of one arm on one test set: means over trainings, and intervals of the ensemble over test images.

    `repeats` trainings for each of `generators`; areas of `auc_repeats` one generator after the other.
    """

    arm: str
    test: str
    images: int
    positive: int
    repeats: int
    auc: float
    auc_deviation: float
    auc_repeats: tuple[float, ...]
    ensemble_auc: float
    delong: tuple[float, float]
    bootstrap: tuple[float, float]
    balanced_accuracy: float
    threshold: float
    confusion: Confusion
    sensitivity_at_90_specificity: float
    specificity_at_90_sensitivity: float
    calibration_error: float
    calibration: tuple[tuple[float, float, int], ...]
    average_precision: float
    roc: tuple[tuple[float, ...], tuple[float, ...]]
    precision_recall: tuple[tuple[float, ...], tuple[float, ...]]
    strata: tuple[StratumFigure, ...]
    generators: int = 1
    people: int | None = None
    """Of how many patients or lesions the test images are; None where that is not known."""
    net_benefit: tuple[float, ...] = ()
    """At each of `THRESHOLDS`, of probabilities whose odds are those of the validation images."""


class Deviations(Record):
    """Of a difference of mean AUCs: over other test images, over generators, and over trainings of a classifier.

    The first is that of the mean itself, the others those of one generator and of one training; `generators` is None where
    nothing tells them apart from trainings.
    """

    tests: float
    generators: float | None
    seeds: float


class Comparison(Record):
    """Difference of mean AUCs of two arms on one test set, `arm` minus `against`, and DeLong's test of their ensembles.

    `repeats_wanted` repeats of one generator would bring half the interval down to `reach_then`.
    """

    test: str
    arm: str
    against: str
    difference: float
    low: float
    high: float
    p: float
    repeats_wanted: int
    reach_then: float
    delong: Difference
    p_holm: float
    generators: int = 1
    deviations: Deviations | None = None


class SyntheticTest(Record):
    """AUC of the classifiers of real images on the synthetic ones."""

    auc: float
    images: int


class UtilityResult(Record):
    """Figures of every arm on every test set, their comparisons, and the verdict with what a reader must know of it."""

    version: int = Field(default=1, alias="schema")
    settings: Settings
    figures: tuple[ArmFigures, ...]
    comparisons: tuple[Comparison, ...]
    environment: dict[str, Any]
    outcome: Outcome
    verdict: str
    sides: tuple[Remark, ...]
    sizes: SizePolicy | None = None
    cautions: tuple[str, ...]
    worth: str
    trained_on_real_tested_on_synthetic: SyntheticTest | None = None

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        if self.trained_on_real_tested_on_synthetic is None:
            del values["trained_on_real_tested_on_synthetic"]
        return values

    @property
    def view_text(self) -> str:
        """What was hidden of every image, and what the arm of real images still saw; the empty string for whole images."""
        view = self.settings.view
        if view == "whole":
            return ""
        shown = f"View {view!r}: all arms, validation and test sets show {TEXTS[view]}"
        real = next(
            (row for row in self.figures if row.arm == REAL.name and row.test == self.settings.tests[0].name), None
        )
        if real is None:
            return f"{shown}."
        low, high = real.delong
        verdict = "the label can still be told" if low > 0.5 else "no evidence that the label can be told"
        return (
            f"{shown}. Of this {verdict}: real images alone, AUC of the ensemble {real.ensemble_auc:.3f} (95 % {low:.3f} to "
            f"{high:.3f}; {real.images} images, {real.positive} positive; 0.5 is chance)."
        )

    def __repr__(self) -> str:
        return f"UtilityResult({len(self.figures)} figures; {self.verdict})"

    def to_frame(self) -> pd.DataFrame:
        """Figures as a table.

        Returns
        -------
        pandas.DataFrame
            One row an arm and test set: `arm`, `test`, `images`, `positive`, `repeats`, `auc` (mean over repeats, 0 to 1),
            `auc_deviation`, `ensemble_auc` with DeLong's 95 % interval `low` to `high`.
        """
        columns = ("arm", "test", "images", "positive", "repeats", "auc", "auc_deviation", "ensemble_auc")
        rows = [
            {name: getattr(row, name) for name in columns} | dict(zip(("low", "high"), row.delong, strict=True))
            for row in self.figures
        ]
        return pd.DataFrame(rows)

    def save(self, path: Path) -> None:
        """Write the result as JSON.

        Parameters
        ----------
        path
            A `.json` file; it is replaced.
        """
        write_json(path, self.model_dump(by_alias=True))
