"""Trained generators: load, generate, translate."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from unicodedata import normalize

import pandas as pd

from dermsynth.api.places import open_named
from dermsynth.data.dataset import Data, DataSet, open_data_set
from dermsynth.errors import UserError, require_path, require_seed, require_whole
from dermsynth.evaluation.memorisation import check_copies
from dermsynth.io import parse_count
from dermsynth.sampling.generate import generate as write_images
from dermsynth.sampling.generator import Generator, Trained, open_generator
from dermsynth.sampling.translate import from_maps
from dermsynth.sampling.translate import translate as write_translations
from dermsynth.training.data import data_trained_on

log = logging.getLogger(__name__)


def load_generator(run: Trained, *, checkpoint: str | int = "last", device: str = "auto") -> Generator:
    """Load a trained generator.

    Parameters
    ----------
    run : Generator, Checkpoint, Path or str
        A checkpoint as `train` returns it, or the folder of a run or of one of its checkpoints. A generator that is loaded
        already is returned as it is.
    checkpoint : str or int
        Which checkpoint of the run: ``last``, ``best``, or the number of real images shown. Left out with a checkpoint or a
        generator, which are one already.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``. Left out with a generator.

    Returns
    -------
    Generator
        ``sample``, ``latents``, ``synthesise``, ``labels`` and ``resolution``.

    Raises
    ------
    UserError
        The folder is no run, the checkpoint is missing or damaged, it was made by another version of the family, or `checkpoint`
        or `device` name another one than that of a generator or a checkpoint's folder.

    Examples
    --------
    >>> import dermsynth as ds
    >>> generator = ds.load_generator("run", device="cpu")
    >>> generator.labels, generator.resolution
    (('melanoma', 'nevus', 'seborrheic_keratosis'), (32, 32))
    """
    return open_generator(run, which=str(checkpoint), device=device)


def generate(
    run: Trained,
    *,
    out: Path | str,
    count: int | Mapping[str, int] | None = None,
    maps: Data | None = None,
    split: str = "",
    truncation: float | None = None,
    seed: int = 0,
    checkpoint: str | int = "last",
    data: Data | None = None,
    any_pose: bool = False,
    device: str = "auto",
) -> DataSet:
    """Generate a labelled synthetic data set and look for copies of training images in it.

    The same call goes on where it was stopped. Image k of a class has the seed `seed` + k.

    Parameters
    ----------
    run : Generator, Checkpoint, Path or str
        The generator, its checkpoint (as `train` returns it), or its run.
    out : Path or str
        Folder for the synthetic set.
    count : int, mapping of str to int, or None
        Number of images for each class, or by class; at least 1. Left out with `maps`, each of which makes one image.
    maps : DataSet, Path, str or None
        For families that take maps: a data set with lesion masks or semantic maps. Image k has the seed `seed` + k, where the
        family has noise.
    split : str
        With `maps`: ``train``, ``validation``, ``test`` or ``all``; by default the split the generator was trained on.
    truncation : float or None
        Smaller values give more typical images; None for none. Its range depends on the family.
    seed : int
        Seed of the first image of each class, at least 0.
    checkpoint : str or int
        Which checkpoint of the run: ``last``, ``best``, or the number of real images shown.
    data : DataSet, Path, str or None
        The data set that the run was trained on, if it was moved; for the copy gate.
    any_pose : bool
        Whether copies are also looked for that are shifted, turned by any angle, zoomed or cut: minutes for 1,000 images.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Returns
    -------
    DataSet
        The synthetic set. What the copy gate found is logged, and lies in the set's folder ``assessment``.

    Raises
    ------
    UserError
        An unknown class, a value that the family does not take, or a folder that holds something else.

    Examples
    --------
    >>> import dermsynth as ds
    >>> synthetic = ds.generate("run", out="made", count={"nevus": 2, "melanoma": 1}, device="cpu")
    >>> synthetic.classes, len(synthetic.table)
    (['melanoma', 'nevus'], 3)
    """
    generator = load_generator(run, checkpoint=checkpoint, device=device)
    folder = require_path(out, "out")
    place = None if data is None else open_named(data, "data").folder
    if place is not None:
        data_trained_on(generator.config.data, place)  # a wrong one is refused now, not after the work
    if maps is not None:
        if count is not None:
            raise UserError("`count`: of no use with `maps`, where every map makes one image; leave it out")
        synthetic = from_maps(
            generator, open_named(maps, "maps"), folder, split=split, seed=require_seed(seed), truncation=truncation
        )
        _look_for_copies(synthetic, place, any_pose=any_pose)
    else:
        quotas, look = _quotas(generator, count, split), partial(_look_for_copies, data=place, any_pose=any_pose)
        synthetic = write_images(
            generator, quotas, folder, truncation=truncation, first_seed=require_seed(seed), examine=look
        )
    return open_data_set(synthetic.folder)


def _look_for_copies(synthetic: DataSet, data: Path | None, *, any_pose: bool) -> None:
    log.info("copy gate: %s", check_copies(synthetic, data, any_pose=any_pose))


def _quotas(generator: Generator, count: int | Mapping[str, int] | None, split: str) -> dict[str, int]:
    """How many images of which class."""
    if split:
        raise UserError(f"`split` {split}: goes with `maps`; leave it out")
    if count is None and generator.model.inputs.from_noise:
        raise UserError("`count` is missing: name a number of images, or one for each class")
    if isinstance(count, Mapping | pd.Series):
        if len(count) == 0:
            raise UserError("`count`: names no class; name a number of images for each class that is wanted")
        return {str(label): require_whole(number, "count", 1) for label, number in count.items()}
    return dict.fromkeys(generator.labels or ("",), 0 if count is None else require_whole(count, "count", 1))


def parse_quotas(items: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    """How many images of which class, from CLASS=NUMBER, or NUMBER for every class.

    A name that no class has is left to whoever makes the images. Raises UserError for a class named twice.
    """
    counts: dict[str, int] = {}
    for item in items:
        label, equals, number = item.rpartition("=")
        for name in [_class_named(label, classes)] if equals else list(classes) or [""]:
            if name in counts:
                raise UserError(f"`count` {item}: the number of {name or 'images'} is given twice; give it once")
            counts[name] = parse_count(number)
    return counts


def _class_named(label: str, classes: Sequence[str]) -> str:
    """The class of this name in any Unicode normal form; the name itself where there is none."""
    same = [name for name in classes if normalize("NFC", name) == normalize("NFC", label)]
    return label if label in classes or not same else same[0]


def translate(
    run: Trained,
    data: Data,
    *,
    out: Path | str,
    target: str = "",
    masks: Data | None = None,
    split: str = "all",
    checkpoint: str | int = "last",
    device: str = "auto",
) -> DataSet:
    """Translate the photographs of a data set: add a finding, remove it, or make them look like another class.

    Parameters
    ----------
    run : Generator, Checkpoint, Path or str
        A generator that translates (residual-translation, cyclegan), or its run.
    data : DataSet, Path or str
        The data set whose images are translated.
    out : Path or str
        Folder for the translated images.
    target : str
        The label translated to; may be left out where the run knows one direction only.
    masks : DataSet, Path, str or None
        A data set whose masks say where something changes; by default the images' own masks.
    split : {"all", "train", "validation", "test"}
        Part of `data` that is translated.
    checkpoint : str or int
        Which checkpoint of the run: ``last``, ``best``, or the number of real images shown.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Returns
    -------
    DataSet
        The translated images; ``description["change_outside_mask"]`` says in grey levels (0 to 255) how much changed outside.

    Raises
    ------
    UserError
        The run does not translate, the label is unknown, or masks are missing.

    References
    ----------
    Bissoto et al. (2018), Skin Lesion Synthesis with Generative Adversarial Networks; Zhu et al. (2017), Unpaired
    Image-to-Image Translation using Cycle-Consistent Adversarial Networks, equation 3.

    Examples
    --------
    >>> import dermsynth as ds
    >>> changed = ds.translate("translation", "data", out="melanomas", target="melanoma", split="test", device="cpu")
    >>> changed.classes
    ['melanoma']
    """
    generator = load_generator(run, checkpoint=checkpoint, device=device)
    where = None if masks is None else open_named(masks, "masks")
    place = require_path(out, "out")
    return write_translations(generator, open_named(data, "data"), place, to=target, masks=where, split=split)
