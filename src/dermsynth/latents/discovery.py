"""Directions of a generator in one call: by a linear SVM, by PCA, or from its weights."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from dermsynth.errors import UserError, require_choice, require_path, require_seed, require_whole
from dermsynth.latents.attributes import Scorer, scorer
from dermsynth.latents.directions import Direction, pca_directions, sefa_directions, svm_direction
from dermsynth.latents.samples import sample_scores
from dermsynth.latents.space import Points, Space, require_w, space_of
from dermsynth.sampling.generator import Trained, check_truncation, open_generator

Method = Literal["svm", "pca", "sefa"]
SCALED_BY = 1000
"""Points by whose deviation the steps of directions are counted that need no samples."""


def directions(
    generator: Trained,
    method: Method = "svm",
    *,
    score: str | Scorer = "",
    model: str = "",
    count: int = 20_000,
    components: int = 10,
    layers: tuple[int, int] | None = None,
    truncation: float | None = None,
    seed: int = 0,
    out: Path | str | None = None,
) -> list[Direction]:
    """Find directions in a generator's latent space that mean something.

    Parameters
    ----------
    generator : Generator, Checkpoint, Path or str
        Of a family with a latent space, or its run; stylegan2-ada is moved in W.
    method : {"svm", "pca", "sefa"}
        `svm`: the normal of the plane between points whose images show something and others. `pca`: principal directions of
        sampled points. `sefa`: eigenvectors of the weights from w to styles; no images are needed.
    score : Scorer or str
        For `svm`, what images show: a Scorer or its text (`frame`, `hair` ..., `detector=DIR:LABEL`, `column=DATA:NAME`,
        `classifier=DIR`; `frame@0.2` sets the score from which on an image shows it).
    model : str
        Backbone of a trained detector or a regression.
    count : int
        Points that are sampled, for `svm` (at least 20 of either side) and `pca` (at least 2).
    components : int
        Directions returned by `pca` and `sefa`, at least 1.
    layers : tuple of two int, or None
        First and last layer whose weights `sefa` uses and whose styles its directions move; all by default.
    truncation : float or None
        Of the sampled points, as in `generate`.
    seed : int
        Of the first sampled point, at least 0.
    out : Path, str or None
        Folder in which the scored samples of `svm` are stored, so that it continues where it was stopped; none by default.

    Returns
    -------
    list of Direction
        Unit vectors with the deviation of points along them; `.facts` says how each was found.

    Raises
    ------
    UserError
        For a family without latents (`sefa`: without styles), a number out of range, or too few images of either side.

    References
    ----------
    Shen et al. 2020, Interpreting the Latent Space of GANs for Semantic Face Editing, section 2.1.
    Härkönen et al. 2020, GANSpace, section 2.1. Shen & Zhou 2021, Closed-Form Factorization of Latent Semantics, equation 6.

    Examples
    --------
    >>> import dermsynth as ds
    >>> generator = ds.load_generator("run", device="cpu")
    >>> first, second = ds.directions(generator, "pca", count=100, components=2)
    >>> first.name, first.vector.shape, first.scale > second.scale
    ('pca0', (64,), True)
    """
    require_choice(method, "method", get_args(Method))
    space = space_of(open_generator(generator))
    seed, count = require_seed(seed), require_whole(count, "count", 1)
    check_truncation(space.generator, truncation)
    if method == "svm":
        chosen = score if isinstance(score, Scorer) else scorer(score, model)
        return [_svm(space, chosen, count, truncation, seed, None if out is None else require_path(out, "out"))]
    if method == "pca":
        return pca_directions(sample_points(space, count, seed, truncation), components)
    require_w(space, "sefa")
    check_layers(space, layers)
    return sefa_directions(space, components, layers, sample_points(space, SCALED_BY))


def _svm(space: Space, target: Scorer, count: int, truncation: float | None, seed: int, out: Path | None) -> Direction:
    labels = space.generator.model.targets()
    with tempfile.TemporaryDirectory() as folder:
        samples = sample_scores(
            space, target, out or Path(folder), count=count, first_seed=seed, labels=labels, truncation=truncation
        )
    return svm_direction(samples, target.threshold, target.name, seed=0)


def sample_points(space: Space, count: int, seed: int = 0, truncation: float | None = None) -> Points:
    """Points [count, d] of consecutive seeds, classes in turn.

    Raises UserError for fewer than two.
    """
    if count < 2:
        raise UserError(f"`count` {count}: must be at least 2")
    targets = space.generator.model.targets()
    return space.points(range(seed, seed + count), [targets[i % len(targets)] for i in range(count)], truncation)


def check_layers(space: Space, layers: Sequence[int] | None) -> None:
    """Raise UserError for layers that the generator does not have."""
    if layers is not None and not 0 <= layers[0] <= layers[1] < space.layers:
        raise UserError(f"`layers` {layers[0]}-{layers[1]}: this generator has layers 0 to {space.layers - 1}")
