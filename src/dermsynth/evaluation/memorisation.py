"""Copies of training images in a synthetic set, measured against real images that its generator has never seen."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.claims import CONDITIONED, images_named, other_set, seen_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.duplicates import twins_between
from dermsynth.data.provenance import LISTED, CopyGateFacts, GeneratorProvenance
from dermsynth.data.verification import verify
from dermsynth.errors import UserError
from dermsynth.evaluation.copies import COLUMNS, SOURCE, Copies, write_copies
from dermsynth.evaluation.copy_detection import FALSE_ALARMS, FEWEST_HELD_OUT, CopyGate, Matches
from dermsynth.evaluation.feature_cache import decoding_of
from dermsynth.evaluation.generator_metrics import Confidence, same_division
from dermsynth.evaluation.inputs import ComparedSets
from dermsynth.evaluation.results import ClosePair, Evaluation, FlaggedShare, RepeatedGroup, default_folder
from dermsynth.io import replace_file
from dermsynth.metrics.copying import ThreeSets, copy_estimate, copy_estimates, membership_auc
from dermsynth.metrics.estimate import CopyEstimate
from dermsynth.metrics.knn import nearest
from dermsynth.metrics.similar_images import highest_cosine, least_squared_error, most_similar, nearest_hash
from dermsynth.statistics.intervals import percentile_bootstrap
from dermsynth.statistics.rates import rate
from dermsynth.training.config import read_config
from dermsynth.training.data import data_trained_on

CLOSEST, CLOSEST_GROUPS = 12, 10
COMPARED, SIDE = 1000, 64
"""Images, and pixels of their smaller side, for which nearest neighbours are shown."""
NEIGHBOURS = "neighbours.csv"
NOT_SEARCHED = "; copies cannot be looked for"
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
    trained_on = ~np.isin(real.labels.astype(str), generator.exclude)
    if generator.classes:
        trained_on &= np.isin(real.labels.astype(str), generator.classes)
    used = seen_images(generator, real)
    given = np.isin(real.table["file_name"].to_numpy(str), _given_images(synthetic, real))
    trained_on, used = trained_on | given, used | given
    if not (trained_on & ~used).any():
        raise UserError(f"no held-out images{NOT_SEARCHED}")
    return Sources(real.part(trained_on & used), real.part(trained_on & ~used))


def _given_images(synthetic: DataSet, real: DataSet) -> list[str]:
    """Photographs that images of a set were made from: those that were translated, and those that rows made elsewhere name."""
    names = [str(name) for name in synthetic.table.get(TRANSLATED, ())]
    return names + images_named(list(synthetic.table.get(CONDITIONED, ())), real, CONDITIONED)


def _check_comparable(synthetic: DataSet, real: DataSet, generator: GeneratorProvenance) -> None:
    """Raise UserError where nothing can be said of copies, with the reason."""
    reason = ""
    if not generator.known:
        reason = f"{synthetic.folder}: dataset.json names no generator, so its training images are not known"
    elif other := other_set(generator, real):
        reason = other
    elif generator.split != LISTED and (not real.divided or generator.split == "all"):
        reason = f"{real.folder}: all of it was trained on; the copy gate needs held-out images to set its threshold"
    elif not same_division(synthetic, real):
        reason = f"{real.folder}: divided or labelled in another way since the generator was trained"
    elif TRANSLATED in synthetic.table and generator.source_hash != real.whole_hash:
        reason = f"{synthetic.folder}: made from photographs of another set than {real.folder}"
    if reason:
        raise UserError(f"{reason}{NOT_SEARCHED}")


def unrelated_images(sides: Sources) -> DataSet:
    """The held-out images that are no twin of a training image and not of one of its groups: these alone give 'close' a scale."""
    held_out, training = sides.held_out, sides.training
    related = np.zeros(len(held_out.table), dtype=bool)
    related |= np.isin(held_out.groups.astype(str), sorted(set(training.groups) - {""}))
    related[twins_between(held_out.paths, training.paths)[:, 0]] = True
    return held_out.part(~related)


def fit_gate(
    sides: Sources, decoding: Decoding, false_alarms: float = FALSE_ALARMS, fewest: int = FEWEST_HELD_OUT,
    *, any_pose: bool = False,
) -> CopyGate:  # fmt: skip
    """The copy gate of a generator's training images.

    Raises UserError when fewer than `fewest` held-out images are there.
    """
    images = (np.asarray(decode_images(side, decoding)) for side in (sides.training, unrelated_images(sides)))
    return CopyGate.fit_planes(*images, false_alarms=false_alarms, fewest=fewest, any_pose=any_pose)


def flag_copies(
    synthetic: DataSet, sides: Sources, decoding: Decoding, folder: Path, *, false_alarms: float = FALSE_ALARMS,
    fewest: int = FEWEST_HELD_OUT, any_pose: bool = False,
) -> Copies:  # fmt: skip
    """Give every image its copy score, the training image it is closest to, and a flag where it is too close, in `folder`.

    Raises UserError when fewer than `fewest` held-out images are there.
    """
    gate = fit_gate(sides, decoding, false_alarms, fewest, any_pose=any_pose)
    matches = gate.check_planes(np.asarray(decode_images(synthetic, decoding)))
    return write_copies(synthetic, folder, gate_facts(gate, matches, sides), gate_columns(matches, sides))


def gate_columns(matches: Matches, sides: Sources) -> dict[str, NDArray[np.generic]]:
    """The columns of a table of copies: score, nearest training image, how that lies, and flag."""
    names = sides.training.table["file_name"].to_numpy()[matches.index]
    values = (
        np.round(matches.score, 4), names, np.array(matches.orientation), np.where(matches.flagged, "true", "false"),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def gate_facts(gate: CopyGate, matches: Matches, sides: Sources) -> CopyGateFacts:
    """How many were flagged, and what the gate knew."""
    return CopyGateFacts.model_validate(
        {
            "flagged": int(matches.flagged.sum()),
            "of": len(matches.flagged),
            "threshold": round(gate.threshold, 4),
            "false_alarms": gate.false_alarms,
            "held_out": gate.held_out,
            "held_out_relatives": len(sides.held_out.table) - gate.held_out,
            "training": len(sides.training.table),
            "any_pose": gate.poses is not None,
        }
    )


def membership_by_discriminator(
    discriminator: Confidence, sides: Sources, decoding: Decoding, synthetic: int, *, resamples: int, seed: int
) -> CopyEstimate:
    """Membership by the discriminator's confidence: how well it tells training images from held-out ones."""
    scores = [
        discriminator(side, np.asarray(decode_images(side, decoding))) for side in (sides.training, sides.held_out)
    ]
    interval = percentile_bootstrap(membership_auc, scores[0], scores[1], resamples=resamples, seed=seed)
    value, sizes = membership_auc(scores[0], scores[1]), (synthetic, len(scores[0]), len(scores[1]))
    return copy_estimate("membership_discriminator", value, interval, 0.5, sizes, seed)


@dataclass(frozen=True)
class CopyCheck:
    """What the copy gate found in a set that was just generated; or why it could not look."""

    facts: CopyGateFacts | None
    refused: str = ""

    def __str__(self) -> str:
        """One line."""
        if self.facts is None:
            return f"not checked ({self.refused})"
        expected = self.facts.false_alarms * self.facts.of
        return f"{self.facts.flagged} of {self.facts.of} images flagged, {expected:.0f} expected by chance"


def check_copies(
    synthetic: DataSet, data: Path | None = None, *, fewest: int = FEWEST_HELD_OUT, any_pose: bool = False
) -> CopyCheck:
    """Look for copies in a set that was just generated; with `any_pose` also for moved, turned and zoomed ones.

    The images trained on are in the folder `data`, by default where the generator's run found them.
    """
    run = Path(synthetic.provenance.generator.run)
    try:
        real = data_trained_on(read_config(run).data, data)
        folder, sides = default_folder(synthetic, None), sources(synthetic, real)
        copies = flag_copies(synthetic, sides, decoding_of(synthetic), folder, fewest=fewest, any_pose=any_pose)
    except UserError as error:
        return CopyCheck(None, str(error).removesuffix(NOT_SEARCHED))
    return CopyCheck(copies.facts)


def reduced_decoding(decoding: Decoding) -> Decoding:
    """The same with a smaller side of at most 64 pixels."""
    scale = min(1.0, SIDE / min(decoding.height, decoding.width))
    return replace(decoding, height=round(decoding.height * scale), width=round(decoding.width * scale))


class _Nearest(NamedTuple):
    """How near the nearest training image is, and which it is, both [n]; whether higher is nearer."""

    values: Array
    place: NDArray[np.int64]
    higher: bool = False


def nearest_training_images(
    synthetic: DataSet, sides: Sources, decoding: Decoding, features: tuple[Features, Features], folder: Path,
    perceptual: PerceptualSpace | None = None,
) -> dict[str, tuple[ClosePair, ...]]:  # fmt: skip
    """The training image nearest to each synthetic one by several measures: all in `neighbours.csv`, the closest returned.

    By structure (SSIM of brightness), squared error, perceptual hash, cosine of features, and a perceptual distance where there
    is one; as the images lie, not mirrored;
    for at most 1,000 synthetic images, drawn at random, and at no more than 64 pixels.
    """
    chosen = np.sort(np.random.default_rng(0).permutation(len(synthetic.table))[:COMPARED])
    synthetic = synthetic.part(np.isin(np.arange(len(synthetic.table)), chosen))
    measures = _nearest(
        synthetic, sides.training, reduced_decoding(decoding), (features[0][chosen], features[1]), perceptual
    )
    names, table = sides.training.table["file_name"].to_numpy(), synthetic.table[["file_name"]].copy()
    files, closest = synthetic.table["file_name"].to_numpy(), {}
    for measure, (values, index, higher) in measures.items():
        table[measure], table[f"{measure}: of"] = np.round(values, 5), names[index]
        order = np.argsort(-values if higher else values, kind="stable")[:CLOSEST]
        closest[measure] = tuple(
            ClosePair(file_name=str(files[i]), of=str(names[index[i]]), value=float(values[i])) for i in order
        )
    with replace_file(folder / NEIGHBOURS) as temporary:
        table.to_csv(temporary, index=False)
    return closest


def _nearest(
    synthetic: DataSet, training: DataSet, decoding: Decoding, features: tuple[Features, Features],
    perceptual: PerceptualSpace | None,
) -> dict[str, _Nearest]:  # fmt: skip
    images, candidates = (np.asarray(decode_images(side, decoding)) for side in (synthetic, training))
    measures = {
        "SSIM": _Nearest(*most_similar(images, candidates), higher=True),
        "squared error": _Nearest(*least_squared_error(images, candidates)),
        "bits of the hash": _Nearest(*nearest_hash(images, candidates)),
        "cosine of features": _Nearest(*highest_cosine(*features), higher=True),
    }
    if perceptual is not None:
        distance, index = nearest(perceptual(images), perceptual(candidates))
        measures[perceptual.name] = _Nearest(distance[:, 0] ** 2, index[:, 0])
    return measures


def copy_section(
    sets: ComparedSets,
    result: Evaluation,
    discriminator: Confidence | None,
    folder: Path,
    fewest: int = FEWEST_HELD_OUT,
    *,
    any_pose: bool = False,
) -> Evaluation:
    """The result with flags, measures of copying and nearest neighbours; or with the reason why there are none."""
    synthetic, decoding, seed = sets.synthetic, sets.decoding, sets.seed
    try:
        sides = sources(synthetic, sets.whole)
        copies = flag_copies(synthetic, sides, decoding, folder, fewest=fewest, any_pose=any_pose)
    except UserError as error:
        return result.model_copy(update={"copying": None, "copying_refused": str(error)})
    of_synthetic, (trained, unseen) = sets.features.synthetic, map(sets.features_of, sides)
    features, resamples = (
        ThreeSets(of_synthetic, trained, unseen, sets.extractor.suffix, seed),
        sets.effort.mean_resamples,
    )
    estimates = copy_estimates(features, resamples)
    if discriminator is not None:
        count = len(synthetic.table)
        estimates.append(
            membership_by_discriminator(discriminator, sides, decoding, count, resamples=resamples, seed=seed)
        )
    closest = nearest_training_images(
        synthetic, sides, decoding, (of_synthetic, trained), folder, sets.perceptual
    )  # fmt: skip
    return result.model_copy(
        update={
            "copying": tuple(estimates),
            "copy_gate": copies.facts,
            "closest": closest,
            "copies_by_class": flagged_by_class(synthetic, copies),
            "repeated_groups": repeated_groups(copies, sides.training),
        }
    )


def flagged_by_class(synthetic: DataSet, copies: Copies) -> tuple[FlaggedShare, ...]:
    """How many images of every class were flagged; none where there are no classes."""
    shares = []
    for label in synthetic.classes:
        of_class = copies.flagged[synthetic.labels == label]
        flagged = int(of_class.sum())
        share = rate(flagged, len(of_class))
        shares.append(FlaggedShare(label=label, flagged=flagged, of=len(of_class), low=share.low, high=share.high))
    return tuple(shares)


def repeated_groups(copies: Copies, training: DataSet) -> tuple[RepeatedGroup, ...]:
    """The groups of training images that most flagged images repeat, at most ten; none where groups are not known."""
    group_of = dict(zip(training.table["file_name"].astype(str), map(str, training.groups), strict=True))
    repeated = Counter(group_of.get(name, "") for name in copies.table[SOURCE][copies.flagged])
    members = Counter(map(str, training.groups))
    repeated.pop("", None)
    return tuple(
        RepeatedGroup(group=group, flagged=count, training=members[group])
        for group, count in repeated.most_common(CLOSEST_GROUPS)
    )
