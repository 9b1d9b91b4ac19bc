"""The phantom as a data set on disk."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from dermsynth.cache import cache_folder
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.phantom.parameters import ARTEFACTS, MARKERS, PhantomSettings, draw_parameters
from dermsynth.data.phantom.render import render
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.splits import joined_groups, split
from dermsynth.data.writing import require_empty, write_data_set
from dermsynth.errors import UserError, require_seed, require_whole
from dermsynth.images import encode_png
from dermsynth.io import replace_folder
from dermsynth.parallel import parallel_map

STRUCTURES = (*MARKERS, *ARTEFACTS)
DEFAULT_COUNT = 2000
CHUNK = 32


def write_phantom(
    out: Path, count: int, settings: PhantomSettings, *, seed: int = 0, structures: bool = True, jobs: int | None = None
) -> DataSet:
    """Write `count` images with lesion masks, and one 16-bit PNG an image whose bits are the exact structure masks.

    Image i depends on seed + i and the settings alone. Raises UserError when `out` holds something.
    """
    seed, count = require_seed(seed), require_whole(count, "count", 1)
    require_empty(out)
    with replace_folder(out) as work:
        _fill(work, count, settings, seed, structures, jobs)
    return open_data_set(out)


def _fill(work: Path, count: int, settings: PhantomSettings, seed: int, structures: bool, jobs: int | None) -> None:
    for folder in ("images", "masks", *(["structures"] if structures else [])):
        (work / folder).mkdir()
    draw = partial(_write_image, work, settings, seed, structures)
    table = pd.DataFrame(parallel_map(draw, range(count), label="drawing", jobs=jobs, chunk=CHUNK))
    alone = joined_groups(np.full(count, "", dtype=object), np.empty((0, 2), dtype=np.int64))
    table["split"] = split(table["label"].to_numpy(dtype=object), alone, (0.8, 0.1, 0.1), seed)
    provenance = Provenance(
        synthetic=False,
        phantom=True,
        source="drawn by a program; no patient",
        licence=["CC0-1.0"],
        structure_bits={name: bit for bit, name in enumerate(STRUCTURES)},
        settings=asdict(settings),
    )
    write_data_set(work, table, provenance, Step(command="dermsynth phantom", seed=seed, n=count))


def _write_image(out: Path, settings: PhantomSettings, seed: int, structures: bool, number: int) -> dict[str, object]:
    drawn = render(draw_parameters(seed + number, settings), settings)
    name = f"phantom_{number:06d}.png"
    (out / "images" / name).write_bytes(encode_png(drawn.image))
    (out / "masks" / name).write_bytes(encode_png(drawn.lesion))
    row: dict[str, object] = {
        "file_name": f"images/{name}",
        "label": drawn.parameters.label,
        "mask_file_name": f"masks/{name}",
    }
    if structures:
        bits = np.zeros(drawn.lesion.shape, np.uint16)
        for structure, mask in drawn.structures.items():
            bits |= (mask > 0).astype(np.uint16) << STRUCTURES.index(structure)
        (out / "structures" / name).write_bytes(cv2.imencode(".png", bits)[1].tobytes())
        row["structures"] = f"structures/{name}"
    return {**row, "seed": seed + number, **drawn.parameters.columns()}


def default_phantom(height: int, width: int, correlation: float = 0.0) -> DataSet:
    """The data set that stands in where none is given: 2,000 phantom images in the user's cache folder, or the one chosen.

    With a correlation frames go with melanomas.
    """
    home = cache_folder()
    folder = home / (f"phantom-{DEFAULT_COUNT}-{width}x{height}" + (f"-frame{correlation:g}" if correlation else ""))
    if not (folder / "dataset.json").exists():
        tied = {"artefact": "frame", "tied_to": "melanoma", "correlation": correlation} if correlation else {}
        try:
            write_phantom(folder, DEFAULT_COUNT, PhantomSettings(height, width, **tied))  # type: ignore[arg-type]
        except UserError:
            if not (folder / "dataset.json").exists():  # else another process was faster
                raise
    return open_data_set(folder)
