"""The verb `utility`: do the synthetic images help a classifier?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dermsynth.cli.machine import MACHINE, Machine

if TYPE_CHECKING:
    from dermsynth.utility.results import UtilityResult

Several = Annotated[tuple[str, ...], Parameter(negative="")]


def utility(
    synthetic: Path,
    *,
    real: Path,
    out: Path,
    positive: str,
    negative: Several,
    model: str = "small",
    arms: Several = (),
    repeats: int = 5,
    images: str = "8k",
    batch: int = 32,
    learning_rate: float = 0.0003,
    test: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
    drop_overlap: bool = False,
    variant: Several = (),
    by: Several = (),
    seed: int = 0,
    machine: Machine = MACHINE,
) -> None:
    """Train classifiers with and without synthetic images and test them on held-out real images.

    Repeated, the command continues where it stopped; further --arms and --repeats are added to what is there. Everything is
    written into --out; dermsynth evaluate --utility shows the verdict.

    Parameters
    ----------
    synthetic
        A set made by dermsynth generate, from a generator trained on the training split.
    real
        The real data set that the generator was trained on, with the splits train, validation and test.
    out
        Folder for scores, utility.json and utility.html.
    positive
        The label to be found, for example melanoma.
    negative
        The label to be told from it; may be repeated.
    model
        small (no weights needed), mobilenet=FILE, timm:NAME (untrained) or timm:NAME=FILE.
    arms
        real, oversampled, classical, synthetic, mixed=RATIO, real=SHARE; may be repeated. By default the first four,
        mixed=0.5 and mixed=1. synthetic@NAME, mixed=RATIO@NAME and real@NAME use a variant.
    repeats
        Trainings an arm, from consecutive seeds.
    images
        Images shown to the arm of real images; longer arms are shown more.
    test
        A further real data set to test on; may be repeated.
    drop_overlap
        Leave photographs that the real set holds too out of further test sets, instead of stopping.
    variant
        NAME=DIR: another synthetic set (edited, without artefacts), or a copy of the real set by dermsynth artefacts remove;
        may be repeated.
    by
        A column of the test sets (an artefact, a body site) by whose values results are given apart too; may be repeated.
    """

    from dermsynth.io import command_line, parse_count
    from dermsynth.report.utility_report import write_utility_report
    from dermsynth.training.distributed import keep_freed_memory
    from dermsynth.utility.usefulness import utility as run

    keep_freed_memory()
    machine.prepare()
    result = run(
        synthetic, real, out=out, positive=positive, negative=negative, arms=arms, repeats=repeats, model=model,
        images=parse_count(images), batch=batch, learning_rate=learning_rate, tests=test, drop_overlap=drop_overlap,
        variants=_variants(variant), by=by, seed=seed,
    )  # fmt: skip
    page = write_utility_report(out, result, command_line())
    _print(result)
    print("", result.verdict, *result.cautions, result.worth, "", page, sep="\n")


def _variants(texts: tuple[str, ...]) -> dict[str, Path]:
    """Folders of variants by name, from NAME=DIR."""
    from dermsynth.errors import UserError

    variants: dict[str, Path] = {}
    for text in texts:
        name, _, place = text.partition("=")
        if not name or not place:
            raise UserError(f"`variant` {text!r}: write NAME=DIR")
        if name in variants:
            raise UserError(f"`variant` {name}: named twice; give each set a name of its own")
        variants[name] = Path(place)
    return variants


def _print(result: "UtilityResult") -> None:
    print(f"{'arm':<34}{'test':<34}{'mean AUC':>9}{'+-':>7}  {'95 % (ensemble)':<17}{'n':>6}{'positive':>9}")
    for row in result.figures:
        interval = f"{row.delong[0]:.3f} ... {row.delong[1]:.3f}"
        print(
            f"{row.arm:<34}{row.test:<34}{row.auc:>9.3f}{row.auc_deviation:>7.3f}  {interval:<17}"
            f"{row.images:>6}{row.positive:>9}"
        )
