"""Data sets: open, and the phantom."""

from collections.abc import Sequence
from pathlib import Path

from dermsynth.api.places import open_named
from dermsynth.artefacts.annotations import with_annotations
from dermsynth.data.dataset import Data, DataSet
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.errors import require_number, require_path
from dermsynth.models.layers.shapes import parse_shape

SHARES = "0.8/0.1/0.1"
LinkTargets = Path | str | Sequence[Path | str]


def open_dataset(folder: Data, *, annotations: Path | str | None = None) -> DataSet:
    """Open a data set on disk: a folder with ``metadata.csv`` and ``dataset.json``.

    Parameters
    ----------
    folder : DataSet, Path or str
        The folder. A data set that is open already is returned as it is.
    annotations : Path, str or None
        Folder into which ``artefacts.detect`` wrote what it found, where that is not the data set itself.

    Returns
    -------
    DataSet
        The table (one row an image), the description, and the images when they are asked for.

    Raises
    ------
    UserError
        The folder is no data set, its table lacks a column or names a file outside of the folder; the annotations are of
        other images.

    Examples
    --------
    >>> import dermsynth as ds
    >>> data = ds.open_dataset("data")
    >>> len(data.table), data.classes
    (600, ['melanoma', 'nevus', 'seborrheic_keratosis'])
    """
    data_set = open_named(folder, "folder")
    return data_set if annotations is None else with_annotations(data_set, require_path(annotations, "annotations"))


def phantom(
    out: Path | str,
    *,
    count: int = 2000,
    resolution: int | str = 64,
    seed: int = 0,
    artefact: str = "frame",
    tied_to: str = "melanoma",
    correlation: float = 0.0,
    jobs: int | None = None,
) -> DataSet:
    """Draw dermoscopy by a program: a data set with exact masks of every structure, which needs no patient.

    Parameters
    ----------
    out : Path or str
        New folder for the data set.
    count : int
        Number of images, at least 1.
    resolution : int or str
        Size in pixels: one number for squares, or ``"WIDTHxHEIGHT"``; sides from 16 to 4096.
    seed : int
        Seed of the first image, at least 0; image i is a function of seed + i.
    artefact : {"hair", "ruler", "frame", "ink", "sticker"}
        The artefact that `correlation` ties to a class.
    tied_to : {"nevus", "melanoma", "seborrheic_keratosis"}
        The class it is tied to.
    correlation : float
        From -1 to 1. At 0 the artefact is as frequent in every class; at 1 it occurs in every image of the class and in no other.
    jobs : int or None
        Images that are worked on side by side, at least 1; by default one a core.

    Returns
    -------
    DataSet
        The new data set, with splits train, validation and test.

    Raises
    ------
    UserError
        `out` is not empty, or a value is out of its range.

    Examples
    --------
    >>> import dermsynth as ds
    >>> data = ds.phantom("drawn", count=8, resolution="48x32", jobs=1)
    >>> len(data.table), data.table["split"].iloc[0]
    (8, 'train')
    """
    shape = parse_shape(resolution, smallest=16, largest=4096)
    require_number(correlation, "correlation")
    settings = PhantomSettings(shape.height, shape.width, artefact, tied_to, correlation)
    return write_phantom(require_path(out, "out"), count, settings, seed=seed, jobs=jobs)
