"""EDM's equations against literal transcriptions, and its sampler against distributions whose flow is known."""

import math

import pytest
import torch
from torch import Tensor

from dermsynth.models.edm import guide, heun, loss_weight, noise_levels, precondition, scales

DATA = 0.5


def test_preconditioning_is_the_papers_table() -> None:
    sigma = torch.tensor([0.002, 0.3, 0.5, 7.0, 80.0], dtype=torch.float64)
    found = scales(sigma, DATA)
    for i, s in enumerate(sigma.tolist()):
        assert found.skip[i] == pytest.approx(DATA**2 / (s**2 + DATA**2))
        assert found.out[i] == pytest.approx(s * DATA / math.sqrt(DATA**2 + s**2))
        assert found.input[i] == pytest.approx(1 / math.sqrt(s**2 + DATA**2))
        assert found.noise[i] == pytest.approx(math.log(s) / 4)
        assert loss_weight(sigma, DATA)[i] == pytest.approx((s**2 + DATA**2) / (s * DATA) ** 2)


def test_network_input_and_target_have_unit_variance() -> None:
    """Appendix B.6: what c_in, c_skip and c_out are chosen for, with images of deviation 0.5."""
    generator = torch.Generator().manual_seed(0)
    image = DATA * torch.randn(4, 3, 100, 100, generator=generator)
    sigma = torch.tensor([0.01, 0.2, 1.0, 40.0])
    noisy = image + sigma[:, None, None, None] * torch.randn(image.shape, generator=generator)
    inputs = []

    def network(x: Tensor, noise: Tensor) -> Tensor:
        inputs.append(x)
        return torch.zeros_like(x)

    skip = precondition(network, noisy, sigma, DATA)
    target = (image - skip) / scales(sigma, DATA).out[:, None, None, None]
    for part in (inputs[0], target):
        torch.testing.assert_close(part.var(dim=(1, 2, 3)), torch.ones(4), rtol=0.03, atol=0)
    torch.testing.assert_close(loss_weight(sigma, DATA) * scales(sigma, DATA).out ** 2, torch.ones(4))


def test_noise_levels_are_equation_5() -> None:
    levels = noise_levels(18, 0.002, 80.0, 7)
    literal = [(80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7 for i in range(18)]
    assert levels == pytest.approx([*literal, 0.0])
    assert (levels[0], levels[-2], levels[-1]) == (pytest.approx(80), pytest.approx(0.002), 0)
    assert noise_levels(1, 0.002, 80.0, 7) == pytest.approx([80.0, 0.0])


class Denoiser:
    """The perfect denoiser of independent normal numbers: their posterior mean."""

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        self.mean, self.variance, self.levels = mean, deviation**2, list[float]()

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.levels.append(float(sigma[0]))
        noise = sigma[:, None] ** 2
        return (self.variance * x + noise * self.mean) / (self.variance + noise)

    def flow(self, x: Tensor, sigma: float) -> Tensor:
        """Where the probability flow takes x from this noise level to none: the quantile stays."""
        return self.mean + (x - self.mean) * (self.variance / (self.variance + sigma**2)).sqrt()


MEAN, DEVIATION = (
    torch.tensor([0.3, -0.6, 0.0], dtype=torch.float64),
    torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64),
)


def test_a_perfect_denoiser_gives_the_distribution_back() -> None:
    generator = torch.Generator().manual_seed(0)
    x = 80 * torch.randn(20_000, 3, generator=generator, dtype=torch.float64)
    for steps, tolerance in ((24, 0.08), (96, 0.015)):
        made = heun(Denoiser(MEAN, DEVIATION), x, noise_levels(steps, 0.002, 80, 7))
        torch.testing.assert_close(made.mean(dim=0), MEAN, rtol=0, atol=0.02)
        torch.testing.assert_close(made.std(dim=0), DEVIATION, rtol=tolerance, atol=0)


def test_the_error_falls_with_the_square_of_the_steps() -> None:
    x = 80 * torch.tensor([[-1.5, 0.4, 0.9], [0.2, -0.8, 2.0]], dtype=torch.float64)
    errors = []
    for steps in (32, 64, 128):
        denoiser = Denoiser(MEAN, DEVIATION)
        made = heun(denoiser, x, noise_levels(steps, 0.002, 80, 7))
        errors.append(float((made - denoiser.flow(x, 80)).abs().max()))
        assert len(denoiser.levels) == 2 * steps - 1
    assert 3.5 < errors[0] / errors[1] < 4.7
    assert 3.5 < errors[1] / errors[2] < 4.7
    assert errors[0] < 0.05


def test_heun_is_the_papers_algorithm() -> None:
    """Against a literal transcription of algorithm 1 for sigma(t) = t and s(t) = 1."""
    denoiser, levels = Denoiser(MEAN, DEVIATION), noise_levels(5, 0.002, 80, 7)
    x = 80 * torch.ones(1, 3, dtype=torch.float64)
    found = heun(denoiser, x, levels)
    for i in range(5):
        d = x / levels[i] - denoiser(x, torch.tensor([levels[i]])) / levels[i]
        following = x + (levels[i + 1] - levels[i]) * d
        if levels[i + 1] != 0:
            again = following / levels[i + 1] - denoiser(following, torch.tensor([levels[i + 1]])) / levels[i + 1]
            following = x + (levels[i + 1] - levels[i]) * (d / 2 + again / 2)
        x = following
    torch.testing.assert_close(found, x)


def test_guidance_acts_within_its_interval_alone() -> None:
    x = torch.ones(2, 3)
    told, untold = torch.full_like(x, 3.0), torch.full_like(x, 1.0)
    asked: list[float] = []

    def unconditional(x: Tensor, sigma: Tensor) -> Tensor:
        asked.append(float(sigma[0]))
        return untold

    def at(weight: float, sigma: float) -> float:
        result = guide(lambda x, s: told, unconditional, weight, (0.5, 2.0))(x, torch.full((2,), sigma))
        return float(result[0, 0])

    assert [at(2.0, sigma) for sigma in (2.5, 2.0, 1.0, 0.51, 0.5, 0.1)] == [3.0, 5.0, 5.0, 5.0, 3.0, 3.0]
    assert asked == pytest.approx([2.0, 1.0, 0.51]), "nowhere else is the second denoiser paid for"
    assert at(0.0, 1.0) == 1.0
    asked.clear()
    assert at(1.0, 1.0) == 3.0
    assert not asked
