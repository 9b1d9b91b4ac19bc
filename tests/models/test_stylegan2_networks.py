import copy

import pytest
import torch

from dermsynth.errors import UserError
from dermsynth.models.layers.equalized import Dense, minibatch_deviation, normalise_second_moment
from dermsynth.models.layers.shapes import Shape, channels_at, parse_shape, require_doublings
from dermsynth.models.stylegan2_ada import StyleGAN2ADA, auto
from dermsynth.models.stylegan2_networks import Discriminator, Generator, Mapping, Synthesis


def _generator(size: str = "16", classes: int = 0) -> Generator:
    torch.manual_seed(0)
    return Generator(Mapping(8, 8, 2, classes), Synthesis(parse_shape(size), 64, 8, 8))


def _noise(generator: Generator, n: int) -> list[torch.Tensor]:
    return [torch.randn(n, 1, *size) for size in generator.synthesis.noise_sizes()]


@pytest.mark.parametrize(("text", "constant", "doublings"), [("64", (4, 4), 4), ("64x48", (3, 4), 4), ("96", (3, 3), 5), ("640x480", (15, 20), 5), ("80", (5, 5), 4), ("256x192", (3, 4), 6), ("96x72", (9, 12), 3)])  # fmt: skip
def test_sizes_are_a_constant_doubled(text: str, constant: tuple[int, int], doublings: int) -> None:
    shape = parse_shape(text)
    assert (shape.constant, shape.doublings) == (constant, doublings)
    assert str(shape) == text


@pytest.mark.parametrize("text", ["100", "44", "63", "0", "7", "4096", "abc", "64x", "64x64x64", "128x16", "640x480"])
def test_other_sizes_are_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(UserError, match=f"resolution`? '?{text}"):
        require_doublings(parse_shape(text))


def test_the_message_names_sizes_that_are_possible() -> None:
    for text in ("100", "96x71", "640x480", "63x90"):
        with pytest.raises(UserError, match="nearest: ") as refused:
            require_doublings(parse_shape(text))
        for size in str(refused.value).partition("nearest: ")[2].split(", "):
            require_doublings(parse_shape(size))


def test_widths_follow_the_pixels_of_a_level_where_the_constant_is_large() -> None:
    assert parse_shape("96x72").levels == (8, 16, 32, 64)
    assert parse_shape("80x64").levels == (4, 8, 16, 32, 64)


@pytest.mark.parametrize("size", ["16", "24x16", "16x24", "20", "96x72"])
def test_every_size_is_made_and_judged(size: str) -> None:
    shape = parse_shape(size)
    generator = _generator(size)
    images = generator(torch.randn(3, 8), torch.zeros(3, 0), _noise(generator, 3))
    assert images.shape == (3, 3, shape.height, shape.width)
    assert Discriminator(shape, 64, 8, 0, 1)(images, torch.zeros(3, 0)).shape == (3,)


def _synthesis_count(resolution: int, base: int, latent: int) -> int:
    """Karras et al. 2020a, figure 7, layer by layer: a styled convolution has weights, a bias, a noise strength and an
    affine map of w; an image layer weights, three biases and an affine map."""
    total, previous, level = 0, 0, 4
    while level <= resolution:
        width = min(base // level, 512)
        total += width * 16 if level == 4 else 0
        for inputs in ([previous] if previous else []) + [width]:
            total += inputs * width * 9 + width + 1 + (latent + 1) * inputs
        total += width * 3 + 3 + (latent + 1) * width
        previous, level = width, level * 2
    return total


def _discriminator_count(resolution: int, base: int) -> int:
    width = min(base // resolution, 512)
    total, level = 3 * width + width, resolution
    while level > 4:
        narrow, wide = min(base // level, 512), min(base // (level // 2), 512)
        total += narrow * narrow * 9 + narrow + narrow * wide * 9 + wide + narrow * wide
        level //= 2
    return total + (513 * 512 * 9 + 512) + (512 * 16 * 512 + 512) + (512 + 1)


@pytest.mark.parametrize(("resolution", "base"), [(32, 16384), (256, 16384), (512, 32768)])
def test_parameters_of_auto_are_the_papers_layer_by_layer(resolution: int, base: int) -> None:
    shape = Shape(resolution, resolution)
    with torch.device("meta"):
        model = StyleGAN2ADA.__new__(StyleGAN2ADA)
        config = auto(shape, 32)
        synthesis = Synthesis(shape, config.channel_base, config.channel_max, config.latent)
        mapping = Mapping(config.latent, config.latent, config.mapping_layers, 0)
        discriminator = Discriminator(shape, config.channel_base, config.channel_max, 0, config.label_layers)
    del model
    count = lambda m: sum(p.numel() for p in m.parameters())  # noqa: E731
    assert count(mapping) == 2 * (512 * 512 + 512)
    assert count(synthesis) == _synthesis_count(resolution, base, 512)
    assert count(discriminator) == _discriminator_count(resolution, base)
    if resolution == 256:  # ROSEN: 512 feature maps up to 32 px, then 256 / 128 / 64
        assert [channels_at(level, base, 512) for level in shape.levels] == [512, 512, 512, 512, 256, 128, 64]


def test_mixing_takes_the_other_w_from_the_cutoff_on() -> None:
    generator = _generator()
    mixed = generator.mix(torch.zeros(2, 8), torch.ones(2, 8), torch.tensor([1, 4]))
    assert mixed[:, :, 0].tolist() == [[0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1]]


def test_demodulation_keeps_unit_variance_whatever_the_style() -> None:
    torch.manual_seed(0)
    generator = _generator("32")
    layer = generator.synthesis.blocks["8"].convolution
    x = torch.randn(64, 8, 32, 32)
    for scale in (0.1, 1.0, 30.0):
        with torch.no_grad():
            layer.affine.bias.fill_(scale)
            y = layer(x, torch.zeros(64, 8), torch.zeros(64, 1, 32, 32))
        assert y.square().mean().item() == pytest.approx(1.0, rel=0.15)


def test_minibatch_deviation_is_that_of_consecutive_groups() -> None:
    x = torch.randn(8, 3, 4, 4)
    found = minibatch_deviation(x, 4)
    assert found.shape == (8, 4, 4, 4)
    for start in (0, 4):
        expected = (x[start : start + 4].var(dim=0, correction=0) + 1e-8).sqrt().mean()
        assert torch.allclose(found[start : start + 4, 3], expected.expand(4, 4, 4))
    assert torch.allclose(found[4:], minibatch_deviation(x[4:], 4))


@pytest.mark.parametrize(("images", "groups"), [(7, 1), (3, 1), (6, 1), (10, 2), (12, 3)])
def test_no_image_is_a_group_of_its_own(images: int, groups: int) -> None:
    found = minibatch_deviation(torch.randn(images, 3, 4, 4), 4)[:, 3, 0, 0]
    assert len(found.unique()) == groups
    assert found.min() > 0.1


def test_normalised_rows_have_unit_mean_square_and_dense_keeps_variance() -> None:
    x = torch.randn(500, 64) * 7
    assert torch.allclose(normalise_second_moment(x).square().mean(1), torch.ones(500), atol=1e-4)
    torch.manual_seed(1)
    assert Dense(64, 256)(torch.randn(500, 64)).var().item() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_stays_near_float32(dtype: torch.dtype) -> None:
    generator = _generator("32", 2)
    label = torch.eye(2)
    noise, z = _noise(generator, 2), torch.randn(2, 8)
    exact, near = generator(z, label, noise), generator(z, label, noise, dtype=dtype)
    assert near.dtype == torch.float32
    assert (exact - near).norm() / exact.norm() < 0.03
    discriminator = Discriminator(parse_shape("32"), 64, 8, 2, 1)
    wide, narrow = discriminator(exact, label), discriminator(exact, label, dtype)
    assert torch.allclose(wide, narrow, atol=0.05)


@pytest.mark.parametrize(
    ("classes", "generator", "discriminator"), [(0, 23_191_522, 24_001_089), (2, 23_455_202, 26_366_016)]
)
def test_parameters_of_auto_at_256_pixels_are_the_authors(classes: int, generator: int, discriminator: int) -> None:
    shape = Shape(256, 256)
    with torch.device("meta"):
        model = StyleGAN2ADA(auto(shape, 32), shape, classes)
    assert sum(p.numel() for p in model.generator.parameters()) == generator
    assert sum(p.numel() for p in model.discriminator.parameters()) == discriminator


def test_in_float16_no_layer_of_the_discriminator_runs_over(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    discriminator, image = Discriminator(parse_shape("32"), 64, 8, 0, 1), torch.rand(4, 3, 32, 32) * 2 - 1
    for block in (discriminator.from_image, *discriminator.blocks.values()):
        for parameter in block.parameters():
            parameter.data *= 3000.0
    seen: list[float] = []
    for block in discriminator.blocks.values():
        block.register_forward_hook(lambda _m, _i, out: seen.append(float(out.abs().max())))
    assert torch.isfinite(discriminator(image, torch.zeros(4, 0), torch.float16)).all()
    assert max(seen) <= 2 * 256 * 0.5**0.5 + 1
    seen.clear()
    discriminator(image, torch.zeros(4, 0))
    assert max(seen) > 1000, "float32 is not cut off"
    seen.clear()
    discriminator(image, torch.zeros(4, 0), torch.bfloat16)
    assert max(seen) > 1000, "nor is bfloat16, whose range is as wide"
    monkeypatch.setattr("dermsynth.models.stylegan2_networks.clamp_magnitude", lambda x, limit: x)
    assert not torch.isfinite(discriminator(image, torch.zeros(4, 0), torch.float16)).all()


def test_half_precision_does_not_overflow_with_large_styles() -> None:
    generator = _generator("32")
    huge = copy.deepcopy(generator)
    for block in huge.synthesis.blocks.values():
        block.convolution.affine.bias.data.fill_(3000.0)
        block.to_image.affine.bias.data.fill_(3000.0)
    images = huge(torch.randn(2, 8), torch.zeros(2, 0), _noise(generator, 2), dtype=torch.float16)
    assert torch.isfinite(images).all()
