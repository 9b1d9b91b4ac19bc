"""Several processes that train as one, and the memory allocator of this one."""

import ctypes
import os
import platform

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dermsynth.errors import UserError


def start(device: str = "auto") -> None:
    """Join the group that `torchrun` or SLURM describes in the environment; alone, do nothing."""
    if "WORLD_SIZE" not in os.environ and int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "MASTER_ADDR" in os.environ:
        os.environ["WORLD_SIZE"], os.environ["RANK"] = os.environ["SLURM_NTASKS"], os.environ["SLURM_PROCID"]
        os.environ.setdefault("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device != "cpu" and torch.cuda.is_available() else "gloo")


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
    """Sum over all processes; the argument stays as it is."""
    if count() == 1:
        return tensor
    summed = tensor.detach().clone()
    dist.all_reduce(summed)
    return summed


def average_gradients(parameters: list[nn.Parameter]) -> None:
    """Average the gradients over all processes with one flattened all-reduce."""
    if count() == 1:
        return
    used = [(p, p.grad) for p in parameters if p.grad is not None]  # the same ones in every process
    flat = total(torch.cat([gradient.flatten() for _, gradient in used])) / count()
    for (_, gradient), mean in zip(used, flat.split([p.numel() for p, _ in used]), strict=True):
        gradient.copy_(mean.view(gradient.shape))  # in place: fused Adam wants the parameter's own memory layout


def agree(flag: bool, device: torch.device) -> bool:
    """True where any process says so."""
    return bool(total(torch.tensor(float(flag), device=device)) > 0)


def wait() -> None:
    """Wait for the other processes."""
    if dist.is_initialized():
        dist.barrier()


def choose_device(name: str) -> torch.device:
    """`auto` takes this process's GPU where there is one.

    Raises UserError for a device that is not there.
    """
    if name == "auto":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {name!r}: not there; use cpu or auto") from error
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def keep_freed_memory() -> None:
    """Let glibc keep large freed blocks: the same tensors come back every step, and new pages cost more than they."""
    if platform.system() != "Linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        trim_threshold, mmap_threshold = -1, -3
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, (1 << 31) - 1)
    except OSError:  # another C library: only speed is lost
        return
