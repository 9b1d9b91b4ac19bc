"""Images of a generator elsewhere: an import of them becomes a synthetic set that says what is claimed of the generator."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dermsynth.data.claims import CONDITIONED, images_named, listed_files
from dermsynth.data.dataset import DataSet
from dermsynth.data.importers.sources import Source, SourceRow
from dermsynth.data.marks import photograph_mark
from dermsynth.data.provenance import LISTED
from dermsynth.data.training_set import rows_hash
from dermsynth.data.verification import verify
from dermsynth.errors import UserError

SOURCE_TYPE = "trainedAlgorithmicMedia"
OF_SYNTHETIC = ("trained_on", "trained_on_split", "trained_on_files", "generator")
"""Arguments of an import that only go with `synthetic`."""


@dataclass(frozen=True)
class GeneratorElsewhere:
    """What is claimed of a generator: its name, and the images that it was trained on.

    Attributes
    ----------
    name
        Its name, such as `SD 1.5 + LoRA`.
    trained_on
        The real set; None where it is not known.
    split
        The split of that set: train, validation, test or all; `listed` for `files`.
    files
        The images of that set, by their names in it, where they are not a split; empty for a split.
    """

    name: str = ""
    trained_on: DataSet | None = None
    split: str = "train"
    files: tuple[str, ...] = ()

    @property
    def training_images(self) -> set[str]:
        """The images of the real set that it was trained on, by their names in it; empty where the set is not known."""
        real = self.trained_on
        if real is None or self.files:
            return set(self.files)
        return set(map(str, real.table["file_name"][real.in_split(self.split)]))

    @property
    def facts(self) -> dict[str, Any]:
        """What `dataset.json` says of it.

        Raises UserError where the real set is none, was changed, or has no image of the split.
        """
        facts: dict[str, Any] = {"name": self.name, "claimed": True}
        real = self.trained_on
        if real is None:
            return facts
        rows = real.part(np.isin(real.table["file_name"].to_numpy(str), sorted(self.training_images)))
        facts |= {"data_hash": real.whole_hash, "rows_hash": rows_hash(rows), "split": self.split}
        facts |= {"trained_on": str(real.folder.resolve()), "trained_on_images": len(real.table)}
        return {**facts, "trained_on_files": list(self.files)} if self.files else facts


def generator_elsewhere(
    name: str, trained_on: DataSet | None, split: str, files: Path | str | Sequence[str] | None
) -> GeneratorElsewhere:
    """What is claimed of a generator, checked as far as the real set allows.

    Parameters
    ----------
    name
        What it is called.
    trained_on
        The real set, or None.
    split
        The split of it that was trained on.
    files
        A list of the images trained on, as a CSV or text file or as names; None for the whole split.

    Raises
    ------
    UserError
        Where the real set is synthetic, was changed, or lacks the split or a file of the list.
    """
    if trained_on is None:
        if files is not None:
            raise UserError("`trained_on_files`: goes with `trained_on`, the data set that has these files")
        return GeneratorElsewhere(name)
    if trained_on.synthetic:
        raise UserError(
            f"`trained_on` {trained_on.folder}: a synthetic set; name the photographs that it was trained on"
        )
    verify(trained_on)
    if files is None:
        if not trained_on.in_split(split).any():
            there = ", ".join(trained_on.split_names)
            raise UserError(f"`trained_on_split` {split!r}: no such split in {trained_on.folder}; there are: {there}")
        return GeneratorElsewhere(name, trained_on, split)
    names = listed_files(Path(files)) if isinstance(files, str | Path) else list(files)
    images = tuple(filter(None, dict.fromkeys(images_named(names, trained_on, "trained_on_files"))))
    return GeneratorElsewhere(name, trained_on, LISTED, images)


def as_synthetic(source: Source, generator: GeneratorElsewhere) -> Source:
    """The source of a synthetic set: without splits, with what is claimed, and with the real images that rows name found.

    Raises UserError for rows that are said to be photographs, and for rows that name no image of the set trained on.
    """
    refuse_photographs([(row.image, photograph_mark(row.columns)) for row in source.rows])
    notes = list(source.notes)
    if any(row.split for row in source.rows):
        notes.append("the splits of the images are left out: a synthetic set has none")
    rows = [replace(row, split="") for row in source.rows]
    if any(row.columns.get(CONDITIONED) for row in rows):
        rows = _with_sources(rows, generator, notes)
    facts = {**source.facts, "digital_source_type": SOURCE_TYPE, "synthetic": True, "generator": generator.facts}
    return replace(source, rows=rows, facts=facts, command=f"{source.command} --synthetic", notes=notes)


def _with_sources(rows: list[SourceRow], generator: GeneratorElsewhere, notes: list[str]) -> list[SourceRow]:
    """The rows with the real images that they name found; those that the generator is not said to have seen are noted."""
    real, written = generator.trained_on, [row.columns.get(CONDITIONED, "") for row in rows]
    if real is None:
        notes.append("without `trained_on` the images that `source_column` names are not looked for, held out or not")
        return rows
    names = images_named(written, real, "source_column")
    seen = generator.training_images
    others = [name for name in names if name and name not in seen]
    if others:
        notes.append(
            f"{len(others)} of {len(rows)} images are made from real ones that the generator is not said to have been trained "
            f"on (first: {others[0]}); dermsynth utility refuses those that are held out or share a patient with such"
        )
    return [replace(row, columns={**row.columns, CONDITIONED: name}) for row, name in zip(rows, names, strict=True)]


def refuse_photographs(marks: Sequence[tuple[str, str]]) -> None:
    """Raise UserError where images, each with the mark by which it is a photograph (or none), are not all synthetic."""
    real = [(image, mark) for image, mark in marks if mark]
    if real:
        image, mark = real[0]
        raise UserError(
            f"{len(real)} of {len(marks)} images are said to be photographs (first: {image}, {mark}): a set holds synthetic "
            "images only or photographs only; import them apart"
        )
