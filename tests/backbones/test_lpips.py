"""LPIPS against its authors' package with random weights, and distances against the equation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dermsynth.backbones.lpips import load_perceptual
from dermsynth.errors import UserError


def pictures(n: int, side: int, seed: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(seed).integers(0, 256, (n, 3, side, side), dtype=np.uint8)


@pytest.mark.parametrize("network", ["alex", "vgg"])
def test_lpips_is_that_of_its_authors(network: str, tmp_path: Path) -> None:
    lpips = pytest.importorskip("lpips", reason="needs lpips")
    torch.manual_seed(0)
    theirs = lpips.LPIPS(net=network, pretrained=True, pnet_rand=True, verbose=False).eval()
    save_file({k: v.contiguous().clone() for k, v in theirs.state_dict().items()}, tmp_path / "weights.safetensors")
    ours = load_perceptual(f"lpips={tmp_path / 'weights.safetensors'}")
    a, b = (torch.from_numpy(pictures(3, 64, seed)).float() / 127.5 - 1 for seed in (0, 1))
    with torch.no_grad():
        wanted = theirs(a, b).flatten()
    assert wanted.min() > 1e-3
    torch.testing.assert_close(ours.distance(a, b), wanted, rtol=1e-3, atol=1e-6)
    assert ours.name == {"alex": "LPIPS, AlexNet", "vgg": "LPIPS, VGG-16"}[network]
    vectors = ours(pictures(3, 64, 0))[0], ours(pictures(3, 64, 1))[0]
    assert np.square(vectors[0] - vectors[1]).sum() == pytest.approx(float(wanted[0]), rel=1e-3)


@pytest.mark.parametrize("weights", ["drawn_mobilenet", "mobilenet_weights"])
def test_unfitted_distances_are_bounded_and_zero_for_equal_images(weights: str, request: pytest.FixtureRequest) -> None:
    space = load_perceptual(f"mobilenet={request.getfixturevalue(weights)}")
    images = pictures(4, 64, 0)
    vectors = space(images)
    assert np.square(vectors).sum(axis=1) == pytest.approx(np.full(4, 5.0), rel=1e-3)  # five layers of unit vectors
    blurred = images // 2 + 64
    near, far = (np.square(vectors - space(other)).sum(axis=1) for other in (blurred, pictures(4, 64, 1)))
    assert (near < far).all()
    assert (np.square(space(images[:2]) - vectors[:2]) < 1e-9).all()


def test_wrong_files_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    for place, said in (("lpips=nowhere", "no such file"), (f"lpips={tmp_path / 'text'}", "not a safetensors file"),
                        (f"lpips={tmp_path / 'other.safetensors'}", "not the state of LPIPS"),
                        ("vgg", "write lpips=FILE or mobilenet=FILE")):  # fmt: skip
        with pytest.raises(UserError, match=said):
            load_perceptual(place)


def test_the_network_follows_the_images_to_their_device(tmp_path: Path) -> None:
    widths, kernels = (64, 192, 384, 256, 256), (11, 5, 3, 3, 3)
    state = {f"lin{number}.model.1.weight": torch.ones(1, width, 1, 1) for number, width in enumerate(widths)}
    for number, (width, before, kernel) in enumerate(zip(widths, (3, *widths), kernels, strict=False)):
        state[f"net.slice{number + 1}.0.weight"] = torch.zeros(width, before, kernel, kernel)
        state[f"net.slice{number + 1}.0.bias"] = torch.zeros(width)
    save_file(state, tmp_path / "weights.safetensors")
    space = load_perceptual(f"lpips={tmp_path / 'weights.safetensors'}")
    images = torch.zeros(2, 3, 64, 64, device="meta")
    assert space.distance(images, images).device == images.device
    assert space.distance(*torch.zeros(2, 1, 3, 64, 64)).tolist() == [0.0]
