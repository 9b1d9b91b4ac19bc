"""A page of contact sheets, one a run or a synthetic set: small JPEGs and a Markdown page that shows them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.copies import copies_of
from dermsynth.images import Pixels, encode_jpeg, fit, grid, image_size, read_image
from dermsynth.io import count_text, read_json_lines, write_bytes, write_text
from dermsynth.sampling.contact_sheets import GALLERY_COLUMNS, GALLERY_ROWS, RunSheet
from dermsynth.sampling.generator import Generator

QUALITY = 82
LARGEST = 128
"""Pixels of the longer side of a set's images on its sheet."""
PHOTOGRAPHS = (
    "Rows of translating families show photographs from the data set; do not share them unless you have the right to. "
    "`inputs` shows another set instead."
)


def write_gallery(
    sheets: Iterable[RunSheet], out: Path, *, foreign: bool = False, sets: Sequence[DataSet] = ()
) -> tuple[int, bool]:
    """Write `README.md` and a JPEG a run into `out`; returns the bytes of all pictures, and whether photographs are on them.

    `foreign`: families that translate images were given those of another set than the photographs they were trained on.
    `sets`: synthetic sets of which random images are shown too, without those flagged as copies.
    """
    _check_sets(sets)
    parts: list[str] = []
    total, translating, certain = 0, False, True
    for name, generator, image in sheets:
        translating |= generator.model.inputs.translates
        picture = encode_jpeg(image, QUALITY)
        write_bytes(out / f"{name}.jpg", picture)
        parts += describe(name, generator, foreign=foreign)
        total += len(picture)
    for data_set in sets:
        image, left_out = set_sheet(data_set)
        certain &= left_out is not None and not data_set.provenance.generator.claimed
        picture = encode_jpeg(image, QUALITY)
        write_bytes(out / f"{data_set.folder.name}.jpg", picture)
        parts += describe_set(data_set, left_out)
        total += len(picture)
    kind = "Not photographs of patients." if certain else ""
    if translating:
        kind = "Inputs of translating families are from the data sets given." if foreign else PHOTOGRAPHS
    seeds = "Of runs seeds 0 and following, no truncation; of synthetic sets random images. Nothing picked."
    if not sets:
        seeds = "Seeds 0 and following, nothing picked, no truncation."
    head = ["# Gallery", "", f"{seeds} {kind}".rstrip(), ""]
    write_text(out / "README.md", "\n".join([*head, *parts]))
    return total, translating and not foreign


def describe(name: str, generator: Generator, *, foreign: bool) -> list[str]:
    """Markdown lines about a run and its picture."""
    config, data = generator.config, generator.config.data
    lines = [line for line in read_json_lines(generator.run / "log.jsonl") if "seconds" in line]
    minutes = f", {lines[-1]['seconds'] / 60:.0f} min" if lines else ""
    kinds = f"; {' and '.join(data.classes)}" if data.classes else ""
    training, size = config.training, f"{data.width} x {data.height} pixels"
    facts = (
        f"{config.family} ({config.preset}), {size}{kinds}; {count_text(generator.checkpoint.images)} images shown{minutes}, "
        f"batch {training.batch}, seed {training.seed}. {generator.model.publication}."
    )
    if not generator.model.inputs.from_noise:
        facts += " Rows in pairs: the inputs, and the images generated from them."
        facts += " The inputs are from another set than the training images." if foreign else ""
    return [f"## {name}", "", facts, "", f"![{name}]({name}.jpg)", ""]


def _check_sets(sets: Sequence[DataSet]) -> None:
    """Raise UserError for photographs, and for two sets of one name."""
    names = [data_set.folder.name for data_set in sets]
    for data_set in sets:
        if not data_set.synthetic:
            raise UserError(f"{data_set.folder}: a set of photographs; a gallery shows runs and synthetic sets")
        if names.count(data_set.folder.name) > 1:
            raise UserError(f"{data_set.folder.name}: two sets of this name; rename one of the folders")


def set_sheet(data_set: DataSet) -> tuple[Pixels, int | None]:
    """One picture uint8 [h, w, 3] of random images of every class, and how many images were left out as flagged copies.

    None of a set that was never checked, or not all of it.
    """
    copies = copies_of(data_set)
    shown = data_set if copies is None else data_set.part(~copies.flagged)
    if shown.table.empty:
        raise UserError(f"{data_set.folder}: every image is flagged as a copy of a photograph; there is none to show")
    width, height = image_size(shown.paths[0])
    scale = min(1.0, LARGEST / max(width, height))
    classes = shown.classes or [""]
    count = GALLERY_COLUMNS * (GALLERY_ROWS if len(classes) == 1 else 1)
    rows = [_sheet_rows(shown, label, count, (round(height * scale), round(width * scale))) for label in classes]
    checked = copies is not None and not copies.missing
    return grid(np.concatenate(rows), GALLERY_COLUMNS), len(data_set) - len(shown) if checked else None


def _sheet_rows(data_set: DataSet, label: str, count: int, size: tuple[int, int]) -> Pixels:
    """Whole rows of a class; white where there are fewer images."""
    of_class = np.flatnonzero(data_set.labels == label) if label else np.arange(len(data_set))
    chosen = np.sort(np.random.default_rng(0).permutation(of_class)[:count])
    images = np.full((count, *size, 3), 255, np.uint8)
    for place, index in enumerate(chosen):
        images[place] = fit(read_image(data_set.paths[index]), *size, "centre", "area")
    return images


def describe_set(data_set: DataSet, left_out: int | None) -> list[str]:
    """Markdown lines about a synthetic set and its picture."""
    name, generator = data_set.folder.name, data_set.provenance.generator
    kinds = f"; {' and '.join(data_set.classes)}, a row each" if data_set.classes else ""
    origin = generator.claim or (
        f"generated by {generator.recipe}" if generator.recipe else "the generator is not known"
    )
    facts = f"{len(data_set):,} images{kinds}; {origin}. Random images (seed 0), "
    if left_out is None:
        facts += (
            "not all checked for copies: some may be photographs of the training set. Run dermsynth evaluate first."
        )
    else:
        facts += f"{left_out} flagged as copies left out." if left_out else "none flagged as a copy."
    return [f"## {name}", "", facts, "", f"![{name}]({name}.jpg)", ""]
