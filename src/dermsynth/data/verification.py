"""Is a data set still the one that was written? Files changed, deleted or added in place are found and named."""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dermsynth.data.dataset import DataSet
from dermsynth.data.manifest import (
    RECORD,
    Record,
    content_hash,
    file_facts,
    file_state,
    hash_of_ends,
    is_file_column,
    read_record,
)
from dermsynth.errors import UserError

SHOWN = 3
IMAGES = "images"
SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".gif")
_log = logging.getLogger(__name__)
_read_before: dict[tuple[str, int, int], str] = {}
_warned: set[Path] = set()


class ChangedData(UserError):
    """Files of a data set are not those that it was written with."""


@dataclass(frozen=True)
class Differences:
    """Names of files that are no longer as they were recorded; `unnamed` says what differs where there is no record."""

    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    unnamed: str = ""

    def __bool__(self) -> bool:
        return bool(self.changed or self.deleted or self.added or self.unnamed)

    def text(self) -> str:
        """Counts and first names, in one line."""
        parts = {"changed": self.changed, "deleted": self.deleted, "added": self.added}
        texts = [f"{len(names):,} {word} ({_first(names)})" for word, names in parts.items() if names]
        return "; ".join([*texts, self.unnamed] if self.unnamed else texts)


def _first(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def verify(data_set: DataSet, *, full: bool = False, unfinished: bool = False) -> None:
    """See that images, masks and maps are those that the set was written with.

    Size and time of each file are compared; where the time differs, as in a copied folder, the content decides. With
    `full` the content of every file is read. Labels and other columns may be edited; rows may be removed. Of a set that is
    `unfinished`, images may have been added, and be missing.

    Raises ChangedData that counts and names what was changed, deleted or added, and says what can be done.
    """
    differences = differences_of(data_set, full=full)
    if unfinished:
        differences = Differences(changed=differences.changed)
    if differences:
        raise ChangedData(
            f"{data_set.folder}: files are not as they were when the set was written: {differences.text()}; "
            f"{_advice(data_set, differences)}"
        )


def _advice(data_set: DataSet, differences: Differences) -> str:
    if differences.added and not (differences.changed or differences.deleted):
        again = "repeat the command that makes the set" if data_set.synthetic else "import them into a new set"
        return f"remove what was added, or {again}"
    if data_set.synthetic and not data_set.provenance.generator.claimed:
        return "put the files back, or make the set anew with dermsynth generate"
    return "put the files back, or import the images as they are now into a new folder with dermsynth import"


def differences_of(data_set: DataSet, *, full: bool = False) -> Differences:
    """What is no longer as it was when the set was written."""
    folder, record = data_set.folder, read_record(data_set.folder)
    images = [str(name) for name in data_set.table["file_name"]]
    if record is None:
        return _by_whole_hash(data_set, images)
    named = dict.fromkeys([*images, *_recorded_beside(data_set, record)])
    present = dict.fromkeys(name for name in named if _is_there(folder / name))
    unnamed = [name for name in _images_in(folder) if name not in named]
    return Differences(
        changed=_changed(folder, [name for name in present if name in record], record, full=full),
        deleted=tuple(name for name in named if name not in present),
        added=tuple(name for name in [*present, *unnamed] if name not in record),
    )


def _changed(folder: Path, names: list[str], record: Record, *, full: bool) -> tuple[str, ...]:
    """Recorded files whose content is another; with `full` every one is read."""
    if full:
        contents = {name: facts.sha256 for name, facts in file_facts(folder, names).items()}
    else:
        contents = content_of(folder, names, record)
    return tuple(name for name in names if contents[name] != record[name].sha256)


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _recorded_beside(data_set: DataSet, record: Record) -> list[str]:
    """Masks, maps and the like that were recorded, and that the table names still."""
    columns = [name for name in data_set.table.columns if name != "file_name" and is_file_column(str(name))]
    return [str(cell) for column in columns for cell in data_set.table[column] if cell in record]


def content_of(folder: Path, names: list[str], record: Record | None = None) -> dict[str, str]:
    """SHA-256 of files; those with the size and time of the record, or of an earlier call, are not read again."""
    record, contents, unread = record or {}, {}, []
    for name in names:
        state = file_state(folder / name)
        key = (str(folder / name), state.st_size, state.st_mtime_ns)
        facts = record.get(name)
        if facts is not None and (facts.size, facts.mtime_ns) == key[1:]:
            contents[name] = facts.sha256
        elif key in _read_before:
            contents[name] = _read_before[key]
        else:
            unread.append(name)
    for name, facts in file_facts(folder, unread).items():
        _read_before[(str(folder / name), facts.size, facts.mtime_ns)] = contents[name] = facts.sha256
    return contents


def _images_in(folder: Path) -> list[str]:
    """Every image below `images/`, without hidden files."""
    paths = sorted((folder / IMAGES).rglob("*"))
    names = [path.relative_to(folder) for path in paths if path.suffix.lower() in SUFFIXES and path.is_file()]
    return [name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts)]


def content_unknown(data_set: DataSet) -> bool:
    """Whether a set, one made by hand for example, has neither a record nor a hash of its images."""
    return read_record(data_set.folder) is None and not re.fullmatch("[0-9a-f]{64}", data_set.whole_hash)


def _by_whole_hash(data_set: DataSet, images: list[str]) -> Differences:
    """Without a record only the hash of the whole set is known: by every byte, or, of older sets, by sizes and ends."""
    folder, recorded = data_set.folder, data_set.content_hash
    deleted = [name for name in images if not _is_there(folder / name)]
    if deleted:
        return Differences(deleted=tuple(deleted))
    if content_unknown(data_set):
        _warn_once(
            folder, f"{folder}: written without a record of its files ({RECORD}); changes of images cannot be seen"
        )
        return Differences()
    if recorded != hash_of_ends(folder, images) and recorded != content_hash(images, file_facts(folder, images)):
        return Differences(unnamed=f"images or rows are others (there is no {RECORD}, which would name them)")
    _warn_once(
        folder, f"{folder}: without a record of its files ({RECORD}); the images were compared by the hash of all"
    )
    return Differences()


def _warn_once(folder: Path, line: str) -> None:
    if folder not in _warned:
        _warned.add(folder)
        _log.warning(line)
