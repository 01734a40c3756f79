"""Where a population begins: presets over coarse grids, plain conditions, events held for some bars.

Each is one family with a few values a parameter; the survey tests every combination once. Adding a family is
adding an entry to `_FAMILIES`: everything else is taken from it.

Windows are those of daily bars. Where a day has b bars they span the same days: each is b times as long; and
every second one of a parameter is tested at √b times its length too, which is hours (`scales`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

from backtest import Bounds, StrategySpec
from backtest.strategy import SIDE_AXIS
from backtest.types import CONDITIONS

Values = dict[str, list[float]]
_LONG, _BOTH = ["long"], ["long", "both"]
_HELD: list[float] = [1, 3, 5, 10]
_SHORT = "sma(close, 5)"


@dataclass(frozen=True, kw_only=True)
class Seed:
    """One family.

    Attributes:
        family: its name: a preset's, or what it trades.
        spec: the strategy, both sides where it has a mirror image.
        grid: values by name to test, and the sides.
    """

    family: str
    spec: StrategySpec
    grid: dict[str, list[float] | list[str]]


_BARS = Bounds(low=1, high=250, step=1, integer=True)
_MULTIPLES = Bounds(low=0.1, high=5.0, step=0.05, integer=False)
_BOUNDS = {
    "n": _BARS,
    "k": _BARS,
    "m": _MULTIPLES,
    "d": Bounds(low=0, high=4, step=1, integer=True),
    "a": Bounds(low=0, high=23, step=1, integer=True),
    "b": Bounds(low=0, high=23, step=1, integer=True),
    "late": Bounds(low=1, high=31, step=1, integer=True),
    "early": Bounds(low=1, high=31, step=1, integer=True),
}
"""Of the seeds' own parameters: bars n and k, multiples m of the ATR, a weekday d, hours a and b, days of the
month late and early."""

_PRESETS: dict[str, Values] = {
    "ma_crossover": {"fast_period": [5, 20], "slow_period": [20, 50, 100, 200]},
    "ema_crossover": {"fast_period": [5, 12], "slow_period": [25, 60, 120]},
    "rsi_reversion": {"rsi_period": [3, 7, 14], "oversold": [20, 35], "overbought": [50, 70]},
    "bollinger_reversion": {"period": [10, 20, 40], "deviations": [0.5, 1.0, 1.5, 2.0]},
    "donchian_breakout": {"entry_period": [10, 20, 55], "exit_period": [5, 10, 20]},
    "macd_trend": {"fast_period": [5, 12], "slow_period": [26, 35]},
    "bollinger_atr": {"period": [10, 20], "deviations": [1.0, 2.0]},
    "supertrend": {"multiplier": [1.5, 2.0, 3.0, 4.0]},
    "keltner_breakout": {"period": [10, 20, 50], "multiplier": [1.0, 2.0]},
    "stochastic_reversion": {"period": [5, 14], "oversold": [20, 30]},
    "adx_trend": {"period": [7, 14, 28], "threshold": [20, 25]},
}
"""Every preset that trades, its first parameters over a coarse grid."""

_FAMILIES: dict[str, tuple[str, str | None, Values]] = {
    "trend": ("close > sma(close, n)", "close < sma(close, n)", {"n": [10, 15, 20, 30, 40, 60, 100, 200]}),
    "momentum": ("change(close, n) > 0", "change(close, n) < 0", {"n": [1, 3, 5, 10, 20, 60, 120]}),
    "reversal": ("change(close, n) < 0", "change(close, n) > 0", {"n": [1, 2, 3, 5, 10]}),
    "breakout": ("close > highest(high, n)[1]", None, {"n": [5, 20, 55], "max_bars": _HELD}),
    "false_breakout": ("close < lowest(low, n)[1]", None, {"n": [5, 20, 55], "max_bars": _HELD}),
    "range_expansion": (
        "high - low > m * atr(14)[1] and close > (high + low) / 2",
        None,
        {"m": [1.5, 2.0], "max_bars": _HELD},
    ),
    "range_exhaustion": (
        "high - low > m * atr(14)[1] and close < (high + low) / 2",
        None,
        {"m": [1.5, 2.0], "max_bars": _HELD},
    ),
    "pullback": (
        "close > sma(close, n) and close < lowest(low, k)[1]",
        f"close > {_SHORT}",
        {"n": [50, 100, 200], "k": [3, 5]},
    ),
    "pullback_held": (
        "close > sma(close, n) and close < lowest(low, k)[1]",
        None,
        {"n": [50, 100], "k": [2, 3, 4], "max_bars": [2, 4]},
    ),
    "gap_continuation": (
        "open - close[1] > m * atr(14)[1]",
        None,
        {"m": [0.25, 0.5, 1.0], "max_bars": [1, 3, 5]},
    ),
    "gap_reversal": (
        "close[1] - open > m * atr(14)[1]",
        None,
        {"m": [0.25, 0.5, 1.0], "max_bars": [1, 3, 5]},
    ),
}
"""What is held while a condition lasts, and events that are held for some bars: entry, exit, values."""


_HOURS = tuple((first, first + 4) for first in range(0, 24, 4))
_EACH = tuple((first, first + 1) for first in range(24))
_CALENDAR = ("weekday", "month", "night", *(f"hours_{first}_{last}" for first, last in (*_HOURS, *_EACH)))
FAMILIES = frozenset((*_PRESETS, *_FAMILIES, *_CALENDAR))
"""Names of all families."""


@cache
def seeds(bars_a_day: int, session: tuple[int, ...] = ()) -> tuple[Seed, ...]:
    """Every family, long alone and with its mirror image.

    Args:
        bars_a_day: 1 for days and longer bars; where it is more, hours stand in for weekdays.
        session: hours of an exchange that closes, each of which is then a window of its own, bought or sold;
            the last but one holds the night, as it is filled at the next open. Empty for what never closes.
    """
    daily = _of_days()
    found = [_scaled(one, scale, step) for scale, step in scales(bars_a_day) for one in daily]
    return (*found, *(_hours(session) if bars_a_day > 1 else _weekdays()), *_month())


def scales(bars_a_day: int) -> tuple[tuple[int, int], ...]:
    """By what windows of daily bars are multiplied, and every which of them is.

    All of them by the bars of a day, so that they span the same days; every second one by its root too.
    """
    root = round(math.sqrt(bars_a_day))
    return ((bars_a_day, 1), (root, 2)) if root < bars_a_day else ((bars_a_day, 1),)


def _of_days() -> list[Seed]:
    """Presets, conditions and events over windows of daily bars."""
    found = []
    for name, grid in _PRESETS.items():
        spec = StrategySpec.preset(name)
        found.append(_seed(name, spec if spec.entry_short else spec.both_sides(), grid))
    for name, (entry, leave, grid) in _FAMILIES.items():
        params = {axis: values[0] for axis, values in grid.items() if axis != "max_bars"}
        risk = {"max_bars": grid["max_bars"][0]} if "max_bars" in grid else {}
        spec = StrategySpec(
            name=name,
            params=params,
            param_bounds={axis: _BOUNDS[axis] for axis in params},
            entry_long=entry,
            exit_long=leave,
            risk=risk,
        )
        found.append(_seed(name, spec.both_sides(), grid))
    return found


def _scaled(seed: Seed, scale: int, step: int) -> Seed:
    """The same over windows so many times as long; of a window's values every `step`-th.

    Windows are what counts bars: whole parameters, `max_bars`, and the short average in a condition.
    """
    if scale == step == 1:
        return seed
    spec = seed.spec
    windows = {name: one for name, one in spec.bounds().items() if name in spec.params and one.integer}
    grid = dict(seed.grid)
    for name in {*windows, "max_bars"} & grid.keys():
        grid[name] = [scale * float(value) for value in grid[name][::step]]
    told = {place: getattr(spec, place) for place in CONDITIONS}
    longer = spec.evolve(
        **{place: one and one.replace(_SHORT, f"sma(close, {5 * scale})") for place, one in told.items()},
        params={name: scale * spec.params[name] for name in windows},
        param_bounds={
            **spec.param_bounds,
            **{name: replace(one, high=scale * one.high, default=None) for name, one in windows.items()},
        },
        risk={"max_bars": float(grid["max_bars"][0])} if "max_bars" in grid else {},
    )
    return replace(seed, spec=longer, grid=grid)


def _seed(family: str, spec: StrategySpec, grid: Values) -> Seed:
    return Seed(family=family, spec=spec, grid={**grid, SIDE_AXIS: _BOTH})


def _window(family: str, inside: str, outside: str, values: Values) -> Seed:
    """Long inside a window of the calendar, short outside it, or both; a window has no mirror image."""
    spec = StrategySpec(
        name=family,
        params={name: given[0] for name, given in values.items()},
        param_bounds={name: _BOUNDS[name] for name in values},
        entry_long=inside,
        exit_long=outside,
        entry_short=outside,
        exit_short=inside,
    )
    return Seed(family=family, spec=spec, grid={**values, SIDE_AXIS: ["long", "short", "both"]})


def _weekdays() -> list[Seed]:
    """Each day of the week: a signal at the close of one day is filled at the open of the next."""
    return [_window("weekday", "weekday == d", "weekday != d", {"d": [0, 1, 2, 3, 4]})]


def _month() -> list[Seed]:
    """The turn of the month: from late days of one to early days of the next.

    Ariel 1987, Journal of Financial Economics 18(1); Lakonishok & Smidt 1988, Review of Financial Studies
    1(4).
    """
    values: Values = {"late": [25, 28], "early": [2, 5, 10]}
    return [_window("month", "day >= late or day <= early", "day < late and day > early", values)]


def _hours(session: tuple[int, ...]) -> list[Seed]:
    """Windows of the day, some of them over midnight: the night where an exchange closes."""
    windows = []
    for a, b in [_EACH[hour] for hour in session] or _HOURS:
        inside, outside = f"hour >= {a} and hour < {b}", f"hour < {a} or hour >= {b}"
        windows.append(_window(f"hours_{a}_{b}", inside, outside, {}))
        if session:  # the only ones that hold a night that falls
            windows.append(_window(f"hours_{a}_{b}", outside, inside, {}))
    night: Values = {"a": [15, 20], "b": [4, 10]}
    return [*windows, _window("night", "hour >= a or hour < b", "hour < a and hour >= b", night)]
