import math

import pytest
import torch

from dermsynth.losses.adversarial import logistic_fake, logistic_real
from dermsynth.losses.penalties import path_lengths, r1_penalty


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
