"""A synthetic set and the real images it is compared with: images, features, histograms and named features of both."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from dermsynth.backbones.extractors import Extractor
from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.claims import held_out_sources, other_set, seen_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.duplicates import image_fingerprints, near_duplicates
from dermsynth.data.splits import joined_groups
from dermsynth.data.verification import verify
from dermsynth.errors import UserError, require_seed
from dermsynth.evaluation.feature_cache import appearances, decoding_of, features, histograms
from dermsynth.evaluation.label_fidelity import Recognition, label_fidelity, refusal_for_one_class
from dermsynth.evaluation.refusals import Refusal
from dermsynth.evaluation.results import Evaluation, ExtractorFacts, RealFacts, SyntheticFacts
from dermsynth.evaluation.sides import (
    Remark,
    Side,
    remarks,
    remarks_on_claims,
    remarks_on_family,
    shared_images,
    size_policy,
)
from dermsynth.evaluation.subgroups import Group
from dermsynth.io import environment
from dermsynth.metrics.clinical_features import COMPARED
from dermsynth.metrics.estimate import Effort, Sides, require, require_both

INTERVALS = "95 %: basic bootstrap; of nearest-neighbour figures and FID at infinity, jackknife"


T = TypeVar("T")


class Pair(NamedTuple, Generic[T]):
    """The same of both sets."""

    synthetic: T
    real: T


class ComparedSets:
    """A synthetic set and the real images it is compared with, decoded alike; rows of numbers are computed when asked for.

    Raises UserError where either set is not what it should be, or too small.
    """

    def __init__(
        self, synthetic: DataSet, real: DataSet, extractor: Extractor, split: str, seed: int,
        perceptual: PerceptualSpace | None = None, effort: Effort | None = None, decoding: Decoding | None = None,
    ) -> None:  # fmt: skip
        require_seed(seed)
        _check_sides(synthetic, real)
        self.synthetic, self.whole, self.extractor, self.split, self.seed = synthetic, real, extractor, split, seed
        self.perceptual, self.effort = perceptual, effort or Effort()
        self.real = comparable_images(synthetic, real, split)
        require(len(synthetic.table), "synthetic")
        require(len(self.real.table), "real")
        self.chosen, self.decoding = decoding is not None, decoding or decoding_of(synthetic)

    @cached_property
    def images(self) -> Pair[NDArray[np.uint8]]:
        """Both sides' images, uint8 [n, 3, h, w]."""
        return Pair(decode_images(self.synthetic, self.decoding), decode_images(self.real, self.decoding))

    @cached_property
    def features(self) -> Pair[NDArray[np.float32]]:
        """Both sides' features."""
        synthetic = features(self.synthetic, self.images.synthetic, self.decoding, self.extractor)
        return Pair(synthetic, features(self.real, self.images.real, self.decoding, self.extractor))

    @cached_property
    def people(self) -> NDArray[np.int64] | None:
        """The patient or lesion of every real image as a number, [m]; None where no two images are known to be of one."""
        return self.real.people

    def features_of(self, rows: DataSet) -> NDArray[np.float32]:
        """Features of some of the real images, computed for those that are not compared."""
        places = {name: index for index, name in enumerate(self.real.table["file_name"])}
        indices = [places.get(name, -1) for name in rows.table["file_name"]]
        if -1 not in indices:
            return self.features.real[indices]
        return features(rows, decode_images(rows, self.decoding), self.decoding, self.extractor)

    @cached_property
    def histograms(self) -> Pair[dict[str, NDArray[np.float64]]]:
        """Both sides' colours."""
        synthetic = histograms(self.synthetic, self.images.synthetic, self.decoding)
        return Pair(synthetic, histograms(self.real, self.images.real, self.decoding))

    @cached_property
    def appearances(self) -> Pair[NDArray[np.float64]]:
        """Both sides' named features; NaN where an image could not be measured."""
        synthetic = appearances(self.synthetic, self.images.synthetic, self.decoding)
        return Pair(synthetic, appearances(self.real, self.images.real, self.decoding))

    def label_fidelity(self) -> tuple[tuple[Recognition, ...], list[Refusal]]:
        """How many images of each class a classifier of the real ones recognises; and why classes have no such estimate."""
        if len(self.synthetic.classes) < 2:
            return (), [refusal_for_one_class(self.synthetic.classes)]
        labels = Pair(self.synthetic.labels.astype(str), self.real.labels.astype(str))
        pairs = near_duplicates(*image_fingerprints(self.images.real))
        groups = joined_groups(self.real.groups, pairs)
        synthetic, real = (self.features.synthetic, labels.synthetic), (self.features.real, labels.real)
        rows, refused = label_fidelity(synthetic, real, groups, self.extractor.name, self.seed)
        return tuple(rows), refused

    @cached_property
    def facts(self) -> Evaluation:
        """A result without estimates: what must stand beside them."""
        return Evaluation(
            synthetic=self._synthetic_facts(),
            real=self._real_facts(),
            extractor=ExtractorFacts(
                name=self.extractor.name,
                resizer=self.extractor.resizer,
                identity=self.extractor.identity,
                comparable_with_published_fid=self.extractor.comparable,
            ),
            sides=(*self._claims(), *remarks(*self._sides, self.decoding, self._trained, chosen=self.chosen)),
            sizes=size_policy(*self._sides, self.decoding, chosen=self.chosen),
            shared_images=shared_images(*self.images),
            size=(self.decoding.width, self.decoding.height),
            interval=INTERVALS,
            environment=environment(),
            estimates=(),
        )

    @property
    def _sides(self) -> tuple[Side, Side]:
        return (
            Side(self.synthetic, self.images.synthetic, "synthetic"),
            Side(self.real, self.images.real, "real"),
        )

    @property
    def _trained(self) -> bool:
        """Whether the generator is known to have seen images cropped in this way."""
        generator = self.synthetic.provenance.generator
        return generator.known and not generator.claimed and self.decoding.crop == generator.crop

    def _claims(self) -> tuple[Remark, ...]:
        """Claims of a generator elsewhere, its family's caveats, and images made from real ones they are compared with."""
        generator = self.synthetic.provenance.generator
        unseen = self.whole.in_split(self.split)
        if not other_set(generator, self.whole):
            unseen = unseen & ~seen_images(generator, self.whole)
        sources = held_out_sources(self.synthetic, self.whole, unseen)
        return (*remarks_on_claims(generator.claim, sources), *remarks_on_family(generator.recipe))

    def _synthetic_facts(self) -> SyntheticFacts:
        synthetic = self.synthetic
        return SyntheticFacts(
            folder=synthetic.folder.name,
            images=len(synthetic.table),
            classes=tuple(synthetic.classes),
            content_hash=synthetic.content_hash,
            generator=synthetic.provenance.generator,
        )

    def _real_facts(self) -> RealFacts:
        generator = self.synthetic.provenance.generator
        same = not other_set(generator, self.whole)
        return RealFacts(
            folder=self.whole.folder.name,
            content_hash=self.whole.whole_hash,
            images=len(self.real.table),
            groups=len(self.real.table) if self.people is None else int(self.people.max()) + 1,
            classes=tuple(self.real.classes),
            left_out=classes_left_out(self.real, self.whole, self.split),
            split=self.split,
            trained_on=int(np.sum(seen_images(generator, self.real))) if same else 0,
            training_set_known=same,
        )


@dataclass(frozen=True)
class GroupComparison:
    """The rows of one group of both sets, as metrics ask for them."""

    sets: ComparedSets
    group: Group

    @property
    def effort(self) -> Effort:
        """How many resamples and pairs."""
        return self.sets.effort

    @property
    def perceptual(self) -> PerceptualSpace | None:
        """A perceptual distance, where one was named."""
        return self.sets.perceptual

    def _sides(self, rows: Pair[Any], features: str = "") -> Sides:
        group, people = self.group, self.sets.people
        return Sides(
            rows.synthetic[group.synthetic], rows.real[group.real], group.name, self.sets.seed, features,
            None if people is None else people[group.real],
        )  # fmt: skip

    @cached_property
    def images(self) -> Sides:
        """Images uint8 [n, 3, h, w]."""
        return self._sides(self.sets.images)

    @property
    def features(self) -> Sides:
        """Features [n, d]."""
        return self._sides(self.sets.features, self.sets.extractor.suffix)

    @property
    def probabilities(self) -> Sides | None:
        """Class probabilities [n, k], where the extractor has a classifier."""
        head, sides = self.sets.extractor.head, self.features
        return None if head is None else replace(sides, synthetic=head(sides.synthetic), real=head(sides.real))

    @property
    def histograms(self) -> Mapping[str, Sides]:
        """Colour channel -> histograms [n, bins]."""
        both = self.sets.histograms
        return {channel: self._sides(Pair(rows, both.real[channel])) for channel, rows in both.synthetic.items()}

    @property
    def appearance(self) -> Sides:
        """Named features [n, 13] of the images that could be measured.

        Raises UserError where these are too few, with how many there are.
        """
        whole, columns = self._sides(self.sets.appearances), list(COMPARED)
        rows = [side[np.isfinite(side[:, columns]).all(axis=1)] for side in (whole.synthetic, whole.real)]
        try:
            require_both(rows[0][:, columns], rows[1][:, columns], self.group.name)
        except UserError as error:
            of_synthetic = f"{len(rows[0])} of {len(whole.synthetic)} synthetic"
            counts = f"{of_synthetic}, {len(rows[1])} of {len(whole.real)} real images"
            raise UserError(f"{error} (lesions were found in {counts})") from error
        return whole.with_rows(rows[0], rows[1], np.asarray(np.isfinite(whole.real[:, columns]).all(axis=1)))


def _check_sides(synthetic: DataSet, real: DataSet) -> None:
    verify(synthetic)
    verify(real)
    if not synthetic.synthetic:
        raise UserError(
            f"{synthetic.folder}: not a synthetic set; the first folder must come from dermsynth generate, or from "
            "dermsynth import --synthetic"
        )
    if real.synthetic:
        raise UserError(f"{real.folder}: a synthetic set; `against` takes the real one")


def classes_left_out(chosen: DataSet, real: DataSet, split: str) -> dict[str, int]:
    """Images of the split that are not compared, by label: those of classes that were not generated."""
    rows = real.table[real.in_split(split)]
    rest = rows[~rows["file_name"].isin(chosen.table["file_name"])]
    return {
        str(label) or "no label": int(n) for label, n in rest.get("label", rest["file_name"]).value_counts().items()
    }


def comparable_images(synthetic: DataSet, real: DataSet, split: str) -> DataSet:
    """The real images of the split and of the classes that were generated.

    Raises UserError for a split that is not there.
    """
    rows = real.split(split)
    keep = ~np.isin(rows.labels.astype(str), synthetic.provenance.generator.exclude)
    if synthetic.classes:
        keep &= np.isin(rows.labels.astype(str), synthetic.classes)
    return rows.part(keep)
