import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from dermsynth.models.layers.augmentation import PARAMETERS, PRESETS, Augmentation, Strengths, pipeline
from dermsynth.models.layers.augmentation.colour import cut_out, equalise, random_colour, random_gains, recolour
from dermsynth.models.layers.augmentation.geometry import random_transform, warp
from dermsynth.models.layers.augmentation.grid_sample import grid_sample
from dermsynth.models.layers.augmentation.wavelets import (
    DELAY,
    REACH,
    SYM2,
    SYM6,
    downsampling_matrix,
    filter_bank,
    margin,
    mirror,
    upsampling_matrix,
)
from dermsynth.rng import Draws

CPU = torch.device("cpu")


def _draws(n: int, seed: int = 0) -> Draws:
    return Draws.for_step(CPU, seed, total=n, start=0, count=n)


def _probability(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def _smooth(n: int = 2, h: int = 40, w: int = 40) -> torch.Tensor:
    y, x = np.mgrid[:h, :w]
    planes = [np.sin(x / (4 + i)) * np.cos(y / (6 - i)) for i in range(3)]
    return torch.tensor(np.stack(planes), dtype=torch.float32).repeat(n, 1, 1, 1)


@pytest.mark.parametrize("taps", [SYM2, SYM6])
def test_wavelets_are_orthonormal(taps: tuple[float, ...]) -> None:
    filter_ = np.array(taps)
    for shift in range(0, len(taps), 2):
        product = (filter_[shift:] * filter_[: len(taps) - shift]).sum()
        assert product == pytest.approx(1.0 if shift == 0 else 0.0, abs=1e-10)
    assert filter_.sum() == pytest.approx(math.sqrt(2))


def test_halving_undoes_doubling_inside() -> None:
    double = upsampling_matrix(40, CPU, torch.float64)
    halve = downsampling_matrix(40, CPU, torch.float64)
    product = halve @ double[2 * margin(40) - REACH : 2 * margin(40) + 80 + REACH]
    assert torch.allclose(product[8:-8], torch.eye(40, dtype=torch.float64)[8:-8], atol=1e-9)


def test_bands_sum_to_one_and_separate_frequencies() -> None:
    bank = filter_bank()
    assert bank.shape == (4, 43)
    impulse = np.zeros(43)
    impulse[21] = 1
    assert np.allclose(bank.sum(axis=0), impulse)
    response = np.abs(np.fft.rfft(bank, 512))
    centres = [np.average(np.arange(257), weights=r) for r in response]
    assert centres == sorted(centres)
    assert response[0, 0] == pytest.approx(1)
    assert response[3, -1] == pytest.approx(1)


@given(st.integers(-100, 100), st.integers(1, 12))
def test_mirror_reflects_about_the_outermost_pixels(position: int, size: int) -> None:
    signal = np.arange(size)
    extended = np.pad(signal, 120, mode="reflect")
    assert signal[mirror(np.array([position]), size)][0] == extended[position + 120]


def _matrix(values: list[list[float]]) -> torch.Tensor:
    return torch.tensor([[*values[0]], [*values[1]], [0, 0, 1]], dtype=torch.float32)[None]


@pytest.mark.parametrize(
    ("inverse", "expected"),
    [
        ([[1, 0, 0], [0, 1, 0]], lambda x: x),
        ([[-1, 0, 0], [0, 1, 0]], lambda x: x.flip(3)),
        ([[0, -1, 0], [1, 0, 0]], lambda x: torch.rot90(x, 1, (2, 3))),
        ([[1, 0, -5], [0, 1, 3]], lambda x: x.roll((-3, 5), (2, 3))),
    ],
)
def test_warp_does_what_its_matrix_says(inverse: list[list[float]], expected) -> None:  # type: ignore[no-untyped-def]
    image = _smooth(1)
    found = warp(image, _matrix(inverse))
    assert (found - expected(image))[..., 8:-8, 8:-8].abs().max() < 0.01


def _literal_warp(image: torch.Tensor, inverse: torch.Tensor, delay: float = DELAY) -> torch.Tensor:
    """Appendix B in words: pad by the mirror image, double, sample, halve; one plain operation after the other."""
    _, c, h, w = image.shape
    taps = torch.tensor(SYM6, dtype=image.dtype)
    kernel = torch.outer(taps, taps).expand(c, 1, 12, 12) / taps.sum() ** 2
    padded = torch.from_numpy(np.pad(image.numpy(), ((0, 0), (0, 0), (2 * h, 2 * h), (2 * w, 2 * w)), mode="reflect"))
    stuffed = F.conv_transpose2d(padded, torch.ones(c, 1, 1, 1, dtype=image.dtype), stride=2, groups=c)
    double = F.conv2d(F.pad(stuffed, (6, 6, 6, 6)), kernel.flip(2, 3) * 4, groups=c)[..., : 10 * h, : 10 * w]
    found = torch.zeros(1, c, 2 * h + 12, 2 * w + 12, dtype=image.dtype)
    for row in range(-6, 2 * h + 6):
        for column in range(-6, 2 * w + 6):
            place = inverse.new_tensor([(column + 0.5 + delay) / 2 - w / 2, (row + 0.5 + delay) / 2 - h / 2, 1.0])
            x, y, _ = (inverse[0] @ place).tolist()
            x, y = (2 * (v + n / 2) - delay - 0.5 + 4 * n for v, n in ((x, w), (y, h)))
            left, top = math.floor(x), math.floor(y)
            for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
                if 0 <= top + i < double.shape[2] and 0 <= left + j < double.shape[3]:
                    weight = (1 - abs(y - top - i)) * (1 - abs(x - left - j))
                    found[0, :, row + 6, column + 6] += weight * double[0, :, top + i, left + j]
    return F.conv2d(found[..., 1:-1, 1:-1], kernel, stride=2, groups=c)[..., :h, :w]


@pytest.mark.parametrize(("height", "width"), [(12, 12), (9, 14)])
def test_warp_mirrors_as_the_paper_does_up_to_the_border(height: int, width: int) -> None:
    """Turned, stretched and moved: every pixel, those at the border too."""
    image = torch.rand(1, 2, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    inverse = torch.tensor([[[0.9, -0.5, 2.2], [0.4, 1.1, -1.1], [0, 0, 1]]], dtype=torch.float64)
    expected = _literal_warp(image, inverse)
    assert (warp(image, inverse) - expected).norm() / expected.norm() < 1e-12
    repeated = F.pad(image, (4, 4, 4, 4), mode="replicate")
    assert (warp(repeated, inverse)[..., 4:-4, 4:-4] - expected).norm() / expected.norm() > 0.01


def test_far_outside_the_mirror_image_goes_on_without_end() -> None:
    image = torch.rand(1, 1, 7, 6, dtype=torch.float64)
    inverse = torch.eye(3, dtype=torch.float64)[None]
    for periods in (-3, 1, 4):
        moved = inverse.clone()
        moved[0, 0, 2], moved[0, 1, 2] = 10 * periods, 12 * periods
        torch.testing.assert_close(warp(image, moved), warp(image, inverse))


def test_warp_can_be_differentiated_twice() -> None:
    torch.manual_seed(0)
    image = torch.randn(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    inverse = torch.tensor([[[0.8, 0.3, 1.2], [-0.2, 1.1, 0.4], [0, 0, 1]]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: warp(x, inverse), image)
    assert torch.autograd.gradgradcheck(lambda x: warp(x, inverse).square(), image)


def test_grid_sample_equals_the_library_and_can_be_differentiated_twice() -> None:
    torch.manual_seed(0)
    image = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    grid = torch.rand(2, 7, 8, 2, dtype=torch.float64) * 3 - 1.5
    library = torch.nn.functional.grid_sample(image, grid, padding_mode="reflection", align_corners=False)
    assert torch.equal(grid_sample(image, grid), library)
    assert torch.autograd.gradgradcheck(lambda x: grid_sample(x, grid).square(), image)


def test_p_zero_changes_nothing_and_draws_nothing() -> None:
    image = _smooth()
    draws = _draws(2)
    before = draws.generator.get_state()
    assert Augmentation(PRESETS["bgcfnc"], 0.0)(image, draws) is image
    assert torch.equal(draws.generator.get_state(), before)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_an_image_left_alone_is_left_alone_exactly(name: str) -> None:
    image = torch.rand(64, 3, 16, 16)
    found = Augmentation(PRESETS[name], 0.05)(image, _draws(64))
    same = (found == image).flatten(1).all(1)
    assert same.all() if name == "none" else 0 < same.sum() < 64


def test_parameters_tell_what_was_done() -> None:
    """Two images with the same parameters were treated alike; those of an image left alone are zero; nothing else was drawn."""
    image = torch.rand(64, 3, 16, 16) * 2 - 1
    pipeline = Augmentation(PRESETS["skin"], 0.1)
    made, parameters = pipeline.with_parameters(image, _draws(64, 3))
    assert parameters.shape == (64, PARAMETERS)
    torch.testing.assert_close(made, pipeline(image, _draws(64, 3)), rtol=0, atol=0)
    alone = (parameters == 0).all(1)
    assert 0 < alone.sum() < 64
    assert torch.equal(made[alone], image[alone])
    assert (made[~alone] != image[~alone]).flatten(1).any(1).all()
    still, silent = Augmentation(PRESETS["skin"], 0.0).with_parameters(image, _draws(64, 3))
    assert still is image
    assert not silent.any()


def test_parameters_are_the_matrices_of_the_transformation() -> None:
    strengths = Strengths(flip=1.0, brightness=1.0, translate=1.0)
    image = torch.rand(32, 3, 16, 24) * 2 - 1
    made, parameters = Augmentation(strengths, 1.0).with_parameters(image, _draws(32, 4))
    inverse = torch.eye(3).repeat(32, 1, 1)
    inverse[:, :2] += parameters[:, :6].reshape(32, 2, 3) * torch.tensor([1.0, 1.0, 24.0])
    linear, offset = torch.eye(3) + parameters[:, 6:15].reshape(32, 3, 3), parameters[:, 15:]
    torch.testing.assert_close(recolour(warp(image, inverse), linear, offset), made, atol=1e-5, rtol=1e-5)


def test_an_image_does_not_depend_on_the_others() -> None:
    augmentation = Augmentation(PRESETS["bgcfnc"], 0.6)
    image = torch.rand(8, 3, 16, 16)
    whole = augmentation(image, _draws(8))
    part = augmentation(image[4:], Draws.for_step(CPU, 0, total=8, start=4, count=4))
    assert torch.allclose(whole[4:], part, atol=1e-6)


def test_the_skin_preset_keeps_hue_and_luma() -> None:
    skin = PRESETS["skin"]
    assert skin.hue == 0
    assert skin.luma_inversion == 0
    draws = _draws(500)
    linear, offset = random_colour(draws.uniform, draws.normal, _probability(1.0), skin)
    grey = recolour(torch.full((500, 3, 1, 1), 0.2), linear, offset)
    assert torch.allclose(grey[:, 0], grey[:, 2], atol=1e-5)
    darker, lighter = (recolour(torch.full((500, 3, 1, 1), v), linear, offset) for v in (0.1, 0.3))
    assert (lighter > darker).all()


def test_colour_statistics_are_the_papers() -> None:
    n = 20_000
    draws = _draws(n)
    linear, offset = random_colour(draws.uniform, draws.normal, _probability(0.5), Strengths(brightness=1))
    assert torch.allclose(linear, torch.eye(3).expand(n, 3, 3))
    moved = offset[offset[:, 0] != 0, 0]
    assert len(moved) / n == pytest.approx(0.5, abs=0.02)
    assert moved.std().item() == pytest.approx(0.2, abs=0.01)
    draws = _draws(n)
    linear, _ = random_colour(draws.uniform, draws.normal, _probability(1.0), Strengths(contrast=1))
    assert linear[:, 0, 0].log2().std().item() == pytest.approx(0.5, abs=0.02)


def _literal_colour(draws: Draws, p: float, count: int) -> torch.Tensor:
    """Algorithm 1, lines 29 to 46, image by image: 4 x 4 matrices about the grey axis v, multiplied from the left."""

    def drawn(value: torch.Tensor) -> list[float | None]:
        return [float(v) if float(u) < p else None for u, v in zip(chosen, value, strict=True)]

    v = torch.tensor([1.0, 1, 1, 0], dtype=torch.float64) / math.sqrt(3)
    eye, axis = torch.eye(4, dtype=torch.float64), torch.outer(v, v)
    value = draws.normal()
    chosen = draws.uniform()
    brightness = drawn(value * 0.2)
    value = draws.normal()
    chosen = draws.uniform()
    contrast = drawn(value * 0.5)
    value = draws.uniform()
    chosen = draws.uniform()
    flip = drawn((value < 0.5).float())
    value = draws.uniform()
    chosen = draws.uniform()
    angle = drawn((value * 2 - 1) * math.pi)
    value = draws.normal()
    chosen = draws.uniform()
    saturation = drawn(value)
    found = []
    for b, c, i, t, s in zip(brightness, contrast, flip, angle, saturation, strict=True):
        matrix = eye.clone()
        if b is not None:
            matrix[:3, 3] += b
        if c is not None:
            matrix = torch.diag(torch.tensor([2**c, 2**c, 2**c, 1], dtype=torch.float64)) @ matrix
        if i is not None:
            matrix = (eye - 2 * axis * i) @ matrix
        if t is not None:
            matrix = _about(v[:3], t) @ matrix
        if s is not None:
            matrix = (axis + (eye - axis) * torch.tensor([2**s, 2**s, 2**s, 1], dtype=torch.float64)) @ matrix
        found.append(matrix)
    assert len(found) == count
    return torch.stack(found)


def _about(v: torch.Tensor, angle: float) -> torch.Tensor:
    """The rotation that turns the plane at right angles to v by the angle, as the exponential of its generator."""
    x, y, z = v.tolist()
    spin = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = torch.linalg.matrix_exp(angle * spin)
    return matrix


@pytest.mark.parametrize("p", [0.4, 1.0])
def test_colours_are_those_of_the_papers_matrices(p: float) -> None:
    n, strengths = 200, Strengths(brightness=1, contrast=1, luma_inversion=1, hue=1, saturation=1)
    draws = _draws(n)
    linear, offset = random_colour(draws.uniform, draws.normal, _probability(p), strengths)
    expected = _literal_colour(_draws(n), p, n)
    image = torch.rand(n, 3, 8, 8) * 2 - 1
    colours = torch.einsum("nij,njhw->nihw", expected[:, :3, :3], image.double()) + expected[:, :3, 3, None, None]
    error = (recolour(image, linear, offset) - colours).norm() / colours.norm()
    assert error < 2e-7, float(error)  # float32 has 1.2e-7


def test_hue_rotation_turns_red_into_green_and_keeps_grey() -> None:
    draws = _draws(200)
    linear, _ = random_colour(draws.uniform, draws.normal, _probability(1.0), Strengths(hue=1))
    assert torch.allclose(linear @ linear.transpose(1, 2), torch.eye(3).expand(200, 3, 3), atol=1e-5)
    assert torch.allclose(linear.sum(dim=2), torch.ones(200, 3), atol=1e-5)


def test_geometric_statistics_are_the_papers() -> None:
    n = 20_000
    draws = _draws(n)
    inverse = random_transform(draws.uniform, draws.normal, _probability(1.0), Strengths(scale=1), (32, 32))
    assert (-inverse[:, 0, 0].log2()).std().item() == pytest.approx(0.2, abs=0.01)
    draws = _draws(n)
    inverse = random_transform(draws.uniform, draws.normal, _probability(0.4), Strengths(rotate=1), (32, 32))
    turned = (inverse[:, 0, 1] != 0).float().mean().item()
    assert turned == pytest.approx(0.4, abs=0.015)  # two rotations, together with probability p
    draws = _draws(n)
    inverse = random_transform(draws.uniform, draws.normal, _probability(1.0), Strengths(translate=1), (32, 64))
    assert inverse[:, 0, 2].std().item() / 64 == pytest.approx(0.125, abs=0.004)
    assert inverse[:, 1, 2].std().item() / 32 == pytest.approx(0.125, abs=0.004)
    draws = _draws(n)
    inverse = random_transform(draws.uniform, draws.normal, _probability(1.0), Strengths(translate_pixels=1), (32, 32))
    assert torch.equal(inverse, inverse.round())
    assert inverse[:, 0, 2].abs().max() == 4


def test_gains_of_one_change_nothing_and_low_gain_removes_the_mean() -> None:
    image = _smooth()
    assert torch.allclose(equalise(image, torch.ones(2, 4)), image, atol=1e-5)
    constant = torch.full((1, 3, 20, 20), 0.7)
    assert equalise(constant, torch.tensor([[0.0, 1, 1, 1]])).abs().max() < 1e-5
    draws = _draws(1000)
    gains = random_gains(draws.uniform, draws.normal, _probability(1.0), Strengths(filtering=1))
    power = torch.tensor([10 / 13, 1 / 13, 1 / 13, 1 / 13])
    for number in range(3):  # the paper's loop, band by band, for one image
        expected = torch.ones(4)
        again = _draws(1000)
        again.uniform(4)
        for band in range(4):
            again.uniform()
            one = torch.ones(4)
            one[band] = again.normal().exp2()[number]
            expected *= one / (one.square() @ power).sqrt()
        assert torch.allclose(gains[number], expected, rtol=1e-5)


def test_bands_are_filtered_over_the_mirror_image_that_repeats_no_pixel() -> None:
    image = torch.rand(1, 1, 14, 30, dtype=torch.float64)
    gains = torch.tensor([[0.5, 2.0, 1.5, 0.7]], dtype=torch.float64)
    taps = gains[0].numpy() @ filter_bank()
    padded = np.pad(image[0, 0].numpy(), 21, mode="reflect")
    expected = np.array([np.convolve(row, taps, mode="valid") for row in padded])
    expected = np.array([np.convolve(column, taps, mode="valid") for column in expected.T]).T
    assert np.allclose(equalise(image, gains)[0, 0].numpy(), expected, atol=1e-9)


def test_cut_out_removes_a_quarter() -> None:
    found = cut_out(torch.ones(1, 3, 32, 32), torch.tensor([[0.5, 0.5]]))
    assert found.mean() == 0.75
    assert found[0, 0, 16, 16] == 0


def test_p_follows_the_sign_of_the_overfitting() -> None:
    augmentation = Augmentation(PRESETS["skin"])
    augmentation.observe(torch.tensor([1.0, 2.0, 3.0, -1.0]), lambda t: t)
    augmentation.observe(torch.ones(4), lambda t: t)
    augmentation.adjust(target=0.6, speed=0.01, maximum=0.5)
    assert augmentation.overfitting.item() == pytest.approx(0.75)
    assert augmentation.p.item() == pytest.approx(0.08)
    for _ in range(20):
        augmentation.observe(torch.ones(8), lambda t: t)
        augmentation.adjust(target=0.6, speed=0.01, maximum=0.5)
    assert augmentation.p.item() == 0.5
    for _ in range(20):
        augmentation.observe(-torch.ones(8), lambda t: t)
        augmentation.adjust(target=0.6, speed=0.01, maximum=0.5)
    assert augmentation.p.item() == 0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_the_whole_pipeline_can_be_differentiated_twice(seed: int) -> None:
    image = torch.rand(4, 3, 12, 12, dtype=torch.float64, requires_grad=True)
    found = Augmentation(PRESETS["bgcfnc"], 0.9)(image, _draws(4, seed))
    (gradient,) = torch.autograd.grad(found.square().sum(), image, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), image)
    assert torch.isfinite(second).all()


@pytest.mark.parametrize("p", [0.1, 0.6, 1.0])
@pytest.mark.parametrize("name", ["bgcfnc", "skin", "none"])
def test_all_images_at_once_as_those_that_change_alone(name: str, p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The form for GPUs, in which no value is read: the same images and gradients, and none where nothing was drawn."""
    image, module = _smooth(16, 16, 16).requires_grad_(True), Augmentation(PRESETS[name], p)
    outcomes = []
    for read in (True, False):
        monkeypatch.setattr(pipeline, "reads_are_free", lambda device, read=read: read)
        augmented = module(image, _draws(16))
        (gradient,) = torch.autograd.grad(augmented.square().sum(), image, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), image)
        outcomes.append((augmented, gradient, second, *module.with_parameters(image, _draws(16))))
    for few, all_at_once in zip(*outcomes, strict=True):
        assert torch.allclose(few, all_at_once, atol=2e-5)
    unchanged = (outcomes[0][0] == image).flatten(1).all(1)
    assert torch.equal(unchanged, (outcomes[1][0] == image).flatten(1).all(1))
    if name == "skin" and p == 0.1:
        assert 0 < int(unchanged.sum()) < 16


def test_nothing_counted_leaves_p_and_the_heuristic() -> None:
    module = Augmentation(PRESETS["skin"], 0.3)
    module.observe(torch.ones(8), lambda x: x)
    module.adjust(target=0.6, speed=0.001, maximum=0.8)
    assert (float(module.p), float(module.overfitting)) == (pytest.approx(0.308), 1.0)
    module.adjust(target=0.6, speed=0.001, maximum=0.8)
    assert (float(module.p), float(module.overfitting)) == (pytest.approx(0.308), 1.0)
