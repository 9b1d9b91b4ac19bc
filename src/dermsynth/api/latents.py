"""Directions of a latent space applied to whole sets, and what else they change."""

from collections.abc import Sequence
from pathlib import Path

from dermsynth.api.places import open_named
from dermsynth.backbones.lpips import PerceptualSpace, load_perceptual
from dermsynth.data.dataset import Data, DataSet
from dermsynth.errors import UserError, describe, require_number, require_path, require_seed, require_whole
from dermsynth.evaluation.generator_metrics import set_with_run
from dermsynth.latents.attributes import Scorer, scorer
from dermsynth.latents.datasets import edit_set as write_edited
from dermsynth.latents.datasets import latent_space_of
from dermsynth.latents.directions import Direction
from dermsynth.latents.entanglement import EntanglementResult, Observers
from dermsynth.latents.entanglement import compare_directions as compare
from dermsynth.latents.space import space_of
from dermsynth.sampling.generator import Trained, open_generator, run_of
from dermsynth.values import as_tuple

FIRST_SEED = 1_000_000


def perceptual(specification: str) -> PerceptualSpace:
    """A perceptual distance between images, for `evaluate`, `compare_directions` and `invert`.

    Parameters
    ----------
    specification : str
        ``lpips=FILE`` (the published LPIPS on AlexNet or VGG-16, as safetensors) or ``mobilenet=FILE`` (not fitted to people).

    Returns
    -------
    PerceptualSpace
        ``distance(a, b)`` of two tensors [n, 3, h, w] from -1 to 1 is a tensor [n].

    Raises
    ------
    UserError
        The name or the file of weights is not understood.

    References
    ----------
    Zhang et al. (2018), The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, equation 1.

    Examples
    --------
    >>> import dermsynth as ds
    >>> import torch
    >>> space = ds.perceptual("mobilenet=mobilenet.safetensors")
    >>> image = torch.zeros(1, 3, 32, 32)
    >>> float(space.distance(image, image))
    0.0
    """
    return load_perceptual(str(specification))


def edit_set(
    synthetic: Data,
    direction: Direction,
    *,
    out: Path | str,
    steps: float | None = None,
    until_gone: Scorer | str = "",
    model: str = "",
    run: Trained | None = None,
) -> DataSet:
    """Edit every image of a synthetic set along a direction: a fixed way, or until a scorer sees nothing any more.

    Parameters
    ----------
    synthetic : DataSet, Path or str
        A set made by `generate`; its run must be at hand.
    direction : Direction
        One of those that `directions` returns for the same generator.
    out : Path or str
        New folder for the edited set.
    steps : float or None
        How far, in deviations of points along the direction; negative against it. Either this or `until_gone`.
    until_gone : Scorer or str
        What is to disappear, as `score` of `directions`: each image is moved against the direction as little as it takes.
    model : str
        Backbone of a trained detector or a regression.
    run : Generator, Checkpoint, Path, str or None
        The run that made the set, if it was moved.

    Returns
    -------
    DataSet
        The edited set, with the columns ``edited_from``, ``edit_direction`` and ``edit_step``.

    Raises
    ------
    UserError
        Neither or both of `steps` and `until_gone` are given, the set is none of `generate`, or its run is gone.

    Examples
    --------
    >>> import dermsynth as ds
    >>> first, *_ = ds.directions("run", "pca", count=50, components=1)
    >>> edited = ds.edit_set("synthetic", first, out="edited", steps=1.5)
    >>> set(edited.table["edit_step"])
    {'1.5'}
    """
    if (steps is None) == (not until_gone):
        raise UserError("`steps`, `until_gone`: say how far by one of the two")
    if not isinstance(direction, Direction):
        raise UserError(f"`direction` {describe(direction)}: must be one of those that ds.directions(...) returns")
    distance = None if steps is None else require_number(steps, "steps")
    folder = require_path(out, "out")
    source = set_with_run(open_named(synthetic, "synthetic"), None if run is None else run_of(run, "run"))
    target = (until_gone if isinstance(until_gone, Scorer) else scorer(until_gone, model)) if until_gone else None
    return write_edited(source, latent_space_of(source), direction, folder, steps=distance, until_absent=target)


def compare_directions(
    generator: Trained,
    directions: Direction | Sequence[Direction],
    *,
    target: Scorer | str,
    count: int = 200,
    steps: Sequence[float] = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0),
    classifier: str = "",
    perceptual: PerceptualSpace | str = "",
    model: str = "",
    seed: int = FIRST_SEED,
) -> EntanglementResult:
    """Rank directions by what they cost: the target's score against lesion, ABCD features, skin tone and a classifier.

    Parameters
    ----------
    generator : Generator, Checkpoint, Path or str
        The generator whose directions they are, or its run.
    directions : Direction or sequence of Direction
        Those that `directions` returned.
    target : Scorer or str
        What should go: ``frame``, ``hair``, ``ruler``, ``ink``, ``sticker``, ``bubble`` or ``detector=DIR:LABEL``.
    count : int
        Points that are moved, at least 200.
    steps : sequence of float
        How far, in deviations of points along a direction.
    classifier : str
        ``classifier=DIR``, the folder of a utility experiment: also how far its probability moves.
    perceptual : PerceptualSpace or str
        Also the distance when the lesion alone is exchanged, as for `perceptual`.
    model : str
        Backbone of a trained detector.
    seed : int
        Seed of the first point, at least 0; another one than the directions were found with.

    Returns
    -------
    EntanglementResult
        ``ranking``, best first; ``to_frame()`` has every step of every direction.

    Raises
    ------
    UserError
        Too few points, a direction of another generator, or a target that is not understood.

    References
    ----------
    Shen et al. (2020), Interpreting the Latent Space of GANs for Semantic Face Editing, section 2.2.

    Examples
    --------
    >>> import dermsynth as ds
    >>> axes = ds.directions("run", "pca", count=50, components=1)
    >>> result = ds.compare_directions("run", axes, target="hair", steps=[1.0])
    >>> [row.direction for row in result.rows]
    ['pca0']
    """
    space = space_of(open_generator(generator))
    first, number = require_seed(seed), require_whole(count, "count", 1)
    chosen = (directions,) if isinstance(directions, Direction) else tuple(directions)
    observers = Observers(
        target if isinstance(target, Scorer) else scorer(target, model),
        scorer(classifier) if classifier else None,
        (load_perceptual(perceptual) if isinstance(perceptual, str) else perceptual) if perceptual else None,
    )
    return compare(space, chosen, observers, seeds=range(first, first + number), steps=as_tuple(steps))
