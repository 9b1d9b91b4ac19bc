"""Verbs that look at data sets, cut and draw them: audit, verify, patches, maps, phantom."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dermsynth.cli import places
from dermsynth.cli.flags import say, say_photographs
from dermsynth.cli.options import (
    WORKERS,
    Annotations,
    Folders,
    NewData,
    Photographs,
    Seed,
    SetFolder,
    Split,
    Switch,
    Workers,
)


def verify_files(folder: SetFolder, *, fast: Switch = False) -> None:
    """Read every file of a data set, and list those that were changed, deleted or added since it was written.

    Whether images are ones that were handed on, `dermsynth verify` says.

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


def patches(folder: SetFolder, *, out: NewData, cut: Patches = PATCHES) -> None:
    """Cut photographs with lesion masks into square patches, labelled clean and lesion; splits and groups are kept."""
    from dermsynth.api.preparation import patches as write_patches
    from dermsynth.errors import UserError

    try:
        low, high = (float(part) for part in cut.lesion.split("-"))
    except ValueError as error:
        raise UserError(f"--lesion {cut.lesion!r}: write two shares, for example 0.1-0.8") from error
    result = write_patches(
        folder, out=out, side=cut.side, stride=cut.stride, lesion=(low, high), skin=cut.skin, skin_mask=cut.skin_mask
    )
    counts = ", ".join(f"{label} {result.count(label):,}" for label in result.classes)
    print(f"{out}: {len(result.table):,} patches ({counts})")


def maps(
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
    from dermsynth.api.preparation import edit_maps

    result = edit_maps(folder, out=out, count=count, split=split, superpixels=superpixels, seed=seed)
    next_command = shlex.join(["dermsynth", "generate", "RUN", "--maps", str(out), "--out", "DIR"])
    print(f"{out}: {len(result.table):,} maps; next: {next_command}")


@Parameter(name="*")
@dataclass(frozen=True)
class NearDuplicates:
    """How near-duplicates are looked for, and what becomes of them."""

    also: Annotated[Folders, places.data_set("also")] = ()
    """Folder of a further data set: which of its photographs does this one hold too? May be repeated."""
    extractor: str = ""
    """Network by whose features near-duplicates are looked for, too: lite0 (EfficientNet-Lite0), mobilenet=FILE or
    timm:NAME=FILE. By default hashes alone."""
    same_lesions: Switch = False
    """Look for lesions that were photographed more than once, in any pose and light, too: a quarter of a second an image."""
    exclude_out: Path | None = None
    """CSV file for the images that are better left out; dermsynth import takes it as --leave-out."""


NEAR_DUPLICATES = NearDuplicates()


def audit(
    folder: SetFolder,
    *,
    page: Path | None = None,
    near_duplicates: NearDuplicates = NEAR_DUPLICATES,
    annotations: Annotations = None,
    photographs: Photographs = True,
    seed: Seed = 0,
    workers: Workers = WORKERS,
) -> None:
    """Look at a data set before training: classes, sizes, images, masks, duplicates, columns, artefacts, leaks, splits.

    Parameters
    ----------
    page
        The HTML file; audit.html in the data set by default. A JSON file is written beside it, and a CSV of near-duplicates.
    """
    from dermsynth.api.audit import audit as look
    from dermsynth.api.data import open_dataset

    workers.prepare()
    data_set = open_dataset(folder, annotations=annotations)
    result = look(
        data_set,
        also=near_duplicates.also,
        extractor=near_duplicates.extractor,
        same_lesions=near_duplicates.same_lesions,
        seed=seed,
    )
    path = result.save(page or folder / "audit.html", photographs=photographs)
    say(result.text(), f"\nreport: {path}", next_verb="train")
    if near_duplicates.exclude_out is not None:
        result.save_exclusions(near_duplicates.exclude_out)
        print(f"{near_duplicates.exclude_out}: {len(result.content.exclusions)} images to leave out")
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
