"""Verbs that make and measure synthetic images, and report."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from unicodedata import normalize

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dermsynth.data.dataset import DataSet
from dermsynth.cli.machine import MACHINE, Machine


def generate(
    run: Path,
    *,
    out: Path,
    count: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    maps: Path | None = None,
    split: str = "",
    truncation: float | None = None,
    seed: int = 0,
    checkpoint: str = "last",
    data: Path | None = None,
    device: str = "auto",
    machine: Machine = MACHINE,
) -> None:
    """Generate a labelled synthetic data set. Repeated, the command goes on where it stopped.

    Parameters
    ----------
    run
        The run's folder.
    out
        The data set's folder.
    count
        CLASS=NUMBER, may be repeated; one NUMBER for an unconditional generator, or for each class.
    maps
        For runs that take maps: a data set with lesion masks or maps, of each of which an image is made.
    split
        With --maps: train, validation, test or all; by default what the run was trained on, where the maps have splits.
    truncation
        Smaller values give more typical images: psi for stylegan2-ada (1 is none), elsewhere the largest magnitude that a
        component of the latent may have. None by default.
    seed
        Seed of the first image of each class.
    checkpoint
        last, best, or images shown.
    data
        The data set that the run was trained on, if it was moved; for the copy gate.
    """

    from dermsynth.data.dataset import open_data_set
    from dermsynth.errors import UserError
    from dermsynth.sampling.generate import generate as make
    from dermsynth.sampling.generate import load_generator
    from dermsynth.sampling.translate import from_maps
    from dermsynth.training.data import data_trained_on

    generator = load_generator(run, which=checkpoint, device=device)
    machine.prepare(device=device)
    if data is not None:
        data_trained_on(generator.config.data, data)  # told now, not after the work
    if maps is not None:
        given = {"--count": count, "--seed": seed, "--truncation": truncation is not None}
        useless = ", ".join(name for name, value in given.items() if value)
        if useless:
            raise UserError(f"{useless}: of no use with --maps, where every map makes one image; leave it out")
        made = from_maps(generator, open_data_set(maps), out, split=split)
        _tell(made, generator.config.data.folder, data)
        return
    if split:
        raise UserError(f"--split {split}: goes with --maps; leave it out")
    if not count and generator.model.inputs.from_noise:
        raise UserError("--count is missing: write --count CLASS=NUMBER, or one NUMBER")
    counts = _counts(count, generator.config.data.classes)
    made = make(generator, counts, out, truncation=truncation, first_seed=seed)
    _tell(made, generator.config.data.folder, data)


def _tell(made: "DataSet", folder: str, data: Path | None) -> None:
    """What was made, the command that goes on, and what the copy gate says; `data` is where `folder` was moved to."""
    from dermsynth.evaluation.memorisation import check_copies

    real = data or Path(folder)
    command = shlex.join(
        ["dermsynth", "evaluate", str(made.folder), "--against", str(real if real.is_dir() else "DIR")]
    )
    print(f"{made.folder}: {len(made.table):,} images; next: {command}")
    print(f"  copy gate: {check_copies(made, data)}")


def _counts(items: "Sequence[str]", classes: "Sequence[str]") -> dict[str, int]:
    """How many images of which class: CLASS=NUMBER, or NUMBER for every class.

    A name that no class has is left to whoever makes the images. Raises UserError for a class named twice.
    """
    from dermsynth.errors import UserError
    from dermsynth.io import parse_count

    counts: dict[str, int] = {}
    for item in items:
        label, equals, number = item.rpartition("=")
        same = [name for name in classes if normalize("NFC", name) == normalize("NFC", label)]
        labels = [label if label in classes or not same else same[0]] if equals else list(classes) or [""]
        for name in labels:
            if name in counts:
                raise UserError(f"--count {item}: the number of {name or 'images'} is given twice; give it once")
            counts[name] = parse_count(number)
    return counts


def translate(
    run: Path,
    *,
    input: Path,
    out: Path,
    to: str = "",
    masks: Path | None = None,
    split: str = "all",
    checkpoint: str = "last",
    device: str = "auto",
) -> None:
    """Translate the photographs of a data set: add a finding, remove it, or make them look like another class.

    Parameters
    ----------
    run
        The folder of a run of residual-translation or cyclegan.
    input
        The data set whose images are translated.
    out
        The new data set's folder.
    to
        The label translated to; may be left out where the run knows one direction only.
    masks
        A data set whose masks say where, for families with masks; without it the images' own masks.
    split
        Part of the input: all, train, validation or test.
    checkpoint
        last, best, or images shown.
    """
    from dermsynth.data.dataset import open_data_set
    from dermsynth.sampling.generate import load_generator
    from dermsynth.sampling.translate import translate as make

    generator = load_generator(run, which=checkpoint, device=device)
    where = None if masks is None else open_data_set(masks)
    made = make(generator, open_data_set(input), out, to=to, masks=where, split=split)
    change = made.provenance.document.get("change_outside_mask")
    print(
        f"{out}: {len(made.table):,} images; copy gate: not run yet; {shlex.join(['dermsynth', 'evaluate', str(out)])} runs it"
    )
    if change:
        print(
            f"  change outside the masks: {change['mean']} grey levels on average, {change['worst']} in the worst image"
        )


def evaluate(
    synthetic: Path,
    *,
    against: Path | None = None,
    out: Path | None = None,
    extractor: str = "embedded",
    resizer: Literal["tensorflow", "antialiased"] = "tensorflow",
    split: str = "all",
    by: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    perceptual: str = "",
    path_lengths: int = 0,
    brief: bool = False,
    run: Path | None = None,
    utility: Path | None = None,
    photographs: bool = True,
    seed: int = 0,
    machine: Machine = MACHINE,
) -> None:
    """Say whether a synthetic set is faithful, diverse and not copied: a folder with the page and all figures.

    Every figure comes with its interval, its real-against-real floor and the number of images; overall, per class and per
    skin tone. Images that lie too close to a training image are flagged in copies.csv. The set itself stays as it is.

    Parameters
    ----------
    synthetic
        A set made by: dermsynth generate.
    against
        The real data set; by default the one that the generator was trained on.
    out
        The folder for assessment.html, assessment.json, copies.csv and neighbours.csv; assessment in the set by default.
    extractor
        embedded, inception=FILE (weights of the FID Inception-v3), inception=download, mobilenet=FILE, timm:NAME=FILE
        (DINOv2, CLIP and others), or classifier=DIR (a folder of dermsynth utility).
    resizer
        How images reach the extractor's size.
    split
        Part of the real set to compare with: all, train, validation or test.
    by
        A column of both sets' metadata.csv whose values are compared apart; may be repeated.
    perceptual
        lpips=FILE or mobilenet=FILE: a perceptual distance for pairs of images and for the nearest training images.
    path_lengths
        So many walks through the generator's latents, whose perceptual lengths are measured; needs --perceptual and the run.
    brief
        FID, KID and SWD only, and no page; a whole evaluation of the same images stays as it is.
    run
        The run that made the set, if it was moved.
    utility
        Folder of a dermsynth utility experiment with this set: its verdict is shown, too.
    photographs
        Whether the page shows images of the real set, and generated ones that were flagged as copies of them.
    """

    from dermsynth.backbones.lpips import load_perceptual
    from dermsynth.data.dataset import open_data_set
    from dermsynth.errors import UserError
    from dermsynth.evaluation.evaluate import evaluate as measure
    from dermsynth.evaluation.generator_metrics import discriminator_of, missing_run, trained_on, with_run
    from dermsynth.evaluation.results import PAGE, RESULT, default_folder
    from dermsynth.io import command_line
    from dermsynth.metrics.estimate import ALL
    from dermsynth.report.evaluation_report import write_evaluation_report
    from dermsynth.report.evaluation_text import evaluation_table, verdict_table
    from dermsynth.report.page import PHOTOGRAPHS
    from dermsynth.training.distributed import keep_freed_memory
    from dermsynth.utility.classifier import load_extractor

    keep_freed_memory()
    if path_lengths < 0:
        raise UserError(f"--path-lengths {path_lengths}: must be at least 0")
    machine.prepare()
    made = with_run(open_data_set(synthetic), run)
    folder = default_folder(made, out)
    real = open_data_set(against or trained_on(made))
    network = load_extractor(extractor, resizer=resizer)
    if brief:
        result = measure(made, real, network, split=split, brief=True, seed=seed, out=folder)
        print(evaluation_table(result), "copy gate: not run with --brief", f"\n{folder / RESULT}", sep="\n")
        return
    if missing := missing_run(made):
        print(f"the discriminator is not asked: {missing}")
    result = measure(
        made,
        real,
        network,
        split=split,
        columns=by,
        discriminator=discriminator_of(made),
        perceptual=load_perceptual(perceptual) if perceptual else None,
        paths=path_lengths,
        usefulness=utility,
        seed=seed,
        out=folder,
    )
    page = folder / PAGE
    write_evaluation_report(made, real, result, command_line(), photographs=photographs, path=page)
    print(evaluation_table(result, ALL), verdict_table(result), page, sep="\n\n")
    if photographs:
        print(f"  {PHOTOGRAPHS}")


def export(synthetic: Path, *, out: Path, with_flagged: bool = False, evaluation: Path | None = None) -> None:
    """Copy a synthetic set without the images flagged as copies, and write a data card for it.

    Parameters
    ----------
    synthetic
        A set made by: dermsynth generate, and checked by dermsynth evaluate.
    out
        The new folder.
    with_flagged
        Leave the flagged images in.
    evaluation
        The folder that dermsynth evaluate --out wrote; assessment in the set by default.
    """
    from dermsynth.data.dataset import open_data_set
    from dermsynth.export.huggingface import CARD, copies_said
    from dermsynth.export.huggingface import export as write

    made = write(open_data_set(synthetic), out, with_flagged=with_flagged, evaluation=evaluation)
    print(f"{out}: {len(made.table):,} images, {copies_said(made)}; {out / CARD}")


def report(
    run: Path,
    *,
    out: Path | None = None,
    data: Path | None = None,
    evaluation: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
    photographs: bool = True,
) -> None:
    """Write the report of a run: one HTML file that needs nothing else.

    Parameters
    ----------
    run
        The run's folder.
    out
        Where the page goes; report.html in the run by default.
    data
        The data set that the run was trained on, if it was moved.
    evaluation
        A synthetic set of the run that was evaluated, or a folder that dermsynth evaluate --out wrote; may be repeated.
    photographs
        Whether the page shows training images, and what was made of single ones.
    """
    from dermsynth.report.page import PHOTOGRAPHS
    from dermsynth.report.run_report import write_run_report

    page = out or run / "report.html"
    embedded = write_run_report(run, page, data=data, evaluations=evaluation, photographs=photographs)
    print(f"report: {page}")
    if embedded:
        print(f"  {PHOTOGRAPHS}")


def gallery(
    runs: Annotated[tuple[Path, ...], Parameter(negative="")],
    /,
    *,
    out: Path,
    inputs: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
) -> None:
    """Write contact sheets of several runs as small JPEGs and a Markdown page that shows them.

    Parameters
    ----------
    runs
        Folders of runs.
    out
        Folder for the page.
    inputs
        Data sets for families that make images from images, so that no photograph they were trained on is in the page; for
        example a phantom and patches cut from it. May be repeated.
    """
    from dermsynth.data.dataset import open_data_set
    from dermsynth.report.gallery import PHOTOGRAPHS, write_gallery

    size, photographs = write_gallery(runs, out, [open_data_set(folder) for folder in inputs])
    print(f"{out / 'README.md'}: {len(runs)} runs, {size / 1e6:.2f} MB of pictures")
    if photographs:
        print(f"  {PHOTOGRAPHS}")
