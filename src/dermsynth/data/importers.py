"""Where real data sets come from: each importer turns one published layout into rows."""

import shlex
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from dermsynth.data.tables import read_table, require_columns
from dermsynth.data.importing import Source, SourceRow
from dermsynth.errors import UserError
from dermsynth.images import SUFFIXES

ATTRIBUTES = ("pigment_network", "negative_network", "streaks", "milia_like_cyst", "globules")
"""The five dermoscopic attributes of ISIC 2018 task 2, in the names of its files."""


def from_folder(folder: Path) -> Source:
    """Images in a folder; where they lie in sub-folders, the first sub-folder is the label."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    rows = []
    for path in files:
        relative = path.relative_to(folder)
        label = relative.parts[0] if len(relative.parts) > 1 else ""
        rows.append(SourceRow(str(relative), label))
    return Source(folder, rows, {"source": folder.name}, _command("folder", folder))


def from_csv(
    table_path: Path,
    *,
    image: str,
    label: str = "",
    mask: str = "",
    group: str = "",
    split: str = "",
    images: Path | None = None,
) -> Source:
    """A CSV with named columns; image and mask paths start from `images`, or from the CSV's folder.

    Columns that are not named are kept as they are. A missing file suffix is completed.
    """
    table = read_table(table_path)
    require_columns(table, [c for c in (image, label, mask, group, split) if c], table_path)
    folder = images or table_path.parent
    named = {image, label, mask, group, split}
    others = [c for c in table.columns if c not in named]
    rows = [
        SourceRow(
            image=_with_suffix(folder, record[image]),
            label=record[label] if label else "",
            mask=_with_suffix(folder, record[mask]) if mask and record[mask] else "",
            group=record[group] if group else "",
            split=record[split] if split else "",
            columns={_column_name(c): record[c] for c in others},
        )
        for record in table.to_dict("records")
    ]
    return Source(folder, rows, _licence_facts(table, table_path.name), _command("csv", table_path))


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


def _with_suffix(folder: Path, name: str) -> str:
    if not name or Path(name).suffix.lower() in SUFFIXES:
        return name
    try:
        return next(f"{name}{s}" for s in SUFFIXES if (folder / f"{name}{s}").exists())
    except (StopIteration, OSError, ValueError):
        return f"{name}.jpg"


def from_isic_archive(table_path: Path, *, images: Path | None = None, label: str = "") -> Source:
    """A metadata export of the ISIC Archive: diagnosis hierarchy, licence, attribution; patient and lesion as group.

    The label is the column asked for, or the first of diagnosis_3, diagnosis_2, diagnosis, diagnosis_1 that is there.
    """
    table = read_table(table_path)
    require_columns(table, ["isic_id"], table_path)
    choices = [label] if label else ["diagnosis_3", "diagnosis_2", "diagnosis", "diagnosis_1", "benign_malignant"]
    chosen = next((c for c in choices if c in table), "")
    if not chosen:
        raise UserError(f"{table_path}: no column {' or '.join(choices)} to take as label; name one with --label")
    table = table.assign(_group=_patient_or_lesion(table))
    folder = images or table_path.parent
    rows = [
        SourceRow(
            image=_with_suffix(folder, record["isic_id"]),
            label=record[chosen],
            group=record["_group"],
            columns={_column_name(str(c)): v for c, v in record.items() if c not in ("_group", chosen)},
        )
        for record in table.to_dict("records")
    ]
    return Source(folder, rows, _licence_facts(table, "ISIC Archive"), _command("isic", table_path))


def _patient_or_lesion(table: pd.DataFrame) -> pd.Series:
    """The patient where known, else the lesion, else nothing."""
    group = pd.Series("", index=table.index)
    for column in ("lesion_id", "patient_id"):
        if column in table:
            group = table[column].where(table[column] != "", group)
    return group


def from_ham10000(table_path: Path, *, images: Path | None = None) -> Source:
    """HAM10000_metadata.csv: image_id, dx, lesion_id (Tschandl et al. 2018); images in one or more part folders."""
    source = _from_ids(table_path, images, image="image_id", label="dx", group="lesion_id")
    return Source(source.folder, source.rows, {"source": "HAM10000", "licence": ["CC-BY-NC-4.0"]}, source.command)


def from_siim2020(table_path: Path, *, images: Path | None = None) -> Source:
    """SIIM-ISIC 2020 train.csv: image_name, patient_id, target (Rotemberg et al. 2021); target 1 is melanoma."""
    source = _from_ids(table_path, images, image="image_name", label="target", group="patient_id")
    names = {"0": "benign", "1": "melanoma"}
    for row in source.rows:
        if row.label not in names:
            raise UserError(f"{table_path}: target {row.label!r} of {row.image}; must be 0 or 1")
    rows = [SourceRow(row.image, names[row.label], row.mask, row.group, row.split, row.columns) for row in source.rows]
    return Source(source.folder, rows, {"source": "SIIM-ISIC 2020", "licence": ["CC-BY-NC-4.0"]}, source.command)


def _from_ids(table_path: Path, images: Path | None, *, image: str, label: str, group: str) -> Source:
    """A table of image ids whose files lie anywhere below a folder."""
    table = read_table(table_path)
    require_columns(table, [image, label, group], table_path)
    folder = images or table_path.parent
    found = {p.stem: str(p.relative_to(folder)) for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES}
    rows = [
        SourceRow(
            image=found.get(record[image], f"{record[image]}.jpg"),
            label=record[label],
            group=record[group],
            columns={_column_name(str(c)): v for c, v in record.items() if c not in (image, label, group)},
        )
        for record in table.to_dict("records")
    ]
    return Source(folder, rows, {}, _command("table", table_path))


def from_isic2018(folder: Path) -> Source:
    """ISIC 2018: task 1 (lesion masks), task 2 (attribute masks) and task 3 (diagnoses), whatever of them is there.

    Image folders end in `_Input`, mask folders in `_GroundTruth*`, the diagnoses are one CSV with one-hot columns; images
    of one lesion are a group where `*LesionGroupings.csv` is there.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    files = {p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES}
    relative = {p.stem: str(p.relative_to(folder)) for p in files if "GroundTruth" not in str(p.parent)}
    truths = {p.stem: str(p.relative_to(folder)) for p in files if "GroundTruth" in str(p.parent)}
    diagnoses, lesions = _one_hot_labels(folder), _lesion_groups(folder)
    rows = []
    for stem, image in sorted(relative.items()):
        attributes = {name: truths.get(f"{stem}_attribute_{name}", "") for name in ATTRIBUTES}
        rows.append(
            SourceRow(
                image,
                diagnoses.get(stem, ""),
                truths.get(f"{stem}_segmentation", ""),
                lesions.get(stem, ""),
                more_masks={k: v for k, v in attributes.items() if v},
            )
        )
    facts = {"source": "ISIC 2018", "licence": ["CC-BY-NC-4.0"]}
    return Source(folder, rows, facts, _command("isic2018", folder))


def _lesion_groups(folder: Path) -> dict[str, str]:
    """Which images show one lesion: `*LesionGroupings.csv` of task 3."""
    groups: dict[str, str] = {}
    for path in sorted(folder.rglob("*LesionGroupings.csv")):
        table = read_table(path)
        require_columns(table, ["image", "lesion_id"], path)
        groups |= dict(zip(table["image"], table["lesion_id"], strict=True))
    return groups


def _one_hot_labels(folder: Path) -> dict[str, str]:
    labels: dict[str, str] = {}
    for path in sorted(folder.rglob("*GroundTruth*.csv")):
        table = read_table(path)
        require_columns(table, ["image"], path)
        names = [c for c in table.columns if c != "image"]
        for record in table.to_dict("records"):
            labels[record["image"]] = next((n for n in names if float(record[n] or 0) == 1), "")
    return labels


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
    rows = []
    for part, split in (("train", "train"), ("val", "validation"), ("test", "test")):
        if f"{part}_images" not in arrays:
            continue
        if f"{part}_labels" not in arrays:
            raise UserError(f"{path}: no array {part}_labels; there are: {', '.join(arrays)}")
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] != 3):
            raise UserError(f"{path}: {part}_images has shape {images.shape}; only 2-D sets can be imported")
        images = images if images.ndim == 4 else np.repeat(images[..., None], 3, axis=-1)
        for index, (pixels, label) in enumerate(zip(images, labels, strict=True)):
            name = f"{part}_{index:06d}.png"
            rows.append(SourceRow(name, str(int(np.ravel(label)[0])), split=split, pixels=pixels.astype(np.uint8)))
    if not rows:
        raise UserError(f"{path}: no array train_images; there are: {', '.join(arrays)}")
    return Source(path.parent, rows, {"source": path.stem, "licence": ["CC-BY-4.0"]}, _command("medmnist", path))


def _command(kind: str, path: Path) -> str:
    return f"dermsynth import {kind} {shlex.quote(path.name)}"
