"""The copy gate alone: any images, synthetic or not, against the photographs that a generator was trained on."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.cache import Decoding, decode_images, decode_paths
from dermsynth.data.claims import other_set, seen_images
from dermsynth.data.dataset import DataSet, is_data_set, open_data_set
from dermsynth.data.importers.source_files import SourceFiles, looks_like_mask
from dermsynth.data.manifest import content_hash, file_facts
from dermsynth.data.provenance import CopyGateFacts
from dermsynth.data.verification import verify
from dermsynth.errors import UserError
from dermsynth.evaluation.copies import COLUMNS, FLAG, SCORE, SOURCE, Copies, write_copies
from dermsynth.evaluation.copy_detection import FALSE_ALARMS, FEWEST_HELD_OUT
from dermsynth.evaluation.feature_cache import decoding_of
from dermsynth.evaluation.memorisation import Sources, fit_gate, gate_columns, gate_facts
from dermsynth.evaluation.sides import Side, SizePolicy, size_policy
from dermsynth.images import Crop
from dermsynth.values import numbers

LARGEST = 128
"""Pixels of the smaller side from which on images are reduced: the gate looks at 32 of them."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GateResult:
    """What the copy gate says of images.

    Attributes
    ----------
    facts
        How many were flagged, of how many, and what set the threshold.
    table
        A row an image: `file_name`, `copy_score` (below 1 is closer than nearly all real images), `copy_of` (the nearest
        training image), `copy_lying` (how that one must be turned), `copy_flag`.
    sizes
        How all images were brought to one size.
    origin
        What is known, and what is only claimed, of the images that the generator was trained on.
    images, training
        What was checked, and the photographs it was compared with.
    matrices
        Of images closest to a training image in a pose: row -> matrix [2, 3] from the image's pixels to that image's, at `sizes`.
    """

    facts: CopyGateFacts
    table: pd.DataFrame
    sizes: SizePolicy
    origin: str
    images: DataSet
    training: DataSet
    matrices: Mapping[int, NDArray[np.float64]]

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Which images are copies, or too close to tell, shape [n]."""
        return (self.table[FLAG] == "true").to_numpy(bool)

    def nearest(self, count: int) -> pd.DataFrame:
        """The rows of the images that are closest to a training image, the closest first."""
        return self.table.assign(score=numbers(self.table, SCORE)).sort_values("score", kind="stable").head(count)

    def to_frame(self) -> pd.DataFrame:
        """The table, the score as numbers and the flag as a flag."""
        return self.table.assign(**{SCORE: numbers(self.table, SCORE), FLAG: self.flagged})

    @property
    def summary(self) -> str:
        """How many were flagged, and how many would be if nothing was copied."""
        facts = self.facts
        return (
            f"{facts.flagged} of {facts.of} images flagged: each lies closer to a training image than "
            f"{100 - 100 * facts.false_alarms:.4g} % of the held-out real images do; of {facts.of} real images never trained on "
            f"about {facts.false_alarms * facts.of:.0f} would be"
        )

    @property
    def scale(self) -> str:
        """Which images gave distances a meaning, and what is not known of them."""
        facts = self.facts
        text = f"compared with {facts.training:,} training images"
        text += f"; threshold {facts.threshold:g} from {facts.held_out:,} held-out ones"
        if facts.held_out_relatives:
            text += f", without {facts.held_out_relatives:,} that are twins of training images, or of the same patients"
        if not facts.any_pose:
            text += "; shifted, zoomed and cut copies were not looked for"
        return text if any(self.training.groups) else f"{text}; which images are of the same patient is not known"

    def text(self, pairs: int = 12) -> str:
        """What was found for a terminal: counts, size, and the nearest pairs."""
        lines = [self.summary, self.scale, f"origin: {self.origin}", f"size: {self.sizes}"]
        for row in self.nearest(pairs).to_dict("records"):
            flag = "flagged" if row[FLAG] == "true" else ""
            pair = f"{row['file_name']}  {row[SOURCE]} ({row['copy_lying']})"
            lines.append(f"{float(row[SCORE]):>8.3f}  {flag:<8}{pair}")
        return "\n".join(lines)

    def write_table(self, folder: Path) -> Copies:
        """Write `copies.csv` and `copies.json`, as an evaluation does."""
        columns = {name: self.table[name].to_numpy() for name in COLUMNS}
        return write_copies(self.images, folder, self.facts, columns, size=str(self.sizes), origin=self.origin)


def check_images(
    images: DataSet | Path,
    known: Sources,
    *,
    resolution: int | str | None = None,
    crop: Crop | None = None,
    false_alarms: float = FALSE_ALARMS,
    fewest: int = FEWEST_HELD_OUT,
    any_pose: bool = False,
) -> GateResult:
    """Look for copies of training images among any images.

    Parameters
    ----------
    images
        A data set, or a folder of image files, into which nothing is written.
    known
        The training images, and real images of the same kind that were not trained on.
    resolution, crop
        The size all images are brought to, and how; by default that of the first image, reduced to a smaller side of 128.
    false_alarms
        Share of real images that may be flagged.
    fewest
        Held-out images, below which no threshold is set.
    any_pose
        Whether copies are looked for that are shifted, turned by any angle, zoomed or cut.

    Raises
    ------
    UserError
        For a folder without images, an image that cannot be read, too few held-out images, and sets that were changed.
    """
    rows = plain_rows(images) if isinstance(images, Path) else images
    if rows.whole_hash == known.held_out.whole_hash != known.training.whole_hash:
        raise UserError(
            f"`held_out` {known.held_out.folder}: the images that are checked; they cannot say what is close, name others"
        )
    whole = decoding_of(rows, resolution, crop)
    decoding = whole if resolution is not None else _reduced(whole)
    gate = fit_gate(known, decoding, false_alarms, fewest, any_pose=any_pose)
    pixels = decode_paths(rows.paths, decoding) if isinstance(images, Path) else decode_images(rows, decoding)
    matches = gate.check_planes(np.asarray(pixels))
    table = pd.DataFrame({"file_name": rows.table["file_name"], **gate_columns(matches, known)}).astype(str)
    sides = (Side(rows, pixels, "checked"), Side(known.training, pixels[:0], "training"))
    sizes = size_policy(*sides, decoding, chosen=resolution is not None, reduced=decoding != whole)
    facts, origin = gate_facts(gate, matches, known), training_origin(rows, known)
    return GateResult(facts, table, sizes, origin, rows, known.training, matches.matrices)


def training_origin(images: DataSet, known: Sources) -> str:
    """What is known, and what is only claimed, of the images that a generator was trained on; and where others are compared."""
    generator = images.provenance.generator
    if not generator.known:
        return "what the generator was trained on is not known; the training images are those that were named"
    claim, (training, held_out) = (
        generator.claim or f"made by {generator.recipe}, trained on its split {generator.split}",
        known,
    )
    if other_set(generator, training):
        return f"{claim}; compared is {training.folder.name}, which is not known to be that set"
    unseen = int((~seen_images(generator, training)).sum())
    if unseen:
        claim += f"; {unseen:,} of the training images here are not among these"
    seen = int(seen_images(generator, held_out).sum()) if held_out.whole_hash == training.whole_hash else 0
    return f"{claim}; these are {seen:,} of the held-out images too, whose copies are not looked for" if seen else claim


def _reduced(decoding: Decoding) -> Decoding:
    scale = min(1.0, LARGEST / min(decoding.height, decoding.width))
    return replace(decoding, height=round(decoding.height * scale), width=round(decoding.width * scale))


def plain_rows(folder: Path) -> DataSet:
    """The image files of a folder as rows; nothing is written into it.

    Raises UserError for a folder without images.
    """
    files = SourceFiles(folder)
    names = [name for name in files.images if not looks_like_mask(name)]
    others = len(files.unused) + len(files.images) - len(names)
    if not names:
        raise UserError(f"{folder}: no images found")
    if others:
        _log.info(f"{folder}: {others} files that are no images, or masks by their names, are not looked at")
    description = {"content_hash": content_hash(names, file_facts(folder, names))}
    return DataSet(folder, pd.DataFrame({"file_name": names}), description)


def training_and_held_out(
    training: DataSet, split: str, held_out: DataSet | None = None, held_out_split: str = "all"
) -> Sources:
    """The training images, and the held-out ones: those of another set, or the training set's own of other splits.

    Raises UserError for a synthetic set, a split that is not there, sets that were changed, and where nothing is held out.
    """
    for data_set, field in ((training, "training"), (held_out, "held_out")):
        if data_set is not None and data_set.synthetic:
            raise UserError(f"`{field}` {data_set.folder}: a synthetic set; name photographs")
        if data_set is not None:
            verify(data_set)
    seen = training.in_split(split)
    if not seen.any():
        raise UserError(
            f"`training_split` {split!r}: no such split in {training.folder}; there are: {', '.join(training.split_names)}"
        )
    if held_out is None:
        unseen = training.part(~seen)
        if unseen.table.empty:
            raise UserError(f"{training.folder}: all of it was trained on; `held_out` names photographs that were not")
        return Sources(training.part(seen), unseen)
    keep = held_out.in_split(held_out_split)
    if not keep.any():
        there = ", ".join(held_out.split_names)
        raise UserError(f"`held_out_split` {held_out_split!r}: no such split in {held_out.folder}; there are: {there}")
    if held_out.whole_hash == training.whole_hash:
        keep &= ~np.isin(held_out.table["file_name"].to_numpy(str), training.table["file_name"].to_numpy(str)[seen])
    return Sources(training.part(seen), held_out.part(keep))


def open_images(images: DataSet | Path | str) -> DataSet | Path:
    """A data set, opened and seen to be as it was written; or the path of a plain folder of images."""
    if not isinstance(images, DataSet):
        folder = Path(images)
        if not is_data_set(folder):
            return folder
        images = open_data_set(folder)
    verify(images)
    return images
