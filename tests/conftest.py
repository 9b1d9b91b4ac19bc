"""Small real things that many tests share: a phantom, a trained run, and the folders of real data where they are."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from safetensors.torch import save_file

from dermsynth.backbones.mobilenet import MobileNetV2
from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.data.training_set import Selection, TrainingSet
from dermsynth.models.inputs import DataRequest
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.registry import family
from dermsynth.training.config import RunConfig, TrainingSettings
from dermsynth.training.data import load_training_images
from tests import pack, warm
from tests.pack import weights
from tests.skips import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]

SHARED = Path(os.environ.get("DERMSYNTH_SHARED", Path(__file__).parents[2] / "shared"))
DRAWN = "DERMSYNTH_TESTS_DRAWN"
"""The environment variable with the folder of drawn weights: one a session, which all its processes inherit."""


def drawn_backbone() -> Path:
    """A file of untrained weights of MobileNetV2, written by the first process that asks."""
    if DRAWN not in os.environ:
        FOLDERS.append(tempfile.TemporaryDirectory(prefix="dermsynth-drawn-"))
        os.environ[DRAWN] = FOLDERS[0].name
    path = Path(os.environ[DRAWN]) / "mobilenet.safetensors"
    if not path.exists():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            save_file({k: v.contiguous() for k, v in MobileNetV2().state_dict().items()}, path)
    return path


FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
TINY: dict[str, object] = {
    "latent": 8,
    "channel_base": 64,
    "channel_max": 8,
    "label_layers": 1,
    "ada_initial": 0.3,
    "ema_images": 32.0,
}
SMALLER: dict[str, dict[str, object]] = {
    "stylegan2-ada": TINY,
    "pgan": {"channel_base": 64, "channel_max": 16, "fade_images": 16, "stable_images": 16},
    "frozen-pggan": {"phases": 2, "phase_images": 32},
    "pix2pixhd": {
        "features": 8,
        "downs": 2,
        "blocks": 1,
        "enhancer_blocks": 1,
        "discriminator_features": 4,
        "coarse_images": 16,
        "enhancer_images": 16,
    },
    "residual-translation": {"features": 4, "blocks": 1, "discriminator_features": 4},
    "cyclegan": {"features": 4, "blocks": 1, "discriminator_features": 4, "pool": 12},
    "diffusion": {"channels": 16, "steps": 3, "augmentation_p": 0.5, "learning_rate": 0.01, "rate_rampup": 8},
    "map-diffusion": {"channels": 16, "steps": 3, "augmentation_p": 0.5, "learning_rate": 0.01, "rate_rampup": 8},
    "r3gan": {"channel_base": 256, "channel_max": 16, "augmentation_p": (0.3, 0.5)},
    "projected": {
        "features": f"mobilenet={drawn_backbone()}",
        "view": 64,
        "latent": 8,
        "channel_base": 64,
        "channel_max": 8,
        "discriminator_features": 4,
        "image_features": 8,
        "ema_images": 32.0,
    },
}
"""What a family needs to be quick, or to pass through all its phases within a few steps."""

BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

if "XDG_CACHE_HOME" not in os.environ:  # one a session, which the workers of pytest-xdist inherit
    CACHE = tempfile.TemporaryDirectory(prefix="dermsynth-tests-")
    os.environ["XDG_CACHE_HOME"] = CACHE.name
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")  # a worker imports for seconds what it computes in milliseconds
hypothesis.settings.register_profile("any load", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("any load")
torch.set_num_threads(1)  # tiny networks: threads cost more than they bring


@pytest.fixture(scope="session")
def real_images() -> Path:
    folder = SHARED / "data" / "isic2018_cc0_256x192"
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}; set DERMSYNTH_SHARED")
    return folder


@pytest.fixture(scope="session")
def inception_weights() -> Path:
    path = SHARED / "weights" / "fid_inception_768_f32.safetensors"
    if not path.is_file():
        pytest.skip(f"no Inception weights at {path}; set DERMSYNTH_SHARED")
    return path


@pytest.fixture(scope="session")
def mobilenet_weights() -> Path:
    path = SHARED / "weights" / "mobilenet_v2_onnxzoo_mxnet_gluon_f32.safetensors"
    if not path.is_file():
        pytest.skip(f"no MobileNetV2 weights at {path}; set DERMSYNTH_SHARED")
    return path


@pytest.fixture(scope="session")
def drawn_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of drawn weights of the FID Inception-v3, whole."""
    state = weights.inception(pack.golden()["inception"]["convolutions"])
    path = tmp_path_factory.mktemp("weights") / "drawn_inception.safetensors"
    save_file(state, path)
    return path


@pytest.fixture(scope="session")
def drawn_mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of drawn weights of MobileNetV2."""
    path = tmp_path_factory.mktemp("weights") / "drawn_mobilenet.safetensors"
    save_file(weights.mobilenet(pack.golden()["mobilenet"]["shapes"]), path)
    return path


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return write_phantom(tmp_path_factory.mktemp("phantom") / "set", 240, PhantomSettings(16, 16), jobs=1)


def tiny_config(
    data: DataSet, images: int = 64, recipe: str = "stylegan2-ada", **training: object
) -> tuple[RunConfig, TrainingSet]:
    kind = family(recipe)
    side = 16 if kind.inputs.from_noise else 32
    model = kind.presets["laptop"](Shape(side, side), 8).model_copy(update=SMALLER.get(recipe, {}))
    source, target = ("nevus", "melanoma") if kind.inputs.translates else ("", "")
    superpixels = kind.inputs.from_maps
    request = DataRequest(Decoding(side, side), Selection(), superpixels=superpixels, source=source, target=target)
    settings, chosen = load_training_images(recipe, data, request, seed=0)
    values = {"images": images, "batch": 8, "snapshot": 32, "log": 16, **training}
    return (
        RunConfig(
            family=recipe,
            preset="laptop",
            model=model.model_dump(),
            data=settings,
            training=TrainingSettings(**values),  # type: ignore[arg-type]
        ),
        chosen,
    )


@pytest.fixture(scope="session")
def run(phantom: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dermsynth.training.loop import train
    from dermsynth.training.snapshot import Watcher

    folder = tmp_path_factory.mktemp("runs") / "run"
    config, chosen = tiny_config(phantom)
    train(
        folder,
        config,
        chosen,
        watchers=[Watcher(lambda snapshot: {"figure": float(100 - snapshot.images_shown)}, "figure")],
        device="cpu",
    )
    return folder


@pytest.fixture(scope="session")
def shell() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`dermsynth ARGUMENTS` in a process of its own; with `cold` in one that starts from nothing."""

    def call(
        *arguments: object, status: int | None = 0, cold: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        whole = {**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1", **environment}
        words = list(map(str, arguments))
        result = cold_call(words, whole) if cold or "PYTHONPATH" in environment else warm.call(words, whole, warm.WAIT)
        if status is not None:
            assert result.returncode == status, result.stdout + result.stderr
        return result

    return call


def cold_call(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dermsynth.cli.app", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=warm.WAIT, env=environment, check=False)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Debian's browser."""
    pytest.importorskip("playwright", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium: apt-get install chromium")
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        found = started.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def backbone() -> str:
    """Untrained weights: even random features see a black frame."""
    return f"mobilenet={drawn_backbone()}"
