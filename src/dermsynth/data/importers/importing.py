"""From rows of any source to a data set on disk: check every image, copy it, split, write the report."""

import re
import unicodedata
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dermsynth.data.dataset import DataSet, open_data_set, refuse_filled, safe_stem, write_data_set
from dermsynth.data.duplicates import near_duplicates
from dermsynth.data.identity import identifying_columns, identity_pairs, one_spelling
from dermsynth.data.importers.files import ImportedImage, import_image
from dermsynth.data.importers.folder_layout import split_name
from dermsynth.data.importers.report import REPORT as REPORT
from dermsynth.data.importers.report import ImportReport, report_images, tell
from dermsynth.data.importers.sources import ImportOptions, Source, SourceRow
from dermsynth.data.splits import SPLITS, joined_groups, parse_shares, split, unmet_shares
from dermsynth.errors import UserError, require_seed
from dermsynth.io import replacing_folder
from dermsynth.parallel import parallel_map
from dermsynth.values import is_missing, visible

MARK_COLUMN = "synthetic"
_WHOLE = re.compile(r"([+-]?\d+)[.,]0+")
FEW_IMAGES = 300
"""Fewer are read sooner than other processes are started."""


def import_source(
    source: Source,
    out: Path,
    *,
    shares: str = "0.8/0.1/0.1",
    seed: int = 0,
    jobs: int | None = None,
    options: ImportOptions | None = None,
) -> DataSet:
    """Write a data set from a source.

    A file that cannot be used is listed in `import_report.csv` and left out; the import goes on. Images are copied as
    they are where nothing has to change, else written as PNG in sRGB. Splits are stratified, and grouped by patient or
    lesion, by every other column that identifies one, and by near-duplicates; a split given by the source is kept.

    Raises UserError when `out` holds something, labels differ in case only, images are marked as made by an algorithm
    (unless the options say what to do with them), no mask could be used of those that were named, or no image is left.
    """
    wanted, options = parse_shares(shares), options or ImportOptions()
    require_seed(seed)
    refuse_filled(out)
    report = ImportReport(notes=list(source.notes))
    rows = _plain_rows(source.rows, report, options)
    _refuse_case_twins([row.label for row in rows])
    if not rows:
        raise UserError(f"{source.folder}: no images found{_why_none(source)}")
    with replacing_folder(out) as work:
        _import_rows(replace(source, rows=rows), work, wanted, {"seed": seed, "split": shares}, jobs, options, report)
    data_set = open_data_set(out)
    tell(data_set, report, out)
    return data_set


def _why_none(source: Source) -> str:
    reasons = Counter(reason for _, reason in source.unused)
    return "; ".join(["", *(f"{count} files: {reason}" for reason, count in reasons.most_common(3))])


def _plain_rows(rows: list[SourceRow], report: ImportReport, options: ImportOptions) -> list[SourceRow]:
    """The rows with labels and groups in one spelling, and the missing ones blank."""
    groups, notes = one_spelling([row.group for row in rows])
    report.notes += notes
    changed: Counter[tuple[str, str]] = Counter()
    result = []
    for row, group in zip(rows, groups, strict=True):
        label = _plain_label(row.label, options)
        changed[row.label, label] += label != row.label
        given = "" if is_missing(row.split) else row.split
        result.append(replace(row, label=label, group=group, split=given))
    for (before, after), count in changed.items():
        if count:
            what = f"taken as {after!r}" if after else "means no label (`labels_as_written` keeps it as a class)"
            report.notes.append(f"label {before!r} of {count} images {what}")
    for label in sorted({row.label for row in result if row.label and is_missing(row.label)}):
        report.notes.append(
            f"label {label!r} is kept as a class; if it means that the label is not known, leave it blank"
        )
    return result


def _plain_label(label: str, options: ImportOptions) -> str:
    """A label in composed letters without doubled blanks; `1.0` is `1`, and `NA` is none."""
    text = visible(unicodedata.normalize("NFC", label))
    if options.literal_labels:
        return text
    if is_missing(text, words=False):
        return ""
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def _import_rows(
    source: Source,
    work: Path,
    shares: tuple[float, float, float],
    settings: dict[str, Any],
    jobs: int | None,
    options: ImportOptions,
    report: ImportReport,
) -> None:
    """Fill the folder of a data set."""
    rows, names = _target_names(source.rows, report)
    bring_in = partial(import_image, source.folder, work, options)
    done = parallel_map(bring_in, list(zip(rows, names, strict=True)), label="importing", jobs=jobs, few=FEW_IMAGES)
    report_images(rows, done, report)
    good = [(row, item) for row, item in zip(rows, done, strict=True) if item.file_name]
    if not good:
        raise UserError(f"none of the {len(source.rows)} images could be used; the first: {report.rows[0][1]}")
    good, facts = _without_marked(good, options, work, report)
    _require_masks(good)
    for name, reason in source.unused:
        report.add(name, reason, "not used")
    table = _table(good)
    table["split"] = _splits(table, good, shares, settings["seed"], report)
    report.write(work)
    if any(row.split for row, _ in good):
        settings = {**settings, "split": "given"}
    step = {"command": source.command, **settings, "left_out": len(source.rows) - len(good), "notes": report.notes}
    write_data_set(work, table, {"synthetic": False, **source.facts, **facts}, step)


def _refuse_case_twins(labels: list[str]) -> None:
    seen: dict[str, str] = {}
    for label in labels:
        other = seen.setdefault(label.casefold(), label)
        if other != label:
            raise UserError(
                f"label {label!r} and {other!r} differ in case only; make them one with `lower_case_labels`"
            )


def _target_names(rows: list[SourceRow], report: ImportReport) -> tuple[list[SourceRow], list[str]]:
    """A flat, unique name for every image; a second row of the same image is reported, not imported."""
    kept, names = [], []
    seen: dict[str, SourceRow] = {}
    used: set[str] = set()
    for row in rows:
        if row.problem:
            report.add(row.image, row.problem, "left out")
            continue
        if row.image in seen:
            first = seen[row.image]
            differs = [
                name for name in ("label", "mask", "group", "split") if getattr(row, name) != getattr(first, name)
            ]
            problem = f"duplicate row with another {' or '.join(differs)}; first kept" if differs else "duplicate row"
            report.add(row.image, problem, "left out")
            continue
        seen[row.image] = row
        stem = safe_stem(row.image)
        name, number = stem, 1
        while name.casefold() in used:
            number += 1
            name = f"{stem}_{number}"
        used.add(name.casefold())
        kept.append(row)
        names.append(name)
    return kept, names


def _without_marked(
    good: list[tuple[SourceRow, ImportedImage]], options: ImportOptions, work: Path, report: ImportReport
) -> tuple[list[tuple[SourceRow, ImportedImage]], dict[str, object]]:
    """The images, those marked as made by an algorithm treated as the options say, and facts about them.

    Raises UserError where the options say nothing.
    """
    marked = [(row, item) for row, item in good if item.mark]
    if not marked:
        return good, {}
    first = f"{marked[0][0].image}, {marked[0][1].mark}"
    said = f"{len(marked)} of {len(good)} images are marked as made by an algorithm (first: {first})"
    if options.marked == "refuse":
        raise UserError(
            f"{said}: no set of photographs is made of them; "
            "`marked` leave-out imports the others, `marked` keep all, as synthetic"
        )
    for row, item in marked:
        report.add(
            row.image,
            f"marked as made by an algorithm: {item.mark}",
            "left out" if options.marked == "leave-out" else "kept, marked",
        )
    if options.marked == "keep":
        report.notes.append(f"{said}; kept, and marked in the column {MARK_COLUMN!r}")
        return good, {"synthetic": len(marked) == len(good), "marked_synthetic": len(marked)}
    report.notes.append(f"{said}; left out")
    for _, item in marked:
        for name in (item.file_name, item.mask_file_name, *item.more_masks.values()):
            (work / name).unlink(missing_ok=True) if name else None
    rest = [(row, item) for row, item in good if not item.mark]
    if not rest:
        raise UserError(f"{said}; nothing is left")
    return rest, {}


def _require_masks(good: list[tuple[SourceRow, ImportedImage]]) -> None:
    """Raise UserError where masks were named and none could be used: such an import is no success."""
    for kind in ("mask_file_name", "more_masks"):
        named = [item for row, item in good if (row.mask if kind == "mask_file_name" else row.more_masks)]
        if named and not any(getattr(item, kind) for item in named):
            first = next(problem for item in named for problem in item.mask_problems)
            raise UserError(
                f"none of the {len(named)} masks could be used; the first {first}. Without its mask column the import goes on"
            )


def _table(good: list[tuple[SourceRow, ImportedImage]]) -> pd.DataFrame:
    columns = [
        {
            "file_name": item.file_name,
            "label": row.label,
            "mask_file_name": item.mask_file_name,
            "group": row.group,
            "split": row.split,
            "width": item.width,
            "height": item.height,
            **{f"{kind}_mask": path for kind, path in item.more_masks.items()},
            **row.columns,
            **({MARK_COLUMN: "true"} if item.mark else {}),
        }
        for row, item in good
    ]
    table = pd.DataFrame(columns).fillna("")
    empty = [c for c in ("mask_file_name", "group") if (table[c] == "").all()]
    return table.drop(columns=empty)


def _splits(
    table: pd.DataFrame,
    good: list[tuple[SourceRow, ImportedImage]],
    shares: tuple[float, float, float],
    seed: int,
    report: ImportReport,
) -> np.ndarray:
    hashes = np.array([item.hash for _, item in good], dtype=np.uint64)
    thumbnails = np.stack([item.thumbnail for _, item in good if item.thumbnail is not None])
    groups = table["group"].to_numpy(dtype=object) if "group" in table else np.full(len(table), "", dtype=object)
    columns, doubtful = identifying_columns(table.drop(columns="group", errors="ignore"))
    if columns:
        report.notes.append(f"splits keep together what one {' or '.join(columns)} holds")
    report.notes += [
        f"column {name!r}: a value that more than a fifth of the images share is taken for nobody's; splits may cut it"
        for name in doubtful
    ]
    pairs = np.concatenate(
        [near_duplicates(hashes, thumbnails), identity_pairs([list(table[name]) for name in columns])]
    )
    joined = joined_groups(groups, pairs)
    given = table["split"].map(split_name)
    if given.isin(SPLITS).all():
        result = given.to_numpy(dtype=object)
        cut = sum(
            len(set(result[joined == number])) > 1 for number in np.unique(joined[np.bincount(joined)[joined] > 1])
        )
        if cut:
            report.notes.append(
                f"the given split cuts {cut} groups (patient, lesion or twins); dermsynth audit names them"
            )
    elif (table["split"] != "").any():
        index = int(np.flatnonzero(~given.isin(SPLITS))[0])
        raise UserError(
            f"split {table['split'].iloc[index]!r} of {table['file_name'].iloc[index]}: must be train, validation or test"
        )
    else:
        result = split(table["label"].to_numpy(dtype=object), joined, shares, seed)
        report.notes += [note for note in [unmet_shares(result, joined, shares)] if note]
    if set(result) == {"train"}:
        report.notes.append(
            "no image is held out (validation or test): the copy gate, floors and classifiers need some"
        )
    return result
