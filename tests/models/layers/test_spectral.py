"""Spectral normalisation against numpy's singular values."""

import numpy as np
import torch

from dermsynth.models.layers.spectral import SpectralConvolution, iterate


def layer(seed: int = 0) -> SpectralConvolution:
    torch.manual_seed(seed)
    convolution = SpectralConvolution(5, 7, 3)
    torch.nn.init.normal_(convolution.weight)
    return convolution


def largest(weight: torch.Tensor) -> float:
    return float(np.linalg.svd(weight.detach().double().numpy().reshape(len(weight), -1), compute_uv=False)[0])


def test_sigma_is_the_largest_singular_value() -> None:
    convolution = layer()
    for _ in range(200):
        convolution.iterate()
    expected = largest(convolution.weight)
    assert np.isclose(float(convolution.sigma().detach()), expected, rtol=1e-5)
    shown, x = [], torch.randn(2, 5, 8, 8)
    convolution.register_forward_hook(lambda module, given, made: shown.append(made))
    convolution(x)
    plain = torch.nn.functional.conv2d(x, convolution.weight / expected, convolution.bias, padding=1)
    torch.testing.assert_close(shown[0], plain, rtol=1e-4, atol=1e-5)


def test_a_new_layer_is_normalised_before_its_first_step() -> None:
    torch.manual_seed(1)
    convolution = SpectralConvolution(16, 8, 4, stride=2)
    assert np.isclose(float(convolution.sigma().detach()), largest(convolution.weight), rtol=1e-2)


def test_the_gradient_of_sigma_is_u_v() -> None:
    convolution = layer()
    for _ in range(200):
        convolution.iterate()
    (gradient,) = torch.autograd.grad(convolution.sigma(), convolution.weight)
    left, _, right = np.linalg.svd(convolution.weight.detach().double().numpy().reshape(7, -1))
    expected = np.outer(left[:, 0], right[0]).reshape(gradient.shape)
    assert np.allclose(gradient.numpy(), expected, atol=1e-4)


def test_passes_forward_move_nothing_and_a_step_does() -> None:
    convolution = layer()
    before = convolution.u.clone()
    convolution(torch.randn(1, 5, 4, 4))
    assert torch.equal(convolution.u, before)
    iterate(torch.nn.Sequential(convolution))
    assert not torch.equal(convolution.u, before)
    assert np.isclose(float(convolution.u.norm()), 1, rtol=1e-6)
