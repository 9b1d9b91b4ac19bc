"""The result of an evaluation: typed, found by the content hash of the images that it is of, kept as JSON."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd
from pydantic import Field, JsonValue, PrivateAttr, ValidationError

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.folder import DESCRIPTION
from dermsynth.data.provenance import CopyGateFacts, GeneratorProvenance
from dermsynth.errors import UserError
from dermsynth.evaluation.floors import Light
from dermsynth.evaluation.generator_metrics import PathLength
from dermsynth.evaluation.label_fidelity import Recognition
from dermsynth.evaluation.refusals import Refusal
from dermsynth.evaluation.sides import Remark, SizePolicy
from dermsynth.evaluation.subgroups import ToneOfClass
from dermsynth.io import read_json, write_json
from dermsynth.metrics.estimate import ALL, CopyEstimate, Estimate, Figure
from dermsynth.metrics.registry import METRICS
from dermsynth.records import Record

FOLDER, RESULT, PAGE = "assessment", "assessment.json", "assessment.html"
"""Folder of an evaluation in its set, and its files. Not `evaluation`: Hugging Face takes that for the name of a split."""
EARLIER_RESULTS = ("assessment.json", "evaluation.json")
"""Files of earlier versions, which lie in the set itself."""
USEFULNESS = "usefulness.json"
"""What a utility experiment says of a set, beside the set's evaluation."""
SCHEMA = 2


class SyntheticFacts(Record):
    """The synthetic set: folder, images, labels, content hash, and what it says of its generator."""

    folder: str
    images: int
    classes: tuple[str, ...]
    content_hash: str
    generator: GeneratorProvenance


class RealFacts(Record):
    """The real images: which they are, how many of them the generator was trained on, and labels that are not compared.

    `groups` is the number of different patients or lesions, as far as they are known; 0 in results of earlier versions.
    """

    folder: str
    content_hash: str
    images: int
    groups: int = 0
    classes: tuple[str, ...]
    left_out: dict[str, int]
    split: str
    trained_on: int
    training_set_known: bool


class ExtractorFacts(Record):
    """The network that made the features."""

    name: str
    resizer: str
    identity: str
    comparable_with_published_fid: bool


class Line(Record):
    """One line of the verdict: a question, its light, what was found, and the rule."""

    question: str
    light: Light
    says: str
    rule: str


class ClosePair(Record):
    """A synthetic image, the training image nearest to it, and how near it is."""

    file_name: str
    of: str
    value: Figure


class Point(Record):
    """An image in the plane of features: its place, side, label and file."""

    side: Literal["synthetic", "real"]
    file_name: str
    label: str
    x: float
    y: float


class View(Record):
    """All images in one plane: the method, what it keeps, and a point an image."""

    method: str
    note: str
    points: tuple[Point, ...]


class FlaggedShare(Record):
    """How many images of a class the copy gate flagged, of how many, with an exact 95 % interval of the share."""

    label: str
    flagged: int
    of: int
    low: float
    high: float


class RepeatedGroup(Record):
    """A person or lesion of whom there are copies: the flagged images, and the training images of that group."""

    group: str
    flagged: int
    training: int


class Usefulness(Record):
    """What a utility experiment says of exactly these images."""

    outcome: str
    verdict: str
    content_hash: str


class Assessment(Record):
    """What a whole evaluation has beyond a brief one.

    Attributes
    ----------
    label_fidelity
        Whether images of a class are recognised as what they are said to be.
    skin_tones, skin_tones_measured
        Tone -> side -> share of the images; side -> share of the images whose light allows an estimate of the tone.
    tones_by_class
        The same within each class.
    path_lengths
        Lengths of paths through the generator's latents.
    embedding
        All images in the plane of features.
    usefulness
        The outcome of a utility experiment with these images.
    copying, copying_refused
        Measures of copying; or why there are none.
    copy_gate, closest
        What the copy gate found; and by each measure the synthetic images nearest to a training image.
    copies_by_class, repeated_groups
        Flags of the copy gate by class; and the persons or lesions that most flagged images repeat.
    verdict, class_verdicts
        Lights over all images, and of each label.
    """

    label_fidelity: tuple[Recognition, ...] = ()
    skin_tones: dict[str, dict[str, float]] = Field(default_factory=dict)
    skin_tones_measured: dict[str, float] = Field(default_factory=dict)
    tones_by_class: tuple[ToneOfClass, ...] = ()
    path_lengths: tuple[PathLength, ...] = ()
    embedding: tuple[View, ...] = ()
    usefulness: Usefulness | None = None
    copying: tuple[CopyEstimate, ...] | None = None
    copy_gate: CopyGateFacts | None = None
    copying_refused: str = ""
    closest: dict[str, tuple[ClosePair, ...]] = Field(default_factory=dict)
    copies_by_class: tuple[FlaggedShare, ...] = ()
    repeated_groups: tuple[RepeatedGroup, ...] = ()
    verdict: tuple[Line, ...] = ()
    class_verdicts: dict[str, tuple[Line, ...]] = Field(default_factory=dict)


class Evaluation(Assessment):
    """The result of an evaluation of a synthetic set against a real one.

    `result["fid"]` is the estimate of a metric over all images, `result.estimate("swd", group="nevus", part="64 px")` any
    other; `result.to_frame()` has them all, `result.light("fidelity")` a light of the verdict.

    Attributes
    ----------
    synthetic, real, extractor
        What was compared, and with which features.
    sides
        What makes both sides unlike, or too alike.
    shared_images
        Synthetic images that are a real one, pixel for pixel.
    size
        Width and height at which images were compared.
    sizes
        How both sides came to that size; None in results of earlier versions.
    estimates
        All estimates, in the order of computation.
    refused
        Why there are no others.
    """

    schema_version: int = Field(SCHEMA, alias="schema")
    synthetic: SyntheticFacts
    real: RealFacts
    extractor: ExtractorFacts
    sides: tuple[Remark, ...] = ()
    shared_images: int = 0
    size: tuple[int, int]
    sizes: SizePolicy | None = None
    interval: str = ""
    environment: dict[str, str] = Field(default_factory=dict)
    estimates: tuple[Estimate, ...] = Field(alias="measurements")
    refused: tuple[Refusal, ...] = ()
    _write_page: Callable[["Evaluation", Path], None] | None = PrivateAttr(None)

    def __repr__(self) -> str:
        lights = ", ".join(f"{line.question} {line.light}" for line in self.verdict) or "brief"
        return f"Evaluation({self.synthetic.folder!r} against {self.real.folder!r}: {lights})"

    @property
    def brief(self) -> bool:
        """Whether it has the main distances alone, and no verdict."""
        return not self.verdict

    @property
    def groups(self) -> list[str]:
        """The groups of images that there are estimates of: all, then labels, columns, skin tones."""
        return list(dict.fromkeys(estimate.group for estimate in self.estimates))

    def estimate(self, id: str, *, group: str = ALL, part: str = "") -> Estimate:
        """The estimate of a metric in a group; without `part` its first one, such as the mean over levels.

        Raises KeyError where there is none.
        """
        for estimate in self.estimates:
            if (estimate.id, estimate.group) == (id, group) and part in ("", estimate.part):
                return estimate
        raise KeyError(
            f"{id} of {group}: not measured; there are: {', '.join(dict.fromkeys(e.id for e in self.estimates))}"
        )

    def __getitem__(self, id: str) -> Estimate:
        """The estimate of a metric over all images."""
        return self.estimate(id)

    def of_group(self, group: str) -> list[Estimate]:
        """The estimates of one group."""
        return [estimate for estimate in self.estimates if estimate.group == group]

    @property
    def on_card(self) -> list[Estimate]:
        """What cards and papers show: of each metric that stands on cards the first part, over all images."""
        first: dict[str, Estimate] = {}
        for estimate in self.of_group(ALL):
            if METRICS[estimate.id].on_card:
                first.setdefault(estimate.id, estimate)
        return list(first.values())

    def light(self, question: str) -> Light:
        """The light of a question of the verdict: fidelity, diversity, copying, usefulness, fairness, labels.

        Raises KeyError for a question that has none.
        """
        return {line.question: line.light for line in self.verdict}[question]

    def to_frame(self) -> pd.DataFrame:
        """A row an estimate: id, name, part, group, value, low, high, numbers of images, floor, matched, seed."""
        return pd.DataFrame([estimate.model_dump() for estimate in self.estimates])

    def document(self) -> dict[str, JsonValue]:
        """The result as it stands in JSON."""
        document = self.model_dump(mode="json", by_alias=True, exclude={"copy_gate"})
        document["synthetic"]["generator"] = {**self.synthetic.generator.document}
        document["synthetic"]["generator"].pop("trained_on_files", None)  # as many as images; the set names them
        document["measurements"] = [estimate.model_dump(by_alias=True) for estimate in self.estimates]
        if self.copying is not None:
            document["copying"] = [estimate.model_dump(by_alias=True) for estimate in self.copying]
        if self.copy_gate is None:
            document.pop("closest")
        else:
            document["copy_gate"] = self.copy_gate.document
        return {key: document[key] for key in document if not self.brief or key not in Assessment.model_fields}

    def with_page(self, write_page: Callable[["Evaluation", Path], None]) -> Self:
        """The same result, which `save` writes as a page by this function."""
        result = self.model_copy()
        result._write_page = write_page
        return result

    def save(self, path: Path | str) -> Path:
        """Write the result as JSON or as a page, by the ending of `path`.

        Raises UserError for another ending, and for a page of a result that was read from a file.
        """
        path = Path(path)
        if path.suffix == ".json":
            write_json(path, self.document())
        elif path.suffix == ".html" and self._write_page is not None:
            self._write_page(self, path)
        elif path.suffix == ".html":
            raise UserError(
                f"`path` {path}: the images are not at hand; a page is written of a result of `evaluate` itself"
            )
        else:
            raise UserError(f"`path` {path}: must end in .json or .html")
        return path


def parse_evaluation(document: Mapping[str, Any], path: Path) -> Evaluation:
    """Read the content of an `assessment.json`, also of earlier versions.

    Raises UserError for anything else.
    """
    try:
        return Evaluation.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{path}: not a result of this version ({key}: {first['msg'].lower()}); evaluate again"
        ) from error


def default_folder(data_set: DataSet, out: Path | None) -> Path:
    """The folder for what is found out about a set: `out`, or one in the set.

    Raises UserError where the set cannot be written to, or only some of its images were selected, and no folder is named.
    """
    if out is not None:
        return out
    if data_set.selection is not None:
        raise UserError(
            f"`out`: only {len(data_set.selection)} images of {data_set.folder} were selected, and the folder in it is for "
            "results of the whole set; name another one"
        )
    folder = data_set.folder / FOLDER
    if not os.access(folder if folder.exists() else data_set.folder, os.W_OK | os.X_OK):
        raise UserError(f"{data_set.folder}: cannot be written to; name a folder for the results with `out`")
    return folder


def result_folders(data_set: DataSet, place: Path | None = None) -> Iterator[Path]:
    """Folders where something may have been found out about a set: `place`, or the set's own, and the set itself."""
    yield from (place,) if place is not None else (data_set.folder / FOLDER, data_set.folder)


def evaluation_of(data_set: DataSet, place: Path | None = None) -> Evaluation | None:
    """The last evaluation of exactly these images, if there was one; from the folder `place`, or from the set's own.

    Raises UserError for a `place` without one of these images.
    """
    for folder in result_folders(data_set, place):
        for path in (folder / name for name in EARLIER_RESULTS):
            document = read_json(path) if path.exists() else {}
            if document and _content_hash(document, path) == data_set.content_hash:
                return parse_evaluation(document, path)
    if place is not None:
        raise UserError(f"`evaluation` {place}: holds no evaluation of the images of {data_set.folder}")
    return None


def _content_hash(document: Mapping[str, Any], path: Path) -> str:
    """The hash of the images that a result is of. Raises UserError for JSON of something else."""
    synthetic = document.get("synthetic")
    if not isinstance(synthetic, dict):
        raise UserError(f"{path}: not a result of dermsynth evaluate; move the file, or name another folder")
    return str(synthetic.get("content_hash"))


def read_evaluation(folder: Path) -> Evaluation:
    """The evaluation in a folder: one that `evaluate` wrote to, or a synthetic set with an evaluation of its images.

    Raises UserError where there is none.
    """
    if (folder / DESCRIPTION).exists():
        result = evaluation_of(open_data_set(folder))
    else:
        result = parse_evaluation(read_json(folder / RESULT), folder / RESULT) if (folder / RESULT).exists() else None
    if result is None:
        raise UserError(
            f"`evaluation` {folder}: holds no evaluation of these images; make one with: dermsynth evaluate"
        )
    return result


def usefulness_of(data_set: DataSet, place: Path | None = None) -> Usefulness | None:
    """What a utility experiment says of exactly these images; from its folder `place`, or from the set's own.

    Raises UserError for a `place` without an experiment with these images, and for a file that is not understood.
    """
    for path in (folder / USEFULNESS for folder in result_folders(data_set, place)):
        document = read_json(path) if path.exists() else {}
        if document.get("content_hash") == data_set.content_hash:
            try:
                return Usefulness.model_validate(document)
            except ValidationError as error:
                raise UserError(f"{path}: not understood; run dermsynth utility again") from error
    if place is not None:
        raise UserError(f"`utility` {place}: holds no utility experiment with the images of {data_set.folder}")
    return None
