"""Stress tests: each finds what it is made to find, on a strategy made for it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backtest import Costs, StrategySpec, run_backtest
from backtest.kernels.simulation import BARS, ENTER_LONG, EXIT_LONG
from backtest.validation.stress import STRESS_TESTS, StressCase, stress_tests
from backtest.validation.stress.causality import foresight, look_ahead, recursion
from backtest.validation.stress.execution import costs, delay, path, spread
from backtest.validation.stress.markets import REGIMES, other_symbols, regime_of_each_bar, regimes
from backtest.validation.stress.neighbourhood import neighbours, parameters
from backtest.validation.stress.resampling import (
    best_trades,
    growths,
    random_entries,
    trade_bootstrap,
    trade_order,
)
from prompts.texts import catalogue, text
from tests.prices import made_up_prices
from vault.synthetic.edges import planted_prices
from vault.synthetic.nulls import null_prices

SPEC = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20)
RIDDEN = made_up_prices(rows=1500, cycle=0.15)
NOISE = made_up_prices(rows=1500, seed=21)


def opened(df=RIDDEN, spec=SPEC, costs=None, **more):
    return StressCase.open(df, spec, costs, generator=np.random.default_rng(1), **more)


def peeking(prices):
    """Long in every bar that will rise: the close of the next bar is known."""
    close = prices["close"].to_numpy()
    rises = np.append(close[1:] > close[:-1], False)
    return np.where(rises, ENTER_LONG, EXIT_LONG).astype(np.uint8)


def leaking(df):
    """Prices whose volume column tells the next close: a leak in the data, not in the strategy."""
    return df.assign(volume=df["close"].shift(-1).ffill())


LEAK = StrategySpec(name="leak", entry_long="volume > close", exit_long="volume <= close")


def test_every_test_has_its_sentence_and_fields_in_both_languages():
    stopped = SPEC.evolve(risk={"stop_loss_pct": 5.0})
    findings = stress_tests(opened(spec=stopped, others={"other": NOISE}, costs=Costs(fee_bps=5)))
    assert [one.name for one in findings] == [*STRESS_TESTS]
    for language in ("fr", "en"):
        texts = catalogue("stress", language)
        for one in findings:
            assert one.outcome != "skipped"
            assert text(f"stress.{one.name}", language, **one.fields)
            assert texts[f"name.{one.name}"]
            assert texts[f"outcome.{one.outcome}"]


def test_without_a_trade_little_can_be_tested_and_nothing_fails():
    never = StrategySpec(name="never", entry_long="close > 3 * highest(high, 20)[1]")
    findings = {one.name: one.outcome for one in stress_tests(opened(spec=never))}
    assert findings.pop("look_ahead") == findings.pop("recursion") == "passed"
    assert set(findings.values()) == {"skipped"}


def test_signals_that_know_the_next_bar_are_seen():
    found = look_ahead(opened(source=peeking))
    # Cut behind a bar that will rise, the signal of that bar is gone.
    assert found.outcome == "failed"
    assert found.figure > 5
    assert look_ahead(opened()).outcome == "passed"


def test_a_single_peek_at_the_future_is_seen():
    def once(prices):
        signals = np.zeros(len(prices), dtype=np.uint8)
        signals[1000:1010] = ENTER_LONG if len(prices) > 1400 else 0
        signals[1012:] = EXIT_LONG
        return signals

    assert look_ahead(opened(source=once)).outcome == "failed"


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_a_leak_in_the_data_is_seen_by_its_foresight(fill):
    # Filled at the next open, the bar that was known is the one that is held.
    df = leaking(NOISE)
    found = foresight(opened(df, LEAK, fill=fill))
    assert found.outcome == "failed"
    assert found.figure > 0.95
    assert look_ahead(opened(df, LEAK, fill=fill)).outcome == "passed"
    honest = foresight(opened(fill=fill))
    assert honest.outcome == "passed"
    assert honest.figure < 0.6


def test_dependence_on_the_first_bar_is_seen():
    from_start = StrategySpec(name="volume since the start", entry_long="obv() > 0", exit_long="obv() <= 0")
    assert recursion(opened(NOISE, from_start)).outcome == "failed"
    averages = StrategySpec.preset("ema_crossover")
    assert recursion(opened(NOISE, averages)).outcome == "passed"


def test_a_late_order_is_the_signal_of_the_bar_before():
    case = opened()
    later = StrategySpec(
        name="late",
        params={"fast_period": 5, "slow_period": 20},
        entry_long="crosses_above(sma(close, fast_period), sma(close, slow_period))[1]",
        exit_long="crosses_below(sma(close, fast_period), sma(close, slow_period))[1]",
    )
    found = delay(case)
    assert found.fields["after"] == pytest.approx(case.excess_sharpe(run_backtest(RIDDEN, later)))
    assert found.fields["before"] == pytest.approx(case.excess_sharpe(run_backtest(RIDDEN, SPEC)))
    # Of an edge over so many bars the first may be gone.
    held = case.result.trade_values[:, BARS].mean()
    assert found.figure == pytest.approx(found.fields["after"] / found.fields["before"] * held / (held - 1))
    assert found.outcome == "passed"


def test_what_a_close_trailing_stop_earns_on_shuffled_bars_is_seen():
    # Bars of a real index in another order: nothing can time them, and a stop that trails closely still wins.
    trailing = StrategySpec(name="trailing", entry_long="close > 0", risk={"trailing_stop_pct": 1.0})
    shuffled = [null_prices("shuffled", 4000, np.random.default_rng(seed)) for seed in range(4)]
    cases = [opened(prices, trailing) for prices in shuffled]
    # Two standard errors of a Sharpe ratio over four times sixteen years are 0.25.
    assert np.mean([case.excess_sharpe(case.result) for case in cases]) > 0.25
    found = [path(case) for case in cases]
    assert sum(one.outcome == "failed" for one in found) >= 3
    assert np.mean([one.fields["after"] for one in found]) < 0.25


def test_an_edge_that_does_not_live_inside_bars_is_left_on_paths():
    planted = planted_prices("seasonal", 3.0, 1260, np.random.default_rng(4), Costs())
    found = path(opened(planted.prices, planted.rule.evolve(risk={"stop_loss_pct": 3.0})))
    assert found.outcome == "passed"
    assert found.figure == pytest.approx(1.0, abs=0.2)
    assert path(opened(planted.prices, planted.rule)).outcome == "skipped"


def test_an_edge_of_one_bar_is_not_held_against_itself():
    # A calendar edge: Tuesdays rise. Held for that one bar, it cannot come late.
    days = pd.bdate_range("2015-01-01", periods=1500, tz="UTC")
    random = np.random.default_rng(2)
    moves = random.normal(0.0, 0.01, 1500) + np.where(days.day_of_week == 1, 0.008, 0.0)
    close = 100.0 * np.exp(np.cumsum(moves))
    before = np.concatenate([[100.0], close[:-1]])
    prices = pd.DataFrame(
        {"open": before, "high": np.maximum(before, close), "low": np.minimum(before, close), "close": close},
        index=days,
    ).assign(volume=1.0)
    calendar = StrategySpec(name="tuesday", entry_long="weekday == 0", exit_long="weekday != 0")
    case = opened(prices, calendar)
    assert case.excess_sharpe(case.result) > 2
    assert delay(case).outcome == "skipped"


def test_higher_costs_are_those_of_a_backtest_with_them():
    case = opened(costs=Costs(fee_bps=4, slippage_bps=1, spread_bps=2))
    doubled = run_backtest(RIDDEN, SPEC, Costs(fee_bps=8, slippage_bps=2, spread_bps=4))
    assert costs(case).fields["return_percent"] == doubled.metrics.total_return
    wide = run_backtest(RIDDEN, SPEC, Costs(fee_bps=4, slippage_bps=1, spread_bps=10))
    assert spread(case).fields["return_percent"] == wide.metrics.total_return
    assert costs(opened()).outcome == "skipped"


def test_an_edge_thinner_than_its_costs_fails():
    fast = StrategySpec(
        name="fast", entry_long="close < close[1]", exit_long="close > close[1]", risk={"max_bars": 1}
    )
    found = costs(opened(NOISE, fast, Costs(fee_bps=10)))
    assert found.outcome == "failed"
    assert found.fields["after"] < found.fields["before"]


def test_neighbours_are_a_tenth_or_a_step_away_and_allowed():
    near = neighbours(SPEC.evolve(risk={"stop_loss_pct": 2.0}))
    values = sorted(
        (one.params["fast_period"], one.params["slow_period"], one.risk.stop_loss_pct) for one in near
    )
    # Steps: 1 for the fast period, 5 for the slow one, 0.5 for the stop; a tenth of 5 rounds to nothing.
    assert values == [
        (4, 20, 2.0), (5, 15, 2.0), (5, 18, 2.0), (5, 20, 1.5), (5, 20, 1.8), (5, 20, 2.2),
        (5, 20, 2.5), (5, 22, 2.0), (5, 25, 2.0), (6, 20, 2.0),
    ]  # fmt: skip


def test_a_plateau_passes_and_a_needle_fails():
    plateau = parameters(opened(RIDDEN, SPEC))
    assert plateau.outcome == "passed"
    assert plateau.fields["positive"] == plateau.fields["neighbours"]
    # Trades only at bars whose volume is exactly this: no neighbour ever does.
    marked = RIDDEN.copy()
    wave = np.gradient(np.sin(np.arange(1500) / 25.0))
    marked["volume"] = np.where(wave > 0.02, 500.0, 1.0)
    needle = StrategySpec(
        name="needle",
        params={"level": 500},
        entry_long="volume == level",
        exit_long="volume != level",
    )
    found = parameters(opened(marked, needle))
    assert found.outcome == "failed"
    assert found.fields["own"] > 1.0
    assert found.figure <= 0.0


def test_trades_drawn_again_have_the_spread_of_their_sum():
    case = opened()
    logs = growths(case)
    assert float(np.expm1(logs.sum())) == pytest.approx(case.result.metrics.total_return)
    found = trade_bootstrap(case)
    # Of many trades: normal by the central limit theorem.
    expected = np.expm1(logs.sum() - 1.645 * logs.std() * np.sqrt(len(logs)))
    assert np.log1p(found.figure) == pytest.approx(np.log1p(expected), rel=0.1)
    assert found.outcome == "passed"
    assert trade_bootstrap(opened(NOISE, costs=Costs(fee_bps=20))).outcome == "failed"


def test_a_kind_order_of_trades_is_told_from_a_usual_one():
    case = opened(NOISE)
    rows = case.result.trade_values.copy()
    rows[:, 6] = np.where(np.arange(len(rows)) % 2, -400.0, 420.0)
    kind = replace(case.result, trade_values=rows)
    found = trade_order(replace(case, result=kind))
    # Win, loss, win, loss: never two losses in a row.
    assert found.fields["own_percent"] < 0.06
    assert found.figure == -found.fields["worst_percent"] < -2 * found.fields["own_percent"]
    assert found.outcome == "failed"
    assert trade_order(case).outcome == "passed"


def test_luck_of_a_few_trades_is_taken_away():
    case = opened()
    logs = np.sort(growths(case))
    found = best_trades(case)
    assert found.figure == pytest.approx(np.expm1(logs[:-5].sum()))
    assert found.fields["own_percent"] == pytest.approx(case.result.metrics.total_return)
    assert found.outcome == "passed"
    rows = case.result.trade_values.copy()
    rows[:, 6] = np.where(np.arange(len(rows)) % 10 == 0, 5_000.0, -100.0)
    lucky = replace(case, result=replace(case.result, trade_values=rows))
    assert growths(lucky).sum() > 0
    assert best_trades(lucky).outcome == "failed"


def test_timing_beats_entries_at_random_and_chance_does_not():
    assert random_entries(opened()).figure < 0.01
    shares = [random_entries(opened(made_up_prices(rows=800, seed=seed))).figure for seed in range(60)]
    # Without an edge the share lies anywhere: at 5 % or less 3 times in 60, give or take 1.7.
    assert sum(share <= 0.05 for share in shares) <= 8
    assert min(shares) < 0.3
    assert max(shares) > 0.7


def test_who_turns_from_long_to_short_and_is_never_out_is_told_from_chance():
    spec = StrategySpec.preset("ma_crossover").both_sides()
    assert random_entries(opened(spec=spec)).figure < 0.01
    shares = [
        random_entries(opened(made_up_prices(rows=800, seed=seed), spec=spec)).figure for seed in range(60)
    ]
    assert sum(share <= 0.05 for share in shares) <= 8
    assert sum(share >= 0.95 for share in shares) <= 8


def test_always_in_the_market_leaves_no_entry_to_chance():
    assert random_entries(opened(spec=StrategySpec.preset("buy_and_hold"))).outcome == "skipped"


def test_the_kind_of_market_is_known_before_the_bar():
    closes = RIDDEN["close"].to_numpy()
    kinds = regime_of_each_bar(closes)
    assert set(kinds) == {-1, 0, 1, 2, 3}
    for cut in (400, 900):
        assert np.array_equal(regime_of_each_bar(closes[:cut]), kinds[:cut])
    bar = int(np.flatnonzero(kinds >= 0)[50])
    returns = pd.Series(closes).pct_change()
    lively = (
        returns[bar - 50 : bar].std()
        > pd.Series([returns[at - 50 : at].std() for at in range(51, bar + 1)]).median()
    )
    assert (kinds[bar] >= 2) == lively
    assert (kinds[bar] % 2 == 0) == (closes[bar - 1] > closes[bar - 101])


def test_an_edge_in_every_kind_of_market_passes():
    found = regimes(opened())
    assert found.outcome == "passed"
    assert set(REGIMES) <= set(found.fields)


def test_other_instruments_are_tested_as_they_are():
    found = other_symbols(opened(others={"b": made_up_prices(rows=1200, seed=3, cycle=0.15), "a": NOISE}))
    assert found.fields["symbols"] == 2
    assert found.figure >= 0.5
    short = other_symbols(opened(others={"short": NOISE.iloc[:10]}))
    assert short.outcome == "skipped"


def test_the_same_seed_finds_the_same():
    assert stress_tests(opened()) == stress_tests(opened())
