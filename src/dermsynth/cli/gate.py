"""The verb `gate`: are there copies of training images among these images?"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dermsynth.cli import places
from dermsynth.cli.flags import say, say_photographs
from dermsynth.cli.options import COMPARED_SIZE, MACHINE, ComparedSize, Machine, Photographs, Switch

COPIES = 3
"""Exit status where an image is flagged."""


@Parameter(name="*")
@dataclass(frozen=True)
class HeldOut:
    """Real images that were not trained on: they say what close means."""

    held_out: Path | None = None
    """A real data set that was not trained on, at least 100 images; by default the other splits of --training."""
    held_out_split: str = "all"
    """The split of --held-out that is taken."""
    false_alarms: float = 0.01
    """Share of real images never trained on that may be flagged."""


HELD_OUT = HeldOut()


def gate(
    images: Annotated[Path, places.folder("images")],
    *,
    training: Annotated[Path, places.folder("training")],
    training_split: str = "train",
    held_out: HeldOut = HELD_OUT,
    any_pose: Switch = False,
    out: Path | None = None,
    size: ComparedSize = COMPARED_SIZE,
    photographs: Photographs = True,
    machine: Machine = MACHINE,
) -> None:
    """Look for copies of training images among any images, and print the nearest pairs.

    The exit status is 3 where an image is flagged and 0 where none is, for use in scripts; 1 where something is wrong.

    Parameters
    ----------
    images
        A folder of image files, or a data set; nothing is written into it.
    training
        The real data set that the generator was trained on.
    training_split
        The split of it that was trained on: train, validation, test or all.
    any_pose
        Look for copies that are shifted, turned by any angle, zoomed or cut, too: about a quarter of a second an image.
    out
        Folder for copies.csv, copies.json and gate.html; without it nothing is written.
    """
    from dermsynth.api.gate import gate as check
    from dermsynth.report.gate_report import PAGE

    machine.prepare()
    choices = {
        **asdict(held_out),
        **asdict(size),
        "training_split": training_split,
        "any_pose": any_pose,
        "photographs": photographs,
    }
    result = check(images, training, out=out, **choices)
    say(result.text())
    if out is not None:
        say("", out / PAGE)
        say_photographs(photographs)
    if result.facts.flagged:
        raise SystemExit(COPIES)
