import math

import pytest
import torch

from dermsynth.models.losses.adversarial import GAMES, logistic_fake, logistic_real, relativistic
from dermsynth.models.losses.pairing import cycle, feature_matching, relevancy
from dermsynth.models.losses.penalties import drift_penalty, gradient_penalty, path_lengths, r1_penalty


def test_logistic_terms_are_minus_log_probabilities() -> None:
    logits = torch.tensor([-2.0, 0.0, 3.0])
    assert logistic_real(logits).item() == pytest.approx(-torch.sigmoid(logits).log().mean().item(), rel=1e-6)
    assert logistic_fake(logits).item() == pytest.approx(-(1 - torch.sigmoid(logits)).log().mean().item(), rel=1e-6)
    assert logistic_real(torch.tensor([-500.0])).item() == 500
    assert logistic_real(torch.zeros(1)).item() == pytest.approx(math.log(2))


def test_r1_of_a_linear_discriminator_is_its_squared_weight() -> None:
    weight = torch.randn(3, 4, 5)
    images = torch.randn(6, 3, 4, 5, requires_grad=True)
    assert r1_penalty((images * weight).sum((1, 2, 3)), images).item() == pytest.approx(
        weight.square().sum().item(), rel=1e-5
    )


def test_r1_is_differentiable() -> None:
    weight = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    images = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: r1_penalty((images * w).square().sum((1, 2, 3)), images), weight)


def test_path_length_of_a_linear_generator_is_its_scale() -> None:
    """For x = s Q w with orthogonal Q the expected length is s, whatever the size of the image."""
    torch.manual_seed(0)
    for side in (4, 8):
        pixels = 3 * side * side
        q, _ = torch.linalg.qr(torch.randn(pixels, pixels))
        ws = torch.randn(400, 1, pixels, requires_grad=True)
        images = (2.5 * ws[:, 0] @ q).reshape(400, 3, side, side)
        lengths = path_lengths(images, ws, torch.randn_like(images))
        assert lengths.shape == (400,)
        assert lengths.mean().item() == pytest.approx(2.5 * math.sqrt(3), rel=0.03)


LITERAL = {
    "bce": (lambda r: -math.log(1 / (1 + math.exp(-r))), lambda f: -math.log(1 - 1 / (1 + math.exp(-f))), lambda f: -math.log(1 / (1 + math.exp(-f)))),
    "minimax": (lambda r: -math.log(1 / (1 + math.exp(-r))), lambda f: -math.log(1 - 1 / (1 + math.exp(-f))), lambda f: math.log(1 - 1 / (1 + math.exp(-f)))),
    "least-squares": (lambda r: 0.5 * (r - 1) ** 2, lambda f: 0.5 * f**2, lambda f: 0.5 * (f - 1) ** 2),
    "wasserstein": (lambda r: -r, lambda f: f, lambda f: -f),
    "hinge": (lambda r: max(0.0, 1 - r), lambda f: max(0.0, 1 + f), lambda f: -f),
}  # fmt: skip
"""Every game logit by logit, as its paper writes it."""


@pytest.mark.parametrize("name", sorted(LITERAL))
def test_games_against_a_literal_transcription(name: str) -> None:
    game, logits = GAMES[name], [-2.3, -0.4, 0.0, 0.7, 3.1]  # type: ignore[index]
    for ours, literal in zip((game.real, game.fake, game.generator), LITERAL[name], strict=True):
        expected = sum(map(literal, logits)) / len(logits)
        assert ours(torch.tensor(logits)).item() == pytest.approx(expected, rel=1e-5)
        smooth = torch.tensor([-2.3, -0.4, 0.1, 0.7, 3.1], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(ours, smooth)


def test_the_same_critic_plays_both_wasserstein_games() -> None:
    assert GAMES["wasserstein"] == GAMES["wasserstein-gp"]
    assert GAMES["bce"] == GAMES["non-saturating"]


def test_the_relativistic_game_compares_pairs() -> None:
    real, fake = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    literal = (math.log(1 + math.exp(-(1.0 - 0.5))) + math.log(1 + math.exp(-(-2.0 - 3.0)))) / 2
    assert relativistic(real, fake).item() == pytest.approx(literal, rel=1e-6)
    shifted = relativistic(real + 7, fake + 7)
    torch.testing.assert_close(shifted, relativistic(real, fake))


def test_gradient_penalty_of_a_linear_critic() -> None:
    """|w| is the slope everywhere, whatever the mix."""
    torch.manual_seed(0)
    weight = torch.randn(3, 4, 4)
    real, fake = torch.randn(5, 3, 4, 4), torch.randn(5, 3, 4, 4)
    found = gradient_penalty(lambda x: (x * weight).sum((1, 2, 3)), real, fake, torch.rand(5))
    assert found.item() == pytest.approx((weight.norm().item() - 1) ** 2, rel=1e-5)


def test_gradient_penalty_is_differentiable_and_taken_between_the_images() -> None:
    real = torch.randn(2, 3, 2, 2, dtype=torch.float64)
    fake, mix = torch.randn_like(real), torch.tensor([0.25, 0.75], dtype=torch.float64)
    seen = []

    def penalty(weight: torch.Tensor) -> torch.Tensor:
        def critic(x: torch.Tensor) -> torch.Tensor:
            seen.append(x.detach())
            return (x * weight).square().sum((1, 2, 3))

        return gradient_penalty(critic, real, fake, mix)

    weight = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(penalty, weight)
    torch.testing.assert_close(seen[0][0], 0.25 * real[0] + 0.75 * fake[0])


def test_drift_is_the_mean_square() -> None:
    assert drift_penalty(torch.tensor([1.0, -3.0])).item() == 5.0


def test_relevancy_counts_what_changes_outside_the_mask_and_nothing_else() -> None:
    """Against a loop over pixels; what happens inside the mask has no gradient."""
    torch.manual_seed(0)
    image, made = (
        torch.rand(2, 3, 4, 4, dtype=torch.float64),
        torch.rand(2, 3, 4, 4, dtype=torch.float64, requires_grad=True),
    )
    mask = (torch.rand(2, 1, 4, 4) < 0.5).double()
    literal = sum(
        ((1 - mask[n, 0, y, x]) * (image[n, c, y, x] - made[n, c, y, x])) ** 2
        for n in range(2) for c in range(3) for y in range(4) for x in range(4)
    ) / 96  # fmt: skip
    found = relevancy(image, made, mask)
    torch.testing.assert_close(found, literal)
    found.backward()
    assert made.grad is not None
    assert (made.grad[mask.expand(2, 3, 4, 4) > 0] == 0).all()
    assert (made.grad[mask.expand(2, 3, 4, 4) == 0] != 0).all()
    assert relevancy(image, made, torch.ones_like(mask)).item() == 0


def test_a_cycle_is_a_mean_square_or_a_mean_absolute_difference() -> None:
    image, back = torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, -1.0]])
    assert cycle(image, back, "mse").item() == 5.0
    assert cycle(image, back, "l1").item() == 2.0


def test_features_are_matched_in_every_layer_but_the_last() -> None:
    real = [
        [torch.zeros(1, 2), torch.zeros(1, 3), torch.zeros(1, 1)],
        [torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(1)],
    ]
    fake = [[torch.full_like(part, i + 1.0, requires_grad=True) for i, part in enumerate(scale)] for scale in real]
    found = feature_matching(real, fake)
    assert found.item() == pytest.approx((1 + 2 + 1 + 2) / 2)
    gradient = torch.autograd.grad(found, fake[0][2], allow_unused=True)
    assert gradient == (None,)
