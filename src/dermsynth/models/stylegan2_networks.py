"""Mapping network, skip generator and residual discriminator of StyleGAN2 (Karras et al. 2020a), written from the paper."""

import math
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermsynth.models.layers.equalized import (
    ACTIVATION_GAIN,
    CLAMP,
    LEAK,
    Convolution,
    Dense,
    clamp_magnitude,
    minibatch_deviation,
    normalise_second_moment,
)
from dermsynth.models.layers.resample import convolve_down, convolve_up, downsample, upsample
from dermsynth.models.layers.shapes import Shape, channels_at


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """1 / sqrt(sum over inputs and taps of (s_i w_ijk)^2 + eps): equation 3. [o, i, k, k], [n, i] -> [n, o]."""
    return (styles.square() @ weight.square().sum(dim=(2, 3)).T + 1e-8).rsqrt()


def modulated_convolution(x: Tensor, weight: Tensor, styles: Tensor, *, up: bool = False) -> Tensor:
    """Convolve with weights scaled per sample by `styles` (equation 1), as activations scaled before a shared kernel.

    Scaling the input feature maps equals scaling the weights (section 2.2), so one ordinary convolution serves the
    whole batch. `x` [n, i, h, w], `weight` [o, i, k, k], `styles` [n, i]; with `up` the result is twice as large.
    Demodulation is left to the caller, who scales the result.
    """
    x = x * styles[:, :, None, None].to(x.dtype)
    if up:
        kernel = weight.transpose(0, 1).to(x.dtype, memory_format=torch.channels_last)
        return convolve_up(x, kernel)
    kernel = weight.to(x.dtype, memory_format=torch.channels_last)
    return F.conv2d(x, kernel, padding=weight.shape[2] // 2)


class StyledConvolution(nn.Module):
    """One layer of the synthesis network: modulate, convolve, demodulate, add noise and bias, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, latent: int, *, up: bool = False) -> None:
        super().__init__()
        self.affine = Dense(latent, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.up = up
        self.weight_gain = 1.0 / math.sqrt(inputs * 9)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """[n, inputs, h, w], [n, latent], [n, 1, h', w'] -> [n, outputs, h', w'] in the dtype of x."""
        styles = self.affine(w)
        weight = self.weight * self.weight_gain
        if x.dtype == torch.float16:
            # A common factor of weights or styles cancels in the demodulation; without it they overflow.
            weight = weight / weight.abs().amax(dim=(1, 2, 3), keepdim=True)
            styles = styles / styles.abs().amax(dim=1, keepdim=True)
        scale = demodulation(weight, styles) * ACTIVATION_GAIN
        y = modulated_convolution(x, weight, styles, up=self.up)
        shift = (noise * (self.noise_strength * ACTIVATION_GAIN)).to(y.dtype)
        y = torch.addcmul(shift, y, scale[:, :, None, None].to(y.dtype))
        y = y.add_((self.bias * ACTIVATION_GAIN).to(y.dtype)[:, None, None])
        return clamp_magnitude(F.leaky_relu_(y, LEAK), CLAMP)


class ToImage(nn.Module):
    """Modulated 1x1 convolution to colour channels, without demodulation, activation or noise."""

    def __init__(self, inputs: int, latent: int, colours: int = 3) -> None:
        super().__init__()
        self.affine = Dense(latent, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(colours, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colours))
        self.weight_gain = 1.0 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[n, inputs, h, w], [n, latent] -> [n, colours, h, w] in float32."""
        y = modulated_convolution(x, self.weight * self.weight_gain, self.affine(w))
        return clamp_magnitude(y, CLAMP).float() + self.bias[:, None, None]


RATE_MULTIPLIER = 0.01


class Mapping(nn.Module):
    """z and class -> w: normalised inputs, then dense layers with a hundredth of the learning rate."""

    def __init__(self, latent: int, width: int, layers: int, classes: int) -> None:
        super().__init__()
        self.latent, self.width = latent, width
        self.embed = Dense(classes, width) if classes else None
        inputs = latent + (width if classes else 0)
        sizes = [inputs] + [width] * layers
        self.layers = nn.ModuleList(
            Dense(a, b, activate=True, rate_multiplier=RATE_MULTIPLIER) for a, b in pairwise(sizes)
        )

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """[n, latent], one-hot [n, classes] -> [n, width]."""
        x = normalise_second_moment(z)
        if self.embed is not None:
            x = torch.cat([x, self.embedded(label)], dim=1)
        for layer in self.layers:
            x = layer(x)
        return x

    def embedded(self, label: Tensor) -> Tensor:
        """What a class is for the first layer: one-hot [n, classes] -> [n, width]."""
        assert self.embed is not None
        return normalise_second_moment(self.embed(label))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Checkpoints of earlier versions hold a running mean of w, which is left aside: see `networks/centre.py`."""
        state_dict.pop(f"{prefix}mean_w", None)
        super()._load_from_state_dict(state_dict, prefix, *others)


class SynthesisBlock(nn.Module):
    """Two styled convolutions at one resolution (one at the first) and the image they contribute."""

    def __init__(self, inputs: int, outputs: int, latent: int) -> None:
        super().__init__()
        self.up = StyledConvolution(inputs, outputs, latent, up=True) if inputs else None
        self.convolution = StyledConvolution(outputs, outputs, latent)
        self.to_image = ToImage(outputs, latent)

    def forward(self, x: Tensor, image: Tensor | None, ws: Tensor, noise: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Features and image so far -> features and image at this resolution; `ws` [n, layers of the block, latent]."""
        styles = list(ws.unbind(dim=1))
        if self.up is not None:
            x = self.up(x, styles.pop(0), noise[0])
        x = self.convolution(x, styles.pop(0), noise[-1])
        own = self.to_image(x, styles.pop(0))
        return x, own if image is None else own.add_(upsample(image))


class Synthesis(nn.Module):
    """w for every layer and noise -> image: the skip generator (Karras et al. 2020a, figure 7).

    `low_precision_levels` counts the highest resolutions that run in the dtype given to `forward`.
    """

    def __init__(self, shape: Shape, base: int, maximum: int, latent: int, low_precision_levels: int = 4) -> None:
        super().__init__()
        self.shape = shape
        self.low_precision_levels = low_precision_levels
        widths = [channels_at(level, base, maximum) for level in shape.levels]
        self.constant = nn.Parameter(torch.randn(widths[0], *shape.constant))
        self.blocks = nn.ModuleDict()
        for level, inputs, outputs in zip(shape.levels, [0, *widths], widths, strict=False):
            self.blocks[str(level)] = SynthesisBlock(inputs, outputs, latent)

    @torch.no_grad()
    def scale_image_layers(self, factor: float) -> None:
        """Multiply the weights of every image layer: with a factor below 1 the first images have calmer colours."""
        for block in self.blocks.values():
            assert isinstance(block, SynthesisBlock)
            block.to_image.weight.mul_(factor)

    @property
    def layers(self) -> int:
        """How many w the network takes: one a styled convolution, and the last image layer's."""
        return 2 * len(self.blocks)

    def style_weights(self) -> list[Tensor]:
        """Of every w the weights [features, latent] to the styles of its convolution; of the last, of the last image layer."""
        taking: list[StyledConvolution | ToImage] = []
        for block in self.blocks.values():
            assert isinstance(block, SynthesisBlock)
            taking += [block.convolution] if block.up is None else [block.up, block.convolution]
            last = block.to_image  # the other image layers share their w with the next block's first layer
        return [module.affine.weight.detach() for module in (*taking, last)]

    def noise_sizes(self) -> list[tuple[int, int]]:
        """Height and width of the noise of every styled convolution, in order."""
        height, width = self.shape.constant
        sizes = [(height << i, width << i) for i in range(len(self.blocks))]
        return [sizes[0]] + [size for size in sizes[1:] for _ in range(2)]

    def forward(self, ws: Tensor, noise: list[Tensor], dtype: torch.dtype = torch.float32) -> Tensor:
        """[n, layers, latent], one [n, 1, h, w] a convolution -> [n, 3, height, width] in float32."""
        x = self.constant.expand(len(ws), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        image, layer, number = None, 0, 0
        for index, block in enumerate(self.blocks.values()):
            low = index >= len(self.blocks) - self.low_precision_levels and index > 0
            count = 1 if index == 0 else 2
            x, image = block(
                x.to(dtype if low else torch.float32),
                image,
                ws[:, layer : layer + count + 1],  # the image layer shares its w with the next block's first layer
                noise[number : number + count],
            )
            layer, number = layer + count, number + count
        assert image is not None
        return image


class Generator(nn.Module):
    """Mapping and synthesis, with style mixing."""

    def __init__(self, mapping: Mapping, synthesis: Synthesis) -> None:
        super().__init__()
        self.mapping = mapping
        self.synthesis = synthesis

    def forward(self, z: Tensor, label: Tensor, noise: list[Tensor], *, dtype: torch.dtype = torch.float32) -> Tensor:
        """[n, latent], one-hot [n, classes] -> images [n, 3, h, w], nominally in [-1, 1]."""
        return self.synthesis(self.broadcast(self.mapping(z, label)), noise, dtype)

    def broadcast(self, w: Tensor) -> Tensor:
        """The same w for every layer: [n, latent] -> [n, layers, latent]."""
        return w[:, None].expand(-1, self.synthesis.layers, -1)

    def mix(self, w: Tensor, other: Tensor, cutoff: Tensor) -> Tensor:
        """Style mixing (Karras et al. 2019, section 3.1): layers from `cutoff` [n] on take the other w."""
        layer = torch.arange(self.synthesis.layers, device=w.device)
        return torch.where((layer[None] < cutoff[:, None])[:, :, None], w[:, None], other[:, None])


class ResidualBlock(nn.Module):
    """Two convolutions and a filtered 1x1 shortcut, halving the resolution (Karras et al. 2020a, figure 7)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = Convolution(inputs, inputs, 3)
        self.second = Convolution(inputs, outputs, 3, gain=math.sqrt(0.5))
        self.shortcut = Convolution(inputs, outputs, 1, activate=False, bias=False, gain=math.sqrt(0.5))

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] -> [n, outputs, h/2, w/2]."""
        short = clamp_magnitude(self.shortcut(downsample(x)), self.shortcut.limit)
        weight, bias = self.second.scaled(x.dtype)
        assert bias is not None
        first = clamp_magnitude(self.first(x), self.first.limit)
        y = nn.functional.leaky_relu_(convolve_down(first, weight, bias), LEAK)
        return short.add_(clamp_magnitude(y, self.second.limit))


class Discriminator(nn.Module):
    """Residual discriminator with minibatch standard deviation; conditional by projection (Miyato & Koyama 2018)."""

    def __init__(
        self, shape: Shape, base: int, maximum: int, classes: int, label_layers: int, low_precision_levels: int = 4
    ) -> None:
        super().__init__()
        self.low_precision_levels = low_precision_levels
        levels = shape.levels
        widths = {level: channels_at(level, base, maximum) for level in levels}
        final = widths[levels[0]]
        self.from_image = Convolution(3, widths[levels[-1]], 1)
        self.blocks = nn.ModuleDict(
            {str(high): ResidualBlock(widths[high], widths[low]) for low, high in reversed(list(pairwise(levels)))}
        )
        self.convolution = Convolution(final + 1, final, 3)
        height, width = shape.constant
        self.dense = Dense(final * height * width, final, activate=True)
        self.output = Dense(final, final if classes else 1)
        self.label_mapping = Mapping(0, final, label_layers, classes) if classes else None

    def forward(self, image: Tensor, label: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """[n, 3, h, w], one-hot [n, classes] -> logits [n]."""
        low = self.low_precision_levels > 0
        x = self.from_image(image.to(dtype if low else torch.float32, memory_format=torch.channels_last))
        x = clamp_magnitude(x, self.from_image.limit)
        for index, block in enumerate(self.blocks.values()):
            x = block(x.to(dtype if index < self.low_precision_levels else torch.float32))
        x = self.convolution(minibatch_deviation(x.float(), 4))
        x = self.output(self.dense(x.flatten(1)))
        if self.label_mapping is None:
            return x.squeeze(1)
        z = x.new_zeros(len(x), 0)
        return (x * self.label_mapping(z, label)).sum(dim=1) / math.sqrt(x.shape[1])
