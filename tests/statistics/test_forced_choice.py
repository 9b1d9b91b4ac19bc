"""Forced choices against closed forms, an independent integration, printed values, and simulated panels."""

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
from scipy.special import expit, logit
from scipy.stats import norm

from dermsynth.statistics.forced_choice import PRIOR, mean_share, sensitivity, share_right, strengths


@pytest.mark.parametrize("d", [-1.0, 0.0, 0.5, 1.0, 2.5])
@pytest.mark.parametrize("alternatives", [2, 3, 4, 6])
def test_shares_are_the_integral(d: float, alternatives: int) -> None:
    expected, _ = scipy.integrate.quad(lambda x: norm.pdf(x - d) * norm.cdf(x) ** (alternatives - 1), -12, 12)
    assert share_right(d, alternatives) == pytest.approx(expected, abs=1e-9)
    assert sensitivity(expected, alternatives) == pytest.approx(d, abs=1e-6)


@pytest.mark.parametrize("share", [0.55, 0.76, 0.92])
def test_two_alternatives_have_a_closed_form(share: float) -> None:
    assert sensitivity(share, 2) == pytest.approx(np.sqrt(2) * norm.ppf(share))


@pytest.mark.parametrize("alternatives", [2, 3, 4, 6])
def test_guessing_is_no_sensitivity(alternatives: int) -> None:
    assert sensitivity(1 / alternatives, alternatives) == pytest.approx(0, abs=1e-9)
    assert sensitivity(0.0, alternatives) == -6
    assert sensitivity(1.0, alternatives) == 6


def panel(
    random: np.random.Generator, raters: int, sets: int, share: float, own: float, hard: float
) -> tuple[np.ndarray, ...]:
    """Right answers of raters who differ by `own` and to sets that differ by `hard`, on the logit scale."""
    skill, ease = random.normal(0, own, raters), random.normal(0, hard, sets)
    chance = expit(logit(share) + skill[:, None] + ease)
    right = (random.random((raters, sets)) < chance).astype(float)
    return right.ravel(), np.repeat(np.arange(raters), sets), np.tile(np.arange(sets), raters)


@pytest.mark.parametrize(
    ("raters", "sets", "own"), [(3, 40, 0.3), (6, 40, 0.3), (6, 40, 0.8), (12, 25, 0.3), (1, 40, 0.0)]
)
def test_the_interval_holds_the_share_of_other_raters_and_sets(raters: int, sets: int, own: float) -> None:
    random, studies, hard = np.random.default_rng(1), 400, 0.5
    effects = np.random.default_rng(2).normal(0, np.hypot(own, hard), 400_000)
    truth = float(expit(logit(0.45) + effects).mean())
    held = 0
    for _ in range(studies):
        found = mean_share(*panel(random, raters, sets, 0.45, own, hard), 0.25)
        held += found.low <= truth <= found.high
    assert 0.92 <= held / studies <= 0.995


def test_guessing_is_found_out_no_more_often_than_it_should() -> None:
    random = np.random.default_rng(3)
    wrong = sum(mean_share(*panel(random, 6, 40, 0.25, 0.0, 0.0), 0.25).p < 0.05 for _ in range(400))
    assert wrong / 400 <= 0.075


def test_all_right_claims_no_certainty() -> None:
    found = mean_share(np.ones(20), np.repeat([0, 1], 10), np.tile(np.arange(10), 2), 0.25)
    assert found.value == 1
    assert 0.7 < found.low < found.high == 1


def choices(
    random: np.random.Generator, truth: np.ndarray, raters: int, sets: int, shown: list[list[int]]
) -> tuple[list[list[int]], ...]:
    """Raters who choose by noisy evidence (Gumbel), which is Luce's rule."""
    rows, chosen, who, which = [], [], [], []
    for number in range(sets):
        pictures = shown[number % len(shown)]
        for rater in range(raters):
            evidence = truth[pictures] + random.gumbel(size=len(pictures))
            rows.append(pictures)
            chosen.append(int(evidence.argmax()))
            who.append(rater)
            which.append(number)
    return rows, chosen, who, which


def test_two_sources_are_the_log_odds() -> None:
    rows = [[0, 1]] * 40
    found = strengths(rows, [0] * 28 + [1] * 12, np.zeros(40, int), np.arange(40), ["real", "made"], 0)
    assert found[1].value == pytest.approx(np.log(12 / 28), abs=0.05)  # the prior draws a little towards 0
    assert (found[0].value, found[0].low, found[0].high) == (0, 0, 0)
    assert [(one.shown, one.chosen) for one in found] == [(40, 28), (40, 12)]


def test_strengths_are_the_maximum_of_the_posterior() -> None:
    """The penalised likelihood of Luce's rule, written out for one choice at a time."""
    random = np.random.default_rng(5)
    rows, chosen, who, which = choices(random, np.array([0.0, -0.5, -1.5]), 4, 30, [[0, 1, 1, 2], [0, 2, 2, 1], [1, 2]])
    found = strengths(rows, chosen, np.array(who), np.array(which), ["real", "a", "b"], 0)

    def posterior(values: np.ndarray) -> float:
        total = sum(
            values[row[place]] - np.log(np.exp(values[row]).sum()) for row, place in zip(rows, chosen, strict=True)
        )
        return float(-total + (values**2).sum() / (2 * PRIOR**2))

    best = scipy.optimize.minimize(
        posterior, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10}
    ).x
    assert [one.value for one in found] == pytest.approx(list(best - best[0]), abs=1e-4)


def test_intervals_of_strengths_hold_the_truth() -> None:
    random, truth, held, studies = np.random.default_rng(6), np.array([0.0, -0.4, -1.2]), 0, 300
    for _ in range(studies):
        rows, chosen, who, which = choices(random, truth, 5, 40, [[0, 1, 1, 2], [0, 2, 2, 1]])
        found = strengths(rows, chosen, np.array(who), np.array(which), ["real", "a", "b"], 0)
        held += sum(one.low <= value <= one.high for one, value in zip(found[1:], truth[1:], strict=True))
    assert 0.93 <= held / (2 * studies) <= 0.99


def test_a_source_that_is_never_chosen_has_a_finite_strength() -> None:
    found = strengths([[0, 1]] * 10, [0] * 10, np.zeros(10, int), np.arange(10), ["real", "made"], 0)
    assert -20 < found[1].low < found[1].value < -2
    assert 0 < found[1].preferred[0] < 0.1


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_a_single_raters_interval_holds_rare_choices_too(share: float) -> None:
    random, held = np.random.default_rng(7), 0
    for _ in range(200):
        chosen = (random.random(20) < share).astype(int).tolist()
        found = strengths([[0, 1]] * 20, chosen, np.zeros(20, int), np.arange(20), ["real", "made"], 0)[1]
        held += found.preferred[1] <= share <= found.preferred[2]
    assert held / 200 >= 0.9


@pytest.mark.parametrize("count", [1, 8, 20])
@pytest.mark.parametrize("right", [0.0, 1.0])
def test_the_share_lies_in_its_interval(count: int, right: float) -> None:
    found = mean_share(np.full(count, right), np.zeros(count, int), np.arange(count), 0.25)
    assert found.low <= found.value <= found.high
    assert found.high - found.low > 0.1
