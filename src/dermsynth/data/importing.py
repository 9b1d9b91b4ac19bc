"""From rows of any source to a data set on disk: check every image, copy it, split, write the report."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from PIL import Image

from dermsynth.data.dataset import DataSet, inside, open_data_set, refuse_filled, safe_stem, write_data_set
from dermsynth.data.duplicates import near_duplicates
from dermsynth.data.splits import SPLITS, joined_groups, parse_shares, split
from dermsynth.errors import DiskError, UserError, require_seed
from dermsynth.images import BadImage, encode_png, read_image, thumbnail_hash
from dermsynth.progress import progress_bar
from dermsynth.runs import replacing_folder, write_bytes, write_text

REPORT = "import_report.csv"


@dataclass(frozen=True)
class SourceRow:
    """One image of a source: a path in the source folder, or pixels, and what is known about it.

    `more_masks` are further masks by name, such as dermoscopic attributes.
    """

    image: str
    label: str = ""
    mask: str = ""
    group: str = ""
    split: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    more_masks: dict[str, str] = field(default_factory=dict)
    pixels: np.ndarray | None = None


@dataclass(frozen=True)
class Source:
    """Everything an importer found: rows, the folder their paths start from, and facts about the whole."""

    folder: Path
    rows: list[SourceRow]
    facts: Mapping[str, object]
    command: str


@dataclass(frozen=True)
class _Imported:
    file_name: str
    mask_file_name: str
    problem: str
    more_masks: dict[str, str] = field(default_factory=dict)
    width: int = 0
    height: int = 0
    hash: np.uint64 | None = None
    thumbnail: np.ndarray | None = None


def import_source(source: Source, out: Path, *, shares: str = "0.8/0.1/0.1", seed: int = 0, jobs: int = -1) -> DataSet:
    """Write a data set from a source.

    A file that cannot be used is listed in `import_report.csv` and left out; the import goes on. Images are copied as
    they are where nothing has to change, else written as PNG. Splits are stratified, and grouped by patient or lesion
    and by near-duplicates; a split given by the source is kept.

    Raises UserError when `out` holds something, labels differ in case only, or no image is left.
    """
    wanted = parse_shares(shares)
    require_seed(seed)
    refuse_filled(out)
    _refuse_case_twins([row.label for row in source.rows])
    if not source.rows:
        raise UserError(f"{source.folder}: no images found")
    with replacing_folder(out) as work:
        left_out = _import_rows(source, work, wanted, {"seed": seed, "split": shares}, jobs)
    data_set = open_data_set(out)
    _tell(data_set, left_out, out)
    return data_set


def _import_rows(
    source: Source, work: Path, shares: tuple[float, float, float], settings: dict[str, Any], jobs: int
) -> list[tuple[str, str]]:
    """Fill the folder of a data set; returns the problems."""
    rows, names, problems = _target_names(source.rows)
    tasks = (delayed(_import_one)(source.folder, work, row, name) for row, name in zip(rows, names, strict=True))
    results = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    done = list(progress_bar(results, total=len(rows), label="importing", unit="img"))
    good = [(row, item) for row, item in zip(rows, done, strict=True) if item.file_name]
    problems += [(row.image, item.problem) for row, item in zip(rows, done, strict=True) if item.problem]
    if not good:
        raise UserError(f"none of the {len(source.rows)} images could be used; the first: {problems[0][1]}")
    _write_report(work, problems)
    table = _table(good)
    table["split"] = _splits(table, good, shares, settings["seed"])
    step = {"command": source.command, **settings, "left_out": len(source.rows) - len(good)}
    write_data_set(work, table, {"synthetic": False, **source.facts}, step)
    return problems


def _refuse_case_twins(labels: list[str]) -> None:
    seen: dict[str, str] = {}
    for label in labels:
        other = seen.setdefault(label.casefold(), label)
        if other != label:
            raise UserError(
                f"label {label!r} and {other!r} differ in case only; make them one with --lower-case-labels"
            )


def _target_names(rows: list[SourceRow]) -> tuple[list[SourceRow], list[str], list[tuple[str, str]]]:
    """A flat, unique name for every image; a second row of the same image is reported, not imported."""
    kept, names, problems = [], [], []
    seen: dict[str, SourceRow] = {}
    used: set[str] = set()
    for row in rows:
        if row.image in seen:
            same = (row.label, row.mask) == (seen[row.image].label, seen[row.image].mask)
            problems.append(
                (row.image, "duplicate row" if same else "duplicate row with another label or mask; first kept")
            )
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
    return kept, names, problems


def _import_one(folder: Path, out: Path, row: SourceRow, name: str) -> _Imported:
    """Check and copy one image and its mask; the problem, if any, as text."""
    try:
        if row.pixels is not None:
            pixels, file_name = row.pixels, f"images/{name}.png"
            write_bytes(out / file_name, encode_png(pixels))
        else:
            path = inside(folder, row.image)
            pixels = read_image(path)
            file_name = _copy_image(path, out, name, pixels)
    except DiskError:
        raise
    except UserError as error:
        return _Imported("", "", str(error))
    masks, problems = {}, []
    for kind, source in {"": row.mask, **row.more_masks}.items():
        try:
            if source:
                masks[kind] = _import_mask(
                    inside(folder, source), out, f"masks/{kind + '/' if kind else ''}{name}.png", pixels
                )
        except DiskError:
            raise
        except UserError as error:
            problems.append(f"mask left out: {error}")
    code, thumbnail = thumbnail_hash(pixels)
    main = masks.pop("", "")
    size = pixels.shape[1], pixels.shape[0]
    return _Imported(file_name, main, "; ".join(problems), masks, *size, code, thumbnail)


def _copy_image(path: Path, out: Path, name: str, pixels: np.ndarray) -> str:
    """Copy the bytes of a plain RGB JPEG or PNG without metadata; write anything else as PNG.

    Cameras write names, dates and places into EXIF: such a file is written anew.
    """
    with Image.open(path) as image:
        image.load()
        private = {"exif", "xmp", "comment", "photoshop", *getattr(image, "text", {})} & set(image.info)
        plain = image.format in ("JPEG", "PNG") and image.mode == "RGB" and not private
        suffix = ".jpg" if image.format == "JPEG" else ".png"
    if plain:
        file_name = f"images/{name}{suffix}"
        write_bytes(out / file_name, path.read_bytes())
    else:
        file_name = f"images/{name}.png"
        write_bytes(out / file_name, encode_png(pixels))
    return file_name


def _import_mask(path: Path, out: Path, target: str, pixels: np.ndarray) -> str:
    mask = read_image(path).max(axis=2)
    if mask.shape != pixels.shape[:2]:
        raise BadImage(
            f"{path}: {mask.shape[1]} x {mask.shape[0]} pixels, its image has {pixels.shape[1]} x {pixels.shape[0]}"
        )
    write_bytes(out / target, encode_png(np.where(mask > mask.max() // 2, 255, 0).astype(np.uint8)))
    return target


def _table(good: list[tuple[SourceRow, _Imported]]) -> pd.DataFrame:
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
        }
        for row, item in good
    ]
    table = pd.DataFrame(columns).fillna("")
    empty = [c for c in ("mask_file_name", "group") if (table[c] == "").all()]
    return table.drop(columns=empty)


def _splits(
    table: pd.DataFrame, good: list[tuple[SourceRow, _Imported]], shares: tuple[float, float, float], seed: int
) -> np.ndarray:
    names = {"val": "validation", "valid": "validation", "training": "train", "testing": "test"}
    given = table["split"].str.casefold().replace(names)
    if given.isin(SPLITS).all():
        return given.to_numpy(dtype=object)
    if (given != "").any():
        index = int(np.flatnonzero(~given.isin(SPLITS))[0])
        raise UserError(
            f"split {table['split'].iloc[index]!r} of {table['file_name'].iloc[index]}: must be train, validation or test"
        )
    hashes = np.array([item.hash for _, item in good], dtype=np.uint64)
    thumbnails = np.stack([item.thumbnail for _, item in good if item.thumbnail is not None])
    groups = table["group"].to_numpy(dtype=object) if "group" in table else np.full(len(table), "", dtype=object)
    joined = joined_groups(groups, near_duplicates(hashes, thumbnails))
    return split(table["label"].to_numpy(dtype=object), joined, shares, seed)


def _write_report(out: Path, problems: list[tuple[str, str]]) -> None:
    text = pd.DataFrame(problems, columns=["file", "problem"]).to_csv(index=False)
    write_text(out / REPORT, text)


def _tell(data_set: DataSet, problems: list[tuple[str, str]], out: Path) -> None:
    counts = ", ".join(f"{label} {data_set.count(label):,}" for label in data_set.classes) or "no labels"
    print(f"{out}: {len(data_set.table):,} images ({counts})")
    blank = int((data_set.labels == "").sum())
    if blank and data_set.classes:
        print(f"  {blank} images have no label; they are kept, and left out of conditional training")
    if problems:
        print(f"  {len(problems)} problems, listed in {out / REPORT}; the first: {problems[0][1]}", file=sys.stderr)
