"""The folder of a run, as far as it can be judged without reading its configuration: nothing heavy is imported here."""

from pathlib import Path

from dermsynth.errors import UserError

CONFIG = "config.json"


def require_run(folder: Path) -> None:
    """Raise UserError where a folder is not that of a run."""
    if not (folder / CONFIG).exists():
        raise UserError(f"{folder}: not a run folder (no {CONFIG}); train one with: dermsynth train")
