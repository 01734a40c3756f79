"""Target weights for `backtest.portfolio`: from strategies, ranks, volatility or a spread; and when to trade.

Every function is causal: a row depends on that row and those before it. Frames are times × instruments on the
common clock, as `backtest.portfolio.closes` gives it; NaN in a result is no instruction.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from backtest.data.inputs import Tables
from backtest.data.together import Instruments, by_name, common_clock, instrument
from backtest.engine.run import run_backtest
from backtest.errors import RequestError
from backtest.kernels.simulation import ENTRY_BAR, EXIT_BAR, MAX_BARS, REASON, SIDE, SIGNAL
from backtest.strategy import StrategySpec
from backtest.types import EVERY, Costs, Every, Fill

_PERIODS = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q"}


def _frame(table: pd.DataFrame, name: str) -> None:
    """Refuse what is no table of times × instruments.

    Raises:
        RequestError: `not_a_frame`.
    """
    if not isinstance(table, pd.DataFrame):
        raise RequestError("not_a_frame", name=name, kind=type(table).__name__)


def rebalanced(weights: pd.DataFrame, every: Every) -> pd.DataFrame:
    """Only the instructions of the first row of each day, week, month or quarter, or of rows that change.

    Args:
        weights: times × instruments. The last instruction known is the one that is given.
        every: the period, by the times' own calendar, weeks from Monday on; `change` keeps each weight that
            differs from the one before it.

    Raises:
        RequestError: `unknown_method`, `not_a_frame`.
    """
    _frame(weights, "weights")
    if every not in EVERY:
        raise RequestError("unknown_method", name=str(every), known=", ".join(EVERY))
    known = weights.ffill()
    if every == "change":
        return weights.where(known.ne(known.shift()))
    times = pd.DatetimeIndex(weights.index).tz_localize(None).to_period(_PERIODS[every])
    begins = ~pd.Series(times, index=weights.index).duplicated()
    return known.where(begins, axis=0)


def sides(
    instruments: Instruments,
    spec: StrategySpec,
    costs: Costs | None = None,
    fill: Fill = "next_open",
    *,
    inputs: Tables | None = None,
) -> pd.DataFrame:
    """What a strategy holds of each instrument after each close: 1 long, -1 short, 0 nothing, NaN no bar.

    An entry and an exit by signal stand at the bar that decides them; an exit within a bar (a stop, a target)
    at that bar, so that a portfolio leaves at the next open. The last bar gives no instruction (NaN): no
    order of its own is filled.

    Args:
        instruments: prices by name.
        spec: the strategy.
        costs: as in `run_backtest`, and so the arguments that follow.
        fill: where its orders are filled, and those of the portfolio should be.
        inputs: other tables by name.

    Raises:
        RequestError: `no_instruments`, `not_by_name`, `instrument_timeframe`,
            `instrument_time_zone`, `instrument_refused` with the reason.
    """
    held, indexes = {}, {}
    for name, df in by_name(instruments, "instruments"):
        with instrument(name):
            result = run_backtest(df, spec, costs, fill, inputs=inputs)
        found = np.zeros(len(result.index))
        # An order is filled within its bar: that it was is known at its close.
        ahead = 1 if fill == "next_open" and not spec.has_levels else 0
        for trade in result.trade_values:
            decided = ahead if trade[REASON] in (SIGNAL, MAX_BARS) else 0
            found[int(trade[ENTRY_BAR]) - ahead : int(trade[EXIT_BAR]) - decided] = trade[SIDE]
        found[-1] = np.nan
        held[name], indexes[name] = found, result.index
    clock = common_clock(indexes)
    return pd.DataFrame(
        {name: clock.spread(name, values) for name, values in held.items()}, index=clock.times
    )


def equal(sides: pd.DataFrame) -> pd.DataFrame:
    """The account in equal parts over what is in the market, shorts negative.

    Args:
        sides: -1, 0 or 1; where one is NaN the last known side counts, and gets no instruction.

    Raises:
        RequestError: `not_a_frame`.
    """
    _frame(sides, "sides")
    known = sides.ffill().fillna(0.0)
    count = known.abs().sum(axis=1)
    return known.div(count.where(count > 0.0, 1.0), axis=0).where(sides.notna())


def top(scores: pd.DataFrame, n: int, *, shorts: int = 0) -> pd.DataFrame:
    """The account in equal parts over the `n` highest scores, the `shorts` lowest negative, all others 0.

    Where fewer are known than `n + shorts`, nothing is held. Of equal scores the first column is higher.

    Args:
        scores: NaN is not ranked, and gets 0.
        n: how many are held long.
        shorts: how many are held short.

    Raises:
        RequestError: `bad_request`, `not_a_frame`.
    """
    _frame(scores, "scores")
    if n < 0 or shorts < 0 or n + shorts < 1:
        raise RequestError("bad_request", name="n", value=f"{n}, {shorts}")
    places = scores.rank(axis=1, method="first", ascending=False)
    count = scores.notna().sum(axis=1)
    enough = count >= n + shorts
    found = places.le(n).astype(np.float64) - places.gt(count - shorts, axis=0).astype(np.float64)
    return found.where(places.notna(), 0.0).mul(enough, axis=0) / (n + shorts)


def inverse_volatility(closes: pd.DataFrame, period: int = 20) -> pd.DataFrame:
    """The whole account, each instrument in inverse proportion to the deviation of its last returns.

    Args:
        closes: NaN where there is no bar; returns go from each close to the next one known.
        period: returns in the sample standard deviation; before they are known, or where they do not move,
            an instrument's weight is 0. Where it has no bar it gets no instruction.

    Raises:
        RequestError: `bad_request`, `not_a_frame`; `not_enough_bars`, no instrument has so many returns.
    """
    _frame(closes, "closes")
    if period < 2:
        raise RequestError("bad_request", name="period", value=str(period))
    if (longest := int(closes.count().max())) <= period:
        raise RequestError("not_enough_bars", needed=period + 1, bars=longest)
    deviation = pd.DataFrame(
        {
            name: closes[name].dropna().pct_change().rolling(period).std().reindex(closes.index).ffill()
            for name in closes.columns
        },
        index=closes.index,
    )
    inverse = (1.0 / deviation.where(deviation > 1e-12)).fillna(0.0)
    total = inverse.sum(axis=1)
    return inverse.div(total.where(total > 0.0, 1.0), axis=0).where(closes.notna())


def pair(
    closes: pd.DataFrame,
    first: str,
    second: str,
    period: int = 60,
    enter: float = 2.0,
    leave: float = 0.0,
) -> pd.DataFrame:
    """Half of the account long one instrument and half short the other while their spread is far from usual.

    The spread is log(first / second), in standard deviations from its mean over the last `period` times at
    which both have a bar, the present one included. Above `enter` the first is sold and the second bought,
    below -`enter` the other way round, until it is within `leave` of the mean or beyond it.

    Args:
        closes: times × instruments.
        first: name of a column, and so the next.
        second: the other one.
        period: times.
        enter: deviations, more than `leave`.
        leave: deviations, 0 or more.

    Returns:
        The two columns; NaN at times at which one of them has no bar.

    Raises:
        RequestError: `bad_request`, `not_a_frame`; `not_enough_bars`, fewer times than `period`.
    """
    _frame(closes, "closes")
    for name, value, wrong in (
        ("period", period, period < 2),
        ("leave", leave, not 0.0 <= leave < math.inf),
        ("enter", enter, not leave < enter < math.inf),
    ):
        if wrong:
            raise RequestError("bad_request", name=name, value=f"{value:g}")
    both = closes[[first, second]].dropna()
    if len(both) < period:
        raise RequestError("not_enough_bars", needed=period, bars=len(both))
    logs = both.map(math.log)
    spread = logs[first] - logs[second]
    window = spread.rolling(period)
    deviation = window.std()
    score = ((spread - window.mean()) / deviation.where(deviation > 1e-12)).to_numpy()
    stance = np.zeros(len(score))
    side = 0.0
    for row, far in enumerate(score):
        if side != 0.0 and side * far >= -leave:
            side = 0.0
        if side == 0.0 and abs(far) >= enter:
            side = -math.copysign(1.0, far)
        stance[row] = side
    found = pd.DataFrame({first: stance / 2.0, second: -stance / 2.0}, index=both.index)
    return found.reindex(closes.index)
