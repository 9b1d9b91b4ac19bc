"""Inputs that nobody may write, and a process that root's rights do not help to."""

import ctypes
import hashlib
import os
import stat
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from tests import warm

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def _without_override() -> None:
    """From the next exec on, root obeys the modes of files: mode 555 is read-only to it, too."""
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_CAPBSET_DROP)")


class _Header(ctypes.Structure):
    _fields_: ClassVar = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_: ClassVar = [(name, ctypes.c_uint32 * 2) for name in ("first", "second", "third")]


def in_child(work: Callable[[], object]) -> None:
    """Carry out `work` in a fork of this process that root's rights do not help; it must end well."""
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                _drop_capabilities()
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _drop_capabilities() -> None:
    """All of root's rights (capset(2), version 3): modes of files hold from now on."""
    header = _Header(0x20080522, 0)
    if ctypes.CDLL(None, use_errno=True).capset(ctypes.byref(header), ctypes.byref(_Sets())):
        raise OSError(ctypes.get_errno(), "capset")


def python(*arguments: object, cache: Path) -> "subprocess.CompletedProcess[str]":
    """A Python process without root's rights."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)], env=_environment(cache), capture_output=True, text=True, timeout=600,
        preexec_fn=_without_override,
    )  # fmt: skip


def dermsynth(*arguments: object, cache: Path) -> str:
    """Standard output of `dermsynth ARGUMENTS` in such a process; it must end well."""
    return call(warm.verb, *map(str, arguments), cache=cache)


def call(function: Callable[..., object], *arguments: object, cache: Path) -> str:
    """Standard output of a function of a module in such a process; it must end well."""
    process = warm.start(_without_rights, function, *arguments, environment=_environment(cache))
    out, errors = process.communicate(warm.WAIT)
    assert process.returncode == 0, out + errors
    return out


def _without_rights(function: Callable[..., object], *arguments: object) -> object:
    if os.geteuid() == 0:
        _drop_capabilities()
    return function(*arguments)


def _environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(cache)}


@contextmanager
def read_only(folders: Sequence[Path]) -> Iterator[None]:
    """Folders and everything in them without a right to write; after the block they must be as they were."""
    before = {folder: contents(folder) for folder in folders}
    paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in paths}
    for path in reversed(paths):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    for folder in folders:
        assert contents(folder) == before[folder]


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file of a folder: its time and a hash."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file()
    }
