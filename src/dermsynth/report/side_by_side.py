"""Random synthetic images, each beside the training image nearest to it and a random real one of its class."""

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.evaluation.copies import Copies
from dermsynth.images import grid
from dermsynth.report.page import picture, thumbnails

ROWS, SIDE = 12, 112


def side_by_side(
    synthetic: DataSet, real: DataSet, compared: DataSet, copies: Copies | None
) -> list[tuple[Markup, str]]:
    """A picture and a caption for each of some random synthetic images.

    The nearest image is the one that the copy gate names; where there is no gate, two images stand beside each other. The random
    real image is one of those `compared`, of the same label where it has one.
    """
    random = np.random.default_rng(0)
    chosen = np.sort(random.permutation(len(synthetic.table))[:ROWS])
    nearest, real_paths = _nearest(copies), compared.paths
    names, labels = synthetic.table["file_name"].to_numpy()[chosen], synthetic.labels[chosen].astype(str)
    rows = []
    for name, label in zip(names, labels, strict=True):
        paths = [synthetic.folder / name]
        if nearest.get(name):
            paths.append(real.folder / nearest[name])
        alike = _of_label(compared, label)
        paths.append(real_paths[int(random.choice(alike))])
        rows.append((picture(grid(thumbnails(paths, SIDE), len(paths)), f"{name} beside real images"), label))
    return rows


def _nearest(copies: Copies | None) -> Mapping[str, str]:
    """Synthetic image -> the training image nearest to it, as far as the copy gate knows."""
    if copies is None or "copy_of" not in copies.table:
        return {}
    return dict(zip(copies.table["file_name"], copies.table["copy_of"].astype(str), strict=True))


def _of_label(rows: DataSet, label: str) -> NDArray[np.int64]:
    """Indices of the images with this label; of all where none has it."""
    alike = np.flatnonzero(rows.labels.astype(str) == label)
    return alike if len(alike) else np.arange(len(rows.table))
