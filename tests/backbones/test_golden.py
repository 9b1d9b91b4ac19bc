"""Features and distances of published networks with drawn weights, against the values of other people's packages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from dermsynth.backbones.extractors import load_extractor, resize
from dermsynth.backbones.inception import load_inception
from dermsynth.backbones.lpips import load_perceptual
from tests import pack
from tests.pack import weights

PICTURES = 3


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    return pack.images()[:PICTURES]


def agree(features: NDArray[Any], expected: Mapping[str, Any]) -> None:
    norms = np.linalg.norm(features, axis=1)
    np.testing.assert_allclose(norms, expected["norm"], rtol=1e-4)
    np.testing.assert_allclose(features.mean(axis=1), expected["mean"], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(features[:, :8], expected["first"], rtol=1e-3, atol=float(norms.max()) * 1e-5)


@pytest.mark.parametrize("dimensions", [64, 192, 768, 2048])
def test_inception_at_every_depth(dimensions: int, drawn_inception: Path, pictures: NDArray[np.uint8]) -> None:
    resized = resize(torch.from_numpy(pictures).float(), 299, "tensorflow")
    with torch.inference_mode():
        features = load_inception(drawn_inception, dimensions)(resized).numpy()
    agree(features, pack.golden()["inception"]["features"][str(dimensions)])


def test_the_inception_extractor_and_its_classes(drawn_inception: Path, pictures: NDArray[np.uint8]) -> None:
    extractor = load_extractor(f"inception={drawn_inception}")
    features = extractor(pictures)
    assert extractor.comparable
    assert extractor.head is not None
    agree(features, pack.golden()["inception"]["features"]["2048"])
    agree(extractor.head(features) * 1000, pack.golden()["inception"]["probabilities"])


def test_the_mobilenet_extractor(drawn_mobilenet: Path, pictures: NDArray[np.uint8]) -> None:
    extractor = load_extractor(f"mobilenet={drawn_mobilenet}")
    agree(extractor(pack.enlarged(pictures)), pack.golden()["mobilenet"]["features"])


def test_lpips(tmp_path: Path, pictures: NDArray[np.uint8]) -> None:
    save_file(weights.lpips_alexnet(), tmp_path / "lpips.safetensors")
    vectors = load_perceptual(f"lpips={tmp_path / 'lpips.safetensors'}")(pictures)
    distances = np.square(vectors - np.roll(vectors, 1, axis=0)).sum(axis=1)
    np.testing.assert_allclose(distances, pack.golden()["lpips"]["distances"], rtol=1e-3)
