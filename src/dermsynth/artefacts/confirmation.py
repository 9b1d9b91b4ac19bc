"""Which detectors may be believed on this set: by the labels it came with, or by somebody who looked at what was found.

A detector that was calibrated on one source of images can be wrong on every image of another. What it found counts as a finding
only where enough of it was right on the set itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import scipy.stats

from dermsynth.artefacts.annotate import found_column, score_column
from dermsynth.artefacts.annotations import annotations_folder
from dermsynth.artefacts.detection import ARTEFACTS
from dermsynth.data.dataset import DataSet
from dermsynth.data.tables import read_table, require_columns
from dermsynth.errors import UserError
from dermsynth.io import write_text
from dermsynth.values import parse_flag

Status = Literal["labels", "confirmed by eye", "unconfirmed"]
ANSWERS, COLUMNS = "artefacts_confirmed.csv", ("artefact", "file_name", "score", "confirmed")
EACH = 24
"""Images an artefact on the page to confirm."""
ENOUGH = 0.6
"""Least lower end of the 95 % interval of the share that is right: 20 of 24 pass, 19 do not."""
LABELS = {
    "frame": ("frame", "dark_corner"), "hair": ("hair",), "ruler": ("ruler",), "ink": ("ink",),
    "sticker": ("sticker", "patches"), "bubble": ("bubble", "gel_bubble"),
}  # fmt: skip
"""Columns of flags in which sets come with what they show."""


@dataclass(frozen=True)
class Trust:
    """Of a detector on a set: in how many images it found something, how many of those were judged, how many were right.

    The interval is Wilson's at 95 %; NaN where nothing was judged. `seen` and `missed` count what labels say is there.
    """

    artefact: str
    found: int
    status: Status
    right: int = 0
    judged: int = 0
    seen: int = 0
    missed: int = 0

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share that is right."""
        return wilson_interval(self.right, self.judged)

    @property
    def passes(self) -> bool:
        """Whether what it found may be spoken of."""
        return self.judged > 0 and self.interval[0] >= ENOUGH

    @property
    def unconfirmed(self) -> bool:
        """Whether it found something that nobody has looked at."""
        return self.status == "unconfirmed" and self.found > 0

    def sentence(self) -> str:
        """What was confirmed, in words."""
        if self.status == "unconfirmed" or not self.judged:
            return f"{self.artefact}: found in {self.found} images, unconfirmed"
        low, high = self.interval
        share = f"{self.right} of {self.judged} right ({self.right / self.judged:.0%}, 95 % {low:.0%} to {high:.0%})"
        by = "by the set's labels" if self.status == "labels" else "by eye"
        missed = f", {self.missed} of {self.seen} missed" if self.seen else ""
        rejected = "" if self.passes else "; not believed"
        return f"{self.artefact}: found in {self.found} images, {by} {share}{missed}{rejected}"


def wilson_interval(right: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); NaN of none."""
    if of == 0:
        return float("nan"), float("nan")
    interval = scipy.stats.binomtest(right, of).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def detected_artefacts(data_set: DataSet) -> list[str]:
    """The artefacts that were looked for."""
    return [name for name in ARTEFACTS if found_column(name) in data_set.table]


def detector_trust(data_set: DataSet) -> list[Trust]:
    """Of every artefact that was looked for, whether the detector may be believed: labels count before eyes.

    Raises UserError for columns or answers that cannot be read.
    """
    answers = read_answers(answers_file(data_set), data_set)
    return [_trust_in(data_set, name, answers) for name in detected_artefacts(data_set)]


def _trust_in(data_set: DataSet, name: str, answers: pd.DataFrame) -> Trust:
    detected = data_set.flags(found_column(name)) == 1
    count = int(detected.sum())
    for column in LABELS[name]:
        if column in data_set.table:
            truth = data_set.flags(column)
            labelled = np.isfinite(truth)
            if (detected & labelled).any():
                positives, right = int((truth == 1).sum()), int((detected & (truth == 1)).sum())
                return Trust(
                    name, count, "labels", right, int((detected & labelled).sum()), positives, positives - right
                )
    mine = answers[(answers["artefact"] == name) & answers["confirmed"].notna()]
    if len(mine) == 0:
        return Trust(name, count, "unconfirmed")
    return Trust(name, count, "confirmed by eye", int(mine["confirmed"].astype(bool).sum()), len(mine))


def answers_file(data_set: DataSet) -> Path:
    """The table of answers: with the set's annotations where these lie apart, else with the set."""
    return annotations_folder(data_set) / ANSWERS


def read_answers(path: Path, data_set: DataSet) -> pd.DataFrame:
    """Rows artefact, file_name, score, confirmed (True, False or None), of images in which the same still is found.

    Empty where there is no such file. Raises UserError naming the row for an answer that is no flag.
    """
    if not path.is_file():
        return pd.DataFrame(columns=list(COLUMNS))
    table = read_table(path)
    require_columns(table, list(COLUMNS), path)
    table["confirmed"] = pd.Series(
        [_answer(path, row, text) for row, text in enumerate(table["confirmed"])], dtype=object
    )
    current = set(_detections(data_set))
    keep = [(a, f, s) in current for a, f, s in zip(table["artefact"], table["file_name"], table["score"], strict=True)]
    return table[keep].reset_index(drop=True)


def _answer(path: Path, row: int, text: str) -> bool | None:
    try:
        return parse_flag(text)
    except ValueError as error:
        raise UserError(f"{path}: row {row + 2}, column 'confirmed': {text!r}; write yes, no, or nothing") from error


def _detections(data_set: DataSet) -> list[tuple[str, str, str]]:
    """Artefact, file name and score of everything that was found."""
    table, detections = data_set.table, []
    for name in detected_artefacts(data_set):
        rows = data_set.flags(found_column(name)) == 1
        scores = table.get(score_column(name), pd.Series([""] * len(table)))
        detections += [(name, f, s) for f, s in zip(table["file_name"][rows], scores[rows], strict=True)]
    return detections


def draw_confirmation(data_set: DataSet, each: int, seed: int) -> pd.DataFrame:
    """Images to look at: of every artefact those with an answer, and as many more, drawn at random, as make `each`.

    Raises UserError where nothing was looked for, or nothing found.
    """
    if not detected_artefacts(data_set):
        raise UserError(f"{data_set.folder}: not looked at; first: dermsynth artefacts detect {data_set.folder}")
    if each < 1:
        raise UserError(f"`count` {each}: must be at least 1")
    answers = read_answers(answers_file(data_set), data_set)
    rows = list[tuple[object, ...]]()
    for number, name in enumerate(ARTEFACTS):
        places = [place for place in _detections(data_set) if place[0] == name]
        answered = answers[answers["artefact"] == name]
        done = answered[answered["confirmed"].notna()]
        rest = [place for place in places if place[1] not in set(done["file_name"])]
        order = np.random.default_rng([seed, number]).permutation(len(rest))[: max(0, each - len(done))]
        rows += list(done[list(COLUMNS)].itertuples(index=False, name=None))
        rows += [(*rest[index], None) for index in sorted(order)]
    if not rows:
        raise UserError(f"{data_set.folder}: no artefact was found in any image; there is nothing to confirm")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_answers(path: Path, rows: pd.DataFrame) -> None:
    """The table to fill in: yes or no in its last column."""
    words = {True: "yes", False: "no"}
    table = rows.assign(confirmed=[words.get(value, "") if value is not None else "" for value in rows["confirmed"]])
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def trust_table(detectors: Sequence[Trust]) -> pd.DataFrame:
    """One row a detector, for pages and terminals."""
    rows = []
    for detector in detectors:
        low, high = detector.interval
        rows.append(
            {
                "artefact": detector.artefact,
                "images": detector.found,
                "judged by": detector.status,
                "right": detector.right,
                "of": detector.judged,
                "share": round(detector.right / detector.judged, 3) if detector.judged else "",
                "low": round(low, 3) if detector.judged else "",
                "high": round(high, 3) if detector.judged else "",
                "believed": "yes" if detector.passes else "no",
            }
        )
    return pd.DataFrame(rows)
