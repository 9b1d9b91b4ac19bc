"""The folder of a data set, as far as it can be judged without reading a table: nothing heavy is imported here."""

from pathlib import Path

from dermsynth.errors import UserError

METADATA, DESCRIPTION = "metadata.csv", "dataset.json"


def require_folder(folder: Path) -> None:
    """Raise UserError where there is no such folder."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")


def require_data_set(folder: Path) -> None:
    """Raise UserError where a folder is not there, or is not that of a data set."""
    require_folder(folder)
    if not (folder / METADATA).exists() or not (folder / DESCRIPTION).exists():
        raise UserError(f"{folder}: not a data set ({METADATA} and {DESCRIPTION}); make one with: dermsynth import")
