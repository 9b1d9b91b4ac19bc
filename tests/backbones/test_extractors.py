import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dermsynth.backbones.extractors import load_extractor, resize
from dermsynth.backbones.inception import load_inception
from dermsynth.errors import UserError

fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3", reason="needs torch-fidelity")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """torch-fidelity's own network with random weights, and a file of them."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    network = _random_network()
    path = folder / "inception.safetensors"
    save_file({k: v.contiguous() for k, v in network.state_dict().items() if not k.startswith("fc")}, path)
    return network, path


def _random_network():  # type: ignore[no-untyped-def]
    from unittest import mock

    captured = {}

    def load(self, state, *args, **kwargs):  # type: ignore[no-untyped-def]
        captured["called"] = True

    with (
        mock.patch.object(fidelity, "load_state_dict_from_url", return_value={}),
        mock.patch.object(fidelity.FeatureExtractorInceptionV3, "load_state_dict", load),
    ):
        network = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["64", "192", "768", "2048"])
    assert captured
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif name.endswith(("running_mean", "bn.bias")):
            value.normal_(0, 0.1)
        elif name.endswith("conv.weight"):
            value.normal_(0, (2 / value[0].numel()) ** 0.5)
    return network.eval()


@pytest.mark.parametrize("dimensions", [64, 192, 768, 2048])
def test_features_equal_torch_fidelity(reference, dimensions: int) -> None:  # type: ignore[no-untyped-def]
    network, path = reference
    images = torch.randint(0, 256, (2, 3, 80, 70), dtype=torch.uint8)
    with torch.inference_mode():
        expected = network(images)[["64", "192", "768", "2048"].index(str(dimensions))].flatten(1)
        found = load_inception(path, dimensions)(resize(images.float(), 299, "tensorflow"))
    assert found.shape == (2, dimensions)
    assert (found - expected).norm() / expected.norm() < 1e-5


def test_probabilities_equal_torch_fidelitys(reference, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    network, path = reference
    assert load_extractor(f"inception={path}").head is None  # that file ends before the classes
    state = {k: v.contiguous() for k, v in network.state_dict().items()}
    save_file(state, tmp_path / "whole.safetensors")
    extractor = load_extractor(f"inception={tmp_path / 'whole.safetensors'}")
    images = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    features = extractor(images.numpy())
    assert extractor.head is not None
    found = extractor.head(features)
    logits = torch.from_numpy(features).mm(network.fc.weight.T)  # "logits_unbiased" of torch-fidelity
    np.testing.assert_allclose(found, logits.double().softmax(dim=1).numpy(), rtol=1e-4)
    assert found.shape == (3, 1008)


def test_the_deepest_layer_names_the_metric(reference, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    network, path = reference
    assert load_extractor(f"inception={path}").comparable
    assert not load_extractor(f"inception={path}", resizer="antialiased").comparable
    short = {k: v.contiguous() for k, v in network.state_dict().items() if not k.startswith(("Mixed_7", "fc"))}
    save_file(short, tmp_path / "short.safetensors")
    extractor = load_extractor(f"inception={tmp_path / 'short.safetensors'}")
    assert (extractor.suffix, extractor.comparable) == ("-768", False)


def test_the_real_weights_load(inception_weights: Path) -> None:
    found = load_extractor(f"inception={inception_weights}")(np.zeros((1, 3, 64, 64), np.uint8))
    assert found.shape == (1, 768)
    assert np.isfinite(found).all()


def test_the_embedded_extractor_is_the_same_everywhere() -> None:
    images = np.random.default_rng(0).integers(0, 255, (3, 3, 40, 50), dtype=np.uint8)
    first, second = load_extractor("embedded"), load_extractor("embedded")
    assert np.array_equal(first(images), second(images))
    assert not first.comparable
    assert np.allclose(first(images[1:2]), first(images)[1:2], atol=1e-4)


def test_a_timm_backbone_from_a_file(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", reason="needs timm")
    model = timm.create_model("test_resnet.r160_in1k", pretrained=False)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    extractor = load_extractor(f"timm:test_resnet={tmp_path / 'w.safetensors'}")
    assert extractor(np.zeros((2, 3, 32, 32), np.uint8)).shape == (2, model.num_features)
    with pytest.raises(UserError, match="no such model"):
        load_extractor("timm:resnet5000")


@pytest.mark.parametrize(("name", "width"), [("vit_small_patch14_dinov2", 384), ("vit_base_patch32_clip_224", 768)])
def test_dinov2_and_clip_are_backbones_of_timm(name: str, width: int, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", reason="needs timm")
    save_file(timm.create_model(name, pretrained=False, num_classes=0).state_dict(), tmp_path / "w.safetensors")
    extractor = load_extractor(f"timm:{name}={tmp_path / 'w.safetensors'}")
    assert extractor(np.zeros((1, 3, 64, 64), np.uint8)).shape == (1, width)
    assert extractor.suffix == f"-{name}"


def test_bad_weights_are_one_line(tmp_path: Path) -> None:
    evil = tmp_path / "evil.pth"
    evil.write_bytes(pickle.dumps(print))
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, other)
    for path in (evil, cut, other, tmp_path / "gone.safetensors"):
        with pytest.raises(UserError, match=path.name.replace(".", r"\.")) as caught:
            load_extractor(f"inception={path}")
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="`extractor`"):
        load_extractor("vgg")


@pytest.mark.parametrize("weights", ["drawn_mobilenet", "mobilenet_weights"])
def test_mobilenets_features_tell_images_apart(weights: str, request: pytest.FixtureRequest) -> None:
    extractor = load_extractor(f"mobilenet={request.getfixturevalue(weights)}")
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32)).astype(np.uint8)
    found = extractor(images)
    assert found.shape == (2, 1280)
    assert not extractor.comparable
    np.testing.assert_allclose(extractor(images[1:]), found[1:], rtol=1e-3, atol=1e-4)
    assert np.abs(found[0] - found[1]).max() > 0.1
