"""What a synthetic set has copied of the images its generator was trained on, against images it has never seen."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.data.cache import Decoding, decoded
from dermsynth.data.dataset import DataSet, amended
from dermsynth.data.duplicates import twins_between
from dermsynth.data.provenance import GeneratorProvenance
from dermsynth.data.verification import verify
from dermsynth.errors import UserError
from dermsynth.evaluation.copy_detection import FALSE_ALARMS, CopyGate
from dermsynth.evaluation.estimate import as_rows
from dermsynth.evaluation.feature_cache import decoding_of
from dermsynth.evaluation.generator_metrics import Judge, divided_as_trained
from dermsynth.evaluation.inputs import Compared
from dermsynth.io import replacing
from dermsynth.metrics.knn import nearest
from dermsynth.metrics.memorisation import authenticity, closeness, copy_test, distance_ratio, membership_auc
from dermsynth.metrics.similar_images import highest_cosine, least_squared_error, most_similar, nearest_hash
from dermsynth.statistics.intervals import jackknife, percentile_bootstrap
from dermsynth.training.config import read_config
from dermsynth.training.data import data_trained_on

COLUMNS = ("copy_score", "copy_of", "copy_lying", "copy_flag")
RESAMPLES, CLOSEST = 500, 12
COMPARED, SIDE = 1000, 64
"""Images, and pixels of their smaller side, for which nearest neighbours are shown."""
NEIGHBOURS = "neighbours.csv"
UNSEEN = "; copies cannot be looked for"
TRANSLATED = "source_image"
"""Column of sets that were made from photographs."""

Array = NDArray[np.float64]
Features = NDArray[np.floating]


class Sources(NamedTuple):
    """The training images of a generator, and real images of the same kind that it has not seen; rows of the real set."""

    training: DataSet
    held_out: DataSet


def sources(synthetic: DataSet, real: DataSet) -> Sources:
    """Divide the real set by what the generator was trained on, or was given to translate.

    Raises UserError when the real set is not the one trained on or translated, was divided anew since, or all of it was used.
    """
    generator = synthetic.provenance.generator
    _check_comparable(synthetic, real, generator)
    verify(real)
    wanted = ~np.isin(real.labels.astype(str), generator.exclude)
    if generator.classes:
        wanted &= np.isin(real.labels.astype(str), generator.classes)
    used = real.in_split(generator.split)
    if TRANSLATED in synthetic.table:
        given = np.isin(real.table["file_name"].to_numpy(str), synthetic.table[TRANSLATED].to_numpy(str))
        wanted, used = wanted | given, used | given
    if not (wanted & ~used).any():
        raise UserError(f"no held-out images{UNSEEN}")
    return Sources(real.select(wanted & used), real.select(wanted & ~used))


def _check_comparable(synthetic: DataSet, real: DataSet, generator: GeneratorProvenance) -> None:
    """Raise UserError where nothing can be said of copies, with the reason."""
    reason = ""
    if not generator.known:
        reason = f"{synthetic.folder}: says nothing of its generator, so its training images are not known"
    elif generator.data_hash != real.content_hash:
        reason = f"{real.folder}: not the set that the generator was trained on"
    elif not real.divided or generator.split == "all":
        reason = f"{real.folder}: all of it was trained on; without held-out images 'close' has no scale"
    elif not divided_as_trained(synthetic, real):
        reason = f"{real.folder}: divided or labelled in another way since the generator was trained"
    elif TRANSLATED in synthetic.table and generator.source_hash != real.content_hash:
        reason = f"{synthetic.folder}: made from photographs of another set than {real.folder}"
    if reason:
        raise UserError(f"{reason}{UNSEEN}")


def without_relatives(known: Sources) -> DataSet:
    """The held-out images that are no twin of a training image and not of one of its groups: these alone give 'close' a scale."""
    held_out, training = known.held_out, known.training
    related = np.zeros(len(held_out.table), dtype=bool)
    if "group" in training.table:
        related |= held_out.table["group"].isin(set(training.table["group"]) - {""}).to_numpy()
    related[twins_between(held_out.paths, training.paths)[:, 0]] = True
    return held_out.select(~related)


def fitted_gate(known: Sources, decoding: Decoding, false_alarms: float = FALSE_ALARMS) -> CopyGate:
    """The copy gate of a generator's training images.

    Raises UserError when too few held-out images are there.
    """
    training, strangers = (np.asarray(decoded(side, decoding)) for side in (known.training, without_relatives(known)))
    return CopyGate.fitted(training, strangers, false_alarms)


def flag_copies(synthetic: DataSet, known: Sources, decoding: Decoding, false_alarms: float = FALSE_ALARMS) -> DataSet:
    """Give every image its copy score, the training image it is closest to, and a flag where it is too close.

    Raises UserError when too few held-out images are there.
    """
    gate = fitted_gate(known, decoding, false_alarms)
    found = gate.check(np.asarray(decoded(synthetic, decoding)))
    names = known.training.table["file_name"].to_numpy()[found.index]
    flagged = gate.flags(found)
    values = (np.round(found.score, 4), names, np.array(found.lying), np.where(flagged, "true", "false"))
    facts = {
        "flagged": int(flagged.sum()),
        "of": len(flagged),
        "threshold": round(gate.threshold, 4),
        "false_alarms": false_alarms,
        "held_out": gate.held_out,
        "held_out_relatives": len(known.held_out.table) - gate.held_out,
        "training": len(known.training.table),
    }
    return amended(synthetic, dict(zip(COLUMNS, values, strict=True)), {"copy_gate": facts})


@dataclass(frozen=True)
class Figure:
    """A figure of copying; `without` is what it would be if the generator knew nothing of single training images."""

    metric: str
    value: float
    low: float
    high: float
    without: float
    synthetic: int
    training: int
    held_out: int
    seed: int


def copy_figures(synthetic: Features, training: Features, held_out: Features, suffix: str, seed: int) -> list[Figure]:
    """Authenticity, distance ratio, C_T and membership by distance, from features of the three sets."""
    counts = len(synthetic), len(training), len(held_out)

    def figure(metric: str, value: float, interval: tuple[float, float], without: float) -> Figure:
        return Figure(f"{metric}{suffix}", value, *interval, without, *counts, seed)

    found = [
        figure(
            "authenticity",
            authenticity(synthetic, training),
            _jackknifed(authenticity, synthetic, training, seed, highest=1.0),
            authenticity(held_out, training),
        ),
        figure(
            "distance ratio",
            distance_ratio(synthetic, training, held_out, seed=seed),
            _jackknifed(lambda x, y: distance_ratio(x, y, held_out, seed=seed), synthetic, training, seed),
            1.0,
        ),
    ]
    near, far = closeness(training, synthetic), closeness(held_out, synthetic)
    found.append(
        figure(
            "membership by distance, AUC",
            membership_auc(near, far),
            percentile_bootstrap(membership_auc, near, far, resamples=RESAMPLES, seed=seed),
            0.5,
        )
    )
    try:
        test = copy_test(synthetic, training, held_out, seed=seed)
        found.append(figure(f"C_T in {test.cells} cells", test.value, (test.low, test.high), 0.0))
    except ValueError:
        pass  # too few images for cells: there is no such figure
    return found


def judged_figure(judge: Judge, known: Sources, decoding: Decoding, synthetic: int, seed: int) -> Figure:
    """Membership by the discriminator's confidence: how well it tells training images from held-out ones."""
    scores = [judge(side, np.asarray(decoded(side, decoding))) for side in (known.training, known.held_out)]
    interval = percentile_bootstrap(membership_auc, scores[0], scores[1], resamples=RESAMPLES, seed=seed)
    return Figure(
        "membership by discriminator, AUC", membership_auc(scores[0], scores[1]), *interval, 0.5, synthetic,
        len(scores[0]), len(scores[1]), seed,
    )  # fmt: skip


def _jackknifed(
    statistic: Callable[[Features, Features], float], x: Features, y: Features, seed: int, highest: float = np.inf
) -> tuple[float, float]:
    value = statistic(x, y)
    low, high = jackknife(lambda i, j: statistic(x[i], y[j]), (len(x), len(y)), value, seed=seed)
    return max(low, 0.0), min(high, highest)


def check_copies(synthetic: DataSet, data: Path | None = None) -> str:
    """Flag copies in a set that was just generated and say what was found, or why nothing could be.

    The images trained on are in the folder `data`, by default where the generator's run found them.
    """
    run = Path(synthetic.provenance.generator.run)
    try:
        real = data_trained_on(read_config(run).data, data)
        flagged = flag_copies(synthetic, sources(synthetic, real), decoding_of(synthetic))
    except UserError as error:
        return f"not checked ({str(error).removesuffix(UNSEEN)})"
    gate = flagged.provenance.copy_gate
    assert gate is not None
    return f"{gate.flagged} of {gate.of} images flagged, {gate.false_alarms * gate.of:.0f} expected by chance"


def reduced(decoding: Decoding) -> Decoding:
    """The same with a smaller side of at most 64 pixels."""
    scale = min(1.0, SIDE / min(decoding.height, decoding.width))
    return replace(decoding, height=round(decoding.height * scale), width=round(decoding.width * scale))


def nearest_images(
    synthetic: DataSet,
    known: Sources,
    decoding: Decoding,
    features_of: tuple[Features, Features],
    perceptual: PerceptualSpace | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """The training image nearest to each synthetic one by four measures: all in `neighbours.csv`, the closest returned.

    By structure (SSIM of brightness), squared error, perceptual hash, cosine of features, and a perceptual distance where there
    is one; as the images lie, not mirrored;
    for at most 1,000 synthetic images, drawn by lot, and at no more than 64 pixels.
    """
    some = np.sort(np.random.default_rng(0).permutation(len(synthetic.table))[:COMPARED])
    synthetic = synthetic.select(np.isin(np.arange(len(synthetic.table)), some))
    features_of = features_of[0][some], features_of[1]
    small = reduced(decoding)
    made, real = (np.asarray(decoded(side, small)) for side in (synthetic, known.training))
    measures = {
        "SSIM": (most_similar(made, real), -1),
        "squared error": (least_squared_error(made, real), 1),
        "bits of the hash": (nearest_hash(made, real), 1),
        "cosine of features": (highest_cosine(*features_of), -1),
    }
    if perceptual is not None:
        distance, index = nearest(perceptual(made), perceptual(real))
        measures[perceptual.name] = ((distance[:, 0] ** 2, index[:, 0]), 1)
    names, table = known.training.table["file_name"].to_numpy(), synthetic.table[["file_name"]].copy()
    closest = {}
    for measure, ((values, index), sign) in measures.items():
        table[measure], table[f"{measure}: of"] = np.round(values, 5), names[index]
        order = np.argsort(sign * values, kind="stable")[:CLOSEST]
        closest[measure] = [
            {
                "file_name": str(synthetic.table["file_name"].iloc[i]),
                "of": str(names[index[i]]),
                "value": float(values[i]),
            }
            for i in order
        ]
    with replacing(synthetic.folder / NEIGHBOURS) as temporary:
        table.to_csv(temporary, index=False)
    return closest


def copy_section(compared: Compared, judge: Judge | None) -> dict[str, Any]:
    """Flags, figures and nearest neighbours for the result; or why there are none."""
    synthetic, decoding, seed = compared.synthetic, compared.decoding, compared.seed
    try:
        known = sources(synthetic, compared.whole)
        flagged = flag_copies(synthetic, known, decoding)
    except UserError as error:
        return {"copying": None, "copying_refused": str(error)}
    made, (trained, unseen) = compared.features[0], map(compared.features_of, known)
    figures = copy_figures(made, trained, unseen, compared.extractor.suffix, seed)
    if judge is not None:
        figures.append(judged_figure(judge, known, decoding, len(synthetic.table), seed))
    closest = nearest_images(synthetic, known, decoding, (made, trained), compared.perceptual)
    facts = flagged.provenance.document["copy_gate"]
    return {"copying": as_rows(figures), "copy_gate": facts, "copying_refused": "", "closest": closest}
