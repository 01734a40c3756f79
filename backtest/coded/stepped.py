"""The class style of backtesting.py: `init` once, then `next` at the close of every bar.

`next` sees its own position. It is the one that its own orders make: entered at the open behind them, left at
their stops and targets, without costs and without what a strategy's risk settings add. So the signals are a
function of the prices alone, and the engine that trades them holds the same positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.coded.found import Found
from backtest.coded.quick import Quick
from backtest.errors import CodedError

Floats = NDArray[np.float64]
SAID = ("entry_long", "exit_long", "entry_short", "exit_short")
LEVELS = ("exit_stop_long", "exit_limit_long", "exit_stop_short", "exit_limit_short")
_CASH = 10_000.0
_ALL = 1.0 - float(np.finfo(np.float64).eps)
_NO_TIMES = pd.DatetimeIndex([])
COLUMNS = {"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"}


class Revealed(np.ndarray[Any, Any]):
    """A series up to the present bar; `s` and `df` are it for pandas, `bool` and `float` its last value."""

    times: pd.DatetimeIndex
    name: str

    @classmethod
    def of(cls, values: Any, times: pd.DatetimeIndex, name: str) -> Revealed:
        """The whole of it."""
        found = np.asarray(values).view(cls)
        found.times, found.name = times, name
        return found

    def __array_finalize__(self, made_from: Any) -> None:
        if made_from is not None:
            self.times = getattr(made_from, "times", _NO_TIMES)
            self.name = getattr(made_from, "name", "")

    def __bool__(self) -> bool:
        return bool(np.asarray(self)[-1]) if self.ndim and self.size else super().__bool__()

    def __float__(self) -> float:
        return float(np.asarray(self)[-1]) if self.ndim and self.size else float(np.asarray(self))

    @property
    def s(self) -> pd.Series:
        """For pandas."""
        values = np.atleast_2d(np.asarray(self))[0]
        return pd.Series(values, index=self.times[: len(values)], name=self.name)

    @property
    def df(self) -> pd.DataFrame:
        """For pandas, of several rows a column each."""
        values = np.atleast_2d(np.asarray(self)).T
        return pd.DataFrame(values, index=self.times[: len(values)])


class Data:
    """Prices up to the present bar."""

    def __init__(self, prices: pd.DataFrame) -> None:
        self._prices = prices
        self._length = len(prices)
        self._columns: dict[str, Revealed] = {}
        self._cut: dict[str, Revealed] = {}
        self._read()

    def _read(self) -> None:
        times = pd.DatetimeIndex(self._prices.index)
        self._columns = {
            str(name): Revealed.of(column.to_numpy(), times, str(name))
            for name, column in self._prices.items()
        }
        self._cut = {}

    def _show(self, length: int) -> None:
        self._length, self._cut = length, {}

    def __getitem__(self, name: str) -> Revealed:
        found = self._cut.get(name)
        if found is None:
            found = self._cut[name] = cast(Revealed, self._columns[name][: self._length])
        return found

    def __getattr__(self, name: str) -> Revealed:
        if name.startswith("_") or name not in self._columns:
            raise AttributeError(name)
        return self[name]

    def __len__(self) -> int:
        return self._length

    @property
    def index(self) -> pd.DatetimeIndex:
        """Times of the bars."""
        return pd.DatetimeIndex(self._prices.index[: self._length])

    @property
    def df(self) -> pd.DataFrame:
        """As a table."""
        return self._prices if self._length == len(self._prices) else self._prices.iloc[: self._length]

    @property
    def pip(self) -> float:
        """The smallest usual step of a close."""
        digits = [len(one.partition(".")[2]) for one in self._prices["Close"].astype(str)]
        return float(10.0 ** -np.median(digits))


@dataclass
class Trade:
    """A position that is held, or was."""

    desk: Desk = field(repr=False)
    size: int
    entry_price: float
    entry_bar: int
    entry_time: pd.Timestamp
    _sl: float | None = None
    _tp: float | None = None
    tag: object = None
    exit_price: float | None = None
    exit_bar: int | None = None
    exit_time: pd.Timestamp | None = None

    @property
    def is_long(self) -> bool:
        """Whether it was bought."""
        return self.size > 0

    @property
    def is_short(self) -> bool:
        """Whether it was sold short."""
        return self.size < 0

    @property
    def pl_pct(self) -> float:
        """Profit as a fraction of the entry."""
        price = self.desk.close if self.exit_price is None else self.exit_price
        return self.size * (price / self.entry_price - 1.0)

    @property
    def pl(self) -> float:
        """Profit of one unit."""
        return self.pl_pct * self.entry_price

    @property
    def value(self) -> float:
        """Of one unit."""
        return self.desk.close

    @property
    def sl(self) -> float | None:
        """Its stop."""
        return self._sl

    @sl.setter
    def sl(self, price: float | None) -> None:
        self._moved("trade.sl", self._sl, price)

    @property
    def tp(self) -> float | None:
        """Its target."""
        return self._tp

    @tp.setter
    def tp(self, price: float | None) -> None:
        self._moved("trade.tp", self._tp, price)

    def _moved(self, what: str, now: float | None, wanted: float | None) -> None:
        if now != wanted:
            raise CodedError("strategy_moves_level", what=what)

    def close(self, portion: float = 1.0) -> None:
        """Leave it at the next open."""
        self.desk.leave(portion)


class Position:
    """What `next` knows of its position."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __bool__(self) -> bool:
        return bool(self._desk.trades)

    @property
    def size(self) -> int:
        """1 long, -1 short, 0 none: sizes are the engine's."""
        return self._desk.side

    @property
    def is_long(self) -> bool:
        """Whether it was bought."""
        return self.size > 0

    @property
    def is_short(self) -> bool:
        """Whether it was sold short."""
        return self.size < 0

    @property
    def pl(self) -> float:
        """Profit of one unit."""
        return sum(one.pl for one in self._desk.trades)

    @property
    def pl_pct(self) -> float:
        """Profit in percent."""
        return 100.0 * sum(one.pl_pct for one in self._desk.trades)

    def close(self, portion: float = 1.0) -> None:
        """Leave it at the next open."""
        if self._desk.trades:
            self._desk.leave(portion)
        else:
            self._desk.wants_out = True


@dataclass(frozen=True, slots=True)
class Wish:
    """What `next` has ordered: a side, its stop and its target."""

    side: int
    stop: float | None
    target: float | None
    tag: object


class Desk:
    """The account of a strategy's own orders, all in or out, without costs.

    Args:
        prices: columns of backtesting.py's names.
        exclusive: whether an order closes what stands against it.
    """

    def __init__(self, prices: pd.DataFrame, exclusive: bool) -> None:
        self.times = pd.DatetimeIndex(prices.index)
        self._opens, self._highs, self._lows, self._closes = (
            prices[name].to_numpy(dtype=np.float64) for name in ("Open", "High", "Low", "Close")
        )
        self.exclusive = exclusive
        self.trades: list[Trade] = []
        self.closed: list[Trade] = []
        self.equity = _CASH
        self.close = float("nan")
        self._bar = 0
        self._wish: Wish | None = None
        self._led = 0
        self._goal: Wish | None = None
        self.wants_out = False

    @property
    def side(self) -> int:
        """1 long, -1 short, 0 none."""
        return self.trades[0].size if self.trades else 0

    def order(
        self, side: int, size: float, limit: object, stop: object, sl: Any, tp: Any, tag: object
    ) -> None:
        """An order to enter."""
        if limit is not None or stop is not None:
            raise CodedError("strategy_order_kind", what="limit" if limit is not None else "stop")
        lower, upper = (sl, tp) if side > 0 else (tp, sl)
        if not (0.0 < size < 1.0 or size == round(size) >= 1):
            raise ValueError(f"size={size}")
        if not (lower or -np.inf) < self.close < (upper or np.inf):
            raise ValueError(f"sl={sl}, tp={tp}, close={self.close}")
        self._wish = Wish(side, None if sl is None else float(sl), None if tp is None else float(tp), tag)

    def leave(self, portion: float) -> None:
        """An order to close."""
        if portion != 1.0:
            raise CodedError("strategy_order_kind", what="portion")
        self.wants_out = True

    def live(self, bar: int) -> None:
        """The bar: what was decided at the last close is filled at its open, then its prices are met."""
        self._bar, self.close = bar, float(self._closes[bar])
        opened = float(self._opens[bar])
        if self.side != self._led:
            if self.trades:
                self._out(opened)
            if self._goal is not None:
                wish, time = self._goal, self.times[bar]
                self.trades = [Trade(self, wish.side, opened, bar, time, wish.stop, wish.target, wish.tag)]
        for trade in self.trades:
            side = trade.size
            levels: list[float] = []
            worst, best = (self._lows, self._highs) if side > 0 else (self._highs, self._lows)
            if trade.sl is not None and side * (worst[bar] - trade.sl) <= 0.0:
                levels.append(side * min(side * opened, side * trade.sl))
            if trade.tp is not None and side * (best[bar] - trade.tp) >= 0.0:
                levels.append(side * max(side * opened, side * trade.tp))
            if levels:
                # What the open has passed fills there; else the stop comes before the target.
                gone = opened in levels and trade.sl is not None and side * (opened - trade.sl) > 0.0
                self._out(opened if gone else levels[0])
        self._led = self.side
        self._goal = None

    def _out(self, price: float) -> None:
        (trade,) = self.trades
        trade.exit_price, trade.exit_bar, trade.exit_time = price, self._bar, self.times[self._bar]
        self.equity *= 1.0 + trade.pl_pct
        self.closed.append(trade)
        self.trades = []

    def decided(self) -> tuple[Wish | None, int]:
        """What `next` has ordered at this close: an entry, and the sides that leave (1, 2, both 3)."""
        wish, out, side = self._wish, self.wants_out, self.side
        self._wish, self.wants_out = None, False
        if wish is not None and side == -wish.side and not (out or self.exclusive):
            wish = None  # no money is left for it, and nothing makes room
        if wish is not None:
            if side != wish.side:
                self._led, self._goal = wish.side, wish
            return wish, 0
        if out and side:
            self._led = 0
        return None, 0 if not out else 3 if side == 0 else 1 if side > 0 else 2


class Strategy:
    """What a strategy of backtesting.py extends."""

    def __init__(self, desk: Desk, data: Data, values: Mapping[str, float]) -> None:
        self._desk = desk
        self.data: Any = data
        self.position = Position(desk)
        for name, value in values.items():
            setattr(self, name, value)

    def init(self) -> None:
        """Make indicators."""

    def next(self) -> None:
        """Decide at the close of a bar."""

    def I(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Revealed:  # noqa: E743
        """An indicator: one value a bar, or several rows of them."""
        drawn = ("name", "plot", "overlay", "color", "scatter")
        given = {name: value for name, value in kwargs.items() if name not in drawn}
        values = func(*args, **given)
        if isinstance(values, pd.DataFrame):
            values = values.to_numpy().T
        found = np.asarray(values, order="C")
        if found.ndim and found.shape[0] == len(self.data):
            found = found.T
        if not 1 <= found.ndim <= 2 or found.shape[-1] != len(self.data):
            name = getattr(func, "__name__", "I")
            raise CodedError("strategy_wrong_length", name=name, bars=len(self.data), shape=str(found.shape))
        return Revealed.of(found, self.data.index, getattr(func, "__name__", ""))

    def buy(
        self,
        *,
        size: float = _ALL,
        limit: float | None = None,
        stop: float | None = None,
        sl: float | None = None,
        tp: float | None = None,
        tag: object = None,
    ) -> None:
        """Be long from the next open on."""
        self._desk.order(1, size, limit, stop, sl, tp, tag)

    def sell(
        self,
        *,
        size: float = _ALL,
        limit: float | None = None,
        stop: float | None = None,
        sl: float | None = None,
        tp: float | None = None,
        tag: object = None,
    ) -> None:
        """Be short from the next open on."""
        self._desk.order(-1, size, limit, stop, sl, tp, tag)

    @property
    def trades(self) -> tuple[Trade, ...]:
        """The position, if there is one."""
        return tuple(self._desk.trades)

    @property
    def closed_trades(self) -> tuple[Trade, ...]:
        """Positions that are over."""
        return tuple(self._desk.closed)

    @property
    def orders(self) -> tuple[()]:
        """Orders that wait: none do."""
        return ()

    @property
    def equity(self) -> float:
        """The account, of 10,000 at the start, without costs."""
        return self._desk.equity * (1.0 + sum(one.pl_pct for one in self._desk.trades))


AT_WORK: list[Strategy] = []
"""Strategies whose `init` runs, the last one innermost: helpers of a library ask for it."""

_OF_LONGER_BARS = {"Open": "first", "High": "max", "Low": "min", "Close": "last", "Volume": "sum"}


def resample_apply(
    rule: str, func: Callable[..., Any] | None, series: Any, *args: Any, agg: Any = None, **kwargs: Any
) -> Any:
    """An indicator of longer bars, each known from the end of its bar on, as backtesting.py has it."""
    known: Any = series if isinstance(series, pd.Series | pd.DataFrame) else series.s
    if agg is None and isinstance(known, pd.DataFrame):
        agg = {column: _OF_LONGER_BARS.get(column, "last") for column in known.columns}
    longer = known.resample(rule, label="right").agg(agg or _OF_LONGER_BARS.get(known.name, "last")).dropna()

    def spread(values: Any, *given: Any, **named: Any) -> Any:
        found = values if func is None else func(values, *given, **named)
        if not isinstance(found, pd.Series | pd.DataFrame):
            rows = np.asarray(found)
            found = pd.Series(rows) if rows.ndim == 1 else pd.DataFrame(rows.T)
        if not isinstance(found.index, pd.DatetimeIndex):
            found.index = longer.index
        return found.reindex(known.index.union(longer.index), method="ffill").reindex(known.index)

    if AT_WORK:
        return AT_WORK[-1].I(spread, longer, *args, **kwargs)
    return spread(longer, *args, **kwargs)


def signals(
    kind: type[Strategy],
    prices: pd.DataFrame,
    values: Mapping[str, float],
    exclusive: bool,
    quick: Quick | None = None,
) -> Found:
    """Run a strategy over a whole history.

    Args:
        kind: its class.
        prices: columns open, high, low, close, volume on their times.
        values: its parameters.
        exclusive: see `Desk`.
        quick: its way to machine code, if there is one.

    Returns:
        What it orders at each bar; from the first bar on at which all its indicators are known.
    """
    table = prices.rename(columns=COLUMNS)
    desk, data = Desk(table, exclusive), Data(table)
    strategy = kind(desk, data, values)
    AT_WORK.append(strategy)
    try:
        strategy.init()
    finally:
        AT_WORK.pop()
    data._read()
    shown = {name: one for name, one in vars(strategy).items() if isinstance(one, Revealed)}
    bars = len(table)
    first = 1 + max(map(_unknown, shown.values()), default=0)
    if quick is not None:
        quick.look(strategy)
        columns = {name: table[name].to_numpy(dtype=np.float64) for name in COLUMNS.values()}
        if (rows := quick.run(strategy, columns, first, exclusive)) is not None:
            told = zip((*SAID, *LEVELS), (*rows[0], *rows[1]), strict=True)
            return Found(dict(told), first)
    out = {name: np.full(bars, np.nan) for name in SAID}
    levels = {name: np.full(bars, np.nan) for name in LEVELS}
    for column in out.values():
        column[first:] = 0.0
    with np.errstate(invalid="ignore"):
        for bar in range(first, bars):
            data._show(bar + 1)
            for name, one in shown.items():
                strategy.__dict__[name] = one[..., : bar + 1]
            desk.live(bar)
            strategy.next()
            wish, leaves = desk.decided()
            for place, bit in (("exit_long", 1), ("exit_short", 2)):
                if leaves & bit:
                    out[place][bar] = 1.0
            for side, word in ((1, "long"), (-1, "short")):
                if wish is not None and wish.side == side:
                    out[f"entry_{word}"][bar] = 1.0
                    # From here on: an order that comes late has the levels of the one that it repeats.
                    for what, level in (("stop", wish.stop), ("limit", wish.target)):
                        levels[f"exit_{what}_{word}"][bar:] = np.nan if level is None else level
    return Found({**out, **levels}, first)


def _unknown(series: Revealed) -> int:
    """Bars at the start at which one of its rows has no value."""
    try:
        unknown = np.isnan(np.asarray(series, dtype=np.float64))
    except (TypeError, ValueError):
        return 0
    return int(np.max(np.where(unknown.all(axis=-1), unknown.shape[-1], unknown.argmin(axis=-1))))
