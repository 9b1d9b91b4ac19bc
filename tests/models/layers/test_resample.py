from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from dermsynth.models.layers.resample import blur, convolve_down, convolve_up, downsample, upsample

KERNEL = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def _plane(h: int = 8, w: int = 6) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(0).standard_normal((h, w))


def _apply(function, plane, *more):  # type: ignore[no-untyped-def]
    x = torch.from_numpy(plane)[None, None].repeat(2, 3, 1, 1)
    found = function(x, *more)
    assert torch.allclose(found[0, 0], found[1, 2])
    return found[0, 0].numpy()


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_blur_is_a_convolution_with_the_binomial_kernel(padding: int) -> None:
    plane = _plane()
    expected = convolve2d(np.pad(plane, padding), KERNEL, "valid")
    assert np.allclose(_apply(blur, plane, padding), expected)


def test_upsample_is_zero_stuffing_and_filter() -> None:
    plane = _plane()
    stuffed = np.zeros((16, 12))
    stuffed[::2, ::2] = plane
    expected = convolve2d(np.pad(stuffed, ((2, 1), (2, 1))), 4 * KERNEL, "valid")
    assert np.allclose(_apply(upsample, plane), expected)


def test_downsample_is_filter_and_decimation() -> None:
    plane = _plane()
    assert np.allclose(_apply(downsample, plane), convolve2d(np.pad(plane, 1), KERNEL, "valid")[::2, ::2])


def test_a_constant_stays_a_constant_inside() -> None:
    ones = np.ones((12, 12))
    assert np.allclose(_apply(upsample, ones)[2:-2, 2:-2], 1)
    assert np.allclose(_apply(downsample, ones)[1:-1, 1:-1], 1)


def test_strided_convolutions_halve_and_double() -> None:
    x = torch.randn(2, 3, 8, 12)
    assert convolve_up(x, torch.randn(3, 5, 3, 3)).shape == (2, 5, 16, 24)
    assert convolve_down(x, torch.randn(5, 3, 3, 3), torch.zeros(5)).shape == (2, 5, 4, 6)


@pytest.mark.parametrize("function", [downsample, upsample, lambda x: blur(x, 2, stride=2)])
def test_on_a_cpu_bfloat16_is_filtered_in_float32_and_comes_back_as_bfloat16(
    function: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8).bfloat16().requires_grad_(True)
    wide = x.detach().float().requires_grad_(True)
    y, expected = function(x), function(wide)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, expected.bfloat16()), "rounded once, at the end"
    y.float().square().sum().backward()
    y.detach().float().mul(2).mul(expected).sum().backward()
    assert x.grad is not None
    assert wide.grad is not None
    torch.testing.assert_close(x.grad.float(), wide.grad, rtol=0.01, atol=0.02)
