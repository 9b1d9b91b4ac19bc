import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermsynth.data.order import Order, class_weights


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 20_000), st.integers(1, 300))
def test_a_position_does_not_depend_on_how_it_was_reached(seed: int, start: int, count: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, 50)
    labels[:3] = [0, 1, 2]
    walked = Order(labels, seed=seed)
    for at in range(0, start, 4000):
        walked.take(at, 5)
    assert np.array_equal(walked.take(start, count), Order(labels, seed=seed).take(start, count))


def test_every_image_is_shown_once_before_any_of_its_class_again() -> None:
    labels = np.array([0] * 30 + [1] * 7)
    order = Order(labels, seed=1).take(0, 12_000)
    for label in (0, 1):
        shown = order[labels[order] == label]
        size = int((labels == label).sum())
        for start in range(0, len(shown) - size, size):
            assert len(set(shown[start : start + size])) == size


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 0.9), (0.0, 0.5), (0.5, 0.75)])
def test_temperature_sets_the_shares(temperature: float, share: float) -> None:
    labels = np.array([0] * 900 + [1] * 100)
    assert class_weights(labels, temperature)[0] == pytest.approx(share)
    shown = labels[Order(labels, temperature=temperature, seed=0).take(0, 20_000)]
    assert (shown == 0).mean() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("temperature", [1.0, 0.0])
def test_images_without_a_class_keep_their_share(temperature: float) -> None:
    labels = np.array([0] * 450 + [1] * 50 + [-1] * 500)
    order = Order(labels, temperature=temperature, seed=0)
    shown = labels[order.take(0, 20_000)]
    assert (shown == -1).mean() == pytest.approx(0.5, abs=0.015)
    assert (shown == 1).mean() == pytest.approx(0.05 if temperature == 1 else 0.25, abs=0.015)
    first = order.take(0, 4000)
    without = first[labels[first] == -1]
    assert len(set(without[:500])) == 500, "each is shown once before any is shown again"
