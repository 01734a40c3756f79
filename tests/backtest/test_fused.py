"""The fused kernel against the bar-by-bar one: trades to the bit, metrics to rounding."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import StrategySpec, run_backtest, sweep
from backtest.engine.run import Market, open_market
from backtest.kernels.indicators import means_of_tile
from backtest.kernels.orders import Levels
from backtest.kernels.simulation import (
    BELOW_ONE_UNIT,
    FIGURES,
    METRICS,
    TILE,
    TRADE_COLUMNS,
    measure,
)
from backtest.kernels.words import cross_words, known_words, pack
from backtest.types import Costs, Risk, Sizing
from tests.laws import cases
from tests.prices import made_up_prices

EVERYTHING = Sizing()
ROUNDING = {"rel": 1e-9, "abs": 1e-11}


def history(seed: int, bars: int, tick: float, reach: float, quiet: float, lost: float = 0.0) -> pd.DataFrame:
    """Prices on a grid, so that levels are often touched exactly, with stretches where nothing moves.

    Some bars may be marked as made up: in the kernels' eyes nothing else tells them.
    """
    random = np.random.default_rng(seed)
    moves = np.round(random.normal(0, reach, (3, bars)) / tick) * tick
    moves[:, random.random(bars) < quiet] = 0.0
    close = 100.0 + np.cumsum(moves[0])
    close = np.maximum(np.abs(close), tick)
    opening = np.maximum(np.abs(np.concatenate(([100.0], close[:-1])) + moves[1]), tick)
    high = np.maximum(opening, close) + np.abs(moves[2])
    low = np.maximum(
        np.minimum(opening, close) - np.abs(moves[0]), np.minimum(tick, np.minimum(opening, close))
    )
    return pd.DataFrame(
        {"open": opening, "high": high, "low": low, "close": close, "made_up": random.random(bars) < lost},
        index=pd.date_range("2024-01-01", periods=bars, freq="h"),
    )


def both(market: Market, codes: np.ndarray, risk: Risk, sizing: Sizing = EVERYTHING) -> tuple[Any, ...]:
    """Trades and metrics of the bar-by-bar kernel, then of the fused one, and whether these hold."""
    equity, trades = market.buffers(codes)
    direct = np.empty(FIGURES)
    count, sure = market.simulate(codes, risk, sizing, equity, trades, direct)
    wanted = np.empty(FIGURES)
    measure(equity, market.terms.capital, trades, count, market.terms.periods_per_year, wanted)

    fused = np.full((codes.size, TRADE_COLUMNS), 123.0)
    found, settled = market.trade_one(codes, risk, sizing, fused)
    # A backtest alone finds what a sweep does, to the last bit.
    assert sure == settled
    np.testing.assert_array_equal(direct, found)
    return trades[:count], wanted, fused[: int(found[METRICS.index("n_trades")])], found, settled


def maybe(*values: float) -> st.SearchStrategy[float | None]:
    return st.sampled_from([None, *values])


@settings(max_examples=cases(40), deadline=None)
@given(
    seed=st.integers(0, 2**32),
    bars=st.integers(3, 300),
    tick=st.sampled_from([1.0, 0.01]),
    reach=st.sampled_from([0.3, 2.0, 15.0]),
    quiet=st.sampled_from([0.0, 0.5, 0.95]),
    busy=st.sampled_from([0.01, 0.05, 0.4]),
    sides=st.sampled_from([(1, 2), (4, 8), (1, 2, 4, 8), (1,), (1, 4)]),
    fill=st.sampled_from(["next_open", "close"]),
    fee=st.sampled_from([0.0, 10.0, 100.0]),
    slippage=st.sampled_from([0.0, 5.0, 100.0]),
    stop_loss_pct=maybe(1.0, 5.0, 40.0),
    take_profit_pct=maybe(1.0, 10.0, 200.0),
    trailing_stop_pct=maybe(1.0, 7.5, 40.0),
    stop_loss_atr=maybe(0.5, 2.0),
    take_profit_atr=maybe(1.0, 3.0),
    trailing_stop_atr=maybe(0.5, 2.0),
    max_bars=maybe(1, 3, 40),
    break_even_pct=maybe(0.5, 3.0, 20.0),
    cooldown_bars=maybe(1, 2, 15),
    exit_after_bars=maybe(2, 20),
    exit_above_pct=maybe(-5.0, 0.0, 8.0),
    exit_below_pct=maybe(-3.0, 0.0, 1.0),
    sizing=st.fixed_dictionaries(
        {},
        optional={
            "equity_pct": st.sampled_from([10.0, 100.0, 250.0]),
            "fixed_amount": st.sampled_from([700.0, 25_000.0]),
            "risk_per_trade_pct": st.sampled_from([0.5, 20.0]),
            "volatility_target_pct": st.sampled_from([10.0, 300.0]),
            "volatility_period": st.sampled_from([2, 5]),
            "leverage": st.sampled_from([1.5, 3.0, 25.0]),
            "whole_units": st.booleans(),
        },
    ),
    dear=st.fixed_dictionaries(
        {},
        optional={
            "fee_fixed": st.sampled_from([1.0, 500.0]),
            "spread_bps": st.sampled_from([4.0, 300.0]),
            "slippage_atr": st.sampled_from([0.1, 1.0]),
            "borrow_bps_per_bar": st.sampled_from([-20.0, 1.0, 100.0]),
            "interest_pct_per_year": st.sampled_from([5.0, 200.0]),
            "funding_bps_per_8h": st.sampled_from([-100.0, 1.0, 100.0]),
            "maintenance_margin_pct": st.sampled_from([0.5, 20.0]),
        },
    ),
    rate=st.sampled_from([0.0, 0.001, 0.5]),
    start=st.integers(0, 2),
    lost=st.sampled_from([0.0, 0.1, 0.6]),
)
def test_equals_the_kernel_that_walks_bar_by_bar(
    seed: int,
    bars: int,
    tick: float,
    reach: float,
    quiet: float,
    busy: float,
    sides: tuple[int, ...],
    fill: Any,
    fee: float,
    slippage: float,
    sizing: dict[str, Any],
    dear: dict[str, float],
    rate: float,
    start: int,
    lost: float,
    **risk: Any,
) -> None:
    df = history(seed, bars, tick, reach, quiet, lost)
    random = np.random.default_rng(seed + 1)
    codes = np.zeros(bars, dtype=np.uint8)
    for bit in sides:
        codes |= (random.random(bars) < busy).astype(np.uint8) * np.uint8(bit)
    if rate:
        df["funding_rate"] = np.where(random.random(bars) < 0.3, random.uniform(-rate, rate, bars), np.nan)
    costs = Costs(fee_bps=fee, slippage_bps=slippage, **dear)
    market = open_market(df, costs, fill, 8_760.0, 10_000.0, df.index[start].isoformat())
    trades, wanted, fused, found, settled = both(market, codes, Risk(**risk, atr_period=3), Sizing(**sizing))
    np.testing.assert_array_equal(fused, trades)
    if settled:
        # `measure` sees an account, and so no entries that were not taken.
        measured = slice(BELOW_ONE_UNIT)
        np.testing.assert_allclose(
            found[measured], wanted[measured], rtol=ROUNDING["rel"], atol=ROUNDING["abs"]
        )
    if not sizing.get("whole_units"):
        assert found[BELOW_ONE_UNIT] == 0


def test_nearly_equal_returns_are_left_to_the_exact_definition() -> None:
    bars = 150_000  # the first bar's return is 0: fewer bars are never that even
    close = 100.0 * 1.00001 ** np.arange(bars)
    df = pd.DataFrame(
        {"open": close, "high": close, "low": close, "close": close},
        index=pd.date_range("2024-01-01", periods=bars, freq="min"),
    )
    market = open_market(df, Costs(), "close", 365.0, 100.0, None)
    codes = np.zeros(bars, dtype=np.uint8)
    codes[0] = 1
    *_, settled = both(market, codes, Risk())
    assert not settled
    equity, _, figures = market.account(codes, Levels(*[np.empty(0)] * 8), Risk(), EVERYTHING, measured=True)
    returns = equity / np.concatenate(([100.0], equity[:-1])) - 1.0
    assert figures[0] == pytest.approx(returns.mean() / returns.std(ddof=1) * np.sqrt(365.0), rel=1e-9)


@pytest.mark.parametrize(
    "risk", [Risk(), Risk(trailing_stop_pct=5, cooldown_bars=3)], ids=["plain", "trailing"]
)
def test_a_history_longer_than_a_tile_is_traded_as_by_bars(risk: Risk) -> None:
    """Some of the positions are open, and some waits for an entry go on, where a tile ends."""
    bars = 3 * TILE + 7
    df = made_up_prices(bars, seed=5)
    market = open_market(df, Costs(fee_bps=1), "next_open", 8_760.0, 10_000.0, None)
    dice = np.random.default_rng(8)
    codes = np.zeros(bars, dtype=np.uint8)
    for bit in (1, 2, 4, 8):
        codes |= (dice.random(bars) < 0.01).astype(np.uint8) * np.uint8(bit)
    codes[TILE - 40 : TILE + 1] = 1
    codes[2 * TILE - 900 : 2 * TILE + 900] = 0
    wanted = np.empty(FIGURES)
    equity, trades = market.buffers(codes)
    count, sure = market.simulate(codes, risk, EVERYTHING, equity, trades, wanted)
    found, settled = market.trade_one(codes, risk, EVERYTHING)
    assert sure == settled
    assert count > 50
    np.testing.assert_array_equal(found, wanted)


def test_returns_on_very_different_scales_keep_their_digits() -> None:
    """A rise by a factor of a million must not blur the quiet trade after it, nor the one before."""
    quiet = 1.0 + 1e-4 * np.sin(np.arange(100))
    close = np.concatenate((quiet, [1e6], 1e6 * quiet[1:]))
    df = pd.DataFrame(
        {"open": close, "high": close, "low": close, "close": close},
        index=pd.date_range("2024-01-01", periods=200, freq="h"),
    )
    codes = np.zeros(200, dtype=np.uint8)
    codes[[10, 120]], codes[[60, 180]] = 1, 2
    market = open_market(df, Costs(fee_bps=1), "close", 8_760.0, 10_000.0, None)
    _, wanted, _, found, settled = both(market, codes, Risk())
    assert settled
    measured = slice(BELOW_ONE_UNIT)
    np.testing.assert_allclose(found[measured], wanted[measured], rtol=1e-9, atol=1e-12)


@settings(max_examples=cases(30), deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from([1.0, 2.0, 3.0, np.nan]), st.sampled_from([1.0, 2.0, 3.0, np.nan])),
        min_size=1,
        max_size=200,
    ),
)
def test_crosses_in_words(pairs: list[tuple[float, float]]) -> None:
    first, second = np.array(pairs).T.copy()
    found = np.full((2, (len(pairs) + 63) // 64), 2**64 - 1, dtype=np.uint64)
    before = np.zeros(2, dtype=np.uint64)
    cross_words(first, second, known_words(first), known_words(second), before, found[0], found[1])
    for sign, words in ((1, found[0]), (-1, found[1])):
        wanted = [
            t > 0 and sign * pairs[t - 1][0] <= sign * pairs[t - 1][1] and sign * now[0] > sign * now[1]
            for t, now in enumerate(pairs)
        ]
        np.testing.assert_array_equal(words, pack(np.array(wanted, dtype=np.bool_)))


@settings(max_examples=cases(30), deadline=None)
@given(
    values=st.lists(st.sampled_from([1.0, 1.7, 3e8, 1e-6, 12.3, np.nan]), min_size=1, max_size=80),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    tile=st.integers(1, 90),
)
def test_means_are_exact_to_the_last_digit_however_many_are_computed_together(
    values: list[float], lengths: list[int], tile: int
) -> None:
    found, known = np.empty((len(lengths), len(values))), 0
    carried = np.zeros(2 * (max(lengths) + tile + 1))
    for start in range(0, len(values), tile):
        some = np.array(values[start : start + tile])
        rows = np.empty((len(lengths), some.size))
        known = means_of_tile(some, np.array(lengths), known, carried, rows, 0)
        found[:, start : start + tile] = rows
    for row, period in zip(found, lengths, strict=True):
        for t, mean in enumerate(row.tolist()):
            window = values[max(0, t - period + 1) : t + 1]
            if t < period - 1 or np.isnan(window).any():
                assert np.isnan(mean)
            else:
                exact = float(sum(map(Fraction, window)) / period)
                # A value and the little that its window lies beyond it are added at the end.
                assert abs(mean - exact) <= np.spacing(max(window))


def test_an_average_that_is_too_large_is_turned_alike_in_a_sweep_and_alone() -> None:
    """What is infinite is not a number once anything is calculated from it, its sign included."""
    df = made_up_prices(300, seed=1)
    df["wide"] = np.random.default_rng(2).choice([-1.7e308, 1.7e308], 300)
    spec = StrategySpec(
        name="turned",
        params={"period": 3},
        inputs={"wide": {"kind": "none"}},
        entry_long="-ema(wide, period) < 0 or close > sma(close, 20)",
        exit_long="close < sma(close, 20)",
    )
    table = sweep(df, spec, {"period": [3, 4]})
    alone = [run_backtest(df, spec.evolve(params={"period": period})) for period in (3, 4)]
    assert table["total_return"].tolist() == [one.metrics.total_return for one in alone]
