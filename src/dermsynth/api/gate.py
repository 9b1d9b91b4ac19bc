"""The copy gate on its own, for images of any origin."""

from pathlib import Path

from dermsynth.api.data import open_dataset
from dermsynth.data.dataset import Data
from dermsynth.errors import name_field
from dermsynth.evaluation.copy_detection import FALSE_ALARMS
from dermsynth.evaluation.gate import GateResult, check_images, open_images, training_and_held_out
from dermsynth.images import Crop
from dermsynth.io import command_line
from dermsynth.report.gate_report import write_gate_report


def gate(
    images: Data,
    training: Data,
    *,
    training_split: str = "train",
    held_out: Data | None = None,
    held_out_split: str = "all",
    out: Path | str | None = None,
    resolution: int | str | None = None,
    crop: Crop | None = None,
    false_alarms: float = FALSE_ALARMS,
    any_pose: bool = False,
    photographs: bool = True,
) -> GateResult:
    """Look for copies of training images among any images: a data set, or a plain folder that another tool filled.

    Parameters
    ----------
    images : DataSet, Path or str
        A data set, or a folder of image files; nothing is written into it.
    training : DataSet, Path or str
        The real set that the generator was trained on.
    training_split : str
        The split of it that was trained on: ``train``, ``validation``, ``test`` or ``all``.
    held_out : DataSet, Path, str or None
        Real images of the same kind that were not trained on, at least 100; by default the other splits of `training`.
    held_out_split : str
        The split of `held_out` that is taken.
    out : Path, str or None
        Folder for ``copies.csv``, ``copies.json`` and ``gate.html``; without it nothing is written.
    resolution : int, str or None
        Size in pixels to which all images are brought: one number for squares, or ``"WIDTHxHEIGHT"``; by default that of the
        first of `images`, reduced to a smaller side of 128.
    crop : {"centre", "pad", "stretch"} or None
        How images of other shapes come to that shape; ``centre`` by default.
    false_alarms : float
        Share of real images never trained on that may be flagged, above 0 and at most 0.5.
    any_pose : bool
        Whether copies are looked for that are shifted, turned by any angle, zoomed or cut, too; that takes about a quarter of a
        second an image.
    photographs : bool
        Whether the page shows training images, and the images close to them.

    Returns
    -------
    GateResult
        ``facts`` (how many were flagged), ``flagged`` [n], ``nearest(12)``, ``to_frame()`` and ``text()``.

    Raises
    ------
    UserError
        There are no images, one cannot be read, a set was changed or is synthetic where photographs are needed, or too few
        images are held out.

    Examples
    --------
    >>> import dermsynth as ds
    >>> result = ds.gate("photographs", training="data", out="gated")
    >>> int(result.flagged.sum()) >= 20, result.facts.of
    (True, 40)
    """
    with name_field("training"):
        real = open_dataset(training)
    with name_field("held_out"):
        others = None if held_out is None else open_dataset(held_out)
    with name_field("images"):
        rows = open_images(images)
    known = training_and_held_out(real, training_split, others, held_out_split)
    result = check_images(rows, known, resolution=resolution, crop=crop, false_alarms=false_alarms, any_pose=any_pose)
    if out is not None:
        result.write_table(Path(out))
        write_gate_report(result, Path(out), command_line(), photographs=photographs)
    return result
