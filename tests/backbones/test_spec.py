"""What names a network: every form is read, everything else is refused with the forms there are."""

import doctest

import pytest

from dermsynth.backbones import spec
from dermsynth.backbones.spec import Spec, parse_spec, split_spec
from dermsynth.errors import UserError

FORMS = ("embedded", "mobilenet=FILE", "timm:NAME", "timm:NAME=FILE")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("embedded", Spec("embedded")),
        ("mobilenet=a=b.safetensors", Spec("mobilenet", "a=b.safetensors")),
        ("timm:vgg19", Spec("timm", "", "vgg19")),
        ("timm:vgg19=C:/w.safetensors", Spec("timm", "C:/w.safetensors", "vgg19")),
    ],
)
def test_every_form_is_read(text: str, expected: Spec) -> None:
    assert parse_spec(text, FORMS, "extractor") == expected


@pytest.mark.parametrize(
    "text",
    ["", "vgg", "embedded=1", "embedded:1", "mobilenet", "mobilenet=", "mobilenet:x=f", "timm", "timm:", "timm:=f"],
)
def test_anything_else_is_refused_with_the_forms_there_are(text: str) -> None:
    message = r"`extractor` '.*': write embedded, mobilenet=FILE, timm:NAME or timm:NAME=FILE$"
    with pytest.raises(UserError, match=message):
        parse_spec(text, FORMS, "extractor")


def test_the_name_without_the_file_is_kept() -> None:
    assert [split_spec(text).without_place for text in ("timm:vgg19=f", "mobilenet=f", "small")] == [
        "timm:vgg19", "mobilenet", "small",
    ]  # fmt: skip
    assert doctest.testmod(spec).failed == 0
