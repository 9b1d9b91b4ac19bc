"""Marks of generators are found wherever they stand, and nowhere else."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dermsynth.data.marks import file_mark, row_mark
from dermsynth.errors import UserError
from dermsynth.images import encode_png
from tests import pack

PIXELS = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
XMP = '<rdf:Description Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{}"/>'
SETTINGS = "skin lesion\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"


def _saved(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, kind, **options)
    return buffer.getvalue()


def _text(key: str, value: str, compressed: bool = False) -> bytes:
    info = PngInfo()
    info.add_itxt(key, value, zip=compressed) if compressed else info.add_text(key, value)
    return _saved("PNG", pnginfo=info)


def _comment(value: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = value
    return exif


def _software(name: str) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0131] = name
    return exif


MARKED = {
    "our own": encode_png(PIXELS, text={"seed": "1"}, synthetic=True),
    "XMP in JPEG": _saved("JPEG", xmp=XMP.format("trainedAlgorithmicMedia").encode()),
    "XMP in WebP": _saved("WEBP", xmp=XMP.format("compositeWithTrainedAlgorithmicMedia").encode()),
    "XMP in PNG, compressed": _text("XML:com.adobe.xmp", XMP.format("algorithmicMedia"), compressed=True),
    "settings in PNG": _text("parameters", SETTINGS),
    "settings in JPEG, UTF-16": _saved("JPEG", exif=_comment(b"UNICODE\0" + SETTINGS.encode("utf-16-le"))),
    "workflow": _text("prompt", '{"3": {"class_type": "KSampler"}}'),
    "program in EXIF": _saved("JPEG", exif=_software("Adobe Firefly")),
    "program in PNG": _text("Software", "NovelAI"),
    "signed manifest": _saved("PNG") + b"c2pa.actions digitalSourceType trainedAlgorithmicMedia",
}
UNMARKED = {
    "plain": encode_png(PIXELS),
    "camera": _saved("JPEG", exif=_software("DermaCam 2.1")),
    "editor": _text("Software", "Adobe Photoshop 25.0"),
    "enhanced photograph": _saved("JPEG", xmp=XMP.format("digitalCapture").encode()),
}


@pytest.mark.parametrize("kind", MARKED)
def test_a_mark_is_found(kind: str) -> None:
    assert file_mark(MARKED[kind])


@pytest.mark.parametrize("kind", UNMARKED)
def test_a_photograph_has_none(kind: str) -> None:
    assert file_mark(UNMARKED[kind]) == ""


def test_a_sidecar_speaks_for_its_image(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(UNMARKED["camera"])
    (tmp_path / "a.xmp").write_text(XMP.format("trainedAlgorithmicMedia"))
    assert file_mark(path.read_bytes(), path)


def test_columns_that_say_so() -> None:
    assert row_mark({"age": "40", "synthetic": "TRUE"})
    assert row_mark({"image_manipulation": "synthetic"})
    assert row_mark({"is_generated": "1.0"})
    assert row_mark({"isSynthetic": "yes"})
    assert row_mark({"is real": "FALSE"})
    assert row_mark({"origin": "StyleGAN2"})
    assert not row_mark({"origin": "non-synthetic", "real": "0.73"})
    assert not row_mark({"image_manipulation": "instrument only", "synthetic": "no", "note": "synthetic"})
    with pytest.raises(UserError, match="column 'synthetic' holds 'perhaps'"):
        row_mark({"synthetic": "perhaps"})


@pytest.mark.parametrize("source", ["drawings", "photographs"])
def test_what_no_generator_made_has_none(source: str, request: pytest.FixtureRequest) -> None:
    paths = pack.paths("image")
    if source == "photographs":
        paths = sorted((request.getfixturevalue("real_images") / "images").iterdir())[:200]
        assert len(paths) == 200
    assert not [path for path in paths if file_mark(path.read_bytes(), path)]
