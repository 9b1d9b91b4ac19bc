"""Imports of folders and tables, of photographs or of images that a generator elsewhere made."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dermsynth.api.places import optional_path
from dermsynth.data.dataset import Data, open_data_set
from dermsynth.data.importers.elsewhere import OF_SYNTHETIC, GeneratorElsewhere, generator_elsewhere
from dermsynth.data.importers.generic import from_csv, from_folder
from dermsynth.data.importers.importing import import_source
from dermsynth.data.importers.report import ImportResult
from dermsynth.data.importers.sources import ImportOptions, Marked, Source
from dermsynth.errors import UserError, describe, name_field, require_path, require_whole
from dermsynth.values import as_tuple

SHARES = "0.8/0.1/0.1"
LinkTargets = Path | str | Sequence[Path | str]


def import_folder(
    folder: Path | str,
    *,
    out: Path | str,
    shares: str = SHARES,
    seed: int = 0,
    lower_case_labels: bool = False,
    labels_as_written: bool = False,
    marked: Marked = "refuse",
    synthetic: bool = False,
    trained_on: Data | None = None,
    trained_on_split: str = "train",
    trained_on_files: Path | str | Sequence[str] | None = None,
    generator: str = "",
    allow_links_to: LinkTargets = (),
    salt_file: Path | str | None = None,
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
    synthetic : bool
        Whether a generator elsewhere made all the images: the set is then a synthetic one, without splits.
    trained_on : DataSet, Path, str or None
        With `synthetic`: the real set that the generator was trained on, as its makers say. Without it nothing can be said of
        copies.
    trained_on_split : str
        The split of that set: ``train``, ``validation``, ``test`` or ``all``.
    trained_on_files : Path, str, sequence of str, or None
        Where it was not a split: a CSV or text file of the images of that set, or their names.
    generator : str
        With `synthetic`: what the generator is called, such as ``SD 1.5 + LoRA``.
    allow_links_to : Path, str, or sequence of them
        Further folders into which symbolic links may lead.
    salt_file : Path, str or None
        File with the secret of the hashes that name the patients of DICOM files, so that two imports agree; it is written where
        it is not there. By default a secret is drawn for this import and kept nowhere.
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
    links = link_targets(allow_links_to)
    source = from_folder(require_path(folder, "folder"), roots=links)
    options = import_options(marked, labels_as_written, links, salt_file=salt_file, leave_out=leave_out)
    if synthetic:
        refuse_with_synthetic(shares=shares != SHARES, seed=seed != 0, marked=marked == "leave-out")
    claims = claimed_generator(synthetic, generator, trained_on, trained_on_split, trained_on_files)
    return import_rows(
        source, out, shares=shares, seed=seed, lower_case_labels=lower_case_labels, options=options, jobs=jobs,
        generator=claims,
    )  # fmt: skip


def import_csv(
    table: Path | str,
    *,
    out: Path | str,
    image: str,
    label: str = "",
    mask: str = "",
    group: str = "",
    split_column: str = "",
    sheet: str = "",
    image_folder: Path | str | None = None,
    shares: str = SHARES,
    seed: int = 0,
    lower_case_labels: bool = False,
    labels_as_written: bool = False,
    marked: Marked = "refuse",
    synthetic: bool = False,
    trained_on: Data | None = None,
    trained_on_split: str = "train",
    trained_on_files: Path | str | Sequence[str] | None = None,
    generator: str = "",
    prompt_column: str = "",
    source_column: str = "",
    mask_value: int | None = None,
    allow_links_to: LinkTargets = (),
    salt_file: Path | str | None = None,
    jobs: int | None = None,
    leave_out: Path | str | None = None,
) -> ImportResult:
    """Import the images that a CSV or Excel file names, with its columns, as a new data set.

    Parameters
    ----------
    table : Path or str
        The CSV file, or an Excel workbook (``.xlsx``; ``pip install 'dermsynth[excel]'``).
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
    sheet : str
        Sheet of a workbook; by default the first that is visible.
    image_folder : Path, str or None
        Folder from which the paths start; by default that of the table.
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
    synthetic : bool
        Whether a generator elsewhere made all the images: the set is then a synthetic one, without splits.
    trained_on : DataSet, Path, str or None
        With `synthetic`: the real set that the generator was trained on, as its makers say. Without it nothing can be said of
        copies.
    trained_on_split : str
        The split of that set: ``train``, ``validation``, ``test`` or ``all``.
    trained_on_files : Path, str, sequence of str, or None
        Where it was not a split: a CSV or text file of the images of that set, or their names.
    generator : str
        With `synthetic`: what the generator is called, such as ``SD 1.5 + LoRA``.
    prompt_column : str
        With `synthetic`: column with the words that each image was made from.
    source_column : str
        With `synthetic`: column with the real image that each image was made from; blank where from none.
    mask_value : int or None
        The lesion's number in masks that hold several numbers.
    allow_links_to : Path, str, or sequence of them
        Further folders into which symbolic links may lead.
    salt_file : Path, str or None
        File with the secret of the hashes that name the patients of DICOM files, so that two imports agree; it is written where
        it is not there. By default a secret is drawn for this import and kept nowhere.
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
    columns |= {"prompt": prompt_column, "conditioned_on": source_column}
    if not image or not isinstance(image, str):
        raise UserError(f"`image` {describe(image)}: name the column with the paths of the images")
    if mask_value is not None:
        require_whole(mask_value, "mask_value", 0)
    if synthetic:
        refuse_with_synthetic(
            shares=shares != SHARES, seed=seed != 0, marked=marked == "leave-out", split_column=bool(split_column)
        )
    elif prompt_column or source_column:
        raise UserError(f"`{'prompt_column' if prompt_column else 'source_column'}`: goes with `synthetic`")
    claims = claimed_generator(synthetic, generator, trained_on, trained_on_split, trained_on_files)
    source = from_csv(require_path(table, "table"), image=image, **columns, images=place, roots=links, sheet=sheet)
    options = import_options(marked, labels_as_written, links, mask_value, salt_file, leave_out)
    return import_rows(
        source, out, shares=shares, seed=seed, lower_case_labels=lower_case_labels, options=options, jobs=jobs,
        generator=claims,
    )  # fmt: skip


def import_options(
    marked: Marked, labels_as_written: bool, links: tuple[Path, ...], mask_value: int | None = None,
    salt_file: Path | str | None = None, leave_out: Path | str | None = None,
) -> ImportOptions:  # fmt: skip
    """How an import decides, with every path checked."""
    return ImportOptions(
        marked, labels_as_written, mask_value, links, optional_path(salt_file, "salt_file"),
        leave_out=optional_path(leave_out, "leave_out"),
    )  # fmt: skip


def refuse_with_synthetic(**given: bool) -> None:
    """Raise UserError for choices of photographs that an import of synthetic images would ignore."""
    useless = ", ".join(f"`{name}`" for name, value in given.items() if value)
    if useless:
        raise UserError(
            f"{useless}: of no use with `synthetic`: such a set has no splits and nothing but marked images"
        )


def claimed_generator(
    synthetic: bool, name: str, trained_on: Data | None, split: str, files: Path | str | Sequence[str] | None
) -> GeneratorElsewhere | None:
    """What is claimed of the generator of synthetic images; None for photographs, of which nothing may be claimed."""
    given = (trained_on is not None, split != "train", files is not None, bool(name))
    if not synthetic:
        useless = [f"`{field}`" for field, value in zip(OF_SYNTHETIC, given, strict=False) if value]
        if useless:
            raise UserError(f"{useless[0]}: goes with `synthetic`, for images that a generator elsewhere made")
        return None
    with name_field("trained_on"):
        real = None if trained_on is None else open_data_set(trained_on)
    return generator_elsewhere(name, real, split, files)


def import_rows(
    source: Source, out: Path | str, *, shares: str, seed: int, lower_case_labels: bool, options: ImportOptions,
    jobs: int | None = None, generator: GeneratorElsewhere | None = None,
) -> ImportResult:  # fmt: skip
    """A data set from what any importer found."""
    if lower_case_labels:
        source = replace(source, rows=[replace(row, label=row.label.lower()) for row in source.rows])
    return import_source(
        source, require_path(out, "out"), shares=shares, seed=seed, jobs=jobs, options=options, generator=generator
    )


def link_targets(places: LinkTargets) -> tuple[Path, ...]:
    """The folders into which links may lead."""
    several: tuple[Path | str, ...] = as_tuple(places)
    return tuple(require_path(place, "allow_links_to") for place in several)
