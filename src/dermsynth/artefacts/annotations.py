"""What is known of artefacts in a data set: columns of its table, or a folder of their own beside a set that stays as it is.

A folder of annotations holds `artefacts.csv` (`file_name` and the columns), `annotations.json` (the content hash of the set it
belongs to, and what masks and scores mean), and `artefacts/` with the masks.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from dermsynth.cache import writable
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.tables import read_table, require_columns
from dermsynth.data.writing import add_columns, join_columns
from dermsynth.errors import UserError
from dermsynth.io import read_json, replace_file, write_json
from dermsynth.locks import claim_folder

TABLE, FACTS = "artefacts.csv", "annotations.json"
PREFIXES, MASKS, TONE = ("found_", "score_", "probability_"), "artefacts_file_name", "skin_tone"
"""Columns that annotations consist of; the last is the individual typology angle in degrees, of skin outside lesion, frame,
hair, ink and the other artefacts."""
Columns = Mapping[str, NDArray[Any]]


def annotations_folder(data_set: DataSet) -> Path:
    """Where what is known of a set's artefacts lies: apart from it, or with it."""
    return data_set.annotations or data_set.folder


def is_annotation(column: str) -> bool:
    """Whether a column says what was detected in the images."""
    return column in (MASKS, TONE) or column.startswith(PREFIXES)


def claim_annotations(data_set: DataSet, out: Path | None = None) -> Path:
    """The folder into which annotations of a set are going to be written: `out`, that of its annotations, or its own.

    Raises
    ------
    UserError
        When it cannot be written, or holds annotations of another set, or something else.
    """
    target = out or data_set.annotations
    if target is None:
        if not writable(data_set.folder):
            raise UserError(f"{data_set.folder}: cannot be written; name a folder for the annotations with `out` DIR")
        return data_set.folder
    settings = {"schema": 1, "content_hash": data_set.whole_hash}
    begun = (target / FACTS).exists()
    claim_folder(target, FACTS, settings, kind="a folder of annotations", difference=_another_set, write=not begun)
    return target


def write_annotations(
    data_set: DataSet, columns: Columns, facts: Mapping[str, Any], out: Path | None = None
) -> DataSet:
    """The set with further columns, written into a folder of annotations where there is one, else into the set's table.

    Parameters
    ----------
    data_set
        The set; with `out`, or where its annotations lie apart, no file of it is changed.
    columns
        Name -> one value an image.
    facts
        What else is to be kept, such as the meaning of the masks' bits.
    out
        Folder of annotations, new or of the same set.

    Raises
    ------
    UserError
        When the folder holds annotations of another set, or something else.
    """
    target = out or data_set.annotations
    if target is None:
        return add_columns(data_set, columns, dict(facts))
    claim_annotations(data_set, target)
    whole = open_data_set(data_set.folder)
    annotated = with_annotations(whole, target) if (target / TABLE).exists() else _without_annotations(whole)
    earlier = [str(name) for name in annotated.table if is_annotation(str(name))]
    table = join_columns(annotated.table[["file_name", *earlier]], data_set.table["file_name"], columns)
    with replace_file(target / TABLE) as temporary:
        table.to_csv(temporary, index=False)
    write_json(target / FACTS, {**read_json(target / FACTS), **facts})
    return with_annotations(data_set, target)


def _another_set(earlier: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    same = earlier.get("content_hash") == settings["content_hash"]
    return "" if same else "holds the annotations of another data set"


def with_annotations(data_set: DataSet, folder: Path) -> DataSet:
    """The set with the columns of a folder of annotations, instead of those that its own table has.

    Raises
    ------
    UserError
        When the folder holds none, or those of other images.
    """
    if not (folder / TABLE).is_file():
        raise UserError(f"{folder}: no annotations; make them with: dermsynth artefacts detect")
    facts, table = read_json(folder / FACTS), read_table(folder / TABLE)
    require_columns(table, ["file_name"], folder / TABLE)
    if facts.get("content_hash") != data_set.whole_hash:
        raise UserError(f"{folder}: annotations of another data set than {data_set.folder}, or of other images in it")
    rows = table.drop_duplicates("file_name").set_index("file_name").reindex(data_set.table["file_name"]).fillna("")
    columns = {str(name): rows[name].to_numpy(dtype=object) for name in rows if is_annotation(str(name))}
    bare = _without_annotations(data_set)
    shared = {key: value for key, value in facts.items() if key not in ("schema", "content_hash")}
    return replace(
        bare, table=bare.table.assign(**columns), description={**bare.description, **shared}, annotations=folder
    )


def _without_annotations(data_set: DataSet) -> DataSet:
    own = [name for name in data_set.table if is_annotation(str(name))]
    return replace(data_set, table=data_set.table.drop(columns=own), annotations=None)
