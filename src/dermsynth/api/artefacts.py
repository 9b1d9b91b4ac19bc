"""Frames, hair, rulers, ink, stickers and bubbles: detect, remove, insert, compare. `dermsynth.artefacts` in a script."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dermsynth.api.detectors import confirm, train
from dermsynth.api.places import open_named, optional_path
from dermsynth.artefacts import detection
from dermsynth.artefacts.annotate import annotate_artefacts
from dermsynth.artefacts.benchmark import Comparison, compare_methods
from dermsynth.artefacts.classifier import add_probabilities
from dermsynth.artefacts.datasets import insert_all, remove_all
from dermsynth.artefacts.fill import Method
from dermsynth.artefacts.removal import Cut, Removal
from dermsynth.data.dataset import Data, DataSet
from dermsynth.errors import UserError, describe, require_path
from dermsynth.values import as_tuple

__all__ = ["compare", "confirm", "detect", "insert", "masks", "remove", "train"]
Artefact = Literal["frame", "hair", "ruler", "ink", "sticker"]
log = logging.getLogger(__name__)


def masks(image: NDArray[np.uint8], *, lesion: NDArray[np.bool_] | None = None) -> dict[str, NDArray[np.bool_]]:
    """Where the artefacts of one image are, by classical vision.

    Parameters
    ----------
    image : ndarray of uint8 [height, width, 3]
        An RGB image.
    lesion : ndarray of bool [height, width], or None
        The lesion, where no ruler, ink or sticker is looked for; without it the lesion is found by its colour.

    Returns
    -------
    dict of str to ndarray of bool [height, width]
        A mask for each of frame, hair, ruler, ink, sticker and bubble.

    Raises
    ------
    UserError
        The array is no RGB image.

    Examples
    --------
    >>> import dermsynth as ds
    >>> image = ds.open_dataset("data").images((64, 64))[0]
    >>> sorted(ds.artefacts.masks(image))
    ['bubble', 'frame', 'hair', 'ink', 'ruler', 'sticker']
    """
    _require_array(image, "image", np.uint8, "uint8 [height, width, 3]", (None, None, 3))
    if lesion is not None:
        size = (image.shape[0], image.shape[1])
        _require_array(lesion, "lesion", np.bool_, f"bool [{size[0]}, {size[1]}], as large as the image", size)
    return {name: where.mask for name, where in detection.detect(image, lesion=lesion).items()}


def _require_array(value: object, field: str, kind: type, text: str, shape: tuple[int | None, ...]) -> None:
    """Raise UserError for what is no array of this type and shape, where None is any length."""
    if not isinstance(value, np.ndarray):
        raise UserError(f"`{field}` {describe(value)}: must be an array {text}")
    fits = len(shape) == value.ndim and all(n in (None, side) for n, side in zip(shape, value.shape, strict=True))
    if value.dtype != kind or not fits:
        raise UserError(f"`{field}`: {value.dtype} {list(value.shape)}; must be {text}")


def detect(
    data: Data,
    *,
    out: Path | str | None = None,
    store_masks: bool = True,
    detector: Path | str | None = None,
    model: str = "",
    jobs: int | None = None,
) -> DataSet:
    """Look for artefacts in every image of a data set, and store what was found with it.

    The columns are ``found_NAME`` (0 or 1), ``score_NAME`` and ``skin_tone`` (individual typology angle in degrees).

    Parameters
    ----------
    data : DataSet, Path or str
        The data set.
    out : Path, str or None
        Folder for what is found; by default the set itself, which then must be writable.
    store_masks : bool
        Whether a PNG with the masks of all artefacts is stored for each image.
    detector : Path, str or None
        Folder of a trained detector, whose probabilities become columns too.
    model : str
        The backbone it was trained on: ``mobilenet=FILE`` or ``timm:NAME=FILE``.
    jobs : int or None
        Images that are worked on side by side, at least 1; by default one a core.

    Returns
    -------
    DataSet
        The same set with the new columns.

    Raises
    ------
    UserError
        No image can be read, or the detector is of another backbone.

    Examples
    --------
    >>> import dermsynth as ds
    >>> marked = ds.artefacts.detect("with_frames", store_masks=False, jobs=1)
    >>> set(marked.table["found_frame"])
    {'1'}
    """
    marked = annotate_artefacts(open_named(data, "data"), out=optional_path(out, "out"), masks=store_masks, jobs=jobs)
    return marked if detector is None else add_probabilities(marked, require_path(detector, "detector"), model)


def remove(
    data: Data,
    *,
    out: Path | str,
    methods: Mapping[str, Method | Cut],
    inside_lesion: bool = False,
    seed: int = 0,
    jobs: int | None = None,
) -> DataSet:
    """Write a copy of a data set without artefacts; lesions with masks are protected.

    Parameters
    ----------
    data : DataSet, Path or str
        The data set; masks stored by `detect` are used.
    out : Path or str
        New folder for the copy.
    methods : mapping of str to str
        How each artefact is removed (frame, hair, ruler, ink, sticker, bubble): ``skin``, ``fsr``, ``fsr-best``, ``nearest``,
        ``telea``, ``navier-stokes`` or ``biharmonic`` fill it; frames may also be cut away with ``crop`` or ``crop-square``.
    inside_lesion : bool
        Whether hair and rulers are filled within the lesion too.
    seed : int
        Seed of the random numbers, at least 0.
    jobs : int or None
        Images that are worked on side by side, at least 1; by default one a core.

    Returns
    -------
    DataSet
        The copy, with the columns ``filled_share`` and ``lesion_lost`` (0 to 1). Images that could not be cleaned are left out
        and logged.

    Raises
    ------
    UserError
        There is nothing to remove, a method is not one of its artefact's, `out` is not empty, or no image could be cleaned.

    References
    ----------
    Telea (2004), An Image Inpainting Technique Based on the Fast Marching Method; Bertalmio et al. (2001), Navier-Stokes, Fluid
    Dynamics, and Image and Video Inpainting.

    Examples
    --------
    >>> import dermsynth as ds
    >>> clean = ds.artefacts.remove("with_frames", out="clean", methods={"frame": "crop"}, jobs=1)
    >>> clean.table["edited_from"].iloc[0].endswith(".png")
    True
    """
    if not isinstance(methods, Mapping):
        raise UserError(
            f"`methods` {describe(methods)}: name a method for each artefact, for example {{'hair': 'telea'}}"
        )
    copy, problems = remove_all(
        open_named(data, "data"), require_path(out, "out"), Removal(methods, inside_lesion, seed), jobs=jobs
    )
    for problem in problems:
        log.warning("left out: %s", problem)
    return copy


def insert(
    data: Data, *, out: Path | str, artefacts: Artefact | Sequence[Artefact], seed: int = 0, jobs: int | None = None
) -> DataSet:
    """Write a copy of a data set with artefacts drawn into every image: counterfactual pairs for testing classifiers.

    Parameters
    ----------
    data : DataSet, Path or str
        The data set, best of images without artefacts.
    out : Path or str
        New folder for the copy.
    artefacts : str, or sequence of {"frame", "hair", "ruler", "ink", "sticker"}
        What is drawn, in this order.
    seed : int
        Seed of the first image's random numbers, at least 0.
    jobs : int or None
        Images that are worked on side by side, at least 1; by default one a core.

    Returns
    -------
    DataSet
        The copy; its column ``edited_from`` names the image without the artefact.

    Raises
    ------
    UserError
        An artefact is unknown, `out` is not empty, or no image can be read.

    Examples
    --------
    >>> import dermsynth as ds
    >>> framed = ds.artefacts.insert("data", out="framed", artefacts=["frame"], jobs=1)
    >>> framed.table["inserted"].iloc[0]
    'frame'
    """
    return insert_all(open_named(data, "data"), require_path(out, "out"), as_tuple(artefacts), seed, jobs=jobs)


def compare(data: Data, *, count: int = 100, slow: bool = False, seed: int = 0, jobs: int | None = None) -> Comparison:
    """Draw artefacts into clean images, find and remove them by every method, and compare with the images as they were.

    Parameters
    ----------
    data : DataSet, Path or str
        The data set; where `detect` has looked for artefacts, only images without any are taken.
    count : int
        Number of images, at least 1.
    slow : bool
        Whether methods that take seconds an image are compared too: ``fsr-best`` and ``biharmonic``.
    seed : int
        Seed of the random numbers, at least 0.
    jobs : int or None
        Images that are worked on side by side, at least 1; by default one a core.

    Returns
    -------
    Comparison
        ``detections``: Dice of the masks found and the area under the ROC curve of the scores, by artefact. ``repairs``: PSNR in
        dB, SSIM and colour difference (CIEDE2000) inside the hole, by artefact and method, with 95 % intervals. ``to_frame()``.

    Raises
    ------
    UserError
        Fewer than two images are without artefacts.

    Examples
    --------
    >>> import dermsynth as ds
    >>> result = ds.artefacts.compare("data", count=2, jobs=1)
    >>> [row.artefact for row in result.detections]
    ['frame', 'hair', 'ruler', 'ink', 'sticker']
    """
    return compare_methods(open_named(data, "data"), count, slow=slow, seed=seed, jobs=jobs)
