"""Where real data sets come from: each importer turns one published layout into rows."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from dermsynth.data.dataset import DESCRIPTION, METADATA
from dermsynth.data.folder_layout import places
from dermsynth.data.source_files import SourceFiles, looks_like_mask
from dermsynth.data.sources import Source, SourceRow
from dermsynth.data.tables import read_table, require_columns
from dermsynth.depths import float_levels
from dermsynth.errors import UserError
from dermsynth.images import SUFFIXES
from dermsynth.values import flags, is_missing, parse_flag, plain_identifier

ATTRIBUTES = ("pigment_network", "negative_network", "streaks", "milia_like_cyst", "globules")
"""The five dermoscopic attributes of ISIC 2018 task 2, in the names of its files."""


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
    return Source(folder, rows, {"source": folder.name}, _command("folder", folder), files.unused, notes)


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
                columns={_column_name(c): record[c] for c in others},
            ),
        )
        for record in table.to_dict("records")
    ]
    return _table_source(files, rows, _licence_facts(table, table_path.name), _command("csv", table_path), notes)


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


RESERVED = ("file_name", "label", "mask_file_name", "group", "split", "width", "height",
            "structures", "map_file_name", "segment_file_name")  # fmt: skip


def _column_name(column: str) -> str:
    """Keep a foreign column from shadowing one of ours."""
    return f"source_{column}" if column in RESERVED else column


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
        raise UserError(f"{table_path}: no column {' or '.join(choices)} to take as label; name one with --label")
    table = table.assign(_group=_patient_or_lesion(table))
    files = SourceFiles(images or table_path.parent, tuple(roots))
    rows = [
        _found_row(
            files,
            SourceRow(
                image=record["isic_id"],
                label=record[chosen],
                group=record["_group"],
                columns={_column_name(str(c)): v for c, v in record.items() if c not in ("_group", chosen)},
            ),
        )
        for record in table.to_dict("records")
    ]
    return _table_source(files, rows, _licence_facts(table, "ISIC Archive"), _command("isic", table_path), notes)


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
                columns={_column_name(str(c)): v for c, v in record.items() if c not in (image, label, group)},
            ),
        )
        for record in table.to_dict("records")
    ]
    return _table_source(files, rows, {}, _command("table", table_path), notes, everywhere=True)


def from_isic2018(folder: Path, *, roots: Sequence[Path] = ()) -> Source:
    """ISIC 2018, tasks 1 to 3 (lesion masks, attribute masks, diagnoses), and ISIC 2019, whatever of them is there.

    Image folders end in `_Input`, mask folders in `_GroundTruth*`, the diagnoses are a CSV with one-hot columns; images
    of one lesion are a group by `*LesionGroupings.csv` or by `lesion_id` in `*Metadata.csv`, whose other columns are kept.
    """
    files = SourceFiles(folder, tuple(roots))
    truths = {PurePosixPath(p).stem: p for p in files.images if looks_like_mask(p)}
    images: dict[str, str] = {}
    for path in files.images:
        if not looks_like_mask(path) and images.setdefault(PurePosixPath(path).stem, path) != path:
            files.unused.append((path, f"another image of the name of {images[PurePosixPath(path).stem]}"))
    notes: list[str] = []
    diagnoses, unclear = _one_hot_labels(folder, notes)
    lesions, facts_of = _lesion_groups(folder), _image_columns(folder)
    rows = []
    for stem, image in sorted(images.items()):
        attributes = {name: truths.get(f"{stem}_attribute_{name}", "") for name in ATTRIBUTES}
        rows.append(
            SourceRow(
                image,
                diagnoses.get(stem, ""),
                truths.get(f"{stem}_segmentation", ""),
                lesions.get(stem, ""),
                columns=facts_of.get(stem, {}),
                more_masks={k: v for k, v in attributes.items() if v},
                doubt=unclear.get(stem, ""),
            )
        )
    rows += [
        SourceRow(f"{stem}.jpg", problem="a diagnosis without an image")
        for stem in sorted(set(diagnoses) - set(images))
    ]
    used = {name for row in rows for name in (row.image, row.mask, *row.more_masks.values())}
    files.unused.extend((name, "a mask or superpixels without use") for name in truths.values() if name not in used)
    unused = [(name, reason) for name, reason in files.unused if not name.endswith((".csv", ".txt", ".md"))]
    year = "2019" if any("2019" in name for name in images.values()) else "2018"
    facts = {"source": f"ISIC {year}", "licence": ["CC-BY-NC-4.0"]}
    return Source(folder, rows, facts, _command("isic2018", folder), unused, notes)


def _stem(name: str) -> str:
    """An image's id, also where the table has its ending."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in SUFFIXES else name


def _lesion_groups(folder: Path) -> dict[str, str]:
    """Which images show one lesion: `*LesionGroupings.csv` of 2018, `*Metadata.csv` of 2019."""
    groups: dict[str, str] = {}
    for path in sorted([*folder.rglob("*LesionGroupings.csv"), *folder.rglob("*[Mm]etadata.csv")]):
        table = read_table(path)
        if "lesion_id" not in table and "etadata" in path.name:
            continue
        require_columns(table, ["image", "lesion_id"], path)
        for image, lesion in zip(table["image"].map(_stem), table["lesion_id"], strict=True):
            if plain_identifier(groups.setdefault(image, lesion)) != plain_identifier(lesion):
                raise UserError(
                    f"{path}: {image} is of lesion {lesion!r} and of {groups[image]!r}; correct one of them"
                )
    return groups


def _image_columns(folder: Path) -> dict[str, dict[str, str]]:
    """What `*Metadata.csv` says of each image: age, sex, site."""
    columns: dict[str, dict[str, str]] = {}
    for path in sorted(folder.rglob("*[Mm]etadata.csv")):
        table = read_table(path)
        if "image" in table:
            for record in table.to_dict("records"):
                columns[_stem(record["image"])] = {
                    _column_name(str(c)): v for c, v in record.items() if c not in ("image", "lesion_id")
                }
    return columns


NO_CLASSES = ("image", "score_weight", "validation_weight")


def _one_hot_labels(folder: Path, notes: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The class of every image by the one column that is 1, and in words why where there is none."""
    labels: dict[str, str] = {}
    unclear: dict[str, str] = {}
    for path in sorted(folder.rglob("*GroundTruth*.csv")):
        table = read_table(path, notes=notes)
        require_columns(table, ["image"], path)
        names = [c for c in table.columns if c not in NO_CLASSES]
        try:
            hot = np.stack([flags(table, name) for name in names], axis=1) if names else np.zeros((len(table), 0), bool)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        for image, row in zip(table["image"].map(_stem), hot, strict=True):
            label = names[int(np.argmax(row))] if row.sum() == 1 else ""
            if labels.setdefault(image, label) != label:
                unclear[image] = f"no label: {labels[image] or 'none'} and {label or 'none'} in two rows"
                labels[image] = ""
            elif row.sum() != 1:
                several = " and ".join(name for name, one in zip(names, row, strict=True) if one)
                unclear[image] = (
                    f"no label: diagnoses {several} at once" if several else "no label: none of the diagnoses is 1"
                )
    if unclear:
        notes.append(
            f"{len(unclear)} images have several diagnoses or none, and get no label (first: {next(iter(unclear))})"
        )
    return labels, unclear


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
    return Source(folder, rows, facts, _command("ph2", folder))


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


def from_medmnist(path: Path) -> Source:
    """A MedMNIST `.npz` (Yang et al. 2023): `train_images`, `train_labels`, and the same for val and test."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (ValueError, OSError, BadZipFile, EOFError, TypeError) as error:
        raise UserError(f"{path}: not a MedMNIST .npz ({error})") from error
    rows, notes, scales = [], [], set()
    for part, split in (("train", "train"), ("val", "validation"), ("test", "test")):
        if f"{part}_images" not in arrays:
            continue
        if f"{part}_labels" not in arrays:
            raise UserError(f"{path}: no array {part}_labels; there are: {', '.join(arrays)}")
        images, note = _levels_of(arrays[f"{part}_images"], f"{path}: {part}_images")
        labels = _single_labels(arrays[f"{part}_labels"], len(images), f"{path}: {part}_labels")
        notes += [f"{part}_images: {note}"] if note else []
        scales.add(note)
        for index, (pixels, label) in enumerate(zip(images, labels, strict=True)):
            rows.append(SourceRow(f"{part}_{index:06d}.png", str(label), split=split, pixels=pixels))
    if len(scales) > 1:
        raise UserError(f"{path}: its parts hold numbers of different kinds ({'; '.join(notes)}); make them one")
    if not rows:
        raise UserError(f"{path}: no array train_images; there are: {', '.join(arrays)}")
    facts = {"source": path.stem, "licence": ["CC-BY-4.0"]}
    return Source(path.parent, rows, facts, _command("medmnist", path), notes=notes)


def _levels_of(images: np.ndarray, name: str) -> tuple[np.ndarray, str]:
    """Images as uint8 [n, h, w, 3], and what was understood of other kinds of numbers."""
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] not in (1, 3)):
        raise UserError(f"{name} has shape {images.shape}; only 2-D sets can be imported")
    note = ""
    if images.dtype.kind == "u" and images.size and images.max() == 1:
        raise UserError(f"{name} holds whole numbers of 0 and 1 only; give pixels of 0 to 255")
    if images.dtype.kind == "f" and images.size:
        images, note = float_levels(images, name)
    elif images.dtype.kind not in "ui" or (images.size and (images.min() < 0 or images.max() > 255)):
        raise UserError(
            f"{name} holds {images.dtype} from {images.min()} to {images.max()}; must be 0 to 255, or floating-point 0 to 1"
        )
    images = images[..., None] if images.ndim == 3 else images
    return np.broadcast_to(images, (*images.shape[:3], 3)).astype(np.uint8), note


def _single_labels(labels: np.ndarray, count: int, name: str) -> list[int]:
    """One whole number an image."""
    if labels.shape not in ((count,), (count, 1)):
        raise UserError(f"{name} has shape {labels.shape}, but there are {count} images; one label an image is needed")
    numbers = np.ravel(labels)
    if (
        numbers.dtype.kind not in "uifb"
        or not np.isfinite(numbers).all()
        or not np.array_equal(numbers, numbers.astype(np.int64))
    ):
        raise UserError(f"{name} holds {numbers[:3].tolist()} ...; labels must be whole numbers")
    return [int(number) for number in numbers]


def _command(kind: str, path: Path) -> str:
    return f"dermsynth import {kind} {shlex.quote(path.name)}"
