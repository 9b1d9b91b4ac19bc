"""The public functions of `dermsynth.metrics`: examples that run, refusals that say the way out, and one entry for a new metric."""

import doctest
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

import numpy as np
import pytest

from dermsynth import metrics
from dermsynth.errors import UserError
from dermsynth.metrics.comparison import Comparison
from dermsynth.metrics.estimate import Estimate, Rows, Sides
from dermsynth.metrics.registry import METRICS, Metric, add_metric, measures, sections

MODULES = sorted({*metrics.PLACES.values(), ""})
REAL, FAKE = np.random.default_rng(0).integers(0, 256, (2, 60, 16, 16, 3), dtype=np.uint8)
OF_IMAGES: dict[str, Callable[..., object]] = {
    "fid": metrics.fid,
    "kid": metrics.kid,
    "swd": metrics.swd,
    "precision_recall": metrics.precision_recall,
    "colour_distances": metrics.colour_distances,
    "ms_ssim": metrics.ms_ssim,
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = import_module(f"dermsynth.metrics.{name}".rstrip("."))
    result = doctest.testmod(module)
    assert result.failed == 0
    public = [function for function, place in metrics.PLACES.items() if place == name]
    functions = [getattr(module, function) for function in public if function[0].islower() and function != "add_metric"]
    for function in functions:
        text = function.__doc__ or ""
        wanted = ("Parameters", "Returns", "Raises", "Examples", ">>> ")
        assert all(part in text for part in wanted), (function.__name__, wanted)


def test_the_import_is_quick_and_needs_no_torch() -> None:
    code = "import sys; from dermsynth import metrics; print('torch' in sys.modules, 'scipy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.split() == ["False", "False"]


def test_every_metric_is_listed() -> None:
    table = metrics.list()
    assert list(table["id"]) == list(METRICS)
    assert (table[["title", "direction", "good", "says"]] != "").all(axis=None)
    assert set(table["direction"]) <= {"lower", "higher", "near"}
    with pytest.raises(AttributeError, match="no attribute 'beauty'"):
        metrics.beauty  # noqa: B018


@pytest.mark.parametrize("name", OF_IMAGES)
def test_images_of_numbers_need_the_value_of_white(name: str) -> None:
    function = OF_IMAGES[name]
    with pytest.raises(UserError, match=r"`synthetic`: images: float64 from 0 to 1"):
        function(REAL, FAKE / 255)
    with pytest.raises(UserError, match=r"`real`: .*must be \[n, h, w, 3\]"):
        function(REAL.transpose(0, 3, 1, 2), FAKE)


def test_the_value_of_white_gives_the_same_figure() -> None:
    assert metrics.swd(REAL / 255, FAKE / 255, white=1) == metrics.swd(REAL, FAKE)


def test_too_few_images_say_how_many_are_needed() -> None:
    for function in (metrics.fid, metrics.swd, metrics.precision_recall):
        with pytest.raises(UserError, match=r"12 synthetic images, at least 50 a side are needed"):
            function(REAL, FAKE[:12])
    with pytest.raises(UserError, match=r"`held_out`: 5 images, at least 20"):
        metrics.memorisation(REAL, FAKE, FAKE[:5])
    rows = np.random.default_rng(0).normal(size=(60, 20))
    with pytest.raises(UserError, match=r"for 20 features; at least 89 synthetic and 178 real ones"):
        metrics.fid_infinity(rows, rows)


def test_features_and_images_do_not_mix() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 20))
    with pytest.raises(UserError, match=r"features .* of both without"):
        metrics.fid(rows, FAKE)
    with pytest.raises(UserError, match="`synthetic`: 12 features a row, `real` has 20"):
        metrics.fid(rows, rows[:, :12])
    with pytest.raises(UserError, match="images of 16 x 16 and 16 x 8 pixels"):
        metrics.swd(REAL[:, :8], FAKE)
    assert metrics.fid(rows, rows + 1).name == "FID of given features"
    assert metrics.fid(REAL, FAKE).name == "FID-embedded"


def test_precision_and_coverage_come_as_pairs() -> None:
    pairs = metrics.precision_recall, metrics.density_coverage, metrics.clipped_density_coverage
    names = ["precision", "recall", "density", "coverage", "clipped_density", "clipped_coverage"]
    assert [estimate.id for pair in pairs for estimate in pair(REAL, FAKE)] == names


def difference_of_brightness(x: Rows, y: Rows) -> float:
    return abs(float(x.mean()) - float(y.mean()))


def brightness(comparison: Comparison) -> list[Estimate]:
    return [comparison.images.bootstrap_estimate("brightness", difference_of_brightness, resamples=20)]


TOY = Metric(
    "brightness", "brightness", "grey levels", "lower", "Brightness", brightness, says="difference of mean brightness",
    floor="times", question="fidelity", on_card=True, brief=True,
)  # fmt: skip


def test_a_metric_is_one_function_and_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row in JSON, on the page and in the terminal: tests/evaluation/test_toy_metric.py."""
    monkeypatch.setattr("dermsynth.metrics.registry.METRICS", dict(METRICS))
    add_metric(TOY)
    with pytest.raises(ValueError, match="the id is taken"):
        add_metric(TOY)
    assert brightness in measures()
    assert brightness in measures(brief=True)
    assert brightness not in measures(of_tones=True)
    assert sections()[-1] == "Brightness"
    planes = [side.transpose(0, 3, 1, 2) for side in (FAKE, REAL)]
    estimate = Sides(planes[0] // 2, planes[1]).bootstrap_estimate("brightness", difference_of_brightness, resamples=20)
    assert estimate.name == "brightness"
    assert estimate.value == pytest.approx(64, abs=3)
