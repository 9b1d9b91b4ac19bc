"""Whole data sets without artefacts, or with some drawn in: new folders of the same form, image by image."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.artefacts.annotate import masks_of
from dermsynth.artefacts.confirmation import LABELS
from dermsynth.artefacts.fill import SLOW
from dermsynth.artefacts.removal import Removal, check_methods, remove_artefacts
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.file_names import path_inside, unique_stems
from dermsynth.data.masks import read_mask
from dermsynth.data.phantom.artefacts import insert
from dermsynth.data.phantom.canvas import Canvas
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import require_empty, write_data_set
from dermsynth.errors import UserError
from dermsynth.images import Pixels, encode_png, read_image
from dermsynth.io import replace_folder, write_within
from dermsynth.parallel import parallel_map

Mask = NDArray[np.bool_]
INSERTED = ("frame", "hair", "ruler", "ink", "sticker")
COVERED = 63
"""Of 255: what covers a pixel by more is in the mask."""


def insert_artefacts(image: Pixels, names: Sequence[str], seed: int) -> tuple[Pixels, dict[str, Mask]]:
    """Draw artefacts into an image as the phantom does.

    Parameters
    ----------
    image
        RGB uint8 [h, w, 3].
    names
        Of frame, hair, ruler, ink and sticker, in the order in which they are drawn.
    seed
        Seed of their places, sizes and colours, at least 0.

    Returns
    -------
    The image, and of every artefact its exact mask, bool [h, w]; the shadows of frames and stickers lie outside their masks.

    Examples
    --------
    >>> image, masks = insert_artefacts(np.full((64, 64, 3), 200, np.uint8), ["ruler"], seed=1)
    >>> image.shape, bool(masks["ruler"].any())
    ((64, 64, 3), True)
    """
    canvas = Canvas(image.shape[0], image.shape[1], np.random.default_rng([seed, 23]))
    result: NDArray[np.floating[Any]] = image.astype(np.float32) / 255
    masks = dict[str, Mask]()
    for name in names:
        result, mask = insert(canvas, result, name)
        masks[name] = np.asarray(mask) > COVERED
    return np.clip(np.rint(result * 255), 0, 255).astype(np.uint8), masks


Row = dict[str, str]
Edit = Callable[[DataSet, Row, Pixels, Mask | None, int], tuple[Pixels, Mask | None, Row]]
"""Image, lesion mask and columns of a new row, from a set, one of its rows, its image and mask, and its number."""
CHUNK = 8
SHARED_FACTS = (
    "synthetic", "source", "licence", "attribution", "layout", "doi", "citation", "leak_columns", "phantom", "generator",
    "real_images", "digital_source_type",
)  # fmt: skip
"""Facts of a set that its edited copy shares."""
OUTDATED = ("found_", "score_", "probability_", "copy_", "left_", "skin_tone"), ("structures", "_file_name", "_mask")
"""Beginnings and endings of columns that describe the pixels as they were, or name files that do not come along."""


def remove_all(data_set: DataSet, out: Path, removal: Removal, *, jobs: int | None = None) -> tuple[DataSet, list[str]]:
    """Write a copy of a set without artefacts, by stored masks where there are any.

    Parameters
    ----------
    data_set
        The set; it stays as it is.
    out
        Folder of the copy, new or empty.
    removal
        Which artefacts are removed, and how.
    jobs
        Images that are worked on at once; None for what `use_workers` set.

    Returns
    -------
    The copy, and what had to be left out and why. Its new columns: `edited_from`, `filled_share` and `lesion_lost` (shares of
    the image that was filled, and of the lesion that a cut lost), and of every artefact that was filled `left_NAME`: pixels
    detected before, detected again outside the lesion, and inside it.

    Raises
    ------
    UserError
        For a method that is not one of its artefact's, when `out` holds something, or no image could be edited.
    """
    check_methods(removal.methods)
    step = Step(
        command="dermsynth artefacts remove",
        methods=dict(removal.methods),
        inside_lesion=removal.inside_lesion,
        seed=removal.seed,
    )
    chunk = 1 if set(removal.methods.values()) & set(SLOW) else CHUNK
    return _edit(data_set, out, partial(_remove, removal), step, jobs, chunk)


def insert_all(data_set: DataSet, out: Path, names: Sequence[str], seed: int, *, jobs: int | None = None) -> DataSet:
    """Write a copy of a set with artefacts drawn into every image: counterfactual pairs.

    Parameters
    ----------
    data_set
        The set; it stays as it is.
    out
        Folder of the copy, new or empty.
    names
        Of frame, hair, ruler, ink and sticker, in the order in which they are drawn.
    seed
        Image number i is drawn with the seed `seed` + i.
    jobs
        Images that are worked on at once; None for what `use_workers` set.

    Returns
    -------
    The copy; its columns `edited_from` and `inserted` name the image without the artefacts, and the artefacts.

    Raises
    ------
    UserError
        For no artefact or an unknown one, when `out` holds something, or no image could be edited.
    """
    _check_inserted(names)
    step = Step(command="dermsynth artefacts insert", artefacts=list(names), seed=seed)
    return _edit(data_set, out, partial(_insert, tuple(names), seed), step, jobs)[0]


def _check_inserted(names: Sequence[str]) -> None:
    for name in names:
        if name not in INSERTED:
            raise UserError(f"`artefacts`: no artefact {name!r} that can be drawn; there are: {', '.join(INSERTED)}")
    if not names:
        raise UserError(f"`artefacts`: nothing to draw; there are: {', '.join(INSERTED)}")


def _remove(
    removal: Removal, data_set: DataSet, row: Row, image: Pixels, lesion: Mask | None, number: int
) -> tuple[Pixels, Mask | None, Row]:
    result = remove_artefacts(image, lesion, removal, masks_of(data_set, row))
    facts = {"filled_share": f"{result.filled.mean():.4f}", "lesion_lost": f"{result.lesion_lost:.4f}"}
    facts |= {f"left_{name}": " ".join(map(str, counts)) for name, counts in result.remaining_pixels.items()}
    facts |= {column: "" for name in removal.methods for column in LABELS[name] if column in row}
    return result.image, None if lesion is None else lesion[result.box], facts


def _insert(
    names: Sequence[str], seed: int, data_set: DataSet, row: Row, image: Pixels, lesion: Mask | None, number: int
) -> tuple[Pixels, Mask | None, Row]:
    labels = {column: "1" for name in names for column in LABELS[name] if column in row}
    return insert_artefacts(image, names, seed + number)[0], lesion, {"inserted": " ".join(names), **labels}


def _edit(
    data_set: DataSet, out: Path, edit: Edit, step: Step, jobs: int | None, chunk: int = CHUNK
) -> tuple[DataSet, list[str]]:
    require_empty(out)
    table = data_set.table
    rows = table.assign(stem=unique_stems(table["file_name"])).to_dict("records")
    with replace_folder(out) as work:
        rewrite = partial(_edit_image, data_set, work, edit)
        results = parallel_map(rewrite, list(enumerate(rows)), label="editing", chunk=chunk, jobs=jobs)
        edited, problems = [r for r in results if isinstance(r, dict)], [r for r in results if isinstance(r, str)]
        if not edited:
            raise UserError(f"{data_set.folder}: no image could be edited; first: {problems[0]}")
        provenance = data_set.provenance
        facts = {key: provenance.document[key] for key in SHARED_FACTS if provenance.says(key)}
        facts |= {"history": provenance.document.get("history", []), "edited_from": data_set.whole_hash}
        done = Step.model_validate({**step.document, "left_out": len(problems)})
        write_data_set(work, pd.DataFrame(edited).fillna(""), Provenance.model_validate(facts), done)
    return open_data_set(out), problems


def _edit_image(data_set: DataSet, out: Path, edit: Edit, numbered: tuple[int, Row]) -> Row | str:
    """The new row, or what went wrong."""
    number, row = numbered[0], dict(numbered[1])
    name, stem = row["file_name"], row.pop("stem")
    try:
        image, mask_name = read_image(path_inside(data_set.folder, name)), row.get("mask_file_name", "")
        lesion = read_mask(path_inside(data_set.folder, mask_name)) if mask_name else None
        if lesion is not None and lesion.shape != image.shape[:2]:
            raise UserError(f"{mask_name}: {lesion.shape[1]} x {lesion.shape[0]}, the image is not")
        result, lesion, facts = edit(data_set, row, image, lesion, number)
    except (UserError, ValueError) as error:
        return f"{name}: {error}"
    write_within(out / "images" / f"{stem}.png", encode_png(result, synthetic=data_set.synthetic_row(row)))
    begins, ends = OUTDATED
    own = {"file_name", "mask_file_name"}
    new = {k: v for k, v in row.items() if k in own or not (k.startswith(begins) or k.endswith(ends))}
    new |= {"file_name": f"images/{stem}.png", "edited_from": name, **facts}
    if lesion is not None:
        write_within(out / "masks" / f"{stem}.png", encode_png(lesion.astype(np.uint8) * 255))
        new["mask_file_name"] = f"masks/{stem}.png"
    if "width" in new:
        new |= {"width": str(result.shape[1]), "height": str(result.shape[0])}
    return new


def remaining_artefacts(copy: DataSet) -> dict[str, tuple[float, float, int]]:
    """Of every artefact that was filled: shares of its pixels that are found again, outside the lesion and inside, and images."""
    shares = {}
    for name in LABELS:
        if f"left_{name}" in copy.table:
            rows = [[int(part) for part in text.split()] for text in copy.table[f"left_{name}"] if text]
            before, outside, inside_lesion = np.array(rows).sum(axis=0)
            shares[name] = (outside / max(before, 1), inside_lesion / max(before, 1), len(rows))
    return shares
