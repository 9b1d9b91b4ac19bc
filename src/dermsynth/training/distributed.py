"""Several processes that train as one; the device; and the memory allocator of this process."""

import contextlib
import ctypes
import logging
import os
import platform
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from dermsynth.errors import UserError
from dermsynth.locks import acquire, release

logger = logging.getLogger(__name__)

WAIT, PATIENCE = "DERMSYNTH_WAIT", 300.0
"""Variable with the seconds for which the processes of a group wait for each other, and its value where it is not set."""
NOT_A_STEP = 0xFFFF_FFF0
"""From this number on a SLURM step is the batch script, an interactive shell or the like, no step of `srun`."""
POLL = 0.2


@dataclass(frozen=True)
class Place:
    """A process in its group: number, how many there are, and where they meet."""

    rank: int
    count: int
    address: str
    port: int


def place_in_group(environment: Mapping[str, str]) -> Place | None:
    """The place of this process in its group, from the variables of `torchrun` or a SLURM step; None if it works alone.

    The variables of a SLURM job count inside a step of `srun` only: in a batch script they describe what was asked for,
    and there is one process. Raises UserError for variables that contradict each other, are missing, or are not numbers.
    """
    if "WORLD_SIZE" in environment:
        return _place(environment, "WORLD_SIZE", "RANK")
    if "RANK" in environment:
        raise UserError("RANK is set and WORLD_SIZE is not: start the processes with torchrun, or unset RANK")
    tasks = "SLURM_STEP_NUM_TASKS" if "SLURM_STEP_NUM_TASKS" in environment else "SLURM_NTASKS"
    if not _in_step(environment):
        if environment.get("SLURM_NTASKS", "1") != "1":
            logger.warning(
                f"SLURM_NTASKS is {environment['SLURM_NTASKS']}, and this process was not started by srun: it works alone"
            )
        return None
    if _number(environment, tasks, 1) == 1:
        return None
    if "MASTER_ADDR" not in environment:
        logger.warning(
            f"one of {environment[tasks]} tasks of a SLURM step, each of which works alone; to work as one they need "
            "MASTER_ADDR and MASTER_PORT"
        )
        return None
    return _place(environment, tasks, "SLURM_PROCID")


def _in_step(environment: Mapping[str, str]) -> bool:
    step = environment.get("SLURM_STEP_ID", environment.get("SLURM_STEPID", ""))
    return step.isdecimal() and int(step) < NOT_A_STEP and "SLURM_PROCID" in environment


def _place(environment: Mapping[str, str], count_name: str, rank_name: str) -> Place | None:
    count = _number(environment, count_name, 1)
    if count == 1:
        return None
    rank = _number(environment, rank_name, 0)
    if rank >= count:
        raise UserError(f"{rank_name}={rank}: must be less than {count_name}={count}")
    if not environment.get("MASTER_ADDR"):
        raise UserError(
            f"MASTER_ADDR is not set: {count} processes ({count_name}) need the name of the first one's machine"
        )
    port = _number(environment, "MASTER_PORT", 1)
    if port > 65535:
        raise UserError(f"MASTER_PORT={port}: must be 1 to 65535")
    return Place(rank, count, environment["MASTER_ADDR"], port)


def _number(environment: Mapping[str, str], name: str, least: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        raise UserError(f"{name} is not set: several processes are started with torchrun or srun, which set it")
    if not text.isdecimal() or int(text) < least:
        raise UserError(f"{name}={text!r}: must be a whole number of at least {least}")
    return int(text)


def start(device: str = "auto") -> None:
    """Join the group that `torchrun` or a SLURM step describes in the environment; alone, do nothing.

    Logs whom it waits for. Raises UserError when the others have not come after DERMSYNTH_WAIT seconds.
    """
    place = None if dist.is_initialized() else place_in_group(os.environ)
    if place is None:
        return
    os.environ.setdefault("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))
    names = {"WORLD_SIZE": place.count, "RANK": place.rank, "MASTER_PORT": place.port}
    os.environ.update({name: str(value) for name, value in names.items()})
    patience = _patience(os.environ.get(WAIT, ""))
    logger.info(
        f"process {place.rank + 1} of {place.count}: waiting for the others at {place.address}:{place.port} "
        f"({patience:g} seconds at most; {WAIT} sets them)"
    )
    store = _met(place, patience)
    backend = "cpu:gloo,cuda:nccl" if device != "cpu" and torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.count)


def _patience(text: str) -> float:
    try:
        seconds = float(text or PATIENCE)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise UserError(f"{WAIT}={text!r}: must be a number of seconds above 0")
    return seconds


def _met(place: Place, patience: float) -> Store:
    """Wait until all processes have met, and return their store. A thread waits, so that this one still receives signals."""
    answers: list[Store | Exception] = []

    deadline = time.monotonic() + patience
    refused = None if place.rank == 0 else _unreachable(place, deadline)

    def meet() -> None:
        try:
            answers.append(next(rendezvous("env://", timeout=timedelta(seconds=patience)))[0])
        except (RuntimeError, ValueError, OSError) as error:
            answers.append(error)

    if refused is None:
        Thread(target=meet, daemon=True).start()
    while refused is None and not answers and time.monotonic() < deadline + 5:  # the thread's own end comes first
        time.sleep(POLL)
    if answers and isinstance(answers[0], Store):
        return answers[0]
    reason = str(refused or (answers[0] if answers else "no answer")).splitlines()[0][:120]
    raise UserError(
        f"{place.address}:{place.port}: {place.count} processes were to meet here within {patience:g} seconds and did not "
        f"({reason}); start all of them, or, to work alone, unset WORLD_SIZE, RANK and MASTER_ADDR"
    )


def _unreachable(place: Place, deadline: float) -> OSError | None:
    """Wait until the first process listens; returns the error if it does not in time."""
    while True:
        try:
            socket.create_connection((place.address, place.port), timeout=5).close()
            return None
        except OSError as error:
            if time.monotonic() > deadline:
                return error
        time.sleep(POLL)


def stop() -> None:
    """Leave the group."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def total(tensor: Tensor) -> Tensor:
    """Sum over all processes; the argument is not changed."""
    if count() == 1:
        return tensor
    summed = tensor.detach().clone()
    dist.all_reduce(summed)
    return summed


def average_gradients(parameters: list[nn.Parameter], flag: Tensor) -> Tensor:
    """Average the gradients over all processes with one flattened all-reduce; returns the sum of a flag [] over them."""
    if count() == 1:
        return flag
    used = [(p, p.grad) for p in parameters if p.grad is not None]  # the same ones in every process
    summed = total(torch.cat([*(gradient.flatten() for _, gradient in used), flag.reshape(1)]))
    flat = summed[:-1] / count()
    for (_, gradient), mean in zip(used, flat.split([p.numel() for p, _ in used]), strict=True):
        gradient.copy_(mean.view(gradient.shape))  # in place: fused Adam wants the parameter's own memory layout
    return summed[-1]


def agree(flag: bool) -> bool:
    """Whether the flag is true in any process: the processes wait for each other, none of them for its GPU."""
    return flag if count() == 1 else bool(total(torch.tensor(float(flag))) > 0)


def wait() -> None:
    """Wait for the other processes."""
    if dist.is_initialized():
        dist.barrier()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder for the whole group: the first process locks it, and all stop where it cannot.

    Raises UserError when another program writes into the folder.
    """
    lock, refused = None, None
    if rank() == 0:
        try:
            lock = acquire(folder)
        except UserError as error:
            refused = error
    if agree(refused is not None):
        raise refused or UserError(f"{folder}: another process writes into it")
    try:
        yield
    finally:
        release(lock)


def own_gpu(environment: Mapping[str, str], visible: int) -> str:
    """This process's GPU of the machine; the only one where SLURM shows each task its own (`--gpus-per-task=1`)."""
    if visible == 1 and "SLURM_LOCALID" in environment:
        return "cuda:0"
    return f"cuda:{environment.get('LOCAL_RANK', '0')}"


def choose_device(name: str) -> torch.device:
    """`auto` takes this process's GPU where there is one.

    Raises UserError for a device that is not there.
    """
    name = str(name)
    if name == "auto":
        name = own_gpu(os.environ, torch.cuda.device_count()) if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"`device` {name!r}: not there; use cpu or auto") from error
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def keep_freed_memory() -> None:
    """Let glibc keep large freed blocks: every step allocates tensors of the same sizes, and new pages cost time."""
    if platform.system() != "Linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        trim_threshold, mmap_threshold = -1, -3
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, (1 << 31) - 1)
    except OSError:  # another C library: only speed is lost
        return
