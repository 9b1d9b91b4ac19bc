"""Drawn images with masks, and what published networks with drawn weights say of them: for a clone that holds no real data.

`python -m tests.pack.make` writes the images and the golden values. The values are those of torch-fidelity, torchvision and
lpips, not of this project.
"""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FOLDER = Path(__file__).parent
TABLE, GOLDEN = FOLDER / "metadata.csv", FOLDER / "golden.json"


def paths(column: str) -> list[Path]:
    """Files of the column `image` or `mask` of the table."""
    with TABLE.open(newline="") as table:
        return [FOLDER / row[column] for row in csv.DictReader(table)]


def images() -> NDArray[np.uint8]:
    """Uint8 [12, 3, 48, 64]."""
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths("image")])
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle 32 x 32 pixels of images [n, 3, 48, 64], each repeated to 7 x 7: uint8 [n, 3, 224, 224]."""
    return pixels[:, :, 8:40, 16:48].repeat(7, axis=2).repeat(7, axis=3)


def masks() -> NDArray[np.bool_]:
    """Lesions, bool [12, 48, 64]."""
    return np.stack([np.asarray(Image.open(path)) > 0 for path in paths("mask")])


def golden() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text())  # type: ignore[no-any-return]
