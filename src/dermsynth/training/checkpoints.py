"""Checkpoints: folders of safetensors and JSON, written atomically and checked by hash."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Adam

from dermsynth.errors import DiskError, UserError
from dermsynth.io import file_hash, read_json, replace_folder, write_json
from dermsynth.training.health import Alarms
from dermsynth.training.pretrained import locate

NETWORK, OPTIMISER, STATE = "network.safetensors", "optimiser.safetensors", "state.json"
FOLDER, BEST = "checkpoints", "best.json"

MEAN_DISTANCE_RATIO = "mean_distance_ratio"
"""Id of the usual figure that chooses the best checkpoint: the geometric mean of distances over those of real to real images."""
STORED_NAME = "mean distance, times real to real"
"""The name that this figure has in `log.jsonl` and `state.json`."""


def figure_id(name: str) -> str:
    """The id of a figure that may choose the best checkpoint, from its id or the name under which it is stored."""
    return MEAN_DISTANCE_RATIO if name == STORED_NAME else name


class Best(BaseModel):
    """The best checkpoint so far: images shown, and the figure by which it is the best (lower is better)."""

    model_config = ConfigDict(frozen=True)

    images: int
    value: float


class CheckpointState(BaseModel):
    """What a checkpoint holds beside networks and optimisers: its `state.json`."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    edition: int = Field(1, description="of the family, see `Model.edition`")
    images: int = Field(description="real images shown")
    step: int = 0
    seconds: float = 0.0
    best: Best | None = None
    best_by: str = Field("", description="name of the figure that chose the best checkpoint")
    alarms: Alarms = Field(default_factory=Alarms)
    family: str = Field(alias="recipe")
    classes: tuple[str, ...]
    threads: int | None = Field(None, description="with which it was computed; blank in old checkpoints")
    hashes: dict[str, str] = Field({}, description="SHA-256 of the checkpoint's files")

    @field_validator("best", mode="before")
    @classmethod
    def _read_best(cls, value: object) -> object:
        return value or None  # on disk none is {}

    @field_serializer("best")
    def _write_best(self, value: Best | None) -> dict[str, float]:
        return {} if value is None else value.model_dump()


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's folder and its state."""

    path: Path
    state: CheckpointState

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}: {self.state.family}, {self.images:,} images shown)"

    @property
    def images(self) -> int:
        """Real images shown."""
        return self.state.images

    @property
    def hash(self) -> str:
        """SHA-256 of the network's weights."""
        return self.state.hashes[NETWORK]

    def network(self) -> dict[str, Tensor]:
        """Every parameter and buffer of the model."""
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


def save(run: Path, network: dict[str, Tensor], optimisers: dict[str, Adam], state: CheckpointState) -> Checkpoint:
    """Write one checkpoint; a kill at any moment leaves the earlier ones as they are. The hashes are added to its state."""
    path = run / FOLDER / f"{state.images:09d}"
    if path.exists():  # from an earlier attempt at the same moment: equal bit for bit, if it is whole
        if damage(_open(path)) is None:
            return _open(path)
        shutil.rmtree(path)
    with replace_folder(path) as folder:
        _save_tensors(folder / NETWORK, network)
        _save_tensors(folder / OPTIMISER, _optimiser_tensors(optimisers))
        hashes = {name: file_hash(folder / name) for name in (NETWORK, OPTIMISER)}
        write_json(folder / STATE, state.model_copy(update={"hashes": hashes}).model_dump(mode="json"))
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
    """A checkpoint; one whose state cannot be read has no hashes, and counts as damaged."""
    try:
        return Checkpoint(path, CheckpointState.model_validate(read_json(path / STATE)))
    except (UserError, ValidationError):
        images = int(path.name) if path.name.isdigit() else -1
        return Checkpoint(path, CheckpointState(images=images, family="", classes=()))


def damage(checkpoint: Checkpoint) -> str | None:
    """A line that names the first missing or changed file of a checkpoint, or None if all are as they were written."""
    if not checkpoint.state.hashes:
        return f"{checkpoint.path / STATE}: damaged or cut short"
    for name, digest in checkpoint.state.hashes.items():
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
        problem = damage(checkpoint)
        if problem is None:
            return checkpoint, problems
        problems.append(problem)
    return None, problems


def find(source: Path, which: str = "last") -> Checkpoint:
    """The checkpoint meant by a run (`last`, `best` or images shown), a checkpoint folder, or a name of `pretrained`.

    Raises UserError when there is none, or it is damaged.
    """
    source = locate(source)
    if (source / STATE).exists():
        checkpoint = _open(source)
    elif source.is_file():
        load_tensors(source)
        raise UserError(f"{source}: one file of a checkpoint; name its folder {source.parent}")
    elif not (source / FOLDER).is_dir():
        raise UserError(f"{source}: neither a run nor a checkpoint")
    else:
        checkpoint = _find_in_run(source, which)
    problem = damage(checkpoint)
    if problem:
        raise UserError(f"{problem}; choose another one with `checkpoint`")
    return checkpoint


def _find_in_run(run: Path, which: str) -> Checkpoint:
    if which == "best" and (run / BEST).exists():
        which = str(read_json(run / BEST)["images"])
    if which in ("last", "best"):
        return _find_last(run)
    for checkpoint in checkpoints(run):
        if which.isdigit() and checkpoint.images == int(which):
            return checkpoint
    there = ", ".join(str(c.images) for c in checkpoints(run))
    raise UserError(f"{run}: no checkpoint {which!r}; there are: last, best, {there}")


def _find_last(run: Path) -> Checkpoint:
    checkpoint, problems = last_whole(run)
    if checkpoint is None:
        raise UserError(f"{run}: no whole checkpoint{''.join(f' ({p})' for p in problems[:1])}")
    if problems:  # an older one would be another generator than the one asked for
        raise UserError(f"{problems[0]}; choose the one before with `checkpoint` {checkpoint.images}, or train on")
    return checkpoint


def sweep(run: Path) -> None:
    """Remove unfinished checkpoints that a killed process left behind."""
    for leftover in (run / FOLDER).glob(".[0-9]*"):
        shutil.rmtree(leftover, ignore_errors=True)


def prune(run: Path, keep: int, best: int | None) -> None:
    """Remove all but the last `keep` checkpoints and the best one."""
    for checkpoint in checkpoints(run)[:-keep]:
        if checkpoint.images != best:
            shutil.rmtree(checkpoint.path)


def first_not_finite(network: dict[str, Tensor]) -> str | None:
    """The first tensor that is not finite, or None."""
    for name, tensor in network.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            return name
    return None
