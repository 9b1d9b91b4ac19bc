"""The whole experiment in one call: do the synthetic images help a classifier?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dermsynth.data.dataset import Data, DataSet, open_data_set
from dermsynth.errors import (
    UserError,
    describe,
    name_field,
    require_choice,
    require_number,
    require_path,
    require_whole,
)
from dermsynth.evaluation.feature_cache import decoding_of
from dermsynth.images import Crop
from dermsynth.io import parse_count
from dermsynth.utility.arms import Arm, parse_arms
from dermsynth.utility.classifier import Training, backbone
from dermsynth.utility.datasets import collect_material, is_copy
from dermsynth.utility.experiment import Plan, run_experiment
from dermsynth.utility.frozen import require_frozen
from dermsynth.utility.material import Classes
from dermsynth.utility.results import UtilityResult
from dermsynth.utility.views import VIEWS, View
from dermsynth.values import as_tuple


def utility(
    synthetic: Data,
    real: Data,
    *,
    out: Path | str,
    positive: str,
    negative: Sequence[str] | str,
    arms: str | Arm | Sequence[str | Arm] = (),
    repeats: int = 5,
    model: str = "small",
    images: int | str = 8000,
    batch: int = 32,
    learning_rate: float = 0.0003,
    frozen: bool = False,
    tests: Data | Sequence[Data] = (),
    drop_overlap: bool = False,
    variants: Mapping[str, Data] | None = None,
    generators: Data | Sequence[Data] = (),
    by: str | Sequence[str] = (),
    trust_provenance: bool = False,
    resolution: int | str | None = None,
    crop: Crop | None = None,
    view: View = "whole",
    seed: int = 0,
) -> UtilityResult:
    """Train classifiers with and without synthetic images and test them on held-out real images.

    Everything is written into `out`; repeated with the same settings it continues, and further arms and repeats are added.

    Parameters
    ----------
    synthetic : DataSet, Path or str
        A set made by `generate`, from a generator trained on the split `train` of `real`; or one of another tool of which that is
        claimed.
    real : DataSet, Path or str
        The real data set that the generator was trained on, with the splits train, validation and test.
    out : Path or str
        Folder for scores, classifier and `utility.json`; empty, or of the same experiment.
    positive : str
        The label to be found.
    negative : str or sequence of str
        The labels to distinguish it from; images with other labels are left out.
    arms : str, Arm, or sequence of them
        `Arm`s or names: `real`, `oversampled`, `classical`, `synthetic`, `mixed=RATIO`, `real=SHARE`, `real=SHARE+synthetic`,
        each with `@VARIANT`; and `weights`, `mixup`, `cutmix`, `copies`, real images in ways that need no generator. By
        default those of Bissoto et al. 2021: the first four, `mixed=0.5` and `mixed=1`, and what `variants` allow.
    repeats : int
        Trainings an arm, from consecutive seeds, 1 to 1000.
    model : str
        Backbone: `small` (needs no weights), `lite0` or `lite2` (pretrained; the extra `efficientnet`), `mobilenet=FILE`,
        `timm:NAME` (untrained) or `timm:NAME=FILE`.
    images : int or str
        Images shown to the arm of real images, at least 1, for example ``8000`` or ``"8k"``; other arms are shown this many
        times their length.
    batch : int
        Images a step, at least 2.
    learning_rate : float
        AdamW's first step size, above 0.
    frozen : bool
        Whether the backbone stays as it was pretrained and the linear layer alone learns, from features that are computed once:
        many times as fast. Not for `small`, nor for the arms `mixup` and `cutmix`.
    tests : DataSet, Path, str, or sequence of them
        Further real data sets to test on.
    drop_overlap : bool
        Whether photographs of the real set are left out of `tests` instead of refused.
    variants : mapping of str to DataSet, Path or str, or None
        Further synthetic sets (edited, without artefacts) or edited copies of the real set, by name.
    generators : DataSet, Path, str, or sequence of them
        Sets of further generators, trained by the same method from other seeds: each arm with images of `synthetic` is trained
        from every one, and intervals and verdict are about the method, not one generator.
    by : str or sequence of str
        Columns of the test sets by whose values results are also given separately.
    trust_provenance : bool
        Whether it is believed what sets made elsewhere claim of the images their generator was trained on.
    resolution : int, str or None
        Size in pixels of all images: one number for squares, or ``"WIDTHxHEIGHT"``; by default that of the first synthetic image.
    crop : {"centre", "pad", "stretch"} or None
        How images of other shapes come to that shape; by default as the generator's training images did, else ``centre``.
    view : {"whole", "lesion", "background", "box", "low-pass", "high-pass"}
        What classifiers see of every image, in all arms and tests: does the label show without the lesion? `lesion`, `background`
        and `box` (the rectangle around the lesion is hidden) need lesion masks of every image; of the synthetic set only where an
        arm shows it. Such an experiment says nothing of usefulness: `evaluate` does not take it.
    seed : int
        Of the first training, at least 0.

    Returns
    -------
    UtilityResult
        Figures of every arm on every test set, comparisons with p after Holm, verdict, worth and cautions.

    Raises
    ------
    UserError
        For a number out of range, a generator that may have seen test images, a class with fewer than ten images, groups or
        twins across splits, an arm without enough images, or an `out` that holds something else.

    References
    ----------
    Bissoto et al. 2019, (De)Constructing Bias on Skin Lesion Datasets.
    Bissoto, Valle & Avila 2021, GAN-Based Data Augmentation and Anonymization for Skin-Lesion Analysis: A Critical Review.
    DeLong, DeLong & Clarke-Pearson 1988, Comparing the areas under two or more correlated ROC curves.
    Holm 1979, A simple sequentially rejective multiple test procedure.

    Examples
    --------
    >>> import dermsynth as ds
    >>> result = ds.utility("synthetic", "data", out="utility", positive="melanoma", negative="nevus", arms=["real", "synthetic"],
    ...                     repeats=2, images=64)
    >>> result.to_frame()["arm"].tolist()
    ['real', 'synthetic']
    """
    images = parse_count(images, "images")
    place = require_path(out, "out")
    _check_names(positive, as_tuple(negative), variants)
    _check_numbers(repeats, images, batch, learning_rate)
    require_choice(view, "view", VIEWS)
    backbone(model)  # a wrong name or file is refused before images are read
    named: tuple[str | Arm, ...] = as_tuple(arms)
    names, training = list(variants or ()), Training(model, images, batch, learning_rate, frozen=frozen)
    known = parse_arms(named, names, names)  # a wrong arm is refused before a set is opened
    if frozen:
        require_frozen(training, {arm.way for arm in known})
    with name_field("variants"):
        further = {name: open_data_set(data) for name, data in (variants or {}).items()}
    with name_field("real"):
        real_set = open_data_set(real)
    with name_field("synthetic"):
        synthetic_set = open_data_set(synthetic)
    external, other_generators = _opened(tests, "tests"), _opened(generators, "generators")
    copies = sorted(name for name, rows in further.items() if is_copy(rows, real_set))
    chosen = parse_arms(named, [name for name in further if name not in copies], copies)
    material = collect_material(
        real_set,
        synthetic_set,
        Classes(positive, as_tuple(negative)),
        external,
        drop_overlap=drop_overlap,
        columns=as_tuple(by),
        variants=further,
        generators=other_generators,
        trust_provenance=trust_provenance,
        decoding=None if resolution is None and crop is None else decoding_of(synthetic_set, resolution, crop),
        view=view,
        synthetic_shown=any(arm.synthetic != 0 for arm in chosen),
    )
    if not named and not material.has_both_classes:
        chosen = tuple(arm for arm in chosen if arm.real)
    return run_experiment(material, Plan(chosen, repeats, training, seed), place)


def _opened(data: Data | Sequence[Data], field: str) -> list[DataSet]:
    """The data sets of a parameter that takes one or several."""
    places: tuple[Data, ...] = (data,) if isinstance(data, DataSet) else as_tuple(data)
    with name_field(field):
        return [open_data_set(place) for place in places]


def _check_names(positive: object, negative: Sequence[object], variants: object) -> None:
    for field, labels in (("positive", (positive,)), ("negative", negative)):
        for label in labels:
            if not isinstance(label, str) or not label:
                raise UserError(f"`{field}` {describe(label)}: must be a label of the data set")
    if variants is not None and not isinstance(variants, Mapping):
        raise UserError(f"`variants` {describe(variants)}: give each set a name: {{NAME: folder}}")


def _check_numbers(repeats: int, images: int, batch: int, learning_rate: float) -> None:
    if not 1 <= require_whole(repeats, "repeats", 0) <= 1000:
        raise UserError(f"`repeats` {repeats}: must be 1 to 1000")
    require_whole(images, "images", 1)
    require_whole(batch, "batch", 2)
    if require_number(learning_rate, "learning_rate") <= 0:
        raise UserError(f"`learning_rate` {learning_rate}: must be above 0")
