"""What the files of a data set were when it was written: size, time of change and SHA-256 of each, in `files.csv`."""

import csv
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from dermsynth.errors import UserError
from dermsynth.io import file_hash, replace_file
from dermsynth.parallel import thread_count

RECORD = "files.csv"
MOST_THREADS = 8
"""Threads that read files at once: a disk delivers no sooner to more of them."""
ENDS = 4096
"""Bytes at the start and the end of a file that the hash of older sets is of."""


class FileFacts(NamedTuple):
    """Bytes, time of change in nanoseconds, and SHA-256 of a file's content."""

    size: int
    mtime_ns: int
    sha256: str


Record = Mapping[str, FileFacts]
"""Name in the folder -> facts."""


def is_file_column(column: str) -> bool:
    """Whether a column of a set's table names files in its folder: images, masks, maps, bits of structures."""
    return column == "structures" or column.endswith(("file_name", "_mask"))


def file_names(folder: Path, table: pd.DataFrame) -> list[str]:
    """The files in the folder that the table names: images first, every name once.

    A mask that lies elsewhere, as that of a translated set may, is another set's.
    """
    names = dict.fromkeys(table.get("file_name", ()))
    for column in table.columns:
        if column != "file_name" and is_file_column(str(column)):
            names |= dict.fromkeys(n for n in table[column] if n and _within(str(n)) and (folder / str(n)).is_file())
    return [str(name) for name in names]


def _within(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def file_facts(folder: Path, names: Sequence[str], *, jobs: int | None = None) -> dict[str, FileFacts]:
    """The facts of files as they are now, read by `jobs` threads; None for what `use_workers` set, and at most eight.

    Raises UserError for a file that is not there.
    """
    with ThreadPoolExecutor(thread_count(jobs, MOST_THREADS)) as threads:
        return dict(zip(names, threads.map(lambda name: _read_facts(folder / name), names), strict=True))


def _read_facts(path: Path) -> FileFacts:
    state = file_state(path)
    return FileFacts(state.st_size, state.st_mtime_ns, file_hash(path))


def file_state(path: Path) -> os.stat_result:
    """Size and time of a file that a table names.

    Raises UserError when it is not there.
    """
    try:
        return path.stat()
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such file, but the table names it; put it back, or remove its row from metadata.csv"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({str(error.strerror).lower()})") from error


def write_record(folder: Path, record: Record) -> None:
    """Write `files.csv` atomically."""
    with replace_file(folder / RECORD) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", *FileFacts._fields))
        writer.writerows((name, *facts) for name, facts in record.items())


def read_record(folder: Path) -> dict[str, FileFacts] | None:
    """The record of a set, or None where it was written without one.

    Raises UserError when the file is damaged.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        if tuple(rows[0]) != ("name", *FileFacts._fields):
            raise ValueError("another header")
        return {name: FileFacts(int(size), int(time), digest) for name, size, time, digest in rows[1:]}
    except (ValueError, IndexError, OSError) as error:
        raise UserError(
            f"{path}: damaged ({error}); remove it, and every file is read and compared with the hash of the whole set"
        ) from error


def update_record(folder: Path, names: Iterable[str]) -> None:
    """Bring the record up to date for files that the program itself has just written; all others stay as recorded."""
    earlier = read_record(folder)
    if earlier is not None:
        write_record(folder, {**earlier, **file_facts(folder, list(names))})


def content_hash(names: Iterable[str], record: Record) -> str:
    """Hash of images: of their names, and of every byte of each."""
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(f"{name}\0{record[name].sha256 if name in record else 'not recorded'}\n".encode())
    return digest.hexdigest()


def hash_of_ends(folder: Path, names: Iterable[str]) -> str:
    """The hash of sets written without a record: of names and sizes, and of the bytes at the start and end of each file."""
    digest = hashlib.sha256()
    for name in sorted(names):
        size = file_state(folder / name).st_size
        with (folder / name).open("rb") as file:
            digest.update(f"{name}\0{size}\0".encode())
            digest.update(file.read(ENDS))
            file.seek(max(0, size - ENDS))
            digest.update(file.read(ENDS))
    return digest.hexdigest()
