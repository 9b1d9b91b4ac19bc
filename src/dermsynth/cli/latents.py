"""The verbs of latent spaces: find directions, edit along them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from dermsynth.latents.directions import Direction
    from dermsynth.sampling.generate import Generator

Which = Annotated[str, Parameter(help="Checkpoint: last, best, or images shown.")]


def svm(
    run: Path, *, score: str, out: Path, count: int = 20_000, model: str = "", truncation: float | None = None,
    checkpoint: Which = "last", seed: int = 0,
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
        Folder for the samples and directions.safetensors; goes on where it was stopped.
    count
        How many points.
    model
        Backbone of a trained detector or regression: mobilenet=FILE or timm:NAME=FILE.
    """
    from dermsynth.latents.discovery import directions
    from dermsynth.sampling.generate import load_generator

    generator = load_generator(run, which=checkpoint)
    _write(
        out,
        generator,
        directions(generator, "svm", score=score, model=model, count=count, truncation=truncation, seed=seed, out=out),
    )


def pca(
    run: Path, *, out: Path, count: int = 20_000, components: int = 10, truncation: float | None = None,
    checkpoint: Which = "last", seed: int = 0,
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
    from dermsynth.sampling.generate import load_generator

    generator = load_generator(run, which=checkpoint)
    _write(
        out,
        generator,
        directions(generator, "pca", count=count, components=components, truncation=truncation, seed=seed),
    )


def sefa(run: Path, *, out: Path, components: int = 10, layers: str = "", checkpoint: Which = "last") -> None:
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
    from dermsynth.sampling.generate import load_generator

    generator = load_generator(run, which=checkpoint)
    require_w(space_of(generator), "sefa")
    _write(out, generator, directions(generator, "sefa", components=components, layers=_layers(layers)))


def rename(directions: Path, old: str, new: str) -> None:
    """Give a direction another name.

    Parameters
    ----------
    directions
        A directions.safetensors.
    old
        Its name so far.
    new
        Its name from now on.
    """
    from dermsynth.latents.directions import rename_direction

    rename_direction(directions, old, new)
    print(f"{directions}: {old} is called {new}")


def edit(
    data: Path, *, directions: Path, direction: str, out: Path, steps: float | None = None, until_gone: str = "",
    layers: str = "", model: str = "", without: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    run: Path | None = None,
) -> None:  # fmt: skip
    """Edit a whole synthetic set along a direction: by so many deviations, or until a scorer sees nothing any more.

    Parameters
    ----------
    data
        A set made by dermsynth generate; its run must be at hand.
    directions
        A directions.safetensors.
    direction
        Name of one of its directions.
    out
        Folder of the edited set.
    steps
        How far, in deviations of points along the direction; negative against it.
    until_gone
        A scorer as for svm: each image is moved against the direction as little as it takes.
    layers
        First and last layer that are moved, for example 0-3; by default those of the direction.
    model
        Backbone of a trained detector.
    without
        Names of directions that are projected out first.
    run
        The run that made the set, if it was moved.
    """
    from dataclasses import replace

    from dermsynth.data.dataset import open_data_set
    from dermsynth.errors import UserError
    from dermsynth.evaluation.generator_metrics import with_run
    from dermsynth.latents.attributes import scorer
    from dermsynth.latents.datasets import edit_set, space_behind
    from dermsynth.latents.directions import find_direction, project_out, read_directions
    from dermsynth.latents.discovery import SCALED_BY, check_layers, sample_points
    from dermsynth.latents.space import require_w
    from dermsynth.report.latents_report import write_edits

    if (steps is None) == (not until_gone):
        raise UserError("say how far: either `steps` NUMBER or `until_gone` SCORER")
    source = with_run(open_data_set(data), run)
    space = space_behind(source)
    known = read_directions(directions, space)
    chosen = find_direction(known, direction)
    if without:
        others = [find_direction(known, name) for name in without]
        chosen = project_out(chosen, others, sample_points(space, SCALED_BY))
    if layers:
        require_w(space, "`layers`")
        chosen = replace(chosen, layers=_layers(layers))
        check_layers(space, chosen.layers)
    gone = scorer(until_gone, model) if until_gone else None
    edited = edit_set(source, space, chosen, out, steps=steps, gone=gone)
    lengths = edited.table["edit_step"].astype(float)
    mean = lengths[lengths != 0].mean() if (lengths != 0).any() else 0.0
    print(f"{out}: {len(edited.table):,} images, {(lengths != 0).sum():,} moved, {mean:+.2f} deviations on average")
    print(write_edits(source, edited))


def compare(
    run: Path, *, directions: Annotated[tuple[Path, ...], Parameter(negative="")], target: str, out: Path, count: int = 200,
    steps: Annotated[tuple[float, ...], Parameter(negative="")] = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0),
    without: Annotated[tuple[Path, ...], Parameter(negative="")] = (), classifier: str = "", perceptual: str = "",
    model: str = "", checkpoint: Which = "last", seed: int = 1_000_000,
) -> None:  # fmt: skip
    """Rank directions by what they cost: the target's score against lesion, ABCD features, skin tone and a classifier.

    Parameters
    ----------
    run
        The run they were found in.
    directions
        Files of directions; may be repeated.
    target
        What should go: frame, hair, ruler, ink, sticker, bubble, detector=DIR:LABEL.
    out
        Folder for entanglement.json and entanglement.html.
    count
        How many latents, at least 200; seeds from --seed on, which no direction was found with.
    steps
        Deviations of points along a direction; may be repeated.
    classifier
        classifier=DIR: also how far its probability moves.
    perceptual
        lpips=FILE or mobilenet=FILE: also the distance when the lesion alone is exchanged.
    without
        Files of directions of other attributes: each direction is compared once more with all of these projected out.
    """
    from dermsynth.backbones.lpips import load_perceptual
    from dermsynth.latents.attributes import scorer
    from dermsynth.latents.directions import collect_directions, project_out
    from dermsynth.latents.discovery import SCALED_BY, sample_points
    from dermsynth.latents.edits import strips
    from dermsynth.latents.entanglement import Observers, compare_directions
    from dermsynth.latents.space import space_of
    from dermsynth.report.latents_report import as_text, write_entanglement
    from dermsynth.sampling.generate import load_generator

    space = space_of(load_generator(run, which=checkpoint))
    observers = Observers(
        scorer(target, model),
        scorer(classifier) if classifier else None,
        load_perceptual(perceptual) if perceptual else None,
    )
    chosen, others = (list(collect_directions(paths, space).values()) for paths in (directions, without))
    if others:
        points = sample_points(space, SCALED_BY)
        chosen += [project_out(one, others, points) for one in chosen]
    seeds = range(seed, seed + count)
    result = compare_directions(space, chosen, observers, seeds=seeds, steps=steps)
    print(as_text(result.ranking))
    print(write_entanglement(out, result, strips(space, chosen, seeds), count))


def project(
    run: Path, image: Annotated[tuple[Path, ...], Parameter(negative="")], *, out: Path, label: str = "", perceptual: str = "",
    plus: Annotated[bool, Parameter(negative="")] = False, steps: int = 500, directions: Path | None = None,
    direction: str = "", edit: Annotated[tuple[float, ...], Parameter(negative="")] = (-2.0, 2.0), checkpoint: Which = "last",
    seed: int = 0,
) -> None:  # fmt: skip
    """Find photographs in W, say how near their images come, and edit them along a direction.

    Parameters
    ----------
    run
        A stylegan2-ada run.
    image
        Photographs; several may be named.
    out
        Folder: of each photograph a PNG (photograph, projection, edits) and its point as safetensors.
    label
        Their class, for a conditional generator.
    perceptual
        What distance is minimised: lpips=FILE or mobilenet=FILE; pixels at several scales by default.
    plus
        One w a layer: nearer, but edits may mean less.
    steps
        How many steps of Adam.
    directions
        A directions.safetensors, to edit by --direction and --edit (deviations; may be repeated).
    """
    from dermsynth.backbones.lpips import load_perceptual
    from dermsynth.images import read_image
    from dermsynth.latents.directions import find_direction, read_directions
    from dermsynth.latents.inversion import invert, refuse_written, write_projection
    from dermsynth.latents.space import require_w, space_of
    from dermsynth.sampling.generate import load_generator

    refuse_written(out, image)
    # on the processor of the distance's networks
    generator = load_generator(run, which=checkpoint, device="cpu" if perceptual else "auto")
    space = space_of(generator)
    require_w(space, "project")
    chosen = find_direction(read_directions(directions, space), direction) if directions is not None else None
    distance = load_perceptual(perceptual).distance if perceptual else None
    for path in image:
        found = invert(generator, read_image(path), label=label, distance=distance, steps=steps, plus=plus, seed=seed)
        write_projection(out, path, space, found, chosen, edit)
        print(f"{path.name}: PSNR {found.psnr:.1f} dB, SSIM {found.ssim:.2f}, distance {found.distance:.4f}")
    print(out)


def explore(
    run: Path, *, directions: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
    score: Annotated[tuple[str, ...], Parameter(negative="")] = (), model: str = "", checkpoint: Which = "last",
    device: str = "auto", port: int = 8001, data: Path | None = None,
) -> None:  # fmt: skip
    """Show a page on this machine: sliders for seed, class, truncation and directions, with scores and copy gate.

    Parameters
    ----------
    run
        A run of a family with a latent.
    directions
        Files of directions; may be repeated.
    score
        What is scored: frame, hair, ruler, ink, sticker, bubble, detector=DIR:LABEL, classifier=DIR; may be repeated.
    model
        Backbone of a trained detector: mobilenet=FILE or timm:NAME=FILE.
    port
        Port to listen on; from another machine: ssh -L 8001:127.0.0.1:8001.
    data
        The data set that the run was trained on, if it was moved; for the copy gate.
    """
    from dermsynth.explore.serve import prepare_page

    page = prepare_page(run, directions, score, model, which=checkpoint, device=device, port=port, data=data)
    print(f"copy gate: {page.gate}")
    print(f"{page.url}  (this machine only; Ctrl-C ends it)", flush=True)
    page.run()


def _layers(text: str) -> tuple[int, int] | None:
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
