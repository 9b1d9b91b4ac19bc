"""Segmentation, colour, structure and the features with names: against drawn images, other libraries, real masks."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.color import rgb2hsv, rgb2lab
from skimage.metrics import structural_similarity

from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.masks import read_mask
from dermsynth.data.tables import read_table
from dermsynth.images import read_image
from dermsynth.metrics.clinical_features import (
    NAMES,
    appearance,
    asymmetry,
    border_irregularity,
    colour_count,
    measure_appearance,
)
from dermsynth.metrics.colour import colour_histograms, histogram_wasserstein, jensen_shannon
from dermsynth.metrics.structural import dihedral_transforms, mean_ssim, multi_scale_ssim
from dermsynth.segmentation.frame import frame
from dermsynth.segmentation.lesion import dice, lesion_mask
from dermsynth.segmentation.skin import skin_tone_class, typology_angle
from tests import pack

Pixels = NDArray[np.uint8]


def disc(side: int = 96, radius: float = 24, centre: tuple[float, float] = (0.5, 0.5)) -> NDArray[np.bool_]:
    rows, columns = np.indices((side, side))
    return np.asarray(np.hypot(rows - centre[0] * side, columns - centre[1] * side) <= radius)


def drawn(lesion: NDArray[np.bool_], colour: tuple[int, int, int] = (120, 70, 50)) -> Pixels:
    image = np.full((*lesion.shape, 3), (225, 180, 160), np.uint8)
    image[lesion] = colour
    return image


def noise(n: int, side: int, seed: int, low: int = 0, high: int = 256) -> Pixels:
    coarse = np.random.default_rng(seed).integers(low, high, (n, 3, side // 4, side // 4)).astype(np.uint8)
    return coarse.repeat(4, axis=2).repeat(4, axis=3)


def test_structural_similarity_is_that_of_skimage() -> None:
    x, y = noise(4, 48, 0), noise(4, 48, 1)
    y = (0.7 * x + 0.3 * y).astype(np.uint8)
    expected = []
    for a, b in zip(x, y, strict=True):
        _, full = structural_similarity(
            a, b, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
        )
        expected.append(full[:, 5:-5, 5:-5].mean())
    assert mean_ssim(x, y) == pytest.approx(np.array(expected), rel=1e-4)
    assert mean_ssim(x, x) == pytest.approx(np.ones(4))


def test_structural_similarity_over_scales_is_that_of_torchmetrics() -> None:
    metric = pytest.importorskip("torchmetrics.functional.image", reason="needs torchmetrics")
    x = noise(2, 192, 2)
    y = (0.8 * x + 0.2 * noise(2, 192, 3)).astype(np.uint8)
    expected = metric.multiscale_structural_similarity_index_measure(
        torch.from_numpy(x).double(), torch.from_numpy(y).double(), data_range=255.0, reduction="none", sigma=1.5
    )
    assert multi_scale_ssim(x, y) == pytest.approx(np.asarray(expected), rel=5e-3)
    assert multi_scale_ssim(x[..., :64, :64], x[..., :64, :64]) == pytest.approx(np.ones(2))


def test_a_square_lies_in_eight_ways_and_other_shapes_in_four() -> None:
    image = np.random.default_rng(0).integers(0, 255, (1, 3, 8, 8)).astype(np.uint8)
    found = [turned.tobytes() for _, turned in dihedral_transforms(image)]
    assert len(found) == len(set(found)) == 8
    assert len(list(dihedral_transforms(image[..., :6]))) == 4
    assert all(turned.shape == (1, 3, 8, 6) for _, turned in dihedral_transforms(image[..., :6]))


def test_histograms_count_every_pixel_in_skimages_colours() -> None:
    images = noise(3, 32, 4)
    found = colour_histograms(images)
    assert len(found) == 9
    assert all((counts.sum(axis=1) == 32 * 32).all() for counts in found.values())
    for name, convert, channel, limits in (
        ("HSV S", rgb2hsv, 1, (0, 1)),
        ("CIELAB L*", rgb2lab, 0, (0, 100)),
        ("CIELAB a*", rgb2lab, 1, (-128, 128)),
    ):
        values = convert(images[0].transpose(1, 2, 0))[..., channel]
        expected = np.histogram(values, 64, limits)[0].astype(float)
        assert (
            histogram_wasserstein(found[name][:1], expected[None]) < 0.3 / 64
        )  # blocks at a bin's edge may fall either way


def test_distances_of_histograms_are_those_of_their_equations() -> None:
    x, y = (np.random.default_rng(s).random((5, 64)) for s in (0, 1))
    p, q = (h.sum(axis=0) / h.sum() for h in (x, y))
    middle = (p + q) / 2
    expected = (p * np.log2(p / middle)).sum() / 2 + (q * np.log2(q / middle)).sum() / 2
    assert jensen_shannon(x, y) == pytest.approx(expected)
    assert histogram_wasserstein(x, y) == pytest.approx(np.abs(np.cumsum(p - q)).sum() / 64)
    left, right = np.zeros((1, 64)), np.zeros((1, 64))
    left[0, 0], right[0, 63] = 1, 1
    assert jensen_shannon(left, right) == pytest.approx(1)
    assert histogram_wasserstein(left, right) == pytest.approx(63 / 64)
    assert jensen_shannon(x, x) == histogram_wasserstein(x, x) == 0


def test_a_drawn_lesion_is_found_wherever_it_lies_and_frames_are_not() -> None:
    for centre in ((0.5, 0.5), (0.35, 0.6)):
        lesion = disc(centre=centre)
        image = cv2.GaussianBlur(drawn(lesion), (0, 0), 1.5)
        assert dice(lesion_mask(image), lesion) > 0.9
        framed = image.copy()
        framed[~disc(radius=50)] = 0
        assert frame(framed)[0].mean() > 0.1
        assert dice(lesion_mask(framed), lesion) > 0.85
    assert not lesion_mask(np.full((64, 64, 3), 200, np.uint8)).any()
    assert not lesion_mask(np.zeros((64, 64, 3), np.uint8)).any()


def test_lesions_of_drawn_images_are_found() -> None:
    """Frames, hair, rulers and ink among them."""
    pairs = zip(pack.images().transpose(0, 2, 3, 1), pack.masks(), strict=True)
    overlap = [dice(lesion_mask(np.ascontiguousarray(image)), mask) for image, mask in pairs]
    assert np.mean(overlap) > 0.9
    assert min(overlap) > 0.8


def test_lesions_of_real_photographs_are_found(real_images: Path) -> None:
    table = read_table(real_images / "metadata.csv")[::40]
    found = []
    for row in table.to_dict("records"):
        image = cv2.resize(read_image(real_images / row["image"]), (96, 72), interpolation=cv2.INTER_AREA)
        mask = cv2.resize(read_mask(real_images / row["mask"]).astype(np.uint8), (96, 72)) > 0
        found.append(dice(lesion_mask(image), mask))
    assert np.mean(found) > 0.7
    assert np.median(found) > 0.8


def test_a_disc_is_symmetric_and_smooth_and_a_half_disc_or_a_star_is_not() -> None:
    whole = disc()
    half = whole & (np.indices(whole.shape)[0] < 48) & (np.indices(whole.shape)[1] < 60)
    rows, columns = np.indices(whole.shape) - 48
    star = np.hypot(rows, columns) <= 20 + 9 * np.cos(9 * np.arctan2(rows, columns))
    assert asymmetry(whole) < 0.03
    assert asymmetry(half) > 0.08
    assert border_irregularity(whole) < 0.2
    assert border_irregularity(np.asarray(star)) > border_irregularity(whole) + 0.3


def test_colours_tone_and_contrast_are_those_that_were_painted() -> None:
    lesion = disc()
    image = drawn(lesion)
    features = appearance(image, lesion)
    assert features is not None
    assert features.diameter_share == pytest.approx(0.5, abs=0.02)
    lab = rgb2lab(np.array([[[225, 180, 160], [120, 70, 50]]], np.uint8))[0]
    assert features.contrast == pytest.approx(np.linalg.norm(lab[0] - lab[1]), rel=0.01)
    expected = np.degrees(np.arctan((lab[0, 0] - 50) / lab[0, 2]))
    assert features.skin_tone == pytest.approx(expected, abs=0.5)
    assert typology_angle(lab[:1]) == pytest.approx(expected)
    assert features.colour_variegation < 1
    assert (features.texture_contrast, features.texture_homogeneity) == pytest.approx((0, 1))
    many = np.array([(255, 255, 255)] * 10 + [(204, 51, 51)] * 10 + [(50, 2, 0)] * 10 + [(1, 2, 3)] * 1, np.uint8)
    assert colour_count(many) == 3


@pytest.mark.parametrize(
    ("angle", "name"),
    [(60, "very light"), (50, "light"), (30, "intermediate"), (20, "tan"), (0, "brown"), (-40, "dark")],
)
def test_skin_tones_have_names(angle: float, name: str) -> None:
    assert skin_tone_class(angle) == name


def test_what_cannot_be_measured_has_no_features() -> None:
    for lesion in (np.zeros((96, 96), bool), np.ones((96, 96), bool)):
        assert appearance(drawn(lesion), lesion) is None
    assert np.isnan(measure_appearance(np.full((3, 64, 64), 200, np.uint8))).all()
    image = cv2.GaussianBlur(drawn(disc()), (0, 0), 1.5)
    found, known = measure_appearance(image.transpose(2, 0, 1)), appearance(image, disc())
    assert known is not None
    assert found == pytest.approx([getattr(known, name) for name in NAMES], abs=0.1, rel=0.15)


def test_features_of_the_phantom_are_finite(phantom: DataSet) -> None:
    images = decode_images(phantom, Decoding(32, 32))
    found = np.array([measure_appearance(image) for image in images])
    assert np.isfinite(found).all(axis=1).mean() > 0.8
    assert (np.isfinite(found).all(axis=1) | np.isnan(found).all(axis=1)).all()


def test_workers_need_no_torch() -> None:
    code = "import sys, dermsynth.metrics.clinical_features; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
