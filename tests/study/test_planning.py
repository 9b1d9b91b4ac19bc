"""Plans: more raters or images never make them worse."""

import itertools
from pathlib import Path

import pytest

from dermsynth.cli.study import plan
from dermsynth.errors import UserError
from dermsynth.study.planning import panel_precision

RATERS, IMAGES = (2, 3, 4, 5, 8, 12, 20, 40, 100), (2, 3, 10, 30, 50, 80, 100, 200, 400, 1000, 4000)


@pytest.mark.parametrize("deviations", [(0.3, 0.7), (0.0, 0.0), (1.5, 0.1), (0.1, 3.0), (0.0, 1.0)])
def test_more_raters_or_images_never_make_a_plan_worse(deviations: tuple[float, float]) -> None:
    plans = {(r, i): panel_precision(r, i, *deviations) for r, i in itertools.product(RATERS, IMAGES)}
    ways = [*itertools.pairwise(RATERS)], [*itertools.pairwise(IMAGES)]
    pairs = [((a, i), (b, i)) for a, b in ways[0] for i in IMAGES] + [
        ((r, a), (r, b)) for a, b in ways[1] for r in RATERS
    ]
    for fewer, more in pairs:
        assert plans[more].half_width <= plans[fewer].half_width + 1e-12
        assert plans[more].equivalence_power >= plans[fewer].equivalence_power - 1e-12
    assert 0 < plans[100, 4000].half_width < plans[2, 2].half_width <= 0.5


def test_three_raters_gain_from_more_images() -> None:
    widths = [panel_precision(3, images).half_width for images in (80, 400)]
    assert 0.1 < widths[1] < widths[0] < 0.15


def test_choices_that_go_with_another_table_are_refused() -> None:
    with pytest.raises(UserError, match="--pilot says; add it"):
        plan(difference=0.1)
    with pytest.raises(UserError, match="leave --raters-deviation"):
        plan(pilot=Path("report.json"), raters_deviation=0.3)


def test_the_default_deviations_are_those_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    plan(raters=(3,), items=(50,))
    usual = capsys.readouterr().out
    plan(raters=(3,), items=(50,), raters_deviation=0.3, items_deviation=0.7)
    assert capsys.readouterr().out == usual
