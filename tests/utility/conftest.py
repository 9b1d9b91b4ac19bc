"""What tests of trained detectors and regressions share."""

import pytest
import torch
from safetensors.torch import save_file

from dermsynth.backbones.mobilenet import MobileNetV2


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Untrained weights: even random features see a black frame."""
    path = tmp_path_factory.mktemp("weights") / "mobilenet.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file({k: v.contiguous() for k, v in MobileNetV2().state_dict().items()}, path)
    return f"mobilenet={path}"
