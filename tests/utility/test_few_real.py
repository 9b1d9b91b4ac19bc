"""A learning curve with synthetic images beside some of the real ones."""

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dermsynth.errors import UserError
from dermsynth.utility.arms import REAL, SYNTHETIC, few_real, mixed, parse_arms, real_share
from dermsynth.utility.material import _weights
from dermsynth.utility.metrics import comparisons
from dermsynth.utility.verdict import _seen_by_the_generator


def test_names() -> None:
    arms = parse_arms(["real=0.1", "real=0.1+synthetic", "real=0.1+synthetic@other"], ["other"])
    assert arms[:3] == (REAL, real_share(0.1), few_real(0.1))
    assert arms[3].variant == "other"
    assert (few_real(0.1).real, few_real(0.1).synthetic, few_real(0.1).length) == (0.1, None, 2.0)
    assert few_real(0.1).has_few_real
    assert not few_real(0.1).is_mixed
    assert not few_real(0.1).is_real_only
    assert mixed(1).is_mixed
    assert not any(arm.has_few_real for arm in (REAL, SYNTHETIC, mixed(1), real_share(0.1)))


@pytest.mark.parametrize(
    "text", ["mixed=1+synthetic", "real=2+synthetic", "real+synthetic", "real=0.1+made", "+synthetic"]
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="real=SHARE\\+synthetic"):
        parse_arms([text])


def test_both_kinds_are_shown_equally_often() -> None:
    truth = np.array([True, False, False] + [True] * 20 + [False] * 10)
    weights = _weights(truth, 3, few_real(0.1).length)
    for side in (truth, ~truth):
        assert weights[side][: (np.flatnonzero(side) < 3).sum()].sum() == pytest.approx(
            weights[side & (np.arange(33) >= 3)].sum()
        )


def test_compared_with_as_many_real_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(baseline: Any, other: Any, seed: int) -> Any:
        pair = SimpleNamespace(against=baseline.arm.name, arm=other.arm.name, p=0.5)
        pair.model_copy = lambda update: pair
        return pair

    monkeypatch.setattr(sys.modules[comparisons.__module__], "_comparison", compared)
    arms = [SimpleNamespace(arm=arm) for arm in (REAL, real_share(0.1), few_real(0.1), few_real(0.3), mixed(1))]
    pairs = {(row.against, row.arm) for row in comparisons(arms, 0)}  # type: ignore[arg-type]
    assert (real_share(0.1).name, few_real(0.1).name) in pairs
    assert not any(arm == few_real(0.3).name and against != REAL.name for against, arm in pairs)
    assert (REAL.name, mixed(1).name) in pairs


def test_what_the_generator_has_seen_is_said() -> None:
    assert _seen_by_the_generator([REAL, mixed(1)]) == []
    (text,) = _seen_by_the_generator([REAL, few_real(0.1)])
    assert "learned from all training images" in text
