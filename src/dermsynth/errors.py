"""The exceptions that a user is meant to read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from numbers import Real
from operator import index
from os import PathLike
from pathlib import Path

LARGEST_SEED = 2**63 - 1


class UserError(Exception):
    """Input that cannot be used: one line that names the thing, its value and the way out."""


def require_choice(value: object, field: str, choices: Sequence[object]) -> None:
    """Raise UserError for a value that is none of the choices."""
    if value not in choices:
        raise UserError(f"`{field}` {value!r}: must be one of {', '.join(map(str, choices))}")


@contextmanager
def name_field(field: str) -> Iterator[None]:
    """Put the name of a field before the message of a UserError."""
    try:
        yield
    except UserError as error:
        if type(error) is not UserError:
            raise
        raise UserError(f"`{field}` {error}") from error


def require_whole(value: object, field: str, least: int) -> int:
    """A whole number of Python or NumPy as an int.

    Raises UserError for anything else, flags and texts among it, and for one below `least`.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = index(value)  # type: ignore[arg-type]
    except TypeError as error:
        raise UserError(f"`{field}` {value!r}: must be a whole number") from error
    if number < least:
        raise UserError(f"`{field}` {number}: must be at least {least}")
    return number


def describe(value: object) -> str:
    """A wrong value as a message shows it: as it is written where that is short, otherwise of which type it is."""
    plain = value is None or isinstance(value, str | bool | Real | PathLike)
    return repr(value) if plain and len(repr(value)) <= 200 else f"of type {type(value).__name__}"


def require_path(value: object, field: str) -> Path:
    """A path of text or of `pathlib`; UserError for anything else and for an empty text."""
    if not isinstance(value, str | PathLike) or not str(value):
        raise UserError(f"`{field}` {describe(value)}: must be a path, as text or pathlib.Path")
    return Path(value)


def require_number(value: object, field: str) -> float:
    """A finite number of Python or NumPy as a float; UserError for anything else, flags and texts among it."""
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise UserError(f"`{field}` {describe(value)}: must be a number")
    return float(value)


def require_seed(seed: object) -> int:
    """A seed as an int; UserError where it is no whole number of 0 to 2^63 - 1."""
    number = require_whole(seed, "seed", 0)
    if number > LARGEST_SEED:
        raise UserError(f"`seed` {number}: must be at most {LARGEST_SEED}")
    return number


class DiskError(UserError):
    """The place to write to is full, closed or no folder; never a problem of one image among others.

    `path` is what could not be written: the command line knows which of its options leads there.
    """

    def __init__(self, message: str, path: Path | None = None) -> None:
        super().__init__(message)
        self.path = path


class BadImage(UserError):
    """An image file that cannot be used, and why."""


class Stopped(Exception):
    """Stopped by Ctrl-C or a signal such as SIGTERM, and everything is saved: the message says how to go on."""
