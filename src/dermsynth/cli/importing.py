"""Verbs that bring images in and look at them."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Shares = Annotated[str, Parameter(name="--split", help="Shares of training, validation and test.")]
Out = Annotated[Path, Parameter(help="New folder for the data set.")]
LowerCase = Annotated[
    bool, Parameter(name="--lower-case-labels", negative="", help="Make labels that differ in case one.")
]

Marked = Annotated[
    Literal["refuse", "leave-out", "keep"],
    Parameter(name="--marked", help="What to do with images that are marked as made by an algorithm."),
]
AsWritten = Annotated[
    bool, Parameter(name="--labels-as-written", negative="", help="Keep labels such as NA, nan or 1.0 as they stand.")
]
Links = Annotated[
    list[Path] | None,
    Parameter(name="--allow-links-to", help="A folder that links may lead into; may be repeated."),
]
MaskValue = Annotated[
    int | None, Parameter(name="--mask-value", help="The lesion's number in masks that hold several numbers.")
]


def _import(
    source: object, out: Path, split: str, seed: int, lower_case: bool, *, marked: str = "refuse", as_written: bool = False,
    mask_value: int | None = None, links: list[Path] | None = None,
) -> None:  # fmt: skip
    from dataclasses import replace
    from typing import cast

    from dermsynth.data.importers.importing import import_source
    from dermsynth.data.importers.sources import ImportOptions, Source
    from dermsynth.data.importers.sources import Marked as Choice

    assert isinstance(source, Source)
    if lower_case:
        source = replace(source, rows=[replace(row, label=row.label.lower()) for row in source.rows])
    options = ImportOptions(cast(Choice, marked), as_written, mask_value, tuple(links or ()))
    print(import_source(source, out, shares=split, seed=seed, options=options).summary())


def import_folder(
    folder: Path, *, out: Out, split: Shares = "0.8/0.1/0.1", seed: int = 0, lower_case: LowerCase = False,
    marked: Marked = "refuse", labels_as_written: AsWritten = False, allow_links_to: Links = None,
) -> None:  # fmt: skip
    """Import a folder of images; sub-folders, where there are any, are the labels, or the splits if named train, test ..."""
    from dermsynth.data.importers.generic import from_folder

    source = from_folder(folder, roots=allow_links_to or ())
    _import(source, out, split, seed, lower_case, marked=marked, as_written=labels_as_written, links=allow_links_to)


def import_csv(
    table: Path,
    *,
    out: Out,
    image: str,
    label: str = "",
    mask: str = "",
    group: str = "",
    split_column: str = "",
    images: Path | None = None,
    split: Shares = "0.8/0.1/0.1",
    seed: int = 0,
    lower_case: LowerCase = False,
    marked: Marked = "refuse",
    labels_as_written: AsWritten = False,
    mask_value: MaskValue = None,
    allow_links_to: Links = None,
) -> None:
    """Import a CSV with named columns and the images it names.

    Parameters
    ----------
    table
        The CSV file.
    image
        Column with the image's path.
    label
        Column with the class.
    mask
        Column with the path of the lesion mask.
    group
        Column with the patient or lesion: a split never cuts through it.
    split_column
        Column that says train, validation or test already.
    images
        Folder from which the paths start, if not the CSV's.
    """
    from dermsynth.data.importers.generic import from_csv

    source = from_csv(
        table,
        image=image,
        label=label,
        mask=mask,
        group=group,
        split=split_column,
        images=images,
        roots=allow_links_to or (),
    )
    _import(
        source, out, split, seed, lower_case,
        marked=marked, as_written=labels_as_written, mask_value=mask_value, links=allow_links_to,
    )  # fmt: skip


def import_isic(
    table: Path, *, out: Out, images: Path | None = None, label: str = "", split: Shares = "0.8/0.1/0.1", seed: int = 0,
    lower_case: LowerCase = False, marked: Marked = "refuse", allow_links_to: Links = None,
) -> None:  # fmt: skip
    """Import a metadata export of the ISIC Archive; licence, attribution, patient and lesion are kept."""
    from dermsynth.data.importers.published import from_isic_archive

    source = from_isic_archive(table, images=images, label=label, roots=allow_links_to or ())
    _import(source, out, split, seed, lower_case, marked=marked, links=allow_links_to)


def import_ham10000(
    table: Path, *, out: Out, images: Path | None = None, split: Shares = "0.8/0.1/0.1", seed: int = 0,
    lower_case: LowerCase = False, marked: Marked = "refuse", allow_links_to: Links = None,
) -> None:  # fmt: skip
    """Import HAM10000_metadata.csv and its image folders."""
    from dermsynth.data.importers.layouts import reader

    source = reader("ham10000")(table, images=images, roots=allow_links_to or ())
    _import(source, out, split, seed, lower_case, marked=marked, links=allow_links_to)


def import_siim2020(
    table: Path, *, out: Out, images: Path | None = None, split: Shares = "0.8/0.1/0.1", seed: int = 0,
    lower_case: LowerCase = False, marked: Marked = "refuse", allow_links_to: Links = None,
) -> None:  # fmt: skip
    """Import SIIM-ISIC 2020: train.csv and its image folder."""
    from dermsynth.data.importers.layouts import reader

    source = reader("siim2020")(table, images=images, roots=allow_links_to or ())
    _import(source, out, split, seed, lower_case, marked=marked, links=allow_links_to)


def import_isic2018(
    folder: Path, *, out: Out, split: Shares = "0.8/0.1/0.1", seed: int = 0, marked: Marked = "refuse",
    mask_value: MaskValue = None, allow_links_to: Links = None,
) -> None:  # fmt: skip
    """Import the unpacked ISIC 2018 challenge (tasks 1, 2 and 3, whatever of them is there), or that of 2019."""
    from dermsynth.data.importers.isic_challenges import from_isic2018

    source = from_isic2018(folder, roots=allow_links_to or ())
    _import(source, out, split, seed, False, marked=marked, mask_value=mask_value, links=allow_links_to)


def import_ph2(
    folder: Path, *, out: Out, split: Shares = "0.8/0.1/0.1", seed: int = 0, marked: Marked = "refuse"
) -> None:
    """Import the unpacked PH2 data set."""
    from dermsynth.data.importers.published import from_ph2

    _import(from_ph2(folder), out, split, seed, False, marked=marked)


def import_medmnist(archive: Path, *, out: Out, seed: int = 0) -> None:
    """Import a MedMNIST .npz file with its own splits."""
    from dermsynth.data.importers.medmnist import from_medmnist

    _import(from_medmnist(archive), out, "0.8/0.1/0.1", seed, False)


def fetch(source: str, *, out: Out, limit: int, query: str = "", base: str = "", per_second: float = 4.0) -> None:
    """Download images from a public archive; `isic` is the one there is.

    Parameters
    ----------
    source
        isic
    limit
        How many images at most.
    query
        The archive's own search language, for example diagnosis_3:"Nevus".
    base
        Another address of the API.
    per_second
        Requests a second at most.
    """
    from dermsynth.data.importers.isic_archive import API, fetch_isic
    from dermsynth.errors import UserError

    if source != "isic":
        raise UserError(f"data fetch {source!r}: unknown; there is: isic")
    if limit < 1 or per_second <= 0:
        raise UserError(f"--limit {limit} --per-second {per_second}: both must be positive")
    print(fetch_isic(out, limit, query=query, base=base or API, per_second=per_second).summary())


def verified(folder: Path, *, fast: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Read every file of a data set, and list those that were changed, deleted or added since it was written.

    Parameters
    ----------
    folder
        The data set.
    fast
        Compare sizes and times, as every verb does before it uses a set, and read only what differs in time.
    """
    from dermsynth.data.dataset import open_data_set
    from dermsynth.data.verification import differences_of, verify

    data_set = open_data_set(folder)
    found = differences_of(data_set, full=not fast)
    for word, names in (("changed", found.changed), ("deleted", found.deleted), ("added", found.added)):
        for name in names:
            print(f"{word:<9}{name}")
    verify(data_set, full=not fast)
    print(f"{folder}: {len(data_set.table):,} images, all as they were when the set was written")


def patches(
    folder: Path,
    *,
    out: Out,
    side: int = 128,
    stride: int = 64,
    lesion: str = "0.1-0.8",
    skin: float = 1.0,
    skin_mask: str = "",
) -> None:
    """Cut photographs with lesion masks into square patches, labelled clean and lesion; splits and groups are kept.

    Parameters
    ----------
    folder
        The data set of photographs.
    side
        Pixels of a patch's side.
    stride
        Pixels between patches.
    lesion
        Share of lesion pixels that makes a patch a lesion patch; a clean one has none.
    skin
        Smallest share of skin or lesion, where a column names skin masks.
    skin_mask
        Column with the path of the skin mask.
    """
    from dermsynth.data.dataset import open_data_set
    from dermsynth.data.patches import PatchSettings, write_patches
    from dermsynth.errors import UserError

    try:
        low, high = (float(part) for part in lesion.split("-"))
    except ValueError as error:
        raise UserError(f"--lesion {lesion!r}: write two shares, for example 0.1-0.8") from error
    settings = PatchSettings(side, stride, low, high, skin, skin_mask)
    made = write_patches(open_data_set(folder), out, settings)
    print(f"{out}: {len(made.table):,} patches ({', '.join(f'{c} {made.count(c):,}' for c in made.classes)})")


def edited_maps(
    folder: Path,
    *,
    out: Out,
    count: int,
    split: str = "train",
    superpixels: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
) -> None:
    """Make new semantic maps by bending, mirroring and recombining those of a data set.

    Parameters
    ----------
    folder
        A data set with lesion masks, or with maps of its own.
    count
        How many maps.
    split
        Whose maps are used: train, validation, test or all.
    superpixels
        Bend the boundaries of superpixels along, for runs that take them.
    """
    from dermsynth.data.dataset import open_data_set
    from dermsynth.data.map_editing import edit_maps

    made = edit_maps(open_data_set(folder), out, count, split=split, superpixels=superpixels, seed=seed)
    following = shlex.join(["dermsynth", "generate", "RUN", "--maps", str(out), "--out", "DIR"])
    print(f"{out}: {len(made.table):,} maps; next: {following}")


def audit(folder: Path, *, out: Path | None = None, photographs: bool = True, seed: int = 0) -> None:
    """Look at a data set before training: classes, sizes, images, masks, duplicates, columns, artefacts, leaks, splits.

    Parameters
    ----------
    folder
        The data set.
    out
        Where the HTML report goes; audit.html in the data set by default.
    photographs
        Whether photographs are embedded in the page.
    """
    from dataclasses import asdict

    from dermsynth.artefacts.bias import artefact_bias, bias_findings
    from dermsynth.data.audit import as_json, as_text
    from dermsynth.data.audit import audit as look
    from dermsynth.data.dataset import open_data_set
    from dermsynth.errors import UserError
    from dermsynth.io import write_json
    from dermsynth.report.audit_report import bias_tables, write_audit_report
    from dermsynth.report.page import PHOTOGRAPHS

    data_set = open_data_set(folder)
    found, page = look(data_set, seed=seed), out or folder / "audit.html"
    try:
        bias, missing = artefact_bias(data_set, seed), ""
        found.findings.extend(bias_findings(bias, folder))
    except UserError as error:  # nothing is known of artefacts, or there is nothing to compare
        bias, missing = None, str(error)
    write_audit_report(found, page, bias, photographs=photographs)
    tables = (
        {} if bias is None else {name: getattr(bias, name).to_dict("records") for name in ("told", "ratios", "tones")}
    )
    confirmed = [] if bias is None else [{**asdict(one), "passes": one.passes} for one in bias.trust]
    write_json(page.with_suffix(".json"), {**as_json(found), "artefacts": {**tables, "confirmed": confirmed}})
    print(as_text(found))
    for title, table in bias_tables(bias) if bias is not None else []:
        if len(table):
            print(f"\n{title}\n{table.to_string(index=False)}")
    if missing:
        print(f"\nartefacts: {missing}")
    print(f"\nreport: {page}")
    if photographs:
        print(f"  {PHOTOGRAPHS}")


def phantom(
    *,
    out: Out,
    count: int = 2000,
    resolution: str = "64",
    seed: int = 0,
    artefact: str = "frame",
    tied_to: str = "melanoma",
    correlation: float = 0.0,
) -> None:
    """Draw a phantom data set: dermoscopy by a program, with exact masks of every structure.

    Parameters
    ----------
    count
        How many images.
    resolution
        Pixels: one number, or WIDTHxHEIGHT; any size from 16 to 4096.
    artefact
        The artefact that the dial ties to a class: hair, ruler, frame, ink or sticker.
    tied_to
        The class it is tied to.
    correlation
        From -1 to 1; at 1 the artefact gives the class away.
    """
    from dermsynth.data.phantom import PhantomSettings, write_phantom
    from dermsynth.errors import UserError

    sides = resolution.lower().split("x")
    if len(sides) > 2 or not all(side.isdigit() for side in sides):
        raise UserError(f"--resolution {resolution!r}: write one number (64) or WIDTHxHEIGHT (128x96)")
    settings = PhantomSettings(int(sides[-1]), int(sides[0]), artefact, tied_to, correlation)
    made = write_phantom(out, count, settings, seed=seed)
    print(f"{out}: {len(made.table):,} images, " + ", ".join(f"{c} {made.count(c)}" for c in made.classes))
