"""Images generated from images: translations of photographs, and images of semantic maps, as labelled data sets."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.file_names import path_inside, unique_stems
from dermsynth.data.maps import MapSettings, decode_maps, with_maps
from dermsynth.data.masks import read_mask
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.training_set import Minibatch, MinibatchDomains
from dermsynth.data.verification import verify
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.images import encode_png, fit
from dermsynth.io import write_bytes
from dermsynth.locks import folder_lock
from dermsynth.models.sampler import CHUNK, sample_images
from dermsynth.progress import progress_bar
from dermsynth.sampling.generate import claim, description_of, real_images
from dermsynth.sampling.generator import Generator, check_truncation
from dermsynth.training import distributed

Pixels = NDArray[np.uint8]


def change_outside(images: Pixels, translations: Pixels, masks: Pixels) -> NDArray[np.float64]:
    """Mean absolute difference in grey levels outside the mask, per image; uint8 [n, 3, h, w] twice, and [n, 1, h, w]."""
    outside = np.broadcast_to(masks == 0, images.shape)
    difference = np.abs(images.astype(np.int16) - translations) * outside
    means: NDArray[np.float64] = difference.sum(axis=(1, 2, 3)) / np.maximum(outside.sum(axis=(1, 2, 3)), 1)
    return means


def translate(
    generator: Generator, source: DataSet, out: Path, *, to: str = "", masks: DataSet | None = None, split: str = "all"
) -> DataSet:
    """Translate the images of a data set that have the other label, or none.

    `masks` is a data set whose masks say where to change images, used in turn; without it each image's own mask. After an
    interruption the same call writes the same images. Each row of the result names source image and mask, and how much
    changed outside the mask.

    Raises UserError when the run does not translate, the label is unknown, or masks are needed and missing.
    """
    with folder_lock(out):
        return _translate(generator, source, out, to, masks, split)


def _translate(generator: Generator, source: DataSet, out: Path, to: str, masks: DataSet | None, split: str) -> DataSet:
    model, data = generator.model, generator.config.data
    if not model.inputs.translates:
        raise UserError(f"{generator.run}: {generator.config.family} does not translate; use dermsynth generate")
    target = _target(generator, to)
    for data_set in (source, masks or source):
        verify(data_set)
    rows = _sources(source, data.classes, target, split)
    places = _mask_places(rows, masks) if model.inputs.masked else [None] * len(rows.table)
    images = decode_images(rows, Decoding(data.height, data.width, data.crop, data.filter))
    origin = generator.origin().with_facts(
        translated_to=data.classes[target],
        source=str(source.folder),
        source_hash=source.whole_hash,
        source_split=split,
        masks="" if masks is None else masks.whole_hash,
    )
    claim(out, origin)
    table, names = [], unique_stems(rows.table["file_name"])
    for part in _chunks(len(images), generator):
        chosen = [places[i] for i in part]
        translations, changes = _translate_images(generator, np.asarray(images[part]), target, chosen)
        for i, image, place, change in zip(part, translations, chosen, changes, strict=True):
            row = {"source_image": rows.table["file_name"].iloc[int(i)], **_side(rows, int(i))}
            if place is not None:
                row |= {"source_mask": str(place), "change_outside_mask": f"{change:.3f}"}
            table.append(_write(out, names[int(i)], image, data.classes[target], generator, row))
    facts = description_of(origin, real_images(generator, out, source))
    return _finish(out, table, facts, "dermsynth translate")


def _translate_images(
    generator: Generator, images: Pixels, target: int, places: list[Path | None]
) -> tuple[Pixels, NDArray[np.float64]]:
    """Translations of images [n, 3, h, w], and how much changed outside their masks."""
    mask, count = _read_masks(places, generator), len(images)
    inputs = Minibatch(images, np.full(count, target), None, MinibatchDomains(images, images, images, images, mask))
    translations = sample_images(generator.model, [0] * count, [target] * count, inputs=inputs)
    return translations, change_outside(images, translations, mask)


def from_maps(
    generator: Generator, source: DataSet, out: Path, *, split: str = "", seed: int = 0, truncation: float | None = None
) -> DataSet:
    """Generate an image from every map of a split, or from every lesion mask with its markers.

    Where the family has noise, image k has the seed `seed` + k, and where it knows classes, the class of the map's own image.
    Without `split` it is the one the generator was trained on, where the data set has splits: maps of test lesions would
    carry their outlines into whatever is trained on the result (BISSOTO uses maps of training images only). Every row keeps
    split and group of its source.

    Raises UserError when the run takes no maps, the maps' values or labels have other names than in training, or a seed or
    truncation is asked of a family without noise.
    """
    _check_map_request(generator, seed, truncation)
    with folder_lock(out):
        return _fill_maps(generator, source, out, split, seed, truncation)


def _check_map_request(generator: Generator, seed: int, truncation: float | None) -> None:
    model, family = generator.model, generator.config.family
    if not model.inputs.from_maps:
        raise UserError(f"{generator.run}: {family} takes no maps; leave `maps` out")
    asked = [name for name, value in (("`seed`", seed != 0), ("`truncation`", truncation is not None)) if value]
    if asked and not model.noise_shapes():
        raise UserError(f"{' and '.join(asked)}: {family} makes one image of every map, without noise; leave it out")
    check_truncation(generator, truncation)


def _fill_maps(
    generator: Generator, source: DataSet, out: Path, split: str, seed: int, truncation: float | None
) -> DataSet:
    model, data = generator.model, generator.config.data
    verify(source)
    splits = set(source.splits)
    split = split or (data.split if data.split in splits else "all")
    rows = with_maps(source.split(split))
    decoding = Decoding(data.height, data.width, data.crop, data.filter)
    maps = decode_maps(rows, decoding, MapSettings(data.map_layers, data.superpixels))
    labels, noisy = _classes_of_maps(rows, data.classes), bool(model.noise_shapes())
    origin = generator.origin().with_facts(maps=str(source.folder), maps_hash=source.whole_hash, maps_split=split)
    if noisy:
        origin = origin.with_facts(first_seed=seed, truncation=truncation)
    claim(out, origin)
    table, names = [], unique_stems(rows.table["file_name"])
    for part in _chunks(len(maps), generator):
        batch = np.asarray(maps[part])
        inputs = Minibatch(np.zeros((len(part), 3, *batch.shape[2:]), np.uint8), np.zeros(len(part), np.int64), batch)
        seeds = [seed + int(i) if noisy else 0 for i in part]
        images = sample_images(model, seeds, [labels[i] for i in part], truncation, inputs)
        for i, number, image, planes in zip(part, seeds, images, batch, strict=True):
            source_row, name = rows.table.iloc[int(i)], names[int(i)]
            write_bytes(out / "masks" / f"{name}.png", encode_png(np.where(planes[0] > 0, 255, 0).astype(np.uint8)))
            row = {"mask_file_name": f"masks/{name}.png", "source_map": source_row["file_name"], **_side(rows, int(i))}
            row |= {"seed": str(number)} if noisy else {}
            table.append(_write(out, name, image, str(source_row.get("label", "")), generator, row))
    facts = description_of(origin, real_images(generator, out, source))
    return _finish(out, table, facts, "dermsynth generate --maps")


def _classes_of_maps(rows: DataSet, classes: tuple[str, ...]) -> list[int]:
    """Number of the class of every map's own image; -1 where it has none, or the generator knows no classes.

    Raises UserError for a label that the generator was not trained on.
    """
    labels = [str(label) for label in rows.labels]
    unknown = sorted({label for label in labels if classes and label} - set(classes))
    if unknown:
        raise UserError(f"{rows.folder}: label {unknown[0]!r}; the generator knows: {', '.join(classes)}")
    return [classes.index(label) if classes and label else -1 for label in labels]


def _side(rows: DataSet, index: int) -> dict[str, str]:
    """Split and group of a source image: the result of a test image stays on the test side."""
    row = rows.table.iloc[index]
    return {column: str(row[column]) for column in ("group", "split") if column in rows.table}


def _target(generator: Generator, to: str) -> int:
    """Number of the label that is asked for."""
    classes, possible = generator.config.data.classes, generator.model.targets()
    names = [classes[number] for number in possible]
    if not to and len(possible) == 1:
        return possible[0]
    if to not in names:
        raise UserError(f"`target` {to!r}: this run makes {' and '.join(names)}; name one")
    return classes.index(to)


def _sources(source: DataSet, classes: tuple[str, ...], target: int, split: str) -> DataSet:
    """The images to translate: those of the other domain where labels are known."""
    rows, other = source.split(split), classes[1 - target]
    if other in rows.classes:
        return rows.part(rows.labels == other)
    if rows.classes:
        raise UserError(f"{source.folder}: no images labelled {other!r}; it has: {', '.join(rows.classes)}")
    return rows


def _mask_places(rows: DataSet, masks: DataSet | None) -> list[Path | None]:
    """Path of the mask of every image: those of another data set in turn, or the images' own."""
    source = rows if masks is None else masks
    names = [name for name in source.table.get("mask_file_name", []) if name]
    if masks is None and len(names) < len(rows.table):
        raise UserError(
            f"{rows.folder}: {len(rows.table) - len(names)} images have no mask that says where; give `masks` DIR"
        )
    if not names:
        raise UserError(f"{source.folder}: no masks")
    return [path_inside(source.folder, names[i % len(names)]) for i in range(len(rows.table))]


def _read_masks(places: list[Path | None], generator: Generator) -> Pixels:
    """Masks as uint8 [n, 1, h, w] of 0 and 1; zeros where the family takes none.

    Raises UserError for a mask that covers everything.
    """
    data = generator.config.data
    masks = np.zeros((len(places), 1, data.height, data.width), np.uint8)
    for index, place in enumerate(places):
        if place is None:
            continue
        masks[index, 0] = fit(read_mask(place).astype(np.uint8), data.height, data.width, data.crop, "nearest")
        if masks[index].all():
            raise UserError(f"{place}: all lesion; nothing is left that must not change")
    return masks


def _chunks(count: int, generator: Generator) -> Iterator[NDArray[np.int64]]:
    distributed.keep_freed_memory()
    parts = [np.arange(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    yield from progress_bar(parts, total=len(parts), label="generating", unit=f"x{CHUNK} img")


def _write(
    out: Path, name: str, image: Pixels, label: str, generator: Generator, columns: dict[str, str]
) -> dict[str, str]:
    text = {"Software": "dermsynth", "label": label, "checkpoint": generator.checkpoint.hash}
    write_bytes(out / "images" / f"{name}.png", encode_png(image.transpose(1, 2, 0), text=text, synthetic=True))
    row = {"file_name": f"images/{name}.png", "label": label} if label else {"file_name": f"images/{name}.png"}
    return {**row, **columns, "checkpoint": generator.checkpoint.hash[:16], "synthetic": "true"}


def _finish(out: Path, rows: list[dict[str, str]], facts: dict[str, object], command: str) -> DataSet:
    """Write table and description."""
    changes = [float(row["change_outside_mask"]) for row in rows if "change_outside_mask" in row]
    if changes:
        mean = round(float(np.mean(changes)), 3)
        facts["change_outside_mask"] = {"mean": mean, "worst": max(changes), "n": len(changes)}
    return write_data_set(
        out, pd.DataFrame(rows).fillna(""), Provenance.model_validate(facts), Step(command=command, count=len(rows))
    )
