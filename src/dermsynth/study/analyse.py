"""A study, or any table of answers, analysed in one call."""

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import pandas as pd

from dermsynth.errors import require_path
from dermsynth.study.analysis import analyse
from dermsynth.study.answers import Answers, check_positive
from dermsynth.study.counting import Doubt, counted_answers, read_answers
from dermsynth.study.create import Study
from dermsynth.study.export import study_answers
from dermsynth.study.results import StudyResult
from dermsynth.study.serve import open_live_study
from dermsynth.values import as_tuple

TABLE = Path("answers")
"""What messages call a table that came without a file."""


def analyse_study(
    source: Study | Path | str | pd.DataFrame,
    *,
    positive: Literal["real", "synthetic", ""] = "",
    without: Doubt | Collection[Doubt] = (),
    database: str = "",
    seed: int = 0,
) -> StudyResult:
    """Analyse a reader study: rates, panel, agreement, images that fooled, diagnoses.

    Parameters
    ----------
    source : Study, Path, str or DataFrame
        A study or its folder, a CSV, or a table with the columns `rater`, `item`, `truth` and `answer` (real or synthetic), and
        what else there is of `group`, `condition`, `label`, `diagnosis`, `certainty`, `seconds`, `repeat`.
    positive : {"real", "synthetic", ""}
        The kind whose recognition counts as a hit; by default the protocol's, or what the table says, or real.
    without : str, or collection of {"unfinished", "reopened", "diagnosis"}
        Doubtful answers to leave out: `unfinished` (of raters who did not finish), `reopened` (to images shown for a limited
        time whose page was opened again); `diagnosis` leaves out all diagnoses.
    database : str
        URL of a study's database, if it is not in its folder.
    seed : int
        Of intervals and tests by resampling, at least 0.

    Returns
    -------
    StudyResult
        Figures with 95 % intervals; `.to_frame()` is a table of raters, `.save(path)` writes JSON.

    Raises
    ------
    UserError
        For a table without a column that is needed, a value that is not understood, or no answer that counts.

    References
    ----------
    Baur, Albarqouni & Navab 2018, Generating Highly Realistic Images of Skin Lesions with GANs, section 3.3.
    Clopper & Pearson 1934, The use of confidence or fiducial limits.
    Fleiss 1971, Measuring nominal scale agreement among many raters.

    Examples
    --------
    >>> import pandas as pd
    >>> from dermsynth.study.analyse import analyse_study
    >>> answers = pd.DataFrame({
    ...     "rater": ["a", "a", "b", "b"], "item": ["1", "2", "1", "2"],
    ...     "truth": ["real", "synthetic"] * 2, "answer": ["real", "real", "real", "synthetic"],
    ... })
    >>> result = analyse_study(answers)
    >>> result.to_frame()["accuracy"].tolist()
    [0.5, 1.0]
    """
    notes: tuple[str, ...] = ()
    without = as_tuple(without)
    if isinstance(source, pd.DataFrame):
        answers, counted = counted_answers(source.fillna("").astype(str), TABLE, positive, without)
        return analyse(answers, seed, left_out=counted.left_out, noticed=counted.noticed, notes=counted.notes)
    place = source.folder if isinstance(source, Study) else require_path(source, "source")
    if place.is_dir():
        live = open_live_study(place, database)
        answers, counted = study_answers(live, without)
        notes = live.study.notes
        answers = Answers(answers.table, check_positive(positive)) if positive else answers
    else:
        answers, counted = read_answers(place, positive, without)
    return analyse(answers, seed, left_out=counted.left_out, noticed=counted.noticed, notes=(*counted.notes, *notes))
