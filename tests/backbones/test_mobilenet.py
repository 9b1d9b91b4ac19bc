from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dermsynth.backbones.mobilenet import MobileNetV2, load_mobilenet
from dermsynth.errors import UserError


def test_parameters_are_those_of_torchvision_and_one_layer_more() -> None:
    torchvision = pytest.importorskip("torchvision", reason="needs torchvision")
    theirs = torchvision.models.mobilenet_v2().features
    more = 32 * 32 + 2 * 32  # the first block's widening layer, which torchvision leaves out
    assert sum(p.numel() for p in MobileNetV2().parameters()) == sum(p.numel() for p in theirs.parameters()) + more


def test_outputs_are_those_of_torchvision() -> None:
    torchvision = pytest.importorskip("torchvision", reason="needs torchvision")
    torch.manual_seed(0)
    theirs = torchvision.models.mobilenet_v2().eval()
    ours = MobileNetV2().eval()
    first = ours.features[1].conv[0]
    torch.nn.init.dirac_(first[0].weight)
    first[1].running_var.fill_(1 - first[1].eps)
    state = dict(theirs.features.named_modules())
    ours.features[0].load_state_dict(state["0"].state_dict())
    ours.features[1].conv[1:].load_state_dict(
        {f"{int(k.split('.')[0]) + 1}.{k.split('.', 1)[1]}": v for k, v in state["1"].conv.state_dict().items()}
    )
    for index in range(2, 19):
        ours.features[index].load_state_dict(state[str(index)].state_dict())
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        expected = theirs.features(image).mean(dim=(2, 3))
        torch.testing.assert_close(ours(image), expected, rtol=1e-3, atol=1e-4)


def test_real_weights_are_read(mobilenet_weights: Path) -> None:
    network = load_mobilenet(mobilenet_weights).eval()
    with torch.no_grad():
        found = network(torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0)))
    assert found.shape == (2, 1280)
    assert 0.01 < found.mean() < 2  # trained features of any image are sparse and positive
    assert not torch.equal(found[0], found[1])


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_mobilenet(tmp_path / "a")
    (tmp_path / "a").write_text("no weights")
    with pytest.raises(UserError, match="not a safetensors file"):
        load_mobilenet(tmp_path / "a")
    save_file({"x": torch.zeros(2)}, tmp_path / "b")
    with pytest.raises(UserError, match="not the weights of this MobileNetV2"):
        load_mobilenet(tmp_path / "b")
