"""The verb `doctor`: is this installation able to work?"""

import sys


def doctor() -> None:
    """Check the installation: versions, OpenCV, processor, memory, optional packages."""
    from importlib import metadata

    import cv2
    import psutil
    import torch

    from dermsynth.io import environment

    problems = []
    for name, version in environment().items():
        print(f"{name:<32}{version}")
    found = sorted(
        {
            d.metadata["Name"]
            for d in metadata.distributions()
            if (d.metadata["Name"] or "").lower().startswith("opencv")
        }
    )
    if len(found) > 1:
        problems.append(
            f"{', '.join(found)} are installed; only one may be: "
            "pip uninstall them all, then install opencv-contrib-python-headless"
        )
    if not hasattr(cv2, "xphoto") or not hasattr(cv2, "img_hash"):
        problems.append(
            "OpenCV lacks its contrib modules: pip install --force-reinstall opencv-contrib-python-headless"
        )
    print(f"{'processor':<32}{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads")
    fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    print(f"{'bfloat16 on this CPU':<32}{'fast' if fast else 'slow; use float32'}")
    print(f"{'memory':<32}{psutil.virtual_memory().total / 2**30:.0f} GiB")
    print(f"{'GPU':<32}{torch.cuda.get_device_name(0) if torch.cuda.is_available() else 'none'}")
    for package in ("timm", "tensorboard", "wandb", "mlflow-skinny", "trackio", "c2pa-python"):
        try:
            print(f"{package + ' (optional)':<32}{metadata.version(package)}")
        except metadata.PackageNotFoundError:
            print(f"{package + ' (optional)':<32}not installed")
    for problem in problems:
        print(f"dermsynth: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)
