"""The reader study: choose its images, analyse its answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from dermsynth.api.data import Data, open_dataset
from dermsynth.study import create
from dermsynth.study.analysis import analyse
from dermsynth.study.answers import Answers, Doubt, read_answers
from dermsynth.study.create import Study
from dermsynth.study.export import study_answers
from dermsynth.study.serve import running


def create_study(
    protocol: str, *, real: Data, synthetic: Data, out: Path | str, seed: int = 0, matched: bool = True
) -> Study:
    """Choose real and generated images by a protocol and put them into a new study.

    What tells the two kinds apart beside their content (artefacts and other columns, sizes, formats, patients shown twice)
    is logged before anything is written, and stays in ``description["notes"]``.

    Parameters
    ----------
    protocol : str
        ``baur``, ``furger``, ``rosen``, or a TOML file.
    real : DataSet, Path or str
        A data set of photographs.
    synthetic : DataSet, Path or str
        A data set of generated images.
    out : Path or str
        New folder for the study.
    seed : int
        Seed of the random numbers that choose images, at least 0.
    matched : bool
        Whether both kinds have the same share of each class.

    Returns
    -------
    Study
        The study: ``items`` (a row an image), ``protocol``, ``size`` in pixels (width, height).

    Raises
    ------
    UserError
        The sets are swapped, too small or too unlike, or `out` is not empty.

    Examples
    --------
    >>> import dermsynth as ds
    >>> study = ds.create_study("study.toml", real="data", synthetic="synthetic", out="study")
    >>> len(study.items)
    12
    """
    return create.create_study(protocol, open_dataset(real), open_dataset(synthetic), Path(out), seed, matched=matched)


def analyse_study(
    answers: Path | str,
    *,
    positive: Literal["real", "synthetic", ""] = "",
    without: Sequence[Doubt] = (),
    database: str = "",
    seed: int = 0,
) -> Any:
    """Analyse the answers of a study, or of a CSV."""
    place = Path(answers)
    if place.is_dir():
        table, counted = study_answers(running(place, database), without)
        table = Answers(table.table, positive) if positive else table
    else:
        table, counted = read_answers(place, positive, without)
    return {**analyse(table, seed), "left_out": counted.left_out, "noticed": counted.noticed, "notes": counted.notes}
