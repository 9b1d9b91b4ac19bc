"""What a layout's table may say: which files a data set has, and what their columns mean."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dermsynth.data.importers.layouts import layout_file, layout_files
from dermsynth.errors import UserError


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_several)]
"""Texts, or one text alone. Of columns: spellings or fall-backs, of which the first with a value counts."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Table(_Part):
    """A table of the set. The first, and further ones without `on` and `rows`, list images and are put below one another.

    Attributes
    ----------
    files
        Names of the file, as patterns such as `HAM10000_metadata*`, at any depth below the folder; the first that is there.
    on
        Column by which the table is joined to those above it.
    rows
        Column that holds numbers of rows (from 0) of the tables above, which belong to `split`.
    split
        The split of its rows.
    optional
        Whether the set can be read without it.
    """

    files: Texts
    on: Texts = ()
    rows: str = ""
    split: str = ""
    optional: bool = False

    @property
    def lists_images(self) -> bool:
        """Whether its rows are images or cases, not something about the rows of another table."""
        return not self.on and not self.rows


class Images(_Part):
    """Which files are the images of a row.

    Attributes
    ----------
    id
        Columns with the path, file name or id of the image: the first with a value.
    each
        Columns that each name an image of the row, where a row has several.
    types
        Kind of the images of each of these columns, or one kind of all.
    beside
        Name of a column -> one column of the table for each of `each`: what the row says of that image alone.
    pattern
        Names of a row's images (`{subject_id}_*`), where the table has no column of them.
    files
        Where the images lie; they are the rows where there is no table, and are named where some are missing.
    endings
        Endings that an id may have in the table and not in the file's name, or the other way round.
    """

    id: Texts = ()
    each: tuple[str, ...] = ()
    types: Texts = ()
    beside: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    pattern: str = ""
    files: Texts = ()
    endings: Texts = ()


class Label(_Part):
    """Where the class stands. One of `columns`, `one_hot`, `weighted` and `levels` is needed.

    Attributes
    ----------
    columns
        Columns with the class: the first that is there.
    flag
        Classes of a column of flags: that of false, that of true.
    one_hot
        Columns of flags of which one is true: its name is the class.
    weighted
        Column of text such as `{'eczema': 0.7, 'psoriasis': 0.3}`: the name that weighs most is the class.
    unknown
        Classes that mean that none is known, such as `UNK`.
    names
        Class as it is written -> class in the data set.
    levels
        Columns from the coarsest to the finest name of the class, each with its spellings.
    tree
        Class (or a pattern such as `melanoma*`) -> its coarser names, the coarsest first.
    aliases
        Pattern -> name, for labels by level: `*(Melanoma)*` -> `melanoma`.
    """

    columns: Texts = ()
    flag: tuple[str, str] | None = None
    one_hot: tuple[str, ...] = ()
    weighted: Texts = ()
    unknown: Texts = ()
    names: dict[str, str] = Field(default_factory=dict)
    levels: tuple[Texts, ...] = ()
    tree: dict[str, Texts] = Field(default_factory=dict)
    aliases: dict[str, str] = Field(default_factory=dict)

    @property
    def has_levels(self) -> bool:
        """Whether a class has coarser names."""
        return bool(self.levels or self.tree)


class Split(_Part):
    """Where the split stands: columns, words for it, or folders (`train/*`) of the images."""

    columns: Texts = ()
    names: dict[str, str] = Field(default_factory=dict)
    folders: dict[str, str] = Field(default_factory=dict)


class Mask(_Part):
    """Where the lesion mask stands: columns with its path, or its name (`{stem}_segmentation`)."""

    columns: Texts = ()
    pattern: str = ""


class Boxes(_Part):
    """Files of boxes, one an image: `labels/x.txt` of `images/x.png`, with lines `class x y width height` in shares (YOLO)."""

    format: Literal["yolo"] = "yolo"
    images: str = "images"
    labels: str = "labels"


class Filter(_Part):
    """Rows that are left out: those whose cell fits one of `drop`, or none of `keep`."""

    columns: Texts
    drop: Texts = ()
    keep: Texts = ()
    why: str = ""


class Meaning(_Part):
    """Columns that mean the same in every set: they become columns of these names and one coding."""

    age: Texts = ()
    age_range: Texts = ()
    sex: Texts = ()
    site: Texts = ()
    fitzpatrick: Texts = ()
    fitzpatrick_pair: Texts = ()
    monk: Texts = ()
    ita: Texts = ()
    tone_class: Texts = ()
    image_type: Texts = ()


class Expected(_Part):
    """How many images and groups the whole set has, where it is known."""

    images: int | None = None
    groups: int | None = None


class Layout(_Part):
    """A data set's files, and what their columns mean.

    Attributes
    ----------
    what
        The set in one line.
    name
        Name of the set, which becomes the source of what is imported.
    licence, doi, citation, address
        Licences, and how the set is cited and where it lies.
    reader
        A reader for a set that a table cannot describe; for published sets only.
    group
        Columns with patient, then lesion: the first that has a value is what no split divides.
    group_optional
        Whether the tables may lack all of these columns.
    leak_columns
        Columns (or patterns) that are consequences of the class: whoever sees them has seen the answer.
    """

    what: str
    name: str
    licence: Texts = ()
    doi: str = ""
    citation: str = ""
    address: str = ""
    reader: Literal["", "isic2018", "ph2", "medmnist"] = ""
    expected: Expected = Expected()
    tables: tuple[Table, ...] = ()
    images: Images = Images()
    label: Label = Label()
    group: Texts = ()
    group_optional: bool = False
    split: Split = Split()
    mask: Mask = Mask()
    boxes: Boxes | None = None
    filters: tuple[Filter, ...] = ()
    meaning: Meaning = Meaning()
    leak_columns: Texts = ()
    key: str = ""

    @model_validator(mode="after")
    def _complete(self) -> "Layout":
        if self.reader:
            return self
        images = self.images
        if self.tables and not (images.id or images.each or images.pattern):
            raise ValueError("images needs id, each or pattern: which files are the images of a row")
        if not self.tables and not images.files:
            raise ValueError("tables or images.files is needed: what lists the images")
        if self.tables and not self.tables[0].lists_images:
            raise ValueError("the first of tables lists the images: it has neither on nor rows")
        if len(images.types) not in (0, 1, len(images.each)):
            raise ValueError("images.types has one kind for each column of images.each, or one for all")
        if any(len(columns) != len(images.each) for columns in images.beside.values()):
            raise ValueError("images.beside has one column for each of images.each")
        if images.pattern and not re.fullmatch(r"\{[^{}]+\}[^{}]*", images.pattern):
            raise ValueError(
                "images.pattern begins with a column, as {subject_id}_*: what all names of a row's images begin with"
            )
        if self.mask.pattern and "{stem}" not in self.mask.pattern:
            raise ValueError("mask.pattern holds {stem}, the name of the image without its ending")
        return self


def read_layout(name: str | Path) -> Layout:
    """A layout: a published one by its name, or the one that a TOML file describes.

    Parameters
    ----------
    name
        `ham10000` and so on, or the path of a file that ends in `.toml`.

    Raises
    ------
    UserError
        For a name that is none, a file that cannot be read, an unknown key, or a value that is not of its key's kind.
    """
    path = layout_file(name)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a TOML table ({error})") from error
    if content.get("reader") and str(name) not in layout_files():
        raise UserError(f"{path}: reader = {content['reader']!r}: only published layouts have one; describe the files")
    try:
        return Layout.model_validate({**content, "key": path.stem})
    except ValidationError as error:
        raise UserError(f"{path}: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"unknown key {place}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"no key {place}"
    return f"{place} = {str(first['input'])[:60]!r}: {message}" if place else message
