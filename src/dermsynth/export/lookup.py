"""Is an image one of ours? Files compared with registries of fingerprints, and their signatures checked."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import is_data_set, open_data_set
from dermsynth.data.verification import IMAGES
from dermsynth.errors import BadImage, UserError
from dermsynth.export.fingerprints import REGISTRY, Registry, fingerprint
from dermsynth.export.signing import Signature, signature_of
from dermsynth.images import SUFFIXES, read_bytes
from dermsynth.io import replace_file
from dermsynth.progress import progress_bar
from dermsynth.records import Record

State = Literal["exact", "altered", "unknown"]
MOST_BITS = 12
"""Bits of the perceptual hashes that may differ."""
MOST_LEVELS = 6.0
"""Mean absolute difference of the 16 x 16 thumbnails, in grey levels, up to which an image is an altered one of ours."""
MOST_OF_A_PATCH = 8.0
"""The same of the brightness of any 3 x 3 patch: compression errs everywhere, another lesion differs in one place."""
SAME_PIXELS = "same pixels, other bytes: marks were taken off or added"


class Match(Record):
    """What is known of one file.

    Attributes
    ----------
    file_name
        The file, from the folder that was looked at.
    state
        `exact` for the very file that was handed on, `altered` for an image of ours in another file, or `unknown`.
    of, set
        The image of ours and its set; blank where it is unknown.
    levels
        Mean difference of the thumbnails in grey levels; NaN where it is unknown.
    signature
        `intact`, `expired` (so has the certificate, and there is no time stamp), `broken` (the file was changed after it was
        signed), `unchecked` (c2pa-python is not installed), or blank
        where there is none.
    signer
        Whom the certificate names; not compared with any list of trusted signers.
    note
        What else there is to say.
    """

    file_name: str
    state: State
    of: str = ""
    set: str = ""
    levels: float = float("nan")
    signature: Signature = ""
    signer: str = ""
    note: str = ""


class Lookup(Record):
    """What is known of all files of a folder.

    Attributes
    ----------
    folder
        The folder or file.
    registry
        The number of images in the registries.
    matches
        A line a file.
    """

    folder: str
    registry: int
    matches: tuple[Match, ...]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many files are exact, altered and unknown."""
        found = Counter(match.state for match in self.matches)
        return {state: found[state] for state in ("exact", "altered", "unknown")}

    @property
    def broken(self) -> int:
        """How many files were changed after they were signed."""
        return sum(match.signature == "broken" for match in self.matches)

    @property
    def ours(self) -> bool:
        """Whether every file is one of ours, and none was changed after it was signed."""
        return not self.counts["unknown"] and not self.broken

    def text(self) -> str:
        """Counts in one line."""
        states = ", ".join(f"{count:,} {state}" for state, count in self.counts.items())
        signed = Counter(match.signature for match in self.matches if match.signature)
        words = {
            "intact": "signed and unchanged",
            "expired": "signed with a certificate that has expired",
            "broken": "changed after they were signed",
            "unchecked": "signed, not checked",
        }
        more = "".join(f"; {count:,} {words[key]}" for key, count in signed.items())
        return f"{self.folder}: {len(self.matches):,} images against {self.registry:,} of ours: {states}{more}"

    def to_frame(self) -> pd.DataFrame:
        """A row a file."""
        return pd.DataFrame([match.model_dump() for match in self.matches], columns=list(Match.model_fields))

    def save(self, path: Path | str) -> Path:
        """Write the table as CSV.

        Raises UserError for another ending.
        """
        path = Path(path)
        if path.suffix != ".csv":
            raise UserError(f"`table` {path}: must end in .csv")
        with replace_file(path) as temporary:
            self.to_frame().to_csv(temporary, index=False)
        return path


def look_up(place: Path, registry: Registry) -> Lookup:
    """Compare an image file, or all images in a folder, with a registry.

    Of a data set the images are looked at, not the masks.

    Raises UserError where there is no image.
    """
    files = image_files(place)
    if not files:
        raise UserError(f"`folder` {place}: no image files")
    known = {one.sha256: row for row, one in enumerate(registry.prints)}
    pixels = {one.pixels: row for row, one in enumerate(registry.prints)}
    root = place if place.is_dir() else place.parent
    bar = progress_bar(files, total=len(files), label="comparing", unit="img")
    matches = [_match(path, path.relative_to(root).as_posix(), registry, known, pixels) for path in bar]
    return Lookup(folder=str(place), registry=len(registry), matches=tuple(matches))


def image_files(place: Path) -> list[Path]:
    """The image files that a place has, sorted; of a data set those of its table and in its folder of images."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise UserError(f"`folder` {place}: no such file or folder")
    if is_data_set(place):
        data_set = open_data_set(place)
        return sorted({*(path for path in data_set.paths if path.is_file()), *_images_below(place / IMAGES)})
    return sorted(_images_below(place))


def _images_below(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    return [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def _match(path: Path, name: str, registry: Registry, known: dict[str, int], pixels: dict[str, int]) -> Match:
    """What is known of one file."""
    try:
        data = read_bytes(path)
    except BadImage as error:
        return Match(file_name=name, state="unknown", note=_reason(error, path))
    seal = signature_of(data, path.suffix)
    facts = {"file_name": name, "signature": seal.state, "signer": seal.signer}
    row = known.get(hashlib.sha256(data).hexdigest())
    if row is not None:
        return _found(facts, "exact", registry, row, 0.0, seal.note)
    try:
        own = fingerprint(data, name)
    except BadImage as error:
        return Match.model_validate({**facts, "state": "unknown", "note": seal.note or _reason(error, Path(name))})
    row = pixels.get(own.pixels)
    if row is not None:
        return _found(facts, "altered", registry, row, 0.0, seal.note or SAME_PIXELS)
    row, levels = _nearest(np.uint64(own.bits), own.thumbnail.astype(np.float32), registry)
    if row is None:
        return Match.model_validate({**facts, "state": "unknown", "note": seal.note})
    return _found(facts, "altered", registry, row, levels, seal.note)


def _reason(error: BadImage, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")


def _found(facts: dict[str, str], state: State, registry: Registry, row: int, levels: float, note: str) -> Match:
    of, title = registry.prints[row].file_name, registry.sets[row]
    return Match.model_validate({**facts, "state": state, "of": of, "set": title, "levels": levels, "note": note})


def _nearest(bits: np.uint64, thumbnail: NDArray[np.float32], registry: Registry) -> tuple[int | None, float]:
    """The image of ours that is nearest, where one is near enough in hash, thumbnail and every patch of it."""
    rows = np.flatnonzero(np.bitwise_count(registry.hashes ^ bits) <= MOST_BITS)
    difference = registry.thumbnails[rows] - thumbnail
    levels = np.abs(difference).mean(axis=1)
    for best in np.argsort(levels):
        if levels[best] > MOST_LEVELS:
            break
        if _worst_patch(difference[best]) <= MOST_OF_A_PATCH:
            return int(rows[best]), float(levels[best])
    return None, float("nan")


def _worst_patch(difference: NDArray[np.float32]) -> float:
    """The largest mean difference in brightness of a 3 x 3 patch of two thumbnails."""
    brightness = difference.reshape(16, 16, 3).mean(axis=2)
    return float(np.abs(cv2.blur(brightness, (3, 3))).max())


def registry_paths(paths: Sequence[Path]) -> list[Path]:
    """The files of registries; a folder stands for the one in it.

    Raises UserError where none is named.
    """
    if not paths:
        raise UserError(f"`registry` is missing; name the {REGISTRY} of an export")
    return [path / REGISTRY if path.is_dir() else path for path in paths]


def match_lines(result: Lookup, most: int = 50) -> list[str]:
    """A line for each of the first files that are not exactly ours: state, name, what they are of, what there is to say."""
    rows = [match for match in result.matches if match.state != "exact" or match.signature == "broken"]
    lines = [" ".join(filter(None, (f"{match.state:<8}", match.file_name, _origin(match)))) for match in rows[:most]]
    return [*lines, f"... and {len(rows) - most:,} more"] if len(rows) > most else lines


def _origin(match: Match) -> str:
    of = f"of {match.of} in {match.set}" if match.of else ""
    return "; ".join(filter(None, (of, match.note)))
