"""Which image somebody means by a name: in a list of files, a column, or a table of another program."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Generic, TypeVar

from dermsynth.data.file_names import ENDINGS, plain_name, safe_stem

ORIGINAL = "original_name"
"""Column of a set whose images were called alike: what the file of each was called before the names were numbered."""
NAME_COLUMNS = ("file_name", "image", "path", "file", "filename", "image_id", "isic_id")
"""Columns of a list that names images: the first that is there, in any case."""
T = TypeVar("T")


def name_column(columns: Iterable[object]) -> str:
    """The column of a list that names images; the empty string where there is none."""
    there = {str(column).casefold(): str(column) for column in columns}
    return next((there[name] for name in NAME_COLUMNS if name in there), "")


class ImageNames(Generic[T]):
    """Images by the paths under which others may name them.

    Parameters
    ----------
    paths
        Pairs of a path and its image; an image may have several paths, and a path several images.
    """

    def __init__(self, paths: Iterable[tuple[str, T]]) -> None:
        self._images: dict[str, list[T]] = defaultdict(list)
        self._alike: dict[str, list[str]] = defaultdict(list)
        for path, image in paths:
            plain = plain_path(path)
            if plain not in self._images:
                self._alike[_stem(plain)].append(plain)
            if image not in self._images[plain]:
                self._images[plain].append(image)
        self._folders = {PurePosixPath(path).parent.name for path in self._images} - {""}

    def find(self, name: str) -> list[T]:
        """The images that a name can mean: one, several where that is not clear, or none.

        The whole path counts first, then an image whose whole path is the end of the name, as of a list with absolute paths.
        Else it is the name without folders and ending, and of several images of this name those that share most of the last
        folders; a name in one of the images' own folders means none of another. Case, kinds of slashes and spellings of one
        letter make no difference.
        """
        plain = plain_path(name)
        parts = plain.split("/")
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        whole = next((end for end in ends if end in self._images), "")
        return self._of([whole] if whole else sharing_most_folders(self._candidates(plain), plain))

    def _candidates(self, path: str) -> list[str]:
        """Paths of the same image name: of the same folder alone where that is one of the images' own."""
        alike, folder = self._alike.get(_stem(path), []), PurePosixPath(path).parent.name
        return [one for one in alike if PurePosixPath(one).parent.name == folder] if folder in self._folders else alike

    def _of(self, paths: Iterable[str]) -> list[T]:
        images = [image for path in paths for image in self._images[path]]
        return [image for place, image in enumerate(images) if image not in images[:place]]


def plain_path(name: str) -> str:
    """One spelling of a path: slashes, composed letters, no case, no `./` at its beginning."""
    return plain_name(name.strip().replace("\\", "/").removeprefix("./"))


def name_without_ending(path: str) -> str:
    """The name of an image without its folders, and without its ending where that is one of images."""
    name = PurePosixPath(path)
    return name.stem if name.suffix.lower() in ENDINGS else name.name


def _stem(path: str) -> str:
    """An image's name without folders and ending as it is in a data set."""
    return plain_name(safe_stem(f"{name_without_ending(path)}.png"))


def sharing_most_folders(names: Sequence[str], path: str) -> list[str]:
    """Of several paths those that share most of the last folders with another path."""
    folders = _last_folders(path)

    def shared(name: str) -> int:
        pairs = zip(folders, _last_folders(name), strict=False)
        return next(
            (count for count, (a, b) in enumerate(pairs) if a != b), min(len(folders), len(_last_folders(name)))
        )

    most = max(map(shared, names), default=0)
    return [name for name in names if shared(name) == most]


def _last_folders(path: str) -> list[str]:
    """The folders of a path in one spelling, the last first."""
    return [plain_name(part) for part in reversed(PurePosixPath(path).parts[:-1])]
