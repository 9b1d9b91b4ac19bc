"""Adversarial games: what the discriminator minimises on real and on generated images, and what the generator does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Term = Callable[[Tensor], Tensor]
GameName = Literal[
    "bce", "non-saturating", "minimax", "least-squares", "wasserstein", "wasserstein-gp", "hinge"
]  # fmt: skip


def logistic_real(logits: Tensor) -> Tensor:
    """-log sigmoid(D(x)) over real images: softplus(-D(x)), averaged (Goodfellow et al. 2014). `logits` is [n]."""
    return F.softplus(-logits).mean()


def logistic_fake(logits: Tensor) -> Tensor:
    """-log(1 - sigmoid(D(G(z)))) over generated images: softplus(D(G(z))), averaged. `logits` is [n]."""
    return F.softplus(logits).mean()


def minimax_generator(logits: Tensor) -> Tensor:
    """log(1 - sigmoid(D(G(z)))), the saturating game (Goodfellow et al. 2014, equation 1)."""
    return -F.softplus(logits).mean()


def squares_real(logits: Tensor) -> Tensor:
    """(D(x) - 1)^2 / 2 (Mao et al. 2017, equation 9)."""
    return (logits - 1).square().mean() / 2


def squares_fake(logits: Tensor) -> Tensor:
    """D(G(z))^2 / 2 (Mao et al. 2017, equation 9)."""
    return logits.square().mean() / 2


def squares_generator(logits: Tensor) -> Tensor:
    """(D(G(z)) - 1)^2, as patch-based translation weighs it (Zhu et al. 2017, section 7.1)."""
    return (logits - 1).square().mean()


def critic_real(logits: Tensor) -> Tensor:
    """-D(x) (Arjovsky et al. 2017, equation 2)."""
    return -logits.mean()


def critic_fake(logits: Tensor) -> Tensor:
    """D(G(z)) (Arjovsky et al. 2017, equation 2)."""
    return logits.mean()


def hinge_real(logits: Tensor) -> Tensor:
    """max(0, 1 - D(x)) (Lim & Ye 2017)."""
    return F.relu(1 - logits).mean()


def hinge_fake(logits: Tensor) -> Tensor:
    """max(0, 1 + D(G(z))) (Lim & Ye 2017)."""
    return F.relu(1 + logits).mean()


@dataclass(frozen=True)
class Game:
    """The discriminator's terms on real and on generated images, and the generator's on generated ones."""

    real: Term
    fake: Term
    generator: Term


_LOGISTIC = Game(logistic_real, logistic_fake, logistic_real)
_CRITIC = Game(critic_real, critic_fake, critic_real)
LOGISTIC = ("bce", "non-saturating", "minimax")
"""Games whose discriminator's output is a log-odds."""
GAMES: Mapping[GameName, Game] = MappingProxyType(
    {
        "bce": _LOGISTIC,  # binary cross-entropy with target 1 for the generator is the non-saturating game
        "non-saturating": _LOGISTIC,
        "minimax": Game(logistic_real, logistic_fake, minimax_generator),
        "least-squares": Game(squares_real, squares_fake, squares_real),
        "wasserstein": _CRITIC,
        "wasserstein-gp": _CRITIC,
        "hinge": Game(hinge_real, hinge_fake, critic_real),
    }
)


def relativistic(winner: Tensor, loser: Tensor) -> Tensor:
    """softplus(-(D(winner) - D(loser))) over pairs (Jolicoeur-Martineau 2019; Huang et al. 2024, equation 2).

    The discriminator wants real images to win, the generator its own. Both arguments are logits [n].
    """
    return F.softplus(loser - winner).mean()
