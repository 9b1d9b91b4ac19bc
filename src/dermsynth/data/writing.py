"""Write data sets: new ones whole, and further columns into the table of one that is there."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth import __version__
from dermsynth.data.dataset import SCHEMA, DataSet, open_data_set
from dermsynth.data.folder import DESCRIPTION, METADATA
from dermsynth.data.manifest import content_hash, file_facts, file_names, is_file_column, update_record, write_record
from dermsynth.data.provenance import Provenance, Step
from dermsynth.errors import UserError
from dermsynth.io import replace_file, write_json

TEXT_COLUMNS = ("file_name", "label", "mask_file_name", "group", "split")


def require_empty(out: Path) -> None:
    """Raise UserError unless `out` is new or an empty folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: not empty; choose a new folder or remove it first")


def write_table(folder: Path, table: pd.DataFrame) -> None:
    """Write `metadata.csv` atomically, the known columns first."""
    first = [column for column in TEXT_COLUMNS if column in table]
    ordered = table[first + [column for column in table.columns if column not in first]]
    with replace_file(folder / METADATA) as temporary:
        ordered.to_csv(temporary, index=False)


def add_columns(data_set: DataSet, columns: Mapping[str, NDArray[Any]], facts: dict[str, Any]) -> DataSet:
    """Add columns to the table in a set's folder, or replace them, and facts to its description; images stay as they are.

    `columns` have one value for each row of `data_set`. Rows of the folder that it lacks keep the values they have, or are
    blank. The same rows are returned.
    """
    whole = open_data_set(data_set.folder)
    write_table(whole.folder, join_columns(whole.table, data_set.table["file_name"], columns))
    if any(map(is_file_column, columns)):
        update_record(whole.folder, file_names(whole.folder, pd.DataFrame(_files(columns))))
    write_json(whole.folder / DESCRIPTION, {**whole.description, **facts})
    return _same_rows(open_data_set(whole.folder), data_set)


def join_columns(table: pd.DataFrame, names: pd.Series, columns: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    """The table with columns of the rows that `names` names; other rows keep the values they have, or are blank.

    Raises UserError for a name that is not in the table.
    """
    if table["file_name"].tolist() == names.tolist():
        return table.assign(**columns)
    places = {name: row for row, name in enumerate(table["file_name"])}
    missing = next((name for name in names if name not in places), None)
    if missing is not None:
        raise UserError(f"{missing}: no longer in the data set's table; open the data set again")
    rows = [places[name] for name in names]
    joined = {}
    for column, values in columns.items():
        joined[column] = table.get(column, pd.Series("", table.index)).to_numpy(dtype=object, copy=True)
        joined[column][rows] = np.asarray(values, dtype=object)
    return table.assign(**joined)


def _same_rows(whole: DataSet, data_set: DataSet) -> DataSet:
    """The rows of `data_set` in the set as it is now, known by the same hash as before."""
    names = data_set.table["file_name"].tolist()
    if whole.table["file_name"].tolist() == names:
        return whole
    table = whole.table.set_index("file_name", drop=False).loc[names].reset_index(drop=True)
    return replace(whole, table=table, selection=data_set.selection)


def _files(columns: Mapping[str, NDArray[Any]]) -> dict[str, pd.Series]:
    return {name: pd.Series(values) for name, values in columns.items() if is_file_column(name)}


def write_data_set(folder: Path, table: pd.DataFrame, provenance: Provenance, step: Step) -> DataSet:
    """Write table, record of the files and description of a folder whose images are in place.

    Parameters
    ----------
    folder
        The folder, in which every image lies that the table names.
    table
        A row an image, `file_name` among the columns.
    provenance
        What is known of the set beside what is counted here: source, licence, generator, earlier history.
    step
        What was done now; it is appended to the history.
    """
    record = file_facts(folder, file_names(folder, table))
    write_table(folder, table)
    write_record(folder, record)
    facts = provenance.document
    description = {
        "schema": SCHEMA,
        "program": f"dermsynth {__version__}",
        "images": len(table),
        "classes": sorted({label for label in table.get("label", pd.Series(dtype=str)) if label}),
        "content_hash": content_hash(table["file_name"], record),
        **facts,
        "history": [*facts.get("history", []), step.document],
    }
    write_json(folder / DESCRIPTION, description)
    return open_data_set(folder)
