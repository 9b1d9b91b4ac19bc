"""Atomic file and folder writes, JSON, JSON lines, hashes, and the environment of a run."""

import contextlib
import errno
import hashlib
import json
import math
import os
import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from dermsynth import __version__
from dermsynth.errors import DiskError, UserError


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what the block writes there replaces `path` at once, or nothing does."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            _synchronise(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `path` when the block ends well; `path` must not exist."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:80]}."))
        try:
            yield temporary
            _synchronise_folder(temporary)
            temporary.chmod(0o777 & ~_umask())
            if path.is_dir():  # empty, or the rename fails
                path.rmdir()
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of the system's errors that say that there is no more room."""
MANY = 100
"""Files of a folder from which it is quicker to bring all of the system's to the disk."""
_CLOSED = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOENT)
_MISPLACED = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a folder without permission or a file in its place into one line; old files are still whole.

    An error of another file than `path`, such as one that is only read meanwhile, names that file.
    """
    try:
        yield
    except OSError as error:
        place, reason = _place(error, path), str(error.strerror).lower()
        if error.errno in FULL:
            raise DiskError(f"{path}: the disk is full; free some space and repeat the command") from error
        if place is not None and error.errno in (*_CLOSED, *_MISPLACED):
            raise UserError(f"{place}: cannot be read ({reason})") from error
        if error.errno in _CLOSED:
            raise DiskError(f"{path}: cannot be written ({reason})", path) from error
        if error.errno in _MISPLACED:
            raise DiskError(f"{path}: {reason}", path) from error
        raise


def _place(error: OSError, path: Path) -> Path | None:
    """The file that an error is of, unless it is `path`, in it, a folder above it, or a temporary file beside it."""
    if not isinstance(error.filename, str | os.PathLike):
        return None
    place, own = Path(os.path.abspath(error.filename)), Path(os.path.abspath(path))
    if place.is_relative_to(own) or own.is_relative_to(place):
        return None
    beside = place.is_relative_to(own.parent) and place.relative_to(own.parent).parts[0].startswith(".")
    return None if beside else place


def user_cache() -> Path:
    """The user's cache folder of this program: `dermsynth` in XDG_CACHE_HOME, or in ~/.cache."""
    try:
        home = Path.home()
    except RuntimeError:  # a user without a home, as in some containers
        home = Path(tempfile.gettempdir())
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "dermsynth"


def _umask() -> int:
    """The process's mask: what it denies to others stays denied."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _synchronise(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _synchronise_folder(folder: Path) -> None:
    """Bring a folder's files to the disk: one after the other, or the whole system's at once where there are many."""
    files = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    if len(files) > MANY and hasattr(os, "sync"):
        os.sync()
        return
    for file in files:
        _synchronise(file)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with replace_file(path) as temporary:
        temporary.write_bytes(data)


def write_within(path: Path, data: bytes) -> None:
    """Write a file of a new folder that `replace_folder` brings to the disk, and to its place, with all its files."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_json(path: Path, value: object) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    """What could not be measured, or has no bound, is null: JSON has no other word for it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises UserError when the file is missing or no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def append_json_line(path: Path, value: dict[str, Any]) -> None:
    """Append one line of JSON."""
    with disk_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(value, ensure_ascii=False) + "\n")


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines; a last line cut short by a kill is left out."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            lines.append(json.loads(line))
    return lines


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def count_text(images: float) -> str:
    """An amount of images as people write it: 12k, 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if images >= size:
            return f"{images / size:.4g}{unit}"
    return f"{images:.4g}"


def byte_text(count: float) -> str:
    """An amount of bytes as people write it: 350 kB, 1.2 GB."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"


def time_text(seconds: float) -> str:
    """A length of time as people write it: 45 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


MOST_IMAGES = 10**18


def parse_count(text: str | int, field: str = "count") -> int:
    """Read an amount of images: 500, 12k, 1.5M; `field` is what it is called.

    Raises UserError for anything else.
    """
    cleaned = str(text).strip().lower()
    factor = {"k": 1_000, "m": 1_000_000}.get(cleaned[-1:], 1)
    try:
        amount = Decimal(cleaned if factor == 1 else cleaned[:-1]) * factor
        if not abs(amount) < MOST_IMAGES:
            raise ValueError
    except (ValueError, ArithmeticError) as error:
        raise UserError(f"`{field}` {text!r}: write an amount of images as 500, 12k or 1.5M") from error
    if amount % 1:
        raise UserError(f"`{field}` {text!r}: must be a whole number of images")
    if amount < 1:
        raise UserError(f"`{field}` {text!r}: the amount of images must be at least 1")
    return int(amount)


_command: tuple[str, ...] | None = None


def set_command(words: Sequence[str]) -> None:
    """Set the words after `dermsynth` with which this process was called; the command line alone does so."""
    global _command
    _command = tuple(words)


def command_line(hidden: Mapping[str, str] | None = None) -> str:
    """The command of this process, to be run again; "Python" in a script or notebook.

    `hidden` words, such as URLs with passwords, get another name.
    """
    if _command is None:
        return "Python"
    words = list(_command)
    for secret, cover in (hidden or {}).items():
        words = [word.replace(secret, cover) for word in words]
    return shlex.join(["dermsynth", *words])


def environment() -> dict[str, str]:
    """Versions of what a number depends on."""
    from importlib import metadata  # no verb needs it before it runs

    packages = ("torch", "numpy", "opencv-contrib-python-headless", "pillow", "scipy")
    versions = {}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {"dermsynth": __version__, "python": sys.version.split()[0], "platform": platform.platform(), **versions}
