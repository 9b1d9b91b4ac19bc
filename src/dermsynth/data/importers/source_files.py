"""Files of a source folder: which are images, which are not used and why, and which one a table means by a name."""

import os
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

from dermsynth.data.dataset import is_data_set
from dermsynth.data.file_names import ENDINGS, allowed_roots, plain_name
from dermsynth.data.image_names import name_without_ending, sharing_most_folders
from dermsynth.data.importers.dicom_pixels import is_dicom
from dermsynth.errors import BadImage, UserError

SYSTEM = {"thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "icon\r"}
_MASK_NAME = re.compile(
    r"(^|[_\-. ])(mask|masks|segmentation|segmentations|seg|superpixels?|groundtruth|attribute_\w+|contour|annotation|gt)$",
    re.IGNORECASE,
)
_MASK_FOLDER = re.compile(
    r"(^|[_\-. ])(masks?|segmentations?|groundtruth\w*|ground[_ ]truth|superpixels?|annotations?|contours?|"
    r"segs?|gt|labels|roi)($|[_\-. ])",
    re.IGNORECASE,
)
NOT_NAMED = "an image that the table does not name"
MANY = 1000
"""More unused files of one folder get one line."""


def looks_like_mask(name: str) -> bool:
    """Whether a path is that of a mask by its name or its folders'."""
    path = PurePosixPath(name)
    return bool(_MASK_NAME.search(path.stem)) or any(_MASK_FOLDER.search(part) for part in path.parts[:-1])


@dataclass(frozen=True)
class SourceFiles:
    """The files below a folder, with links followed into the folder itself and into `roots`."""

    folder: Path
    roots: tuple[Path, ...] = ()
    unused: list[tuple[str, str]] = field(default_factory=list)
    guesses: Counter[str] = field(default_factory=Counter)
    claimed: set[str] = field(default_factory=set)
    """Files that a table names exactly: never a guess for another row."""
    _listings: dict[str, set[str]] = field(default_factory=dict)

    @cached_property
    def images(self) -> list[str]:
        """Paths of all images from the folder, sorted; whatever else lies there is noted in `unused`."""
        return [name for name in self.names if self._is_image(name)]

    @cached_property
    def names(self) -> list[str]:
        """Paths of all files from the folder, sorted."""
        if not self.folder.is_dir():
            raise UserError(f"{self.folder}: no such folder")
        return sorted(self._walk())

    def _walk(self) -> Iterator[str]:
        seen = {self.folder.resolve()}
        for place, folders, files in os.walk(self.folder, followlinks=True):
            here = Path(place)
            folders[:] = sorted(name for name in folders if self._enter(here / name, seen))
            for name in files:
                if not name.startswith(".") and name.casefold() not in SYSTEM:
                    yield (here / name).relative_to(self.folder).as_posix()

    def _enter(self, folder: Path, seen: set[Path]) -> bool:
        """Whether to look into a folder: not hidden, not seen before, no data set, no link to somewhere else."""
        if folder.name.startswith("."):
            reason = "a hidden folder" if any(p.suffix.lower() in ENDINGS for p in folder.iterdir()) else ""
        elif folder.name.casefold() in SYSTEM:
            reason = ""
        else:
            reason = self._refusal(folder, seen)
            if not reason:
                seen.add(folder.resolve())
                return True
        if reason:
            self.unused.append((folder.relative_to(self.folder).as_posix() + "/", reason))
        return False

    def _refusal(self, folder: Path, seen: set[Path]) -> str:
        """Why a folder is not looked into; the empty string where it is."""
        real = folder.resolve()
        if real in seen:
            return "a link to a folder that is imported already"
        if not any(real.is_relative_to(root) for root in allowed_roots(self.folder, self.roots)):
            return f"a link that leads out of {self.folder}; allow it with `allow_links_to` {real}"
        if is_data_set(folder):
            return "a data set already; import it by itself, or use it as it is"
        return ""

    def _is_image(self, name: str) -> bool:
        suffix = PurePosixPath(name).suffix.lower()
        if PurePosixPath(name).name.casefold() == "dicomdir":
            self.unused.append((name, "a list of DICOM files"))
            return False
        if suffix in ENDINGS or is_dicom(self.folder / name):
            return True
        self.unused.append((name, f"not an image by its ending ({suffix or 'none'})"))
        return False

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        names = defaultdict(list)
        for name in self.images:
            names[plain_name(name_without_ending(name))].append(name)
        return names

    def find(self, name: str, *, mask: bool = False) -> str:
        """The file that a table means by `name`, from the folder: as written, else in another spelling, else by its last parts.

        A file that is nowhere is returned as it was written. What was guessed is counted in `guesses`.

        Raises BadImage when several files could be meant.
        """
        if not name or self._is_file(name):
            return self._relative(name)
        windows = "\\" in name or bool(re.match(r"[A-Za-z]:", name))
        plain = PureWindowsPath(name).as_posix() if windows else name
        if windows and self._is_file(plain):
            self.guesses["backslashes read as slashes"] += 1
            return self._relative(plain)
        completed = self._with_suffix(plain)
        if completed:
            return self._relative(completed)
        return name if ".." in PurePosixPath(plain).parts else self._by_last_parts(plain, name, mask)

    def _with_suffix(self, name: str) -> str:
        """The file of a name that was written without its ending; the empty string where there is none."""
        if PurePosixPath(name).suffix.lower() in ENDINGS:
            return ""
        names = (name + suffix for suffix in ENDINGS)
        return next((full for full in names if self._lists(full) and self._is_file(full)), "")

    def _lists(self, name: str) -> bool:
        """Whether a folder lists this name; folders are read once, for a look at every ending of every row takes long."""
        place, file = posixpath.split(name)
        if place not in self._listings:
            try:
                self._listings[place] = set(os.listdir(self.folder / place))
            except (OSError, ValueError):
                self._listings[place] = set()
        return file in self._listings[place]

    def has(self, name: str) -> bool:
        """Whether there is a file of this path."""
        return self._is_file(name)

    def knows(self, name: str) -> bool:
        """Whether there is an image of this path, or anywhere of this name, with any ending."""
        return self._is_file(name) or bool(self._by_stem.get(plain_name(PurePosixPath(name).name)))

    def _is_file(self, name: str) -> bool:
        try:
            return (self.folder / name).is_file()
        except (OSError, ValueError):
            return False

    def _relative(self, name: str) -> str:
        """One spelling of a path that is written as `./x`, `a/../x` or from the root of the disk."""
        path = Path(os.path.abspath(self.folder / name))
        inside = bool(name) and path.is_relative_to(os.path.abspath(self.folder))
        return path.relative_to(os.path.abspath(self.folder)).as_posix() if inside else name

    def claim(self, names: Iterable[str]) -> None:
        """Note the files that a table names exactly."""
        self.claimed.update(self._relative(name) for name in names if name and self._is_file(name))

    def _by_last_parts(self, plain: str, name: str, mask: bool) -> str:
        alike = self._by_stem.get(plain_name(name_without_ending(plain)), [])
        candidates = [file for file in alike if file not in self.claimed]
        masks = [file for file in candidates if looks_like_mask(file)]
        wanted = (masks or candidates) if mask else [file for file in candidates if file not in masks]
        best = sharing_most_folders(wanted, plain)
        if len(best) > 1:
            raise BadImage(f"{name}: lies there {len(best)} times ({', '.join(sorted(best)[:3])}); write its path")
        if not best:
            return name
        self.guesses["found by name in a sub-folder, or with another ending or case"] += 1
        return best[0]

    def not_named(self, used: Sequence[str], *, everywhere: bool = False) -> list[tuple[str, str]]:
        """The images beside those `used` (or anywhere) that are not among them; those of a folder in one line where many."""
        names, by_folder = set(used), defaultdict(list)
        for name in self.images if everywhere else self._beside(names):
            if PurePosixPath(name).suffix.lower() in ENDINGS and name not in names and self._is_file(name):
                by_folder[posixpath.dirname(name)].append(name)
        lines = list[str]()
        for place, files in by_folder.items():
            lines += [f"{place or '.'}/: {len(files):,} images"] if len(files) > MANY else files
        return [(line, NOT_NAMED) for line in lines]

    def _beside(self, names: Iterable[str]) -> Iterator[str]:
        """Every file in the folders of these."""
        for place in sorted({posixpath.dirname(name) for name in names if self._is_file(name)}):
            yield from (posixpath.join(place, file) for file in sorted(os.listdir(self.folder / place)))
