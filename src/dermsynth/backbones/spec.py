"""What a person writes to name a network or a scorer: KIND, KIND=PLACE, or timm:NAME=PLACE."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dermsynth.errors import UserError

TIMM = "timm"


class Spec(NamedTuple):
    """A kind and its place.

    Attributes
    ----------
    kind
        What it is: `mobilenet`, `inception`, `timm`, ...
    place
        Its file or folder; empty where none is named.
    name
        Of a timm network its name; else empty.
    """

    kind: str
    place: str = ""
    name: str = ""

    @property
    def path(self) -> Path:
        """The place as a path."""
        return Path(self.place)

    @property
    def without_place(self) -> str:
        """What is left when the file is not named: `mobilenet`, `timm:vgg19`."""
        return f"{self.kind}:{self.name}" if self.name else self.kind


def split_spec(text: str) -> Spec:
    """Kind, place and name of any specification.

    Examples
    --------
    >>> split_spec("timm:vgg19=vgg19.safetensors")
    Spec(kind='timm', place='vgg19.safetensors', name='vgg19')
    """
    head, _, place = text.partition("=")
    kind, _, name = head.partition(":")
    return Spec(kind, place, name)


def parse_spec(text: str, forms: Sequence[str], field: str) -> Spec:
    """Read a specification that must have one of some forms.

    Parameters
    ----------
    text : str
        What was written.
    forms : sequence of str
        What may be written, as messages show it: `embedded`, `mobilenet=FILE`, `timm:NAME`, `timm:NAME=FILE`. A word in
        capitals stands for anything but nothing.
    field : str
        The field that it was written for, for messages.

    Raises
    ------
    UserError
        For anything that has none of the forms.

    Examples
    --------
    >>> parse_spec("mobilenet=weights.safetensors", ["embedded", "mobilenet=FILE"], "extractor")
    Spec(kind='mobilenet', place='weights.safetensors', name='')
    """
    spec = split_spec(text)
    if not any(_fits(spec, text, form) for form in forms):
        last = f" or {forms[-1]}" if len(forms) > 1 else forms[-1]
        raise UserError(f"`{field}` {text!r}: write {', '.join(forms[:-1])}{last}")
    return spec


def _fits(spec: Spec, text: str, form: str) -> bool:
    """Whether a specification has a form: the same kind, and place and name where the form has them."""
    pattern = split_spec(form)
    if (
        spec.kind != pattern.kind
        or ("=" in text) != ("=" in form)
        or (":" in text.partition("=")[0]) != bool(pattern.name)
    ):
        return False
    return bool(spec.place) == bool(pattern.place) and bool(spec.name) == bool(pattern.name)
