"""The verb `utility`: do the synthetic images help a classifier?"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dermsynth.cli import places
from dermsynth.cli.flags import say
from dermsynth.cli.options import COMPARED_SIZE, MACHINE, ComparedSize, Machine, Seed, Several, Switch

if TYPE_CHECKING:
    from dermsynth.utility.results import UtilityResult


@Parameter(name="*")
@dataclass(frozen=True)
class Classes:
    """What the classifier is to find."""

    positive: str
    """The label to be found, for example melanoma."""
    negative: Several
    """The label to be told from it; may be repeated."""


@Parameter(name="*")
@dataclass(frozen=True)
class Trainings:
    """Which classifiers are trained, and how."""

    model: str = "small"
    """small (no weights needed), lite0 or lite2 (pretrained, of the extra efficientnet), mobilenet=FILE, timm:NAME (untrained) or
    timm:NAME=FILE."""
    arms: Several = ()
    """What a classifier learns from: real, oversampled, classical, synthetic, weights, mixup, cutmix, copies, mixed=RATIO,
    real=SHARE, real=SHARE+synthetic; may be repeated. By default the first four, mixed=0.5 and mixed=1. synthetic@NAME,
    mixed=RATIO@NAME and real@NAME are of a variant."""
    repeats: int = 5
    """Trainings an arm, from consecutive seeds."""
    images: str = "8k"
    """Images shown to the arm of real images; longer arms are shown more."""
    batch: int = 32
    """Images a step."""
    learning_rate: float = 0.0003
    """Learning rate of Adam."""
    frozen: Switch = False
    """Leave the backbone as it was pretrained and train the linear layer alone: many times as fast."""


@Parameter(name="*")
@dataclass(frozen=True)
class Tests:
    """What the classifiers are tested on."""

    tests: Annotated[tuple[Path, ...], Parameter(name="--test", negative="")] = ()
    """Folder of a further real data set to test on; may be repeated."""
    drop_overlap: Switch = False
    """Leave photographs that the real set holds too out of further test sets, instead of stopping."""
    by: Several = ()
    """A column of the test sets (an artefact, a body site) by whose values results are also given separately; may be repeated."""
    view: Literal["whole", "lesion", "background", "box", "low-pass", "high-pass"] = "whole"
    """What classifiers see of every image: does the label show without the lesion? lesion, background and box need lesion
    masks."""


TRAININGS, TESTS = Trainings(), Tests()


def utility(
    synthetic: Annotated[Path, places.data_set("synthetic")],
    *,
    real: Annotated[Path, places.data_set("real")],
    out: Path,
    classes: Classes,
    trainings: Trainings = TRAININGS,
    tests: Tests = TESTS,
    variant: Several = (),
    generator: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
    trust_provenance: Switch = False,
    size: ComparedSize = COMPARED_SIZE,
    seed: Seed = 0,
    machine: Machine = MACHINE,
) -> None:
    """Train classifiers with and without synthetic images and test them on held-out real images.

    Repeated, the command continues where it stopped; further --arms and --repeats are added to what is there. Everything is
    written into --out; dermsynth evaluate --utility shows the verdict.

    Parameters
    ----------
    synthetic
        A set made by dermsynth generate, from a generator trained on the training split; or one of another tool of which that is
        claimed.
    real
        The real data set that the generator was trained on, with the splits train, validation and test.
    out
        Folder for scores, utility.json and utility.html.
    variant
        NAME=DIR: another synthetic set (edited, without artefacts), or a copy of the real set by dermsynth artefacts remove;
        may be repeated.
    generator
        Folder of a set of another generator, trained by the same method from another seed; may be repeated. The verdict is then
        about the method, not one generator.
    trust_provenance
        Believe what sets made elsewhere claim of the images that their generator was trained on.
    """
    from dermsynth.io import command_line, parse_count
    from dermsynth.report.utility_report import write_utility_report
    from dermsynth.utility.usefulness import utility as carry_out

    machine.prepare()
    choices = {
        **asdict(classes),
        **asdict(trainings),
        **asdict(tests),
        **asdict(size),
        "trust_provenance": trust_provenance,
        "images": parse_count(trainings.images, "images"),
    }
    result = carry_out(
        synthetic, real, out=out, variants=parse_variants(variant), generators=generator, seed=seed, **choices
    )
    page = write_utility_report(out, result, command_line())
    view = [result.view_text, ""] if result.view_text else []
    say(
        figures_text(result),
        f"size: {result.sizes}",
        "",
        *view,
        result.verdict,
        *result.cautions,
        result.worth,
        "",
        page,
    )


def parse_variants(words: tuple[str, ...]) -> dict[str, Path]:
    """NAME=DIR by name.

    Raises UserError for a name given twice.
    """
    from dermsynth.errors import UserError

    variants: dict[str, Path] = {}
    for word in words:
        name, _, place = word.partition("=")
        if not name or not place:
            raise UserError(f"`variant` {word!r}: write NAME=DIR")
        if name in variants:
            raise UserError(f"`variant` {name}: named twice; give each set a name of its own")
        variants[name] = Path(place)
    return variants


def figures_text(result: "UtilityResult") -> str:
    """A row an arm and test set."""
    wide, side = (max(len(getattr(row, name)) for row in result.figures) + 2 for name in ("arm", "test"))
    lines = [f"{'arm':<{wide}}{'test':<{side}}{'mean AUC':>9}{'+-':>7}  {'95 % (ensemble)':<17}{'n':>6}{'positive':>9}"]
    for row in result.figures:
        interval = f"{row.delong[0]:.3f} ... {row.delong[1]:.3f}"
        lines.append(
            f"{row.arm:<{wide}}{row.test:<{side}}{row.auc:>9.3f}{row.auc_deviation:>7.3f}  {interval:<17}"
            f"{row.images:>6}{row.positive:>9}"
        )
    return "\n".join(lines)
