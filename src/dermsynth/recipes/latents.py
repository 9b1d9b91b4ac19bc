"""What the latents of a family without a mapping network have in common."""

import torch
from torch import Tensor

TRUNCATION = "a threshold above 0: latent components whose magnitude exceeds it are drawn again"


def resampled(z: Tensor, threshold: float | None) -> Tensor:
    """Normal numbers whose magnitudes stay below a threshold: FURGER's truncation by resampling.

    Drawing again until |z| <= t gives the truncated normal distribution; here it comes from the same z by the inverse
    distribution function, z' = Phi^-1(Phi(-t) + Phi(z) (Phi(t) - Phi(-t))), so that an image stays a function of its
    seed and neighbouring thresholds give neighbouring images. `z` is any shape from N(0, 1).
    """
    if threshold is None:
        return z
    normal = torch.distributions.Normal(0.0, 1.0)
    low, high = (normal.cdf(torch.tensor(value, dtype=torch.float64)) for value in (-threshold, threshold))
    share = normal.cdf(z.cpu().double())
    return normal.icdf(low + share * (high - low)).clamp(-threshold, threshold).to(z)
