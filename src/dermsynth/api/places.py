"""What a script hands to a function: data sets and paths, refused by the name of the parameter."""

from pathlib import Path

from dermsynth.data.dataset import Data, DataSet, open_data_set
from dermsynth.errors import name_field, require_path


def open_named(data: Data, field: str) -> DataSet:
    """A data set, open; UserError names the parameter that holds none."""
    with name_field(field):
        return open_data_set(data)


def optional_path(place: Path | str | None, field: str) -> Path | None:
    """A path, or None where none was given; UserError for anything else."""
    return None if place is None else require_path(place, field)
