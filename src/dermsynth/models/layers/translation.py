"""Networks that make images from images: FURGER's U-Net with residual blocks, and patch discriminators."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from dermsynth.errors import UserError
from dermsynth.models.layers import multiscale
from dermsynth.models.layers.convolutional import LEAK, draw_weights
from dermsynth.models.layers.resample import halve_by_nine
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.losses.adversarial import Term

SPECTRUM_MAX = 512


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution on reflected borders (of zeros where strided), instance norm (Ulyanov et al. 2016), ReLU.

    The norm has neither scale nor offset of its own, and the convolution no bias, which the norm would take out again.
    """
    return nn.Sequential(
        nn.ReflectionPad2d(kernel // 2) if stride == 1 else nn.ZeroPad2d(kernel // 2),
        nn.Conv2d(inputs, outputs, kernel, stride, bias=False),
        nn.InstanceNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def enlarging(inputs: int, outputs: int) -> nn.Sequential:
    """Transposed 3x3 convolution of stride 2, instance norm, ReLU: twice the height and width."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1, bias=False),
        nn.InstanceNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))) with instance norm (Johnson et al. 2016)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = convolution(features, features, 3)
        self.second = convolution(features, features, 3)[:3]

    def forward(self, x: Tensor) -> Tensor:
        """[n, features, h, w] -> the same shape."""
        y: Tensor = self.second(self.first(x))
        return x + y


class ResidualUNet(nn.Module):
    """Image and, if `mask`, a mask -> the image plus a residual (FURGER).

    Two strided convolutions down, residual blocks at a quarter of the size, two transposed convolutions up with skip
    connections by concatenation.
    """

    def __init__(self, features: int, blocks: int, *, mask: bool) -> None:
        super().__init__()
        self.start = convolution(4 if mask else 3, features, 7)
        self.down = nn.ModuleList(
            [convolution(features, 2 * features, 3, 2), convolution(2 * features, 4 * features, 3, 2)]
        )
        self.middle = nn.Sequential(*(ResidualBlock(4 * features) for _ in range(blocks)))
        self.up = nn.ModuleList([enlarging(4 * features, 2 * features), enlarging(4 * features, features)])
        self.end = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(2 * features, 3, 7))
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, mask: Tensor | None = None) -> Tensor:
        """[n, 3, h, w], [n, 1, h, w] of 0 and 1 -> [n, 3, h, w]."""
        whole = self.start(image if mask is None else torch.cat([image, mask], dim=1))
        half = self.down[0](whole)
        x = self.up[0](self.middle(self.down[1](half)))
        x = self.up[1](torch.cat([x, half], dim=1))
        residual: Tensor = self.end(torch.cat([x, whole], dim=1))
        return image + residual


class PatchDiscriminator(nn.Module):
    """4x4 convolutions, strided but for the last two, to a map of logits, one a patch (Isola et al. 2017).

    It returns the output of every layer. With four layers a logit sees 70 x 70 pixels.
    """

    def __init__(self, inputs: int, features: int, layers: int, padding: int = 2) -> None:
        super().__init__()
        sizes = [inputs, *(min(features << i, SPECTRUM_MAX) for i in range(layers))]
        self.layers = nn.ModuleList()
        for index, (a, b) in enumerate(pairwise(sizes)):
            stride = 2 if index < layers - 1 else 1
            norm: list[nn.Module] = [nn.InstanceNorm2d(b)] if index else []
            change = nn.Conv2d(a, b, 4, stride, padding, bias=not norm)
            self.layers.append(nn.Sequential(change, *norm, nn.LeakyReLU(LEAK)))
        self.layers.append(nn.Conv2d(sizes[-1], 1, 4, 1, padding))
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> list[Tensor]:
        """[n, inputs, h, w] -> the output of every layer; the last one is the map of logits [n, 1, h', w']."""
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return outputs


class MultiScaleDiscriminator(nn.Module):
    """Patch discriminators of one architecture, each of the image halved once more (Wang et al. 2018, section 3.2)."""

    def __init__(self, inputs: int, features: int, layers: int, scales: int, padding: int = 2) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(inputs, features, layers, padding) for _ in range(scales))

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """[n, inputs, h, w] -> for every scale, finest first, the output of every layer."""
        outputs = []
        for index, discriminator in enumerate(self.scales):
            x = halve_by_nine(x) if index else x
            outputs.append(discriminator(x))
        return outputs

    def logits(self, x: Tensor) -> list[Tensor]:
        """[n, inputs, h, w] -> the map of logits of every scale."""
        return [outputs[-1] for outputs in self(x)]


DiscriminatorName = Literal["patch", "dense"]


def build_discriminator(
    name: DiscriminatorName, shape: Shape, features: int, layers: int, scales: int, padding: int = 2
) -> multiscale.MultiScaleDiscriminator | MultiScaleDiscriminator:
    """FURGER's pair of dense discriminators, or patch discriminators on some scales."""
    if name == "dense":
        return multiscale.MultiScaleDiscriminator(shape, 0, layers, features)
    return MultiScaleDiscriminator(3, features, layers, scales, padding)


def over_scales(term: Term, logits: list[Tensor]) -> Tensor:
    """Mean of an adversarial term over the discriminators' maps of logits."""
    return torch.stack([term(part) for part in logits]).mean()


def sum_over_scales(term: Term, logits: list[Tensor]) -> Tensor:
    """Sum of an adversarial term over the discriminators' maps of logits (Wang et al. 2018, equation 3)."""
    return torch.stack([term(part) for part in logits]).sum()


def mean_logits(logits: list[Tensor]) -> Tensor:
    """One logit an image: the mean over patches and scales, [n]."""
    return torch.stack([part.flatten(1).mean(dim=1) for part in logits]).mean(dim=0)


def require_multiple(shape: Shape, factor: int, smallest: int = 16) -> None:
    """Raise UserError unless both sides are multiples of `factor` and at least `smallest`."""
    if shape.height % factor or shape.width % factor or min(shape.height, shape.width) < smallest:
        near = (max(smallest, -(-side // factor) * factor) for side in (shape.width, shape.height))
        raise UserError(
            f"`resolution` {shape}: both sides must be multiples of {factor}, at least {smallest}; "
            f"next: {'x'.join(map(str, near))}"
        )


def check_discriminator_shape(
    name: DiscriminatorName, shape: Shape, layers: int, scales: int, padding: int = 2
) -> None:
    """Raise UserError unless the generators' two halvings come out even and the discriminators are left something."""
    if name == "patch":
        require_multiple(shape, 4, 16 if padding == 2 else 2 ** (layers + 1))
    elif scales != 2:
        raise UserError(
            f"scales {scales}: discriminator=dense is a pair; leave out `options` scales, or set discriminator=patch"
        )
    else:
        require_multiple(shape, 2**layers, 2 ** (layers + 1))
