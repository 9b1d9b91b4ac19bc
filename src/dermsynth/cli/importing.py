"""Verbs that bring images in."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from dermsynth.cli.flags import say
from dermsynth.cli.options import (
    WORKERS,
    Folders,
    NewData,
    Switch,
    Workers,
)
from dermsynth.data.importers.layouts import OWN, layout_files, summary

MaskValue = Annotated[int | None, Parameter(help="The lesion's number in masks that hold several numbers.")]
ImageFolder = Annotated[Path | None, Parameter(help="Folder of the images; by default that of the table.")]
Table = Annotated[Path, Parameter(help="The CSV or Excel file.")]
Place = Annotated[Path, Parameter(help="The unpacked folder, or the table in it.")]
ListSwitch = Annotated[bool, Parameter(name="--list", negative="", help="Show the published layouts.")]


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


@Parameter(name="*")
@dataclass(frozen=True)
class Patients:
    """How patients of DICOM files are named."""

    salt_file: Path | None = None
    """File with the secret of the hashes that name patients of DICOM files, so that imports agree; written if it is not there."""


@Parameter(name="*")
@dataclass(frozen=True)
class Elsewhere:
    """Images that another tool generated."""

    synthetic: Switch = False
    """A generator made all the images: they become a synthetic set, which evaluate, gate, study, utility and export take."""
    trained_on: Path | None = None
    """With --synthetic: the real data set that the generator was trained on, as its makers say."""
    trained_on_split: str = "train"
    """The split of that set which was trained on: train, validation, test or all."""
    trained_on_files: Path | None = None
    """Where it was not a split: a CSV or text file that names the images of --trained-on which were trained on."""
    generator: str = ""
    """With --synthetic: what the generator is called, for example "SD 1.5 + LoRA"."""


@Parameter(name="*")
@dataclass(frozen=True)
class SyntheticColumns:
    """What further columns of a table of synthetic images are called."""

    prompt_column: str = ""
    """With --synthetic: column with the words that each image was made from."""
    source_column: str = ""
    """With --synthetic: column with the real image of --trained-on that each image was made from; blank for none."""


DIVISION, LABELS, LINKS, PATIENTS = Division(), Labels(), Links(), Patients()
ELSEWHERE, SYNTHETIC_COLUMNS = Elsewhere(), SyntheticColumns()


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
    sheet: str = ""
    """Sheet of an Excel workbook; by default the first."""


def import_folder(
    folder: Path, *, out: NewData, division: Division = DIVISION, labels: Labels = LABELS, links: Links = LINKS,
    patients: Patients = PATIENTS, elsewhere: Elsewhere = ELSEWHERE,
) -> None:  # fmt: skip
    """Import a folder of images; sub-folders are the labels, or the splits if they are named train, validation and test.

    Parameters
    ----------
    folder
        The folder of images.
    """
    from dataclasses import asdict

    from dermsynth.api.importing import import_folder as write_data_set

    choices = {**asdict(labels), **asdict(links), **asdict(patients), **asdict(elsewhere)}
    result = write_data_set(folder, out=out, **division.begin(), **choices)
    say(result.summary())


def import_csv(
    table: Table, *, out: NewData, columns: Columns, image_folder: ImageFolder = None, division: Division = DIVISION,
    labels: Labels = LABELS, mask_value: MaskValue = None, links: Links = LINKS, patients: Patients = PATIENTS,
    elsewhere: Elsewhere = ELSEWHERE, synthetic_columns: SyntheticColumns = SYNTHETIC_COLUMNS,
) -> None:  # fmt: skip
    """Import a CSV or Excel file with named columns and the images it names."""
    from dataclasses import asdict

    from dermsynth.api.importing import import_csv as write_data_set

    choices = {**asdict(columns), **division.begin(), **asdict(labels), **asdict(links), **asdict(patients)}
    choices |= {**asdict(elsewhere), **asdict(synthetic_columns)}
    result = write_data_set(table, out=out, image_folder=image_folder, mask_value=mask_value, **choices)
    say(result.summary())


@Parameter(name="*")
@dataclass(frozen=True)
class Choices:
    """What is taken of a published data set."""

    label: str = ""
    """Column with the class, instead of the layout's own."""
    level: int | None = None
    """Level of the class, from 1, the coarsest, to 5; a class that is known to a coarser level only gets that one."""
    image_type: str = ""
    """The one kind of images that is taken: dermoscopic, clinical, tbp (total-body photography) or rcm (confocal)."""
    new_splits: Switch = False
    """Divide the images anew, although the set comes with a split."""
    partial: Switch = False
    """Import what is there, where more than a twentieth of the images is missing."""


CHOICES = Choices()


def _import_by_layout(
    layout: str | Path, place: Path, division: Division, parts: Sequence[Choices | Labels | Links | Patients], **options: Any
) -> None:  # fmt: skip
    from dataclasses import asdict

    from dermsynth.api.layouts import import_layout

    options |= {name: value for part in parts for name, value in asdict(part).items()}
    say(import_layout(layout, place, **division.begin(), **options).summary())


def __getattr__(name: str) -> Callable[..., None]:
    """The verb of a published layout: `import_` and its name."""
    layout = name.removeprefix("import_")
    if layout == name or layout not in layout_files():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def import_published(
        place: Place, *, out: NewData, image_folder: ImageFolder = None, choices: Choices = CHOICES,
        division: Division = DIVISION, labels: Labels = LABELS, mask_value: MaskValue = None, links: Links = LINKS,
    ) -> None:  # fmt: skip
        options = {"out": out, "image_folder": image_folder, "mask_value": mask_value}
        _import_by_layout(layout, place, division, (choices, labels, links), **options)

    import_published.__doc__ = f"Import a published data set. {summary(layout)}"
    return import_published


def import_by_file(
    *words: str, out: Path | None = None, layout: Path | None = None, list_: ListSwitch = False,
    image_folder: ImageFolder = None, choices: Choices = CHOICES, division: Division = DIVISION, labels: Labels = LABELS,
    mask_value: MaskValue = None, links: Links = LINKS, patients: Patients = PATIENTS,
) -> None:  # fmt: skip
    """Bring images into a data set on disk: by a published layout (one of the verbs below), or by one of your own.

    Parameters
    ----------
    words
        The folder that is imported by `--layout`.
    out
        New folder for the data set.
    layout
        A TOML file that describes the folder's files.
    """
    from dermsynth.errors import UserError

    if list_:
        list_layouts()
    elif layout is None:
        known = ", ".join([*OWN, *layout_files()])
        what = f"layout {words[0]!r}: unknown" if words else "name a layout and a folder"
        raise UserError(f"{what}; there are: {known}; or describe yours in a file, and name it with `layout`")
    elif len(words) != 1 or out is None:
        raise UserError("name one folder, and where the data set goes: dermsynth import FOLDER `layout` FILE `out` OUT")
    else:
        options = {"out": out, "image_folder": image_folder, "mask_value": mask_value}
        _import_by_layout(layout, Path(words[0]), division, (choices, labels, links, patients), **options)


def list_layouts() -> None:
    """The published layouts: name, images of the whole set, licence, and what it is."""
    from dermsynth.api.layouts import layouts

    for row in layouts().to_dict("records"):
        count = f"{row['images']:,}" if row["images"] else "-"
        print(f"{row['name']:<14} {count:>8}  {row['what']}\n{'':<25}{row['licence'] or 'licence: see each image'}")


def fetch(
    source: str, *, out: NewData, count: int | None = None, query: str = "", collections: str = "", base: str = "",
    per_second: float = 4.0,
) -> None:  # fmt: skip
    """Download images from a public archive; `isic` is the only one. The same command goes on where it stopped.

    Parameters
    ----------
    source
        isic
    count
        How many images at most; by default all of the query and the collections.
    query
        The archive's own search language, for example diagnosis_3:"Nevus".
    collections
        Numbers of the archive's collections with commas, for example 66,70 (HAM10000 and the challenge of 2020).
    base
        Another address of the archive.
    per_second
        Requests a second at most.
    """
    from dermsynth.api.archives import fetch_isic
    from dermsynth.errors import UserError

    if source != "isic":
        raise UserError(f"data fetch {source!r}: unknown; there is: isic")
    result = fetch_isic(out, count=count, query=query, collections=collections, base=base, per_second=per_second)
    folder = result.metadata.parent
    words = ["dermsynth", "import", "isic", result.metadata, "--image-folder", folder / "images", "--out"]
    say(f"{result.summary()}; next: {shlex.join(map(str, [*words, f'{folder}-set']))}")
