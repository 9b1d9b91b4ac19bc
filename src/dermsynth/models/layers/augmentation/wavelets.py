"""The orthogonal filters of the augmentation (Daubechies 1992) and the band matrices that apply them to an axis."""

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
    0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
    0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
REACH = len(SYM6) // 2
"""How many samples of the doubled image the down-sampling filter needs beyond each border."""
DELAY = float(5.5 - np.dot(SYM6, np.arange(len(SYM6))) / np.sum(SYM6))
"""Samples of the doubled image lie this much further right than their index says: sym6 is not quite symmetric."""

Array = NDArray[np.float64]


def mirror(index: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Reflect positions outside 0 ... size - 1 about the outermost pixels (…2 1 | 0 1 2…), as often as needed."""
    period = max(2 * (size - 1), 1)
    folded = np.mod(index, period)
    return np.where(folded < size, folded, period - folded)


def margin(size: int) -> int:
    """Pixels on each side of an axis with which its mirrored continuation is shown once as a whole: then it repeats."""
    return size // 2


@functools.cache
def upsampling_matrix(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """[2 (size + 2 margin), size]: doubles an axis, with its mirrored continuation on both sides, by the 12-tap filter.

    Sample k of the result lies at position (k + 0.5 + DELAY) / 2 - margin of the input, in units of its pixels.
    """
    samples = np.arange(-2 * margin(size), 2 * (size + margin(size)))
    filtered = np.zeros((len(samples), size))
    taps = np.asarray(SYM6)
    taps = taps / taps.sum()
    for tap, value in enumerate(taps):
        # pixel i stands at position 2 i between zeros
        position = samples - tap + REACH - 1
        even = position % 2 == 0
        rows, columns = np.flatnonzero(even), mirror(position[even] // 2, size)
        np.add.at(filtered, (rows, columns), 2 * value)
    return torch.as_tensor(filtered, device=device, dtype=dtype)


@functools.cache
def downsampling_matrix(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """[size, 2 size + 2 REACH]: the adjoint of the doubling, on a doubled axis with REACH more samples on each side."""
    taps = np.asarray(SYM6) / np.sum(SYM6)
    matrix = np.zeros((size, 2 * size + 2 * REACH))
    for row in range(size):
        start = 2 * row + REACH - (REACH - 1)  # the same offset as in the doubling
        matrix[row, start : start + len(taps)] = taps
    return torch.as_tensor(matrix, device=device, dtype=dtype)


def filter_bank() -> Array:
    """[4, 43]: band-pass filters that sum to one, octave by octave (appendix B, image-space filtering).

    With the half-band filter P(z) = H(z) H(1/z) / 2 of sym2, the bands from the highest down are 1 - P(z),
    P(z) (1 - P(z^2)), P(z) P(z^2) (1 - P(z^4)) and P(z) P(z^2) P(z^4). Row 0 is the lowest.
    """
    taps = np.asarray(SYM2)
    half_band = np.convolve(taps, taps[::-1]) / 2
    low = np.ones(1)
    bands = []
    for octave in range(3):
        spread = np.zeros((len(half_band) - 1) * 2**octave + 1)
        spread[:: 2**octave] = half_band
        complement = -spread
        complement[len(spread) // 2] += 1
        bands.append(np.convolve(low, complement))
        low = np.convolve(low, spread)
    bands.append(low)
    length = len(low)
    return np.stack([np.pad(band, (length - len(band)) // 2) for band in reversed(bands)])


@functools.cache
def bank_of_filters(device: torch.device, dtype: torch.dtype) -> Tensor:
    """The filter bank as a tensor."""
    return torch.as_tensor(filter_bank(), device=device, dtype=dtype)


@functools.cache
def shift_matrices(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """[taps, size x size]: matrix k reads the pixel k - taps // 2 to the side, mirrored; flattened for a product."""
    taps = filter_bank().shape[1]
    matrices = np.zeros((taps, size, size))
    rows = np.arange(size)
    for tap in range(taps):
        matrices[tap, rows, mirror(rows + tap - taps // 2, size)] = 1
    return torch.as_tensor(matrices.reshape(taps, -1), device=device, dtype=dtype)
