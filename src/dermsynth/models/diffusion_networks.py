"""The denoiser's network: a U-Net on blocks of pixels, conditioned on noise level, class and augmentation.

Residual blocks of the kind of Ho et al. 2020 and Dhariwal & Nichol 2021: group norm, SiLU and 3x3 convolutions, the condition as
a scale and an offset of the features between them, attention at the lowest resolutions.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermsynth.rng import Draws

GROUPS, FREQUENCIES, HEAD = 8, 16, 64
"""Features a group is normalised over are at least this few; frequencies of the noise level; features of a head of attention."""


def silent(layer: nn.Conv2d) -> nn.Conv2d:
    """The convolution with weights of zero, so that what it ends starts as nothing."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def group_norm(features: int) -> nn.GroupNorm:
    """Normalisation over 32 groups, or fewer where these would have fewer than 8 features."""
    return nn.GroupNorm(math.gcd(32, max(features // GROUPS, 1)), features)


def drop_out(x: Tensor, share: float, draws: Draws | None) -> Tensor:
    """Set a share of the values [n, c, h, w] to zero, in 256ths, and scale the others; nothing without random numbers."""
    least = round(share * 256)
    if draws is None or least == 0:
        return x
    _, c, h, w = x.shape
    kept = draws.bytes(h, w, c).permute(0, 3, 1, 2) >= least  # in the memory order of channels-last
    return x * kept * (256 / (256 - least))


class ResidualBlock(nn.Module):
    """x -> x + two convolutions of it, conditioned; `resize` doubles (2) or halves (0.5) the resolution on the way."""

    def __init__(self, inputs: int, outputs: int, condition: int, dropout: float, resize: float = 1.0) -> None:
        super().__init__()
        self.resize, self.dropout = resize, dropout
        self.first_norm = group_norm(inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.modulate = nn.Linear(condition, 2 * outputs)
        self.second_norm = group_norm(outputs)
        self.second = silent(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor, draws: Draws | None) -> Tensor:
        """[n, inputs, h, w], [n, condition] -> [n, outputs, h', w']."""
        y = F.silu(self.first_norm(x))
        x, y = self._resized(x), self._resized(y)
        scale, offset = self.modulate(condition)[:, :, None, None].chunk(2, dim=1)
        y = torch.addcmul(offset, self.second_norm(self.first(y)), 1 + scale)
        y = drop_out(F.silu(y), self.dropout, draws)
        result: Tensor = (self.skip(x) + self.second(y)) * math.sqrt(0.5)
        return result

    def _resized(self, x: Tensor) -> Tensor:
        if self.resize == 1:
            return x
        return F.avg_pool2d(x, 2) if self.resize < 1 else F.interpolate(x, scale_factor=2.0, mode="nearest")


class Attention(nn.Module):
    """x -> x + attention of every place to all places (Vaswani et al. 2017), with heads of 64 features."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.heads = max(features // HEAD, 1)
        self.norm = group_norm(features)
        self.query_key_value = nn.Conv2d(features, 3 * features, 1)
        self.output = silent(nn.Conv2d(features, features, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[n, features, h, w] -> the same shape."""
        n, c, h, w = x.shape
        parts = self.query_key_value(self.norm(x)).reshape(n, 3, self.heads, c // self.heads, h * w)
        query, key, value = parts.transpose(3, 4).unbind(dim=1)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(2, 3).reshape(n, c, h, w)
        result: Tensor = (x + self.output(mixed.contiguous(memory_format=torch.channels_last))) * math.sqrt(0.5)
        return result


class Stage(nn.Module):
    """A residual block, and attention after it where wanted."""

    def __init__(
        self, inputs: int, outputs: int, condition: int, dropout: float, *, attends: bool, resize: float = 1.0
    ) -> None:
        super().__init__()
        self.doubles = resize > 1
        self.block = ResidualBlock(inputs, outputs, condition, dropout, resize)
        self.attention = Attention(outputs) if attends else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor, draws: Draws | None) -> Tensor:
        """[n, inputs, h, w], [n, condition] -> [n, outputs, h', w']."""
        y: Tensor = self.attention(self.block(x, condition, draws))
        return y


class Embedding(nn.Module):
    """Noise level, class and parameters of the augmentation as one vector.

    The noise level by sines and cosines of fixed frequencies, class and parameters by a linear layer each, then two dense layers.
    A class of zeros is an image whose class is not said; parameters of zeros are an image that is not augmented.
    """

    def __init__(self, features: int, classes: int, augmentation: int) -> None:
        super().__init__()
        self.noise = nn.Linear(2 * FREQUENCIES, features)
        self.label = nn.Linear(classes, features, bias=False) if classes else None
        self.augmentation = nn.Linear(augmentation, features, bias=False) if augmentation else None
        self.dense = nn.Linear(features, features)
        self.register_buffer("frequencies", torch.logspace(-3, 1, FREQUENCIES, base=2.0), persistent=False)
        self.frequencies: Tensor

    def forward(self, noise: Tensor, label: Tensor, augmentation: Tensor | None) -> Tensor:
        """c_noise [n], [n, classes], [n, parameters] -> [n, features]."""
        angle = 2 * math.pi * noise[:, None] * self.frequencies
        x = self.noise(torch.cat([angle.cos(), angle.sin()], dim=1))
        if self.label is not None:
            x = x + self.label(label)
        if self.augmentation is not None and augmentation is not None:
            x = x + self.augmentation(augmentation)
        y: Tensor = F.silu(self.dense(F.silu(x)))
        return y


class UNet(nn.Module):
    """Encoder, middle and decoder on an image folded by pixel-unshuffle; the decoder sees every output of the encoder.

    `widths` are the feature maps of each level, the finest first; a residual block of its own halves or doubles the resolution
    between two levels. The `attention` lowest levels attend. `planes` are what it sees beside the image, pixel by pixel.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: int,
        attention: int,
        patch: int,
        dropout: float,
        classes: int,
        augmentation: int,
        planes: int = 0,
    ) -> None:
        super().__init__()
        self.patch, pixels = patch, 3 * patch**2
        condition = 4 * widths[0]
        self.embedding = Embedding(condition, classes, augmentation)
        attends = [level >= len(widths) - attention for level in range(len(widths))]

        def stage(inputs: int, level: int, resize: float = 1.0) -> Stage:
            attending = attends[level] and resize == 1
            return Stage(inputs, widths[level], condition, dropout, attends=attending, resize=resize)

        self.from_pixels = nn.Conv2d(pixels + planes * patch**2, widths[0], 3, padding=1)
        levels = range(len(widths))
        plan = [(level, resize) for level in levels for resize in [*([0.5] if level else []), *[1.0] * blocks]]
        inward = [widths[0], *(widths[level] for level, _ in plan)]
        self.encoder = nn.ModuleList(stage(a, level, resize) for a, (level, resize) in zip(inward, plan, strict=False))
        lowest = len(widths) - 1
        self.middle = nn.ModuleList(
            [stage(widths[-1], lowest), Stage(widths[-1], widths[-1], condition, dropout, attends=False)]
        )
        self.decoder, x = nn.ModuleList(), widths[-1]
        skips = inward.copy()
        for level in reversed(levels):
            if level < lowest:
                self.decoder.append(stage(x, level, 2.0))
                x = widths[level]
            for _ in range(blocks + 1):
                self.decoder.append(stage(x + skips.pop(), level))
                x = widths[level]
        self.norm = group_norm(widths[0])
        self.to_pixels = silent(nn.Conv2d(widths[0], pixels, 3, padding=1))
        self.to(memory_format=torch.channels_last)

    def forward(
        self,
        image: Tensor,
        noise: Tensor,
        label: Tensor,
        augmentation: Tensor | None = None,
        draws: Draws | None = None,
    ) -> Tensor:
        """[n, 3 + planes, h, w], c_noise [n], [n, classes], [n, parameters] -> [n, 3, h, w]; dropout only with random numbers."""
        condition = self.embedding(noise, label, augmentation)
        folded = F.pixel_unshuffle(image, self.patch).contiguous(memory_format=torch.channels_last)
        x = self.from_pixels(folded)
        outputs = [x]
        for stage in self.encoder:
            x = stage(x, condition, draws)
            outputs.append(x)
        for stage in self.middle:
            x = stage(x, condition, draws)
        for stage in self.decoder:
            taken = x if stage.doubles else torch.cat([x, outputs.pop()], dim=1)
            x = stage(taken, condition, draws)
        return F.pixel_shuffle(self.to_pixels(F.silu(self.norm(x))), self.patch)
