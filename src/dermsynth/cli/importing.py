"""Verbs that bring images in."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dermsynth.cli.flags import say
from dermsynth.cli.options import (
    WORKERS,
    Folders,
    NewData,
    Seed,
    Switch,
    Workers,
)
from dermsynth.data.importers.layouts import IMPORTERS

if TYPE_CHECKING:
    from dermsynth.data.importers.sources import Source

MaskValue = Annotated[int | None, Parameter(help="The lesion's number in masks that hold several numbers.")]
ImageFolder = Annotated[Path | None, Parameter(help="Folder of the images; by default that of the table.")]
Table = Annotated[Path, Parameter(help="The CSV file.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Division:
    """How the images are divided, and which are taken."""

    shares: str = "0.8/0.1/0.1"
    """Shares of training, validation and test images; a patient or lesion is never divided."""
    seed: int = 0
    """Seed of the random numbers that divide the images."""
    marked: Literal["refuse", "leave-out", "keep"] = "refuse"
    """What to do with images that are marked as made by an algorithm."""
    leave_out: Path | None = None
    """A list of images to leave out: of dermsynth audit --exclude-out, CleanVision or SelfClean."""
    workers: Workers = WORKERS
    """Who reads the images."""

    def begin(self) -> dict[str, Any]:
        """Set who reads the images; the rest as arguments of an import."""
        self.workers.prepare()
        return {"shares": self.shares, "seed": self.seed, "marked": self.marked, "leave_out": self.leave_out}


@Parameter(name="*")
@dataclass(frozen=True)
class Labels:
    """How labels are read."""

    lower_case_labels: Switch = False
    """Make labels that differ in case one."""
    labels_as_written: Switch = False
    """Keep labels such as NA, nan or 1.0 as they stand."""


@Parameter(name="*")
@dataclass(frozen=True)
class Links:
    """Where files may lie."""

    allow_links_to: Folders = ()
    """A folder that links may lead into; may be repeated."""


DIVISION, LABELS, LINKS = Division(), Labels(), Links()


@Parameter(name="*")
@dataclass(frozen=True)
class Columns:
    """What the columns of a table are called."""

    image: str
    """Column with the image's path."""
    label: str = ""
    """Column with the class."""
    mask: str = ""
    """Column with the path of the lesion mask."""
    group: str = ""
    """Column with the patient or lesion: a split never cuts through it."""
    split_column: str = ""
    """Column that says train, validation or test already."""


def import_folder(
    folder: Path, *, out: NewData, division: Division = DIVISION, labels: Labels = LABELS, links: Links = LINKS
) -> None:
    """Import a folder of images; sub-folders are the labels, or the splits if they are named train, validation and test.

    Parameters
    ----------
    folder
        The folder of images.
    """
    from dataclasses import asdict

    from dermsynth.api.data import import_folder as write_data_set

    result = write_data_set(folder, out=out, **division.begin(), **asdict(labels), **asdict(links))
    say(result.summary())


def import_csv(
    table: Table, *, out: NewData, columns: Columns, image_folder: ImageFolder = None, division: Division = DIVISION,
    labels: Labels = LABELS, mask_value: MaskValue = None, links: Links = LINKS,
) -> None:  # fmt: skip
    """Import a CSV with named columns and the images it names."""
    from dataclasses import asdict

    from dermsynth.api.data import import_csv as write_data_set

    choices = {**asdict(columns), **division.begin(), **asdict(labels), **asdict(links)}
    result = write_data_set(table, out=out, image_folder=image_folder, mask_value=mask_value, **choices)
    say(result.summary())


def _import(
    source: "Source", out: Path, division: Division = DIVISION, labels: Labels = LABELS, links: Links = LINKS,
    mask_value: int | None = None,
) -> None:  # fmt: skip
    from dermsynth.api.data import import_rows
    from dermsynth.data.importers.sources import ImportOptions

    division.begin()
    options = ImportOptions(
        division.marked, labels.labels_as_written, mask_value, links.allow_links_to, division.leave_out
    )
    result = import_rows(
        source, out, shares=division.shares, seed=division.seed, lower_case_labels=labels.lower_case_labels,
        options=options,
    )  # fmt: skip
    say(result.summary())


def import_isic(
    table: Table, *, out: NewData, image_folder: ImageFolder = None, label: str = "", division: Division = DIVISION,
    labels: Labels = LABELS, links: Links = LINKS,
) -> None:  # fmt: skip
    """Import a metadata export of the ISIC Archive; licence, attribution, patient and lesion are kept.

    Parameters
    ----------
    label
        Column with the class; by default the finest diagnosis there is.
    """
    from dermsynth.data.importers.published import from_isic_archive

    source = from_isic_archive(table, images=image_folder, label=label, roots=links.allow_links_to)
    _import(source, out, division, labels, links)


def __getattr__(name: str) -> Callable[..., None]:
    """The verb of a published table: `import_` and the name of its layout."""
    layout = name.removeprefix("import_")
    if layout == name or layout not in IMPORTERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def import_table(
        table: Table, *, out: NewData, image_folder: ImageFolder = None, division: Division = DIVISION,
        labels: Labels = LABELS, links: Links = LINKS,
    ) -> None:  # fmt: skip
        source = IMPORTERS[layout].read()(table, images=image_folder, roots=links.allow_links_to)
        _import(source, out, division, labels, links)

    import_table.__doc__ = f"Import {IMPORTERS[layout].help.rstrip('.')}: its table and its image folder."
    return import_table


def import_isic2018(
    folder: Path, *, out: NewData, division: Division = DIVISION, mask_value: MaskValue = None, links: Links = LINKS
) -> None:
    """Import the unpacked ISIC 2018 challenge (tasks 1, 2 and 3, whatever of them is there), or that of 2019.

    Parameters
    ----------
    folder
        The unpacked folder.
    """
    from dermsynth.data.importers.isic_challenges import from_isic2018

    _import(from_isic2018(folder, roots=links.allow_links_to), out, division, links=links, mask_value=mask_value)


def import_ph2(folder: Path, *, out: NewData, division: Division = DIVISION) -> None:
    """Import the unpacked PH2 data set.

    Parameters
    ----------
    folder
        The unpacked folder.
    """
    from dermsynth.data.importers.published import from_ph2

    _import(from_ph2(folder), out, division)


def import_medmnist(archive: Path, *, out: NewData, seed: Seed = 0) -> None:
    """Import a MedMNIST .npz file with its own splits.

    Parameters
    ----------
    archive
        The .npz file.
    """
    from dermsynth.data.importers.medmnist import from_medmnist

    _import(from_medmnist(archive), out, Division(seed=seed))


def fetch(
    source: str, *, out: NewData, count: int, query: str = "", collections: str = "", base: str = "",
    per_second: float = 4.0,
) -> None:  # fmt: skip
    """Download images from a public archive; `isic` is the only one. The same command goes on where it stopped.

    Parameters
    ----------
    source
        isic
    count
        How many images at most.
    query
        The archive's own search language, for example diagnosis_3:"Nevus".
    collections
        Numbers of the archive's collections with commas, for example 66,70 (HAM10000 and the challenge of 2020).
    base
        Another address of the archive.
    per_second
        Requests a second at most.
    """
    from dermsynth.data.importers.isic_archive import API, fetch_isic, parse_collections
    from dermsynth.errors import UserError

    if source != "isic":
        raise UserError(f"data fetch {source!r}: unknown; there is: isic")
    if count < 1 or per_second <= 0:
        raise UserError(f"--count {count} --per-second {per_second}: both must be positive")
    chosen = parse_collections(collections)
    result = fetch_isic(out, count, query=query, collections=chosen, base=base or API, per_second=per_second)
    folder = result.metadata.parent
    words = ["dermsynth", "import", "isic", result.metadata, "--image-folder", folder / "images", "--out"]
    say(f"{result.summary()}; next: {shlex.join(map(str, [*words, f'{folder}-set']))}")
