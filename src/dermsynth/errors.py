"""The exceptions that a user is meant to read."""

from pathlib import Path


class UserError(Exception):
    """Input that cannot be used: one line that names the thing, its value and the way out."""


def require_seed(seed: int) -> None:
    """Raise UserError for a negative seed."""
    if seed < 0:
        raise UserError(f"`seed` {seed}: must be at least 0")


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
