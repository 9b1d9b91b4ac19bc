"""Small synthetic sets without a generator."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.images import encode_png
from dermsynth.io import write_bytes


def drawn(
    folder: Path, flags: list[str] | None, labels: list[str] | None = None, *, side: int = 8, **facts: object
) -> DataSet:
    """A set of twelve small images that says it is synthetic, as other programs would write it."""
    random = np.random.default_rng(0)
    names = [f"images/{number:02d}.png" for number in range(12)]
    for name in names:
        write_bytes(folder / name, encode_png(random.integers(0, 255, (side, side, 3), dtype=np.uint8)))
    table = pd.DataFrame({"file_name": names, "label": labels or ["nevus"] * 12, "synthetic": "true"})
    if flags is not None:
        table["copy_flag"] = flags
    provenance = Provenance.model_validate({"synthetic": True, "licence": ["CC0-1.0"], **facts})
    return write_data_set(folder, table, provenance, Step(command="drawn"))


def skin(*, lesion: tuple[int, int]) -> NDArray[np.uint8]:
    """64 x 64 pixels of one skin with a round dark lesion around a place."""
    rows, columns = np.mgrid[:64, :64]
    skin = np.stack([200 + rows / 4, 150 + columns / 4, 130 + rows / 8], axis=2)
    inside = (rows - lesion[0]) ** 2 + (columns - lesion[1]) ** 2 < 25
    skin[inside] = (90, 60, 50)
    return skin.astype(np.uint8)
