"""Start from another checkpoint: other resolution, other classes, conditional or not."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.models import registry
from dermsynth.models.base import Model, require_edition
from dermsynth.training.checkpoints import Checkpoint


def transfer(model: Model, family: str, classes: Sequence[str], checkpoint: Checkpoint, only: str = "") -> str:
    """Copy every weight of a checkpoint that has a place in `model`.

    Tensors are matched by name, so blocks of the same resolution meet. Where shapes differ the common corner is
    copied and the rest keeps its fresh start: a wider layer keeps what it knew. Columns that belong to a class are
    matched by the class's name; where `model` has no classes, families that know how keep what was done for one. Buffers that
    describe the old training stay as they are.

    Parameters
    ----------
    model
        Networks with fresh weights; they are changed.
    family
        The name of its family.
    classes
        Names of the classes that `model` is conditioned on; none for an unconditional one.
    checkpoint
        Where the weights come from.
    only
        The label of all training images, where `model` is unconditional and they have one.

    Returns
    -------
    str
        One line on what was copied.

    Raises
    ------
    UserError
        The checkpoint is of another family, or of other classes and the family cannot match them.
    """
    old_classes = list(checkpoint.state.classes)
    _check(model, family, classes, checkpoint)
    old, kept = model.adapt_classes(checkpoint.network(), old_classes, classes, only)
    exact, partial, fresh = _copy(model, old, old_classes, classes)
    if not exact and not partial:
        raise UserError(f"{checkpoint.path}: none of its weights has a place in this model")
    model.begin_fresh(fresh)
    said = f"; without classes it goes on as {kept}" if kept else ""
    return f"from {checkpoint.path}: {len(exact)} tensors copied, {len(partial)} in part, {len(fresh)} fresh{said}"


@torch.no_grad()
def _copy(
    model: Model, old: dict[str, Tensor], old_classes: Sequence[str], classes: Sequence[str]
) -> tuple[set[str], set[str], set[str]]:
    """Copy what has a place; returns the names of tensors that were copied as they are, in part, and not at all."""
    new = model.state_dict()
    exact, partial = set[str](), set[str]()
    for key, target in new.items():
        if key not in old or _is_training_state(model, key):
            continue
        source = old[key]
        if key in model.class_columns:
            source = _reorder_classes(source, old_classes, classes)
        if source.shape == target.shape:
            target.copy_(source)
            exact.add(key)
        elif source.ndim == target.ndim and source.ndim > 0:
            corner = tuple(slice(0, min(a, b)) for a, b in zip(source.shape, target.shape, strict=True))
            target[corner] = source[corner].to(target)
            partial.add(key)
    return exact, partial, set(new) - exact - partial


def _check(model: Model, family: str, classes: Sequence[str], checkpoint: Checkpoint) -> None:
    state = checkpoint.state
    if state.family != family and state.family not in type(model).kin:
        raise UserError(f"{checkpoint.path}: a checkpoint of {state.family!r}, not of {family!r}")
    require_edition(registry.family(state.family), state.family, state.edition, checkpoint.path)
    if state.classes and classes and list(state.classes) != list(classes) and not model.class_columns:
        raise UserError(
            f"{checkpoint.path}: classes {', '.join(state.classes)}, now {', '.join(classes)}; {family} transfers between the "
            "same classes, or from and to an unconditional model"
        )


def _is_training_state(model: Model, key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in model.training_state)


def _reorder_classes(source: Tensor, old: Sequence[str], new: Sequence[str]) -> Tensor:
    """Columns of `source` [n, old classes] in the order of the new classes; a class that is new gets the mean."""
    mean = source.mean(dim=1, keepdim=True)
    return torch.cat([source[:, old.index(c)][:, None] if c in old else mean for c in new], dim=1)
