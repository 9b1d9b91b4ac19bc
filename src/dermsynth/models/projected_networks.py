"""Random mixing of feature maps, and the discriminators that judge them (Sauer et al. 2021), written from the paper."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermsynth.models.layers.equalized import LEAK
from dermsynth.models.layers.spectral import SpectralConvolution


def random_kernel(outputs: int, inputs: int, size: int) -> Tensor:
    """[outputs, inputs, size, size] from N(0, 1 / (inputs size^2)), so that the variance of the maps stays (He et al. 2015)."""
    return torch.randn(outputs, inputs, size, size) / (inputs * size**2) ** 0.5


class RandomMixing(nn.Module):
    """Fixed random 1x1 convolutions across channels, and from coarse to fine across scales (section 3.2).

    With x_l the maps, finest first, C_l a 1x1 and S_l a 3x3 convolution, y_4 = C_4 x_4 and
    y_l = (C_l x_l + up(S_l y_(l+1))) / sqrt 2, up bilinear. The kernels are buffers: drawn with the network, saved with it,
    never trained.
    """

    def __init__(self, widths: tuple[int, ...], *, scales: bool = True) -> None:
        super().__init__()
        self.scales = scales
        for level, width in enumerate(widths):
            self.register_buffer(f"channels_{level}", random_kernel(width, width, 1))
        for level, (fine, coarse) in enumerate(pairwise(widths) if scales else ()):
            self.register_buffer(f"scales_{level}", random_kernel(fine, coarse, 3))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of the widths, finest first -> maps of the same shapes."""
        mixed: list[Tensor] = []
        for level in reversed(range(len(maps))):
            y = F.conv2d(maps[level], self._kernel(f"channels_{level}", maps[level]))
            if self.scales and mixed:
                below = F.conv2d(mixed[0], self._kernel(f"scales_{level}", y), padding=1)
                y = (y + F.interpolate(below, y.shape[2:], mode="bilinear", align_corners=False)) * 0.5**0.5
            mixed.insert(0, y)
        return mixed

    def _kernel(self, name: str, x: Tensor) -> Tensor:
        return self.get_buffer(name).to(x.dtype, memory_format=torch.channels_last)


class MapDiscriminator(nn.Module):
    """Spectrally normalised convolutions that halve maps `downs` times, then a logit at each place.

    Conditional by projection (Miyato & Koyama 2018): the class's vector times the features is added.
    """

    def __init__(self, inputs: int, features: int, downs: int, classes: int) -> None:
        super().__init__()
        widths = [inputs, *(features * min(2**level, 2) for level in range(downs))]
        self.downs = nn.ModuleList(SpectralConvolution(a, b, 4, stride=2) for a, b in pairwise(widths))
        self.last = SpectralConvolution(widths[-1], 2 * features, 3)
        self.output = SpectralConvolution(2 * features, 1, 1)
        self.embed = SpectralConvolution(classes, 2 * features, 1, bias=False) if classes else None

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """[n, inputs, h, w], one-hot [n, classes] -> logits [n, places] in float32."""
        for down in self.downs:
            x = F.leaky_relu_(down(x), LEAK)
        x = F.leaky_relu_(self.last(x), LEAK)
        logits = self.output(x)
        if self.embed is not None:
            logits = logits + (self.embed(label[:, :, None, None].to(x.dtype)) * x).sum(dim=1, keepdim=True)
        return logits.float().flatten(1)


class Judges(nn.Module):
    """A discriminator of each of the mixed maps."""

    def __init__(self, widths: tuple[int, ...], features: int, classes: int) -> None:
        super().__init__()
        count = len(widths)
        self.maps = nn.ModuleList(
            MapDiscriminator(width, features, count - 1 - level, classes) for level, width in enumerate(widths)
        )

    def forward(self, maps: list[Tensor], label: Tensor) -> list[Tensor]:
        """The logits [n, places] of each map."""
        return [judge(x, label) for judge, x in zip(self.maps, maps, strict=True)]
