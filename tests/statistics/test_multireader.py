"""Multi-reader multi-case analysis against a published example, and by what must hold."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dermsynth.statistics.multireader import Components, compare_readers, power

NEGATIVES, POSITIVES = 69, 45
VAN_DYKE = """
122151111111411111111131311214111113121211233131133111111221111332111555545554555434245555555154454553555115554451
333222223213122222211111421312214323123122233111333113412421241442111535555554555544335555555355355554455535555551
232222222322522232222222422223222222222222222222222222222432232222222535555542555442225555555243354552425225555352
322222223222222122221222322222212212222231223222222222322322222222122535555552555344245455545252355532425525555552
222235112242422232221232411322112224121412112222223211211221151421212545555555555542355555555252255552555225555552
242222322211132222121121411512112122212221132111233113221232341242121525555555555354145555555253355543555534555551
111111311111111111112111211112111111111111111111331111111111111311111555555555555555155555555554544553555125555555
221111312111122111211111321212111122112111112121212211111212111323211545555554555455555555555455445555555535555555
351211112221211122113221111211211231221113332111211111111341231212113525255551545452235555554144322151515115553552
223122221222111222122212322321212222112121132122332122221222231233111525455555455343335555555251332532545533555553
"""
"""Ratings 1 to 5 of aortic dissection in 69 patients without and 45 with it: reader 1 in condition 1, in 2, reader 2, ... (Van Dyke, White,
Obuchowski et al. 1993; published by the authors of the method with what their program OR-DBM MRMC 2.51 says of it)."""
PRINTED_AREAS = [
    [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
    [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
]
TRUTH = np.arange(NEGATIVES + POSITIVES) >= NEGATIVES


@pytest.fixture(scope="module")
def ratings() -> NDArray[np.float64]:
    """[2 conditions, 5 readers, 114 cases]."""
    rows = np.array([[int(digit) for digit in line] for line in VAN_DYKE.split()], float)
    return rows.reshape(5, 2, -1).transpose(1, 0, 2)


def test_the_published_example(ratings: NDArray[np.float64]) -> None:
    result = compare_readers(ratings, TRUTH, ["spin echo", "cine"])
    assert [list(area.each) for area in result.areas] == [pytest.approx(row, abs=5e-9) for row in PRINTED_AREAS]
    components = result.components
    assert components is not None
    assert components.readers == pytest.approx(0.00153500, abs=5e-9)
    assert components.interaction == pytest.approx(0.00020040, abs=5e-9)
    assert components.error == pytest.approx(0.00080229, abs=5e-9)
    covariances = (components.same_reader, components.same_condition, components.neither)
    assert covariances == pytest.approx((0.00034661, 0.00034407, 0.00023903), abs=5e-9)
    assert (result.f, result.freedom, result.p) == (
        pytest.approx(4.46, abs=0.005), pytest.approx(15.26, abs=0.005), pytest.approx(0.0517, abs=5e-5),
    )  # fmt: skip
    (difference,) = result.differences
    assert difference.difference == pytest.approx(-0.04380032, abs=5e-9)
    assert (difference.low, difference.high) == pytest.approx((-0.08796, 0.00036), abs=5e-6)
    assert difference.p == pytest.approx(result.p)
    first, second = result.areas
    assert (first.area, first.low, first.high) == pytest.approx((0.89703704, 0.82522360, 0.96885048), abs=5e-9)
    assert (second.area, second.low, second.high) == pytest.approx((0.94083736, 0.89413783, 0.98753689), abs=5e-9)


def test_the_jackknife_is_that_of_areas_computed_anew(ratings: NDArray[np.float64]) -> None:
    few = ratings[:, :2, 55:85]
    truth = TRUTH[55:85]

    def areas(keep: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.array([[roc_auc_score(truth[keep], row[keep]) for row in rows] for rows in few]).ravel()

    cases = len(truth)
    left_out = np.array([areas(np.arange(cases) != case) for case in range(cases)])
    expected = (cases - 1) / cases * ((left_out - left_out.mean(axis=0)).T @ (left_out - left_out.mean(axis=0)))
    components = compare_readers(few, truth, ["a", "b"]).components
    assert components is not None
    assert components.error == pytest.approx(float(np.trace(expected)) / 4)
    assert components.same_reader == pytest.approx((expected[0, 2] + expected[1, 3]) / 2)
    assert components.same_condition == pytest.approx((expected[0, 1] + expected[2, 3]) / 2)
    assert components.neither == pytest.approx((expected[0, 3] + expected[1, 2]) / 2)


def test_conditions_with_cases_of_their_own_share_no_error(ratings: NDArray[np.float64]) -> None:
    apart = ratings.copy()
    apart[0, :, ::2] = np.nan
    apart[1, :, 1::2] = np.nan
    components = compare_readers(apart, TRUTH, ["a", "b"]).components
    assert components is not None
    assert (components.same_reader, components.neither) == (0.0, 0.0)
    assert components.error > 0


def test_one_condition_has_an_area_and_no_test(ratings: NDArray[np.float64]) -> None:
    result = compare_readers(ratings[:1], TRUTH, ["only"])
    assert (result.areas[0].low, result.areas[0].high) == pytest.approx((0.82522360, 0.96885048), abs=5e-9)
    assert (result.p, result.differences, result.components) == (None, (), None)


@pytest.mark.parametrize("gap", [0.0, 0.12])
def test_intervals_hold_the_truth_and_power_is_what_studies_reach(gap: float) -> None:
    """Simulated as Roe & Metz 1997: binormal ratings, effects of readers and cases in both conditions."""
    random, readers, cases, studies = np.random.default_rng(0), 6, 80, 300
    truth = np.arange(cases) < cases // 2
    shift = np.array([1.2, 1.2 + 4 * gap])
    held, found, components, truths = 0, 0, list[Components](), []
    for _ in range(studies):
        skill = random.normal(0, 0.15, readers)
        ratings = truth * (shift[:, None, None] + skill[:, None] + random.normal(0, 0.05, (2, readers, 1)))
        ratings = (
            ratings
            + random.normal(0, 0.5, cases)
            + random.normal(0, 0.3, (2, 1, cases))
            + random.normal(0, 0.81, (2, readers, cases))
        )
        result = compare_readers(ratings, truth, ["a", "b"])
        assert result.components is not None
        assert result.p is not None
        truths.append(result.areas[0].area - result.areas[1].area)
        components.append(result.components)
        found += result.p < 0.05
        expected = _true_difference(shift)
        held += result.differences[0].low <= expected <= result.differences[0].high
    assert 0.92 <= held / studies <= 0.985
    if gap:
        mean = Components(*np.mean([list(vars(one).values()) for one in components], axis=0))
        assert power(mean, abs(float(np.mean(truths))), readers, cases, cases) == pytest.approx(
            found / studies, abs=0.08
        )


def _true_difference(shift: NDArray[np.float64]) -> float:
    """Of areas of binormal ratings whose positives' shift varies over readers."""
    from scipy.stats import norm

    spread = 2 * (0.5**2 + 0.3**2 + 0.81**2) + 0.15**2 + 0.05**2
    first, second = norm.cdf(shift / np.sqrt(spread))
    return float(first - second)


def test_more_readers_and_more_cases_find_more() -> None:
    components = Components(0.0015, 0.0002, 0.0008, 0.00035, 0.00034, 0.00024)
    few = power(components, 0.05, 5, 114, 114)
    assert few < power(components, 0.05, 10, 114, 114) < power(components, 0.05, 10, 228, 114) < 1
    assert power(components, 0.0, 5, 114, 114) == pytest.approx(0.05, abs=1e-6)


def test_too_few_readers_or_cases_are_refused(ratings: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="1 reader rated"):
        compare_readers(ratings[:, :1], TRUTH, ["a", "b"])
    blank = ratings.copy()
    blank[0, 0, TRUTH] = np.nan
    with pytest.raises(ValueError, match="fewer than two"):
        compare_readers(blank, TRUTH, ["a", "b"])


def test_perfect_readers_prove_no_difference_and_no_certainty() -> None:
    truth = np.arange(20) < 10
    result = compare_readers(np.tile(truth.astype(float), (2, 3, 1)), truth, ["a", "b"])
    assert (result.p, result.differences[0].p) == (1.0, 1.0)
    assert result.areas[0].area == result.areas[0].high == 1
    assert 0.6 < result.areas[0].low < 0.75  # the exact interval of 10 of 10
    assert result.differences[0].low < 0 < result.differences[0].high
