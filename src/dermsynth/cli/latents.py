"""The verbs that follow directions of a latent space: edit sets and photographs, compare, explore."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dermsynth.cli import places
from dermsynth.cli.flags import say
from dermsynth.cli.options import Backbone, Checkpoint, Device, DirectionFile, Folders, Seed, Several, Switch

if TYPE_CHECKING:
    from dermsynth.latents.directions import Direction
    from dermsynth.latents.space import Space

Steps = Annotated[tuple[float, ...], Parameter(negative="")]
DirectionFiles = Annotated[
    tuple[Path, ...], Parameter(negative="", help="A directions.safetensors, or several; may be repeated.")
]


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
    data: Path, *, directions: DirectionFile, direction: str, out: Path, move: Move = MOVE, run: Path | None = None
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
    from dermsynth.api.latents import edit_set
    from dermsynth.data.dataset import open_data_set
    from dermsynth.errors import UserError
    from dermsynth.evaluation.generator_metrics import set_with_run
    from dermsynth.latents.datasets import latent_space_of
    from dermsynth.report.latents_report import write_edits

    if (move.steps is None) == (not move.until_gone):
        raise UserError("say how far: either --steps NUMBER or --until-gone SCORER")
    source = set_with_run(open_data_set(data), run)
    chosen = _read_direction(directions, direction, move, latent_space_of(source))
    edited = edit_set(source, chosen, out=out, steps=move.steps, until_gone=move.until_gone, model=move.model)
    lengths = edited.numbers("edit_step")
    mean = lengths[lengths != 0].mean() if (lengths != 0).any() else 0.0
    print(f"{out}: {len(edited.table):,} images, {(lengths != 0).sum():,} moved, {mean:+.2f} deviations on average")
    print(write_edits(source, edited))


def _read_direction(file: Path, name: str, move: Move, space: "Space") -> "Direction":
    """A direction of a file, if asked for with other directions projected out and for some layers only."""
    from dataclasses import replace

    from dermsynth.cli.directions import parse_layers
    from dermsynth.latents.directions import find_direction, project_out, read_directions
    from dermsynth.latents.discovery import SCALED_BY, check_layers, sample_points
    from dermsynth.latents.space import require_w

    directions = read_directions(file, space)
    direction = find_direction(directions, name)
    if move.without:
        projected = [find_direction(directions, other) for other in move.without]
        direction = project_out(direction, projected, sample_points(space, SCALED_BY))
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
    run: Annotated[Path, places.run()], *, directions: DirectionFiles, target: str, out: Path, count: int = 200,
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
    from dermsynth.api.latents import compare_directions
    from dermsynth.latents.directions import collect_directions, project_out
    from dermsynth.latents.discovery import SCALED_BY, sample_points
    from dermsynth.latents.edits import strips
    from dermsynth.latents.space import space_of
    from dermsynth.report.latents_report import as_text, write_entanglement
    from dermsynth.sampling.generator import load_generator

    generator = load_generator(run, which=checkpoint)
    space = space_of(generator)
    chosen, projected = (list(collect_directions(paths, space).values()) for paths in (directions, costs.without))
    if projected:
        points = sample_points(space, SCALED_BY)
        chosen += [project_out(direction, projected, points) for direction in chosen]
    result = compare_directions(
        generator, chosen, target=target, count=count, steps=steps, classifier=costs.classifier, perceptual=costs.perceptual,
        model=costs.model, seed=seed,
    )  # fmt: skip
    print(as_text(result.ranking))
    print(write_entanglement(out, result, strips(space, chosen, range(seed, seed + count)), count))


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
    run: Annotated[Path, places.run()],
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
    run: Annotated[Path, places.run()], *, directions: DirectionFiles = (), score: Several = (), model: Backbone = "",
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
