"""Folders that are written into: by one process at a time, and with one configuration.

A lock is taken away by the system when its holder dies.
"""

import contextlib
import errno
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dermsynth.errors import UserError
from dermsynth.io import command_line, disk_errors, read_json, write_json

try:
    import fcntl
except ImportError:  # a system without flock: two processes are not kept apart there
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger(__name__)
LOCK = ".lock"
"""Name of the file that is locked; the table of a data set, and whoever lists its images, do not know it."""
ATTEMPTS = 100
"""How often a folder is created that other processes remove at the same time."""
_UNABLE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where it is missing, until the block ends or the process dies.

    What a process that was killed left behind is no obstacle. On network file systems that know no locks a line says so and
    the block runs unprotected.

    Raises UserError that names process and machine when another one holds the folder.
    """
    lock = acquire(folder)
    try:
        yield
    finally:
        release(lock)


@dataclass(frozen=True)
class Lock:
    """A folder that is held, its open and locked file, and whether the folder was created for it."""

    folder: Path
    file: IO[str]
    created_folder: bool


def acquire(folder: Path) -> Lock | None:
    """Hold a folder until `release`; None where the system has no locks.

    Raises UserError as `folder_lock` does.
    """
    path = folder / LOCK
    if fcntl is None:
        return None
    with disk_errors(path):
        created_folder = not folder.exists()
        while True:
            file = _open_in(folder)
            with _closed_on_error(file):
                if not _lock(file, folder):
                    file.close()
                    return None
                if _is_at(file, path):
                    _write_holder(file)
                    return Lock(folder, file, created_folder)
            file.close()  # its last holder has removed it meanwhile


def _open_in(folder: Path) -> IO[str]:
    """The open file of the lock; the folder is created again where its last holder removes it in between."""
    for _ in range(ATTEMPTS):
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return (folder / LOCK).open("a+", encoding="utf-8")
    return (folder / LOCK).open("a+", encoding="utf-8")


@contextlib.contextmanager
def _closed_on_error(file: IO[str]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        file.close()
        raise


def _write_holder(file: IO[str]) -> None:
    file.truncate(0)
    file.write(json.dumps(_holder()) + "\n")
    file.flush()


def _lock(file: IO[str], folder: Path) -> bool:
    """Lock a file; False where the file system cannot."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _UNABLE:
            _log.warning(f"{folder}: this file system has no locks; start no second process there")
            return False
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        raise UserError(
            f"{folder}: {_holder_text(file)}; wait for it, stop it, or choose another folder with `out`"
        ) from error
    return True


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _holder() -> dict[str, Any]:
    started = time.strftime("%Y-%m-%d %H:%M")
    return {"pid": os.getpid(), "host": platform.node(), "since": started, "command": command_line()[:300]}


def _holder_text(file: IO[str]) -> str:
    """Who holds the folder, as far as its text says."""
    file.seek(0)
    try:
        holder = json.loads(file.read())
        return (
            f"process {holder['pid']} on {holder['host']} writes into it since {holder['since']} ({holder['command']})"
        )
    except (ValueError, KeyError, TypeError):
        return "another process writes into it"


def release(lock: Lock | None) -> None:
    """Remove the locked file, then let it go; a folder that was made for it and is empty goes, too."""
    if lock is None:
        return
    with contextlib.suppress(OSError):
        (lock.folder / LOCK).unlink(missing_ok=True)
        if lock.created_folder:
            lock.folder.rmdir()
    lock.file.close()


Difference = Callable[[Mapping[str, Any], Mapping[str, Any]], str]
"""In what settings differ from those that a folder was begun with, in words; the empty string where they do not."""


def first_difference(earlier: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The first setting that differs, with both of its values."""
    changed = [key for key in settings if earlier.get(key) != settings[key]]
    if not changed:
        return ""
    key = changed[0]
    return f"begun with {'seed' if key == 'first_seed' else key} {earlier.get(key)!r}, now {settings[key]!r}"


def claim_folder(
    folder: Path,
    record: str,
    settings: Mapping[str, Any],
    *,
    kind: str = "",
    difference: Difference = first_difference,
    write: bool = True,
) -> None:
    """Begin work in a folder, or see that it was begun with the same settings: what is there already may then be used.

    Parameters
    ----------
    folder
        Where the work is written; it need not exist.
    record
        Name of the JSON file in it that holds the settings.
    settings
        Everything that the results depend on.
    kind
        What such a folder is, such as "a run": another folder with files in it is refused. Empty where any folder will do.
    difference
        Says in what the settings differ from the earlier ones, for settings of which some may change.
    write
        Whether the record is written: of several processes that work together one writes it.

    Raises
    ------
    UserError
        When it was begun with other settings, or holds something else.
    """
    path = folder / record
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: a file; choose another `out`")
    plain = json.loads(json.dumps(settings))
    if path.exists():
        changed = difference(read_json(path), plain)
        if changed:
            raise UserError(f"{folder}: {changed}; choose another `out`")
    elif kind and folder.exists() and any(entry.name != LOCK for entry in folder.iterdir()):
        raise UserError(f"{folder}: not empty and not {kind}; choose another `out`")
    if write:
        write_json(path, plain)
