"""Two sides that are unlike in more than their origin, or the same, are said to be; two sides that are alike are left in peace."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.evaluation.sides import Side, implausible_distances, remarks, shared_images
from dermsynth.evaluation.subgroups import groups, values_of_one_side
from dermsynth.metrics.estimate import Estimate
from tests.evaluation.drawn import row

Pixels = NDArray[np.uint8]
SQUARE = Decoding(32, 32)


def image(seed: int, height: int = 32, width: int = 32) -> Pixels:
    random = np.random.default_rng(seed)
    coarse = random.integers(120, 230, (6, 8, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return (smooth + random.integers(-9, 10, smooth.shape)).clip(0, 255).astype(np.uint8)


def folder(path: Path, images: list[Pixels], suffix: str = "png", **columns: object) -> DataSet:
    names = [f"images/{i:04d}.{suffix}" for i in range(len(images))]
    (path / "images").mkdir(parents=True)
    for name, pixels in zip(names, images, strict=True):
        Image.fromarray(pixels).save(path / name)
    return write_data_set(
        path, pd.DataFrame({"file_name": names, **columns}), Provenance(synthetic=False), Step(command="test")
    )


def told(synthetic: DataSet, real: DataSet, decoding: Decoding = SQUARE, trained: bool = True) -> dict[str, str]:
    sides = [
        Side(rows, np.asarray(decode_images(rows, decoding, jobs=1)), name)
        for rows, name in ((synthetic, "synthetic"), (real, "real"))
    ]
    found = remarks(*sides, decoding, trained)
    return {f"{remark.level}: {remark.about}": remark.says for remark in found}


@pytest.fixture
def real(tmp_path: Path) -> DataSet:
    return folder(tmp_path / "real", [image(k) for k in range(60)], label=["nevus", "melanoma"] * 30)


def test_sides_that_differ_in_their_origin_only_are_left_in_peace(real: DataSet, tmp_path: Path) -> None:
    made = folder(tmp_path / "made", [image(500 + k) for k in range(60)], label=["nevus", "melanoma"] * 30)
    assert told(made, real) == {}


def changed(kind: str) -> list[Pixels]:
    images = [image(500 + k) for k in range(60)]
    y, x = np.indices((32, 32)) - 15.5
    if kind == "sizes":
        return [image(500 + k, 32, 32 if k < 50 else 48) for k in range(60)]
    if kind == "enlarged":
        return [*images[:30], *(image(500 + k, 20, 20) for k in range(30))]
    if kind == "grey":
        return [np.repeat(one[..., :1], 3, axis=2) if k % 2 else one for k, one in enumerate(images)]
    if kind == "frames":
        return [np.where((np.hypot(y, x) > 17)[..., None], 0, one).astype(np.uint8) for one in images]
    if kind == "blurred":
        return [cv2.GaussianBlur(one, (0, 0), 3) for one in images]
    if kind == "noisy":
        noise = np.random.default_rng(0).normal(size=(60, 32, 32, 3)) * 25
        return [(one + n).clip(0, 255).astype(np.uint8) for one, n in zip(images, noise, strict=True)]
    if kind == "blank":
        return [*images[:58], *[np.full((32, 32, 3), 7, np.uint8)] * 2]
    return [images[0]] * 60  # repeated


@pytest.mark.parametrize(
    ("kind", "expected", "words"),
    [
        (
            "sizes",
            "warning: size",
            "synthetic images of 2 sizes, 32 x 32 (50), 48 x 32 (10), are brought to 32 x 32, that of the first",
        ),
        ("enlarged", "warning: enlarged", "50% of the synthetic images are smaller than 32 x 32"),
        ("grey", "warning: grey", "50% of the synthetic and 0% of the real images are without colour"),
        ("frames", "warning: frames", "100% of the synthetic and 0% of the real images"),
        ("blurred", "warning: detail", "times the fine detail"),
        ("noisy", "warning: detail", "times the fine detail"),
        ("blank", "warning: blank", "2 of 60 synthetic images are of one colour"),
        ("repeated", "warning: repeated", "60 synthetic images, of which 1 differ"),
    ],
)
def test_what_differs_is_said_of_either_side(
    real: DataSet, tmp_path: Path, kind: str, expected: str, words: str
) -> None:
    made = folder(tmp_path / "made", changed(kind), label=["nevus", "melanoma"] * 30)
    assert words in told(made, real)[expected]
    if kind != "sizes":  # the size is that of the first synthetic image
        assert expected in told(real, made), "the other way round"


def test_formats_aspects_masks_and_classes(real: DataSet, tmp_path: Path) -> None:
    lossy = folder(tmp_path / "jpeg", [image(500 + k) for k in range(60)], "jpg", label=["nevus"] * 51 + ["melanoma"] * 9,
                   mask_file_name=["m.png"] * 60)  # fmt: skip
    found = told(real, lossy)
    assert "synthetic images are PNG, real ones JPEG" in found["warning: file format"]
    assert "melanoma 50% and 15%; nevus 50% and 85%" in found["warning: class shares"]
    assert "only the real images have masks" in found["note: masks"]
    wide = folder(tmp_path / "wide", [image(900 + k, 96, 160) for k in range(60)], label=["nevus", "melanoma"] * 30)
    found = told(real, wide)
    assert "real images have another aspect than 32 x 32: 40% of the area is cut off, as for" in found["note: aspect"]
    assert "warning: aspect" in told(real, wide, trained=False)
    reduced = folder(
        tmp_path / "large", [image(900 + k, 96, 96) for k in range(60)], "jpg", label=["nevus", "wart"] * 30
    )
    assert "reduced 3.0 times" in told(real, reduced)["note: file format"]
    assert (
        "synthetic images of classes that no real image has: melanoma (30)" in told(real, reduced)["warning: classes"]
    )
    plain = folder(tmp_path / "plain", [image(900 + k) for k in range(60)])
    assert told(plain, real)["warning: classes"].startswith("the synthetic images have no labels")


def test_the_same_images_on_both_sides_are_counted(real: DataSet, tmp_path: Path) -> None:
    mine = [image(k) if k < 7 else image(500 + k) for k in range(60)]
    mine[7] = np.full((32, 32, 3), 200, np.uint8)
    made = folder(tmp_path / "made", mine, label=["nevus", "melanoma"] * 30)
    assert "7 of 60 synthetic images are real ones" in told(made, real)["warning: alike"]
    pixels = np.stack(mine).transpose(0, 3, 1, 2)
    assert shared_images(pixels, pixels) == 59, "a blank image is no copy"
    near = folder(tmp_path / "near", [one // 2 * 2 for one in map(image, range(60))], label=["nevus", "melanoma"] * 30)
    assert "60 of 60 synthetic images are nearly a real one" in told(near, real)["warning: alike"]


def test_a_distance_of_nothing_is_beyond_belief() -> None:
    same = Estimate.model_validate(row("FID-768", value=0.0, floor=3.0))
    assert "FID-768 is 0.00, two real sets have 3.00" in implausible_distances([same])[0].says
    others = [row("FID-768", value=0.5, floor=3.0, group="nevus"), row("KID x 1000", value=0.0, floor=3.0)]
    assert implausible_distances(map(Estimate.model_validate, others)) == ()


def test_values_of_one_side_alone_are_said_and_spellings_are_one(tmp_path: Path) -> None:
    made = folder(
        tmp_path / "made", [image(k) for k in range(6)], label=["nevus"] * 5 + ["cyst"], sex=["Male"] * 4 + ["NA", "f"]
    )
    kept = folder(
        tmp_path / "real", [image(k) for k in range(6)], label=["nevus"] * 5 + ["wart"], sex=["male"] * 5 + ["n/a"]
    )
    assert values_of_one_side(made, kept, ["sex"]) == [
        "class 'cyst': only synthetic images have it (1)",
        "class 'wart': only real images have it (1)",
        "sex 'f': only synthetic images have it (1)",
    ]
    found = {part.name: (len(part.synthetic), len(part.real)) for part in groups(made, kept, ["sex"])}
    assert found == {"all classes": (6, 6), "nevus": (5, 5), "sex: Male": (4, 5)}


def test_a_class_with_the_name_of_another_group_is_refused(tmp_path: Path) -> None:
    for name in ("all classes", "skin tone: light", "sex: f"):
        columns = {"label": ["nevus"] * 3 + [name] * 3, "sex": "f"}
        sides = [folder(tmp_path / name / side, [image(k) for k in range(6)], **columns) for side in ("made", "real")]
        with pytest.raises(UserError, match=f"'{name}': two groups of images would have this name"):
            groups(*sides, ["sex"])
