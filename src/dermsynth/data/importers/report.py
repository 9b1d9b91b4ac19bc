"""What happened to every file of an import: lists in its folder, and lines for the terminal."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from dermsynth.data.dataset import DataSet
from dermsynth.data.importers.files import ImportedImage
from dermsynth.data.importers.source_files import NOT_NAMED
from dermsynth.data.importers.sources import SourceRow
from dermsynth.io import write_text

REPORT, UNUSED = "import_report.csv", "import_unused.csv"


@dataclass
class ImportReport:
    """What happened to files, in the order it happened, and sentences about the whole."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, file: str, problem: str, outcome: str) -> None:
        """Note what happened to a file: left out, changed, not used ..."""
        self.rows.append((file, problem, outcome))

    def write(self, out: Path) -> None:
        """Write the report, and a list of the images that a table does not name where there are any."""
        lists = {
            REPORT: [row for row in self.rows if row[1] != NOT_NAMED],
            UNUSED: [row for row in self.rows if row[1] == NOT_NAMED],
        }
        for name, rows in lists.items():
            if rows or name == REPORT:
                text = pd.DataFrame(rows, columns=["file", "problem", "outcome"]).to_csv(index=False)
                write_text(out / name, text.encode("utf-8", "backslashreplace").decode())


def report_images(rows: Sequence[SourceRow], done: Sequence[ImportedImage], report: ImportReport) -> None:
    """Every problem and change of an image by name; changes in sum among the notes."""
    sums: Counter[str] = Counter()
    for row, item in zip(rows, done, strict=True):
        if item.problem:
            report.add(row.image, item.problem, "left out")
        if row.doubt:
            report.add(row.image, row.doubt, "doubtful")
        if item.mask_problems:
            report.add(row.image, "; ".join(item.mask_problems), "mask left out")
        if item.changes:
            report.add(row.image, "; ".join(item.changes), "changed")
        sums.update([*item.changes, *item.doubts])
    report.notes += [f"{count} images: {change}" for change, count in sums.most_common(8)]


def tell(data_set: DataSet, report: ImportReport, out: Path) -> None:
    """Say how many images came in, what was understood, and what was left out."""
    counts = ", ".join(f"{label} {data_set.count(label):,}" for label in data_set.classes) or "no labels"
    print(f"{out}: {len(data_set.table):,} images ({counts})")
    blank = int((data_set.labels == "").sum())
    if blank and data_set.classes:
        print(f"  {blank} images have no label; they are kept, and left out of conditional training")
    for note in report.notes:
        print(f"  note: {note}", file=sys.stderr)
    problems = [row for row in report.rows if row[2] in ("left out", "mask left out")]
    if problems:
        print(f"  {len(problems)} problems, listed in {out / REPORT}; the first: {problems[0][1]}", file=sys.stderr)
    masks = sum(row[2] == "mask left out" for row in report.rows)
    if masks:
        print(f"  {masks:,} images lost their mask", file=sys.stderr)
    for name, count in Counter(
        UNUSED if row[1] == NOT_NAMED else REPORT for row in report.rows if row[2] == "not used"
    ).items():
        print(f"  {count:,} files were found and not used, listed in {out / name}", file=sys.stderr)
