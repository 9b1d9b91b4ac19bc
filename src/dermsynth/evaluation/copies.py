"""What the copy gate says of each image of a set: a table of its own, found by the content hash of the set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.data.provenance import CopyGateFacts
from dermsynth.data.tables import read_table
from dermsynth.evaluation.results import result_folders
from dermsynth.io import read_json, replace_file, write_json
from dermsynth.values import flags, is_missing

TABLE, FACTS = "copies.csv", "copies.json"
SCORE, SOURCE, ORIENTATION, FLAG = COLUMNS = ("copy_score", "copy_of", "copy_lying", "copy_flag")
AGAIN = "run dermsynth evaluate again"


@dataclass(frozen=True)
class Copies:
    """What the copy gate says of a set's images.

    Attributes
    ----------
    facts
        How many it flagged, and its threshold; None for a set whose table was flagged by another program.
    table
        A row an image, in the set's order: `copy_score`, `copy_of` (the nearest training image), `copy_lying` (the
        rotation or reflection that matches it), `copy_flag`, as text.
    missing
        Why flags are missing or wrong; empty where every image was checked.
    """

    facts: CopyGateFacts | None
    table: pd.DataFrame
    missing: str = ""

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Which images lie too close to a training image, shape [n]."""
        return flags(self.table, FLAG) == 1


def write_copies(
    data_set: DataSet, folder: Path, facts: CopyGateFacts, columns: dict[str, NDArray[np.generic]], **remarks: str
) -> Copies:
    """Keep what the gate says of every image, and remarks by name, in a folder of its own; the set stays as it is."""
    table = pd.DataFrame({"file_name": data_set.table["file_name"], **columns}).astype(str)
    with replace_file(folder / TABLE) as temporary:
        table.to_csv(temporary, index=False)
    write_json(folder / FACTS, {"content_hash": data_set.content_hash, "copy_gate": facts.document, **remarks})
    return Copies(facts, table)


def copies_of(data_set: DataSet, place: Path | None = None) -> Copies | None:
    """What the copy gate says of exactly these images; None where it has never seen them.

    From the folder `place`, or from the set's own; sets of earlier versions have it in their own table.
    """
    for folder in result_folders(data_set, place):
        if (folder / FACTS).exists() and (folder / TABLE).exists():
            document = read_json(folder / FACTS)
            if document.get("content_hash") == data_set.content_hash:
                facts = CopyGateFacts.model_validate(document["copy_gate"])
                return checked_copies(data_set, facts, read_table(folder / TABLE), folder / TABLE)
    return None if place is not None else _in_its_table(data_set)


def checked_copies(data_set: DataSet, facts: CopyGateFacts, table: pd.DataFrame, path: Path) -> Copies:
    """The rows in the set's order, with the reason where some are missing."""
    rows = table.drop_duplicates("file_name").set_index("file_name")
    ordered = rows.reindex(data_set.table["file_name"]).fillna("").reset_index()
    return Copies(facts, ordered, _missing(ordered, facts, path.name))


def _in_its_table(data_set: DataSet) -> Copies | None:
    """The columns of a set of an earlier version, or of another program."""
    facts = data_set.provenance.copy_gate
    if facts is None and (FLAG not in data_set.table or all(map(is_missing, data_set.table[FLAG]))):
        return None
    table = data_set.table[["file_name", *(column for column in COLUMNS if column in data_set.table)]]
    return Copies(facts, table, _missing(table, facts, "metadata.csv"))


def _missing(table: pd.DataFrame, gate: CopyGateFacts | None, name: str) -> str:
    """Why flags are missing or fewer than the gate set.

    Raises UserError for a flag that is not understood.
    """
    blank = np.array([is_missing(value) for value in table.get(FLAG, [""] * len(table))], dtype=bool)
    flagged = flags(table, FLAG) == 1
    if blank.all():
        return f"the copy gate's column {FLAG!r} is gone from {name}; {AGAIN}"
    if blank.any():
        first = table["file_name"].to_numpy()[blank][0]
        return f"{blank.sum()} of {len(blank)} images were never checked for copies ({FLAG} is blank), first {first}; {AGAIN}"
    if gate is not None and flagged.sum() < gate.flagged - max(0, gate.of - len(flagged)):
        return f"{FLAG} marks {flagged.sum()} images, the copy gate marked {gate.flagged}; {AGAIN}"
    return ""
