"""The three methods of freqtrade: indicators, entries and exits as columns of one table."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from backtest.coded.found import Found
from backtest.errors import CodedError
from backtest.language.timeframes import length_of, timeframe
from backtest.types import LADDERS, RISK_BOUNDS

CALLBACKS = (
    *("custom_exit", "custom_entry_price", "custom_exit_price", "confirm_trade_entry", "confirm_trade_exit"),
    *("adjust_entry_price", "custom_roi"),
)
"""Methods that decide trade by trade, which no column tells."""

_ENTRIES = {
    "entry_long": ("enter_long", "buy"),
    "exit_long": ("exit_long", "sell"),
    "entry_short": ("enter_short",),
    "exit_short": ("exit_short",),
}
_MINUTE = 60


class Parameter:
    """A number that a strategy declares, with its bounds."""

    whole = False

    def __init__(self, low: Any, high: Any = None, *, default: Any = None, **others: Any) -> None:
        self.low, self.high = (low, high) if high is not None else (low[0], low[1])
        self.default = self.low if default is None else default
        self.tuned = bool(others.get("optimize", True))
        self.decimals = int(others.get("decimals", 3))
        self.given = float(self.default)

    @property
    def step(self) -> float:
        """The smallest step, and no less than a fiftieth of the range."""
        return max(10.0**-self.decimals, float(f"{(self.high - self.low) / 50.0:.1g}"))

    @property
    def value(self) -> Any:
        """As the strategy reads it."""
        return self.given

    @property
    def range(self) -> Sequence[Any]:
        """The values that `populate_indicators` may prepare: the one that counts."""
        return [self.value]


class RealParameter(Parameter):
    """Any number."""


class DecimalParameter(Parameter):
    """A number of so many decimals."""

    @property
    def value(self) -> float:
        """Rounded."""
        return round(self.given, self.decimals)


class IntParameter(Parameter):
    """A whole number."""

    whole = True

    @property
    def step(self) -> float:
        """One, or a fiftieth of the range."""
        return float(max(1, math.floor((self.high - self.low) / 50)))

    @property
    def value(self) -> int:
        """Whole."""
        return round(self.given)


class CategoricalParameter(IntParameter):
    """One of some values, told by its place among them, from 0."""

    def __init__(self, categories: Sequence[Any], *, default: Any = None, **others: Any) -> None:
        self.categories = list(categories)
        place = 0 if default is None else self.place_of(default)
        super().__init__(0, len(self.categories) - 1, default=place, **others)

    def place_of(self, category: Any) -> int:
        """The place of a category; one that is not among them is one more, as a table may name it."""
        if category not in self.categories:
            self.categories = [*self.categories, category]
            self.high = len(self.categories) - 1
        return self.categories.index(category)

    @property
    def value(self) -> Any:
        """The category."""
        return self.categories[round(self.given)]


class BooleanParameter(CategoricalParameter):
    """No or yes."""

    def __init__(self, *, default: Any = None, **others: Any) -> None:
        super().__init__([False, True], default=default, **others)


class IStrategy:
    """What a strategy of freqtrade extends."""

    timeframe: ClassVar[str] = ""
    stoploss: ClassVar[float] = -1.0
    minimal_roi: ClassVar[Mapping[Any, float]] = {}
    trailing_stop: ClassVar[bool] = False
    trailing_stop_positive: ClassVar[float | None] = None
    use_custom_stoploss: ClassVar[bool] = False
    use_exit_signal: ClassVar[bool] = True
    exit_profit_only: ClassVar[bool] = False
    exit_profit_offset: ClassVar[float] = 0.0
    position_adjustment_enable: ClassVar[bool] = False
    can_short: ClassVar[bool] = False
    startup_candle_count: ClassVar[int] = 0
    dp: ClassVar[None] = None
    wallets: ClassVar[None] = None

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Columns that the other two read."""
        return dataframe

    def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Columns `enter_long`, `enter_short`."""
        return dataframe

    def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Columns `exit_long`, `exit_short`."""
        return dataframe


def declared(kind: type[IStrategy]) -> dict[str, Parameter]:
    """The parameters of a class that may be tuned, by name, at the values that its own tables give them."""
    found: dict[str, Parameter] = {}
    for name in dir(kind):
        one = getattr(kind, name)
        if isinstance(one, Parameter) and one.tuned:
            own = copy.copy(one)
            for table in ("buy_params", "sell_params", "enter_params", "exit_params"):
                given = getattr(kind, table, {}).get(name)
                if given is not None:
                    place = own.place_of(given) if isinstance(own, CategoricalParameter) else given
                    own.default = own.given = place
            found[name] = own
    return found


def check(kind: type[IStrategy]) -> None:
    """Refuse what decides trade by trade.

    Raises:
        CodedError: `strategy_callback`.
    """
    used = [name for name in CALLBACKS if hasattr(kind, name)]
    if kind.use_custom_stoploss:
        used.append("custom_stoploss")
    if kind.position_adjustment_enable:
        used.append("adjust_trade_position")
    if kind.trailing_stop and kind.trailing_stop_positive is not None:
        used.append("trailing_stop_positive")
    if used:
        raise CodedError("strategy_callback", name=kind.__name__, what=", ".join(used))


def risk(kind: type[IStrategy]) -> dict[str, Any]:
    """Its stop and its targets as settings of risk; what no price reaches is left out.

    Raises:
        CodedError: `strategy_timeframe`: targets by age need the length of a bar.
    """
    found: dict[str, Any] = {}
    percent = -100.0 * float(kind.stoploss)
    if percent <= RISK_BOUNDS["stop_loss_pct"].high:
        found["trailing_stop_pct" if kind.trailing_stop else "stop_loss_pct"] = round(percent, 6)
    ages = {float(minutes): 100.0 * float(gain) for minutes, gain in kind.minimal_roi.items()}
    name = timeframe(kind.timeframe) if kind.timeframe else None
    if name is None and any(ages):
        raise CodedError("strategy_timeframe", name=kind.__name__)
    length = float(length_of(name)) if name else np.inf
    bars = {math.ceil(minutes * _MINUTE / length): gain for minutes, gain in sorted(ages.items())}
    highest = LADDERS["roi"][1].high
    if reached := {age: round(gain, 6) for age, gain in bars.items() if gain <= highest}:
        found["roi"] = reached
    if kind.exit_profit_only:
        found["exit_above_pct"] = round(100.0 * float(kind.exit_profit_offset), 6)
    return found


def signals(kind: type[IStrategy], prices: pd.DataFrame, values: Mapping[str, float]) -> Found:
    """Run the three methods over a whole history.

    Args:
        kind: the class.
        prices: columns open, high, low, close, volume on their times.
        values: its parameters; the others have their defaults.

    Returns:
        Its entries and exits; and the first bar at which every column of its indicators is known.
    """
    config = {"timeframe": kind.timeframe, "stake_currency": "", "dry_run": True}
    strategy = kind(config)
    for name, one in declared(kind).items():
        one.given = float(values.get(name, one.given))
        setattr(strategy, name, one)
    times = pd.DatetimeIndex(prices.index)
    table = prices.reset_index(drop=True)
    table.insert(0, "date", times if times.tz is not None else times.tz_localize("UTC"))
    about = {"pair": "PAIR/QUOTE"}
    table = strategy.populate_indicators(table, about)
    startup = int(kind.startup_candle_count)
    first = max(startup, _unknown(table))
    table = strategy.populate_exit_trend(strategy.populate_entry_trend(table, about), about)
    if len(table) != len(prices):
        raise CodedError(
            "strategy_wrong_length", name=kind.__name__, bars=len(prices), shape=str(table.shape)
        )
    found = {}
    for place, columns in _ENTRIES.items():
        held = np.zeros(len(prices))
        for column in columns:
            if column in table:
                held = np.maximum(
                    held, pd.to_numeric(table[column]).fillna(0).to_numpy(dtype=np.float64) == 1
                )
        if place.endswith("short") and not kind.can_short:
            held[:] = 0.0
        if place.startswith("exit") and not kind.use_exit_signal:
            held[:] = 0.0
        held[:startup] = np.nan
        found[place] = held
    return Found(found, first)


def _unknown(table: pd.DataFrame) -> int:
    """Bars at the start at which an indicator has no value; one that is mostly unknown counts for none."""
    longest = 0
    for _, column in table.items():
        if pd.api.types.is_numeric_dtype(column):
            known = column.notna().to_numpy()
            if known.any() and known[known.argmax() :].mean() > 0.5:
                longest = max(longest, int(known.argmax()))
    return longest


def _crossed(series1: Any, series2: Any, sign: float) -> pd.Series:
    one = pd.Series(series1)
    other = series2 if isinstance(series2, pd.Series) else pd.Series(series2, index=one.index)
    gap = sign * (one - other)
    return (gap > 0) & (gap.shift(1) <= 0)


def _bands(series: pd.Series, window: int = 20, stds: float = 2.0) -> pd.DataFrame:
    middle, deviation = series.rolling(window).mean(), series.rolling(window).std()
    return pd.DataFrame(
        {"upper": middle + stds * deviation, "mid": middle, "lower": middle - stds * deviation}
    )


def _awesome(bars: pd.DataFrame, weighted: bool = False, fast: int = 5, slow: int = 34) -> pd.Series:
    middle = (bars["high"] + bars["low"]) / 2.0
    if weighted:
        return middle.ewm(fast).mean() - middle.ewm(slow).mean()
    return middle.rolling(fast).mean() - middle.rolling(slow).mean()


def _heikin_ashi(bars: pd.DataFrame) -> pd.DataFrame:
    close = (bars["open"] + bars["high"] + bars["low"] + bars["close"]) / 4.0
    opens = [float(bars["open"].iloc[0] + bars["close"].iloc[0]) / 2.0]
    for before in close.to_numpy()[:-1]:
        opens.append((opens[-1] + float(before)) / 2.0)
    opened = pd.Series(opens, index=bars.index)
    high = pd.concat([bars["high"], opened, close], axis=1).max(axis=1)
    low = pd.concat([bars["low"], opened, close], axis=1).min(axis=1)
    return pd.DataFrame({"open": opened, "high": high, "low": low, "close": close})


QTPYLIB = {
    "crossed_above": lambda series1, series2: _crossed(series1, series2, 1.0),
    "crossed_below": lambda series1, series2: _crossed(series1, series2, -1.0),
    "crossed": lambda series1, series2: _crossed(series1, series2, 1.0) | _crossed(series1, series2, -1.0),
    "typical_price": lambda bars: (bars["high"] + bars["low"] + bars["close"]) / 3.0,
    "rolling_mean": lambda series, window=200: series.rolling(window).mean(),
    "sma": lambda series, window=200: series.rolling(window).mean(),
    "rolling_std": lambda series, window=200: series.rolling(window).std(),
    "bollinger_bands": _bands,
    "awesome_oscillator": _awesome,
    "heikinashi": _heikin_ashi,
}
"""The helpers that freqtrade's strategies use most."""
