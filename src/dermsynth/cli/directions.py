"""The verbs that find directions of a latent space, and name them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dermsynth.cli.options import Backbone, Checkpoint, DirectionFile, Seed

if TYPE_CHECKING:
    from dermsynth.latents.directions import Direction
    from dermsynth.sampling.generator import Generator

Truncation = Annotated[
    float | None, Parameter(help="Truncation of the points, as in dermsynth generate; none by default.")
]


def svm(
    run: Path, *, score: str, out: Path, count: int = 20_000, model: Backbone = "", truncation: Truncation = None,
    checkpoint: Checkpoint = "last", seed: Seed = 0,
) -> None:  # fmt: skip
    """The direction between points whose images show something and others: plane of a linear support vector machine.

    Parameters
    ----------
    run
        A run of a family with a latent; stylegan2-ada is moved in W.
    score
        frame, hair, ruler, ink, sticker, bubble, any, detector=DIR:LABEL, column=DATA:NAME (regressed on pooled features) or
        classifier=DIR; frame@0.2 sets the score from which on an image shows it.
    out
        Folder for the samples and directions.safetensors; continues where it was stopped.
    count
        How many points.
    """
    from dermsynth.latents.discovery import directions
    from dermsynth.sampling.generator import load_generator

    generator = load_generator(run, which=checkpoint)
    result = directions(
        generator, "svm", score=score, model=model, count=count, truncation=truncation, seed=seed, out=out
    )
    _write(out, generator, result)


def pca(
    run: Path, *, out: Path, count: int = 20_000, components: int = 10, truncation: Truncation = None,
    checkpoint: Checkpoint = "last", seed: Seed = 0,
) -> None:  # fmt: skip
    """The principal directions of sampled points (GANSpace).

    Parameters
    ----------
    run
        A run of a family with a latent.
    out
        Folder for directions.safetensors.
    count
        How many points.
    components
        How many directions.
    """
    from dermsynth.latents.discovery import directions
    from dermsynth.sampling.generator import load_generator

    generator = load_generator(run, which=checkpoint)
    result = directions(generator, "pca", count=count, components=components, truncation=truncation, seed=seed)
    _write(out, generator, result)


def sefa(run: Path, *, out: Path, components: int = 10, layers: str = "", checkpoint: Checkpoint = "last") -> None:
    """Eigenvectors of the weights from w to styles, each style's of unit length (SeFa): no images are needed.

    Parameters
    ----------
    run
        A stylegan2-ada run.
    out
        Folder for directions.safetensors.
    components
        How many directions.
    layers
        First and last layer, for example 0-3; all by default.
    """
    from dermsynth.latents.discovery import directions
    from dermsynth.latents.space import require_w, space_of
    from dermsynth.sampling.generator import load_generator

    generator = load_generator(run, which=checkpoint)
    require_w(space_of(generator), "sefa")
    _write(out, generator, directions(generator, "sefa", components=components, layers=parse_layers(layers)))


def parse_layers(text: str) -> tuple[int, int] | None:
    """First and last layer; None for all."""
    from dermsynth.errors import UserError

    if not text:
        return None
    try:
        first, last = (int(part) for part in text.split("-"))
    except ValueError as error:
        raise UserError(f"`layers` {text!r}: write first and last, for example 0-3") from error
    return first, last


def _write(out: Path, generator: "Generator", directions: "Sequence[Direction]") -> None:
    from dermsynth.latents.directions import write_directions
    from dermsynth.latents.space import space_of

    path = out / "directions.safetensors"
    write_directions(path, space_of(generator), directions)
    for direction in directions:
        facts = ", ".join(
            f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in direction.facts.items()
        )
        print(f"{direction.name:<12}deviation {direction.scale:.3g}; {facts}")
    print(path)


def rename(directions: DirectionFile, old: str, new: str) -> None:
    """Give a direction another name.

    Parameters
    ----------
    old
        Its name so far.
    new
        Its name from now on.
    """
    from dermsynth.latents.directions import rename_direction

    rename_direction(directions, old, new)
    print(f"{directions}: {old} is called {new}")
