"""The verbs of latent spaces: find directions, edit along them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dermsynth.cli.flags import say
from dermsynth.cli.options import Backbone, Checkpoint, Device, Folders, Seed, Several, Switch

if TYPE_CHECKING:
    from dermsynth.latents.directions import Direction
    from dermsynth.latents.space import Space
    from dermsynth.sampling.generator import Generator

Steps = Annotated[tuple[float, ...], Parameter(negative="")]
DirectionFiles = Annotated[
    tuple[Path, ...], Parameter(negative="", help="A directions.safetensors, or several; may be repeated.")
]
OneFile = Annotated[Path, Parameter(help="A directions.safetensors.")]
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


def rename(directions: OneFile, old: str, new: str) -> None:
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


@Parameter(name="*")
@dataclass(frozen=True)
class Move:
    """How images are moved along a direction."""

    steps: float | None = None
    """How far, in deviations of points along the direction; negative against it."""
    until_gone: str = ""
    """A scorer as for svm: each image is moved against the direction as little as it takes."""
    layers: str = ""
    """First and last layer that are moved, for example 0-3; by default those of the direction."""
    without: Several = ()
    """Names of directions that are projected out first; may be repeated."""
    model: Backbone = ""


MOVE = Move()


def edit(
    data: Path, *, directions: OneFile, direction: str, out: Path, move: Move = MOVE, run: Path | None = None
) -> None:
    """Edit a whole synthetic set along a direction: by so many deviations, or until a scorer sees nothing any more.

    Parameters
    ----------
    data
        A set made by dermsynth generate; its run must be at hand.
    direction
        Name of one of the directions in the file.
    out
        Folder of the edited set.
    run
        The run that made the set, if it was moved.
    """
    from dermsynth.data.dataset import open_data_set
    from dermsynth.errors import UserError
    from dermsynth.evaluation.generator_metrics import set_with_run
    from dermsynth.latents.attributes import scorer
    from dermsynth.latents.datasets import edit_set, latent_space_of
    from dermsynth.report.latents_report import write_edits

    if (move.steps is None) == (not move.until_gone):
        raise UserError("say how far: either --steps NUMBER or --until-gone SCORER")
    source = set_with_run(open_data_set(data), run)
    space = latent_space_of(source)
    chosen = _chosen(directions, direction, move, space)
    until_absent = scorer(move.until_gone, move.model) if move.until_gone else None
    edited = edit_set(source, space, chosen, out, steps=move.steps, until_absent=until_absent)
    lengths = edited.numbers("edit_step")
    mean = lengths[lengths != 0].mean() if (lengths != 0).any() else 0.0
    print(f"{out}: {len(edited.table):,} images, {(lengths != 0).sum():,} moved, {mean:+.2f} deviations on average")
    print(write_edits(source, edited))


def _chosen(file: Path, name: str, move: Move, space: "Space") -> "Direction":
    """A direction of a file, without others and for some layers if that is asked for."""
    from dataclasses import replace

    from dermsynth.latents.directions import find_direction, project_out, read_directions
    from dermsynth.latents.discovery import SCALED_BY, check_layers, sample_points
    from dermsynth.latents.space import require_w

    known = read_directions(file, space)
    direction = find_direction(known, name)
    if move.without:
        others = [find_direction(known, other) for other in move.without]
        direction = project_out(direction, others, sample_points(space, SCALED_BY))
    if move.layers:
        require_w(space, "`layers`")
        direction = replace(direction, layers=parse_layers(move.layers))
        check_layers(space, direction.layers)
    return direction


@Parameter(name="*")
@dataclass(frozen=True)
class Costs:
    """What else of an image is looked at when a direction is followed."""

    without: Folders = ()
    """Files of directions of other attributes: each direction is compared once more with all of these projected out."""
    classifier: str = ""
    """classifier=DIR, a folder of dermsynth utility: also how far its probability moves."""
    perceptual: str = ""
    """lpips=FILE or mobilenet=FILE: also the distance when the lesion alone is exchanged."""
    model: Backbone = ""


COSTS = Costs()


def compare(
    run: Path, *, directions: DirectionFiles, target: str, out: Path, count: int = 200,
    steps: Steps = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0), costs: Costs = COSTS, checkpoint: Checkpoint = "last",
    seed: Annotated[int, Parameter(help="Seed of the first point; directions were found with other seeds.")] = 1_000_000,
) -> None:  # fmt: skip
    """Rank directions by what they cost: the target's score against lesion, ABCD features, skin tone and a classifier.

    Parameters
    ----------
    run
        The run they were found in.
    target
        What should go: frame, hair, ruler, ink, sticker, bubble, detector=DIR:LABEL.
    out
        Folder for entanglement.json and entanglement.html.
    count
        How many latents, at least 200; seeds from --seed on, which no direction was found with.
    steps
        Deviations of points along a direction; may be repeated.
    """
    from dermsynth.backbones.lpips import load_perceptual
    from dermsynth.latents.attributes import scorer
    from dermsynth.latents.directions import collect_directions, project_out
    from dermsynth.latents.discovery import SCALED_BY, sample_points
    from dermsynth.latents.edits import strips
    from dermsynth.latents.entanglement import Observers, compare_directions
    from dermsynth.latents.space import space_of
    from dermsynth.report.latents_report import as_text, write_entanglement
    from dermsynth.sampling.generator import load_generator

    space = space_of(load_generator(run, which=checkpoint))
    observers = Observers(
        scorer(target, costs.model),
        scorer(costs.classifier) if costs.classifier else None,
        load_perceptual(costs.perceptual) if costs.perceptual else None,
    )
    chosen, others = (list(collect_directions(paths, space).values()) for paths in (directions, costs.without))
    if others:
        points = sample_points(space, SCALED_BY)
        chosen += [project_out(direction, others, points) for direction in chosen]
    seeds = range(seed, seed + count)
    result = compare_directions(space, chosen, observers, seeds=seeds, steps=steps)
    print(as_text(result.ranking))
    print(write_entanglement(out, result, strips(space, chosen, seeds), count))


@Parameter(name="*")
@dataclass(frozen=True)
class Search:
    """How a photograph's point is found."""

    label: str = ""
    """Class of the photographs, for a conditional generator."""
    perceptual: str = ""
    """What distance is minimised: lpips=FILE or mobilenet=FILE; pixels at several scales by default."""
    plus: Switch = False
    """One w a layer: nearer, but edits may mean less."""
    iterations: int = 500
    """How many iterations of Adam."""
    seed: Seed = 0
    """Seed of the random numbers, at least 0."""


@Parameter(name="*")
@dataclass(frozen=True)
class Edits:
    """How the projected photographs are edited."""

    directions: Path | None = None
    """A directions.safetensors, to edit by --direction and --edit."""
    direction: str = ""
    """Name of one of the directions in the file."""
    edit: Steps = (-2.0, 2.0)
    """How far, in deviations of points along the direction; may be repeated."""


SEARCH, EDITS = Search(), Edits()


def project(
    run: Path,
    image: Folders,
    *,
    out: Path,
    search: Search = SEARCH,
    edits: Edits = EDITS,
    checkpoint: Checkpoint = "last",
) -> None:
    """Find photographs in W, say how near their images come, and edit them along a direction.

    Parameters
    ----------
    run
        A stylegan2-ada run.
    image
        Photographs; several may be named.
    out
        Folder: of each photograph a PNG (photograph, projection, edits) and its point as safetensors.
    """
    from dermsynth.backbones.lpips import load_perceptual
    from dermsynth.images import read_image
    from dermsynth.latents.directions import find_direction, read_directions
    from dermsynth.latents.inversion import invert, refuse_written, write_projection
    from dermsynth.latents.space import require_w, space_of
    from dermsynth.sampling.generator import load_generator

    refuse_written(out, image)
    # on the processor of the distance's networks
    generator = load_generator(run, which=checkpoint, device="cpu" if search.perceptual else "auto")
    space = space_of(generator)
    require_w(space, "project")
    direction = find_direction(read_directions(edits.directions, space), edits.direction) if edits.directions else None
    distance = load_perceptual(search.perceptual).distance if search.perceptual else None
    for path in image:
        result = invert(
            generator, read_image(path), label=search.label, distance=distance, steps=search.iterations, plus=search.plus,
            seed=search.seed,
        )  # fmt: skip
        write_projection(out, path, space, result, direction, edits.edit)
        print(f"{path.name}: PSNR {result.psnr:.1f} dB, SSIM {result.ssim:.2f}, distance {result.distance:.4f}")
    print(out)


def explore(
    run: Path, *, directions: DirectionFiles = (), score: Several = (), model: Backbone = "",
    checkpoint: Checkpoint = "last", device: Device = "auto", port: int = 8001, data: Path | None = None,
) -> None:  # fmt: skip
    """Show a page on this machine: sliders for seed, class, truncation and directions, with scores and copy gate.

    Parameters
    ----------
    run
        A run of a family with a latent.
    score
        What is scored: frame, hair, ruler, ink, sticker, bubble, detector=DIR:LABEL, classifier=DIR; may be repeated.
    port
        Port to listen on; from another machine: ssh -L 8001:127.0.0.1:8001.
    data
        The data set that the run was trained on, if it was moved; for the copy gate.
    """
    from dermsynth.explore.serve import prepare_page

    page = prepare_page(run, directions, score, model, which=checkpoint, device=device, port=port, data=data)
    say(f"copy gate: {page.gate}")
    print(f"{page.url}  (this machine only; Ctrl-C ends it)", flush=True)
    page.run()
