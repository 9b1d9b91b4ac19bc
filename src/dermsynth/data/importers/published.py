"""Data sets whose files a layout's table describes: one function reads them all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path

import pandas as pd

from dermsynth.data.importers.folder_layout import split_name
from dermsynth.data.importers.generic import licence_facts, table_source
from dermsynth.data.importers.layout_labels import LabelChoice, LabelReader
from dermsynth.data.importers.layout_records import (
    LayoutFiles,
    Record,
    columns_there,
    fits,
    image_records,
    read_records,
)
from dermsynth.data.importers.layout_rows import filtered_records, layout_row, records_of_kind, with_columns
from dermsynth.data.importers.layout_table import Layout, read_layout
from dermsynth.data.importers.meanings import OURS
from dermsynth.data.importers.source_files import SourceFiles
from dermsynth.data.importers.sources import Source, SourceRow, command_of
from dermsynth.errors import UserError

MISSING_SHARE = 0.05
"""A larger share of images that are named and not there is no accident."""
_READERS = {
    "isic2018": "isic_challenges:from_isic2018",
    "ph2": "ph2:from_ph2",
    "medmnist": "medmnist:from_medmnist",
}


@dataclass(frozen=True)
class LayoutChoices:
    """What is taken of a layout.

    Attributes
    ----------
    label
        Column with the class; empty for the layout's own.
    level
        Level of the class, 1 the coarsest; None for the layout's own label.
    image_type
        The one kind of images that is taken: dermoscopic, clinical, tbp or rcm.
    new_splits
        Whether the split that the set comes with is put aside.
    partial
        Whether a set of which more than a twentieth of the images is missing is imported as it is.
    """

    label: str = ""
    level: int | None = None
    image_type: str = ""
    new_splits: bool = False
    partial: bool = False


def layout_reader(layout: Layout) -> Callable[..., Source]:
    """The function that makes a `Source` of a folder (or a table) in a layout."""
    return partial(_from_reader if layout.reader else from_layout, layout)


def _from_reader(
    layout: Layout,
    place: Path,
    *,
    images: Path | None = None,
    choices: LayoutChoices = LayoutChoices(),
    roots: Sequence[Path] = (),
) -> Source:
    """A data set that has a reader of its own, with what its layout says of the whole.

    Raises UserError for a choice that this reader does not have.
    """
    given = {"image_folder": images, "label": choices.label, "level": choices.level, "image_type": choices.image_type}
    refused = next((name for name, value in given.items() if value), "")
    if refused:
        raise UserError(f"`{refused}` {given[refused]}: the layout {layout.key} has no such choice")
    module, _, function = _READERS[layout.reader].partition(":")
    read: Callable[..., Source] = getattr(import_module(f"dermsynth.data.importers.{module}"), function)
    source = read(place, roots=roots) if layout.reader == "isic2018" else read(place)
    notes = list(source.notes)
    rows = [replace(row, split="") for row in source.rows] if choices.new_splits else source.rows
    rows = with_columns(rows, layout, notes)
    return replace(source, rows=rows, facts={**source.facts, **_citation(layout)}, notes=notes)


def _citation(layout: Layout) -> dict[str, object]:
    facts = {"layout": layout.key, "doi": layout.doi, "citation": layout.citation}
    return {name: fact for name, fact in facts.items() if fact}


def from_isic_archive(
    table_path: Path, *, images: Path | None = None, label: str = "", roots: Sequence[Path] = ()
) -> Source:
    """A metadata export of the ISIC Archive: diagnosis hierarchy, licence, attribution; patient and lesion as group."""
    choices = LayoutChoices(label=label)
    return from_layout(read_layout("isic"), table_path, images=images, choices=choices, roots=roots)


def from_layout(
    layout: Layout,
    place: Path,
    *,
    images: Path | None = None,
    choices: LayoutChoices = LayoutChoices(),
    roots: Sequence[Path] = (),
) -> Source:
    """The rows of a data set whose files a layout describes.

    Parameters
    ----------
    layout
        Which files there are, and what their columns mean.
    place
        The unpacked folder, or the table in it.
    images
        Folder of the images, where they lie elsewhere.
    choices
        Label, kind of images, splits.
    roots
        Further folders into which links may lead.

    Raises
    ------
    UserError
        For a table, column or image that is missing, and a choice that the set does not have.
    """
    files = _files_of(layout, place, images, roots)
    choice = LabelChoice(choices.label, choices.level)
    records = filtered_records(image_records(read_records(files), files), files)
    _require_group(records, files)
    files.notes.extend(_absent_columns(records, layout))
    records = records_of_kind(records, choices.image_type, files)
    labels = LabelReader.of(layout.label, choice, files.place, records)
    rows = [layout_row(record, files, labels) for record in records]
    del records  # of 400,000 rows they are gigabytes
    rows = _with_splits(with_columns(rows, layout, files.notes), files, choices.new_splits)
    _require_whole(rows, files, choices.partial)
    files.notes.extend([*labels.notes(), *_box_notes(rows, layout), *_count_notes(rows, layout)])
    facts = _facts(rows, layout)
    command = _command(layout, place, choices)
    return table_source(files.images, rows, facts, command, files.notes, everywhere=True, aside=files.aside)


def _files_of(layout: Layout, place: Path, images: Path | None, roots: Sequence[Path]) -> LayoutFiles:
    if not place.exists():
        raise UserError(f"{place}: no such file or folder")
    files = SourceFiles(place if place.is_dir() else place.parent, tuple(roots))
    elsewhere = SourceFiles(images, tuple(roots)) if images is not None else files
    return LayoutFiles(layout, files, elsewhere, None if place.is_dir() else place)


def _require_group(records: list[Record], place: LayoutFiles) -> None:
    """Raise UserError where nothing says which images belong together, although the layout has columns for it."""
    wanted, there = place.layout.group, columns_there(records)
    if wanted and not place.layout.group_optional and not set(wanted) & set(there):
        raise UserError(
            f"{place.place}: no column {' or '.join(map(repr, wanted))}, which says which images belong together; "
            f"there are: {', '.join(there)}"
        )


def _absent_columns(records: list[Record], layout: Layout) -> list[str]:
    """Columns that the layout names and no table has, so that nothing is read of them: split, mask, filters, meanings."""
    if not layout.tables:
        return []
    there = set(columns_there(records))
    split = () if any(table.split for table in layout.tables) else layout.split.columns
    wanted = {"split": split, "mask": layout.mask.columns, **dict(layout.meaning)}
    wanted |= {f"filter {number}": rule.columns for number, rule in enumerate(layout.filters, 1)}
    absent = [f"{' or '.join(names)} ({what})" for what, names in wanted.items() if names and not there & set(names)]
    return [f"columns of the layout that no table has, and that are not read: {', '.join(absent)}"] if absent else []


def _with_splits(rows: list[SourceRow], place: LayoutFiles, anew: bool) -> list[SourceRow]:
    """The rows with the set's own split, or without it.

    Raises UserError where it is known of some rows only.
    """
    if anew:
        return [replace(row, split="") for row in rows]
    without = sum(not row.split for row in rows)
    if 0 < without < len(rows):
        raise UserError(
            f"{place.place}: {without} of {len(rows)} images have no split, and the others have one; complete the set's "
            "lists, or divide the images with `new_splits`"
        )
    if not without and "validation" not in {split_name(row.split) for row in rows}:
        place.notes.append("the set's own split has no validation images; `new_splits` divides anew")
    return rows


def _require_whole(rows: list[SourceRow], place: LayoutFiles, partial: bool) -> None:
    """Raise UserError where too many of the images that the tables name are not there."""
    missing = [row for row in rows if not row.problem and not place.images.has(row.image)]
    if not missing:
        return
    where = f" {' or '.join(place.layout.images.files)}:" if place.layout.images.files else ""
    line = f"{place.layout.name}:{where} {len(missing)} of {len(rows)} images are missing (first: {missing[0].image})"
    if len(missing) > MISSING_SHARE * len(rows) and not partial:
        raise UserError(f"{place.images.folder}: {line}; complete the folder, or import what is there with `partial`")
    place.notes.append(line)


def _box_notes(rows: list[SourceRow], layout: Layout) -> list[str]:
    """How many images have no file of boxes, and so no mask."""
    without = sum(row.boxes is None for row in rows) if layout.boxes else 0
    return [f"{without} of {len(rows)} images have no file of boxes, and get no mask"] if without else []


def _count_notes(rows: list[SourceRow], layout: Layout) -> list[str]:
    """Where there are more or fewer images or groups than the whole set has."""
    groups = {row.group for row in rows if row.group}
    found = {"images": len(rows), "groups": len(groups)}
    wanted = layout.expected.model_dump()
    differ = [kind for kind, count in wanted.items() if count is not None and count != found[kind]]
    return [f"{layout.name}: {found[kind]:,} {kind}; the whole set has {wanted[kind]:,}" for kind in differ]


def _facts(rows: list[SourceRow], layout: Layout) -> dict[str, object]:
    """What is known of the set as a whole, for its `dataset.json`."""
    table = pd.DataFrame([row.columns for row in rows]).fillna("")
    known = {"source": layout.name, "licence": list(layout.licence)}
    facts = {**known, **{name: fact for name, fact in licence_facts(table, layout.name).items() if fact}}
    leaks = [str(name) for name in table if _tells_the_class(_source_name(str(name)), layout)]
    return {**facts, **_citation(layout), **({"leak_columns": leaks} if leaks else {})}


def _tells_the_class(column: str, layout: Layout) -> bool:
    """Whether a column is a consequence of the class, or another form of it: another level, or the one that was not taken."""
    label = layout.label
    forms = {*label.columns, *label.one_hot, *label.weighted, *(name for level in label.levels for name in level)}
    return column in forms or fits(column, layout.leak_columns)


def _source_name(name: str) -> str:
    """A column's name in the source."""
    return name.removeprefix("source_") if name.removeprefix("source_") in OURS else name


def _command(layout: Layout, place: Path, choices: LayoutChoices) -> str:
    flags = {"--label": choices.label, "--level": choices.level, "--image-type": choices.image_type}
    words = [f"{flag} {value}" for flag, value in flags.items() if value]
    words += ["--new-splits"] if choices.new_splits else []
    return " ".join([command_of(layout.key, place), *words])
