"""Under which licence a release is, and what the real images behind it ask for."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.provenance import RealImages, real_images_behind
from dermsynth.errors import UserError
from dermsynth.evaluation.generator_metrics import training_folder
from dermsynth.records import Record

log = logging.getLogger(__name__)
CREATIVE_COMMONS = re.compile(r"cc[- ]?(by(?:[- ](?:nc|nd|sa)){0,2})(?:[- ](\d\.\d))?")
ZERO = re.compile(r"cc[- ]?(0|zero)(?:[- ]1\.0)?|public domain")
OTHERS = frozenset(["apache-2.0", "mit", "bsd-3-clause", "pddl", "odbl", "odc-by", "gfdl", "gpl-3.0"])
"""Further licences by the names that Hugging Face has for them."""
CONDITIONS = {
    "not commercially": re.compile(r"\bnc\b|non-?commercial|research|education", re.IGNORECASE),
    "nothing derived": re.compile(r"\bnd\b|no-?deriv", re.IGNORECASE),
    "under the same licence": re.compile(r"\bsa\b|share-?alike", re.IGNORECASE),
    "naming the authors": re.compile(r"\bcc[ -]by\b|attribution", re.IGNORECASE),
}
"""What licences ask for, by the words that say so."""


class Terms(Record):
    """The licences of a release, and the real images that its generator was trained on.

    Attributes
    ----------
    licence
        Licences of the release.
    origin
        Who says so: the publisher, the set itself, or the real images behind it.
    real
        Source, licences and attribution of the real images; blank where they are not known.
    """

    licence: tuple[str, ...]
    origin: Literal["publisher", "set", "real images"]
    real: RealImages


def terms_of(data_set: DataSet, licence: Sequence[str] = (), data: Path | None = None) -> Terms:
    """The terms of a release: `licence`, or what the set says, or what the real images are under.

    `data` is the data set that the generator was trained on, if it was moved.

    Raises UserError where no licence is known, and for a `data` that is another set.
    """
    named = tuple(text.strip() for text in licence)
    if not all(named):
        raise UserError("`licence` is blank; write its name, for example CC-BY-4.0")
    real, missing = _real_images(data_set, data)
    sources: dict[Literal["publisher", "set", "real images"], tuple[str, ...]] = {
        "publisher": named,
        "set": data_set.provenance.licence,
        "real images": real.licence,
    }
    origin = next((key for key, licences in sources.items() if licences), None)
    if origin is None:
        raise UserError(
            f"{data_set.folder}: no licence is known ({missing}); name it with `licence`, for example CC-BY-4.0, or the data "
            "set that the generator was trained on with `data`"
        )
    _warn_of_wider(sources[origin], real.licence)
    return Terms(licence=sources[origin], origin=origin, real=real)


def _warn_of_wider(released: Sequence[str], real: Sequence[str]) -> None:
    """Warn of a condition of the real images' licences that no licence of the release has."""
    missing = [what for what, word in CONDITIONS.items() if _any(word, real) and not _any(word, released)]
    if missing:
        log.warning(
            f"`licence` {', '.join(released)}: the real images are under {', '.join(real)}, which allows less "
            f"({', '.join(missing)})"
        )


def _any(word: re.Pattern[str], licences: Sequence[str]) -> bool:
    return any(word.search(licence) for licence in licences)


def _real_images(data_set: DataSet, data: Path | None) -> tuple[RealImages, str]:
    """What the real images ask for, and why it is not known where it is not."""
    known = data_set.provenance.real_images
    if known.licence and data is None:
        return known, ""
    try:
        place = open_data_set(training_folder(data_set) if data is None else data)
    except UserError as error:
        if data is not None:
            raise
        return known, str(error).removeprefix(f"{data_set.folder}: ").partition(";")[0]
    wanted = data_set.provenance.generator.data_hash
    if wanted and place.whole_hash != wanted:
        if data is not None:
            raise UserError(f"`data` {data}: another set than the one that the generator was trained on")
        return known, f"{place.folder} is no longer the set that was trained on"
    return real_images_behind([data_set.provenance, place.provenance]), f"{place.folder} names none"


def hub_licence(licence: str) -> str:
    """The name that Hugging Face has for a licence; `other` where it has none."""
    plain = " ".join(licence.casefold().split())
    if ZERO.fullmatch(plain):
        return "cc0-1.0"
    found = CREATIVE_COMMONS.fullmatch(plain)
    if found:
        return f"cc-{found[1].replace(' ', '-')}-{found[2]}" if found[2] else "cc"
    return plain if plain in OTHERS else "other"


def licence_address(licence: str) -> str:
    """The address of a licence's text; the licence as it is written where none is known."""
    name = hub_licence(licence)
    if name == "cc0-1.0":
        return "https://creativecommons.org/publicdomain/zero/1.0/"
    found = re.fullmatch(r"cc-(.+)-(\d\.\d)", name)
    return f"https://creativecommons.org/licenses/{found[1]}/{found[2]}/" if found else licence
