"""What families with patch discriminators on several scales share."""

import torch
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.losses.adversarial import Term
from dermsynth.networks.shapes import Shape


def over_scales(term: Term, logits: list[Tensor]) -> Tensor:
    """Mean of an adversarial term over the discriminators' maps of logits."""
    return torch.stack([term(part) for part in logits]).mean()


def mean_logits(logits: list[Tensor]) -> Tensor:
    """One logit an image: the mean over patches and scales, [n]."""
    return torch.stack([part.flatten(1).mean(dim=1) for part in logits]).mean(dim=0)


def require_multiple(shape: Shape, factor: int) -> None:
    """Raise UserError unless both sides are multiples of `factor` and at least 16."""
    if shape.height % factor or shape.width % factor or min(shape.height, shape.width) < 16:
        near = max(16, -(-shape.width // factor) * factor), max(16, -(-shape.height // factor) * factor)
        raise UserError(
            f"resolution {shape}: both sides must be multiples of {factor}, at least 16; next: {near[0]}x{near[1]}"
        )
