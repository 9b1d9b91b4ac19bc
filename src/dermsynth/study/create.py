"""A study on disk: its protocol, its images under random names and of one size in bytes, and the truth beside them."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pandas as pd
from pydantic import Field, ValidationError

from dermsynth import __version__
from dermsynth.data.dataset import Data, DataSet, open_data_set
from dermsynth.data.tables import read_table
from dermsynth.data.verification import verify
from dermsynth.data.writing import require_empty
from dermsynth.errors import UserError, name_field, require_path, require_seed
from dermsynth.images import image_size
from dermsynth.io import read_json, replace_file, replace_folder, write_bytes, write_json, write_text
from dermsynth.records import Record
from dermsynth.study.answers import REAL
from dermsynth.study.pictures import Pictures, show_alone, show_together
from dermsynth.study.protocol import Protocol, parse_protocol, protocol_text
from dermsynth.study.sets import SEPARATOR

DESCRIPTION, PROTOCOL, ITEMS, SECRET = "study.json", "protocol.toml", "items.csv", "secret.key"
SCHEMA = 1


class StudyDescription(Record):
    """What a study was created from: `study.json`."""

    version: int = Field(default=SCHEMA, alias="schema")
    program: str
    created: str
    protocol: str
    seed: int
    size: tuple[int, int]
    crop: str = ""
    images: int
    real: str
    synthetic: str | dict[str, str]
    matched: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A folder with everything of a study."""

    folder: Path
    description: StudyDescription
    protocol: Protocol
    items: pd.DataFrame

    @cached_property
    def by_item(self) -> dict[str, dict[str, str]]:
        """Item -> its row."""
        return {str(row["item"]): {str(k): str(v) for k, v in row.items()} for row in self.items.to_dict("records")}

    @cached_property
    def secret(self) -> bytes:
        """The key that signs links."""
        return (self.folder / SECRET).read_bytes()

    def __repr__(self) -> str:
        size = f"{self.size[0]} x {self.size[1]}"
        return f"Study({str(self.folder)!r}: {len(self.items)} images of {size}, {len(self.notes)} notes)"

    @property
    def notes(self) -> tuple[str, ...]:
        """What differs between real and synthetic images besides their content."""
        return self.description.notes

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every image."""
        return self.description.size

    def image(self, item: str) -> Path:
        """The file of an item; the name comes from the table, never from outside."""
        return self.folder / "images" / f"{self.by_item[item]['item']}.png"


def create_study(
    protocol: str, real: Data, synthetic: Data | Sequence[Data], out: Path | str, seed: int = 0, *, matched: bool = True
) -> Study:
    """Choose real and synthetic images by a protocol and write a new study; both sets stay as they are.

    Images get random names, one size in pixels and in bytes, and nothing that tells where they come from.

    Parameters
    ----------
    protocol : str
        `baur`, `furger`, `rosen`, `quartet`, `pairs`, `generators`, or the path of a TOML file.
    real : DataSet, Path or str
        A real data set, or its folder.
    synthetic : DataSet, Path or str, or a sequence of them
        A set made by `generate`, or by another tool and imported so; its images give the study's size, unless the protocol
        does. Several for a protocol that shows pictures together: their generators compete.
    out : Path or str
        The new study's folder; only its owner can read it, for it holds the truth.
    seed : int
        Of the choice of images, at least 0.
    matched : bool
        Whether both kinds get the same shares of the same classes, so that knowing the class does not help.

    Returns
    -------
    Study
        `.items` is the truth, one row an image; `.notes` says what else differs between the kinds.

    Raises
    ------
    UserError
        When the sets are swapped, too small or too unlike, an image would have to be enlarged, or the folder is not empty.

    References
    ----------
    Baur, Albarqouni & Navab 2018; Furger 2020; Rosen & Zoubi 2022: the built-in protocols.

    Examples
    --------
    >>> import dermsynth as ds
    >>> study = ds.create_study("study.toml", "data", "synthetic", "study")
    >>> len(study.items)
    12
    """
    with name_field("real"):
        real = open_data_set(real)
    with name_field("synthetic"):
        generators = _generators(synthetic)
    out = require_path(out, "out")
    protocol = str(require_path(protocol, "protocol"))
    require_seed(seed)
    for generator in generators.values():
        _check_sides(real, generator)
    require_empty(out)
    text = protocol_text(protocol)
    rules = parse_protocol(text, protocol)
    if rules.sets is None and len(generators) > 1:
        raise UserError(
            f"`synthetic`: {len(generators)} sets, and protocol {protocol!r} shows images one at a time; give one set, or "
            "take quartet, "
            "pairs or generators"
        )
    for side in (real, *generators.values()):
        verify(side)
    show = show_together if rules.sets else show_alone
    size = _size(rules, generators)
    pictures = show(rules, real, generators, size, seed, matched=matched)
    with replace_folder(out) as work:
        _write_images(work, pictures)
        write_text(work / PROTOCOL, text)
        write_bytes(work / SECRET, secrets.token_bytes(32))
        (work / SECRET).chmod(0o600)
        description = StudyDescription(
            program=f"dermsynth {__version__}",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            protocol=Path(protocol).name,
            seed=seed,
            size=pictures.size,
            crop=next(iter(generators.values())).provenance.generator.crop,
            images=len(pictures.encoded),
            real=real.content_hash,
            synthetic=_hashes(generators),
            matched=matched,
            notes=tuple(pictures.notes),
        )
        write_json(work / DESCRIPTION, description.model_dump(by_alias=True))
    out.chmod(0o700)  # it holds the truth
    return open_study(out)


def _generators(synthetic: Data | Sequence[Data]) -> dict[str, DataSet]:
    """Synthetic sets by a name each: of the generator where it has one, else of the folder.

    Raises UserError for none, and for one set twice.
    """
    several = synthetic if isinstance(synthetic, Sequence) and not isinstance(synthetic, str) else [synthetic]
    sets = [open_data_set(one) for one in several]
    if not sets or len({side.content_hash for side in sets}) < len(sets):
        raise UserError("none, or one set twice; every generator needs a set of its own")
    return dict(zip(_names(sets), sets, strict=True))


def _names(sets: Sequence[DataSet]) -> list[str]:
    """A name each, numbered where two are alike or one is called real."""
    names = [side.provenance.generator.name or side.folder.resolve().name for side in sets]
    names = [name.replace(SEPARATOR, ",") for name in names]
    if len(set(names)) < len(names) or REAL in names:
        names = [f"{number} {name}" for number, name in enumerate(names, 1)]
    return names


def _hashes(generators: Mapping[str, DataSet]) -> str | dict[str, str]:
    """Content hash of the synthetic set, or of each by its name."""
    hashes = {name: side.content_hash for name, side in generators.items()}
    return hashes if len(hashes) > 1 else next(iter(hashes.values()))


def _check_sides(real: DataSet, synthetic: DataSet) -> None:
    if real.synthetic or not synthetic.synthetic:
        raise UserError(
            f"`real` {real.folder} `synthetic` {synthetic.folder}: one is not what it should be, or they are swapped"
        )


def _write_images(folder: Path, pictures: Pictures) -> None:
    """Files and their table in the order of random names: neither times of files nor rows tell the kind.

    PNG without compression, so that all files have one length: compressed, generated images are shorter.
    """
    names = [secrets.token_hex(8) for _ in pictures.encoded]
    for name, data in sorted(zip(names, pictures.encoded, strict=True)):
        write_bytes(folder / "images" / f"{name}.png", data)
    with replace_file(folder / ITEMS) as temporary:
        pictures.table.assign(item=names).sort_values("item").to_csv(temporary, index=False)
    (folder / ITEMS).chmod(0o600)


def open_study(folder: Path) -> Study:
    """Open a study.

    Raises UserError when the folder holds none, or a newer one.
    """
    if not (folder / DESCRIPTION).is_file():
        raise UserError(f"{folder}: no study ({DESCRIPTION}); create one with: dermsynth study create")
    description = read_json(folder / DESCRIPTION)
    if description.get("schema", 0) > SCHEMA:
        raise UserError(f"{folder}: schema {description['schema']} is newer than this program; update dermsynth")
    protocol = parse_protocol((folder / PROTOCOL).read_text(encoding="utf-8"), str(folder / PROTOCOL))
    try:
        parsed = StudyDescription.model_validate(description)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UserError(f"{folder / DESCRIPTION}: {where}: {error.errors()[0]['msg']}; restore the file") from error
    return Study(folder, parsed, protocol, read_table(folder / ITEMS))


def _size(protocol: Protocol, generators: Mapping[str, DataSet]) -> tuple[int, int]:
    """What the protocol says, or the size of the generator whose images are smallest: none is enlarged."""
    if protocol.size:
        return protocol.size, protocol.size
    return min((image_size(side.paths[0]) for side in generators.values()), key=lambda size: size[0] * size[1])
