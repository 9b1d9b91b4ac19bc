"""Rows of a source made ready for import: one spelling of labels and groups, and a name for every image."""

import re
import unicodedata
from collections import Counter
from dataclasses import replace

from dermsynth.data.file_names import safe_stem
from dermsynth.data.identity import one_spelling
from dermsynth.data.importers.report import ImportReport
from dermsynth.data.importers.sources import ImportOptions, SourceRow
from dermsynth.errors import UserError
from dermsynth.values import is_missing, visible_text

_WHOLE = re.compile(r"([+-]?\d+)[.,]0+")
COMPARED = ("label", "mask", "group", "split")


def plain_rows(rows: list[SourceRow], report: ImportReport, options: ImportOptions) -> list[SourceRow]:
    """The rows with labels and groups in one spelling, and the missing ones blank.

    Raises UserError when labels differ in case only.
    """
    groups, notes = one_spelling([row.group for row in rows])
    report.notes += notes
    result = [
        replace(
            row,
            label=plain_label(row.label, options),
            group=group,
            split="" if is_missing(row.split) else row.split,
        )
        for row, group in zip(rows, groups, strict=True)
    ]
    report.notes += _label_notes(rows, result)
    _refuse_case_twins([row.label for row in result])
    return result


def _label_notes(rows: list[SourceRow], result: list[SourceRow]) -> list[str]:
    """Which labels were changed, and which look like none."""
    pairs = Counter((row.label, plain.label) for row, plain in zip(rows, result, strict=True))
    notes = []
    for (before, after), count in pairs.items():
        if before != after:
            what = f"taken as {after!r}" if after else "means no label (`labels_as_written` keeps it as a class)"
            notes.append(f"label {before!r} of {count} images {what}")
    return notes + [
        f"label {label!r} is kept as a class; if it means that the label is not known, leave it blank"
        for label in sorted({row.label for row in result if row.label and is_missing(row.label)})
    ]


def plain_label(label: str, options: ImportOptions) -> str:
    """A label in composed letters without doubled blanks; `1.0` is `1`, and `NA` is none."""
    text = visible_text(unicodedata.normalize("NFC", label))
    if options.literal_labels:
        return text
    if is_missing(text, words=False):
        return ""
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def _refuse_case_twins(labels: list[str]) -> None:
    spellings: dict[str, str] = {}
    for label in labels:
        other = spellings.setdefault(label.casefold(), label)
        if other != label:
            raise UserError(
                f"label {label!r} and {other!r} differ in case only; make them one with `lower_case_labels`"
            )


def named_rows(rows: list[SourceRow], report: ImportReport) -> list[tuple[SourceRow, str]]:
    """The rows that can be imported with a flat, unique name for every image; others are reported.

    Of several rows of one image the first is taken.
    """
    first_rows: dict[tuple[str, int | None], SourceRow] = {}
    taken: set[str] = set()
    result = []
    for row in rows:
        problem = row.problem or _duplicate(row, first_rows)
        if problem:
            report.add(row.title, problem, "left out")
            continue
        first_rows[row.image, row.frame] = row
        result.append((row, _unused_name(safe_stem(row.title), taken)))
    return result


def _duplicate(row: SourceRow, first_rows: dict[tuple[str, int | None], SourceRow]) -> str:
    first = first_rows.get((row.image, row.frame))
    if first is None:
        return ""
    differs = [name for name in COMPARED if getattr(row, name) != getattr(first, name)]
    return f"duplicate row with another {' or '.join(differs)}; first kept" if differs else "duplicate row"


def _unused_name(stem: str, taken: set[str]) -> str:
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}_{number}"
    taken.add(name.casefold())
    return name
