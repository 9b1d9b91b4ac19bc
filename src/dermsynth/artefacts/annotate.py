"""Detect artefacts in a whole data set: columns of its table, and masks as files."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.artefacts.annotations import MASKS, annotations_folder, claim_annotations, write_annotations
from dermsynth.artefacts.annotations import TONE as TONE
from dermsynth.artefacts.detection import ARTEFACTS, DetectedArtefact, detect
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.file_names import path_inside, unique_stems
from dermsynth.data.masks import read_mask
from dermsynth.errors import UserError
from dermsynth.images import Pixels, read_image
from dermsynth.io import write_bytes
from dermsynth.parallel import parallel_map
from dermsynth.segmentation.lesion import lesion_mask
from dermsynth.segmentation.skin import skin_tone

Mask = NDArray[np.bool_]
COLUMN, FOLDER, BITS = MASKS, "artefacts", "artefact_bits"
THRESHOLDS = {"frame": 0.535, "hair": 0.028, "ruler": 0.422, "ink": 0.178, "sticker": 2.0, "bubble": 0.0042}
"""Scores from which on an image counts as showing the artefact: the least at which, on half of 1,704 labelled ISIC images, 95 %
of such images are labelled with it; of bubbles 80 %, for more is never reached. bench/detection.py judges the other half."""
CHUNK = 16


def score_column(name: str) -> str:
    """Column of an artefact's score."""
    return f"score_{name}"


def found_column(name: str) -> str:
    """Column that says with 0 or 1 whether an artefact was found."""
    return f"found_{name}"


def annotate_artefacts(
    data_set: DataSet, *, out: Path | None = None, masks: bool = True, jobs: int | None = None
) -> DataSet:
    """Look for artefacts in every image of a set.

    Parameters
    ----------
    data_set
        The set; images that cannot be read keep blanks.
    out
        Folder of annotations that is written instead of the set itself.
    masks
        Whether a PNG of 16 bits an image is written whose bits are the masks.
    jobs
        Images that are worked on at once; None for what `use_workers` set.

    Returns
    -------
    The set with columns `found_NAME` (0 or 1), `score_NAME`, `skin_tone` (degrees) and `artefacts_file_name`.

    Raises
    ------
    UserError
        When no image can be read, or neither the set nor `out` can be written.
    """
    target_folder = claim_annotations(data_set, out)
    names = list(data_set.table["file_name"])
    every = list(open_data_set(data_set.folder).table["file_name"])  # so that no other image's masks are overwritten
    stems = dict(zip(every, unique_stems(every), strict=True))
    targets = [f"{FOLDER}/{stems[name]}.png" if masks else "" for name in names]
    lesions = list(data_set.table.get("mask_file_name", [""] * len(names)))
    triples = list(zip(names, lesions, targets, strict=True))
    mark_image = partial(_annotate_image, data_set.folder, target_folder)
    rows = parallel_map(mark_image, triples, label="looking for artefacts", chunk=CHUNK, jobs=jobs)
    if not any(rows):
        raise UserError(f"{data_set.folder}: no image could be read")
    table = pd.DataFrame(rows, index=data_set.table.index).astype(object).fillna("")
    columns = {str(name): table[name].to_numpy() for name in table.columns}
    bits = {name: bit for bit, name in enumerate(ARTEFACTS)}
    facts = {BITS: bits, "artefact_thresholds": THRESHOLDS}
    history = [
        *data_set.provenance.document.get("history", []),
        {"command": "dermsynth artefacts detect", "masks": masks},
    ]
    return write_annotations(data_set, columns, {**facts, "history": history}, out)


def _annotate_image(folder: Path, out: Path, names: tuple[str, str, str]) -> dict[str, object]:
    """The columns of one image, by the names of the image, its lesion mask and its file of masks to be written."""
    name, lesion_name, target = names
    try:
        image = read_image(path_inside(folder, name))
        lesion = _usable_lesion(folder, lesion_name, image)
    except UserError:
        return {}
    artefacts = detect(image, lesion=lesion)
    row: dict[str, object] = {TONE: _tone_text(image, lesion, artefacts)}
    for artefact, detected in artefacts.items():
        row[found_column(artefact)] = str(int(detected.score >= THRESHOLDS[artefact]))
        row[score_column(artefact)] = f"{detected.score:.4g}"
    if target:
        write_bytes(out / target, encode_bits({artefact: detected.mask for artefact, detected in artefacts.items()}))
        row[COLUMN] = target
    return row


def _usable_lesion(folder: Path, name: str, image: Pixels) -> Mask | None:
    """The mask of the lesion where it has the size of the image and is not empty."""
    lesion = read_mask(path_inside(folder, name)) if name else None
    return lesion if lesion is not None and lesion.shape == image.shape[:2] and lesion.any() else None


def _tone_text(image: Pixels, lesion: Mask | None, artefacts: Mapping[str, DetectedArtefact]) -> str:
    """Individual typology angle of the bare skin in degrees; blank where the light does not let it be measured."""
    skin = ~(lesion_mask(image) if lesion is None else lesion)
    for detected in artefacts.values():
        skin &= ~detected.mask
    tone = skin_tone(image, skin)
    return "" if np.isnan(tone) else f"{tone:.1f}"


def encode_bits(masks: Mapping[str, Mask]) -> bytes:
    """Masks as one PNG of 16 bits, a bit an artefact."""
    bits = np.zeros(next(iter(masks.values())).shape, np.uint16)
    for name, mask in masks.items():
        bits |= mask.astype(np.uint16) << ARTEFACTS.index(name)
    return cv2.imencode(".png", bits)[1].tobytes()


def masks_of(data_set: DataSet, row: Mapping[str, str]) -> dict[str, DetectedArtefact] | None:
    """The masks that were stored for an image, or None."""
    if not row.get(COLUMN):
        return None
    path = path_inside(annotations_folder(data_set), row[COLUMN])
    try:
        bits = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); run dermsynth artefacts detect again") from error
    if bits is None or bits.ndim != 2:
        raise UserError(f"{path}: no masks of artefacts; run dermsynth artefacts detect again")
    named = data_set.provenance.artefact_bits
    return {
        name: DetectedArtefact((bits >> int(bit)) & 1 == 1, float(row.get(score_column(name)) or 0))
        for name, bit in named.items()
    }
