"""The verbs of artefacts: detect, confirm, train, remove, insert, judge, compare."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dermsynth.cli.flags import say, say_photographs
from dermsynth.cli.options import (
    WORKERS,
    Annotations,
    Backbone,
    DataFolder,
    NewData,
    Photographs,
    Seed,
    Several,
    Split,
    Switch,
    Workers,
)

if TYPE_CHECKING:
    from dermsynth.data.dataset import DataSet

Artefact = Literal["frame", "hair", "ruler", "ink", "sticker"]
Fill = Literal["skin", "fsr", "fsr-best", "nearest", "telea", "navier-stokes", "biharmonic"]


def detect(
    data: DataFolder, *, out: Path | None = None, store_masks: bool = True, detector: Path | None = None,
    model: Backbone = "", workers: Workers = WORKERS,
) -> None:  # fmt: skip
    """Look for frames, hair, rulers, ink, stickers and bubbles: columns in metadata.csv, masks as files.

    Parameters
    ----------
    out
        Folder for columns and masks; by default the data set, which then must be writable.
    store_masks
        Whether masks are stored as files.
    detector
        Folder of a trained detector, whose probabilities become columns too.
    """
    from dermsynth.api.artefacts import detect as look
    from dermsynth.artefacts.confirmation import detector_trust

    workers.prepare()
    marked = look(data, out=out, store_masks=store_masks, detector=detector, model=model)
    say(shares_text(marked), *(trust.sentence() for trust in detector_trust(marked)))
    where = shlex.join([str(data), *(["--annotations", str(out)] if out else [])])
    print(
        f"{out or data}: {len(marked.table):,} images marked; next: dermsynth artefacts confirm {where} (is it right?), "
        f"dermsynth audit {where}, dermsynth artefacts remove {where}"
    )


def shares_text(marked: "DataSet") -> str:
    """Share of images with each artefact, by class, and of those whose skin tone could be measured."""
    import numpy as np

    from dermsynth.artefacts.annotate import TONE, found_column
    from dermsynth.artefacts.detection import ARTEFACTS

    groups = [(label, marked.labels == label) for label in marked.classes] or [("images", slice(None))]
    lines = [f"{'share of images with':<24}" + "".join(f"{label:>22}" for label, _ in groups)]
    for name in ARTEFACTS:
        present = marked.flags(found_column(name)) == 1
        lines.append(f"{name:<24}" + "".join(f"{present[rows].mean():>22.1%}" for _, rows in groups))
    measured = np.isfinite(marked.numbers(TONE)).mean()
    return "\n".join([*lines, f"skin tone: the light lets it be told in {measured:.1%} of the images"])


def confirm(
    data: DataFolder, *, answers: Path | None = None, annotations: Annotations = None, count: int = 24, seed: Seed = 0,
    photographs: Photographs = True,
) -> None:  # fmt: skip
    """Check a sample of the detections by eye: a page of images and a table of answers. The audit uses only what passes.

    Parameters
    ----------
    data
        A data set in which dermsynth artefacts detect has looked.
    answers
        A table saved from the page, to be kept with the annotations. Without it, artefacts_confirmed.csv beside them is read.
    count
        How many images of each artefact.
    """
    from dermsynth.api.artefacts import confirm as draw_sample
    from dermsynth.api.data import open_dataset

    data_set = open_dataset(data, annotations=annotations)
    checks = draw_sample(data_set, answers=answers, count=count, seed=seed, photographs=photographs)
    say(*(detector.sentence() for detector in checks.trust))
    if checks.unanswered:
        places = f"{checks.unanswered} of {len(checks.rows)} to be answered, on the page or in {checks.table}"
        print(f"{places}; then repeat this command")
    print(checks.page)
    say_photographs(photographs)


def train(data: Path, *, column: Several, model: Backbone, out: Path, seed: Seed = 0) -> None:
    """Train a classifier of artefacts on columns of 0 and 1: the score alone, without masks.

    Parameters
    ----------
    data
        A data set with such columns, or a phantom.
    column
        A column; may be repeated.
    out
        Folder of the detector.
    """
    from dermsynth.api.artefacts import train as train_detector

    rows = train_detector(data, columns=column, model=model, out=out, seed=seed)
    print(f"{'label':<20}{'AUC':>7}  {'95 %':<16}{'with':>7}{'without':>9}")
    for row in rows:
        interval = f"{row.low:.3f} ... {row.high:.3f}"
        print(f"{row.label:<20}{row.auc:>7.3f}  {interval:<16}{row.images_with:>7}{row.images_without:>9}")
    print(out)


@Parameter(name="*")
@dataclass(frozen=True)
class Methods:
    """How each artefact is removed: what fills it, or keep."""

    frames: Literal["crop", "crop-square", "keep"] | Fill = "keep"
    """crop to the largest clean rectangle, crop-square, or fill."""
    hair: Fill | Literal["keep"] = "keep"
    """How dark and bright hairs are filled."""
    rulers: Fill | Literal["keep"] = "keep"
    """How rulers are filled."""
    ink: Fill | Literal["keep"] = "keep"
    """How surgical marker is filled."""
    stickers: Fill | Literal["keep"] = "keep"
    """How coloured patches are filled."""
    bubbles: Fill | Literal["keep"] = "keep"
    """How reflexes of gel are filled."""

    def by_artefact(self) -> dict[str, str]:
        """The methods of the artefacts that do not stay."""
        names = ("frame", "hair", "ruler", "ink", "sticker", "bubble")
        methods = (self.frames, self.hair, self.rulers, self.ink, self.stickers, self.bubbles)
        return {name: method for name, method in zip(names, methods, strict=True) if method != "keep"}


METHODS = Methods()


def remove(
    data: Path, *, out: NewData, annotations: Annotations = None, methods: Methods = METHODS,
    inside_lesion: Switch = False, seed: Seed = 0, photographs: Photographs = True, workers: Workers = WORKERS,
) -> None:  # fmt: skip
    """Write a copy of a data set without artefacts; lesion masks are protected.

    Parameters
    ----------
    data
        A data set; masks stored by dermsynth artefacts detect are used.
    inside_lesion
        Fill hair and rulers within the lesion too.
    """
    from dermsynth.api.artefacts import remove as write_copy
    from dermsynth.api.data import open_dataset
    from dermsynth.errors import UserError
    from dermsynth.report.artefact_report import write_removal_report

    chosen = methods.by_artefact()
    if not chosen:
        raise UserError("nothing to remove: say how, for example --frames crop --hair telea")
    workers.prepare()
    source = open_dataset(data, annotations=annotations)
    copy = write_copy(source, out=out, methods=chosen, inside_lesion=inside_lesion, seed=seed)  # type: ignore[arg-type]
    say(removal_text(copy), write_removal_report(source, copy, photographs=photographs))
    say_photographs(photographs)


def removal_text(copy: "DataSet") -> str:
    """How much was filled, and how much of it is found again."""
    from dermsynth.artefacts.datasets import remaining_artefacts

    share, lost = copy.numbers("filled_share").mean(), copy.numbers("lesion_lost")
    lines = [f"{copy.folder}: {len(copy.table):,} images, {share:.1%} of their pixels filled"]
    if lost.any():
        lines.append(
            f"lesions: {(lost > 0).sum()} lost a part to the cut, {lost[lost > 0].mean():.1%} of it on average"
        )
    for name, (outside, inside, images) in remaining_artefacts(copy).items():
        lines.append(
            f"{name}: of the pixels found before, {outside:.1%} are found again outside the lesion and {inside:.1%} inside it "
            f"({images} images)"
        )
    return "\n".join(lines)


def insert(
    data: DataFolder,
    *,
    out: NewData,
    artefact: Annotated[tuple[Artefact, ...], Parameter(negative="")],
    seed: Seed = 0,
    workers: Workers = WORKERS,
) -> None:
    """Write a copy of a data set with artefacts drawn into every image: counterfactual pairs for testing classifiers.

    Parameters
    ----------
    data
        A data set, best of images without artefacts.
    artefact
        Which; may be repeated.
    """
    from dermsynth.api.artefacts import insert as write_copy

    workers.prepare()
    copy = write_copy(data, out=out, artefacts=artefact, seed=seed)
    print(f"{out}: {len(copy.table):,} images with {', '.join(artefact)}")


def judge(
    data: DataFolder, pairs: Path, *, classifier: Path, split: Split = "", threshold: float | None = None
) -> None:
    """Compare a classifier's predictions on the same images with and without an artefact: how many switch, and both AUCs.

    Parameters
    ----------
    data
        A real data set.
    pairs
        Its copy by dermsynth artefacts insert or remove.
    classifier
        A folder of dermsynth utility, whose classifier of real images is tested.
    split
        A split of a set that the classifier was not trained on; of its own set only the split test is judged.
    threshold
        Probability from which on an image is called positive; by default the classifier's own, chosen on validation images.
    """
    from dermsynth.data.dataset import open_data_set
    from dermsynth.utility.counterfactual import compare_predictions

    result = compare_predictions(open_data_set(data), open_data_set(pairs), classifier, split, threshold)
    print(f"{result.images} pairs, {result.positive} {result.label}, threshold {result.threshold:.3f}")
    for row, text in (
        (result.switched, "switched"),
        (result.to_positive, "negative -> positive"),
        (result.to_negative, "positive -> negative"),
    ):
        print(f"{text:<22}{row.share:>7.1%}  95 % {row.low:.1%} ... {row.high:.1%}  n {row.n}")
    for interval, text in ((result.auc_before, "AUC without the change"), (result.auc_after, "AUC with it")):
        if interval is not None:
            value, low, high = interval
            print(f"{text:<24}{value:.3f}  95 % {low:.3f} ... {high:.3f}")
    if result.auc_difference is not None:
        value, low, high, p = result.auc_difference
        print(f"{'difference':<23}{value:+.3f}  95 % {low:+.3f} ... {high:+.3f}  p {p:.3g}")


def compare(
    data: Path, *, out: Path, annotations: Annotations = None, count: int = 100, slow: Switch = False, seed: Seed = 0,
    photographs: Photographs = True, workers: Workers = WORKERS,
) -> None:  # fmt: skip
    """Draw artefacts into clean images, find and remove them by every method, and compare with the images as they were.

    Parameters
    ----------
    data
        A data set; of one that has been looked at, only images in which nothing was found are taken.
    out
        Folder for the table, the figure and the page.
    count
        How many images.
    slow
        Also the methods that take seconds an image: fsr-best and biharmonic.
    """
    from dermsynth.api.artefacts import compare as compare_methods
    from dermsynth.api.data import open_dataset
    from dermsynth.artefacts.benchmark import examples
    from dermsynth.report.artefact_report import write_comparison

    workers.prepare()
    data_set = open_dataset(data, annotations=annotations)
    result = compare_methods(data_set, count=count, slow=slow, seed=seed)
    print(f"{'artefact':<10}{'method':<15}{'PSNR dB':>9}{'SSIM':>8}{'colour':>8}{'outside':>9}{'ms':>8}{'n':>6}")
    for repair in result.repairs:
        print(
            f"{repair.artefact:<10}{repair.method:<15}{repair.psnr.mean:>9.1f}{repair.ssim.mean:>8.3f}"
            f"{repair.colour.mean:>8.2f}{repair.outside:>9}{1000 * repair.seconds:>8.1f}{repair.n:>6}"
        )
    for quality in result.detections:
        print(f"{quality.artefact:<10}detected with Dice {quality.dice.mean:.2f}; AUC of its score {quality.auc:.2f}")
    print(write_comparison(out, result, examples(data_set, result) if photographs else ()))
    say_photographs(photographs)
