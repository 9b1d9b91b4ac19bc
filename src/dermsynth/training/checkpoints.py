"""Checkpoints: a folder of safetensors and JSON that is whole or not there."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Adam

from dermsynth.errors import DiskError, UserError
from dermsynth.io import file_hash, read_json, replacing_folder, write_json
from dermsynth.models.registry import FAMILIES, family

NETWORK, OPTIMISER, STATE = "network.safetensors", "optimiser.safetensors", "state.json"
FOLDER, BEST = "checkpoints", "best.json"


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint and its `state.json`: images shown, step, recipe, classes, size, hashes."""

    path: Path
    state: dict[str, Any]

    @property
    def images(self) -> int:
        """Real images shown."""
        return int(self.state["images"])

    @property
    def hash(self) -> str:
        """SHA-256 of the network's weights."""
        return str(self.state["hashes"][NETWORK])

    def network(self) -> dict[str, Tensor]:
        """Every parameter and buffer of the recipe."""
        return load_tensors(self.path / NETWORK)

    def optimiser(self) -> dict[str, Tensor]:
        """State of every player's optimiser."""
        return load_tensors(self.path / OPTIMISER)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises UserError when it is cut short, or something else, such as a pickle.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file")
    try:
        return load_file(path)
    except SafetensorError as error:
        with path.open("rb") as file:
            start = file.read(2)
        if start in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            raise UserError(
                f"{path}: a pickle; it could run code and is never opened; convert it to safetensors"
            ) from error
        raise UserError(f"{path}: damaged or cut short ({error})") from error


def save(run: Path, network: dict[str, Tensor], optimisers: dict[str, Adam], state: dict[str, Any]) -> Checkpoint:
    """Write one checkpoint; a kill at any moment leaves the earlier ones as they are."""
    path = run / FOLDER / f"{state['images']:09d}"
    if path.exists():  # from an earlier attempt at the same moment: equal bit for bit, if it is whole
        if broken(_open(path)) is None:
            return _open(path)
        shutil.rmtree(path)
    with replacing_folder(path) as folder:
        _save_tensors(folder / NETWORK, network)
        _save_tensors(folder / OPTIMISER, _optimiser_tensors(optimisers))
        hashes = {name: file_hash(folder / name) for name in (NETWORK, OPTIMISER)}
        edition = family(state["recipe"]).edition if state.get("recipe") in FAMILIES else 1
        write_json(folder / STATE, {"edition": edition, **state, "hashes": hashes})
    return _open(path)


def _save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    try:
        save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, path)
    except SafetensorError as error:  # the library wraps the system's error into text
        raise DiskError(
            f"{path.parent}: cannot be written ({error}); free some space and repeat the command"
        ) from error


def _optimiser_tensors(optimisers: dict[str, Adam]) -> dict[str, Tensor]:
    return {
        f"{player}.{index}.{name}": value
        for player, optimiser in optimisers.items()
        for index, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimisers(optimisers: dict[str, Adam], tensors: dict[str, Tensor]) -> None:
    """Put the saved state back into the optimisers of the same players, in the memory layout of their parameters."""
    for player, optimiser in optimisers.items():
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            owner, index, key = name.split(".")
            if owner == player:
                parameter = parameters[int(index)]
                same = value.shape == parameter.shape
                state.setdefault(int(index), {})[key] = torch.empty_like(parameter).copy_(value) if same else value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def _open(path: Path) -> Checkpoint:
    """A checkpoint; one whose state cannot be read has an empty one, and counts as broken."""
    try:
        return Checkpoint(path, read_json(path / STATE))
    except UserError:
        return Checkpoint(path, {"images": int(path.name) if path.name.isdigit() else -1})


def broken(checkpoint: Checkpoint) -> str | None:
    """Which file of a checkpoint is not as it was written, or None."""
    if not {"hashes", "images", "recipe", "classes"} <= checkpoint.state.keys():
        return f"{checkpoint.path / STATE}: damaged or cut short"
    for name, digest in checkpoint.state["hashes"].items():
        file = checkpoint.path / name
        if not file.exists():
            return f"{file}: missing"
        if file_hash(file) != digest:
            return f"{file}: damaged or cut short ({file.stat().st_size:,} bytes)"
    return None


def checkpoints(run: Path) -> list[Checkpoint]:
    """All checkpoints of a run, oldest first; unfinished ones are no checkpoints."""
    folders = sorted(p for p in (run / FOLDER).glob("[0-9]*") if (p / STATE).exists())
    return [_open(folder) for folder in folders]


def last_whole(run: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is as it was written, and what is wrong with newer ones."""
    problems: list[str] = []
    for checkpoint in reversed(checkpoints(run)):
        problem = broken(checkpoint)
        if problem is None:
            return checkpoint, problems
        problems.append(problem)
    return None, problems


def find(source: Path, which: str = "last") -> Checkpoint:
    """The checkpoint meant by a run folder (`last`, `best` or images shown) or by a checkpoint folder itself.

    Raises UserError when there is none, or it is damaged.
    """
    if (source / STATE).exists():
        found = _open(source)
    elif source.is_file():
        load_tensors(source)
        raise UserError(f"{source}: one file of a checkpoint; name its folder {source.parent}")
    elif not (source / FOLDER).is_dir():
        raise UserError(f"{source}: neither a run nor a checkpoint")
    else:
        found = _find_in_run(source, which)
    problem = broken(found)
    if problem:
        raise UserError(f"{problem}; choose another one with `checkpoint`")
    return found


def _find_in_run(run: Path, which: str) -> Checkpoint:
    if which == "best" and (run / BEST).exists():
        which = str(read_json(run / BEST)["images"])
    if which in ("last", "best"):
        found, problems = last_whole(run)
        if found is None:
            raise UserError(f"{run}: no whole checkpoint{''.join(f' ({p})' for p in problems[:1])}")
        if problems:  # an older one would be another generator than the one asked for
            raise UserError(f"{problems[0]}; choose the one before with `checkpoint` {found.images}, or train on")
        return found
    for checkpoint in checkpoints(run):
        if which.isdigit() and checkpoint.images == int(which):
            return checkpoint
    there = ", ".join(str(c.images) for c in checkpoints(run))
    raise UserError(f"{run}: no checkpoint {which!r}; there are: last, best, {there}")


def sweep(run: Path) -> None:
    """Remove what a kill left behind in mid-writing."""
    for leftover in (run / FOLDER).glob(".[0-9]*"):
        shutil.rmtree(leftover, ignore_errors=True)


def prune(run: Path, keep: int, best: int | None) -> None:
    """Remove all but the last `keep` checkpoints and the best one."""
    for checkpoint in checkpoints(run)[:-keep]:
        if checkpoint.images != best:
            shutil.rmtree(checkpoint.path)


def all_finite(network: dict[str, Tensor]) -> str | None:
    """The first tensor that is not finite, or None."""
    for name, tensor in network.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            return name
    return None
