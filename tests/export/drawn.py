"""Small synthetic sets without a generator."""

from pathlib import Path

import numpy as np
import pandas as pd

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
