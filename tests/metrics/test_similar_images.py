"""The nearest images against loops over other libraries."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import mean_squared_error, structural_similarity
from sklearn.metrics.pairwise import cosine_similarity

from dermsynth.metrics.similar_images import highest_cosine, least_squared_error, luma, most_similar, nearest_hash


def images(n: int, seed: int, side: int = 40) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (n, 3, side // 8, side // 8)).astype(np.uint8)
    smooth = coarse.repeat(8, axis=2).repeat(8, axis=3)
    return (smooth // 2 + np.random.default_rng(seed + 1).integers(0, 128, smooth.shape)).astype(np.uint8)


def test_the_most_similar_image_is_that_of_skimages_loop() -> None:
    x, y = images(6, 0), images(150, 10)
    values, index = most_similar(x, y)
    left, right = luma(x), luma(y)
    for i in range(len(x)):
        expected = []
        for other in right:
            _, full = structural_similarity(
                left[i], other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True
            )
            expected.append(full[5:-5, 5:-5].mean())
        assert index[i] == int(np.argmax(expected))
        assert abs(values[i] - max(expected)) < 1e-6


def test_brightness_is_a_weighted_sum() -> None:
    x = images(2, 3)
    grey = np.repeat(x[:, :1], 3, axis=1)
    assert np.abs(luma(grey) - grey[:, 0]).max() < 1e-3
    assert luma(x)[1, 5, 7] == pytest.approx(x[1, :, 5, 7] @ [0.299, 0.587, 0.114], rel=1e-6)


def test_the_least_error_is_that_of_skimages_loop() -> None:
    x, y = images(5, 1), images(30, 20)
    values, index = least_squared_error(x, y)
    expected = np.array([[mean_squared_error(a, b) for b in y] for a in x])
    assert (index == expected.argmin(axis=1)).all()
    np.testing.assert_allclose(values, expected.min(axis=1), rtol=1e-6)


def test_the_highest_cosine_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(9, 20)), random.normal(size=(40, 20))
    values, index = highest_cosine(x, y)
    expected = cosine_similarity(x, y)
    assert (index == expected.argmax(axis=1)).all()
    np.testing.assert_allclose(values, expected.max(axis=1), atol=1e-5)


def test_a_noisy_copy_is_found() -> None:
    y = images(20, 4)
    made = (y[[7, 3]].astype(np.int16) + np.random.default_rng(0).integers(-3, 4, (2, *y.shape[1:]))).clip(0, 255)
    for measure in (most_similar, least_squared_error):
        assert measure(made.astype(np.uint8), y)[1].tolist() == [7, 3]


def test_an_image_is_nearest_to_itself_by_every_measure() -> None:
    y = images(20, 2)
    for measure, perfect in ((most_similar, 1.0), (least_squared_error, 0.0), (nearest_hash, 0.0)):
        values, index = measure(y[3:9], y)
        assert index.tolist() == list(range(3, 9))
        assert np.abs(values - perfect).max() < 1e-5
