"""The verbs of latent spaces: find directions, edit along them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from dermsynth.latents.directions import Direction
    from dermsynth.latents.space import Points, Space

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
    from dermsynth.latents.attributes import scorer
    from dermsynth.latents.directions import svm_direction
    from dermsynth.latents.samples import sampled
    from dermsynth.latents.space import space_of
    from dermsynth.sampling.generate import load_generator

    space, seen = space_of(load_generator(run, which=checkpoint)), scorer(score, model)
    labels = space.generator.model.targets()
    samples = sampled(space, seen, out, count=count, first_seed=seed, labels=labels, truncation=truncation)
    found = svm_direction(samples, seen.threshold, seen.name, seed=0)
    _write(out, space, [found])


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
    from dermsynth.latents.directions import pca_directions
    from dermsynth.latents.space import space_of
    from dermsynth.sampling.generate import load_generator

    space = space_of(load_generator(run, which=checkpoint))
    _write(out, space, pca_directions(_points(space, count, seed, truncation), components))


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
    from dermsynth.latents.directions import sefa_directions
    from dermsynth.latents.space import require_w, space_of
    from dermsynth.sampling.generate import load_generator

    space = space_of(load_generator(run, which=checkpoint))
    require_w(space, "sefa")
    chosen = _layers(layers, space)
    _write(out, space, sefa_directions(space, components, chosen, _points(space, 1000, 0, None)))


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
    from dermsynth.latents.directions import named, read_directions
    from dermsynth.latents.directions import without as left_of
    from dermsynth.latents.space import require_w
    from dermsynth.report.latents_report import write_edits

    if (steps is None) == (not until_gone):
        raise UserError("say how far: either --steps NUMBER or --until-gone SCORER")
    source = with_run(open_data_set(data), run)
    space = space_behind(source)
    known = read_directions(directions, space)
    chosen = named(known, direction)
    if without:
        chosen = left_of(chosen, [named(known, name) for name in without], _points(space, 1000, 0, None))
    if layers:
        require_w(space, "--layers")
        chosen = replace(chosen, layers=_layers(layers, space))
    made = edit_set(source, space, chosen, out, steps=steps, gone=scorer(until_gone, model) if until_gone else None)
    taken = made.table["edit_step"].astype(float)
    mean = taken[taken != 0].mean() if (taken != 0).any() else 0.0
    print(f"{out}: {len(made.table):,} images, {(taken != 0).sum():,} moved, {mean:+.2f} deviations on average")
    print(write_edits(source, made))


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
    from dermsynth.latents.directions import gathered
    from dermsynth.latents.directions import without as left_of
    from dermsynth.latents.entanglement import Judges, entanglement, ranked
    from dermsynth.latents.space import space_of
    from dermsynth.report.latents_report import as_text, write_entanglement
    from dermsynth.sampling.generate import load_generator

    space, seen = space_of(load_generator(run, which=checkpoint)), scorer(target, model)
    other = scorer(classifier) if classifier else None
    judges = Judges(seen, other, load_perceptual(perceptual) if perceptual else None)
    chosen, others = (list(gathered(paths, space).values()) for paths in (directions, without))
    points = _points(space, 1000, 0, None)
    chosen += [left_of(one, others, points) for one in chosen] if others else []
    seeds = range(seed, seed + count)
    rows = entanglement(space, chosen, judges, seeds=seeds, steps=steps)
    best = ranked(rows)
    print(as_text(best))
    print(write_entanglement(out, space, chosen, rows, best, seen, seeds))


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
    from dermsynth.errors import UserError
    from dermsynth.images import read_image
    from dermsynth.latents.directions import named, read_directions
    from dermsynth.latents.inversion import pixel_distance, project, refuse_written, write_projection
    from dermsynth.latents.space import require_w, space_of
    from dermsynth.sampling.generate import load_generator

    refuse_written(out, image)
    space = space_of(
        load_generator(run, which=checkpoint, device="cpu" if perceptual else "auto")
    )  # where its networks are
    require_w(space, "project")
    classes = space.generator.config.data.classes
    if (label not in classes) if classes else bool(label):
        raise UserError(f"--label {label!r}: the generator's classes are: {', '.join(classes) or 'none'}")
    if steps < 1:
        raise UserError(f"--steps {steps}: must be at least 1")
    chosen = named(read_directions(directions, space), direction) if directions is not None else None
    distance = load_perceptual(perceptual).distance if perceptual else pixel_distance
    for path in image:
        number = classes.index(label) if classes else 0
        found = project(space, read_image(path), number, distance, steps=steps, plus=plus, seed=seed)
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
    from dermsynth.explore.serve import serve

    serve(run, directions, score, model, which=checkpoint, device=device, port=port, data=data)


def _layers(text: str, space: "Space") -> tuple[int, int] | None:
    """First and last layer; None for all."""
    from dermsynth.errors import UserError

    if not text:
        return None
    try:
        first, last = (int(part) for part in text.split("-"))
    except ValueError as error:
        raise UserError(f"--layers {text!r}: write first and last, for example 0-3") from error
    if not 0 <= first <= last < space.layers:
        raise UserError(f"--layers {text}: this generator has layers 0 to {space.layers - 1}")
    return first, last


def _points(space: "Space", count: int, seed: int, truncation: float | None) -> "Points":
    from dermsynth.errors import UserError

    if count < 2:
        raise UserError(f"`count` {count}: must be at least 2")
    targets, seeds = space.generator.model.targets(), range(seed, seed + count)
    return space.points(list(seeds), [targets[i % len(targets)] for i in range(count)], truncation)


def _write(out: Path, space: "Space", found: "Sequence[Direction]") -> None:
    from dermsynth.latents.directions import write_directions

    path = out / "directions.safetensors"
    write_directions(path, space, found)
    for direction in found:
        facts = ", ".join(
            f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in direction.facts.items()
        )
        print(f"{direction.name:<12}deviation {direction.scale:.3g}; {facts}")
    print(path)
