"""The images of every step on the device that trains: resident there where they fit, so that a step uploads nothing."""

import logging
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermsynth.data.order import Order
from dermsynth.data.training_set import Minibatch, MinibatchDomains, TrainingSet
from dermsynth.models.base import Batch, DomainImages
from dermsynth.models.sampler import label_rows, make_batch, to_floats
from dermsynth.rng import Draws

logger = logging.getLogger(__name__)

BLOCK = Order.BLOCK
"""Images of the order whose numbers are uploaded at once."""
SHARE = 0.4
"""Of a GPU's free memory, what the images may take."""


class Feed(Protocol):
    """Where the batches of a training come from."""

    def batch(self, start: int, count: int, draws: Draws) -> Batch:
        """The images at positions start ... start + count - 1 of the order, on the device."""
        ...


def feed_of(data: TrainingSet, device: torch.device) -> Feed:
    """Images in the device's memory where they fit into SHARE of what is free of it, else prepared beside the step."""
    if device.type == "cpu":
        return ResidentFeed(data, device)
    size, free = sum(array.nbytes for array in _arrays(data).values()), torch.cuda.mem_get_info(device)[0]
    if size <= SHARE * free:
        logger.info(f"images: {size / 2**20:,.0f} MiB in the memory of {device}")
        return ResidentFeed(data, device)
    logger.info(
        f"images: {size / 2**30:,.1f} GiB are too many for {free / 2**30:,.1f} GiB free on {device}: read beside the step"
    )
    return StreamedFeed(data, device)


def _arrays(data: TrainingSet) -> dict[str, NDArray[np.uint8]]:
    """Every array of images, maps and masks, by the name that its places or its field have."""
    arrays = {"images": data.images} if data.domains is None else {}
    if data.maps is not None:
        arrays["maps"] = data.maps
    if data.domains is not None:
        sides = ("source", "target", "source_masks", "target_masks")
        arrays |= {name: array for name in sides if (array := getattr(data.domains, name)) is not None}
    return arrays


class ResidentFeed:
    """All images as uint8 on the device, and the numbers of a block of the order: a step reads from there alone.

    On a CPU they are the memory map itself, of which nothing is copied.
    """

    def __init__(self, data: TrainingSet, device: torch.device) -> None:
        self.data, self.device = data, device
        self.arrays = {name: _as_tensor(array, device) for name, array in _arrays(data).items()}
        self.labels = torch.from_numpy(np.array(data.labels)).to(device)
        self.rows = label_rows(len(data.classes), device)
        self._block, self._numbers = -1, dict[str, Tensor]()

    def batch(self, start: int, count: int, draws: Draws) -> Batch:
        """The images at positions start ... start + count - 1 of the order."""
        places = self._places(start, count)
        label = self.rows[self.labels[places["images"]]]
        if self.data.domains is not None:
            domains = self._domains(places)
            return Batch(to_floats(self.arrays["target"][places["images"]]), label, draws, None, domains)
        maps = self.arrays["maps"][places["images"]] if "maps" in self.arrays else None
        return Batch(to_floats(self.arrays["images"][places["images"]]), label, draws, maps)

    def _places(self, start: int, count: int) -> dict[str, Tensor]:
        """The numbers at some positions, which may lie in two blocks of the order."""
        stop, parts = start + count, []
        for block in range(start // BLOCK, (stop - 1) // BLOCK + 1):
            first = block * BLOCK
            numbers = self._of_block(block)
            own = slice(max(start - first, 0), min(stop - first, BLOCK))
            parts.append({name: of[own] for name, of in numbers.items()})
        return parts[0] if len(parts) == 1 else {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _of_block(self, block: int) -> dict[str, Tensor]:
        if block != self._block:
            places = self.data.places(block * BLOCK, BLOCK)
            self._numbers = {name: torch.from_numpy(numbers).to(self.device) for name, numbers in places.items()}
            self._block = block
        return self._numbers

    def _domains(self, places: dict[str, Tensor]) -> DomainImages:
        source, target = self.arrays["source"], self.arrays["target"]
        return DomainImages(
            to_floats(source[places["source"]]),
            to_floats(target[places["target"]]),
            to_floats(source[places["real_source"]]),
            to_floats(target[places["real_target"]]),
            self._masks(places).float(),
        )

    def _masks(self, places: dict[str, Tensor]) -> Tensor:
        """The masks of one side's images, or zeros, as `Domains.masked` says."""
        assert self.data.domains is not None
        if self.data.domains.masked is not None:
            side = self.data.domains.masked[0]
            return self.arrays[f"{side}_masks"][places[side]]
        source = self.arrays["source"]
        return source.new_zeros(len(places["source"]), 1, *source.shape[2:])


def _as_tensor(array: NDArray[np.uint8], device: torch.device) -> Tensor:
    """The array on the device, shared where that is the CPU; memory maps are read-only, and nobody writes to them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(array).to(device)


class StreamedFeed:
    """Images that stay on the host: a thread gathers those of the next step in memory from which a GPU can copy by itself."""

    def __init__(self, data: TrainingSet, device: torch.device) -> None:
        self.data, self.device = data, device
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="images")
        self._next: tuple[tuple[int, int], Future[Minibatch]] | None = None
        self._last = 0

    def batch(self, start: int, count: int, draws: Draws) -> Batch:
        """The images at positions start ... start + count - 1 of the order; those as far ahead as these are gathered next."""
        if self._next is not None and self._next[0] == (start, count):
            minibatch = self._next[1].result()
        else:
            minibatch = self._pool.submit(self._gather, start, count).result()
        ahead = start + (start - self._last if start > self._last else count)
        self._last, self._next = start, ((ahead, count), self._pool.submit(self._gather, ahead, count))
        return make_batch(minibatch, len(self.data.classes), draws, self.device)

    def _gather(self, start: int, count: int) -> Minibatch:
        minibatch = self.data.take(start, count)
        return _pinned(minibatch) if self.device.type == "cuda" else minibatch


def _pinned(minibatch: Minibatch) -> Minibatch:
    """The same arrays in pinned memory."""

    def pin(array: NDArray[Any]) -> NDArray[Any]:
        pinned: NDArray[Any] = torch.from_numpy(array).pin_memory().numpy()
        return pinned

    domains = None
    if minibatch.domains is not None:
        domains = MinibatchDomains(*map(pin, vars(minibatch.domains).values()))
    maps = None if minibatch.maps is None else pin(minibatch.maps)
    return Minibatch(pin(minibatch.images), pin(minibatch.labels), maps, domains)
