"""Inception-v3 as the FID papers use it (the TensorFlow graph of 2015-12-05), from a file of its weights.

Batch norm is folded into the convolutions; everything runs channels-last.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.special
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from dermsynth.errors import UserError

BATCH_NORM_EPSILON = 1e-3
SIZE = 299
DEPTHS = {64: "Conv2d_2b_3x3", 192: "Conv2d_4a_3x3", 768: "Mixed_6e", 2048: "Mixed_7c"}
"""Dimensions of the pooled features and the last layer each of them needs."""
_VALID = ("Conv2d_1a", "Conv2d_2a", "Conv2d_4a", "Mixed_6a.branch3x3.", "Mixed_6a.branch3x3dbl_3", "Mixed_7a.branch3x3_2",
          "Mixed_7a.branch7x7x3_4")  # fmt: skip
_STRIDED = (
    "Conv2d_1a",
    "Mixed_6a.branch3x3.",
    "Mixed_6a.branch3x3dbl_3",
    "Mixed_7a.branch3x3_2",
    "Mixed_7a.branch7x7x3_4",
)
_BRANCHES: dict[str, tuple[tuple[str, ...], ...]] = {
    "5": (("branch1x1",), ("branch5x5_1", "branch5x5_2"), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")),
    "6": (
        ("branch1x1",),
        ("branch7x7_1", "branch7x7_2", "branch7x7_3"),
        ("branch7x7dbl_1", "branch7x7dbl_2", "branch7x7dbl_3", "branch7x7dbl_4", "branch7x7dbl_5"),
    ),
    "6a": (("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")),
    "7a": (
        ("branch3x3_1", "branch3x3_2"),
        ("branch7x7x3_1", "branch7x7x3_2", "branch7x7x3_3", "branch7x7x3_4"),
    ),
}


class Inception(nn.Module):
    """Pooled features of Inception-v3: [n, 3, 299, 299] in 0 ... 255 -> [n, 64, 192, 768 or 2048]."""

    def __init__(self, state: dict[str, Tensor], dimensions: int) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.classes = state.get("fc.weight") if dimensions == max(DEPTHS) else None
        self._names: dict[str, str] = {}
        for key in state:
            if key.endswith(".conv.weight"):
                name = key.removesuffix(".conv.weight")
                weight, bias = _fold_batch_norm(state, name)
                safe = name.replace(".", "_")
                self._names[name] = safe
                self.register_buffer(f"{safe}_weight", weight.contiguous(memory_format=torch.channels_last))
                self.register_buffer(f"{safe}_bias", bias)

    def _convolve(self, x: Tensor, name: str) -> Tensor:
        safe = self._names[name]
        weight, bias = getattr(self, f"{safe}_weight"), getattr(self, f"{safe}_bias")
        place = f"{name}."
        valid = any(place.startswith(v) for v in _VALID)
        padding = (0, 0) if valid else (weight.shape[2] // 2, weight.shape[3] // 2)
        stride = 2 if any(place.startswith(s) for s in _STRIDED) else 1
        return F.relu_(F.conv2d(x, weight.to(x.dtype), bias.to(x.dtype), padding=padding, stride=stride))

    def _chain(self, x: Tensor, block: str, names: tuple[str, ...]) -> Tensor:
        for name in names:
            x = self._convolve(x, f"{block}.{name}")
        return x

    def _mixed(self, x: Tensor, block: str) -> Tensor:
        number = block.removeprefix("Mixed_")
        if number in ("6a", "7a"):
            results = [self._chain(x, block, names) for names in _BRANCHES[number]]
            return torch.cat([*results, F.max_pool2d(x, 3, 2)], dim=1)
        if number.startswith("7"):
            return self._last(x, block)
        results = [self._chain(x, block, names) for names in _BRANCHES[number[0]]]
        pooled = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        return torch.cat([*results, self._convolve(pooled, f"{block}.branch_pool")], dim=1)

    def _last(self, x: Tensor, block: str) -> Tensor:
        """The two widest blocks, whose branches fork; the last one pools by the maximum."""
        middle = self._convolve(x, f"{block}.branch3x3_1")
        deep = self._chain(x, block, ("branch3x3dbl_1", "branch3x3dbl_2"))
        if block == "Mixed_7c":
            pooled = F.max_pool2d(x, 3, stride=1, padding=1)
        else:
            pooled = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        return torch.cat(
            [
                self._convolve(x, f"{block}.branch1x1"),
                self._convolve(middle, f"{block}.branch3x3_2a"),
                self._convolve(middle, f"{block}.branch3x3_2b"),
                self._convolve(deep, f"{block}.branch3x3dbl_3a"),
                self._convolve(deep, f"{block}.branch3x3dbl_3b"),
                self._convolve(pooled, f"{block}.branch_pool"),
            ],
            dim=1,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Stop at the layer that gives the wanted dimensions and average over positions."""
        x = ((x - 128) / 128).contiguous(memory_format=torch.channels_last)
        last = DEPTHS[self.dimensions]
        for name in (
            "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "pool_64", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "pool_192",
            "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a",
            "Mixed_7b", "Mixed_7c",
        ):  # fmt: skip
            if name.startswith("pool"):
                x = F.max_pool2d(x, 3, 2)
                if self.dimensions == int(name.removeprefix("pool_")):
                    break
            else:
                x = self._mixed(x, name) if name.startswith("Mixed") else self._convolve(x, name)
            if name == last and self.dimensions > 192:
                break
        return x.mean(dim=(2, 3)).float()

    @property
    def probabilities(self) -> Callable[[NDArray[np.float32]], NDArray[np.float64]] | None:
        """Features [n, 2048] -> probabilities of the 1,008 classes, without the bias as in the Inception score's own code.

        None where the weights end earlier.
        """
        if self.classes is None:
            return None
        weight = self.classes.double().numpy()

        def head(features: NDArray[np.float32]) -> NDArray[np.float64]:
            probabilities: NDArray[np.float64] = scipy.special.softmax(features.astype(np.float64) @ weight.T, axis=1)
            return probabilities

        return head


def _fold_batch_norm(state: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """Convolution and batch norm as one convolution with a bias."""
    weight = state[f"{name}.conv.weight"].float()
    deviation = (state[f"{name}.bn.running_var"].float() + BATCH_NORM_EPSILON).sqrt()
    gamma = state.get(f"{name}.bn.weight", torch.ones_like(deviation)).float() / deviation
    bias = state[f"{name}.bn.bias"].float() - state[f"{name}.bn.running_mean"].float() * gamma
    return weight * gamma[:, None, None, None], bias


def load_inception(path: Path, dimensions: int | None = None) -> Inception:
    """Load weights with the key names of pytorch-fid and torch-fidelity, as deep as the file goes.

    Raises UserError when the file does not hold these weights, or not deep enough.
    """
    state = (
        load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    )
    if "Conv2d_1a_3x3.conv.weight" not in state:
        raise UserError(f"{path}: not the weights of the FID Inception-v3 (no Conv2d_1a_3x3.conv.weight)")
    deepest = max(d for d, layer in DEPTHS.items() if any(key.startswith(layer) for key in state))
    depth = dimensions or deepest
    if depth not in DEPTHS or depth > deepest:
        raise UserError(
            f"{path}: reaches {deepest} dimensions, asked for {depth}; there are: {', '.join(map(str, DEPTHS))}"
        )
    return Inception(state, depth).eval()
