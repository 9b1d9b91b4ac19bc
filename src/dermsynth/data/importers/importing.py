"""From rows of any source to a data set on disk: check every image, copy it, split, write the report."""

import logging
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import get_args

import pandas as pd

from dermsynth.data.dataset import open_data_set
from dermsynth.data.file_names import safe_stem
from dermsynth.data.image_names import ORIGINAL
from dermsynth.data.importers.dicom import with_dicom
from dermsynth.data.importers.division import Shares, divide
from dermsynth.data.importers.elsewhere import GeneratorElsewhere, as_synthetic, refuse_photographs
from dermsynth.data.importers.files import ImportedImage, import_image
from dermsynth.data.importers.leave_out import without_listed
from dermsynth.data.importers.report import REPORT as REPORT
from dermsynth.data.importers.report import ImportReport, ImportResult, report_images
from dermsynth.data.importers.rows import named_rows, plain_rows
from dermsynth.data.importers.sources import ImportOptions, Marked, Source, SourceRow
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.splits import parse_shares
from dermsynth.data.writing import require_empty, write_data_set
from dermsynth.errors import UserError, require_choice, require_seed
from dermsynth.io import replace_folder
from dermsynth.parallel import parallel_map

MARK_COLUMN = "synthetic"
FEW_IMAGES = 300
"""Fewer are read sooner than other processes are started."""
Images = list[tuple[SourceRow, ImportedImage]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Settings:
    """How rows become a data set."""

    shares: Shares
    seed: int
    step: Step
    jobs: int | None
    options: ImportOptions


def import_source(
    source: Source,
    out: Path,
    *,
    shares: str = "0.8/0.1/0.1",
    seed: int = 0,
    jobs: int | None = None,
    options: ImportOptions | None = None,
    generator: GeneratorElsewhere | None = None,
) -> ImportResult:
    """Write a data set from a source.

    A file that cannot be used is listed in `import_report.csv` and left out; the import goes on. Images are copied as
    they are where nothing has to change, else written as PNG in sRGB. Splits are stratified, and grouped by patient or
    lesion, by every other column that identifies one, and by near-duplicates; a split given by the source is kept.

    Parameters
    ----------
    source
        What an importer read: rows, and facts about the whole.
    out
        Folder of the new set; new or empty.
    shares
        Shares of training, validation and test images, which sum to 1.
    seed
        Seed of the division, at least 0.
    jobs
        Images that are read at once; None for what `use_workers` set.
    options
        What happens to marked images, unusual labels, masks of numbers, and links.
    generator
        What is claimed of the generator elsewhere that made the images; the set is then a synthetic one, without splits.

    Returns
    -------
    The data set, and what happened to files; the notes and problems are logged, too.

    Raises
    ------
    UserError
        When `out` holds something, labels differ in case only, images are marked as made by an algorithm (unless the options
        say what to do with them), no mask could be used of those that were named, or no image is left.
    """
    parts, options = parse_shares(shares), options or ImportOptions()
    require_seed(seed)
    require_choice(options.marked, "marked", get_args(Marked))
    require_empty(out)
    if generator is not None:
        source, options = as_synthetic(source, generator), replace(options, synthetic=True)
    source = with_dicom(source, options, out)
    source = source if options.leave_out is None else without_listed(source, options.leave_out, jobs)
    report = ImportReport(notes=list(source.notes))
    rows = plain_rows(source.rows, report, options)
    if not rows:
        raise UserError(f"{source.folder}: no images found{_why_none(source)}")
    settings = _Settings(parts, seed, Step(seed=seed, split=shares), jobs, options)
    with replace_folder(out) as work:
        _write_set(replace(source, rows=rows), work, settings, report)
    result = ImportResult(open_data_set(out), tuple(report.rows), tuple(report.notes))
    for note in result.notes:
        _log.info(f"note: {note}")
    for problem in result.problems():
        _log.warning(problem)
    return result


def _why_none(source: Source) -> str:
    reasons = Counter(reason for _, reason in source.unused)
    return "; ".join(["", *(f"{count} files: {reason}" for reason, count in reasons.most_common(3))])


def _write_set(source: Source, work: Path, settings: _Settings, report: ImportReport) -> None:
    """Fill the folder of a data set."""
    rows = named_rows(source.rows, report)
    read = partial(import_image, source.folder, work, settings.options)
    images = parallel_map(read, rows, label="importing", jobs=settings.jobs, few=FEW_IMAGES)
    report_images([row for row, _ in rows], images, report)
    usable = [(row, image) for (row, _), image in zip(rows, images, strict=True) if image.file_name]
    if not usable:
        raise UserError(f"none of the {len(source.rows)} images could be used; the first: {report.rows[0].problem}")
    refuse_photographs([(row.image, image.photograph) for row, image in usable])
    usable, facts = _without_marked(usable, settings.options, work, report)
    _require_masks(usable)
    for name, reason in source.unused:
        report.add(name, reason, "not used")
    table, division = _divided(_table(usable, settings.options), usable, settings, report)
    report.write(work)
    left_out = {"left_out": len(source.rows) - len(usable), "notes": report.notes}
    step = Step.model_validate({"command": source.command, **division, **left_out})
    write_data_set(work, table, Provenance.model_validate({"synthetic": False, **source.facts, **facts}), step)


def _divided(
    table: pd.DataFrame, images: Images, settings: _Settings, report: ImportReport
) -> tuple[pd.DataFrame, dict[str, object]]:
    """The table with splits, and how they came about; a synthetic set has none."""
    if settings.options.synthetic:
        return table.drop(columns="split"), {}
    table["split"], notes = divide(table, [image for _, image in images], settings.shares, settings.seed)
    report.notes += notes
    return table, {**settings.step.document, **({"split": "given"} if any(row.split for row, _ in images) else {})}


def _without_marked(
    images: Images, options: ImportOptions, work: Path, report: ImportReport
) -> tuple[Images, dict[str, object]]:
    """The images, those marked as made by an algorithm treated as the options say, and facts about them.

    Raises UserError where the options say nothing.
    """
    marked = [(row, image) for row, image in images if image.mark]
    if not marked or options.synthetic:
        return images, {}
    first = f"{marked[0][0].title}, {marked[0][1].mark}"
    statement = f"{len(marked)} of {len(images)} images are marked as made by an algorithm (first: {first})"
    if options.marked == "refuse":
        raise UserError(
            f"{statement}: no set of photographs is made of them; "
            "`marked` leave-out imports the others, `marked` keep all, as synthetic"
        )
    outcome = "left out" if options.marked == "leave-out" else "kept, marked"
    for row, image in marked:
        report.add(row.title, f"marked as made by an algorithm: {image.mark}", outcome)
    if options.marked == "keep":
        report.notes.append(f"{statement}; kept, and marked in the column {MARK_COLUMN!r}")
        return images, {"synthetic": len(marked) == len(images), "marked_synthetic": len(marked)}
    report.notes.append(f"{statement}; left out")
    _remove_files([image for _, image in marked], work)
    rest = [(row, image) for row, image in images if not image.mark]
    if not rest:
        raise UserError(f"{statement}; nothing is left")
    return rest, {}


def _remove_files(images: list[ImportedImage], work: Path) -> None:
    for image in images:
        for name in (image.file_name, image.mask_file_name, *image.more_masks.values()):
            if name:
                (work / name).unlink(missing_ok=True)


def _require_masks(images: Images) -> None:
    """Raise UserError where masks were named and none could be used: such an import is no success."""
    for kind in ("mask_file_name", "more_masks"):
        named = [image for row, image in images if (row.mask if kind == "mask_file_name" else row.more_masks)]
        if named and not any(getattr(image, kind) for image in named):
            first = next(problem for image in named for problem in image.mask_problems)
            raise UserError(
                f"none of the {len(named)} masks could be used; the first {first}. Without its mask column the import goes on"
            )


def _table(images: Images, options: ImportOptions) -> pd.DataFrame:
    """A row an image; of photographs some of which were called alike and got numbers, with the names that all had."""
    numbered = not options.synthetic and any(
        PurePosixPath(image.file_name).stem != safe_stem(row.title) for row, image in images
    )
    columns = [
        {
            "file_name": image.file_name,
            "label": row.label,
            "mask_file_name": image.mask_file_name,
            "group": row.group,
            "split": row.split,
            "width": image.width,
            "height": image.height,
            **{f"{kind}_mask": path for kind, path in image.more_masks.items()},
            **row.columns,
            **({MARK_COLUMN: "true"} if image.mark else {}),
            **({ORIGINAL: PurePosixPath(row.title).name} if numbered else {}),
        }
        for row, image in images
    ]
    table = pd.DataFrame(columns).fillna("")
    empty = [c for c in ("mask_file_name", "group") if (table[c] == "").all()]
    return table.drop(columns=empty)
