"""Trained generators: load, generate, translate, find directions."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal
from unicodedata import normalize

from dermsynth.api.data import Data, open_dataset
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.memorisation import check_copies
from dermsynth.io import parse_count
from dermsynth.latents.attributes import scorer
from dermsynth.latents.directions import (
    Direction,
    pca_directions,
    sefa_directions,
    svm_direction,
    write_directions,
)
from dermsynth.latents.samples import sampled
from dermsynth.latents.space import Points, Space, require_w, space_of
from dermsynth.sampling.generate import Generator
from dermsynth.sampling.generate import generate as write_images
from dermsynth.sampling.generate import load_generator as load
from dermsynth.sampling.translate import from_maps
from dermsynth.sampling.translate import translate as write_translations
from dermsynth.training.checkpoints import STATE
from dermsynth.training.data import data_trained_on

Trained = Generator | Path | str
"""A generator, or the folder of its run or checkpoint."""
DIRECTIONS = "directions.safetensors"
log = logging.getLogger(__name__)


def load_generator(run: Trained, *, checkpoint: str | int = "last", device: str = "auto") -> Generator:
    """Load a trained generator.

    Parameters
    ----------
    run : Generator, Path or str
        Folder of a run, or of one of its checkpoints. A generator that is loaded already is returned as it is.
    checkpoint : str or int
        Which checkpoint of the run: ``last``, ``best``, or the number of real images shown.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Returns
    -------
    Generator
        ``sample``, ``latents``, ``synthesise``, ``labels`` and ``resolution``.

    Raises
    ------
    UserError
        The folder is no run, the checkpoint is missing or damaged, or it was made by another version of the family.

    Examples
    --------
    >>> import dermsynth as ds
    >>> generator = ds.load_generator("run", device="cpu")
    >>> generator.labels, generator.resolution
    (('melanoma', 'nevus', 'seborrheic_keratosis'), (32, 32))
    """
    if isinstance(run, Generator):
        return run
    folder = Path(run)
    if (folder / STATE).exists():  # a checkpoint: RUN/checkpoints/IMAGES
        return load(folder.parent.parent, which=str(int(folder.name)), device=device)
    return load(folder, which=str(checkpoint), device=device)


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
    data: Path | str | None = None,
    device: str = "auto",
) -> DataSet:
    """Generate a labelled synthetic data set and look for copies of training images in it.

    The same call goes on where it was stopped. Image k of a class has the seed `seed` + k.

    Parameters
    ----------
    run : Generator, Path or str
        The generator, or its run.
    out : Path or str
        Folder for the synthetic set.
    count : int, mapping of str to int, or None
        Number of images for each class, or by class; at least 1. Left out with `maps`, each of which makes one image.
    maps : DataSet, Path, str or None
        For families that take maps: a data set with lesion masks or semantic maps.
    split : str
        With `maps`: ``train``, ``validation``, ``test`` or ``all``; by default the split the generator was trained on.
    truncation : float or None
        Smaller values give more typical images; None for none. Its range depends on the family.
    seed : int
        Seed of the first image of each class, at least 0.
    checkpoint : str or int
        Which checkpoint of the run: ``last``, ``best``, or the number of real images shown.
    data : Path, str or None
        The data set that the run was trained on, if it was moved; for the copy gate.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Returns
    -------
    DataSet
        The synthetic set; what the copy gate found is in ``description["copy_gate"]``, and missing where it could not be used.

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
    place = None if data is None else Path(data)
    if place is not None:
        data_trained_on(generator.config.data, place)  # a wrong one is refused now, not after the work
    if maps is not None:
        _refuse_with_maps(count, seed, truncation)
        synthetic = from_maps(generator, open_dataset(maps), Path(out), split=split)
    else:
        quotas = _quotas(generator, count, split)
        synthetic = write_images(generator, quotas, Path(out), truncation=truncation, first_seed=seed)
    log.info("copy gate: %s", check_copies(synthetic, place))
    return open_dataset(synthetic.folder)


def _refuse_with_maps(count: object, seed: int, truncation: float | None) -> None:
    given = {"`count`": count is not None, "`seed`": seed != 0, "`truncation`": truncation is not None}
    useless = ", ".join(name for name, value in given.items() if value)
    if useless:
        raise UserError(f"{useless}: of no use with `maps`, where every map makes one image; leave it out")


def _quotas(generator: Generator, count: int | Mapping[str, int] | None, split: str) -> dict[str, int]:
    """How many images of which class."""
    if split:
        raise UserError(f"`split` {split}: goes with `maps`; leave it out")
    if count is None and generator.model.inputs.from_noise:
        raise UserError("`count` is missing: name a number of images, or one for each class")
    if isinstance(count, Mapping):
        return dict(count)
    return dict.fromkeys(generator.labels or ("",), count or 0)


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
    run : Generator, Path or str
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
    where = None if masks is None else open_dataset(masks)
    return write_translations(generator, open_dataset(data), Path(out), to=target, masks=where, split=split)


def directions(
    run: Trained,
    method: Literal["pca", "sefa", "svm"] = "pca",
    *,
    count: int = 20_000,
    components: int = 10,
    score: str = "",
    model: str = "",
    layers: tuple[int, int] | str | None = None,
    truncation: float | None = None,
    seed: int = 0,
    checkpoint: str | int = "last",
    device: str = "auto",
    out: Path | str | None = None,
) -> list[Direction]:
    """Find directions in a generator's latent space along which images change in one respect.

    Parameters
    ----------
    run : Generator, Path or str
        The generator, or its run.
    method : {"pca", "sefa", "svm"}
        ``pca``: of most variance among `count` points. ``sefa``: in the weights, without any image. ``svm``: between points
        whose images show `score` and others.
    count : int
        Number of points, at least 2.
    components : int
        Number of directions of ``pca`` and ``sefa``, at least 1.
    score : str
        For ``svm``: frame, hair, ruler, ink, sticker, bubble, any, ``detector=DIR:LABEL``, ``column=DATA:NAME`` or
        ``classifier=DIR``; ``frame@0.2`` sets the score from which on an image shows it.
    model : str
        For ``svm``: the backbone of a trained detector, ``mobilenet=FILE`` or ``timm:NAME=FILE``.
    layers : tuple of two int, str or None
        For ``sefa``: first and last layer, counted from 0, also as ``"0-3"``; all by default.
    truncation : float or None
        Truncation of the points, as for `load_generator`.
    seed : int
        Seed of the first point, at least 0.
    checkpoint : str or int
        Which checkpoint of the run: ``last``, ``best``, or the number of real images shown.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    out : Path, str or None
        Folder for ``directions.safetensors``; needed for ``svm``, whose scored points are stored there too.

    Returns
    -------
    list of Direction
        Each has a ``name``, a unit ``vector`` [d], the ``scale`` in which steps are counted, and ``move(latents, steps)``.

    Raises
    ------
    UserError
        The family has no latent space, or a value is not what it should be.

    References
    ----------
    Härkönen et al. (2020), GANSpace, section 2.1; Shen & Zhou (2021), Closed-Form Factorization of Latent Semantics in GANs,
    equation 6; Shen et al. (2020), Interpreting the Latent Space of GANs for Semantic Face Editing, section 2.1.

    Examples
    --------
    >>> import dermsynth as ds
    >>> generator = ds.load_generator("run", device="cpu")
    >>> first, *others = ds.directions(generator, "pca", count=200, components=3)
    >>> first.name, first.vector.shape
    ('pca0', (64,))
    """
    space = space_of(load_generator(run, checkpoint=checkpoint, device=device))
    if method == "svm":
        result = [_svm(space, score, model, out, count, seed, truncation)]
    elif method == "sefa":
        require_w(space, "sefa")
        result = sefa_directions(space, components, parse_layers(layers, space), latent_points(space, 1000, 0, None))
    else:
        result = pca_directions(latent_points(space, count, seed, truncation), components)
    if out is not None:
        write_directions(Path(out) / DIRECTIONS, space, result)
    return result


def _svm(
    space: Space, score: str, model: str, out: Path | str | None, count: int, seed: int, truncation: float | None
) -> Direction:
    if out is None or not score:
        raise UserError("`score`, `out`: svm needs both, what is scored and a folder for the scored points")
    what, labels = scorer(score, model), space.generator.model.targets()
    samples = sampled(space, what, Path(out), count=count, first_seed=seed, labels=labels, truncation=truncation)
    return svm_direction(samples, what.threshold, what.name, seed=0)


def latent_points(space: Space, count: int, seed: int, truncation: float | None) -> Points:
    """Points [count, d] of consecutive seeds, classes in turn."""
    if count < 2:
        raise UserError(f"`count` {count}: must be at least 2")
    targets, seeds = space.generator.model.targets(), range(seed, seed + count)
    return space.points(list(seeds), [targets[i % len(targets)] for i in range(count)], truncation)


def parse_layers(layers: tuple[int, int] | str | None, space: Space) -> tuple[int, int] | None:
    """First and last layer, from a pair or a text such as `0-3`; None for all."""
    if not layers:
        return None
    try:
        first, last = (int(part) for part in (layers.split("-") if isinstance(layers, str) else layers))
    except ValueError as error:
        raise UserError(f"`layers` {layers!r}: write first and last, for example 0-3") from error
    if not 0 <= first <= last < space.layers:
        raise UserError(f"`layers` {layers}: this generator has layers 0 to {space.layers - 1}")
    return first, last
