"""A real set, and a folder that another tool filled: what tests of images made elsewhere share."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from dermsynth.data.dataset import DataSet
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set

COPIES = 6
"""Images of the folder that are copies of training images."""


Grid = tuple[int, int]
SMOOTH, FINE = (6, 8), (14, 19)
"""Rows and columns of colours that a picture is enlarged from: few give nothing to know a moved copy by."""


def photograph(seed: int, size: tuple[int, int] = (32, 24), grid: Grid = SMOOTH) -> NDArray[np.uint8]:
    """Smooth colours, another picture for each seed; `size` is width and height."""
    coarse = np.random.default_rng(seed).integers(60, 220, (*grid, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))


def write_real(folder: Path, count: int = 160, grid: Grid = SMOOTH) -> DataSet:
    """Half for training, a quarter each for validation and test; two images a patient."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(count):
        Image.fromarray(photograph(number, grid=grid)).save(folder / "images" / f"r{number}.png")
        split = ("train", "validation", "train", "test")[number // 2 % 4]
        label = ("nevus", "melanoma")[number % 3 == 0]
        group = f"p{number // 2}"
        rows.append({"file_name": f"images/r{number}.png", "label": label, "group": group, "split": split})
    return write_data_set(
        folder, pd.DataFrame(rows), Provenance(source="drawn", licence=("CC0-1.0",)), Step(command="test")
    )


def write_elsewhere(folder: Path, real: DataSet, count: int = 60, grid: Grid = SMOOTH) -> Path:
    """Square JPEG files and a table of them: new pictures, and copies of the first training images; returns the table."""
    folder.mkdir(parents=True)
    trained = np.flatnonzero(real.in_split("train"))[:COPIES]
    rows = []
    for number in range(count):
        copied = number < COPIES
        pixels = photograph(int(trained[number]) if copied else 1000 + number, (32, 24) if copied else (40, 40), grid)
        Image.fromarray(pixels).save(folder / f"{number}.{'png' if copied else 'jpg'}")
        label = real.labels[trained[number]] if copied else ("nevus", "melanoma")[number % 2]
        rows.append(
            {
                "file": f"{number}.{'png' if copied else 'jpg'}",
                "diagnosis": label,
                "words": f"a dermoscopic image of {label}",
                "from": f"r{trained[number]}" if copied else "",
            }
        )
    pd.DataFrame(rows[::-1]).to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


COLUMNS = {"image": "file", "label": "diagnosis", "prompt_column": "words", "source_column": "from"}
"""What the table's columns mean."""
