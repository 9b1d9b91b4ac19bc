"""Names of files in a data set: paths that stay inside its folder, and stems that every system and `datasets` can have."""

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from dermsynth.errors import UserError
from dermsynth.images import SUFFIXES

SPLIT_WORDS = frozenset(
    {"train", "training", "validation", "valid", "dev", "val", "test", "testing", "eval", "evaluation"}
)
"""Words in a file's or folder's name that `datasets` takes for the name of a split."""
_SEPARATORS = r"([-._ 0-9]+)"
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
DICOM_SUFFIXES = (".dcm", ".dicom")
ENDINGS = (*SUFFIXES, *DICOM_SUFFIXES)
"""Of files that are read as images."""
STEM_BYTES = 120
"""What stays of a file's name."""


def allowed_roots(folder: Path, roots: Sequence[Path] = ()) -> list[Path]:
    """The real paths of the folders that files of `folder` may lie in."""
    return [folder.resolve(), *(root.resolve() for root in roots)]


def path_inside(folder: Path, name: str, roots: Sequence[Path] = ()) -> Path:
    """The path of `name` in `folder`; a link may lead into one of `roots`, too.

    Raises UserError when it leads out of the folder, or is no path at all.
    """
    try:
        path = (folder / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{name[:80]!r}: not a path ({type(error).__name__})") from error
    if any(path.is_relative_to(root) for root in allowed_roots(folder, roots)):
        return path
    if Path(os.path.abspath(folder / name)).is_relative_to(folder.absolute()) and not path.exists():
        raise UserError(f"{name}: a link to {path}, which is not there")
    if Path(os.path.abspath(folder / name)).is_relative_to(folder.absolute()):
        raise UserError(f"{name}: a link that leads out of {folder}; allow it with `allow_links_to` {path.parent}")
    raise UserError(
        f"{name}: leads out of {folder}; paths must stay inside the folder (`image_folder` names another folder)"
    )


def names_a_split(name: str) -> bool:
    """Whether `datasets` takes a file or folder of this name for a split, and then leaves out every other one."""
    return not SPLIT_WORDS.isdisjoint(re.split(_SEPARATORS, name))


def plain_name(name: str) -> str:
    """One spelling of a file's name: composed letters, no case."""
    return unicodedata.normalize("NFC", name).casefold()


def safe_stem(file_name: str) -> str:
    """A file's name without folder and ending, as every system and `datasets` can have it.

    Not hidden, no letter that a system refuses, none of Windows' reserved names, and no split: `test_1` becomes `testset_1`.
    """
    stem = unicodedata.normalize("NFC", Path(file_name).stem.encode("utf-8", "replace").decode())
    stem = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]', "_", stem)
    stem = stem.encode()[:STEM_BYTES].decode("utf-8", "ignore").strip(" .")
    words = re.split(_SEPARATORS, stem)
    stem = "".join(f"{word}set" if word in SPLIT_WORDS else word for word in words) or "image"
    return f"{stem}_" if _RESERVED.fullmatch(stem.partition(".")[0]) else stem


def unique_stems(file_names: Iterable[str]) -> list[str]:
    """The files' names without folder and ending (`safe_stem`), numbered where two are alike."""
    stems: list[str] = []
    used: set[str] = set()
    for file_name in file_names:
        stem = name = safe_stem(file_name)
        number = 1
        while name.casefold() in used:
            number += 1
            name = f"{stem}_{number}"
        used.add(name.casefold())
        stems.append(name)
    return stems
