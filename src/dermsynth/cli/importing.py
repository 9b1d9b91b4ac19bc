"""Verbs that bring images in and look at them."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dermsynth.cli.flags import say, say_photographs
from dermsynth.cli.options import (
    WORKERS,
    Annotations,
    DataFolder,
    Folders,
    NewData,
    Photographs,
    Seed,
    Split,
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
    workers: Workers = WORKERS
    """Who reads the images."""

    def begin(self) -> dict[str, Any]:
        """Set who reads the images; the rest as arguments of an import."""
        self.workers.prepare()
        return {"shares": self.shares, "seed": self.seed, "marked": self.marked}


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
    options = ImportOptions(division.marked, labels.labels_as_written, mask_value, links.allow_links_to)
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


def fetch(source: str, *, out: NewData, count: int, query: str = "", base: str = "", per_second: float = 4.0) -> None:
    """Download images from a public archive; `isic` is the only one.

    Parameters
    ----------
    source
        isic
    count
        How many images at most.
    query
        The archive's own search language, for example diagnosis_3:"Nevus".
    base
        Another address of the archive.
    per_second
        Requests a second at most.
    """
    from dermsynth.data.importers.isic_archive import API, fetch_isic
    from dermsynth.errors import UserError

    if source != "isic":
        raise UserError(f"data fetch {source!r}: unknown; there is: isic")
    if count < 1 or per_second <= 0:
        raise UserError(f"--count {count} --per-second {per_second}: both must be positive")
    say(fetch_isic(out, count, query=query, base=base or API, per_second=per_second).summary())


def verified(folder: DataFolder, *, fast: Switch = False) -> None:
    """Read every file of a data set, and list those that were changed, deleted or added since it was written.

    Parameters
    ----------
    fast
        Compare sizes and times, as every verb does before it uses a set, and read only files whose times differ.
    """
    from dermsynth.data.dataset import open_data_set
    from dermsynth.data.verification import differences_of, verify

    data_set = open_data_set(folder)
    differences = differences_of(data_set, full=not fast)
    for word, names in (
        ("changed", differences.changed),
        ("deleted", differences.deleted),
        ("added", differences.added),
    ):
        for name in names:
            print(f"{word:<9}{name}")
    verify(data_set, full=not fast)
    print(f"{folder}: {len(data_set.table):,} images, all as they were when the set was written")


@Parameter(name="*")
@dataclass(frozen=True)
class Patches:
    """Which patches are cut."""

    side: int = 128
    """Pixels of a patch's side."""
    stride: int = 64
    """Pixels between the corners of neighbouring patches."""
    lesion: str = "0.1-0.8"
    """Share of lesion pixels that makes a patch a lesion patch; a clean one has none."""
    skin: float = 1.0
    """Smallest share of skin or lesion, where a column names skin masks."""
    skin_mask: str = ""
    """Column with the path of the skin mask."""


PATCHES = Patches()


def patches(folder: DataFolder, *, out: NewData, cut: Patches = PATCHES) -> None:
    """Cut photographs with lesion masks into square patches, labelled clean and lesion; splits and groups are kept."""
    from dermsynth.data.dataset import open_data_set
    from dermsynth.data.patches import PatchSettings, write_patches
    from dermsynth.errors import UserError

    try:
        low, high = (float(part) for part in cut.lesion.split("-"))
    except ValueError as error:
        raise UserError(f"--lesion {cut.lesion!r}: write two shares, for example 0.1-0.8") from error
    settings = PatchSettings(cut.side, cut.stride, low, high, cut.skin, cut.skin_mask)
    result = write_patches(open_data_set(folder), out, settings)
    counts = ", ".join(f"{label} {result.count(label):,}" for label in result.classes)
    print(f"{out}: {len(result.table):,} patches ({counts})")


def edited_maps(
    folder: Path, *, out: NewData, count: int, split: Split = "train", superpixels: Switch = False, seed: Seed = 0
) -> None:
    """Make new semantic maps by bending, mirroring and recombining those of a data set.

    Parameters
    ----------
    folder
        A data set with lesion masks, or with maps of its own.
    count
        How many maps.
    superpixels
        Bend the boundaries of superpixels along, for runs that take them.
    """
    from dermsynth.data.dataset import open_data_set
    from dermsynth.data.map_editing import edit_maps

    result = edit_maps(open_data_set(folder), out, count, split=split, superpixels=superpixels, seed=seed)
    following = shlex.join(["dermsynth", "generate", "RUN", "--maps", str(out), "--out", "DIR"])
    print(f"{out}: {len(result.table):,} maps; next: {following}")


def audit(
    folder: DataFolder,
    *,
    page: Path | None = None,
    annotations: Annotations = None,
    photographs: Photographs = True,
    seed: Seed = 0,
    workers: Workers = WORKERS,
) -> None:
    """Look at a data set before training: classes, sizes, images, masks, duplicates, columns, artefacts, leaks, splits.

    Parameters
    ----------
    page
        The HTML file; audit.html in the data set by default. A JSON file is written beside it.
    """
    from dermsynth.api.audit import audit as look
    from dermsynth.api.data import open_dataset

    workers.prepare()
    result = look(open_dataset(folder, annotations=annotations), seed=seed)
    path = result.save(page or folder / "audit.html", photographs=photographs)
    say(result.text(), f"\nreport: {path}")
    say_photographs(photographs)


@Parameter(name="*")
@dataclass(frozen=True)
class Dial:
    """An artefact that gives a class away."""

    artefact: str = "frame"
    """The artefact that --correlation ties to a class: hair, ruler, frame, ink or sticker."""
    tied_to: str = "melanoma"
    """The class it is tied to: nevus, melanoma or seborrheic_keratosis."""
    correlation: float = 0.0
    """From -1 to 1: at 0 the artefact is as frequent in every class; at 1 it occurs in all images of the class and no other."""


DIAL = Dial()


def phantom(
    *,
    out: NewData,
    count: int = 2000,
    resolution: str = "64",
    seed: Seed = 0,
    dial: Dial = DIAL,
    workers: Workers = WORKERS,
) -> None:
    """Draw a phantom data set: dermoscopy by a program, with exact masks of every structure.

    Parameters
    ----------
    count
        How many images.
    resolution
        Size in pixels: one number for squares, or WIDTHxHEIGHT; sides from 16 to 4096.
    """
    from dataclasses import asdict

    from dermsynth.api.data import phantom as draw

    workers.prepare()
    result = draw(out, count=count, resolution=resolution, seed=seed, **asdict(dial))
    counts = ", ".join(f"{label} {result.count(label)}" for label in result.classes)
    print(f"{out}: {len(result.table):,} images, {counts}")
