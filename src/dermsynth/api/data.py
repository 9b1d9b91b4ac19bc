"""Data sets: open, import, and the phantom."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dermsynth.api.places import opened, optional_path
from dermsynth.artefacts.annotations import with_annotations
from dermsynth.data.dataset import Data, DataSet
from dermsynth.data.importers.generic import from_csv, from_folder
from dermsynth.data.importers.importing import import_source
from dermsynth.data.importers.report import ImportResult
from dermsynth.data.importers.sources import ImportOptions, Marked, Source
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.errors import UserError, describe, require_number, require_path, require_whole
from dermsynth.models.layers.shapes import parse_shape
from dermsynth.values import as_tuple

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
    data_set = opened(folder, "folder")
    return data_set if annotations is None else with_annotations(data_set, require_path(annotations, "annotations"))


def import_folder(
    folder: Path | str,
    *,
    out: Path | str,
    shares: str = SHARES,
    seed: int = 0,
    lower_case_labels: bool = False,
    labels_as_written: bool = False,
    marked: Marked = "refuse",
    allow_links_to: LinkTargets = (),
    jobs: int | None = None,
    leave_out: Path | str | None = None,
) -> ImportResult:
    """Import a folder of images as a new data set.

    Sub-folders are the labels, or the splits where they are called train, validation and test. A file that cannot be used
    is listed in ``import_report.csv`` and left out.

    Parameters
    ----------
    folder : Path or str
        The folder of images.
    out : Path or str
        New folder for the data set.
    shares : str
        Shares of training, validation and test images, between 0 and 1; they sum to 1. Images of one patient or lesion,
        and near-duplicates, stay together.
    seed : int
        Seed of the random numbers that divide the images, at least 0.
    lower_case_labels : bool
        Whether labels that differ in case only are one class.
    labels_as_written : bool
        Whether labels such as ``NA`` or ``1.0`` stay as they are; otherwise they are missing values and numbers.
    marked : {"refuse", "leave-out", "keep"}
        What happens to images whose files say that an algorithm made them.
    allow_links_to : Path, str, or sequence of them
        Further folders into which symbolic links may lead.
    jobs : int or None
        Images that are worked on side by side, at least 1; by default one a core.
    leave_out : Path, str or None
        A list of images to leave out: of ``audit``, CleanVision or SelfClean, or any CSV with a column ``file_name``.

    Returns
    -------
    ImportResult
        ``data_set``, and what happened to files: ``files``, ``notes``, ``summary()``.

    Raises
    ------
    UserError
        There are no images, `out` is not empty, or a value is not what it should be.

    Examples
    --------
    >>> import dermsynth as ds
    >>> data = ds.import_folder("photographs", out="imported", shares="0.5/0.25/0.25", jobs=1).data_set
    >>> data.classes
    ['melanoma', 'nevus']
    """
    source = from_folder(require_path(folder, "folder"), roots=link_targets(allow_links_to))
    options = ImportOptions(
        marked, labels_as_written, None, link_targets(allow_links_to), optional_path(leave_out, "leave_out")
    )
    return import_rows(
        source, out, shares=shares, seed=seed, lower_case_labels=lower_case_labels, options=options, jobs=jobs
    )


def import_csv(
    table: Path | str,
    *,
    out: Path | str,
    image: str,
    label: str = "",
    mask: str = "",
    group: str = "",
    split_column: str = "",
    image_folder: Path | str | None = None,
    shares: str = SHARES,
    seed: int = 0,
    lower_case_labels: bool = False,
    labels_as_written: bool = False,
    marked: Marked = "refuse",
    mask_value: int | None = None,
    allow_links_to: LinkTargets = (),
    jobs: int | None = None,
    leave_out: Path | str | None = None,
) -> ImportResult:
    """Import the images that a CSV names, with its columns, as a new data set.

    Parameters
    ----------
    table : Path or str
        The CSV file.
    out : Path or str
        New folder for the data set.
    image : str
        Column with the path of the image.
    label : str
        Column with the class; without it the images have no labels.
    mask : str
        Column with the path of the lesion mask.
    group : str
        Column with the patient or lesion, which the splits never divide.
    split_column : str
        Column that says train, validation or test already.
    image_folder : Path, str or None
        Folder from which the paths start; by default that of the CSV.
    shares : str
        Shares of training, validation and test images, between 0 and 1; they sum to 1.
    seed : int
        Seed of the random numbers that divide the images, at least 0.
    lower_case_labels : bool
        Whether labels that differ in case only are one class.
    labels_as_written : bool
        Whether labels such as ``NA`` or ``1.0`` stay as they are.
    marked : {"refuse", "leave-out", "keep"}
        What happens to images whose files say that an algorithm made them.
    mask_value : int or None
        The lesion's number in masks that hold several numbers.
    allow_links_to : Path, str, or sequence of them
        Further folders into which symbolic links may lead.
    jobs : int or None
        Images that are worked on side by side, at least 1; by default one a core.
    leave_out : Path, str or None
        A list of images to leave out: of ``audit``, CleanVision or SelfClean, or any CSV with a column ``file_name``.

    Returns
    -------
    ImportResult
        ``data_set``, and what happened to files: ``files``, ``notes``, ``summary()``.

    Raises
    ------
    UserError
        A column or file is missing, `out` is not empty, or a value is not what it should be.

    Examples
    --------
    >>> import dermsynth as ds
    >>> result = ds.import_csv("photographs.csv", image="file", label="diagnosis", group="patient", out="from_csv", jobs=1)
    >>> sorted(set(result.data_set.splits))
    ['test', 'train', 'validation']
    """
    links = link_targets(allow_links_to)
    place = optional_path(image_folder, "image_folder")
    columns = {"label": label, "mask": mask, "group": group, "split": split_column}
    if not image or not isinstance(image, str):
        raise UserError(f"`image` {describe(image)}: name the column with the paths of the images")
    if mask_value is not None:
        require_whole(mask_value, "mask_value", 0)
    source = from_csv(require_path(table, "table"), image=image, **columns, images=place, roots=links)
    options = ImportOptions(marked, labels_as_written, mask_value, links, optional_path(leave_out, "leave_out"))
    return import_rows(
        source, out, shares=shares, seed=seed, lower_case_labels=lower_case_labels, options=options, jobs=jobs
    )


def import_rows(
    source: Source, out: Path | str, *, shares: str, seed: int, lower_case_labels: bool, options: ImportOptions,
    jobs: int | None = None,
) -> ImportResult:  # fmt: skip
    """A data set from what any importer found."""
    if lower_case_labels:
        source = replace(source, rows=[replace(row, label=row.label.lower()) for row in source.rows])
    return import_source(source, require_path(out, "out"), shares=shares, seed=seed, jobs=jobs, options=options)


def link_targets(places: LinkTargets) -> tuple[Path, ...]:
    """The folders into which links may lead."""
    several: tuple[Path | str, ...] = as_tuple(places)
    return tuple(require_path(place, "allow_links_to") for place in several)


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
