"""Generators that come with this package: each a run folder beside this file, with a card and what it was trained on.

They are used by their names wherever a run is: `dermsynth generate base`, `dermsynth train stylegan2-ada --initial base`.
"""

import logging
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.duplicates import Prints, fingerprints, twins_of
from dermsynth.data.provenance import Provenance, parse_provenance
from dermsynth.errors import UserError
from dermsynth.io import read_json

HOME = Path(__file__).parent
CONFIG, CARD, PHOTOGRAPHS, TERMS = "config.json", "MODEL_CARD.md", "photographs.npz", "terms.json"
BASE = "base"
"""The generator of dermoscopic images that trainings start from; those of other sizes are called by it and their size."""
_log = logging.getLogger(__name__)
_warned: set[Path] = set()


@dataclass(frozen=True)
class Pretrained:
    """A generator of this package.

    Attributes
    ----------
    name
        What it is called.
    """

    name: str

    @property
    def folder(self) -> Path:
        """Its run folder, which nothing writes into."""
        return HOME / self.name

    @property
    def card(self) -> Path:
        """The text of what a person should know of it: images, length, figures, limits."""
        return self.folder / CARD

    @cached_property
    def _data(self) -> dict[str, Any]:
        """Which images it was trained on, and at which size."""
        return dict(read_json(self.folder / CONFIG)["data"])

    @property
    def data_hash(self) -> str:
        """Content hash of the data set that it was trained on."""
        return str(self._data["content_hash"])

    @property
    def resolution(self) -> str:
        """Size of its images in pixels: one number for squares, or WIDTHxHEIGHT."""
        width, height = self._data["width"], self._data["height"]
        return str(width) if width == height else f"{width}x{height}"

    @property
    def side(self) -> int:
        """The longer side of its images in pixels."""
        return max(int(self._data["width"]), int(self._data["height"]))

    @cached_property
    def terms(self) -> Provenance:
        """Source, licence and attribution of the photographs that it was trained on."""
        return parse_provenance(read_json(self.folder / TERMS), self.folder / TERMS)

    @cached_property
    def photographs(self) -> Prints:
        """Fingerprints of the photographs that it was trained on; those of `base` where it was trained on the same."""
        own = self.folder / PHOTOGRAPHS
        with np.load(own if own.exists() else HOME / BASE / PHOTOGRAPHS) as arrays:
            return arrays["hashes"], arrays["thumbnails"].astype(np.float32)

    def has_seen(self, paths: list[Path]) -> NDArray[np.bool_]:
        """Which image files show a photograph that it was trained on, also re-encoded or resized. Shape [n]."""
        seen = np.zeros(len(paths), dtype=bool)
        seen[twins_of(fingerprints(paths), self.photographs)[:, 0]] = True
        return seen


def pretrained() -> dict[str, Pretrained]:
    """The generators of this package by name."""
    return {path.parent.name: Pretrained(path.parent.name) for path in sorted(HOME.glob(f"*/{CONFIG}"))}


def base_for(side: int) -> str:
    """The name of the generator of dermoscopic images whose size is nearest to a longer side in pixels, in doublings.

    Of two that are equally near, the larger; blank where none comes with this package.
    """
    known = [one for name, one in pretrained().items() if name.startswith(BASE)]
    nearest = min(known, key=lambda one: (abs(math.log2(one.side / side)), -one.side), default=None)
    return "" if nearest is None else nearest.name


def trained_on(data_hash: str) -> Pretrained | None:
    """The generator of this package that was trained on the data set with this content hash, if there is one."""
    return next((one for one in pretrained().values() if data_hash and one.data_hash == data_hash), None)


def locate(place: Path) -> Path:
    """Where a run lies: the folder of a generator of this package for its name, else the path itself.

    A run or checkpoint of that name in the working directory is taken before it, and a line says so.
    """
    known = pretrained().get(str(place))
    if known is None:
        return place
    if any((place / name).exists() for name in (CONFIG, "state.json")):
        if place not in _warned:
            _warned.add(place)
            _log.warning(f"{place}: the run here is used, not the generator of that name that comes with dermsynth")
        return place
    return known.folder


def name_of(run: Path) -> str:
    """The name of a generator of this package from its folder; blank for any other run."""
    return run.name if run.parent == HOME else ""


def require_log(run: Path) -> Path:
    """The folder of a run with its log; UserError for a generator of this package, which comes without."""
    known = pretrained().get(name_of(locate(run)))
    if known is not None:
        raise UserError(f"`run` {run}: comes with dermsynth without its log; what it is stands in {known.card}")
    return run


def require_pretrained(name: str) -> Pretrained:
    """The generator of this package with a name; UserError lists those there are."""
    known = pretrained()
    if name not in known:
        raise UserError(f"{name!r}: no generator comes with dermsynth under that name; there are: {', '.join(known)}")
    return known[name]
