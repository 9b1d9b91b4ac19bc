"""Evaluate a synthetic data set on disk against a real one: overall, per class, per skin tone, per column."""

from collections.abc import Sequence
from pathlib import Path

from dermsynth.backbones.extractors import Extractor
from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.evaluation.copy_detection import FEWEST_HELD_OUT
from dermsynth.evaluation.feature_cache import embedding_view
from dermsynth.evaluation.generator_metrics import Confidence, PathLength, generator_of, path_lengths
from dermsynth.evaluation.inputs import ComparedSets, GroupComparison
from dermsynth.evaluation.memorisation import copy_section
from dermsynth.evaluation.refusals import Refusal
from dermsynth.evaluation.results import RESULT, Evaluation, default_folder, evaluation_of, usefulness_of
from dermsynth.evaluation.sides import implausible_distances
from dermsynth.evaluation.subgroups import (
    Group,
    groups,
    measured_tone_shares,
    skin_tone_groups,
    tone_shares,
    tones_by_class,
    values_of_one_side,
)
from dermsynth.evaluation.verdict import with_verdict
from dermsynth.metrics.estimate import ALL, Effort, Estimate
from dermsynth.metrics.registry import Measure, measures
from dermsynth.progress import progress_bar


def evaluate(
    synthetic: DataSet,
    real: DataSet,
    extractor: Extractor,
    *,
    split: str = "all",
    columns: Sequence[str] = (),
    brief: bool = False,
    discriminator: Confidence | None = None,
    perceptual: PerceptualSpace | None = None,
    paths: int = 0,
    usefulness: Path | None = None,
    effort: Effort | None = None,
    fewest_held_out: int = FEWEST_HELD_OUT,
    any_pose: bool = False,
    decoding: Decoding | None = None,
    seed: int = 0,
    out: Path | None = None,
    device: str = "auto",
) -> Evaluation:
    """Measure how faithful, diverse and new the images of a synthetic set are, and keep the result in a folder of its own.

    Real images are brought to the synthetic images' size in the way that the generator's training images were. Neither set is
    written to: the result, the flags of the copy gate and the nearest training images lie in `out`.

    Parameters
    ----------
    synthetic, real : DataSet
        The set to be evaluated, and the photographs it is compared with. At least 50 images of each.
    extractor : Extractor
        The network that makes features of images.
    split : str
        Part of the real set to compare with: all, train, validation or test.
    columns : sequence of str
        Columns of both sets' tables whose values are compared separately.
    brief : bool
        FID, KID and SWD alone, and no verdict; a whole evaluation of the same images stays as it is.
    discriminator : callable, optional
        The discriminator's confidence in images, for membership inference.
    perceptual : PerceptualSpace, optional
        A perceptual distance for pairs, neighbours and path lengths.
    paths : int
        So many paths through the generator's latents, whose lengths are measured.
    usefulness : Path, optional
        Folder of a utility experiment with these images; by default what one left beside the set's evaluation.
    effort : Effort, optional
        Resamples of the intervals, and pairs of images.
    fewest_held_out : int
        Real images never trained on, below which copies are not looked for.
    any_pose : bool
        Whether copies are looked for that are shifted, turned by any angle, zoomed or cut.
    decoding : Decoding, optional
        The size both sides are brought to, and how; by default that of the first synthetic image.
    seed : int
        Seed of everything drawn.
    out : Path, optional
        The folder for the result; `assessment` in the synthetic set by default.
    device : str
        What the generator of path lengths is computed on: auto, cpu, cuda or cuda:1.

    Returns
    -------
    Evaluation
        Estimates with intervals and floors, what speaks against them, measures of copying, and lights.

    Raises
    ------
    UserError
        Where either set is not what it should be, was changed, or is too small; for a column that either set lacks; for paths
        without a generator or a distance; and for a set that cannot be written to, without `out`.
    """
    folder = default_folder(synthetic, out)
    sets = ComparedSets(synthetic, real, extractor, split, seed, perceptual, effort, decoding)
    if brief:
        result = _brief(sets)
        if _has_full_evaluation(synthetic, out):
            return result
    else:
        lengths = _path_lengths(sets, paths, device)
        useful = usefulness_of(synthetic, usefulness)
        result = _whole(sets, columns).model_copy(update={"path_lengths": tuple(lengths), "usefulness": useful})
        result = copy_section(sets, result, discriminator, folder, fewest_held_out, any_pose=any_pose)
        result = with_verdict(result)
    result.save(folder / RESULT)
    return result


def _has_full_evaluation(synthetic: DataSet, out: Path | None) -> bool:
    try:
        earlier = evaluation_of(synthetic, out)
    except UserError:  # nothing of these images, or a result of another version
        return False
    return earlier is not None and not earlier.brief


def _brief(sets: ComparedSets) -> Evaluation:
    estimates, refused = _measure(sets, groups(sets.synthetic, sets.real), measures(brief=True))
    return _with_estimates(sets.facts, estimates, refused)


def _with_estimates(facts: Evaluation, estimates: Sequence[Estimate], refused: Sequence[Refusal]) -> Evaluation:
    sides = (*implausible_distances(estimates), *facts.sides)
    return facts.model_copy(update={"estimates": tuple(estimates), "refused": tuple(refused), "sides": sides})


def _whole(sets: ComparedSets, columns: Sequence[str]) -> Evaluation:
    synthetic, real, appearances = sets.synthetic, sets.real, sets.appearances
    parts = groups(synthetic, real, columns)
    estimates, refused = _measure(sets, parts, measures())
    of_tones, missing = _measure(sets, skin_tone_groups(*appearances), measures(of_tones=True))
    labels, unlearned = sets.label_fidelity()
    of_classes, unseen = tones_by_class(synthetic, real, appearances)
    of_one_side = [Refusal(text=text) for text in values_of_one_side(synthetic, real, columns)]
    refused = [*of_one_side, *refused, *missing, *unlearned, *unseen]
    return _with_estimates(sets.facts, [*estimates, *of_tones], refused).model_copy(
        update={
            "label_fidelity": labels,
            "skin_tones": tone_shares(*appearances),
            "skin_tones_measured": measured_tone_shares(*appearances),
            "tones_by_class": tuple(of_classes),
            "embedding": embedding_view(synthetic, real, sets.features, sets.seed),
        }
    )


def _path_lengths(sets: ComparedSets, paths: int, device: str) -> list[PathLength]:
    if not paths:
        return []
    if sets.perceptual is None:
        raise UserError("`path_lengths`: needs a distance; add `perceptual` lpips=FILE or mobilenet=FILE")
    generator = generator_of(sets.synthetic, device)
    if generator is None:
        raise UserError(f"`path_lengths`: the run that made {sets.synthetic.folder} is not where it was; leave it out")
    labels = [str(label) for label in sets.whole.labels]
    return path_lengths(
        generator, sets.perceptual, paths, sets.seed, labels, resamples=sets.effort.mean_resamples
    )  # fmt: skip


def _measure(
    sets: ComparedSets, parts: Sequence[Group], functions: Sequence[Measure]
) -> tuple[list[Estimate], list[Refusal]]:
    """The estimates of every part, and why some have none; the first metric must work for all images together."""
    estimates: list[Estimate] = []
    refused: dict[str, None] = {}
    for part in progress_bar(parts, total=len(parts), label="measuring", unit="group"):
        comparison = GroupComparison(sets, part)
        for function in functions:
            try:
                estimates += function(comparison)
            except UserError as error:
                if part.name == ALL and function is functions[0]:
                    raise
                refused[str(error)] = None
    return estimates, [Refusal(text=text) for text in refused]
