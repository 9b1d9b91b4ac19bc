"""Count what makes the host wait for a GPU, on a machine without one: values that are read, and arrays that are uploaded."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode

READS = {
    "_local_scalar_dense", "nonzero", "is_nonzero", "item", "masked_select", "equal", "_unique2", "unique_dim",
    "unique_consecutive", "bincount", "allclose",
}  # fmt: skip
UPLOAD = "lift_fresh"
"""What torch.tensor, torch.as_tensor, torch.from_numpy and new_tensor do with data that come from Python or numpy."""
UNSEEN = ("tolist", "numpy", "cpu")
"""Methods that read from a device without an operation that could be seen here."""
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}


class Waits(TorchDispatchMode):
    """Counts operations after which the host waits for the device, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = function.overloadpacket.__name__
        if name in READS or name == UPLOAD:
            self.counts[name] += 1
        if name in INDEXING and any(x is not None and x.dtype in (torch.bool, torch.uint8) for x in args[1]):
            self.counts[f"{name} by a mask"] += 1
        return function(*args, **(kwargs or {}))


@contextmanager
def count_waits() -> Iterator[Counter[str]]:
    """The counts so far, which grow while the context lasts."""
    waits = Waits()

    def counted(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def count(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            waits.counts[name] += 1
            return method(tensor, *args, **kwargs)

        return count

    with waits, patch.multiple(torch.Tensor, **{name: counted(name, getattr(torch.Tensor, name)) for name in UNSEEN}):
        yield waits.counts
