"""Distances to the nearest vectors, block by block, so that no n x m matrix is ever held."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
BLOCK = 1024


def nearest(
    x: NDArray[np.floating], y: NDArray[np.floating], k: int = 1, *, same: bool = False
) -> tuple[Array, NDArray[np.int64]]:
    """Euclidean distances from each row of x [n, d] to the k nearest of y [m, d], rising, and which these are: both [n, k].

    With `same`, x and y are one set and no row is its own neighbour. Distances of the found pairs are computed anew in
    float64, so that equal rows are at distance 0 exactly.

    Raises ValueError when y has too few rows.
    """
    if len(y) < k + same:
        raise ValueError(f"{len(y)} rows have no {k} neighbours")
    x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
    closest = np.concatenate(
        [block.topk(k, largest=False).indices.numpy() for _, block in squared_distances(x, y, same=same)]
    )
    exact = np.stack([np.linalg.norm(x.astype(np.float64) - y[closest[:, i]], axis=1) for i in range(k)], axis=1)
    order = np.argsort(exact, axis=1, kind="stable")
    return np.take_along_axis(exact, order, axis=1), np.take_along_axis(closest, order, axis=1)


def squared_distances(
    x: NDArray[np.floating], y: NDArray[np.floating], *, same: bool = False
) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of blocks of x to all of y: float32 [b, m]; with `same`, those of a row to itself are infinite.

    Both are centred first: |a|^2 + |b|^2 - 2 a'b loses fewest digits near the origin.
    """
    centre = y.mean(axis=0, dtype=np.float64)
    left, right = (torch.from_numpy((side - centre).astype(np.float32)) for side in (x, y))
    norms = right.square().sum(dim=1)
    for start in range(0, len(left), BLOCK):
        part = left[start : start + BLOCK]
        block = torch.addmm(norms[None], part, right.T, alpha=-2.0).add_(part.square().sum(dim=1, keepdim=True))
        block.clamp_(min=0)
        if same:
            rows = torch.arange(len(part))
            block[rows, rows + start] = torch.inf
        yield slice(start, start + len(part)), block
