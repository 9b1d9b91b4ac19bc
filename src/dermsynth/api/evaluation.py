"""Judging synthetic images: features, and the evaluation of a set."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from dermsynth.api.places import open_named, optional_path
from dermsynth.backbones.extractors import Extractor, Resizer
from dermsynth.backbones.lpips import load_perceptual
from dermsynth.data.dataset import Data, DataSet, is_data_set, open_data_set
from dermsynth.errors import UserError, describe, name_field, require_choice, require_whole
from dermsynth.evaluation.copies import copies_of
from dermsynth.evaluation.evaluate import evaluate as measure
from dermsynth.evaluation.feature_cache import decoding_of
from dermsynth.evaluation.generator_metrics import (
    Confidence,
    discriminator_of,
    run_problem,
    set_with_run,
    training_folder,
)
from dermsynth.evaluation.results import Evaluation, default_folder
from dermsynth.images import Crop
from dermsynth.io import command_line
from dermsynth.report.evaluation_report import page_writer
from dermsynth.sampling.generator import Trained, run_of
from dermsynth.training.distributed import choose_device
from dermsynth.utility.classifier import load_extractor
from dermsynth.values import as_tuple

_log = logging.getLogger(__name__)


def extractor(specification: str = "embedded", *, resizer: Resizer = "tensorflow") -> Extractor:
    """A network that turns images into features, for FID, KID and the other metrics.

    Parameters
    ----------
    specification : str
        ``embedded`` (random filters; needs no weights, and figures made with it compare with nothing published),
        ``inception=FILE`` (the FID Inception-v3), ``inception=download``, ``mobilenet=FILE``, ``lite0``
        (EfficientNet-Lite0, of the extra ``efficientnet``), ``timm:NAME=FILE`` (DINOv2, CLIP and others), or
        ``classifier=DIR`` (the folder of a utility experiment).
    resizer : {"tensorflow", "antialiased"}
        How images reach the network's size; published FID uses the first.

    Returns
    -------
    Extractor
        Passed to `metrics` and `evaluate`; ``name`` and ``comparable`` say what its figures are worth.

    Raises
    ------
    UserError
        The name or the file of weights is not understood.

    References
    ----------
    Heusel et al. (2017), GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium.

    Examples
    --------
    >>> import dermsynth as ds
    >>> features = ds.extractor("embedded")
    >>> features.name, features.comparable
    ('embedded', False)
    """
    require_choice(resizer, "resizer", get_args(Resizer))
    return load_extractor(str(specification), resizer=resizer)


def evaluate(
    synthetic: Data,
    *,
    against: Data | None = None,
    out: Path | str | None = None,
    extractor: Extractor | str = "embedded",
    split: str = "all",
    by: str | Sequence[str] = (),
    perceptual: str = "",
    path_lengths: int = 0,
    brief: bool = False,
    any_pose: bool = False,
    run: Trained | None = None,
    utility: Path | str | None = None,
    photographs: bool = True,
    resolution: int | str | None = None,
    crop: Crop | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Evaluation:
    """Say whether a synthetic set is faithful, diverse and not copied.

    Every estimate comes with its 95 % interval, its numbers of images, and its floor: the same metric between two halves of
    the real images. Neither set is written to.

    Parameters
    ----------
    synthetic : DataSet, Path or str
        A set made by `generate`, or by any other tool and imported with ``synthetic=True``; at least 50 images.
    against : DataSet, Path, str or None
        The real set, at least 50 images; by default the one that the generator was trained on.
    out : Path, str or None
        Folder for ``assessment.json``, ``copies.csv`` and ``neighbours.csv``; by default ``assessment`` in the synthetic set.
    extractor : Extractor or str
        The network whose features are compared, as for `extractor`.
    split : {"all", "train", "validation", "test"}
        Part of the real set to compare with.
    by : str or sequence of str
        Columns of both sets' tables whose values are compared apart; ``tone`` is the skin tone by whichever scale both have.
    perceptual : str
        ``lpips=FILE`` or ``mobilenet=FILE``: a perceptual distance for pairs of images and for the nearest training images.
    path_lengths : int
        Walks through the generator's latents whose perceptual lengths are measured, at least 0; needs `perceptual`.
    brief : bool
        FID, KID and SWD alone, and no verdict.
    any_pose : bool
        Whether copies are looked for that are shifted, turned by any angle, zoomed or cut, too: about a quarter of a second an
        image, of both sets.
    run : Generator, Checkpoint, Path, str or None
        The run that made the set, if it was moved.
    utility : Path, str or None
        Folder of a utility experiment with this set, whose verdict is shown too.
    photographs : bool
        Whether a page that is saved shows real images, and generated ones that were flagged as copies of them.
    resolution : int, str or None
        Size in pixels to which both sides are brought: one number for squares, or ``"WIDTHxHEIGHT"``; by default that of the
        first synthetic image.
    crop : {"centre", "pad", "stretch"} or None
        How images of other shapes come to that shape; by default as the generator's training images did, else ``centre``.
    seed : int
        Seed of the random numbers, at least 0.
    device : str
        What the generator and its discriminator are computed on: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Returns
    -------
    Evaluation
        ``result["fid"]`` is an estimate (``value``, ``low``, ``high``, ``floor``); ``result.to_frame()`` has all of them,
        ``result.verdict`` the lights, and ``result.save("page.html")`` writes the page.

    Raises
    ------
    UserError
        A set is not what it should be, was changed, or is too small; a column or split is missing.

    References
    ----------
    The paper of each metric is in its function in ``dermsynth.metrics``.

    Examples
    --------
    >>> import dermsynth as ds
    >>> result = ds.evaluate("synthetic", against="data", brief=True, out="assessment")
    >>> fid = result["fid"]
    >>> fid.n_synthetic, fid.low <= fid.value <= fid.high, fid.floor < fid.value
    (150, True, True)
    >>> result.save("result.json").name
    'result.json'
    """
    columns: tuple[str, ...] = as_tuple(by)
    place, experiment = optional_path(out, "out"), optional_path(utility, "utility")
    require_whole(path_lengths, "path_lengths", 0)
    if brief:
        refuse_with_brief(columns, experiment, path_lengths, any_pose)
    rows, real = _sides(synthetic, against, run)
    decoding = None if resolution is None and crop is None else decoding_of(rows, resolution, crop)
    if place is not None:
        check_place(place, rows)
    choose_device(device)  # a wrong name is refused now
    result = measure(
        rows,
        real,
        _features(extractor),
        split=split,
        columns=columns,
        brief=brief,
        any_pose=any_pose,
        discriminator=None if brief else _discriminator(rows, device),
        perceptual=load_perceptual(perceptual) if perceptual else None,
        paths=path_lengths,
        usefulness=experiment,
        decoding=decoding,
        seed=seed,
        out=place,
        device=device,
    )
    folder = default_folder(rows, place)
    copies = None if result.copy_gate is None else copies_of(rows, folder)
    write_page = page_writer(rows, real, command_line(), photographs=photographs, copies=copies, folder=folder)
    return result.with_page(write_page)


def _sides(synthetic: Data, against: Data | None, run: Trained | None) -> tuple[DataSet, DataSet]:
    """The synthetic and the real set, open."""
    rows = set_with_run(open_named(synthetic, "synthetic"), None if run is None else run_of(run, "run"))
    with name_field("against"):
        return rows, open_data_set(training_folder(rows) if against is None else against)


def _features(network: Extractor | str) -> Extractor:
    """The network whose features are compared."""
    if isinstance(network, Extractor):
        return network
    if not isinstance(network, str):
        raise UserError(f"`extractor` {describe(network)}: give ds.extractor(...), or its text, for example 'embedded'")
    return extractor(network)


def _discriminator(rows: DataSet, device: str) -> Confidence | None:
    """What the set's generator was trained against; a set whose run is not there goes without, and the log says so."""
    problem = run_problem(rows)
    if problem:
        _log.info(f"discriminator membership test skipped: {problem}")
    return discriminator_of(rows, device)


def refuse_with_brief(by: Sequence[str], utility: Path | str | None, path_lengths: int, any_pose: bool = False) -> None:
    """Raise UserError for choices that a brief evaluation would ignore."""
    choices = {
        "`by`": bool(by),
        "`utility`": utility is not None,
        "`path_lengths`": path_lengths > 0,
        "`any_pose`": any_pose,
    }
    useless = ", ".join(name for name, value in choices.items() if value)
    if useless:
        raise UserError(f"{useless}: goes without `brief`; leave one out")


def check_place(out: Path, synthetic: DataSet) -> None:
    """Raise UserError for a file, or the folder of another data set than the synthetic one."""
    if out.exists() and not out.is_dir():
        raise UserError(f"`out` {out}: is a file; name a folder")
    if is_data_set(out) and out.resolve() != synthetic.folder.resolve():
        raise UserError(f"`out` {out}: holds another data set; name a folder for the results")
