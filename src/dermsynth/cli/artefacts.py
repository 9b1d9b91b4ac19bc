"""The verbs of artefacts: detect, confirm, remove, insert, compare."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Artefact = Literal["frame", "hair", "ruler", "ink", "sticker"]
Fill = Literal["skin", "fsr", "fsr-best", "nearest", "telea", "navier-stokes", "biharmonic"]
Off = Annotated[bool, Parameter(negative="")]


def detect(data: Path, *, masks: bool = True, detector: Path | None = None, model: str = "") -> None:
    """Look for frames, hair, rulers, ink, stickers and bubbles: columns in metadata.csv, masks as files.

    Parameters
    ----------
    data
        A data set, real or synthetic.
    masks
        Whether to store masks.
    detector
        Folder of a trained detector, whose probabilities become columns too.
    model
        The backbone it was trained on: mobilenet=FILE or timm:NAME=FILE.
    """
    import numpy as np

    from dermsynth.artefacts.annotate import TONE, found_column, mark
    from dermsynth.artefacts.confirmation import trusts
    from dermsynth.artefacts.detection import ARTEFACTS
    from dermsynth.data.dataset import open_data_set

    marked = mark(open_data_set(data), masks=masks)
    if detector is not None:
        from dermsynth.artefacts.classifier import add_probabilities

        marked = add_probabilities(marked, detector, model)
    groups = [(label, marked.labels == label) for label in marked.classes] or [("images", slice(None))]
    print(f"{'share of images with':<24}" + "".join(f"{label:>22}" for label, _ in groups))
    for name in ARTEFACTS:
        shown = marked.known_flags(found_column(name)) == 1
        print(f"{name:<24}" + "".join(f"{shown[rows].mean():>22.1%}" for _, rows in groups))
    tones = marked.numbers(TONE)
    print(f"skin tone: the light lets it be told in {np.isfinite(tones).mean():.1%} of the images")
    for one in trusts(marked):
        print(one.sentence())
    where = shlex.quote(str(data))
    print(
        f"{data}: {len(marked.table):,} images marked; next: dermsynth artefacts confirm {where} (is it right?), "
        f"dermsynth audit {where}, dermsynth artefacts remove {where}"
    )


def confirm(
    data: Path, *, answers: Path | None = None, count: int = 24, seed: int = 0, photographs: bool = True
) -> None:  # fmt: skip
    """Say of some of what was found whether it is right: a page and a table; the audit speaks of what passes.

    Parameters
    ----------
    data
        A data set that was looked at by dermsynth artefacts detect.
    answers
        A table saved from the page, to be kept with the data set. Without it, artefacts_confirmed.csv in the data set is read.
    count
        Images an artefact.
    seed
        Which images are drawn.
    photographs
        Whether photographs are embedded in the page.
    """
    from dermsynth.artefacts.confirmation import ANSWERS, draw_to_confirm, read_answers, trusts, write_answers
    from dermsynth.data.dataset import open_data_set
    from dermsynth.errors import UserError
    from dermsynth.report.artefact_report import write_confirmation

    data_set = open_data_set(data)
    if answers is not None:
        if not answers.is_file():
            raise UserError(f"--answers {answers}: no such file; save it from the page")
        new = read_answers(answers, data_set)
        if new["confirmed"].notna().sum() == 0:
            raise UserError(f"--answers {answers}: no answer to anything that is found in {data} now")
        write_answers(data / ANSWERS, new)
    rows = draw_to_confirm(data_set, count, seed)
    write_answers(data / ANSWERS, rows)
    trust = trusts(data_set)
    page = write_confirmation(data_set, rows, trust, photographs=photographs)
    for one in trust:
        print(one.sentence())
    unanswered = int(rows["confirmed"].isna().sum())
    if unanswered:
        print(
            f"{unanswered} of {len(rows)} to be answered, on the page or in {data / ANSWERS}; then repeat this command"
        )
    print(page)
    _say_photographs(photographs)


def _say_photographs(embedded: bool) -> None:
    from dermsynth.report.page import PHOTOGRAPHS

    if embedded:
        print(f"  {PHOTOGRAPHS}")


def train(
    data: Path, *, column: Annotated[tuple[str, ...], Parameter(negative="")], model: str, out: Path, seed: int = 0
) -> None:  # fmt: skip
    """Train a classifier of artefacts on columns of 0 and 1: the score alone, without masks.

    Parameters
    ----------
    data
        A data set with such columns, or a phantom.
    column
        A column; may be repeated.
    model
        Backbone: mobilenet=FILE or timm:NAME=FILE.
    out
        Folder of the detector.
    """
    from dermsynth.artefacts.classifier import Pooled, train_detector
    from dermsynth.data.dataset import open_data_set

    found = train_detector(open_data_set(data), column, Pooled(model), out, seed)
    print(f"{'label':<20}{'AUC':>7}  {'95 %':<16}{'with':>7}{'without':>9}")
    for row in found:
        interval = f"{row['low']:.3f} ... {row['high']:.3f}"
        print(f"{row['label']:<20}{row['auc']:>7.3f}  {interval:<16}{row['with']:>7}{row['without']:>9}")
    print(out)


def remove(
    data: Path,
    *,
    out: Path,
    frames: Literal["crop", "crop-square", "keep"] | Fill = "keep",
    hair: Fill | Literal["keep"] = "keep",
    rulers: Fill | Literal["keep"] = "keep",
    ink: Fill | Literal["keep"] = "keep",
    stickers: Fill | Literal["keep"] = "keep",
    bubbles: Fill | Literal["keep"] = "keep",
    inside_lesion: Off = False,
    seed: int = 0,
    photographs: bool = True,
) -> None:
    """Write a copy of a data set without artefacts; lesion masks are protected.

    Parameters
    ----------
    data
        A data set; masks stored by dermsynth artefacts detect are used.
    out
        Folder of the new data set.
    frames
        crop to the largest clean rectangle, crop-square, or fill.
    hair
        How dark and bright hairs are filled.
    rulers
        How rulers are filled.
    ink
        How surgical marker is filled.
    stickers
        How coloured patches are filled.
    bubbles
        How reflexes of gel are filled.
    inside_lesion
        Fill hair and rulers within the lesion too.
    photographs
        Whether photographs are embedded in the page.
    """
    from dermsynth.artefacts.datasets import remove_all, what_is_left
    from dermsynth.artefacts.removal import Removal
    from dermsynth.data.dataset import open_data_set
    from dermsynth.errors import UserError
    from dermsynth.report.artefact_report import write_removal_report

    chosen = {"frame": frames, "hair": hair, "ruler": rulers, "ink": ink, "sticker": stickers, "bubble": bubbles}
    methods = {name: method for name, method in chosen.items() if method != "keep"}
    if not methods:
        raise UserError("nothing to remove: say how, for example --frames crop --hair telea")
    source = open_data_set(data)
    made, problems = remove_all(source, out, Removal(methods, inside_lesion, seed))
    for problem in problems:
        print(f"left out: {problem}")
    lost = made.table["lesion_lost"].astype(float)
    print(
        f"{out}: {len(made.table):,} images, {made.table['filled_share'].astype(float).mean():.1%} of their pixels filled"
    )
    if lost.any():
        print(f"lesions: {(lost > 0).sum()} lost a part to the cut, {lost[lost > 0].mean():.1%} of it on average")
    for name, (outside, inside, images) in what_is_left(made).items():
        print(
            f"{name}: of the pixels found before, {outside:.1%} are found again outside the lesion and {inside:.1%} inside it "
            f"({images} images)"
        )
    print(write_removal_report(source, made, photographs=photographs))
    _say_photographs(photographs)


def insert(
    data: Path, *, out: Path, artefact: Annotated[tuple[Artefact, ...], Parameter(negative="")], seed: int = 0
) -> None:  # fmt: skip
    """Write a copy of a data set with artefacts drawn into every image: counterfactual pairs for testing classifiers.

    Parameters
    ----------
    data
        A data set, best of images without artefacts.
    out
        Folder of the new data set.
    artefact
        Which; may be repeated.
    """
    from dermsynth.artefacts.datasets import insert_all
    from dermsynth.data.dataset import open_data_set

    made = insert_all(open_data_set(data), out, artefact, seed)
    print(f"{out}: {len(made.table):,} images with {', '.join(artefact)}")


def judge(data: Path, pairs: Path, *, classifier: Path, split: str = "", threshold: float | None = None) -> None:
    """What a classifier says of the same images with an artefact and without: predictions switched, AUC of either side.

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
    from dermsynth.utility.counterfactual import judged

    result = judged(open_data_set(data), open_data_set(pairs), classifier, split, threshold)
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
    data: Path, *, out: Path, count: int = 100, slow: Off = False, seed: int = 0, photographs: bool = True
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
    photographs
        Whether photographs are embedded in the page.
    """
    from dermsynth.artefacts.benchmark import compare_methods
    from dermsynth.data.dataset import open_data_set
    from dermsynth.report.artefact_report import write_comparison

    data_set = open_data_set(data)
    result = compare_methods(data_set, count, slow=slow, seed=seed)
    print(f"{'artefact':<10}{'method':<15}{'PSNR dB':>9}{'SSIM':>8}{'colour':>8}{'outside':>9}{'ms':>8}{'n':>6}")
    for row in result["repairs"]:
        print(
            f"{row['artefact']:<10}{row['method']:<15}{row['psnr']['mean']:>9.1f}{row['ssim']['mean']:>8.3f}"
            f"{row['colour']['mean']:>8.2f}{row['outside']:>9}{1000 * row['seconds']:>8.1f}{row['n']:>6}"
        )
    for row in result["detections"]:
        print(
            f"{row['artefact']:<10}found with Dice {row['dice']['mean']:.2f}, told by the score with AUC {row['auc']:.2f}"
        )
    print(write_comparison(out, data_set, result, photographs=photographs))
    _say_photographs(photographs)
