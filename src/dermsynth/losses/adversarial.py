"""The non-saturating logistic game (Goodfellow et al. 2014, section 3)."""

import torch.nn.functional as F
from torch import Tensor


def logistic_real(logits: Tensor) -> Tensor:
    """-log sigmoid(D(x)) over real images: softplus(-D(x)), averaged. `logits` is [n]."""
    return F.softplus(-logits).mean()


def logistic_fake(logits: Tensor) -> Tensor:
    """-log(1 - sigmoid(D(G(z)))) over generated images: softplus(D(G(z))), averaged. `logits` is [n]."""
    return F.softplus(logits).mean()
