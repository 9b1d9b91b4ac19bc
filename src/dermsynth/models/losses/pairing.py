"""Terms that tie an image to the one it comes from or stands for."""

import torch
import torch.nn.functional as F
from torch import Tensor


def relevancy(image: Tensor, result: Tensor, mask: Tensor) -> Tensor:
    """MSE((1 - y) x, (1 - y) G(x, y)): nothing outside the mask may change (FURGER).

    `image` and `result` are [n, 3, h, w], `mask` [n, 1, h, w] of 0 and 1; the mean runs over all pixels.
    """
    return F.mse_loss((1 - mask) * result, (1 - mask) * image)


def cycle(image: Tensor, reconstruction: Tensor, norm: str) -> Tensor:
    """Distance between x and G_YX(G_XY(x)): mean square ("mse", FURGER) or mean absolute ("l1", Zhu et al. 2017, eq. 2)."""
    return F.mse_loss(reconstruction, image) if norm == "mse" else F.l1_loss(reconstruction, image)


def feature_matching(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Mean absolute difference of every discriminator layer's output but the last (Wang et al. 2018, equation 4).

    Lists of scales of layers; summed over layers, averaged over scales like the adversarial term. The real outputs get no
    gradient.
    """
    terms = [
        F.l1_loss(b, a.detach())
        for real_scale, fake_scale in zip(real, fake, strict=True)
        for a, b in zip(real_scale[:-1], fake_scale[:-1], strict=True)
    ]
    return torch.stack(terms).sum() / len(real)
