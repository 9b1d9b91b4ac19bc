"""What a reader study measured, as models; `report.json` is their dump."""

from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from dermsynth.io import write_json
from dermsynth.records import Record
from dermsynth.statistics.forced_choice import MeanShare
from dermsynth.statistics.multireader import Multireader
from dermsynth.statistics.rates import Counts, Detection, Rate


class SelfAgreement(Record):
    """How often a rater gave the same answer to an image seen again, and Cohen's kappa (None where all answers are one)."""

    share: Rate
    kappa: float | None


class RaterResult(Record):
    """One rater: counts, rates with exact 95 % intervals, d' and criterion, median seconds an image."""

    rater: str
    group: str
    condition: str
    counts: Counts
    rates: dict[str, Rate]
    detection: Detection | None
    p_against_chance: float
    seconds_median: float | None
    self_agreement: SelfAgreement | None


class Panel(Record):
    """The mixed model of a group's answers: skill in log-odds, its deviations, and balanced accuracy with 95 % interval.

    The interval is for other raters and other images; `equivalent` says that it lies within 50 +- 5 %.
    """

    skill: float
    error: float
    habit: float
    skill_deviation: float
    habit_deviation: float
    images_deviation: float
    raters: int
    images: int
    answers: int
    balanced_accuracy: float
    low: float
    high: float
    p: float
    equivalent: bool


class GroupResult(Record):
    """A group of raters: pooled counts and rates, and its panel, or why there is no figure for it."""

    group: str
    raters: int
    counts: Counts
    rates: dict[str, Rate]
    detection: Detection | None
    panel: Panel | None
    panel_refused: str | None = None

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        if self.panel_refused is None:
            del values["panel_refused"]
        return values


class ConditionResult(Record):
    """A condition (set of images): F1 and accuracy of every rater, and their means."""

    condition: str
    raters: int
    f1: tuple[float, ...]
    accuracy: tuple[float, ...]
    mean_f1: float | None
    mean_accuracy: float | None


class AgreementResult(Record):
    """A measure of agreement between the raters of a group on real, synthetic or all images; 95 % over images."""

    measure: str
    group: str
    images: str
    value: float | None
    low: float | None
    high: float | None
    n_images: int
    raters: int


class ImageResult(Record):
    """How many of an image's raters were right."""

    item: str
    truth: str
    label: str
    right: int
    raters: int
    certainty_mean: float | None
    seconds_median: float | None


class ImageResults(Record):
    """Every image, those that fooled all of at least two raters, and those that fooled none."""

    rows: tuple[ImageResult, ...]
    fooled_all: tuple[str, ...]
    fooled_none: tuple[str, ...]


class AnswerMatrix(Record):
    """Right (1) or wrong (0) answers [raters][items]; None where there is no answer."""

    raters: tuple[str, ...]
    items: tuple[str, ...]
    right: tuple[tuple[int | None, ...], ...]


class CertaintyResult(Record):
    """Share of right answers at one certainty, with its exact 95 % interval."""

    certainty: float
    value: float | None
    low: float
    high: float
    n: int


class Confusion(Record):
    """Diagnoses on images of one kind: accuracy, and counts [label][diagnosis]."""

    accuracy: Rate
    labels: tuple[str, ...]
    said: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]


class AccuracyDifference(Record):
    """Accuracy of diagnoses on real minus on synthetic images, with p of a permutation of images."""

    real_minus_synthetic: float
    p: float
    images: int


class DiagnosisResult(Record):
    """Diagnoses on real and on synthetic images, and their difference where both have two images."""

    real: Confusion
    synthetic: Confusion
    difference: AccuracyDifference | None


class Saved(Record):
    """A whole result, which is kept as JSON."""

    def save(self, path: Path) -> None:
        """Write the result as JSON.

        Parameters
        ----------
        path
            A `.json` file; it is replaced.
        """
        write_json(path, self.model_dump(by_alias=True))


class StudyResult(Saved):
    """Every figure of a reader study; `positive` is the kind whose recognition counts as a hit."""

    version: Literal[1] = Field(default=1, alias="schema")
    program: str
    positive: str
    seed: int
    answers: int
    raters: tuple[RaterResult, ...]
    groups: tuple[GroupResult, ...]
    conditions: tuple[ConditionResult, ...]
    agreement: tuple[AgreementResult, ...]
    images: ImageResults
    matrix: AnswerMatrix
    certainty: tuple[CertaintyResult, ...]
    areas: Multireader | None = None
    areas_refused: str | None = None
    diagnosis: DiagnosisResult | None
    left_out: dict[str, int] = Field(default_factory=dict)
    noticed: dict[str, int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"StudyResult({self.answers:,} answers of {len(self.raters)} raters)"

    def to_frame(self) -> pd.DataFrame:
        """Raters as a table.

        Returns
        -------
        pandas.DataFrame
            One row a rater: `rater`, `group`, `condition`, counts `tp`, `fp`, `fn`, `tn`, the rates (0 to 1), `d_prime`,
            `criterion`, `p_against_chance`, `seconds_median`.
        """
        return pd.DataFrame([_flat(rater) for rater in self.raters])


Interval = tuple[float, float, float]
"""A value and the ends of its 95 % interval."""


class ChoiceRater(Record):
    """One rater of pictures shown together: how often the photograph was found, exact tests, and d' with its interval.

    `p_of_positions` is of a test that every position was chosen equally often, which it is where positions are random.
    """

    rater: str
    group: str
    share: Rate
    sensitivity: Interval | None
    p_against_chance: float | None
    p_of_positions: float
    seconds_median: float | None


class ChoiceGroup(Record):
    """A group of raters: the share of sets in which the photograph is found, for other raters and sets, and its d'."""

    group: str
    raters: int
    sets: int
    answers: int
    share: MeanShare
    sensitivity: Interval


class Ranked(Record):
    """A source of pictures: how readily it is chosen (log-odds), and how often it would be chosen beside one of the reference.

    The reference is `real` where photographs are shown, else the source that is chosen most readily; its strength is 0.
    """

    source: str
    shown: int
    chosen: int
    strength: float
    low: float
    high: float
    preferred: float
    preferred_low: float
    preferred_high: float


class ChoiceSet(Record):
    """Pictures shown together: their sources, how often each was chosen, and how many raters found the photograph."""

    item: str
    label: str
    shown: tuple[str, ...]
    chosen: tuple[int, ...]
    right: int | None
    raters: int


class ChoiceResult(Saved):
    """Every figure of a study that shows pictures together."""

    version: Literal[1] = Field(default=1, alias="schema")
    program: str
    answers: int
    pictures: int
    raters: tuple[ChoiceRater, ...]
    groups: tuple[ChoiceGroup, ...]
    ranking: tuple[Ranked, ...]
    sets: tuple[ChoiceSet, ...]
    left_out: dict[str, int] = Field(default_factory=dict)
    noticed: dict[str, int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ChoiceResult({self.answers:,} answers of {len(self.raters)} raters to {len(self.sets)} sets)"

    def to_frame(self) -> pd.DataFrame:
        """Sources as a table.

        Returns
        -------
        pandas.DataFrame
            One row a source, the most readily chosen first: `source`, `shown`, `chosen`, `strength`, `low`, `high`,
            `preferred` and the ends of its interval.
        """
        return pd.DataFrame([one.model_dump() for one in self.ranking])


def _flat(rater: RaterResult) -> dict[str, Any]:
    counts, detection = rater.counts, rater.detection
    return {
        "rater": rater.rater, "group": rater.group, "condition": rater.condition,
        "tp": counts.tp, "fp": counts.fp, "fn": counts.fn, "tn": counts.tn,
        **{name: rate.value for name, rate in rater.rates.items()},
        "d_prime": None if detection is None else detection.sensitivity_index,
        "criterion": None if detection is None else detection.criterion,
        "p_against_chance": rater.p_against_chance, "seconds_median": rater.seconds_median,
    }  # fmt: skip
