"""Detectors of artefacts: trained on labelled images, and confirmed by eye. In a script: `dermsynth.artefacts`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dermsynth.api.places import open_named, optional_path
from dermsynth.artefacts.annotations import claim_annotations
from dermsynth.artefacts.classifier import LabelAccuracy, Pooled, train_detector
from dermsynth.artefacts.confirmation import (
    Trust,
    answers_file,
    detector_trust,
    draw_confirmation,
    read_answers,
    write_answers,
)
from dermsynth.data.dataset import Data, DataSet
from dermsynth.errors import UserError, require_path, require_seed, require_whole
from dermsynth.report.artefact_report import write_confirmation
from dermsynth.values import as_tuple


@dataclass(frozen=True)
class Confirmation:
    """A sample of detections to be checked by eye.

    `page` and `table` (a CSV) take the answers; `rows` are those so far, blank where there is none; `trust` says of every
    artefact how many detections were right, and whether the audit uses it.
    """

    page: Path
    table: Path
    rows: pd.DataFrame
    trust: tuple[Trust, ...]

    @property
    def unanswered(self) -> int:
        """Detections without an answer."""
        return int(self.rows["confirmed"].isna().sum())


def train(
    data: Data, *, columns: str | Sequence[str], model: str, out: Path | str, seed: int = 0
) -> list[LabelAccuracy]:
    """Train a detector of artefacts on columns of 0 and 1: scores alone, without masks.

    Parameters
    ----------
    data : DataSet, Path or str
        A data set with such columns, or a phantom.
    columns : str or sequence of str
        The columns; blanks do not count.
    model : str
        The backbone whose features it sees: ``mobilenet=FILE`` or ``timm:NAME=FILE``.
    out : Path or str
        Folder of the detector.
    seed : int
        Seed of the folds, at least 0; a patient, lesion or pair of duplicates is never divided.

    Returns
    -------
    list of LabelAccuracy
        For each column the cross-validated area under the ROC curve with its 95 % interval.

    Raises
    ------
    UserError
        A column is missing or holds something else, or there are too few images of either kind.

    Examples
    --------
    >>> import dermsynth as ds
    >>> model = "mobilenet=mobilenet.safetensors"
    >>> [accuracy] = ds.artefacts.train("few", columns="hair", model=model, out="detector")
    >>> accuracy.label, accuracy.low <= accuracy.auc <= accuracy.high
    ('hair', True)
    """
    names: tuple[str, ...] = as_tuple(columns)
    if not names:
        raise UserError("`columns`: none given; name a column of 0 and 1")
    return train_detector(open_named(data, "data"), names, Pooled(model), require_path(out, "out"), require_seed(seed))


def confirm(
    data: Data, *, answers: Path | str | None = None, count: int = 24, seed: int = 0, photographs: bool = True
) -> Confirmation:
    """Draw a sample of the detections to check by eye, on a page or in a table. The audit uses only what passes.

    Parameters
    ----------
    data : DataSet, Path or str
        A data set in which `detect` has looked.
    answers : Path, str or None
        A table of answers saved from the page, which is stored with the annotations.
    count : int
        Images of each artefact, at least 1.
    seed : int
        Seed of the sample, at least 0.
    photographs : bool
        Whether the page shows photographs of the data set.

    Returns
    -------
    Confirmation
        ``page``, ``table``, ``rows``, ``unanswered`` and ``trust``.

    Raises
    ------
    UserError
        Nothing was looked for or found, the folder cannot be written, or an answer is not understood.

    References
    ----------
    Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference: the interval of the share that is right.

    Examples
    --------
    >>> import dermsynth as ds
    >>> marked = ds.artefacts.detect("with_frames", out="annotations", jobs=1)
    >>> checks = ds.artefacts.confirm(marked, count=2)
    >>> checks.unanswered == len(checks.rows), checks.page.exists()
    (True, True)
    """
    data_set, saved = open_named(data, "data"), optional_path(answers, "answers")
    claim_annotations(data_set)
    if saved is not None:
        store_answers(saved, data_set)
    rows = draw_confirmation(data_set, require_whole(count, "count", 1), require_seed(seed))
    write_answers(answers_file(data_set), rows)
    trust = tuple(detector_trust(data_set))
    page = write_confirmation(data_set, rows, trust, photographs=photographs)
    return Confirmation(page, answers_file(data_set), rows, trust)


def store_answers(answers: Path, data_set: DataSet) -> None:
    """Store a table of answers with the annotations it is of.

    Raises UserError for a table that is missing, or answers nothing.
    """
    if not answers.is_file():
        raise UserError(f"`answers` {answers}: no such file; save it from the page")
    rows = read_answers(answers, data_set)
    if rows["confirmed"].notna().sum() == 0:
        raise UserError(f"`answers` {answers}: no answer to anything that is found in {data_set.folder} now")
    write_answers(answers_file(data_set), rows)
