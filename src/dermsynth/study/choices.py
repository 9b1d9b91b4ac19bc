"""Every figure of a study that shows pictures together: who found the photograph, and which source was chosen over which."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import NDArray

from dermsynth import __version__
from dermsynth.data.tables import read_table, require_columns
from dermsynth.errors import UserError, require_path
from dermsynth.statistics.forced_choice import MeanShare, Strength, mean_share, sensitivity, strengths
from dermsynth.statistics.rates import rate
from dermsynth.study.answers import ALL, one_group
from dermsynth.study.columns import (
    REAL,
    ROW,
    kind_of,
    naming,
    of_item,
    one_spelling,
    plain_word,
    with_flags,
    with_numbers,
    without_incomplete,
)
from dermsynth.study.counting import DOUBTS
from dermsynth.study.create import Study, open_study
from dermsynth.study.export import answers_table
from dermsynth.study.protocol import positions
from dermsynth.study.results import ChoiceGroup, ChoiceRater, ChoiceResult, ChoiceSet, Ranked
from dermsynth.study.serve import open_live_study
from dermsynth.study.sets import SEPARATOR
from dermsynth.values import as_tuple, is_missing, parse_number, plain_identifier

NEEDED = {"rater": "a rater", "item": "a set", "shown": "sources", "answer": "a choice"}
"""Columns that every answer needs, and what a row lacks where one is blank."""
Doubted = Collection[str]


def analyse_choices(
    source: Study | Path | str | pd.DataFrame, *, without: Doubted = (), database: str = ""
) -> ChoiceResult:
    """Analyse choices among pictures shown together: who found the photograph, and which generators look most like photographs.

    Parameters
    ----------
    source : Study, Path, str or DataFrame
        A study or its folder, a CSV, or a table, one row an answer: `rater`, `item` (the set), `shown` (sources of its
        pictures in their order, with semicolons; `real` is a photograph), `answer` (which of them, from 1), and what else
        there is of `group`, `label`, `seconds`, `repeat`, `excluded`, `attention`, `finished`, `views`.
    without : str, or collection of {"unfinished", "reopened"}
        Doubtful answers to leave out: of raters who did not finish, and to pictures shown for a limited time whose page was
        opened again.
    database : str
        URL of a study's database, if it is not in its folder.

    Returns
    -------
    ChoiceResult
        Shares and d' with 95 % intervals for other raters and sets, and a ranking; `.to_frame()` is a table of sources.

    Raises
    ------
    UserError
        For a missing column, an answer that is no position, a set with two photographs or two lists of sources, and no answer
        that counts.

    References
    ----------
    Green & Swets 1966, Signal detection theory and psychophysics: d' of forced choices.
    Bradley & Terry 1952, Rank analysis of incomplete block designs.

    Examples
    --------
    >>> import pandas as pd
    >>> from dermsynth.study.choices import analyse_choices
    >>> answers = pd.DataFrame({
    ...     "rater": ["a"] * 4 + ["b"] * 4, "item": list("1234") * 2,
    ...     "shown": ["real;gan", "gan;real", "real;diffusion", "diffusion;real"] * 2, "answer": [1, 2, 1, 1, 1, 2, 2, 1],
    ... })
    >>> result = analyse_choices(answers)
    >>> result.groups[-1].share.value
    0.625
    >>> result.to_frame()["source"].tolist()
    ['diffusion', 'real', 'gan']
    """
    without = as_tuple(without)
    if isinstance(source, pd.DataFrame):
        return analyse_table(source, Path("answers"), without)
    place = source.folder if isinstance(source, Study) else require_path(source, "source")
    if not place.is_dir():
        return analyse_table(read_table(place), place, without)
    live = open_live_study(place, database)
    return analyse_table(answers_table(live), place, without, live.study.notes)


def shows_together(source: Study | Path | str | pd.DataFrame) -> bool:
    """Whether a study, or a table of answers, is of pictures shown together."""
    if isinstance(source, pd.DataFrame):
        return "shown" in source
    if isinstance(source, Study):
        return source.protocol.sets is not None
    place = require_path(source, "source")
    if place.is_dir():
        return open_study(place).protocol.sets is not None
    return "shown" in read_table(place)


def analyse_table(table: pd.DataFrame, source: Path, without: Doubted = (), notes: Sequence[str] = ()) -> ChoiceResult:
    """The figures of a table of answers; `source` is what messages name, `notes` what else a reader should know."""
    if table.empty:
        raise UserError(f"{source}: no answers yet")
    require_columns(table, list(NEEDED), source)
    text = table.fillna("").astype(str).reset_index(drop=True)
    cleaned, incomplete, spellings = _cleaned(text.assign(**{ROW: range(2, len(text) + 2)}), source)
    counted, left_out, noticed = _count(cleaned, source, without)
    rows = _checked(counted, source)
    groups = [*sorted({str(group) for group in rows["group"] if group}), ALL]
    with_photograph = rows[rows["right_answer"] > 0]
    return ChoiceResult(
        program=f"dermsynth {__version__}",
        answers=len(rows),
        pictures=int(rows["pictures"].max()),
        raters=tuple(_rater(str(name), part) for name, part in rows.groupby("rater", sort=False)),
        groups=tuple(group for name in groups if (group := _group(name, _of_group(with_photograph, name))) is not None),
        ranking=tuple(_ranking(rows)),
        sets=tuple(_set(str(name), part) for name, part in rows.groupby("item", sort=True)),
        left_out={**left_out, **incomplete},
        noticed=noticed,
        notes=(*notes, *spellings),
    )


def _cleaned(table: pd.DataFrame, source: Path) -> tuple[pd.DataFrame, dict[str, int], list[str]]:
    """A table in one spelling without its incomplete rows, how many these were, and which spellings were taken together.

    Raises UserError naming row and column for what is not understood.
    """
    notes: list[str] = []
    with naming(source):
        table = with_numbers(with_flags(table))
    for column, key in (
        ("rater", plain_identifier),
        ("item", plain_identifier),
        ("group", plain_word),
        ("label", plain_word),
    ):
        if column in table:
            table[column] = one_spelling(table[column], key, column, notes)
    table["shown"] = _one_source(table["shown"], notes)
    if "label" in table:
        with naming(source):
            table["label"] = of_item(table, "label", notes)
    table["answer"] = table["answer"].where(~table["answer"].map(is_missing).astype(bool), "")
    return *without_incomplete(table, NEEDED), notes


def _one_source(shown: pd.Series, notes: list[str]) -> pd.Series:
    """Lists of sources with one spelling for each source."""
    parts = [[part.strip() for part in text.split(SEPARATOR)] for text in shown]
    flat = one_spelling(pd.Series([part for row in parts for part in row], dtype=object), plain_word, "source", notes)
    each = iter(flat)
    return pd.Series([SEPARATOR.join(next(each) for _ in row) for row in parts], shown.index, dtype=object)


def _count(table: pd.DataFrame, source: Path, without: Doubted) -> tuple[pd.DataFrame, dict[str, int], dict[str, int]]:
    """Answers that count, how many do not, and how many do though something is odd.

    Raises UserError where none is left.
    """
    excluded = _flag(table, "excluded")
    checks = _flag(table, "attention") & ~excluded
    repeated = _flag(table, "repeat") & ~excluded & ~checks
    left_out = {
        "of excluded raters": int(excluded.sum()),
        "to attention checks": int(checks.sum()),
        "to sets shown a second time": int(repeated.sum()),
    }
    gone, noticed = excluded | checks | repeated, dict[str, int]()
    doubts = {
        "unfinished": ~_flag(table, "finished") if "finished" in table else np.zeros(len(table), bool),
        "reopened": table["views"].to_numpy() > 1 if "views" in table else np.zeros(len(table), bool),
    }
    for name, doubtful in doubts.items():
        doubtful = doubtful & ~gone
        (left_out if name in without else noticed)[DOUBTS[name]] = int(doubtful.sum())
        gone = gone | doubtful if name in without else gone
    if gone.all():
        raise UserError(f"{source}: no answers that count yet")
    return table[~gone], left_out, noticed


def _flag(table: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    return table[column].to_numpy(bool) if column in table else np.zeros(len(table), bool)


def _checked(table: pd.DataFrame, source: Path) -> pd.DataFrame:
    """The answers with numbers for what is compared: `pictures`, `choice` and `right_answer` from 1, 0 without a photograph.

    Raises UserError naming the row for what cannot be.
    """
    rows = table.reset_index(drop=True)
    with naming(source):
        sources = [_sources(row, text) for row, text in zip(rows[ROW], rows["shown"], strict=True)]
        choices = [
            _position(row, text, len(shown))
            for row, text, shown in zip(rows[ROW], rows["answer"], sources, strict=True)
        ]
    rows = rows.assign(
        shown=[SEPARATOR.join(shown) for shown in sources],
        choice=choices,
        right_answer=[shown.index(REAL) + 1 if REAL in shown else 0 for shown in sources],
        pictures=[len(shown) for shown in sources],
    )
    rows = rows.assign(**{column: "" for column in ("group", "label") if column not in rows})
    rows["group"] = one_group(rows, source)
    rows = rows.assign(**{column: np.nan for column in ("seconds",) if column not in rows})
    _refuse_contradictions(rows, source)
    return rows


def _sources(row: int, text: str) -> list[str]:
    """Where the pictures of a set come from. Raises UserError for fewer than two, and for two photographs."""
    sources = [part.strip() for part in text.split(SEPARATOR)]
    sources = [REAL if kind_of(part) == REAL else part for part in sources]
    if len(sources) < 2 or not all(sources) or sources.count(REAL) > 1:
        raise UserError(
            f"row {row}, column 'shown': {text!r}; write two sources or more with semicolons, one of them at most real"
        )
    return sources


def _position(row: int, text: str, pictures: int) -> int:
    """Which picture was chosen, from 1. Raises UserError for what is no position."""
    try:
        number = parse_number(text)
    except ValueError:
        number = None
    answer = f"{number:g}" if number is not None else text
    if answer not in positions(pictures):
        raise UserError(f"row {row}, column 'answer': {text!r} is no position from 1 to {pictures}")
    return int(answer)


def _refuse_contradictions(rows: pd.DataFrame, source: Path) -> None:
    """Raise UserError for a set with two lists of sources, sets of different numbers of pictures, and a second answer to a
    set."""
    lists = rows.groupby("item")["shown"].nunique()
    if (lists > 1).any():
        raise UserError(f"{source}: set {lists[lists > 1].index[0]!r} has two lists of sources; correct the table")
    of_photographs = rows[rows["right_answer"] > 0]
    if of_photographs["pictures"].nunique() > 1:
        raise UserError(
            f"{source}: sets of {sorted(set(of_photographs['pictures']))} pictures; analyse sets of one size at a time"
        )
    twice = rows[rows.duplicated(["rater", "item"])]
    if len(twice):
        row = twice.iloc[0]
        raise UserError(
            f"{source}: rater {row['rater']!r} answers set {row['item']!r} twice; if it was shown a second time, say so in "
            "a column 'repeat'"
        )


def _of_group(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    return rows if name == ALL else rows[rows["group"] == name]


def _right(rows: pd.DataFrame) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = (rows["choice"] == rows["right_answer"]).to_numpy()
    return right


def _rater(name: str, rows: pd.DataFrame) -> ChoiceRater:
    """Right answers against guessing (exact binomial test), d', time, and whether positions were chosen equally often."""
    of_photographs = rows[rows["right_answer"] > 0]
    right, count = int(_right(of_photographs).sum()), len(of_photographs)
    share = rate(right, count)
    chosen = np.bincount(rows["choice"], minlength=int(rows["pictures"].max()) + 1)[1:]
    return ChoiceRater(
        rater=name,
        group=str(rows["group"].iloc[0]),
        share=share,
        sensitivity=_of_shares((share.value or 0.0, share.low, share.high), of_photographs) if count else None,
        p_against_chance=_p_of_guessing(right, of_photographs) if count else None,
        p_of_positions=float(scipy.stats.chisquare(chosen).pvalue),
        seconds_median=None if rows["seconds"].isna().all() else float(rows["seconds"].median()),
    )


def _p_of_guessing(right: int, rows: pd.DataFrame) -> float:
    """Exact two-sided p of so many right choices by guessing."""
    return float(scipy.stats.binomtest(right, len(rows), 1 / int(rows["pictures"].iloc[0])).pvalue)


def _of_shares(shares: tuple[float, float, float], rows: pd.DataFrame) -> tuple[float, float, float]:
    """d' of a share and of both ends of its interval."""
    pictures = int(rows["pictures"].iloc[0])
    value, low, high = (sensitivity(share, pictures) for share in shares)
    return value, low, high


def _group(name: str, rows: pd.DataFrame) -> ChoiceGroup | None:
    """A group's share of right answers for other raters and sets, and its d'; None without a photograph in any set."""
    if rows.empty:
        return None
    raters, sets = (pd.factorize(rows[column])[0] for column in ("rater", "item"))
    share: MeanShare = mean_share(_right(rows).astype(float), raters, sets, 1 / int(rows["pictures"].iloc[0]))
    return ChoiceGroup(
        group=name,
        raters=int(raters.max()) + 1,
        sets=int(sets.max()) + 1,
        answers=len(rows),
        share=share,
        sensitivity=_of_shares((share.value, share.low, share.high), rows),
    )


def _ranking(rows: pd.DataFrame) -> list[Ranked]:
    """Sources by how readily they are chosen, the most readily first; against photographs, or against the best generator."""
    shown = [text.split(SEPARATOR) for text in rows["shown"]]
    sources = sorted({source for row in shown for source in row}, key=lambda source: (source != REAL, source))
    codes = [[sources.index(source) for source in row] for row in shown]
    raters, sets = (pd.factorize(rows[column])[0] for column in ("rater", "item"))
    choices = (rows["choice"] - 1).tolist()
    found: list[Strength] = strengths(codes, choices, raters, sets, sources, 0)
    if REAL not in sources:
        best = max(range(len(sources)), key=lambda i: found[i].value)
        found = strengths(codes, choices, raters, sets, sources, best)
    ranked = [
        Ranked(
            source=one.source, shown=one.shown, chosen=one.chosen, strength=one.value, low=one.low, high=one.high,
            preferred=one.preferred[0], preferred_low=one.preferred[1], preferred_high=one.preferred[2],
        )
        for one in found
    ]  # fmt: skip
    return sorted(ranked, key=lambda one: -one.strength)


def _set(name: str, rows: pd.DataFrame) -> ChoiceSet:
    counts = np.bincount(rows["choice"], minlength=int(rows["pictures"].iloc[0]) + 1)[1:]
    right = int(rows["right_answer"].iloc[0])
    return ChoiceSet(
        item=name,
        label=str(rows["label"].iloc[0]),
        shown=tuple(str(rows["shown"].iloc[0]).split(SEPARATOR)),
        chosen=tuple(int(count) for count in counts),
        right=int(counts[right - 1]) if right else None,
        raters=len(rows),
    )
