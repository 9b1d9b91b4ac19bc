"""The Vendi score against its definition, and sets whose number of different images is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from dermsynth.errors import UserError
from dermsynth.metrics import vendi
from dermsynth.metrics.vendi_score import effective_number


@pytest.mark.parametrize("size", [(30, 7), (20, 50)])
def test_it_is_the_definition(size: tuple[int, int]) -> None:
    features = np.random.default_rng(0).normal(1, 1, size=size)
    values = np.linalg.eigvalsh(cosine_similarity(features) / len(features)).clip(min=1e-300)
    assert effective_number(features) == pytest.approx(np.exp(-(values * np.log(values)).sum()), rel=1e-9)


def test_images_that_have_nothing_in_common_are_counted() -> None:
    kinds = np.eye(12)
    assert effective_number(kinds) == pytest.approx(12)
    assert effective_number(kinds[[0] * 30]) == pytest.approx(1)
    assert effective_number(kinds[[0, 1, 2] * 10]) == pytest.approx(3)
    assert 1 < effective_number(kinds[[0] * 29 + [1]]) < 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 30), st.integers(2, 20))
def test_neither_order_nor_scale_nor_repetition_counts(seed: int, rows: int, columns: int) -> None:
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, columns))
    score = effective_number(features)
    assert 1 - 1e-9 <= score <= min(rows, columns) + 1e-6
    other = np.concatenate([3 * features[random.permutation(rows)]] * 2)
    assert effective_number(other) == pytest.approx(score, rel=1e-6)


def test_a_set_that_repeats_itself_lies_below_real_ones() -> None:
    random = np.random.default_rng(0)
    real = random.normal(size=(400, 10))
    collapsed = real[:5].repeat(40, axis=0) + random.normal(0, 0.05, size=(200, 10))
    found = vendi(real, collapsed)
    assert found.low <= found.value <= found.high < 6 < found.floor
    varied = vendi(real, random.normal(size=(200, 10)))
    assert varied.matched == pytest.approx(varied.floor, rel=0.05)


def test_too_few_images_are_one_line() -> None:
    with pytest.raises(UserError, match="at least 50 a side"):
        vendi(np.eye(60), np.eye(60)[:20])
