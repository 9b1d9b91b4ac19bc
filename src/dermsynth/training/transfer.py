"""Start from another checkpoint: other resolution, other classes, conditional or not."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.models.base import Recipe, require_edition
from dermsynth.training.checkpoints import Checkpoint

STATISTICS = ("augmentation.", "pool_", "shown", "trained")
"""Buffers that belong to the old data and the old training, not to the networks."""


def transfer(recipe: Recipe, name: str, classes: Sequence[str], checkpoint: Checkpoint) -> str:
    """Copy every weight that has a place in `recipe`; returns one line on what was copied.

    Tensors are matched by name, so blocks of the same resolution meet. Where shapes differ the common corner is
    copied and the rest keeps its fresh start: a wider layer keeps what it knew. Rows and columns that belong to a
    class are matched by the class's name.

    Raises UserError when the checkpoint is of another family, or of other classes and the family cannot match them.
    """
    if checkpoint.state["recipe"] != name:
        raise UserError(f"{checkpoint.path}: a checkpoint of {checkpoint.state['recipe']!r}, not of {name!r}")
    require_edition(type(recipe), checkpoint.state, checkpoint.path)
    old_classes = list(checkpoint.state["classes"])
    if old_classes and classes and old_classes != list(classes) and not recipe.matches_classes:
        raise UserError(
            f"{checkpoint.path}: classes {', '.join(old_classes)}, now {', '.join(classes)}; {name} transfers between the same "
            "classes, or from and to an unconditional model"
        )
    old, new = checkpoint.network(), recipe.state_dict()
    exact = partial = 0
    with torch.no_grad():
        for key, target in new.items():
            if key not in old or key.startswith(STATISTICS):
                continue
            source = _by_class(key, old[key], old_classes, list(classes))
            if source.shape == target.shape:
                target.copy_(source)
                exact += 1
            elif source.ndim == target.ndim and source.ndim > 0:
                corner = tuple(slice(0, min(a, b)) for a, b in zip(source.shape, target.shape, strict=True))
                target[corner] = source[corner].to(target)
                partial += 1
    if exact + partial == 0:
        raise UserError(f"{checkpoint.path}: none of its weights has a place in this model")
    fresh = len(new) - exact - partial
    return f"from {checkpoint.path}: {exact} tensors copied, {partial} in part, {fresh} fresh"


def _by_class(key: str, source: Tensor, old: list[str], new: list[str]) -> Tensor:
    """Re-order what is per class, the embedding's columns; new classes get the mean."""
    if not key.endswith("embed.weight"):
        return source
    mean = source.mean(dim=1, keepdim=True)
    return torch.cat([source[:, old.index(c)][:, None] if c in old else mean for c in new], dim=1)
