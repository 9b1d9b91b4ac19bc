"""Networks against literal transcriptions of what their papers and released configurations describe."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermsynth.backbones.lpips import VGG19_LAYERS, layer_weights
from dermsynth.models import pgan, r3gan
from dermsynth.models.layers import multiscale
from dermsynth.models.layers.resample import halve_by_nine
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.layers.translation import MultiScaleDiscriminator, PatchDiscriminator, ResidualUNet
from dermsynth.models.pix2pixhd import CoarseToFineGenerator, ImageTranslator


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def shaken(network: nn.Module) -> nn.Module:
    """Every parameter moved, so that none is zero or one by its start."""
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network


# FURGER: two discriminators of four strided convolutions and a dense layer


def test_furgers_dense_discriminators_have_the_documents_parameters() -> None:
    with torch.device("meta"):
        both = multiscale.MultiScaleDiscriminator(Shape(128, 128), 0, stages=4, features=256)
    convolutions = sum(a * b * 16 for a, b in ((3, 256), (256, 512), (512, 1024), (1024, 2048)))
    norms = 2 * (256 + 512 + 1024 + 2048)
    dense = 2048 * 8 * 8 + 1 + 2048 * 4 * 4 + 1
    assert count(both) == 2 * (convolutions + norms) + dense == 88_284_162


def test_furgers_dense_discriminators_against_a_literal_transcription() -> None:
    torch.manual_seed(0)
    both = multiscale.MultiScaleDiscriminator(Shape(32, 48), 0, stages=3, features=4)
    shaken(both)
    image = torch.rand(5, 3, 32, 48) * 2 - 1

    def judged(network: nn.Module, x: Tensor) -> Tensor:
        weights = list(network.parameters())
        for i in range(3):
            x = F.conv2d(x, weights[3 * i], stride=2, padding=1)
            mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, correction=0)
            scale, offset = (weights[3 * i + k][None, :, None, None] for k in (1, 2))
            x = (x - mean) / (variance + 1e-5).sqrt() * scale + offset
            x = torch.where(x > 0, x, 0.2 * x)
        return x.reshape(5, -1) @ weights[9][0] + weights[10]

    small = (image[:, :, ::2, ::2] + image[:, :, 1::2, ::2] + image[:, :, ::2, 1::2] + image[:, :, 1::2, 1::2]) / 4
    literal = (judged(both.fine, image) + judged(both.coarse, small)) / 2
    (found,) = both.logits(image)
    torch.testing.assert_close(found[:, 0], literal, atol=1e-5, rtol=1e-4)


# R3GAN: released widths, the filter [1, 3, 3, 1] both ways, zeros outside


@pytest.mark.parametrize(
    ("side", "widths"), [(64, [768, 768, 768, 768, 384]), (256, [768, 768, 768, 768, 384, 192, 96])]
)
def test_r3gans_widths_are_the_released_ones(side: int, widths: list[int]) -> None:
    shape = Shape(side, side)
    config = r3gan.paper(shape, 256)
    with torch.device("meta"):
        generator = r3gan.Generator(shape, config.latent, 0, config.channel_base, config.channel_max)
        discriminator = r3gan.Discriminator(shape, 0, config.channel_base, config.channel_max)
    assert [stage.blocks[0].last.out_channels for stage in generator.stages] == widths  # type: ignore[union-attr, index]
    assert [stage.blocks[0].last.out_channels for stage in discriminator.stages] == widths[::-1]  # type: ignore[union-attr, index]
    if side == 256:
        assert (count(generator), count(discriminator)) == (23_057_952, 23_009_568)


def _doubled_literally(x: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Every pixel spreads 1, 3, 3, 1 (over 4) onto rows and columns 2 i - 1 to 2 i + 2; what falls outside is lost."""
    h, w = x.shape
    out = np.zeros((2 * h, 2 * w))
    taps = np.array([1, 3, 3, 1]) / 4
    for i in range(h):
        for j in range(w):
            for a in range(4):
                for b in range(4):
                    row, column = 2 * i - 1 + a, 2 * j - 1 + b
                    if 0 <= row < 2 * h and 0 <= column < 2 * w:
                        out[row, column] += x[i, j] * taps[a] * taps[b]
    return out


def _halved_literally(x: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    h, w = x.shape
    taps = np.array([1, 3, 3, 1]) / 8
    padded = np.pad(x, 1)
    return np.array(
        [[taps @ padded[2 * i : 2 * i + 4, 2 * j : 2 * j + 4] @ taps for j in range(w // 2)] for i in range(h // 2)]
    )


def _planes(x: Tensor, change) -> Tensor:  # type: ignore[no-untyped-def]
    return torch.stack([torch.stack([torch.from_numpy(change(p.numpy())) for p in image]) for image in x]).to(x)


def _blocks(x: Tensor, stage: nn.Module) -> Tensor:
    if isinstance(stage.change, nn.Conv2d):
        x = torch.einsum("oi,nihw->nohw", stage.change.weight[:, :, 0, 0], x)
    for block in stage.blocks:  # type: ignore[union-attr]
        y = torch.einsum("oi,nihw->nohw", block.first.weight[:, :, 0, 0], x)  # type: ignore[union-attr]
        y = y + block.first_activation.bias[:, None, None]  # type: ignore[union-attr, index]
        y = torch.where(y > 0, y, 0.2 * y)
        groups = y.shape[1] // 16
        parts = zip(y.chunk(groups, 1), block.second.weight.chunk(groups, 0), strict=True)  # type: ignore[union-attr, operator]
        y = torch.cat([F.conv2d(part, weight, padding=1) for part, weight in parts], 1)
        y = y + block.second_activation.bias[:, None, None]  # type: ignore[union-attr, index]
        y = torch.where(y > 0, y, 0.2 * y)
        x = x + torch.einsum("oi,nihw->nohw", block.last.weight[:, :, 0, 0], y)  # type: ignore[union-attr]
    return x


@torch.no_grad()
def test_r3gans_networks_against_a_literal_transcription() -> None:
    torch.manual_seed(0)
    generator = shaken(r3gan.Generator(Shape(16, 16), 8, 0, 128, 16)).double()
    discriminator = shaken(r3gan.Discriminator(Shape(16, 16), 0, 128, 16)).double()
    z, label = torch.randn(2, 8).double(), torch.zeros(2, 0)
    x = generator.basis[None] * (z @ generator.linear.weight.T)[:, :, None, None]  # type: ignore[union-attr, operator, index]
    for index, stage in enumerate(generator.stages):  # type: ignore[arg-type]
        x = _blocks(_planes(x, _doubled_literally) if index else x, stage)
    literal = torch.einsum("oi,nihw->nohw", generator.to_image.weight[:, :, 0, 0], x)  # type: ignore[union-attr]
    torch.testing.assert_close(generator(z, label), literal)
    image = torch.randn(2, 3, 16, 16).double()
    x = torch.einsum("oi,nihw->nohw", discriminator.from_image.weight[:, :, 0, 0], image)  # type: ignore[union-attr]
    for index, stage in enumerate(discriminator.stages):  # type: ignore[arg-type]
        x = _blocks(_planes(x, _halved_literally) if index else x, stage)
    pooled = (x * discriminator.whole.weight[:, 0]).sum((2, 3))  # type: ignore[union-attr]
    torch.testing.assert_close(discriminator(image, label), (pooled @ discriminator.output.weight.T)[:, 0])  # type: ignore[union-attr]


def test_r3gans_augmentation_is_the_released_set() -> None:
    from dermsynth.models.layers.augmentation import PRESETS

    chosen = PRESETS[r3gan.paper(Shape(64, 64), 256).augmentation].model_dump()
    whole = {"flip", "rotate90", "translate_pixels", "scale", "rotate", "stretch", "translate", "cutout"}
    half = {"brightness", "contrast", "luma_inversion", "hue", "saturation"}
    assert chosen == {name: 1.0 if name in whole else 0.5 if name in half else 0.0 for name in chosen}
    for side, gamma in ((64, 2.0), (256, 150.0)):
        assert r3gan.paper(Shape(side, side), 256).gamma == (pytest.approx(gamma), pytest.approx(gamma / 10))


# PGAN


@torch.no_grad()
@pytest.mark.parametrize(("level", "alpha"), [(0, 1.0), (2, 1.0), (2, 0.3)])
def test_the_growing_generator_against_a_literal_transcription(level: int, alpha: float) -> None:
    """Karras et al. 2018, table 2: normalise z; dense, bias a map, leaky ReLU, pixel norm; then convolutions likewise."""
    torch.manual_seed(0)
    network = pgan.GrowingGenerator(Shape(16, 16), 8, 0, 64, 16)
    shaken(network)
    z = torch.randn(3, 8)

    def pixel_norm(x: Tensor) -> Tensor:
        return x / (x.pow(2).mean(1, keepdim=True) + 1e-8).sqrt()

    def leaky(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0.2 * x)

    def convolved(x: Tensor, layer: nn.Module) -> Tensor:
        """Weights over root of their inputs; the activation's gain of root 2 stands behind it."""
        weight = layer.weight / math.sqrt(layer.weight[0].numel())  # type: ignore[operator, index, union-attr]
        return F.conv2d(x, weight, layer.bias, padding=layer.weight.shape[2] // 2)  # type: ignore[arg-type, union-attr, operator]

    weight = network.start.weight * (math.sqrt(2) / 4 / math.sqrt(8))
    x = (pixel_norm(z) @ weight.T).reshape(3, 16, 4, 4)
    x = pixel_norm(leaky(x + network.start.bias.reshape(1, 16, 1, 1)))
    x = pixel_norm(math.sqrt(2) * leaky(convolved(x, network.first)))
    images = [convolved(x, network.to_image[0])]
    for index in range(level):
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        for layer in network.blocks[index]:  # type: ignore[union-attr, attr-defined]
            x = pixel_norm(math.sqrt(2) * leaky(convolved(x, layer)))
        images.append(convolved(x, network.to_image[index + 1]))
    literal = images[-1]
    if alpha < 1:
        literal = alpha * literal + (1 - alpha) * images[-2].repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(network(z, torch.zeros(3, 0), level, alpha), literal, atol=1e-5, rtol=1e-4)


def test_the_first_layer_has_one_bias_a_map() -> None:
    """7,680 biases fewer at 512 maps of 4 x 4 than one a pixel."""
    with torch.device("meta"):
        layer = pgan.FirstLayer(512, 512, 4, 4)
    assert layer.bias.shape == (512,)
    assert count(layer) == 512 * 512 * 16 + 512


# pix2pixHD


@pytest.mark.parametrize("size", [(8, 6), (7, 5)])
def test_the_pyramid_halves_by_the_mean_of_what_lies_inside(size: tuple[int, int]) -> None:
    h, w = size
    x = torch.randn(1, 1, h, w, dtype=torch.float64)
    literal = torch.empty(1, 1, (h + 1) // 2, (w + 1) // 2, dtype=torch.float64)
    for i in range(literal.shape[2]):
        for j in range(literal.shape[3]):
            rows = [k for k in (2 * i - 1, 2 * i, 2 * i + 1) if 0 <= k < h]
            columns = [k for k in (2 * j - 1, 2 * j, 2 * j + 1) if 0 <= k < w]
            literal[0, 0, i, j] = sum(x[0, 0, a, b] for a in rows for b in columns) / (len(rows) * len(columns))
    torch.testing.assert_close(halve_by_nine(x), literal)


@torch.no_grad()
def test_multi_scale_patch_discriminators_against_a_literal_transcription() -> None:
    """Three convolutions of stride 2, one of stride 1, one to the logits; instance norm without a scale on the middle ones."""
    torch.manual_seed(0)
    network = MultiScaleDiscriminator(3, 4, 4, scales=2)
    shaken(network)
    image = torch.rand(2, 3, 40, 32)

    def normalised(x: Tensor) -> Tensor:
        mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, correction=0)
        return (x - mean) / (variance + 1e-5).sqrt()

    literal = []
    for scale in network.scales:
        x, outputs = image if not literal else halve_by_nine(image), []
        for index, stride in enumerate((2, 2, 2, 1, 1)):
            layer = scale.layers[index]  # type: ignore[union-attr, index]
            convolution = layer if index == 4 else layer[0]  # type: ignore[index]
            x = F.conv2d(x, convolution.weight, convolution.bias, stride=stride, padding=2)  # type: ignore[arg-type, union-attr]
            if 0 < index < 4:
                x = normalised(x)
            if index < 4:
                x = torch.where(x > 0, x, 0.2 * x)
            outputs.append(x)
        literal.append(outputs)
    for ours, theirs in zip(network(image), literal, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_instance_norms_have_nothing_to_learn() -> None:
    networks = (
        PatchDiscriminator(3, 4, 3),
        ResidualUNet(4, 1, mask=True),
        CoarseToFineGenerator(3, 8, 1, 1, 1),
        ImageTranslator(4, 1),
    )
    for network in networks:
        norms = [m for m in network.modules() if isinstance(m, nn.InstanceNorm2d)]
        assert norms
        assert not any(list(norm.parameters()) for norm in norms)


def test_perceptual_weights_are_the_authors() -> None:
    assert layer_weights(5) == [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1]
    assert layer_weights(1) == [1]
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        network = timm.create_model("vgg19", num_classes=0)
    layers = [layer for layer in network.features if not isinstance(layer, nn.ReLU)]
    firsts = [0, *(i + 1 for i, layer in enumerate(layers[:-1]) if isinstance(layer, nn.MaxPool2d))]
    after = [network.features[index - 1] for index in VGG19_LAYERS]
    assert [layers[i] for i in firsts] == after
    assert all(isinstance(network.features[index], nn.ReLU) for index in VGG19_LAYERS)


# Zhu et al.


@pytest.mark.parametrize(("blocks", "published"), [(9, 11_378_179), (6, 7_837_699)])
def test_zhus_generator_has_the_published_layers(blocks: int, published: int) -> None:
    """c7s1-64, d128, d256, R256 ..., u128, u64, c7s1-3; the published count has biases that the norms take out again."""
    with torch.device("meta"):
        network = ImageTranslator(64, blocks)
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    found = [
        (type(m) is nn.ConvTranspose2d, m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for m in network.modules()
        if isinstance(m, kinds)
    ]
    literal = [(False, 3, 64, 7, 1), (False, 64, 128, 3, 2), (False, 128, 256, 3, 2)]
    literal += [(False, 256, 256, 3, 1)] * (2 * blocks)
    literal += [(True, 256, 128, 3, 2), (True, 128, 64, 3, 2), (False, 64, 3, 7, 1)]
    assert found == literal
    idle = 64 + 128 + 256 + 2 * 256 * blocks + 128 + 64
    assert count(network) + idle == published


@torch.no_grad()
def test_zhus_generator_against_a_literal_transcription() -> None:
    torch.manual_seed(0)
    network = shaken(ImageTranslator(4, 2))
    weights = [p for p in network.parameters() if p.ndim == 4]
    bias = next(p for name, p in network.named_parameters() if name == "body.image.1.bias")
    image = torch.rand(2, 3, 16, 24) * 2 - 1

    def normalised(x: Tensor) -> Tensor:
        mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, correction=0)
        return (x - mean) / (variance + 1e-5).sqrt()

    def mirrored(x: Tensor, width: int) -> Tensor:
        return F.pad(x, (width,) * 4, mode="reflect")

    x = normalised(F.conv2d(mirrored(image, 3), weights[0])).clamp_min(0)
    for weight in weights[1:3]:
        x = normalised(F.conv2d(x, weight, stride=2, padding=1)).clamp_min(0)
    for first, second in (weights[3:5], weights[5:7]):
        y = normalised(F.conv2d(mirrored(x, 1), first)).clamp_min(0)
        x = x + normalised(F.conv2d(mirrored(y, 1), second))
    for weight in weights[7:9]:
        x = normalised(F.conv_transpose2d(x, weight, stride=2, padding=1, output_padding=1)).clamp_min(0)
    literal = torch.tanh(F.conv2d(mirrored(x, 3), weights[9], bias))
    torch.testing.assert_close(network(image), literal, atol=1e-5, rtol=1e-4)


def test_zhus_discriminator_sees_patches_of_70_pixels() -> None:
    """Its parameters are the published 2,764,737 without those biases; one logit depends on 70 x 70 pixels."""
    torch.manual_seed(0)
    network = PatchDiscriminator(3, 64, 4, padding=1)
    assert count(network) + 128 + 256 + 512 == 2_764_737
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.eval()
            module.track_running_stats = True
            module.running_mean, module.running_var = torch.zeros(module.num_features), torch.ones(module.num_features)
    image = torch.randn(1, 3, 144, 144, requires_grad=True)
    logits = network(image)[-1]
    assert logits.shape == (1, 1, 16, 16)
    (gradient,) = torch.autograd.grad(logits[0, 0, 8, 8], image)
    rows = gradient.abs().sum((0, 1, 3)).nonzero()[:, 0]
    assert int(rows.max() - rows.min()) + 1 == 70
