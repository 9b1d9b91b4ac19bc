"""A whole synthetic set edited along a direction: a new set that names every image's original and step."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.verification import verify
from dermsynth.data.writing import require_empty, write_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.generator_metrics import generator_of, run_problem
from dermsynth.images import encode_png
from dermsynth.io import replace_folder, write_within
from dermsynth.latents.attributes import Scorer
from dermsynth.latents.directions import Direction
from dermsynth.latents.edits import move_points, remove_attribute
from dermsynth.latents.space import Images, Space, space_of
from dermsynth.progress import progress_bar
from dermsynth.sampling.names import seeds_of, truncation_of

PART = 64
COLUMNS = ("file_name", "label", "seed", "truncation", "checkpoint", "synthetic")
SHARED = ("synthetic", "source", "digital_source_type", "generator", "real_images", "history")
"""Columns, and facts of a set, that its edited copy takes over."""


def latent_space_of(data_set: DataSet) -> Space:
    """The latent space of the generator of a synthetic set.

    Raises UserError for a set that is none of dermsynth generate's, or whose run is not where it was.
    """
    if not data_set.synthetic or not {"seed", "truncation"} <= set(data_set.table):
        raise UserError(f"{data_set.folder}: not from dermsynth generate, so there is no latent to edit")
    if "edited_from" in data_set.table:
        raise UserError(
            f"{data_set.folder}: edited already, and its latents do not include that; edit the original set"
        )
    generator = generator_of(data_set)
    if generator is None:
        raise UserError(run_problem(data_set) or f"{data_set.folder}: says nothing of the run that made it")
    return space_of(generator)


def edit_set(
    data_set: DataSet,
    space: Space,
    direction: Direction,
    out: Path,
    *,
    steps: float | None,
    until_absent: Scorer | None,
) -> DataSet:
    """A new set of the same seeds, moved by `steps` deviations, or against the direction until the scorer sees nothing.

    Columns: `edited_from`, `edit_direction`, `edit_step`. Run and original set stay as they are. Raises UserError when `out`
    holds something.
    """
    require_empty(out)
    verify(data_set)
    table = data_set.table[[name for name in COLUMNS if name in data_set.table]].copy()
    taken = np.zeros(len(table))
    with replace_folder(out) as work:
        starts = range(0, len(table), PART)
        for start in progress_bar(starts, total=len(starts), label="editing", unit=f"x{PART} img"):
            rows = slice(start, start + PART)
            images, taken[rows] = edit_rows(table.iloc[rows], space, direction, steps, until_absent)
            text = {"Software": "dermsynth", "edited": direction.name}
            for name, image in zip(table["file_name"].iloc[rows], images, strict=True):
                write_within(work / name, encode_png(image.transpose(1, 2, 0), text=text, synthetic=True))
        lengths = np.round(taken, 3).astype(str)
        table = table.assign(edited_from=table["file_name"], edit_direction=direction.name, edit_step=lengths)
        facts = data_set.provenance.shared_facts(*SHARED)
        step = {
            "command": "dermsynth latents edit",
            "direction": direction.name,
            "vector": direction.identity,
            "method": direction.facts,
            "steps": steps,
        }
        until = {} if until_absent is None else {"until_gone": until_absent.name, "threshold": until_absent.threshold}
        write_data_set(work, table, Provenance.model_validate(facts), Step.model_validate({**step, **until}))
    return open_data_set(out)


def edit_rows(
    rows: pd.DataFrame, space: Space, direction: Direction, steps: float | None, until_absent: Scorer | None
) -> tuple[Images, NDArray[np.float64]]:
    """Edited images of rows of a set's table, and by how many deviations each was moved."""
    classes, seeds = space.generator.config.data.classes, seeds_of(rows)
    labels = [classes.index(str(label)) for label in rows["label"]] if classes else [0] * len(rows)
    points = space.points(seeds, labels, truncation_of(rows))
    if until_absent is not None:
        return remove_attribute(space, points, seeds, labels, direction, until_absent)
    taken = np.full(len(rows), steps or 0.0)
    return space.images(move_points(space, points, direction, taken), seeds, labels), taken
