"""What an importer hands over: rows of images, what is known of each, and what was understood or left aside."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

Marked = Literal["refuse", "leave-out", "keep"]


@dataclass(frozen=True)
class SourceRow:
    """One image of a source: a path in the source folder, or pixels, and what is known about it.

    `more_masks` are further masks by name, such as dermoscopic attributes; `boxes` are rectangles that are the mask (middle
    and size, in shares of the image); with a `problem` the row cannot be used, with a `doubt` it is used and listed. `frame`
    counts the images of a DICOM file from 0; `name` is what the image is called where its file's name is not to be known or not
    its own.
    """

    image: str
    label: str = ""
    mask: str = ""
    group: str = ""
    split: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    more_masks: dict[str, str] = field(default_factory=dict)
    pixels: np.ndarray | None = None
    problem: str = ""
    doubt: str = ""
    mask_problem: str = ""
    boxes: tuple[tuple[float, float, float, float], ...] | None = None
    frame: int | None = None
    name: str = ""

    @property
    def title(self) -> str:
        """What the image is called in the set and its lists."""
        return self.name or self.image


@dataclass(frozen=True)
class Source:
    """Everything an importer found: rows, the folder their paths start from, and facts about the whole.

    `unused` are files that were found and are not imported, with the reason; `notes` say what was understood or guessed.
    """

    folder: Path
    rows: list[SourceRow]
    facts: Mapping[str, object]
    command: str
    unused: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class ImportOptions:
    """How an import decides: images marked as made by an algorithm, labels such as NA, masks of numbers, links, pseudonyms, a
    list of images that are left out.

    With `synthetic` all images are of a generator elsewhere: such marks are expected, and photographs are refused.
    """

    marked: Marked = "refuse"
    literal_labels: bool = False
    mask_value: int | None = None
    roots: tuple[Path, ...] = ()
    salt_file: Path | None = None
    synthetic: bool = False
    leave_out: Path | None = None


RESERVED = ("file_name", "label", "mask_file_name", "group", "split", "width", "height",
            "structures", "map_file_name", "segment_file_name")  # fmt: skip


def column_name(column: str) -> str:
    """Keep a foreign column from shadowing one of ours."""
    return f"source_{column}" if column in RESERVED else column


def command_of(kind: str, path: Path) -> str:
    """The command that made a set, for its history."""
    return f"dermsynth import {kind} {shlex.quote(path.name)}"
