"""The same networks written the textbook way: the other side of every speed comparison and of the equivalence test.

Grouped convolutions with one set of weights per sample, FIR by explicit padding and depthwise convolution in NCHW
float32, dense two-dimensional augmentation filters applied to every image, gains applied after the layer.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermsynth.models.layers.augmentation.colour import random_colour, recolour
from dermsynth.models.layers.augmentation.geometry import random_transform
from dermsynth.models.layers.augmentation.grid_sample import grid_sample
from dermsynth.models.layers.augmentation.pipeline import Augmentation
from dermsynth.models.layers.augmentation.wavelets import DELAY, REACH, SYM6
from dermsynth.models.layers.equalized import Convolution, Dense, minibatch_deviation
from dermsynth.models.stylegan2_networks import (
    Discriminator,
    ResidualBlock,
    StyledConvolution,
    Synthesis,
    SynthesisBlock,
    ToImage,
)
from dermsynth.rng import Draws


def fir(x: Tensor, pad: tuple[int, int], gain: float = 1.0) -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = torch.outer(taps, taps) / 64 * gain
    x = F.pad(x, (pad[0], pad[1], pad[0], pad[1]))
    return F.conv2d(x, kernel.expand(x.shape[1], 1, 4, 4), groups=x.shape[1])


def stuff_zeros(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    wide = torch.stack([x, torch.zeros_like(x)], dim=4).reshape(n, c, h, 2 * w)
    return torch.stack([wide, torch.zeros_like(wide)], dim=3).reshape(n, c, 2 * h, 2 * w)


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


class TextbookDense(Dense):
    def forward(self, x: Tensor) -> Tensor:
        multiplier = self.bias_gain / (math.sqrt(2) if self.activate else 1)
        x = x @ (self.weight * (multiplier / math.sqrt(self.weight.shape[1]))).T + self.bias * multiplier
        return leaky(x) if self.activate else x


class TextbookConvolution(Convolution):
    def plain(self) -> Tensor:
        return self.weight / math.sqrt(self.weight[0].numel())

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.plain(), padding=self.padding)
        if self.bias is not None:
            x = x + self.bias[:, None, None]
        gain = self.gain / (math.sqrt(2) if self.activate else 1)
        return (leaky(x) if self.activate else x) * gain


class TextbookResidualBlock(ResidualBlock):
    def forward(self, x: Tensor) -> Tensor:
        short = F.conv2d(fir(x, (1, 1))[:, :, ::2, ::2], self.shortcut.plain()) * math.sqrt(0.5)
        y = F.conv2d(fir(self.first(x), (2, 2)), self.second.plain(), stride=2)
        return leaky(y + self.second.bias[:, None, None]) * math.sqrt(0.5) + short


def grouped(x: Tensor, weight: Tensor, up: bool) -> Tensor:
    """Convolution with per-sample weights [n, o, i, k, k]."""
    n, o, i, k, _ = weight.shape
    x = x.reshape(1, n * i, *x.shape[2:])
    if up:
        x = F.conv_transpose2d(x, weight.transpose(1, 2).reshape(n * i, o, k, k), stride=2, groups=n)
    else:
        x = F.conv2d(x, weight.reshape(n * o, i, k, k), padding=k // 2, groups=n)
    return x.reshape(n, o, *x.shape[2:])


class TextbookStyledConvolution(StyledConvolution):
    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        styles = self.affine(w)
        weight = self.weight * self.weight_gain
        weight = weight[None] * styles[:, None, :, None, None]
        weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        x = grouped(x, weight, self.up)
        if self.up:
            x = fir(x, (1, 1), 4.0)
        return leaky(x + noise * self.noise_strength + self.bias[:, None, None])


class TextbookToImage(ToImage):
    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        weight = (self.weight * self.weight_gain)[None] * self.affine(w)[:, None, :, None, None]
        return grouped(x, weight, False) + self.bias[:, None, None]


class TextbookSynthesisBlock(SynthesisBlock):
    def forward(self, x, image, ws, noise):  # type: ignore[no-untyped-def]
        styles = list(ws.unbind(dim=1))
        if self.up is not None:
            x = self.up(x, styles.pop(0), noise[0])
        x = self.convolution(x, styles.pop(0), noise[-1])
        own = self.to_image(x, styles.pop(0))
        return x, own if image is None else own + fir(stuff_zeros(image), (2, 1), 4.0)


class TextbookSynthesis(Synthesis):
    def forward(self, ws: Tensor, noise: list[Tensor], dtype: torch.dtype = torch.float32) -> Tensor:
        x, image = self.constant.repeat(len(ws), 1, 1, 1), None
        layer = number = 0
        for index, block in enumerate(self.blocks.values()):
            count = 1 if index == 0 else 2
            x, image = block(x, image, ws[:, layer : layer + count + 1], noise[number : number + count])
            layer, number = layer + count, number + count
        return image


class TextbookDiscriminator(Discriminator):
    def forward(self, image: Tensor, label: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        x = self.from_image(image.contiguous())
        for block in self.blocks.values():
            x = block(x)
        x = self.convolution(minibatch_deviation(x, 4).contiguous())
        x = self.output(self.dense(x.flatten(1)))
        if self.label_mapping is None:
            return x.squeeze(1)
        return (x * self.label_mapping(x.new_zeros(len(x), 0), label)).sum(dim=1) / math.sqrt(x.shape[1])


class TextbookAugmentation(Augmentation):
    """Mirror-pads, doubles by a dense 12 x 12 filter, samples, halves by a dense filter: for every image, every time."""

    def forward(self, image: Tensor, draws: Draws) -> Tensor:
        p = self.p.double()
        with torch.no_grad():
            size = (image.shape[2], image.shape[3])
            inverse = random_transform(draws.uniform, draws.normal, p, self.strengths, size)
            linear, offset = random_colour(draws.uniform, draws.normal, p, self.strengths)
        return recolour(dense_warp(image, inverse), linear, offset)


def dense_warp(image: Tensor, inverse: Tensor) -> Tensor:
    """The image padded by its mirror image as far as is needed, doubled, sampled where `inverse` says, halved."""
    c, h, w = image.shape[1:]
    taps = torch.tensor(SYM6, dtype=torch.float64)
    taps = (taps / taps.sum()).to(image.dtype)
    kernel = torch.outer(taps, taps).expand(c, 1, 12, 12)
    place = places(inverse, h, w)
    outside = torch.stack([-place.amin((0, 1, 2)), place.amax((0, 1, 2)) - place.new_tensor([w, h])]).amax(0)
    right, down = (int(side) for side in (outside.clamp(min=0) + REACH).ceil())
    stuffed = stuff_zeros(mirrored(image.contiguous(), right, down))
    # tap t of output m reads position m - t + 5, a true convolution: the kernel is flipped
    double = F.conv2d(F.pad(stuffed, (6, 5, 6, 5)), kernel.flip(2, 3) * 4, groups=c)
    sample = 2 * (place + place.new_tensor([right, down])) / place.new_tensor([w + 2 * right, h + 2 * down]) - 1
    sampled = grid_sample(double.contiguous(), sample)
    return F.conv2d(sampled[:, :, 1:-1, 1:-1], kernel, stride=2, groups=c)[:, :, :h, :w]


def mirrored(image: Tensor, right: int, down: int) -> Tensor:
    """Reflected about the outermost pixels; further out than the image is wide, again."""
    h, w = image.shape[2:]
    while right or down:
        x, y = min(right, w - 1), min(down, h - 1)
        image = F.pad(image, (x, x, y, y), mode="reflect")
        right, down = right - x, down - y
    return image


def places(inverse: Tensor, h: int, w: int) -> Tensor:
    """Of every sample of the doubled result, with a margin, its place in the image: pixels from the outer edge on."""
    size = inverse.new_tensor([w, h])
    y, x = torch.meshgrid(
        *(torch.arange(-REACH, 2 * side + REACH, dtype=inverse.dtype) for side in (h, w)), indexing="ij"
    )
    there = torch.stack([x, y], dim=-1) / 2 + 0.25 + DELAY / 2 - size / 2
    found = torch.einsum("nij,yxj->nyxi", inverse[:, :2, :2], there) + inverse[:, None, None, :2, 2]
    return found + size / 2 - DELAY / 2


TWINS: dict[type[nn.Module], type[nn.Module]] = {
    Dense: TextbookDense,
    Convolution: TextbookConvolution,
    ResidualBlock: TextbookResidualBlock,
    StyledConvolution: TextbookStyledConvolution,
    ToImage: TextbookToImage,
    SynthesisBlock: TextbookSynthesisBlock,
    Synthesis: TextbookSynthesis,
    Discriminator: TextbookDiscriminator,
    Augmentation: TextbookAugmentation,
}


def as_textbook(recipe: nn.Module) -> nn.Module:
    """Turn every layer of a recipe into its textbook twin, with the same parameters."""
    for module in recipe.modules():
        if type(module) in TWINS:
            module.__class__ = TWINS[type(module)]
    return recipe
