"""Whatever measures images takes pixels and nothing else: numbers of 0 to 1 must not pass for nearly black images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dermsynth.backbones.extractors import load_extractor
from dermsynth.errors import UserError
from dermsynth.evaluation.copy_detection import VIEWS, CopyGate, view_vectors
from dermsynth.images import require_pixels
from dermsynth.metrics.clinical_features import appearance, measure_appearance
from dermsynth.metrics.colour import colour_histograms
from dermsynth.metrics.estimate import Sides
from dermsynth.metrics.pairs import pairs_between
from dermsynth.metrics.pyramids import swd_between
from dermsynth.metrics.similar_images import least_squared_error, luma, most_similar, nearest_hash
from dermsynth.metrics.sliced_wasserstein import descriptors, sliced_wasserstein
from dermsynth.metrics.structural import mean_ssim, multi_scale_ssim
from dermsynth.utility.classifier import normalise

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 3, 32, 32)).astype(np.uint8)
LESION = np.hypot(*(np.indices((32, 32)) - 16)) < 8
MEASURES: dict[str, Callable[[Any], object]] = {
    "extractor": load_extractor("embedded"),
    "classifier": normalise,
    "sliced Wasserstein": lambda x: sliced_wasserstein(x, x),
    "descriptors": lambda x: descriptors(x, 0),
    "SWD": lambda x: swd_between(Sides(x, PIXELS), 100),
    "SWD, real side": lambda x: swd_between(Sides(PIXELS, x), 100),
    "pairs": lambda x: pairs_between(Sides(x, PIXELS), "ms_ssim", multi_scale_ssim, 20, 20),
    "SSIM": lambda x: mean_ssim(x, x),
    "MS-SSIM": lambda x: multi_scale_ssim(x, x),
    "most similar": lambda x: most_similar(x, x),
    "luma": luma,
    "squared error": lambda x: least_squared_error(x, PIXELS),
    "squared error, other side": lambda x: least_squared_error(PIXELS, x),
    "hash": lambda x: nearest_hash(x, PIXELS),
    "colours": colour_histograms,
    "views": lambda x: view_vectors(x, VIEWS[0]),
    "gate": lambda x: CopyGate.fit_planes(np.concatenate([x, x]), np.concatenate([x, x])),
    "named features": lambda x: appearance(x[0].transpose(1, 2, 0), LESION),
    "named features, found": lambda x: measure_appearance(x[0]),
}


@pytest.mark.parametrize("name", MEASURES)
def test_numbers_that_are_no_pixels_are_refused(name: str) -> None:
    for wrong in (PIXELS / 255, PIXELS.astype(np.float32), PIXELS.astype(np.int64), PIXELS > 99):
        with pytest.raises(UserError, match="uint8 of 0 to 255") as told:
            MEASURES[name](wrong)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["extractor", "SWD", "squared error", "hash", "colours", "views", "luma"])
def test_colours_at_the_end_are_refused_with_the_way_out(name: str) -> None:
    with pytest.raises(UserError, match=r"shape \(60, 32, 32, 3\); must be \[n, 3, h, w\].*transpose\(0, 3, 1, 2\)"):
        MEASURES[name](PIXELS.transpose(0, 2, 3, 1))


def test_the_way_out_gives_the_same_pixels_back() -> None:
    for shifted, numpy in ((PIXELS / 255, np), (PIXELS / 127.5 - 1, np)):
        with pytest.raises(UserError) as told:
            require_pixels(shifted)
        advice = str(told.value).split("255: ")[1]
        assert (eval(advice, {"images": shifted, "numpy": numpy}) == PIXELS).all()
    with pytest.raises(UserError, match="Tensor"):
        require_pixels(torch.from_numpy(PIXELS))
    with pytest.raises(UserError, match=r"float64; give pixels"):
        require_pixels(np.empty((0, 3, 8, 8)))
    require_pixels(PIXELS)
    require_pixels(PIXELS[0], "3 h w")


def test_similarity_of_other_numbers_needs_the_value_of_white() -> None:
    x, y = PIXELS[:4], PIXELS[4:8]
    expected = mean_ssim(x, y)
    assert mean_ssim(x / 255, y / 255, white=1) == pytest.approx(expected, rel=1e-4)
    assert mean_ssim(x.astype(float), y.astype(float), white=255) == pytest.approx(expected, rel=1e-6)
