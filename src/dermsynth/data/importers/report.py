"""What happened to every file of an import: lists in its folder, and what a person is told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dermsynth.data.dataset import DataSet
from dermsynth.data.importers.files import ImportedImage
from dermsynth.data.importers.source_files import NOT_NAMED
from dermsynth.data.importers.sources import SourceRow
from dermsynth.io import write_text

REPORT, UNUSED = "import_report.csv", "import_unused.csv"
MOST_CHANGES = 8
"""Kinds of changes that are named among the notes."""


class FileReport(NamedTuple):
    """What happened to a file, and why: left out, mask left out, changed, doubtful, not used ..."""

    file: str
    problem: str
    outcome: str

    @property
    def place(self) -> str:
        """The list in which it stands."""
        return UNUSED if self.problem == NOT_NAMED else REPORT


@dataclass
class ImportReport:
    """What happened to files, in the order it happened, and sentences about the whole."""

    rows: list[FileReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, file: str, problem: str, outcome: str) -> None:
        """Note what happened to a file."""
        self.rows.append(FileReport(file, problem, outcome))

    def write(self, out: Path) -> None:
        """Write the report, and a list of the images that a table does not name where there are any."""
        for name in (REPORT, UNUSED):
            rows = [row for row in self.rows if row.place == name]
            if rows or name == REPORT:
                text = pd.DataFrame(rows, columns=list(FileReport._fields)).to_csv(index=False)
                write_text(out / name, text.encode("utf-8", "backslashreplace").decode())


@dataclass(frozen=True)
class ImportResult:
    """A data set that was imported, and what happened on the way.

    Attributes
    ----------
    data_set
        The new data set.
    files
        What happened to every file that was not simply taken, in the order it happened.
    notes
        What was understood or guessed, as sentences.
    """

    data_set: DataSet
    files: tuple[FileReport, ...] = ()
    notes: tuple[str, ...] = ()

    def count(self, outcome: str) -> int:
        """Files with this outcome: left out, mask left out, changed, doubtful, not used."""
        return sum(row.outcome == outcome for row in self.files)

    def summary(self) -> str:
        """How many images of each class came in."""
        data_set = self.data_set
        counts = ", ".join(f"{label} {data_set.count(label):,}" for label in data_set.classes) or "no labels"
        lines = [f"{data_set.folder}: {len(data_set):,} images ({counts})"]
        unlabelled = int((data_set.labels == "").sum())
        if unlabelled and data_set.classes:
            lines.append(f"  {unlabelled} images have no label; they are kept, and left out of conditional training")
        return "\n".join(lines)

    def problems(self) -> list[str]:
        """What was left out, as sentences that name the lists with every file."""
        folder, lines = self.data_set.folder, []
        lost = [row for row in self.files if row.outcome in ("left out", "mask left out")]
        if lost:
            lines.append(f"{len(lost)} problems, listed in {folder / REPORT}; the first: {lost[0].problem}")
        if self.count("mask left out"):
            lines.append(f"{self.count('mask left out'):,} images lost their mask")
        unused = Counter(row.place for row in self.files if row.outcome == "not used")
        return lines + [
            f"{count:,} files were found and not used, listed in {folder / name}" for name, count in unused.items()
        ]


def report_images(rows: Sequence[SourceRow], images: Sequence[ImportedImage], report: ImportReport) -> None:
    """Every problem and change of an image by name; changes in sum among the notes."""
    sums: Counter[str] = Counter()
    for row, image in zip(rows, images, strict=True):
        for outcome, problem in (
            ("left out", image.problem),
            ("doubtful", row.doubt),
            ("mask left out", "; ".join(image.mask_problems)),
            ("changed", "; ".join(image.changes)),
        ):
            if problem:
                report.add(row.title, problem, outcome)
        sums.update([*image.changes, *image.doubts])
    report.notes += [f"{count} images: {change}" for change, count in sums.most_common(MOST_CHANGES)]
