"""A synthetic set and the real images it is compared with: decoded alike, every row of numbers made once."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermsynth.backbones.extractors import Extractor
from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.data.cache import decoded
from dermsynth.data.dataset import DataSet
from dermsynth.data.duplicates import near_duplicates
from dermsynth.data.splits import joined_groups
from dermsynth.data.verification import verify
from dermsynth.errors import UserError, require_seed
from dermsynth.evaluation.estimate import Measurement, as_rows, require
from dermsynth.evaluation.feature_cache import appearances, decoding_of, features, histograms
from dermsynth.evaluation.fidelity import (
    appearance_measurements,
    colour_measurements,
    feature_measurements,
    further_measurements,
    pair_measurements,
    score_measurement,
    swd_measurements,
)
from dermsynth.evaluation.generator_metrics import checkpoint_of
from dermsynth.evaluation.label_fidelity import label_fidelity, refusal_for_one_class
from dermsynth.evaluation.sides import Side, fingerprints_of, remarks, shared_images
from dermsynth.evaluation.subgroups import EVERYTHING, Group
from dermsynth.io import environment, read_json, write_json
from dermsynth.metrics.clinical_features import COMPARED
from dermsynth.values import identifiers

RESULT = "assessment.json"
OLD_RESULT = "evaluation.json"
"""Its name in earlier versions, which `datasets` takes for a split; it is still read, and a new result takes its place."""
SCHEMA = 2


class Compared:
    """A synthetic set and the real images it is compared with, decoded alike; rows of numbers are made when asked for."""

    def __init__(
        self, synthetic: DataSet, real: DataSet, extractor: Extractor, split: str, seed: int,
        perceptual: PerceptualSpace | None = None,
    ) -> None:  # fmt: skip
        require_seed(seed)
        _check_sides(synthetic, real)
        self.synthetic, self.whole, self.extractor, self.split, self.seed = synthetic, real, extractor, split, seed
        self.perceptual = perceptual
        self.real = compared_rows(synthetic, real, split)
        require(len(synthetic.table), "synthetic", EVERYTHING)
        require(len(self.real.table), "real", EVERYTHING)
        self.decoding = decoding_of(synthetic)

    @cached_property
    def images(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Both sides' images, uint8 [n, 3, h, w]."""
        return decoded(self.synthetic, self.decoding), decoded(self.real, self.decoding)

    @cached_property
    def features(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both sides' features."""
        made, kept = self.images
        return (
            features(self.synthetic, made, self.decoding, self.extractor),
            features(self.real, kept, self.decoding, self.extractor),
        )

    def features_of(self, rows: DataSet) -> NDArray[np.float32]:
        """Features of some of the real images: those at hand, or made for images that are not compared."""
        places = {name: index for index, name in enumerate(self.real.table["file_name"])}
        wanted = [places.get(name, -1) for name in rows.table["file_name"]]
        if -1 not in wanted:
            return self.features[1][wanted]
        return features(rows, decoded(rows, self.decoding), self.decoding, self.extractor)

    @cached_property
    def histograms(self) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
        """Both sides' colours."""
        made, kept = self.images
        return histograms(self.synthetic, made, self.decoding), histograms(self.real, kept, self.decoding)

    @cached_property
    def appearances(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both sides' named features; NaN where an image could not be measured."""
        made, kept = self.images
        return appearances(self.synthetic, made, self.decoding), appearances(self.real, kept, self.decoding)

    def distances(self, part: Group) -> list[Measurement]:
        """FID and KID."""
        made, kept = self.features
        return feature_measurements(made[part.synthetic], kept[part.real], part.name, self.extractor.suffix, self.seed)

    def further(self, part: Group) -> list[Measurement]:
        """FID at infinity, MMD, precision, recall, density, coverage."""
        made, kept = (side[rows] for side, rows in zip(self.features, (part.synthetic, part.real), strict=True))
        suffix, head = self.extractor.suffix, self.extractor.head
        found = further_measurements(made, kept, part.name, suffix, self.seed)
        return [*found, score_measurement(head(made), head(kept), part.name, suffix, self.seed)] if head else found

    def pyramids(self, part: Group) -> list[Measurement]:
        """SWD a level."""
        made, kept = self.images
        return swd_measurements(np.asarray(made[part.synthetic]), np.asarray(kept[part.real]), part.name, self.seed)

    def pairs(self, part: Group) -> list[Measurement]:
        """MS-SSIM and perceptual distance within the set."""
        made, kept = self.images
        return pair_measurements(made[part.synthetic], kept[part.real], part.name, self.perceptual, self.seed)

    def colours(self, part: Group) -> list[Measurement]:
        """Distances of colour histograms."""
        made, kept = self.histograms
        return colour_measurements(
            {name: rows[part.synthetic] for name, rows in made.items()},
            {name: rows[part.real] for name, rows in kept.items()},
            part.name,
            self.seed,
        )

    def looks(self, part: Group) -> list[Measurement]:
        """Named features, of the images that could be measured."""
        made, kept = (side[rows] for side, rows in zip(self.appearances, (part.synthetic, part.real), strict=True))
        made, kept = (side[np.isfinite(side[:, COMPARED]).all(axis=1)] for side in (made, kept))
        try:
            return appearance_measurements(made, kept, part.name, self.seed)
        except UserError as error:
            seen = f"{len(made)} of {len(part.synthetic)} synthetic, {len(kept)} of {len(part.real)} real images"
            raise UserError(f"{error} (lesions were found in {seen})") from error

    def label_fidelity(self) -> tuple[list[dict[str, Any]], list[str]]:
        """How many images of each class a classifier of the real ones recognises; and why classes have no such figure."""
        if len(self.synthetic.classes) < 2:
            return [], [refusal_for_one_class(self.synthetic.classes)]
        made, kept = self.features
        labels = self.synthetic.labels.astype(str), self.real.labels.astype(str)
        names = self.real.table.get("group", np.full(len(labels[1]), ""))
        pairs = near_duplicates(*fingerprints_of(self.images[1]))
        groups = joined_groups(identifiers(names), pairs)
        found, refused = label_fidelity((made, labels[0]), (kept, labels[1]), groups, self.extractor.name, self.seed)
        return as_rows(found), refused

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What must stand beside the figures: both sets, what makes them unlike, the extractor, the size, the environment."""
        synthetic, real, chosen, extractor = self.synthetic, self.whole, self.real, self.extractor
        generator = synthetic.provenance.generator
        same = generator.data_hash == real.content_hash
        seen = int(np.sum(chosen.in_split(generator.split))) if same else 0
        return {
            "schema": SCHEMA,
            "synthetic": {
                "folder": synthetic.folder.name,
                "images": len(synthetic.table),
                "classes": synthetic.classes,
                "content_hash": synthetic.content_hash,
                "generator": generator.document,
            },
            "real": {
                "folder": real.folder.name,
                "content_hash": real.content_hash,
                "images": len(chosen.table),
                "classes": chosen.classes,
                "left_out": left_out_of(chosen, real, self.split),
                "split": self.split,
                "trained_on": seen,
                "training_set_known": same,
            },
            "extractor": {
                "name": extractor.name,
                "resizer": extractor.resizer,
                "identity": extractor.identity,
                "comparable_with_published_fid": extractor.comparable,
            },
            "sides": remarks(
                Side(synthetic, self.images[0], "synthetic"),
                Side(chosen, self.images[1], "real"),
                self.decoding,
                generator.known,
            ),
            "shared_images": shared_images(*self.images),
            "size": [self.decoding.width, self.decoding.height],
            "interval": "95 %: basic bootstrap; of nearest-neighbour figures and FID at infinity, jackknife",
            "environment": environment(),
        }

    def written(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result with everything that must stand beside it, in the synthetic set and in the generator's run.

        A whole evaluation of these images is not replaced by a brief one.
        """
        result = self.facts | result
        if "verdict" not in result and "verdict" in (evaluation_of(self.synthetic) or {}):
            return result
        write_json(self.synthetic.folder / RESULT, result)
        (self.synthetic.folder / OLD_RESULT).unlink(missing_ok=True)
        _copy_to_run(self.synthetic, result)
        return result


def evaluation_of(data_set: DataSet) -> dict[str, Any] | None:
    """The last evaluation of exactly these images, if there was one."""
    path = next((p for p in (data_set.folder / RESULT, data_set.folder / OLD_RESULT) if p.exists()), None)
    result: dict[str, Any] | None = None if path is None else read_json(path)
    known = result is not None and result["synthetic"].get("content_hash") == data_set.content_hash
    return result if known else None


def _check_sides(synthetic: DataSet, real: DataSet) -> None:
    verify(synthetic)
    verify(real)
    if not synthetic.synthetic:
        raise UserError(f"{synthetic.folder}: not a synthetic set; the first folder must come from: dermsynth generate")
    if real.synthetic:
        raise UserError(f"{real.folder}: a synthetic set; `against` takes the real one")


def left_out_of(chosen: DataSet, real: DataSet, split: str) -> dict[str, int]:
    """Images of the split that are not compared, by label: those of classes that were not generated."""
    rows = real.table[real.in_split(split)]
    others = rows[~rows["file_name"].isin(chosen.table["file_name"])]
    return {
        str(label) or "no label": int(n) for label, n in others.get("label", others["file_name"]).value_counts().items()
    }


def compared_rows(synthetic: DataSet, real: DataSet, split: str) -> DataSet:
    """The real images of the split and of the classes that were generated.

    Raises UserError for a split that is not there.
    """
    rows = real.split(split)
    keep = ~np.isin(rows.labels.astype(str), synthetic.provenance.generator.exclude)
    if synthetic.classes:
        keep &= np.isin(rows.labels.astype(str), synthetic.classes)
    return rows.select(keep)


def _copy_to_run(synthetic: DataSet, result: dict[str, Any]) -> None:
    """Leave a copy where the run's report looks, if the run is still there and is the one meant."""
    if checkpoint_of(synthetic) is not None:
        run = Path(synthetic.provenance.generator.run)
        write_json(run / "evaluations" / f"{synthetic.folder.name}.json", result)
