"""Square patches from photographs with masks (FURGER): clean ones, and ones that show a lesion in part."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.file_names import path_inside, unique_stems
from dermsynth.data.masks import read_mask
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.tables import require_columns
from dermsynth.data.verification import verify
from dermsynth.data.writing import require_empty, write_data_set
from dermsynth.errors import UserError
from dermsynth.images import encode_png, read_image
from dermsynth.io import replace_folder, write_within
from dermsynth.parallel import parallel_map

CLEAN, LESION = "clean", "lesion"


@dataclass(frozen=True)
class PatchSettings:
    """Which squares are cut; shares are of a patch's pixels."""

    side: int = 128
    stride: int = 64
    smallest_lesion: float = 0.1
    largest_lesion: float = 0.8
    smallest_skin: float = 1.0
    skin_column: str = ""


def write_patches(
    data_set: DataSet, out: Path, settings: PatchSettings = PatchSettings(), *, jobs: int | None = None
) -> DataSet:
    """Cut every photograph that has a lesion mask into patches with the labels `clean` and `lesion`.

    A patch is clean when no pixel is lesion, and shows a lesion when its share of lesion lies between both bounds; others
    are left out, and so are patches with too little skin where a column names skin masks. Every patch keeps the mask, the
    split and the group of its photograph (the photograph itself where it has none), and its source.

    Raises UserError for settings out of range, when no photograph has a mask, or one kind of patch does not occur.
    """
    _check(settings)
    require_empty(out)
    verify(data_set)
    if "mask_file_name" not in data_set.table:
        raise UserError(f"{data_set.folder}: no lesion masks to cut patches by")
    if settings.skin_column:
        require_columns(data_set.table, [settings.skin_column], data_set.folder / "metadata.csv")
    table = data_set.table[data_set.table["mask_file_name"] != ""]
    rows = table.assign(stem=unique_stems(table["file_name"])).to_dict("records")
    with replace_folder(out) as work:
        parts = parallel_map(partial(_cut_photograph, data_set, work, settings), rows, label="cutting", jobs=jobs)
        table = pd.DataFrame(list(chain.from_iterable(parts)))
        for label in (CLEAN, LESION):
            if table.empty or not (table["label"] == label).any():
                raise UserError(
                    f"{data_set.folder}: no {label} patches of {settings.side} pixels; use a smaller `side` or `stride`"
                )
        earlier = data_set.provenance
        provenance = Provenance(
            synthetic=earlier.synthetic,
            source=earlier.source if earlier.says("source") else data_set.folder.name,
            licence=earlier.document.get("licence", []),
            **earlier.shared_facts("attribution", "doi", "citation", "real_images"),
        )
        write_data_set(work, table, provenance, Step(command="dermsynth data patches", **settings.__dict__))
    return open_data_set(out)


def _check(settings: PatchSettings) -> None:
    if not 8 <= settings.side <= 2048 or settings.stride < 1:
        raise UserError(f"`side` {settings.side} `stride` {settings.stride}: 8 to 2048 pixels, and at least 1")
    if not 0 < settings.smallest_lesion <= settings.largest_lesion <= 1:
        raise UserError(
            f"lesion share {settings.smallest_lesion} to {settings.largest_lesion}: must rise within 0 ... 1"
        )
    if not 0 <= settings.smallest_skin <= 1:
        raise UserError(f"`skin` {settings.smallest_skin}: a share between 0 and 1")


def _squares(height: int, width: int, settings: PatchSettings) -> Iterator[tuple[int, int]]:
    for top in range(0, height - settings.side + 1, settings.stride):
        for left in range(0, width - settings.side + 1, settings.stride):
            yield top, left


def patch_label(lesion: NDArray[np.bool_], skin: NDArray[np.bool_], settings: PatchSettings) -> str:
    """`clean`, `lesion`, or nothing for a patch that is neither."""
    if float((skin | lesion).mean()) < settings.smallest_skin:
        return ""
    share = float(lesion.mean())
    if share == 0:
        return CLEAN
    return LESION if settings.smallest_lesion <= share <= settings.largest_lesion else ""


def _cut_photograph(
    data_set: DataSet, out: Path, settings: PatchSettings, row: dict[str, str]
) -> list[dict[str, object]]:
    folder, synthetic = data_set.folder, data_set.synthetic_row(row)
    pixels, lesion = read_image(folder / row["file_name"]), read_mask(path_inside(folder, row["mask_file_name"]))
    skin = np.ones(lesion.shape, dtype=bool)
    if settings.skin_column and row[settings.skin_column]:
        skin = read_mask(path_inside(folder, row[settings.skin_column]))
    patches = []
    for top, left in _squares(lesion.shape[0], lesion.shape[1], settings):
        window = slice(top, top + settings.side), slice(left, left + settings.side)
        label = patch_label(lesion[window], skin[window], settings)
        if not label:
            continue
        name = f"{row['stem']}_{top}_{left}.png"
        write_within(out / "images" / name, encode_png(pixels[window], synthetic=synthetic))
        mask = ""
        if label == LESION:
            mask = f"masks/{name}"
            write_within(out / mask, encode_png(lesion[window].astype(np.uint8) * 255))
        patches.append(
            {
                "file_name": f"images/{name}",
                "label": label,
                "mask_file_name": mask,
                "group": row.get("group") or row["stem"],
                "split": row.get("split", "train"),
                "source": row["file_name"],
                "top": top,
                "left": left,
                "lesion_share": round(float(lesion[window].mean()), 4),
                **({"synthetic": "true"} if synthetic else {}),
            }
        )
    return patches
