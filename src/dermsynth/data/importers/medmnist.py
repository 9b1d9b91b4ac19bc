"""MedMNIST's archives of arrays."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from dermsynth.data.importers.sources import Source, SourceRow, command_of
from dermsynth.depths import float_levels
from dermsynth.errors import UserError


def from_medmnist(path: Path) -> Source:
    """A MedMNIST `.npz` (Yang et al. 2023): `train_images`, `train_labels`, and the same for val and test."""
    arrays = _read_arrays(path)
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
    return Source(path.parent, rows, facts, command_of("medmnist", path), notes=notes)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (ValueError, OSError, BadZipFile, EOFError, TypeError) as error:
        raise UserError(f"{path}: not a MedMNIST .npz ({error})") from error


def _levels_of(images: np.ndarray, name: str) -> tuple[np.ndarray, str]:
    """Images as uint8 [n, h, w, 3], and what was understood of other kinds of numbers."""
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] not in (1, 3)):
        raise UserError(f"{name} has shape {images.shape}; only 2-D sets can be imported")
    note = ""
    if images.dtype.kind == "f" and images.size:
        images, note = float_levels(images, name)
    else:
        _require_levels(images, name)
    images = images[..., None] if images.ndim == 3 else images
    return np.broadcast_to(images, (*images.shape[:3], 3)).astype(np.uint8), note


def _require_levels(images: np.ndarray, name: str) -> None:
    """Raise UserError unless an array holds whole numbers that can be grey levels."""
    if not images.size:
        return
    least, most = images.min(), images.max()
    if images.dtype.kind == "u" and most == 1:
        raise UserError(f"{name} holds whole numbers of 0 and 1 only; give pixels of 0 to 255")
    if images.dtype.kind not in "ui" or least < 0 or most > 255:
        raise UserError(
            f"{name} holds {images.dtype} from {least} to {most}; must be 0 to 255, or floating-point 0 to 1"
        )


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
