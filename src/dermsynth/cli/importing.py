"""Verbs that bring images in and look at them."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Shares = Annotated[str, Parameter(name="--split", help="Shares of training, validation and test.")]
Out = Annotated[Path, Parameter(help="New folder for the data set.")]
LowerCase = Annotated[
    bool, Parameter(name="--lower-case-labels", negative="", help="Make labels that differ in case one.")
]


def _import(source: object, out: Path, split: str, seed: int, lower_case: bool) -> None:
    from dataclasses import replace

    from dermsynth.data.importing import Source, import_source

    assert isinstance(source, Source)
    if lower_case:
        source = replace(source, rows=[replace(row, label=row.label.lower()) for row in source.rows])
    import_source(source, out, shares=split, seed=seed)


def import_folder(
    folder: Path, *, out: Out, split: Shares = "0.8/0.1/0.1", seed: int = 0, lower_case: LowerCase = False
) -> None:
    """Import a folder of images; sub-folders, where there are any, are the labels."""
    from dermsynth.data.importers import from_folder

    _import(from_folder(folder), out, split, seed, lower_case)


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
    from dermsynth.data.importers import from_csv

    source = from_csv(table, image=image, label=label, mask=mask, group=group, split=split_column, images=images)
    _import(source, out, split, seed, lower_case)


def import_isic(
    table: Path, *, out: Out, images: Path | None = None, label: str = "", split: Shares = "0.8/0.1/0.1", seed: int = 0,
    lower_case: LowerCase = False,
) -> None:  # fmt: skip
    """Import a metadata export of the ISIC Archive; licence, attribution, patient and lesion are kept."""
    from dermsynth.data.importers import from_isic_archive

    _import(from_isic_archive(table, images=images, label=label), out, split, seed, lower_case)


def import_ham10000(
    table: Path, *, out: Out, images: Path | None = None, split: Shares = "0.8/0.1/0.1", seed: int = 0
) -> None:
    """Import HAM10000_metadata.csv and its image folders."""
    from dermsynth.data.importers import from_ham10000

    _import(from_ham10000(table, images=images), out, split, seed, False)


def import_siim2020(
    table: Path, *, out: Out, images: Path | None = None, split: Shares = "0.8/0.1/0.1", seed: int = 0
) -> None:
    """Import SIIM-ISIC 2020: train.csv and its image folder."""
    from dermsynth.data.importers import from_siim2020

    _import(from_siim2020(table, images=images), out, split, seed, False)


def import_isic2018(folder: Path, *, out: Out, split: Shares = "0.8/0.1/0.1", seed: int = 0) -> None:
    """Import the unpacked ISIC 2018 challenge: tasks 1, 2 and 3, whatever of them is there."""
    from dermsynth.data.importers import from_isic2018

    _import(from_isic2018(folder), out, split, seed, False)


def import_ph2(folder: Path, *, out: Out, split: Shares = "0.8/0.1/0.1", seed: int = 0) -> None:
    """Import the unpacked PH2 data set."""
    from dermsynth.data.importers import from_ph2

    _import(from_ph2(folder), out, split, seed, False)


def import_medmnist(archive: Path, *, out: Out, seed: int = 0) -> None:
    """Import a MedMNIST .npz file with its own splits."""
    from dermsynth.data.importers import from_medmnist

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
    from dermsynth.data.isic_archive import API, fetch_isic
    from dermsynth.errors import UserError

    if source != "isic":
        raise UserError(f"data fetch {source!r}: unknown; there is: isic")
    if limit < 1 or per_second <= 0:
        raise UserError(f"--limit {limit} --per-second {per_second}: both must be positive")
    fetch_isic(out, limit, query=query, base=base or API, per_second=per_second)


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
    print(f"{out}: {len(made.table):,} maps; next: dermsynth generate RUN --maps {out} --out DIR")


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

    from dermsynth.data.audit import as_json, as_text
    from dermsynth.data.audit import audit as look
    from dermsynth.data.dataset import open_data_set
    from dermsynth.errors import UserError
    from dermsynth.report.audit_report import bias_tables, write_audit_report
    from dermsynth.report.page import PHOTOGRAPHS
    from dermsynth.runs import write_json
    from dermsynth.utility.artefact_bias import artefact_bias, bias_findings

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
    n: int = 2000,
    resolution: str = "64",
    seed: int = 0,
    artefact: str = "frame",
    tied_to: str = "melanoma",
    correlation: float = 0.0,
) -> None:
    """Draw a phantom data set: dermoscopy by a program, with exact masks of every structure.

    Parameters
    ----------
    n
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
    made = write_phantom(out, n, settings, seed=seed)
    print(f"{out}: {len(made.table):,} images, " + ", ".join(f"{c} {made.count(c)}" for c in made.classes))
