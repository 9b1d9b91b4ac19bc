"""Features of real and synthetic images in the plane, to look at: PCA, and UMAP where it is installed."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from dermsynth.data.dataset import DataSet

SHOWN = 400
"""Images a side in the view."""
Features = NDArray[np.floating]
Plane = NDArray[np.float64]


def embedding_view(
    synthetic: DataSet, real: DataSet, features: tuple[Features, Features], seed: int
) -> list[dict[str, Any]]:
    """A view a method: its name, what it keeps, and a point an image, at most 400 a side drawn by `seed`.

    Both sides lie in one plane, found from both together.
    """
    random = np.random.default_rng(seed)
    chosen = [np.sort(random.permutation(len(side))[:SHOWN]) for side in features]
    rows = np.concatenate([side[index] for side, index in zip(features, chosen, strict=True)]).astype(np.float64)
    rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-9)
    points = [
        {
            "side": name,
            "file_name": str(side.table["file_name"].iloc[i]),
            "label": str(side.labels[i]) if side.classes else "",
        }
        for name, side, index in zip(("synthetic", "real"), (synthetic, real), chosen, strict=True)
        for i in index
    ]
    return [
        {"method": method, "note": note, "points": _placed(points, plane)}
        for method, note, plane in _planes(rows, seed)
    ]


def _placed(points: list[dict[str, Any]], plane: Plane) -> list[dict[str, Any]]:
    places = ({"x": round(float(x), 4), "y": round(float(y), 4)} for x, y in plane)
    return [point | place for point, place in zip(points, places, strict=True)]


def _planes(rows: Plane, seed: int) -> list[tuple[str, str, Plane]]:
    analysis = PCA(2, random_state=seed)
    plane = analysis.fit_transform(rows)
    kept = f"{analysis.explained_variance_ratio_.sum():.0%} of the variance"
    found = [("PCA", kept, _within_unit(plane))]
    umap = _umap()
    if umap is not None:
        found.append(("UMAP", "neighbourhoods, not distances", _within_unit(umap(rows, seed))))
    return found


def _umap() -> Callable[[Plane, int], Plane] | None:
    try:
        from umap import UMAP
    except ImportError:
        return None
    return lambda rows, seed: UMAP(random_state=seed, n_jobs=1).fit_transform(rows)


def _within_unit(plane: Plane) -> Plane:
    """Moved and scaled into the unit square, both axes alike."""
    low, high = plane.min(axis=0), plane.max(axis=0)
    found: Plane = (plane - (low + high) / 2) / max(float((high - low).max()), 1e-12) + 0.5
    return found
