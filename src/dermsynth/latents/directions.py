"""Directions in a latent space: by a linear SVM, by PCA, or from the weights; files that say where they come from."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from sklearn.model_selection import train_test_split
from sklearn.svm import LinearSVC

from dermsynth.errors import UserError
from dermsynth.io import replace_file
from dermsynth.latents.samples import Samples
from dermsynth.latents.space import Points, Space, require_w
from dermsynth.seeds import sklearn_seed

Vector = NDArray[np.float32]
HELD_OUT, FEWEST = 0.2, 20
"""Share of points on which the plane is tested, and least points on either side of it."""


@dataclass(frozen=True)
class Direction:
    """A unit vector [d] with a name, the layers it moves (first and last; all without), and how it was found.

    `scale` is the deviation of the sampled points along it: steps are counted in it.
    """

    name: str
    vector: Vector
    scale: float
    facts: dict[str, Any]
    layers: tuple[int, int] | None = None

    @property
    def identity(self) -> str:
        """A hash of the vector, whatever its name."""
        return hashlib.sha256(self.vector.tobytes()).hexdigest()[:16]


def svm_direction(samples: Samples, threshold: float, name: str, seed: int) -> Direction:
    """The unit normal of the plane between points whose images show something and others (Shen et al. 2020, section 2.1).

    Accuracy is that on held-out points. Raises UserError when one side has fewer than twenty points.
    """
    shows = samples.scores >= threshold
    counts = int(shows.sum()), int((~shows).sum())
    if min(counts) < FEWEST:
        raise UserError(
            f"{name}: {counts[0]} images show it and {counts[1]} do not; at least {FEWEST} of each are needed: "
            "sample more (`count`) or set another threshold (frame@0.2)"
        )
    scale = float(samples.points.std())
    train, test = train_test_split(
        np.arange(len(shows)), test_size=HELD_OUT, random_state=sklearn_seed(seed), stratify=shows
    )
    model = LinearSVC(C=0.01, class_weight="balanced", dual=False).fit(samples.points[train] / scale, shows[train])
    right = model.predict(samples.points[test] / scale) == shows[test]
    normal = model.coef_[0]
    facts = {
        "method": "svm", "points": len(shows), "with": counts[0], "threshold": threshold, "held_out": len(test),
        "accuracy": float(right.mean()),
        "balanced_accuracy": float((right[shows[test]].mean() + right[~shows[test]].mean()) / 2),
    }  # fmt: skip
    return _direction(name, normal, samples.points, facts)


def pca_directions(points: Points, count: int) -> list[Direction]:
    """The principal directions of sampled points (Härkönen et al. 2020, section 2.1), the one of most variance first."""
    _require_count(count)
    centred = points.astype(np.float64) - points.mean(axis=0)
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    shares = singular**2 / (singular**2).sum()
    return [
        _direction(f"pca{i}", rows[i], points, {"method": "pca", "points": len(points), "explained": float(shares[i])})
        for i in range(min(count, len(rows)))
    ]


def sefa_directions(space: Space, count: int, layers: tuple[int, int] | None, points: Points) -> list[Direction]:
    """Eigenvectors of A^T A with the largest eigenvalues, A the stacked style weights of layers (Shen & Zhou 2021, equation 6).

    As in the authors' program the weights of each style, a row of A, are brought to unit length first, so that every feature
    map counts alike, and of the image layers only the last takes part.

    Raises UserError for a generator without styles, or layers it does not have.
    """
    require_w(space, "sefa")
    _require_count(count)
    weights = space.generator.model.style_weights()
    first, last = layers or (0, len(weights) - 1)
    if not 0 <= first <= last < len(weights):
        raise UserError(f"`layers` {first}-{last}: this generator has layers 0 to {len(weights) - 1}")
    stacked = torch.cat(weights[first : last + 1]).double().cpu().numpy()
    unit = stacked / np.linalg.norm(stacked, axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(unit.T @ unit)
    facts = {"method": "sefa", "weights": "unit length", "layers": [first, last]}
    return [
        replace(
            _direction(f"sefa{i}", vectors[:, -1 - i], points, {**facts, "eigenvalue": float(values[-1 - i])}),
            layers=layers,
        )
        for i in range(min(count, len(values)))
    ]


def _require_count(count: int) -> None:
    if count < 1:
        raise UserError(f"`components` {count}: must be at least 1")


def _direction(name: str, vector: NDArray[np.floating[Any]], points: Points, facts: dict[str, Any]) -> Direction:
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return Direction(name, unit, float((points @ unit).std()), facts)


def project_out(direction: Direction, others: Sequence[Direction], points: Points) -> Direction:
    """The direction with other directions projected out (Shen et al. 2020, section 2.2): it no longer changes what they do.

    Its deviation is that of the points along the rest.
    """
    basis = np.linalg.qr(np.stack([other.vector for other in others]).T.astype(np.float64))[0]
    rest = direction.vector - basis @ (basis.T @ direction.vector)
    length = float(np.linalg.norm(rest))
    if length < 1e-6:
        raise UserError(f"{direction.name}: nothing is left of it without {', '.join(other.name for other in others)}")
    facts = {**direction.facts, "without": [other.name for other in others], "kept": length}
    return replace(_direction(f"{direction.name}-only", rest, points, facts), layers=direction.layers)


def write_directions(path: Path, space: Space, directions: Sequence[Direction]) -> None:
    """Write one small file: the vectors, and everything else as JSON in its header."""
    facts = {
        "run": str(space.generator.run.resolve()), "checkpoint": space.generator.checkpoint.hash, "space": space.name,
        "layers": space.layers,
        "directions": [{"name": d.name, "scale": d.scale, "facts": d.facts, "layers": d.layers} for d in directions],
    }  # fmt: skip
    _write(path, facts, np.stack([d.vector for d in directions]))


def _write(path: Path, facts: dict[str, Any], vectors: Vector) -> None:
    with replace_file(path) as temporary:
        save_file({"vectors": vectors}, temporary, {"facts": json.dumps(facts)})


def _read(path: Path) -> tuple[dict[str, Any], Vector]:
    try:
        with safe_open(path, "np") as file:
            return json.loads((file.metadata() or {})["facts"]), file.get_tensor("vectors")
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise UserError(
            f"{path}: no directions ({type(error).__name__}); find some with: dermsynth latents directions"
        ) from error


def read_directions(path: Path, space: Space) -> list[Direction]:
    """The directions of a file.

    Raises UserError when it is none, or was found in another checkpoint, space or layer layout.
    """
    facts, vectors = _read(path)
    expected = {"checkpoint": space.generator.checkpoint.hash, "space": space.name, "layers": space.layers}
    for key, value in expected.items():
        if facts[key] != value:
            raise UserError(
                f"{path}: directions of {key} {facts[key]!r}, {space.generator.run} has {value!r}; find them again"
            )
    return [
        Direction(d["name"], vector, d["scale"], d["facts"], tuple(d["layers"]) if d["layers"] else None)
        for d, vector in zip(facts["directions"], vectors, strict=True)
    ]


def collect_directions(paths: Sequence[Path], space: Space) -> dict[str, Direction]:
    """All directions of files by name; of two with one name both are called after their folder, too.

    Raises UserError for files that hold none of this generator, or where that leaves two with one name.
    """
    pairs = [(path, direction) for path in paths for direction in read_directions(path, space)]
    counts = Counter(direction.name for _, direction in pairs)
    by_name = [(f"{p.parent.name}/{d.name}" if counts[d.name] > 1 else d.name, d) for p, d in pairs]
    twice = [name for name, count in Counter(name for name, _ in by_name).items() if count > 1]
    if twice:
        raise UserError(
            f"`directions`: two directions are called {twice[0]}; give one another name: dermsynth latents rename"
        )
    return {name: replace(direction, name=name) for name, direction in by_name}


def rename_direction(path: Path, old: str, new: str) -> None:
    """Give a direction of a file another name; everything else stays.

    Raises UserError when there is none of the old name, or another has the new one, or that is no name.
    """
    facts, vectors = _read(path)
    names = [d["name"] for d in facts["directions"]]
    if old not in names:
        raise UserError(f"{old!r}: {path} has: {', '.join(names)}")
    if new in names or not new.strip() or not new.isprintable():
        raise UserError(
            f"{new!r}: {'is taken' if new in names else 'cannot be a name'}; {path} has: {', '.join(names)}"
        )
    facts["directions"][names.index(old)]["name"] = new
    _write(path, facts, vectors)


def find_direction(directions: Sequence[Direction], name: str) -> Direction:
    """One direction by its name.

    Raises UserError when there is none of that name.
    """
    by_name = {direction.name: direction for direction in reversed(directions)}
    if name not in by_name:
        raise UserError(f"`direction` {name!r}: there are: {', '.join(d.name for d in directions)}")
    return by_name[name]
