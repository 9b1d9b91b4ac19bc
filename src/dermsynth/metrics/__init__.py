"""Metrics of two sets of images: arrays in, estimates with intervals and floors out.

Images are uint8 [n, h, w, 3]; features are float [n, d]. `list()` shows all of them.

Examples
--------
>>> import numpy as np
>>> from dermsynth import metrics
>>> random = np.random.default_rng(0)
>>> real = random.integers(60, 200, (60, 16, 16, 3), dtype=np.uint8)
>>> synthetic = random.integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
>>> estimate = metrics.fid(real, synthetic)
>>> estimate.name, estimate.n_synthetic, estimate.n_real
('FID-embedded', 50, 60)
>>> estimate.value > 10 * estimate.floor
True
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from dermsynth.metrics.appearance import appearance_distances as appearance_distances
    from dermsynth.metrics.colour import colour_distances as colour_distances
    from dermsynth.metrics.copying import authenticity as authenticity
    from dermsynth.metrics.copying import membership as membership
    from dermsynth.metrics.copying import memorisation as memorisation
    from dermsynth.metrics.estimate import CopyEstimate as CopyEstimate
    from dermsynth.metrics.estimate import Estimate as Estimate
    from dermsynth.metrics.frechet import fid as fid
    from dermsynth.metrics.frechet import fid_infinity as fid_infinity
    from dermsynth.metrics.kernels import kid as kid
    from dermsynth.metrics.kernels import mmd as mmd
    from dermsynth.metrics.pairs import lpips as lpips
    from dermsynth.metrics.pairs import ms_ssim as ms_ssim
    from dermsynth.metrics.prdc import clipped_density_coverage as clipped_density_coverage
    from dermsynth.metrics.prdc import density_coverage as density_coverage
    from dermsynth.metrics.prdc import precision_recall as precision_recall
    from dermsynth.metrics.pyramids import swd as swd
    from dermsynth.metrics.pyramids import swd_levels as swd_levels
    from dermsynth.metrics.registry import Metric as Metric
    from dermsynth.metrics.registry import add_metric as add_metric
    from dermsynth.metrics.scores import inception_score as inception_score
    from dermsynth.metrics.similar_images import nearest_images as nearest_images
    from dermsynth.metrics.structural import ssim as ssim
    from dermsynth.metrics.vendi_score import vendi as vendi

PLACES = {
    "CopyEstimate": "estimate",
    "Estimate": "estimate",
    "Metric": "registry",
    "add_metric": "registry",
    "appearance_distances": "appearance",
    "authenticity": "copying",
    "clipped_density_coverage": "prdc",
    "colour_distances": "colour",
    "density_coverage": "prdc",
    "fid": "frechet",
    "fid_infinity": "frechet",
    "inception_score": "scores",
    "kid": "kernels",
    "lpips": "pairs",
    "membership": "copying",
    "memorisation": "copying",
    "mmd": "kernels",
    "ms_ssim": "pairs",
    "nearest_images": "similar_images",
    "precision_recall": "prdc",
    "ssim": "structural",
    "swd": "pyramids",
    "swd_levels": "pyramids",
    "vendi": "vendi_score",
}
"""Public name -> the module that has it; nothing is imported before it is asked for."""
__all__ = sorted([*PLACES, "list"])


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)


def __dir__() -> Sequence[str]:
    return __all__


def list() -> "pd.DataFrame":
    """Every metric that an evaluation reports.

    Returns
    -------
    DataFrame
        A row a metric: `id`, `title`, `unit`, `direction` (lower, higher or near), `good` (which values are good) and `says`
        (what it tells).

    Examples
    --------
    >>> from dermsynth import metrics
    >>> table = metrics.list()
    >>> table.loc[table["id"] == "fid", "direction"].item()
    'lower'
    """
    import pandas as pd

    from dermsynth.metrics.registry import METRICS

    columns = ("id", "title", "unit", "direction", "good", "says")
    return pd.DataFrame([{name: getattr(metric, name) for name in columns} for metric in METRICS.values()])
