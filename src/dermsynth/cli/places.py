"""Folders that must be there, looked at before anything heavy is loaded: a mistyped path is answered at once."""

from collections.abc import Callable
from pathlib import Path

from cyclopts import Parameter

from dermsynth.data.folder import require_data_set, require_folder
from dermsynth.errors import name_field
from dermsynth.training.run_folder import require_run

Check = Callable[[Path], None]
OWN_RUNS = Path(__file__).parents[1] / "training" / "pretrained"
"""Where the runs are that come with this package and are used by their names."""


_looking = False


def look() -> None:
    """Look at folders from now on: whoever only parses a command needs none."""
    global _looking
    _looking = True


def data_set(field: str) -> Parameter:
    """A folder, or several, of data sets, refused by the name of the parameter."""
    return _checked(field, require_data_set)


def folder(field: str) -> Parameter:
    """A folder, whatever it holds, refused by the name of the parameter."""
    return _checked(field, require_folder)


def run() -> Parameter:
    """A run folder, a checkpoint in one, or the name of a run that comes with this package."""

    def validate(_: object, place: Path) -> None:
        if _looking and not place.exists() and not (len(place.parts) == 1 and (OWN_RUNS / place).is_dir()):
            require_run(place)

    return Parameter(validator=validate)


def _checked(field: str, check: Check) -> Parameter:
    def validate(_: object, value: object) -> None:
        with name_field(field):
            for path in value if isinstance(value, tuple) else [value]:
                if _looking and isinstance(path, Path):
                    check(path)

    return Parameter(validator=validate)
