"""Layer tables of the documents, batch norm against PyTorch's, and what conditioning does."""

import pytest
import torch
from torch import nn

from dermsynth.models import pgan, r3gan
from dermsynth.models.layers import dcgan, multiscale
from dermsynth.models.layers.convolutional import BatchNorm
from dermsynth.models.layers.shapes import Shape


def weights(network: nn.Module) -> list[int]:
    return [p.numel() for name, p in network.named_parameters() if p.ndim == 4]


def test_lunagariyas_layer_table() -> None:
    generator = dcgan.Generator(Shape(64, 64), latent=100, classes=0, features=64, maximum=1024)
    assert weights(generator) == [819_200, 2_097_152, 524_288, 131_072, 3_072]
    discriminator = dcgan.Discriminator(Shape(64, 64), classes=0, features=64, maximum=1024)
    assert weights(discriminator) == [3_072, 131_072, 524_288, 2_097_152, 8_192]
    assert not any(name.endswith("bias") and p.ndim == 4 for name, p in generator.named_parameters())
    norms = [block for block in discriminator.blocks if any(isinstance(m, BatchNorm) for m in block)]
    assert len(norms) == 3


def test_weights_are_drawn_with_a_deviation_of_two_hundredths() -> None:
    torch.manual_seed(0)
    generator = dcgan.Generator(Shape(64, 64), latent=100, classes=0, features=64, maximum=1024)
    for parameter in generator.parameters():
        if parameter.ndim == 4:
            assert parameter.mean().abs() < 0.002
            assert parameter.std().item() == pytest.approx(0.02, rel=0.05)


def test_parameters_of_the_growing_networks_are_the_papers() -> None:
    """Karras et al. 2018, table 2: 23.1 million trainable parameters in either network at 1024 pixels."""
    shape = Shape(1024, 1024)
    generator = pgan.GrowingGenerator(shape, 512, 0, base=16384, maximum=512)
    discriminator = pgan.GrowingDiscriminator(shape, 0, base=16384, maximum=512)
    for network, image_layers in ((generator, generator.to_image), (discriminator, discriminator.from_image)):
        of_lower_resolutions = sum(p.numel() for layer in image_layers[:-1] for p in layer.parameters())
        total = sum(p.numel() for p in network.parameters()) - of_lower_resolutions
        assert round(total / 1e6, 1) == 23.1


@pytest.mark.parametrize(
    ("size", "stages", "features", "refine", "dense"),
    [("480x640", 5, 512, True, (15, 20)), ("128x128", 4, 1024, False, (8, 8)), ("256x256", 5, 512, False, (8, 8))],
)
def test_furgers_rows_of_parameters(
    size: str, stages: int, features: int, refine: bool, dense: tuple[int, int]
) -> None:
    height, width = map(int, size.split("x"))
    with torch.device("meta"):
        generator = multiscale.Generator(Shape(height, width), 100, 0, stages, features, refine=refine)
    assert generator.size == dense
    assert generator.dense.weight.shape == (dense[0] * dense[1] * 64, 100)
    transposed = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.out_channels for m in transposed] == [features >> i for i in range(stages)]
    assert sum(isinstance(m, nn.Conv2d) for m in generator.modules()) == 1 + (stages if refine else 0)


def test_the_two_discriminators_have_one_architecture_and_their_outputs_are_averaged() -> None:
    torch.manual_seed(0)
    both = multiscale.MultiScaleDiscriminator(Shape(32, 48), 0, stages=3, features=4).eval()
    assert [m.out_channels for m in both.fine.modules() if isinstance(m, nn.Conv2d)] == [4, 8, 16]
    assert [m.out_channels for m in both.coarse.modules() if isinstance(m, nn.Conv2d)] == [4, 8, 16]
    image, label = torch.randn(2, 3, 32, 48), torch.zeros(2, 0)
    small = torch.nn.functional.interpolate(image, scale_factor=0.5, mode="area")
    torch.testing.assert_close(both(image, label), (both.fine(image, label) + both.coarse(small, label)) / 2)


def test_batch_norm_is_pytorchs() -> None:
    torch.manual_seed(0)
    ours, theirs = BatchNorm(5), nn.BatchNorm2d(5)
    for _ in range(3):
        x = torch.randn(4, 5, 6, 7) * 3 + 1
        torch.testing.assert_close(ours(x), theirs(x))
    ours.eval()
    theirs.eval()
    torch.testing.assert_close(ours(x), theirs(x))


def test_fading_in_starts_at_the_old_resolution_and_ends_at_the_new() -> None:
    torch.manual_seed(0)
    shape, label = Shape(16, 16), torch.zeros(2, 0)
    generator = pgan.GrowingGenerator(shape, 8, 0, 64, 16)
    discriminator = pgan.GrowingDiscriminator(shape, 0, 64, 16)
    z = torch.randn(2, 8)
    old = torch.nn.functional.interpolate(generator(z, label, 1, 1.0), scale_factor=2, mode="nearest")
    torch.testing.assert_close(generator(z, label, 2, 0.0), old)
    half = (old + generator(z, label, 2, 1.0)) / 2
    torch.testing.assert_close(generator(z, label, 2, 0.5), half)
    torch.testing.assert_close(
        discriminator(old, label, 2, 0.0),
        discriminator(torch.nn.functional.avg_pool2d(old, 2), label, 1, 1.0),
    )


def test_a_residual_network_starts_as_the_identity_of_its_blocks() -> None:
    torch.manual_seed(0)
    block = r3gan.ResidualBlock(16, blocks_in_network=4)
    x = torch.randn(2, 16, 8, 8)
    torch.testing.assert_close(block(x), x)
    assert block.second.groups == 2
    assert block.second.weight.shape == (32, 16, 3, 3)


@pytest.mark.parametrize("kind", ["dcgan", "pgan", "multiscale", "r3gan"])
def test_the_class_moves_image_and_logit(kind: str) -> None:
    torch.manual_seed(0)
    shape, z = Shape(16, 16), torch.randn(1, 8)
    one, two = torch.eye(3)[:1], torch.eye(3)[1:2]
    image = torch.randn(1, 3, 16, 16)
    networks = {
        "dcgan": (dcgan.Generator(shape, 8, 3, 8, 16), dcgan.Discriminator(shape, 3, 8, 16)),
        "multiscale": (
            multiscale.Generator(shape, 8, 3, 2, 16, refine=False),
            multiscale.MultiScaleDiscriminator(shape, 3, 2, 4),
        ),
        "r3gan": (r3gan.Generator(shape, 8, 3, 128, 16), r3gan.Discriminator(shape, 3, 128, 16)),
        "pgan": (pgan.GrowingGenerator(shape, 8, 3, 64, 16), pgan.GrowingDiscriminator(shape, 3, 64, 16)),
    }
    generator, discriminator = (network.eval() for network in networks[kind])
    more = (2, 1.0) if kind == "pgan" else ()
    assert not torch.equal(generator(z, one, *more), generator(z, two, *more))
    assert not torch.equal(discriminator(image, one, *more), discriminator(image, two, *more))
