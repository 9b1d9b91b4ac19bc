"""Where a data set comes from: the typed content of its `dataset.json`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from dermsynth.errors import UserError
from dermsynth.images import Crop, Filter
from dermsynth.values import parse_flag


def _flag(value: object) -> bool:
    try:
        return bool(parse_flag(str(value)))
    except ValueError as error:
        raise ValueError("is no flag; write true or false") from error


def _texts(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _mapping(value: object) -> object:
    return value if isinstance(value, Mapping) else {}


def _filled_mapping(value: object) -> object:
    return _mapping(value) or None


LISTED = "listed"
"""Stands for the split of a generator that was trained on a list of images."""
Flag = Annotated[bool, BeforeValidator(_flag)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
"""Texts, or one text alone."""


class Document(BaseModel):
    """A JSON object read into fields: null counts as absent, and keys that this version does not know are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", coerce_numbers_to_str=True)
    _document: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_document(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, Mapping):
            return handler(value)
        record = handler({key: content for key, content in value.items() if content is not None})
        record._document = dict(value)
        return record

    @property
    def document(self) -> dict[str, Any]:
        """The object key for key as it was read; a copy."""
        return dict(self._document)

    def says(self, key: str) -> bool:
        """Whether the object has this key."""
        return key in self._document


class EarlierTraining(Document):
    """A run whose weights a training began with: its name, and the data set and split that it was trained on."""

    run: str = ""
    data_hash: str = ""
    split: str = ""


class GeneratorProvenance(Document):
    """The generator of a synthetic set: recipe, checkpoint, what it was trained on, and what it was given.

    Attributes
    ----------
    recipe
        Family of the generator.
    run
        Folder of its training run, where that was when the images were generated.
    checkpoint
        SHA-256 of the checkpoint's weights.
    images_shown
        Real images shown until that checkpoint; None where it is not known.
    truncation
        Truncation psi; None without.
    classes, exclude, split
        Labels of the generator, labels left out of its training, and the split it was trained on.
    data_hash, rows_hash
        Content hash of the data set trained on, and hash of which images were shown with which label.
    earlier
        Runs whose weights training began with.
    crop, filter
        How the training images came to their size.
    first_seed
        Seed of the first image of each class.
    translated_to
        Label of the translations.
    source, source_hash, source_split
        Folder, content hash and split of the photographs translated.
    masks
        Content hash of the set whose masks said where to translate; empty for the photographs' own.
    maps, maps_hash, maps_split
        Folder, content hash and split of the maps filled.
    name
        What a generator elsewhere is said to be.
    claimed
        Whether name and training images are only claimed, as of images made elsewhere: nothing of them was checked.
    trained_on, trained_on_images
        Folder of the set that a generator elsewhere is said to be trained on, and how many images that set had.
    trained_on_files
        The images of that set it is said to be trained on, where they are not a whole split.
    """

    recipe: str = ""
    run: str = ""
    checkpoint: str = ""
    images_shown: int | None = None
    truncation: float | None = None
    classes: tuple[str, ...] = ()
    data_hash: str = ""
    rows_hash: str = ""
    earlier: tuple[EarlierTraining, ...] = ()
    split: str = "train"
    exclude: tuple[str, ...] = ()
    crop: Crop = "centre"
    filter: Filter = "area"
    first_seed: int = 0
    translated_to: str = ""
    source: str = ""
    source_hash: str = ""
    source_split: str = ""
    masks: str = ""
    maps: str = ""
    maps_hash: str = ""
    maps_split: str = ""
    name: str = ""
    claimed: Flag = False
    trained_on: str = ""
    trained_on_images: int | None = None
    trained_on_files: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether `dataset.json` says anything of a generator."""
        return bool(self._document)

    @property
    def claim(self) -> str:
        """What is claimed of a generator elsewhere and cannot be checked, in words; empty for one that was trained here."""
        if not self.claimed:
            return ""
        name = self.name or "a generator that is not named"
        if not self.says("data_hash"):
            return f"claimed, not checked: made by {name}; what it was trained on is not said"
        what = "listed images" if self.split == LISTED else f"the split {self.split}"
        where = Path(self.trained_on).name or f"a set with the content hash {self.data_hash[:16]}"
        return f"claimed, not checked: made by {name}, which was trained on {what} of {where}"

    def with_facts(self, **facts: object) -> Self:
        """The same with further facts, in the order of this class's fields."""
        document = {**self._document, **facts}
        order = dict.fromkeys([*type(self).model_fields, *document])
        return self.model_validate({name: document[name] for name in order if name in document})


class CopyGateFacts(Document):
    """What the copy gate found in a synthetic set.

    Attributes
    ----------
    flagged, of
        Images closer to a training image than the threshold allows, of so many.
    threshold
        Score (a distance) below which an image counts as a copy.
    false_alarms
        Share of real images never trained on that the threshold flags.
    held_out, held_out_relatives, training
        Held-out images that set the threshold, those left out as relatives of training images, and training images.
    any_pose
        Whether copies were looked for that are shifted, turned by any angle, zoomed or cut.
    """

    flagged: int = 0
    of: int = 0
    threshold: float = float("nan")
    false_alarms: float = float("nan")
    held_out: int = 0
    held_out_relatives: int = 0
    training: int = 0
    any_pose: bool = False

    @property
    def missed(self) -> str:
        """Which copies are not found, in words."""
        if self.any_pose:
            return (
                "copies that are blurred or noisy and moved as well, have a frame drawn over them, or show a small lesion on the "
                "skin of another photograph (below a fifth of the image): of these many are missed"
            )
        return (
            "copies that are cropped, zoomed or shifted by more than a hundredth or two of the side, turned by a few degrees, "
            "have a frame drawn over them, or show a part of the image only"
        )


class RealImages(Document):
    """The real images that a synthetic set was made from: their source, licences, and whom they ask to be named."""

    source: str = ""
    licence: Texts = ()
    attribution: Texts = ()


class Step(Document):
    """One step of a set's history: the command that wrote it, and its settings."""

    command: str = ""
    split: str = ""
    left_out: int = 0
    with_flagged: bool = False
    checked_for_copies: bool = False
    signed: bool = False


class Provenance(Document):
    """What `dataset.json` says of a set: where it comes from, under which licence, and what was done with it.

    Attributes
    ----------
    schema_version
        Version of the format (`schema`).
    program
        Program and version that wrote the set.
    content_hash
        SHA-256 of the images' names and bytes.
    synthetic
        Whether a generator made the images.
    source, licence, attribution
        Name of the data set the images come from, its licences, and whom they ask to be named.
    layout, doi, citation
        The published layout that the set was imported by, and how it is cited.
    leak_columns
        Columns that are consequences of the class, by that layout: whoever sees them has seen the answer.
    digital_source_type
        IPTC's word for how the images came about.
    generator
        The generator of a synthetic set; empty for photographs.
    copy_gate
        What the copy gate found; None where it never ran.
    real_images
        What the real images behind a synthetic set ask for.
    edited_from
        Content hash of the set that this one is an edited copy of; empty for others.
    map_classes, structure_bits, artefact_bits
        What the values of maps, and the bits of files of masks, mean.
    history
        The steps that led to the set, the last one its own.

    Examples
    --------
    >>> Provenance.model_validate({"source": "HAM10000", "licence": "CC-BY-NC-4.0"}).licence
    ('CC-BY-NC-4.0',)
    """

    schema_version: int = Field(0, alias="schema")
    program: str = ""
    content_hash: str = ""
    synthetic: Flag = False
    source: str = ""
    licence: Texts = ()
    attribution: Texts = ()
    layout: str = ""
    doi: str = ""
    citation: str = ""
    leak_columns: Texts = ()
    digital_source_type: str = ""
    generator: Annotated[GeneratorProvenance, BeforeValidator(_mapping)] = GeneratorProvenance()
    copy_gate: Annotated[CopyGateFacts | None, BeforeValidator(_filled_mapping)] = None
    real_images: Annotated[RealImages, BeforeValidator(_mapping)] = RealImages()
    edited_from: str = ""
    map_classes: tuple[str, ...] = ()
    structure_bits: Mapping[str, int] = Field(default_factory=dict)
    artefact_bits: Mapping[str, int] = Field(default_factory=dict)
    history: tuple[Step, ...] = ()

    def shared_facts(self, *keys: str) -> dict[str, Any]:
        """Those of the named keys that the document has, for a set that is derived from this one."""
        return {key: value for key, value in self._document.items() if key in keys}


def real_images_behind(sets: Iterable[Provenance]) -> RealImages:
    """What several sets ask for together: photographs themselves, and of synthetic sets the real images behind them."""
    rows = [one.real_images if one.synthetic else one for one in sets]
    return RealImages(
        source="; ".join(dict.fromkeys(row.source for row in rows if row.source)),
        licence=tuple(dict.fromkeys(text for row in rows for text in row.licence)),
        attribution=tuple(dict.fromkeys(text for row in rows for text in _asked_to_name(row))),
    )


def _asked_to_name(row: Provenance | RealImages) -> tuple[str, ...]:
    """Whom images ask to be named, and the paper by which a published set is cited."""
    if isinstance(row, RealImages) or not (row.citation or row.doi):
        return row.attribution
    paper = ", ".join(filter(None, (row.citation, row.doi and f"https://doi.org/{row.doi}")))
    return (*row.attribution, paper)


def parse_provenance(document: Mapping[str, Any], path: Path) -> Provenance:
    """Read the content of a `dataset.json`.

    Parameters
    ----------
    document
        The JSON object; unknown keys are kept.
    path
        The file it comes from, for messages.

    Raises
    ------
    UserError
        For a value that is not of its key's kind, naming file, key and value.
    """
    try:
        return Provenance.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        key, message = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise UserError(f"{path}: {key} = {str(first['input'])[:80]!r} {message[0].lower()}{message[1:]}") from error
