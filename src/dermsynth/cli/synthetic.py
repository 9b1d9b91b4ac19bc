"""Verbs that make and measure synthetic images, and report."""

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dermsynth.cli import places
from dermsynth.cli.flags import say, say_photographs
from dermsynth.cli.options import (
    COMPARED_SIZE,
    MACHINE,
    Checkpoint,
    ComparedSize,
    Device,
    Folders,
    Machine,
    NewData,
    Resizer,
    Run,
    Seed,
    Several,
    Split,
    Switch,
)


@Parameter(name="*")
@dataclass(frozen=True)
class Images:
    """Which images are generated."""

    count: Several = ()
    """How many images: CLASS=NUMBER, may be repeated; one NUMBER for an unconditional generator, or for each class."""
    maps: Annotated[Path | None, places.data_set("maps")] = None
    """For runs that take maps: a data set with lesion masks or maps, of each of which an image is made."""
    split: str = ""
    """With --maps: train, validation, test or all; by default what the run was trained on, where the maps have splits."""
    truncation: float | None = None
    """Smaller values give more typical images: psi for stylegan2-ada (1 is none), elsewhere the largest magnitude that a
    component of the latent may have. None by default."""
    seed: int = 0
    """Seed of the first image of each class, at least 0."""
    any_pose: Switch = False
    """Look for copies that are shifted, turned by any angle, zoomed or cut, too: minutes for 1,000 images."""


IMAGES = Images()


def generate(
    run: Run,
    *,
    out: Path,
    images: Images = IMAGES,
    checkpoint: Checkpoint = "last",
    data: Path | None = None,
    device: Device = "auto",
    machine: Machine = MACHINE,
) -> None:
    """Generate a labelled synthetic data set. Repeated, the command continues where it stopped.

    Parameters
    ----------
    out
        Folder for the synthetic set.
    data
        The data set that the run was trained on, if it was moved; for the copy gate.
    """
    from dermsynth.api.generators import generate as write_images
    from dermsynth.api.generators import load_generator, parse_quotas

    generator = load_generator(run, checkpoint=checkpoint, device=device)
    machine.prepare(device=device)
    count = parse_quotas(images.count, generator.labels) if images.count else None
    synthetic = write_images(
        generator, out=out, count=count, maps=images.maps, split=images.split, truncation=images.truncation,
        seed=images.seed, data=data, any_pose=images.any_pose,
    )  # fmt: skip
    real = data or Path(generator.config.data.folder)
    command = ["dermsynth", "evaluate", str(out), "--against", str(real if real.is_dir() else "DIR")]
    print(f"{out}: {len(synthetic.table):,} images; next: {shlex.join(command)}")


def translate(
    run: Annotated[Path, places.run()],
    *,
    input: Annotated[Path, places.data_set("input")],
    out: NewData,
    target: Annotated[str, Parameter(name="--to")] = "",
    masks: Annotated[Path | None, places.data_set("masks")] = None,
    split: Split = "all",
    checkpoint: Checkpoint = "last",
    device: Device = "auto",
) -> None:
    """Translate the photographs of a data set: add a finding, remove it, or make them look like another class.

    Parameters
    ----------
    run
        Folder of a run of residual-translation or cyclegan.
    input
        Folder of the data set whose images are translated.
    target
        The label translated to; may be left out where the run knows one direction only.
    masks
        A data set whose masks say where, for families with masks; without it the images' own masks.
    """
    from dermsynth.api.generators import translate as write_translations

    result = write_translations(
        run, input, out=out, target=target, masks=masks, split=split, checkpoint=checkpoint, device=device
    )
    following = shlex.join(["dermsynth", "evaluate", str(out)])
    print(f"{out}: {len(result.table):,} images; copy gate: not run yet; {following} runs it")
    change = result.provenance.document.get("change_outside_mask")
    if change:
        print(
            f"  change outside the masks: {change['mean']} grey levels on average, {change['worst']} in the worst image"
        )


@Parameter(name="*")
@dataclass(frozen=True)
class Measures:
    """What is measured, and by which networks."""

    extractor: str = "embedded"
    """Network whose features are compared: embedded, inception=FILE (weights of the FID Inception-v3), inception=download,
    mobilenet=FILE, lite0 (EfficientNet-Lite0), timm:NAME=FILE (DINOv2, CLIP and others), or classifier=DIR (a folder of
    dermsynth utility)."""
    resizer: Resizer = "tensorflow"
    """How images reach the extractor's size; published FID uses tensorflow."""
    split: str = "all"
    """Part of the real set to compare with: train, validation, test, or all."""
    by: Several = ()
    """A column of both sets' metadata.csv whose values are compared separately; may be repeated. `tone` is the skin tone by
    whichever scale both sets have."""
    perceptual: str = ""
    """lpips=FILE or mobilenet=FILE: a perceptual distance for pairs of images and for the nearest training images."""
    path_lengths: int = 0
    """Walks through the generator's latents whose perceptual lengths are measured; needs --perceptual and the run."""
    brief: Annotated[bool, Parameter(negative="")] = False
    """FID, KID and SWD only, and no page; a whole evaluation of the same images stays as it is."""
    any_pose: Switch = False
    """Look for copies that are shifted, turned by any angle, zoomed or cut, too: about a quarter of a second an image."""
    size: ComparedSize = COMPARED_SIZE
    """The size at which both sides are compared."""


MEASURES = Measures()


def evaluate(
    synthetic: Annotated[Path, places.data_set("synthetic")],
    *,
    against: Annotated[Path | None, places.data_set("against")] = None,
    out: Path | None = None,
    measures: Measures = MEASURES,
    run: Path | None = None,
    utility: Path | None = None,
    photographs: bool = True,
    seed: Seed = 0,
    device: Device = "auto",
    machine: Machine = MACHINE,
) -> None:
    """Say whether a synthetic set is faithful, diverse and not copied, and write a page with all figures.

    Every figure comes with its interval, its real-against-real floor and the number of images; overall, per class and per
    skin tone. Images that lie too close to a training image are flagged in copies.csv. The set itself stays as it is.

    Parameters
    ----------
    synthetic
        A set made by dermsynth generate, or by another tool and imported with --synthetic.
    against
        The real data set; by default the one that the generator was trained on.
    out
        The folder for assessment.html, assessment.json, copies.csv and neighbours.csv; assessment in the set by default.
    run
        The run that made the set, if it was moved.
    utility
        Folder of a dermsynth utility experiment with this set: its verdict is shown, too.
    photographs
        Whether the page shows images of the real set, and generated ones that were flagged as copies of them.
    """
    from dermsynth.api.evaluation import evaluate as measure
    from dermsynth.api.evaluation import extractor
    from dermsynth.evaluation.results import FOLDER, PAGE, RESULT
    from dermsynth.metrics.estimate import ALL
    from dermsynth.report.evaluation_text import evaluation_table, verdict_table

    machine.prepare(device=device)
    network = extractor(measures.extractor, resizer=measures.resizer)
    choices = {
        name: getattr(measures, name) for name in ("split", "by", "perceptual", "path_lengths", "brief", "any_pose")
    }
    result = measure(
        synthetic, against=against, out=out, extractor=network, run=run, utility=utility, photographs=photographs, seed=seed,
        device=device, **asdict(measures.size), **choices,
    )  # fmt: skip
    folder = out or synthetic / FOLDER
    if measures.brief:
        say(evaluation_table(result), "copy gate: not run with --brief", f"\n{folder / RESULT}")
        return
    page = result.save(folder / PAGE)
    say(evaluation_table(result, ALL), "", verdict_table(result), "", page)
    say_photographs(photographs)


@Parameter(name="*")
@dataclass(frozen=True)
class Release:
    """Under which terms a set is handed on, and how its images are signed."""

    licence: Several = ()
    """Licence of the release, such as CC-BY-4.0; may be repeated. By default that of the set, or of the real images behind it."""
    data: Path | None = None
    """The data set that the generator was trained on, if it was moved: its licence and attribution go along."""
    sign: Annotated[tuple[Path, Path] | None, Parameter(consume_multiple=True, negative="")] = None
    """Certificate chain (the signer's first) and private key, both PEM: a signed C2PA manifest in every image."""
    timestamp: str = ""
    """Address of a time-stamp authority that is asked once an image; without it nothing touches the network."""


RELEASE = Release()


def export(
    synthetic: Annotated[Path, places.data_set("synthetic")],
    *,
    out: NewData,
    with_flagged: Annotated[bool, Parameter(negative="")] = False,
    evaluation: Path | None = None,
    release: Release = RELEASE,
) -> None:
    """Copy a synthetic set without the images flagged as copies, with a data card, croissant.json and fingerprints.

    Parameters
    ----------
    synthetic
        A synthetic set that was checked by dermsynth evaluate.
    with_flagged
        Copy the flagged images too.
    evaluation
        The folder that dermsynth evaluate --out wrote; assessment in the set by default.
    """
    from dermsynth.api.release import export as write_release
    from dermsynth.export.card import CARD
    from dermsynth.export.huggingface import copies_said

    released = write_release(
        synthetic, out=out, with_flagged=with_flagged, evaluation=evaluation, licence=release.licence, data=release.data,
        sign=release.sign, timestamp=release.timestamp,
    )  # fmt: skip
    signed = ", signed" if release.sign else ""
    terms = ", ".join(released.provenance.licence)
    print(f"{out}: {len(released.table):,} images, {copies_said(released)}{signed}; licence: {terms}; {out / CARD}")


def verify(
    folder: Path,
    *,
    registry: Folders,
    table: Path | None = None,
) -> None:
    """Are these images ours, also after JPEG and resizing? Compares them with fingerprints of exports; checks signatures.

    The exit status is 0 where every image is one of ours and none was changed after it was signed, 3 otherwise, and 1 for an
    error. Whether the files of a data set were changed, `dermsynth data verify` says.

    Parameters
    ----------
    folder
        An image, or a folder of images.
    registry
        fingerprints.jsonl of an export, or the export's folder; may be repeated.
    table
        CSV file for a line an image; without it the images that are not exact are listed.
    """
    import sys

    from dermsynth.api.release import verify as look_up
    from dermsynth.export.lookup import match_lines

    result = look_up(folder, registry=registry)
    if table is None:
        say(*match_lines(result))
    else:
        result.save(table)
    say(result.text())
    sys.exit(0 if result.ours else 3)


def report(
    run: Run,
    *,
    page: Path | None = None,
    data: Path | None = None,
    evaluation: Folders = (),
    utility: Path | None = None,
    methods: Path | None = None,
    photographs: bool = True,
) -> None:
    """Write the report of a run: one HTML file that needs nothing else; or, with --methods, the methods for a paper.

    Parameters
    ----------
    page
        The HTML file; report.html in the run by default.
    data
        The data set that the run was trained on, if it was moved.
    evaluation
        A synthetic set of the run that was evaluated, or a folder that dermsynth evaluate --out wrote; may be repeated.
    utility
        With --methods: folder of a dermsynth utility experiment with such a set.
    methods
        File (.md or .txt) for data, licences, splits, generator, length, seed, figures and versions in words; a CSV file beside
        it has what CLEAR Derm and STARD-AI ask for. No page is written then, unless --page names one.
    photographs
        Whether the page shows training images, and what was made of single ones.
    """
    if methods is not None:
        from dermsynth.api.release import methods as write_up

        result = write_up(run, data=data, evaluations=evaluation, utility=utility)
        path = result.save(methods)
        known = sum(item.known for item in result.items)
        print(f"methods: {path}; {known} of {len(result.items)} items of guidelines: {path.with_suffix('.csv')}")
        if page is None:
            return
    elif utility is not None:
        from dermsynth.errors import UserError

        raise UserError("`utility`: goes with `methods`; leave it out")
    from dermsynth.api.reports import write_report

    written = write_report(run, page=page, data=data, evaluations=evaluation, photographs=photographs)
    print(f"report: {written.path}")
    say_photographs(written.photographs)


def gallery(
    runs: Annotated[tuple[Path, ...], Parameter(negative="")],
    /,
    *,
    out: Path,
    inputs: Folders = (),
) -> None:
    """Write contact sheets of runs and synthetic sets as small JPEGs and a Markdown page that shows them.

    Parameters
    ----------
    runs
        Folders of runs, and of synthetic sets, also of those that another tool made.
    out
        Folder for the page.
    inputs
        Data sets for families that make images from images, so that no photograph they were trained on is in the page; for
        example a phantom and patches cut from it. May be repeated.
    """
    from dermsynth.api.reports import write_sheets
    from dermsynth.report.gallery import PHOTOGRAPHS

    page = write_sheets(runs, out=out, inputs=inputs)
    kinds = (("run", len(runs) - page.sets), ("synthetic set", page.sets))
    counts = ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in kinds if count)
    print(f"{page.path}: {counts}, {page.size / 1e6:.2f} MB of pictures")
    if page.photographs:
        say(f"  {PHOTOGRAPHS}")
