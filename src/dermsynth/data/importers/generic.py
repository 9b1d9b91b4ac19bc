"""Where real data sets come from: each importer turns one published layout into rows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from dermsynth.data.dataset import DESCRIPTION, METADATA
from dermsynth.data.importers.folder_layout import places
from dermsynth.data.importers.isic_challenges import ATTRIBUTES as ATTRIBUTES
from dermsynth.data.importers.isic_challenges import from_isic2018 as from_isic2018
from dermsynth.data.importers.medmnist import from_medmnist as from_medmnist
from dermsynth.data.importers.source_files import SourceFiles, looks_like_mask
from dermsynth.data.importers.sources import Source, SourceRow, column_name, command_of
from dermsynth.data.tables import read_table, require_columns
from dermsynth.errors import UserError
from dermsynth.values import is_missing, parse_flag


def from_folder(folder: Path, *, roots: Sequence[Path] = ()) -> Source:
    """Images in a folder; where they lie in sub-folders, these are the label, or the split where they are named like one.

    Masks and superpixels beside the photographs, files that are no images and data sets of this program are left out.
    """
    files = SourceFiles(folder, tuple(roots))
    if (folder / METADATA).exists() and (folder / DESCRIPTION).exists():
        raise UserError(
            f"{folder}: a data set already; use it as it is, or import its {METADATA} with: dermsynth import csv"
        )
    images = [name for name in files.images if not looks_like_mask(name)]
    files.unused.extend((name, "a mask or superpixels by its name") for name in files.images if looks_like_mask(name))
    found, notes = places(images, str(folder))
    rows = [SourceRow(name, place.label, split=place.split) for name, place in zip(images, found, strict=True)]
    return Source(folder, rows, {"source": folder.name}, command_of("folder", folder), files.unused, notes)


def from_csv(
    table_path: Path,
    *,
    image: str,
    label: str = "",
    mask: str = "",
    group: str = "",
    split: str = "",
    images: Path | None = None,
    roots: Sequence[Path] = (),
) -> Source:
    """A CSV with named columns; image and mask paths start from `images`, or from the CSV's folder.

    Columns that are not named are kept as they are. Suffix, case, slashes and sub-folders that differ are completed
    where only one file can be meant.
    """
    notes: list[str] = []
    table = read_table(table_path, notes=notes)
    require_columns(table, [c for c in (image, label, mask, group, split) if c], table_path)
    files = SourceFiles(images or table_path.parent, tuple(roots))
    files.claim([*table[image], *(table[mask] if mask else ())])
    if mask and table[mask].map(lambda cell: is_missing(cell, words=False)).all():
        notes.append(f"column {mask!r} names no mask")
    named = {image, label, mask, group, split}
    others = [c for c in table.columns if c not in named]
    rows = [
        _found_row(
            files,
            SourceRow(
                image=record[image],
                label=record[label] if label else "",
                mask=record[mask] if mask else "",
                group=record[group] if group else "",
                split=record[split] if split else "",
                columns={column_name(c): record[c] for c in others},
            ),
        )
        for record in table.to_dict("records")
    ]
    return _table_source(files, rows, _licence_facts(table, table_path.name), command_of("csv", table_path), notes)


def _found_row(files: SourceFiles, row: SourceRow) -> SourceRow:
    """The row with the paths of the files that it means."""
    if is_missing(row.image, words=False):
        return replace(row, image=row.image or "(blank)", problem="the row names no image")
    try:
        image = files.find(row.image)
    except UserError as error:
        return replace(row, problem=str(error))
    try:
        mask = "" if is_missing(row.mask, words=False) else files.find(row.mask, mask=True)
    except UserError as error:
        return replace(row, image=image, mask_problem=str(error))
    return replace(row, image=image, mask=mask)


def _table_source(
    files: SourceFiles, rows: list[SourceRow], facts: Mapping[str, object], command: str, notes: list[str],
    *, everywhere: bool = False,
) -> Source:  # fmt: skip
    """Rows of a table, with the images beside them (or anywhere) that it does not name, and what had to be guessed."""
    used = [name for row in rows for name in (row.image, row.mask, *row.more_masks.values()) if name]
    unused = files.not_named(used, everywhere=everywhere)
    notes += [f"{count} paths: {guess}" for guess, count in files.guesses.items()]
    return Source(files.folder, rows, facts, command, unused, notes)


def _licence_facts(table: pd.DataFrame, source: str) -> dict[str, object]:
    facts: dict[str, object] = {"source": source}
    for fact, columns in {
        "licence": ("copyright_license", "licence", "license"),
        "attribution": ("attribution",),
    }.items():
        for column in columns:
            if column in table:
                facts[fact] = sorted(set(table[column]) - {""})
    return facts


def from_isic_archive(
    table_path: Path, *, images: Path | None = None, label: str = "", roots: Sequence[Path] = ()
) -> Source:
    """A metadata export of the ISIC Archive: diagnosis hierarchy, licence, attribution; patient and lesion as group.

    The label is the column asked for, or the first of diagnosis_3, diagnosis_2, diagnosis, diagnosis_1 that is there.
    """
    notes: list[str] = []
    table = read_table(table_path, notes=notes)
    require_columns(table, ["isic_id"], table_path)
    choices = [label] if label else ["diagnosis_3", "diagnosis_2", "diagnosis", "diagnosis_1", "benign_malignant"]
    chosen = next((c for c in choices if c in table), "")
    if not chosen:
        raise UserError(f"{table_path}: no column {' or '.join(choices)} to take as label; name one with `label`")
    table = table.assign(_group=_patient_or_lesion(table))
    files = SourceFiles(images or table_path.parent, tuple(roots))
    rows = [
        _found_row(
            files,
            SourceRow(
                image=record["isic_id"],
                label=record[chosen],
                group=record["_group"],
                columns={column_name(str(c)): v for c, v in record.items() if c not in ("_group", chosen)},
            ),
        )
        for record in table.to_dict("records")
    ]
    return _table_source(files, rows, _licence_facts(table, "ISIC Archive"), command_of("isic", table_path), notes)


def _patient_or_lesion(table: pd.DataFrame) -> pd.Series:
    """The patient where known, else the lesion, else nothing."""
    group = pd.Series("", index=table.index)
    for column in ("lesion_id", "patient_id"):
        if column in table:
            group = table[column].where(~table[column].map(is_missing), group)
    return group


def from_ham10000(table_path: Path, *, images: Path | None = None, roots: Sequence[Path] = ()) -> Source:
    """HAM10000_metadata.csv: image_id, dx, lesion_id (Tschandl et al. 2018); images in one or more part folders."""
    source = _from_ids(table_path, images, roots, image="image_id", label="dx", group="lesion_id")
    return replace(source, facts={"source": "HAM10000", "licence": ["CC-BY-NC-4.0"]})


def from_siim2020(table_path: Path, *, images: Path | None = None, roots: Sequence[Path] = ()) -> Source:
    """SIIM-ISIC 2020 train.csv: image_name, patient_id, target (Rotemberg et al. 2021); target 1 is melanoma."""
    source = _from_ids(table_path, images, roots, image="image_name", label="target", group="patient_id")
    rows = [replace(row, label=_target_name(row, table_path)) for row in source.rows]
    return replace(source, rows=rows, facts={"source": "SIIM-ISIC 2020", "licence": ["CC-BY-NC-4.0"]})


def _target_name(row: SourceRow, table_path: Path) -> str:
    try:
        target = parse_flag(row.label)
    except ValueError as error:
        raise UserError(f"{table_path}: target {row.label!r} of {row.image}; must be 0 or 1") from error
    return "" if target is None else "melanoma" if target else "benign"


def _from_ids(
    table_path: Path, images: Path | None, roots: Sequence[Path], *, image: str, label: str, group: str
) -> Source:
    """A table of image ids whose files lie anywhere below a folder, masks of the same names beside them or not."""
    notes: list[str] = []
    table = read_table(table_path, notes=notes)
    require_columns(table, [image, label, group], table_path)
    files = SourceFiles(images or table_path.parent, tuple(roots))
    rows = [
        _found_row(
            files,
            SourceRow(
                image=record[image],
                label=record[label],
                group=record[group],
                columns={column_name(str(c)): v for c, v in record.items() if c not in (image, label, group)},
            ),
        )
        for record in table.to_dict("records")
    ]
    return _table_source(files, rows, {}, command_of("table", table_path), notes, everywhere=True)


def from_ph2(folder: Path) -> Source:
    """PH2 (Mendonca et al. 2013): `IMD*/IMD*_Dermoscopic_Image/*.bmp`, `*_lesion/*.bmp`, and PH2_dataset.txt."""
    diagnoses = _ph2_diagnoses(folder / "PH2_dataset.txt")
    rows = []
    for path in sorted(folder.rglob("*_Dermoscopic_Image/*.bmp")):
        name = path.stem
        mask = path.parent.parent / f"{name}_lesion" / f"{name}_lesion.bmp"
        mask_name = str(mask.relative_to(folder)) if mask.exists() else ""
        rows.append(SourceRow(str(path.relative_to(folder)), diagnoses.get(name, ""), mask_name))
    if not rows:
        raise UserError(f"{folder}: no IMD*/IMD*_Dermoscopic_Image/*.bmp below it; name the unpacked PH2 folder")
    facts = {"source": "PH2", "licence": ["research and education only"]}
    return Source(folder, rows, facts, command_of("ph2", folder))


def _ph2_diagnoses(path: Path) -> dict[str, str]:
    """Rows `|| IMD003 || ... || 0 || ...`: the clinical diagnosis 0 common nevus, 1 atypical nevus, 2 melanoma."""
    if not path.exists():
        return {}
    names = {"0": "common nevus", "1": "atypical nevus", "2": "melanoma"}
    found = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        cells = [cell.strip() for cell in line.split("||")]
        if len(cells) > 3 and cells[1].startswith("IMD"):
            found[cells[1]] = next((names[c] for c in cells[2:5] if c in names), "")
    return found
