"""What families with discriminators of patches, or on two scales, share."""

from typing import Literal

import torch
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.losses.adversarial import Term
from dermsynth.networks import multiscale
from dermsynth.networks.shapes import Shape
from dermsynth.networks.translation import MultiScaleDiscriminator

JudgeName = Literal["patch", "dense"]


def judge_of(
    name: JudgeName, shape: Shape, features: int, layers: int, scales: int, padding: int = 2
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
            f"resolution {shape}: both sides must be multiples of {factor}, at least {smallest}; next: {'x'.join(map(str, near))}"
        )


def require_judged(name: JudgeName, shape: Shape, layers: int, scales: int, padding: int = 2) -> None:
    """Raise UserError unless the generators' two halvings come out even and the discriminators are left something."""
    if name == "patch":
        require_multiple(shape, 4, 16 if padding == 2 else 2 ** (layers + 1))
    elif scales != 2:
        raise UserError(
            f"scales {scales}: discriminator=dense is a pair; leave out --set scales, or set discriminator=patch"
        )
    else:
        require_multiple(shape, 2**layers, 2 ** (layers + 1))
