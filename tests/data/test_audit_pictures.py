"""An audit looks at the pixels: blank, black, tiny and broken images; masks that are empty, full, inverted or all alike."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermsynth.data.audit import audit
from dermsynth.data.audit_pictures import image_faults, mask_faults
from dermsynth.data.dataset import DataSet
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.images import encode_png


def photograph(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.clip(random.normal(random.integers(120, 200, 3), 20, (height, width, 3)), 0, 255).astype(np.uint8)


def lesion(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    return np.hypot((y - height / 2) / random.uniform(0.6, 1.4), x - width / 2) < random.uniform(8, 16)


def set_of(folder: Path, images: list[np.ndarray], masks: list[np.ndarray] | None = None) -> DataSet:
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rows = []
    for number, image in enumerate(images):
        (folder / f"images/{number}.png").write_bytes(encode_png(image))
        row = {"file_name": f"images/{number}.png", "label": "nevus"}
        if masks is not None:
            (folder / f"masks/{number}.png").write_bytes(encode_png(masks[number].astype(np.uint8) * 255))
            row["mask_file_name"] = f"masks/{number}.png"
        rows.append(row)
    return write_data_set(folder, pd.DataFrame(rows), Provenance(), Step(command="test"))


@pytest.mark.parametrize(
    ("image", "fault"),
    [
        (np.zeros((48, 64, 3), np.uint8), "black or nearly so"),
        (np.full((48, 64, 3), 255, np.uint8), "white or nearly so"),
        (np.full((48, 64, 3), 140, np.uint8), "blank (one colour)"),
        (photograph(0, 2, 2), "tiny (a side below 16 pixels)"),
        (photograph(0, 2, 1000), "a strip (one side more than 4 times the other)"),
    ],
)
def test_useless_images_are_told(image: np.ndarray, fault: str) -> None:
    assert fault in image_faults(image)


def test_a_dark_photograph_is_no_black_one() -> None:
    assert image_faults((photograph(1) * 0.3).astype(np.uint8)) == ()


@pytest.mark.parametrize(
    ("mask", "fault"),
    [
        (np.zeros((48, 64), bool), ("empty",)),
        (np.ones((48, 64), bool), ("full (all of the image)",)),
        (~lesion(0), ("inverted, it seems (they cover the border more than the centre)",)),
        (lesion(0), ()),
    ],
)
def test_suspicious_masks_are_told(mask: np.ndarray, fault: tuple[str, ...]) -> None:
    assert mask_faults(mask) == fault


def test_a_lesion_that_fills_the_picture_is_not_inverted() -> None:
    mask = np.ones((48, 64), bool)
    mask[:6, :20] = False
    assert mask_faults(mask) == ()


def test_the_audit_counts_and_names_them(tmp_path: Path) -> None:
    images = [photograph(k) for k in range(8)]
    images[1], images[4] = np.zeros((48, 64, 3), np.uint8), photograph(9, 2, 2)
    data_set = set_of(tmp_path / "set", images)
    (tmp_path / "set/images/6.png").write_bytes(b"no image")
    text = " ".join(audit(data_set, jobs=1).findings)
    assert "1 of 8 images are black or nearly so: images/1.png." in text
    assert "1 of 8 images are tiny (a side below 16 pixels): images/4.png." in text
    assert "1 of 8 images cannot be read: images/6.png." in text


def test_the_audit_looks_at_masks(tmp_path: Path) -> None:
    images = [photograph(k) for k in range(6)]
    kinds = {
        "inverted": [~lesion(k) for k in range(6)],
        "full": [np.ones((48, 64), bool)] * 6,
        "empty": [np.zeros((48, 64), bool)] * 6,
        "agree with others in every pixel": [lesion(0)] * 6,
    }
    for number, (word, masks) in enumerate(kinds.items()):
        findings = audit(set_of(tmp_path / str(number), images, masks), jobs=1).findings
        said = [finding for finding in findings if word in finding]
        assert said, word
        assert said[0].startswith("6 of 6 masks")
        assert "images/0.png, images/1.png, images/2.png and 3 more" in said[0]
    clean = audit(set_of(tmp_path / "clean", images, [lesion(k) for k in range(6)]), jobs=1)
    assert not [finding for finding in clean.findings if "mask" in finding]


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    masks = [lesion(0), lesion(1, 24, 32)]
    findings = audit(set_of(tmp_path / "set", [photograph(0), photograph(1)], masks), jobs=1).findings
    assert any("1 of 2 masks are of another size than its image: images/1.png" in finding for finding in findings)


def test_columns_of_any_kind_become_findings(tmp_path: Path) -> None:
    data_set = set_of(tmp_path / "set", [photograph(k) for k in range(80)])
    labels = ["melanoma", "nevus"] * 40
    kinds = ["histo" if label == "melanoma" or k % 10 == 1 else "follow_up" for k, label in enumerate(labels)]
    table = data_set.table.assign(label=labels, dx_type=kinds, lesion_id=[f"L{k}" for k in range(80)])
    found = audit(DataSet(data_set.folder, table, data_set.description), jobs=1)
    said = [finding for finding in found.findings if "dx_type" in finding]
    assert "Column 'dx_type': a consequence of the diagnosis" in said[0]
    assert "has seen the answer" in said[0]
    assert not any("lesion_id" in finding for finding in found.findings)
