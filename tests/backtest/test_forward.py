"""Evidence that may be looked at after every bar: how often it errs, and how soon it sees."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.validation.forward import DECISIVE, Plan, judge_forward
from tests.laws import combined

DAILY = Plan(exposure=0.5, deviation=0.006, bars_per_year=252.0)


def normal(draw, bars):
    return draw.normal(size=bars)


def student(draw, bars):
    return draw.standard_t(3, size=bars) / math.sqrt(3.0)


def skewed(draw, bars):
    """Many small gains and rare falls of nine deviations, as who sells insurance has them; mean zero."""
    fell = draw.random(bars) < 0.01
    found = np.where(fell, -9.0, 9.0 * 0.01 / 0.99)
    return found / math.sqrt(0.01 * 81.0 + 0.99 * (9.0 * 0.01 / 0.99) ** 2)


def clustered(draw, bars):
    """GARCH(1,1) whose variance stands at twice what was sealed half of the time."""
    found, variance = np.empty(bars), 1.0
    for bar, shock in enumerate(draw.normal(size=bars)):
        found[bar] = math.sqrt(variance) * shock
        variance = 0.02 + 0.1 * found[bar] ** 2 + 0.89 * variance
    return found


@pytest.mark.parametrize(
    ("law", "per_year"), combined((normal, student, skewed, clustered), (252.0, 17_520.0))
)
def test_without_an_edge_it_is_hardly_ever_confirmed_however_often_one_looks(law, per_year):
    draw = np.random.default_rng(20_261_128)
    plan = Plan(exposure=0.5, deviation=0.006, bars_per_year=per_year)
    found = [judge_forward(0.006 * law(draw, 2_500), plan) for _ in range(300)]
    false = sum(one.highest >= DECISIVE for one in found)
    assert false <= 26  # 300 at 5 %: more with a chance of 0.5 %


@pytest.mark.parametrize(("ratio", "within"), [(2.0, 5.0), (3.0, 2.5)])
def test_an_edge_is_confirmed_about_when_the_plan_says(ratio, within):
    draw = np.random.default_rng(7)
    mean = ratio * DAILY.deviation / math.sqrt(252.0)
    years = []
    for _ in range(60):
        found = judge_forward(mean + DAILY.deviation * student(draw, int(252 * 3 * within)), DAILY)
        years.append(found.decided_at / 252 if found.outcome == "confirmed" else math.inf)
    told = DAILY.years_needed(ratio)
    assert told < within
    assert told / 1.6 <= np.median(years) <= told * 1.6


def test_what_loses_is_refuted_and_what_does_nothing_stays_open():
    draw = np.random.default_rng(11)
    losing = judge_forward(-0.0006 + 0.006 * draw.normal(size=2_500), DAILY)
    assert (losing.outcome, losing.p_value > 0.3) == ("refuted", True)
    assert losing.decided_at < 2_500
    nothing = judge_forward(np.zeros(20), DAILY)
    assert (nothing.outcome, nothing.excess_sharpe, nothing.decided_at) == ("open", None, None)
    assert judge_forward([], DAILY).p_value == 1.0


@given(st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=60), st.integers(1, 59))
def test_later_bars_change_nothing_of_what_was_seen(values, cut):
    whole, part = judge_forward(values, DAILY), judge_forward(values[:cut], DAILY)
    np.testing.assert_allclose(whole.path[: part.bars], part.path, rtol=1e-12)
    assert whole.p_value <= part.p_value
    assert 0.0 < whole.p_value <= 1.0
    if part.outcome != "open":
        assert (whole.outcome, whole.decided_at) == (part.outcome, part.decided_at)


def test_the_capital_is_what_a_bettor_has_who_stakes_by_hand():
    excess = [0.004, -0.009, 0.03]
    keep = 0.5 ** (1 / 60)
    variance, parts = 0.006**2, [1.0] * len(DAILY.stakes)
    for value in excess:
        scale = max(0.006, math.sqrt(variance))
        parts = [
            one * (1.0 + stake * (value / scale - 0.001))
            for one, stake in zip(parts, DAILY.stakes, strict=True)
        ]
        variance = keep * variance + (1.0 - keep) * value**2
    assert judge_forward(excess, DAILY).capital == pytest.approx(sum(parts) / len(parts), rel=1e-12)
    assert DAILY.stakes.tolist() == pytest.approx([0.5 / math.sqrt(252), 1 / math.sqrt(252), 1 / 12])


def test_a_crash_costs_what_was_staked_and_no_more():
    assert judge_forward([-0.5], DAILY).capital == 0.0
    assert judge_forward([-0.5, 0.5], DAILY).capital == 0.0
