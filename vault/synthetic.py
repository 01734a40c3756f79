"""Price series whose edge is known: none at all, or one that was planted.

Bars open where the one before closed. Randomness comes in as a `numpy.random.Generator`, seeded at the edge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from backtest import Costs, StrategySpec, run_backtest
from backtest.data.prices import validate_prices
from backtest.kernels.indicators import Floats
from backtest.validation.trials import average_exposure
from vault.packaged import packaged_table

Null = Literal["walk", "shuffled", "flipped", "garch"]
Edge = Literal["momentum", "reversion", "seasonal"]
NULLS: tuple[Null, ...] = get_args(Null)
EDGES: tuple[Edge, ...] = get_args(Edge)

DAYS_A_YEAR = 252
DEVIATION = 0.01
"""Standard deviation of a day's return: 16 % a year."""

_GARCH_NEWS, _GARCH_MEMORY, _DEGREES = 0.08, 0.90, 6.0
_STEPS = 25
_NEAR = 0.01
_DRAWS = 20
_MOST_ONE_SIDED = 0.3


def _frame(logs: Floats, first: float = 100.0) -> pd.DataFrame:
    """Prices from rows of (open, high, low, close), each the logarithm over the close of the bar before."""
    start = np.log(first) + np.concatenate([[0.0], np.cumsum(logs[:-1, 3])])
    prices = np.exp(start[:, None] + logs)
    index = pd.bdate_range("2015-01-01", periods=len(logs), name="time")
    columns = dict(zip(("open", "high", "low", "close"), prices.T, strict=True))
    return pd.DataFrame({**columns, "volume": 1_000.0}, index=index)


def _bars(returns: Floats, generator: np.random.Generator) -> Floats:
    """Rows for `_frame`: the close moves by the return, high and low reach beyond it by chance."""
    reach = np.abs(generator.normal(0.0, 0.3 * DEVIATION, (2, len(returns))))
    high = np.maximum(returns, 0.0) + reach[0]
    low = np.minimum(returns, 0.0) - reach[1]
    return np.column_stack([np.zeros(len(returns)), high, low, returns])


def _real_bars(bars: int, generator: np.random.Generator) -> Floats:
    """A stretch of a real index, each bar as logarithms over the close before it."""
    name = ("sp500", "nasdaq")[int(generator.integers(2))]
    table = validate_prices(packaged_table(name))
    start = int(generator.integers(1, len(table) - bars))
    part = table.iloc[start - 1 : start + bars]
    before = np.log(part["close"].to_numpy()[:-1])
    columns = [np.log(part[column].to_numpy()[1:]) - before for column in ("open", "high", "low", "close")]
    return np.column_stack(columns)


def null_prices(kind: Null, bars: int, generator: np.random.Generator) -> pd.DataFrame:
    """Daily prices that no rule can trade at a profit.

    Args:
        kind: `walk`, independent normal returns; `shuffled`, the bars of a real index in another order, their
            mean return taken away; `flipped`, the bars of a real index in their order, each upside down by
            the toss of a coin; `garch`, clustered volatility with fat tails (Student's t, 6 degrees).
        bars: how many.
        generator: randomness.
    """
    if kind == "walk":
        return _frame(_bars(generator.normal(0.0, DEVIATION, bars), generator))
    if kind == "garch":
        variance = DEVIATION**2
        shocks = generator.standard_t(_DEGREES, bars) * np.sqrt((_DEGREES - 2.0) / _DEGREES)
        returns = np.empty(bars)
        for t, shock in enumerate(shocks):
            returns[t] = np.sqrt(variance) * shock
            variance = (
                (1.0 - _GARCH_NEWS - _GARCH_MEMORY) * DEVIATION**2
                + _GARCH_NEWS * returns[t] ** 2
                + _GARCH_MEMORY * variance
            )
        return _frame(_bars(returns, generator))
    logs = _real_bars(bars, generator)
    if kind == "shuffled":
        logs = logs[generator.permutation(bars)]
        return _frame(logs - logs[:, 3].mean())
    upside_down = generator.random(bars) < 0.5
    mirrored = -logs[:, [0, 2, 1, 3]]
    return _frame(np.where(upside_down[:, None], mirrored, logs))


@dataclass(frozen=True, kw_only=True)
class Planted:
    """Prices with an edge.

    Attributes:
        prices: canonical daily prices.
        rule: the best rule for them that the strategy language can express.
        sharpe: net annualised Sharpe ratio that it realises on them.
    """

    prices: pd.DataFrame
    rule: StrategySpec
    sharpe: float


def _momentum(noise: Floats, edge: float, period: int) -> Floats:
    """Returns that drift up while the close stands above its average, down while below."""
    closes = np.zeros(len(noise))
    returns = np.empty(len(noise))
    level = side = 0.0
    for t in range(len(noise)):
        returns[t] = noise[t] + side * edge
        level += returns[t]
        closes[t] = np.exp(level)
        if t + 1 >= period:
            side = 1.0 if closes[t] > closes[t + 1 - period : t + 1].mean() else -1.0
    return returns


def _reversion(noise: Floats, edge: float, period: int, deviations: float) -> Floats:
    """Returns that drift back to the average of the last closes, from beyond a band until they reach it."""
    closes = np.zeros(len(noise))
    returns = np.empty(len(noise))
    level = side = 0.0
    for t in range(len(noise)):
        returns[t] = noise[t] + side * edge
        level += returns[t]
        closes[t] = np.exp(level)
        if t + 1 >= period:
            window = closes[t + 1 - period : t + 1]
            middle, width = window.mean(), deviations * window.std()
            if closes[t] < middle - width:
                side = 1.0
            elif closes[t] > middle + width:
                side = -1.0
            elif side * (closes[t] - middle) > 0.0:
                side = 0.0
    return returns


def _rules(kind: Edge, choice: int, deviations: float) -> list[StrategySpec]:
    """What could trade an edge in the language: long, short, and both."""
    params: dict[str, float] = {"n": choice}
    if kind == "momentum":
        long = {"entry_long": "close > sma(close, n)", "exit_long": "close < sma(close, n)"}
        short = {"entry_short": "close < sma(close, n)", "exit_short": "close > sma(close, n)"}
    elif kind == "reversion":
        params["d"] = deviations
        middle = "bollinger_middle(close, n, d)"
        long = {"entry_long": "close < bollinger_lower(close, n, d)", "exit_long": f"close > {middle}"}
        short = {"entry_short": "close > bollinger_upper(close, n, d)", "exit_short": f"close < {middle}"}
    else:
        # Filled at the next open, the signal of one day holds the next.
        params = {"signal_day": (choice - 1) % 5}
        long = {"entry_long": "weekday == signal_day", "exit_long": "weekday != signal_day"}
        short = {"entry_short": "weekday != signal_day", "exit_short": "weekday == signal_day"}
    return [
        StrategySpec(name=f"planted {kind}", params=params, **conditions)
        for conditions in (long, short, {**long, **short})
    ]


def planted_prices(
    kind: Edge, sharpe: float, bars: int, generator: np.random.Generator, costs: Costs
) -> Planted:
    """Daily prices on which the best rule realises a net Sharpe ratio that is known.

    Args:
        kind: `momentum`, a drift up above the average of the last n closes and down below it; `reversion`, a
            drift from beyond a Bollinger band of n closes back to its middle; `seasonal`, a drift up on one
            day of the week and down on the others. n, from 10 to 40, the band's width, from 0.5 to 1.5
            deviations, and the day are drawn.
        sharpe: annualised, after costs, of the best of the three rules (long, short, both) with the true
            parameters. The drift is found by bisection, to 1 %; noise on which the edge would mostly point
            one way is drawn anew.
        bars: how many.
        generator: randomness.
        costs: of the rule's trades.
    """
    choice = int(generator.integers(0, 5)) if kind == "seasonal" else int(generator.integers(10, 41))
    deviations = float(generator.integers(2, 7)) / 4.0
    rules = _rules(kind, choice, deviations)
    for _ in range(_DRAWS):
        found, balance = _with_edge(kind, sharpe, bars, generator, costs, rules, choice, deviations)
        # A strong trend that never turns is no edge of timing: whoever holds has it too. On some noise a
        # little more drift turns a whole stretch over, and the ratio that is asked for is jumped.
        turns = kind == "seasonal" or abs(balance) <= _MOST_ONE_SIDED
        if turns and abs(found.sharpe - sharpe) <= _NEAR * sharpe:
            break
    return found


def _with_edge(
    kind: Edge,
    sharpe: float,
    bars: int,
    generator: np.random.Generator,
    costs: Costs,
    rules: list[StrategySpec],
    choice: int,
    deviations: float,
) -> tuple[Planted, float]:
    """Prices on one draw of noise, and by how much more often the edge was up than down."""
    noise = generator.normal(0.0, DEVIATION, bars)
    noise -= noise.mean()  # a drift of the noise would be earned by whoever holds
    extremes = generator.integers(2**32)
    weekday = pd.bdate_range("2015-01-01", periods=bars).day_of_week.to_numpy()
    move: dict[Edge, Callable[[float], Floats]] = {
        "momentum": lambda edge: _momentum(noise, edge, choice),
        "reversion": lambda edge: _reversion(noise, edge, choice, deviations),
        "seasonal": lambda edge: noise + edge * np.where(weekday == choice, 1.0, -0.25),
    }

    def realised(edge: float) -> tuple[Planted, float]:
        prices = _frame(_bars(move[kind](edge), np.random.default_rng(extremes)))
        found = [run_backtest(prices, rule, costs, periods_per_year=DAYS_A_YEAR) for rule in rules]
        best = max(found, key=lambda result: result.metrics.sharpe_ratio or 0.0)
        planted = Planted(prices=prices, rule=best.spec, sharpe=best.metrics.sharpe_ratio or 0.0)
        return planted, average_exposure(found[-1])

    low, high = -0.5 * DEVIATION, 2.0 * DEVIATION
    found = realised(high)
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        found = realised(middle)
        if abs(found[0].sharpe - sharpe) <= _NEAR * sharpe:
            break
        low, high = (middle, high) if found[0].sharpe < sharpe else (low, middle)
    return found
