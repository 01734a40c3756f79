"""The walk of what `simulate` has not: orders at levels, targets by age, exits in parts, further entries.

`walk` trades by the rules of `simulate` and, where a strategy has one of these settings, by those told there.
Levels, sizes, costs and liquidation are that kernel's own steps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backtest.kernels import simulation
from backtest.kernels.compile import borrowing, over, part, step
from backtest.kernels.simulation import (
    _TAKEN,
    BELOW_ONE_UNIT,
    END_OF_DATA,
    ENTER_LONG,
    ENTER_SHORT,
    EXIT_LONG,
    EXIT_SHORT,
    LIQUIDATION,
    PARTIAL_TARGET,
    SIGNAL,
    STOP,
    TARGET,
    UNAFFORDABLE,
    Bars,
    Charges,
    Estimates,
    Floats,
    Signals,
    Terms,
    _decide,
    _enter_at,
    _Entry,
    _equity_at,
    _Exit,
    _extend_extreme,
    _fill_price,
    _hears,
    _hold_one_bar,
    _impact,
    _last_bar_held,
    _nearest_target,
    _Order,
    _owes,
    _Position,
    _read_settings,
    _real,
    _record,
    _ruin,
    _Rules,
    _settle,
    _size,
    _Stop,
    _tightest_stop,
)

CANCEL_LONG, CANCEL_SHORT = 16, 32
"""Further signals beside those of `simulate`."""

_NONE = -1
_step, _part = over(step, simulation), over(part, simulation)


class Levels(NamedTuple):
    """Prices of orders by the bar whose signal places them, n each, not a number where none is known.

    Attributes:
        limit_long: at which an order to buy is limited; empty where it is not.
        stop_long: from which on it is live; empty where it is so at once. With neither a side enters by
            market orders.
        limit_short: likewise for orders to sell short.
        stop_short: likewise.
        exit_stop_long: one more stop of the position that the bar's signal opens; empty for none.
        exit_limit_long: one more target of it.
        exit_stop_short: likewise.
        exit_limit_short: likewise.
    """

    limit_long: Floats
    stop_long: Floats
    limit_short: Floats
    stop_short: Floats
    exit_stop_long: Floats
    exit_limit_long: Floats
    exit_stop_short: Floats
    exit_limit_short: Floats

    @property
    def any(self) -> bool:
        """Whether any side enters or leaves by orders at levels."""
        return any(one.size for one in self)

    def until(self, stop: int) -> Levels:
        """Those of the bars before one."""
        return Levels(*(one[:stop] for one in self))


class Plan(NamedTuple):
    """What a strategy asks for beyond signals, risk and sizing.

    Attributes:
        levels: of its orders.
        valid: bars that an order waits; 0 for as many as there are.
        entries: how many a position consists of at most.
        targets: a row a rung: bars held, and the profit in percent at which the position is then closed;
            ascending by bars, may be empty.
        parts: a row a part: profit in percent, and the percent of all that was bought that is sold there;
            ascending by profit, may be empty.
    """

    levels: Levels
    valid: int
    entries: int
    targets: Floats
    parts: Floats


class _Waiting(NamedTuple):
    """An order that waits for its level; `side` is 0 for none."""

    side: int
    limit: float  # infinite where any price will do
    stop: float
    live: bool  # the limit counts: there is no stop, or it was passed
    signal_bar: int
    until: int  # the last bar that may fill it


class _Book(NamedTuple):
    """The orders that wait, one a side."""

    long: _Waiting
    short: _Waiting


class _Holding(NamedTuple):
    """A position, what came of it so far, and the account."""

    position: _Position
    cash: float
    extreme: float
    entries: int
    bought: float  # units of all entries
    sold: int  # parts
    written: int  # trades
    left: int  # the bar of the last exit
    spent: int  # the last bar that counts for a closed trade
    late: int  # bars that count for the trade before this one
    stop: float  # its own levels, not a number where it has none
    target: float


class _Fixed(NamedTuple):
    """What does not change while a strategy is walked."""

    bars: Bars
    charges: Charges
    rules: _Rules
    plan: Plan
    terms: Terms


@_step
def _no_order() -> _Waiting:
    return _Waiting(0, 0.0, 0.0, False, 0, 0)


@_step
def _flat(bar: int) -> _Position:
    return _Position(0, 0.0, 0.0, 0.0, 0.0, bar, bar, 0.0, False)


# Orders that wait.


@_step
def _market(side: int, signal_bar: int) -> _Waiting:
    """An order that any price fills."""
    return _Waiting(side, side * np.inf, 0.0, True, signal_bar, 0)


@_step
def _placed(
    side: int, limits: Floats, stops: Floats, valid: int, t: int, last: int, waits: _Waiting
) -> _Waiting:
    """The order of a bar's signal in place of the one that waits, which stays where no level is known."""
    limit = limits[t] if limits.size > 0 else side * np.inf
    stop = stops[t] if stops.size > 0 else 1.0
    if not ((limits.size == 0 or 0.0 < limit < np.inf) and 0.0 < stop < np.inf):
        return waits
    return _Waiting(side, limit, stop, stops.size == 0, t, t + valid if valid > 0 else last)


@_step
def _woken(order: _Waiting, price: float) -> _Waiting:
    """The order after a price that may have passed its stop."""
    live = order.live or order.side * (price - order.stop) >= 0.0
    return _Waiting(order.side, order.limit, order.stop, live, order.signal_bar, order.until)


@_step
def _fills_at(order: _Waiting, price: float) -> bool:
    """Whether an order that is live is filled at a price."""
    return order.side != 0 and order.live and order.side * (price - order.limit) <= 0.0


@_step
def _reached(order: _Waiting, bars: Bars, t: int) -> float:
    """The price at which a bar fills an order behind its open; NaN where it does not.

    A stop with a limit that is nearer than the stop fills from the next bar on: within this one nobody knows
    whether the price came back.
    """
    side = order.side
    if side == 0:
        return np.nan
    up, down = bars.high[t], bars.low[t]
    if order.live:
        return order.limit if side * ((down if side > 0 else up) - order.limit) <= 0.0 else np.nan
    passed = side * ((up if side > 0 else down) - order.stop) >= 0.0
    return order.stop if passed and side * (order.stop - order.limit) <= 0.0 else np.nan


@_step
def _later(order: _Waiting, bars: Bars, t: int) -> _Waiting:
    """The order after a bar that has not filled it, which may have passed its stop."""
    return _woken(order, bars.high[t] if order.side > 0 else bars.low[t])


# Fills.


@_step
def _worth(held: _Holding, price: float) -> float:
    """The account at a price."""
    return _equity_at(held.position, held.cash, price) if held.position.side != 0 else held.cash


@_step
def _moved(price: float, side: int, impact: float, terms: Terms) -> float:
    """The price of a fill that buys (1) or sells (-1)."""
    return float(price * (1.0 + side * terms.slippage) + side * impact)


@_part
def _closed(
    held: _Holding,
    fixed: _Fixed,
    trades: Floats,
    bar: int,
    exposed: int,
    price: float,
    impact: float,
    reason: int,
) -> _Holding:
    """After a position was closed as a whole."""
    position = held.position
    fill, cash, reason = _settle(position, held.cash, price, impact, reason, fixed.terms)
    left = _Exit(bar, fill, cash - position.cash_before, reason, exposed - held.late)
    _record(trades, held.written, position, left)
    spent = position.exposed_from + exposed - 1
    return _Holding(_flat(bar), cash, 0.0, 0, 0.0, 0, held.written + 1, bar, spent, 0, np.nan, np.nan)


@_step
def _held_through(held: _Holding, fixed: _Fixed, trades: Floats, t: int, fresh: bool) -> _Holding:
    """After the close of a bar that left a position open: what holding costs, and how far the price went."""
    position, bars, extreme = held.position, fixed.bars, held.extreme
    if not fresh:
        extreme = _extend_extreme(bars, t, position.side, extreme)
    cash, eaten = _hold_one_bar(bars, fixed.charges, t, position, held.cash, fixed.terms)
    if eaten:
        exposed = t - position.exposed_from + 1 - held.late
        lost = _Exit(t, bars.close[t], -position.cash_before, LIQUIDATION, exposed)
        _record(trades, held.written, position, lost)
        return _Holding(_flat(t), 0.0, 0.0, 0, 0.0, 0, held.written + 1, t, t, 0, np.nan, np.nan)
    return _Holding(
        position,
        cash,
        extreme,
        held.entries,
        held.bought,
        held.sold,
        held.written,
        held.left,
        held.spent,
        held.late,
        held.stop,
        held.target,
    )


@_step
def _told(levels: Floats, bar: int) -> float:
    """A level of a bar; not a number where there is none."""
    return levels[bar] if levels.size > 0 and 0.0 < levels[bar] < np.inf else np.nan


@_part
def _opened(
    held: _Holding,
    order: _Waiting,
    fixed: _Fixed,
    estimates: Estimates,
    bar: int,
    exposed_from: int,
    price: float,
    impact: float,
) -> tuple[_Holding, int]:
    """After an entry into a flat account, and why it was not taken; the fill is not worse than its limit."""
    rules, side = fixed.rules, order.side
    entry = _Entry(
        side,
        bar,
        exposed_from,
        price,
        impact,
        estimates.atr[order.signal_bar] if rules.needs_atr else 0.0,
        estimates.volatility[order.signal_bar] if rules.volatility > 0.0 else 0.0,
    )
    fill = side * min(side * _moved(price, side, impact, fixed.terms), side * order.limit)
    funded = fixed.charges.funding.size > 0
    refusal, position, cash = _enter_at(entry, fill, held.cash, funded, rules, fixed.terms)
    if refusal != _TAKEN:
        return held, refusal
    late = max(0, held.spent - exposed_from + 1)
    levels = fixed.plan.levels
    if side > 0:
        stop = _told(levels.exit_stop_long, order.signal_bar)
        target = _told(levels.exit_limit_long, order.signal_bar)
    else:
        stop = _told(levels.exit_stop_short, order.signal_bar)
        target = _told(levels.exit_limit_short, order.signal_bar)
    return _Holding(
        position,
        cash,
        position.entry,
        1,
        position.units,
        0,
        held.written,
        held.left,
        held.spent,
        late,
        stop,
        target,
    ), _TAKEN


@_part
def _added(
    held: _Holding, order: _Waiting, fixed: _Fixed, estimates: Estimates, price: float, impact: float
) -> _Holding:
    """After one more entry into a position, if the account has room for it."""
    position, cash, rules, terms, side = held.position, held.cash, fixed.rules, fixed.terms, order.side
    fill = side * min(side * _moved(price, side, impact, terms), side * order.limit)
    if not fill > 0.0:
        return held
    account = _equity_at(position, cash, fill)
    wanted = _Position(
        side, 0.0, fill, position.atr, 0.0, position.bar, position.exposed_from, account, False
    )
    units = _size(
        wanted, estimates.volatility[order.signal_bar] if rules.volatility > 0.0 else 0.0, rules, terms
    )
    most = rules.leverage * (account - terms.fixed_fee) - position.units * fill
    units = min(units, most / (fill * (1.0 + rules.leverage * terms.fee)))
    if rules.whole:
        units = float(np.floor(units))
    if not units > 0.0:
        return held
    after = cash - units * fill * terms.fee - terms.fixed_fee
    total = position.units + units
    average = (position.units * position.entry + units * fill) / total
    carries = fixed.charges.funding.size > 0
    if side > 0:
        after -= units * fill
        carries = carries or (terms.interest != 0.0 and _owes(total, after, average))
    else:
        carries = carries or terms.borrowing != 0.0
    larger = _Position(
        side,
        total,
        average,
        position.atr,
        _nearest_target(side, average, position.atr, rules),
        position.bar,
        position.exposed_from,
        position.cash_before,
        carries,
    )
    if side * (price - _ruin(larger, after, impact, terms)) <= 0.0:
        return held
    return _Holding(
        larger,
        after,
        held.extreme,
        held.entries + 1,
        held.bought + units,
        held.sold,
        held.written,
        held.left,
        held.spent,
        held.late,
        held.stop,
        held.target,
    )


@_part
def _part_sold(
    held: _Holding, fixed: _Fixed, trades: Floats, bar: int, exposed: int, price: float, impact: float
) -> _Holding:
    """After the next part of a position was sold, which may be all that is left of it.

    Its profit bears its share of what the position has cost so far.
    """
    position, cash, terms, side = held.position, held.cash, fixed.terms, held.position.side
    units = fixed.plan.parts[held.sold, 1] / 100.0 * held.bought
    if units >= position.units * (1.0 - 1e-9):
        return _closed(held, fixed, trades, bar, exposed, price, impact, TARGET)
    if fixed.rules.whole:
        units = float(np.floor(units))
    fill = max(0.0, _moved(price, -side, impact, terms))
    got = units * (fill if side > 0 else position.entry - fill) - units * fill * terms.fee - terms.fixed_fee
    profit = units / position.units * (cash - position.cash_before) + got
    rest = _Position(
        side,
        position.units - units,
        position.entry,
        position.atr,
        position.target,
        position.bar,
        position.exposed_from,
        position.cash_before + profit,
        position.carries,
    )
    count = held.written
    if units > 0.0 and _equity_at(rest, cash + got, fill) > 0.0:
        sold = _Position(
            side, units, position.entry, 0.0, 0.0, position.bar, position.exposed_from, 0.0, False
        )
        _record(trades, count, sold, _Exit(bar, fill, profit, PARTIAL_TARGET, exposed - held.late))
        position, cash, count = rest, cash + got, count + 1
    return _Holding(
        position,
        cash,
        held.extreme,
        held.entries,
        held.bought,
        held.sold + 1,
        count,
        held.left,
        held.spent,
        held.late,
        held.stop,
        held.target,
    )


# Levels of a position.


@_step
def _stop_of(held: _Holding, fixed: _Fixed, impact: float) -> _Stop:
    position = held.position
    ruin = _ruin(position, held.cash, impact, fixed.terms)
    stop = _tightest_stop(position, held.extreme, ruin, fixed.rules)
    if position.side * (held.stop - stop.level) >= 0.0:
        return _Stop(held.stop, STOP)
    return stop


@_step
def _target_of(held: _Holding, targets: Floats, t: int) -> float:
    """The nearest of the targets that count at a bar."""
    position = held.position
    target, side, rung = position.target, position.side, _NONE
    if side * (held.target - target) < 0.0:
        target = held.target
    while rung + 1 < targets.shape[0] and targets[rung + 1, 0] <= t - position.exposed_from:
        rung += 1
    if rung >= 0:
        level = position.entry + side * position.entry * targets[rung, 1] / 100.0
        if side * (level - target) < 0.0:
            target = level
    return target


@_step
def _next_part(held: _Holding, parts: Floats) -> float:
    """The level of the next part to be sold; an unreachable one when there is none."""
    position, side = held.position, held.position.side
    if held.sold >= parts.shape[0]:
        return side * np.inf
    return float(position.entry + side * position.entry * parts[held.sold, 0] / 100.0)


@_part
def _stopped_behind(
    held: _Holding, fixed: _Fixed, trades: Floats, t: int, filled: float, impact: float
) -> _Holding:
    """After the rest of a bar within which an entry was filled: at its worst for the position."""
    position, side, bars = held.position, held.position.side, fixed.bars
    if side == 0:
        return held
    stop = _stop_of(held, fixed, impact)
    worst = bars.low[t] if side > 0 else bars.high[t]
    if side * (worst - stop.level) > 0.0:
        return held
    price = side * min(side * stop.level, side * filled)
    return _closed(held, fixed, trades, t, t - position.exposed_from + 1, price, impact, stop.reason)


# One bar.


@_step
def _without(book: _Book, side: int, cooldown: int) -> _Book:
    """The orders that an exit leaves: those of the other side, none with a cool-down."""
    return _Book(
        _no_order() if cooldown > 0 or side > 0 else book.long,
        _no_order() if cooldown > 0 or side < 0 else book.short,
    )


@_part
def _passed(
    held: _Holding, book: _Book, fixed: _Fixed, trades: Floats, t: int, impact: float
) -> tuple[_Holding, _Book]:
    """After a bar's open, which may have passed levels of the position."""
    opened, side, plan = fixed.bars.open[t], held.position.side, fixed.plan
    if side == 0:
        return held, book
    exposed = t - held.position.exposed_from + 1
    stop = _stop_of(held, fixed, impact)
    if side * (opened - stop.level) <= 0.0:
        held = _closed(held, fixed, trades, t, exposed, opened, impact, stop.reason)
    elif side * (opened - _target_of(held, plan.targets, t)) >= 0.0:
        held = _closed(held, fixed, trades, t, exposed, opened, impact, TARGET)
    while held.position.side != 0 and side * (opened - _next_part(held, plan.parts)) >= 0.0:
        held = _part_sold(held, fixed, trades, t, exposed, opened, impact)
    if held.position.side == 0:
        book = _without(book, side, fixed.rules.cooldown)
    return held, book


@_step
def _met_at_open(book: _Book, opened: float) -> tuple[_Book, int]:
    """The orders after an open, and the side of the one that it fills, 0 for none."""
    long, short = _woken(book.long, opened), _woken(book.short, opened)
    buys, sells = _fills_at(long, opened), _fills_at(short, opened)
    if buys and sells:
        return _Book(_no_order(), _no_order()), 0
    return _Book(long, short), 1 if buys else -1 if sells else 0


@_part
def _first_of(book: _Book, bars: Bars, t: int) -> tuple[_Book, int, float]:
    """Of a flat account the order that a bar fills behind its open: the side, 0 for none, and the price."""
    buys, sells = _reached(book.long, bars, t), _reached(book.short, bars, t)
    if buys == buys and sells == sells:
        nearer = abs(buys - bars.open[t]) - abs(sells - bars.open[t])
        if nearer == 0.0:
            return _Book(_no_order(), _no_order()), 0, 0.0
        return book, 1 if nearer < 0.0 else -1, buys if nearer < 0.0 else sells
    if buys == buys:
        return book, 1, buys
    return book, -1 if sells == sells else 0, sells


@_part
def _behind_open(
    held: _Holding, book: _Book, fixed: _Fixed, trades: Floats, t: int, impact: float, turned: bool
) -> tuple[_Holding, int, float]:
    """What a bar does to a position behind its open, until an order is filled: its side, and the price.

    Its worst is over once it has `turned`.
    """
    bars, plan, side = fixed.bars, fixed.plan, held.position.side
    opened = bars.open[t]
    exposed = t - held.position.exposed_from + 1
    worst, best = (bars.low[t], bars.high[t]) if side > 0 else (bars.high[t], bars.low[t])
    own = _reached(book.long if side > 0 else book.short, bars, t)
    other = _reached(book.short if side > 0 else book.long, bars, t)

    # Against it: its stop, what turns it round on weakness, what buys more of what fell.
    stop = _stop_of(held, fixed, impact)
    level = stop.level if side * (worst - stop.level) <= 0.0 else np.nan
    filled = 0
    if side * (other - opened) < 0.0 and not side * (level - other) >= 0.0:
        level, filled = other, -side
    if side * (own - opened) < 0.0 and not side * (level - own) >= 0.0:
        level, filled = own, side
    if filled != 0 and not turned:
        return held, filled, level
    if level == level and not turned:
        return _closed(held, fixed, trades, t, exposed, level, impact, stop.reason), 0, level

    # In its favour: parts, targets, what sells into strength, what buys more of what rose.
    while held.position.side != 0:
        level, what = _target_of(held, plan.targets, t), TARGET
        part = _next_part(held, plan.parts)
        if side * (part - level) < 0.0:
            level, what = part, PARTIAL_TARGET
        if side * (other - opened) > 0.0 and side * (other - level) < 0.0:
            level, what, filled = other, _NONE, -side
        if side * (own - opened) > 0.0 and side * (own - level) < 0.0:
            level, what, filled = own, _NONE, side
        if not side * (best - level) >= 0.0:
            return held, 0, level
        if what == _NONE:
            return held, filled, level
        if what == TARGET:
            held = _closed(held, fixed, trades, t, exposed, level, impact, TARGET)
        else:
            held = _part_sold(held, fixed, trades, t, exposed, level, impact)
    return held, 0, level


@_step
def _counted(refusal: int, refused: Floats) -> None:
    if refusal == BELOW_ONE_UNIT:
        refused[0] += 1.0
    elif refusal == UNAFFORDABLE:
        refused[1] += 1.0


@_part
def _filled(
    held: _Holding,
    book: _Book,
    fixed: _Fixed,
    estimates: Estimates,
    trades: Floats,
    refused: Floats,
    t: int,
    filled: int,
    price: float,
    impact: float,
) -> tuple[_Holding, _Book]:
    """After an order was filled: one entry more, or the position closed and the other side entered."""
    order = book.long if filled > 0 else book.short
    side, entries = held.position.side, held.entries
    if side == filled:
        held = _added(held, order, fixed, estimates, price, impact)
        taken = held.entries > entries
    else:
        if side != 0:
            exposed = t - held.position.exposed_from + 1
            held = _closed(held, fixed, trades, t, exposed, price, impact, SIGNAL)
            book = _without(book, side, fixed.rules.cooldown)
        taken = False
        if held.cash > 0.0:
            held, refusal = _opened(held, order, fixed, estimates, t, t, price, impact)
            _counted(refusal, refused)
            taken = refusal == _TAKEN
    if taken:
        return held, _Book(_no_order(), _no_order())
    return held, _Book(_no_order() if filled > 0 else book.long, _no_order() if filled < 0 else book.short)


@_step
def _reaches(order: _Waiting, lowest: float, highest: float) -> bool:
    """Whether prices of a bar meet an order's limit, or its stop where it is not live yet."""
    if order.side == 0:
        return False
    if order.live == (order.side > 0):
        return lowest <= (order.limit if order.live else order.stop)
    return highest >= (order.limit if order.live else order.stop)


@_step
def _quiet(held: _Holding, book: _Book, fixed: _Fixed, t: int, impact: float) -> bool:
    """Whether a bar meets neither an order nor a level of the position: most bars of most strategies."""
    bars, side = fixed.bars, held.position.side
    lowest, highest = min(bars.open[t], bars.low[t]), max(bars.open[t], bars.high[t])
    if _reaches(book.long, lowest, highest) or _reaches(book.short, lowest, highest):
        return False
    if side == 0:
        return True
    worst, best = (lowest, highest) if side > 0 else (highest, lowest)
    return bool(
        side * (worst - _stop_of(held, fixed, impact).level) > 0.0
        and side * (best - _target_of(held, fixed.plan.targets, t)) < 0.0
        and side * (best - _next_part(held, fixed.plan.parts)) < 0.0
    )


@_part
def _lived(
    held: _Holding,
    book: _Book,
    fixed: _Fixed,
    estimates: Estimates,
    trades: Floats,
    refused: Floats,
    t: int,
    impact: float,
) -> tuple[_Holding, _Book, bool]:
    """After the prices of a bar; also whether the position was entered behind the open."""
    opened, fresh, turned = fixed.bars.open[t], False, False
    held, book = _passed(held, book, fixed, trades, t, impact)
    book, filled = _met_at_open(book, opened)
    if filled != 0:
        held, book = _filled(held, book, fixed, estimates, trades, refused, t, filled, opened, impact)
        held, book = _passed(held, book, fixed, trades, t, impact)
    filled = 1
    while filled != 0:
        side, entries = held.position.side, held.entries
        if side == 0:
            book, filled, price = _first_of(book, fixed.bars, t)
        else:
            held, filled, price = _behind_open(held, book, fixed, trades, t, impact, turned)
            turned = side * (price - opened) > 0.0
            if held.position.side == 0:
                book = _without(book, side, fixed.rules.cooldown)
        if filled != 0:
            held, book = _filled(held, book, fixed, estimates, trades, refused, t, filled, price, impact)
            fresh = held.position.side == filled and side != filled
            if fresh or held.entries > entries:
                held = _stopped_behind(held, fixed, trades, t, price, impact)
                filled = 0
            elif held.position.side != side:
                filled = 0
    book = _Book(_later(book.long, fixed.bars, t), _later(book.short, fixed.bars, t))
    return held, book, fresh


@_step
def _may_wait(held: _Holding, side: int, goal: int, may_enter: bool, plan: Plan, cooldown: int) -> bool:
    """Whether a signal may place an order of a side, given the side that decisions lead to."""
    now = held.position.side
    if goal == side:
        return now == side and held.entries < plan.entries
    if goal == -side:
        return cooldown == 0
    return may_enter and now != side


@over(borrowing, simulation)
def walk(
    bars: Bars,
    charges: Charges,
    estimates: Estimates,
    signals: Signals,
    plan: Plan,
    setting: Floats,
    terms: Terms,
    equity: Floats,
    trades: Floats,
    refused: Floats,
) -> int:
    """Trade one strategy on one symbol, bar by bar, as `simulate` does, with what `Plan` asks for besides.

    A. Orders. The entry signal of a side with a level opens nothing by itself: at the close it places an
       order at the levels of that bar, in place of the side's order that waits; nothing where a level is not
       known. From the next bar on, whatever `fill` is, the order waits for its price, `valid` bars long. It
       is called off at the close of a bar on which CANCEL_LONG (CANCEL_SHORT) is true, and such a bar places
       none; bars that were made up count and fill nothing. Orders of both sides may wait side by side, so
       entries of both sides cancel out only where both enter by market orders. Any entry that is filled
       calls off all orders that wait.
    B. A limit order is filled at the open where the open is at its level or better, else at its level when
       the bar touches it. A stop order is filled at the open where the open has passed its level, else at its
       level when the bar touches it. With both levels the stop makes the limit live: where the stop lies
       within the limit it is filled there at once, else from the next bar on.
    C. Slippage and impact move these fills like all others, but none beyond the order's limit: a limit order
       that is filled at its level pays the fee only.
    D. At the open come first market fills, then the position's stop and targets that the open has passed,
       then orders. Of two orders that the open would fill neither is, and both are called off. Behind the
       open a bar goes against the position first and then in its favour, and on each way the nearer level
       comes first (the stop, or the target, before an order at the same price). Of two orders of a flat
       account the one nearer to the open comes first; of equally near ones neither, and both are called off.
       After an exit behind the open, orders wait for the next bar.
    E. An entry filled at the open is exposed to the whole bar. One that is filled behind it is exposed to the
       rest of the bar at its worst: a stop that the bar reaches closes it, a target does not, and the bar
       does not move its trailing stop. It counts as held on that bar.
    F. An order of the other side that is filled closes the position first (`signal`, at the order's price
       with slippage) and opens its own. With a cool-down none is placed while a position is held, and an exit
       calls off all.
    G. Targets: the rung of `targets` with the most bars that are not more than the bars completed since the
       entry is one more target, in percent of the fill price.
    H. Parts: where a profit of `parts` is reached, its percent of all units bought is sold (whole units
       rounded down), as `partial_target`; what is last of the position is a `target`. Each once a position,
       the nearest first, each before a target beyond it; what the open has passed is sold there. Its trade
       bears its share of the position's costs. A part whose costs would take the account is not sold.
    I. Entries: a signal of the position's own side, or its order, adds an entry up to `entries`. Each is
       sized as the first, by the account at that price, and leaves the position within LEVERAGE × the
       account; where nothing fits, nothing is added. Fill price and levels are from then on those of the
       average price; the ATR, `max_bars` and levels of its own remain those of the first entry. An exit calls
       off the orders of its side.
    J. Exits at levels: the exit levels of the bar whose signal opened a position are one more stop (`stop`)
       and one more target of it, whatever the fill price is; what is not known there is none. They size no
       position.

    Args:
        bars: prices.
        charges: what fills and positions pay bar by bar.
        estimates: n values each, or none where nothing needs them.
        signals: n sums of ENTER_LONG … EXIT_SHORT, CANCEL_LONG and CANCEL_SHORT.
        plan: what is asked for besides.
        setting: as for `simulate`, and so the two that follow.
        terms: what does not depend on the strategy.
        equity: n - first values, written.
        trades: for each bar from `first` on with an entry signal, a row and one for each of `parts`; written
            from the top in the order of exits.
        refused: two values, written: entries that were worth less than one whole unit, and those whose costs
            the account could not pay.

    Returns:
        The number of trades.
    """
    bars_open, close = bars.open, bars.close
    first, last = terms.first, bars.close.size - 1
    rules = _read_settings(setting)
    fixed = _Fixed(bars, charges, rules, plan, terms)
    cooldown = rules.cooldown
    limit_long, stop_long = plan.levels.limit_long, plan.levels.stop_long
    limit_short, stop_short = plan.levels.limit_short, plan.levels.stop_short
    long_waits = limit_long.size > 0 or stop_long.size > 0
    short_waits = limit_short.size > 0 or stop_short.size > 0
    held = _Holding(
        _flat(first), terms.capital, 0.0, 0, 0.0, 0, 0, first - cooldown, first - 1, 0, np.nan, np.nan
    )
    book = _Book(_no_order(), _no_order())
    order = _Order(0, first, _NONE)
    adds = _NONE  # the bar whose signal adds an entry by a market order
    refused[:] = 0.0

    for t in range(first, last + 1):
        # The bar: what its prices fill and close, else what it costs to be held.
        fresh = False  # the position was entered behind the open
        if _real(bars_open, t) and t > first:
            impact = _impact(charges, t - 1)
            if not _quiet(held, book, fixed, t, impact):
                held, book, fresh = _lived(held, book, fixed, estimates, trades, refused, t, impact)
            order = _Order(held.position.side, order.signal_bar, order.reason)
        if held.position.side != 0:
            held = _held_through(held, fixed, trades, t, fresh)
            if held.position.side == 0:
                order = _Order(0, order.signal_bar, order.reason)
                book = _Book(_no_order(), _no_order())

        # The close: what the signals ask for.
        code = signals[t]
        up = (
            (code & ENTER_LONG) != 0
            and (rules.gated or (code & EXIT_LONG) == 0)
            and (code & CANCEL_LONG) == 0
        )
        down = (
            (code & ENTER_SHORT) != 0
            and (rules.gated or (code & EXIT_SHORT) == 0)
            and (code & CANCEL_SHORT) == 0
        )
        if up and down and not long_waits and not short_waits:
            up = down = False
        want = 1 if up and not long_waits else -1 if down and not short_waits else 0
        side, goal = held.position.side, order.goal
        at_open = terms.next_open or not _real(bars_open, t)
        heard = not rules.gated or (goal == side and _hears(close, t, held.position, rules))
        leaves = goal != 0 and (
            want == -goal or (heard and (code & (EXIT_LONG if goal > 0 else EXIT_SHORT)) != 0)
        )
        timed_out = t >= _last_bar_held(held.position, rules, last + 1)
        may_enter = cooldown == 0 or (side == 0 and t >= held.left + cooldown)
        order = _decide(order, side, want, leaves, timed_out, may_enter, t)
        if t == last:
            stays = at_open or order.goal == side
            order = _Order(0, t, END_OF_DATA if stays else order.reason)
        if order.goal != side or side == 0:
            adds = _NONE
        elif want == side and held.entries < plan.entries:
            adds = t
        long, short = book.long, book.short
        if (code & CANCEL_LONG) != 0 or t >= long.until:
            long = _no_order()
        if (code & CANCEL_SHORT) != 0 or t >= short.until:
            short = _no_order()
        if up and long_waits and _may_wait(held, 1, order.goal, may_enter, plan, cooldown):
            long = _placed(1, limit_long, stop_long, plan.valid, t, last, long)
        if down and short_waits and _may_wait(held, -1, order.goal, may_enter, plan, cooldown):
            short = _placed(-1, limit_short, stop_short, plan.valid, t, last, short)
        book = _Book(long, short)

        # With fills at the next open the bar is marked before them, with fills at the close after them.
        ahead = at_open and t < last
        if ahead:
            equity[t - first] = _worth(held, close[t])
        bar = t + 1 if ahead else t
        if (order.goal != side or adds >= 0) and (not ahead or _real(bars_open, bar)):
            price, impact = _fill_price(bars, charges, bar, ahead)
            if order.goal != side:
                if side != 0:
                    exposed = t - held.position.exposed_from + 1
                    held = _closed(held, fixed, trades, bar, exposed, price, impact, order.reason)
                    book = _without(book, side, cooldown)
                if order.goal != 0 and held.cash > 0.0:
                    entry = _market(order.goal, order.signal_bar)
                    exposed_from = bar if ahead else bar + 1
                    held, refusal = _opened(held, entry, fixed, estimates, bar, exposed_from, price, impact)
                    _counted(refusal, refused)
                    if refusal == _TAKEN:
                        book = _Book(_no_order(), _no_order())
            else:
                entries = held.entries
                held = _added(held, _market(side, adds), fixed, estimates, price, impact)
                if held.entries > entries:
                    book = _Book(_no_order(), _no_order())
            adds = _NONE
            order = _Order(held.position.side, order.signal_bar, order.reason)
        if not ahead:
            equity[t - first] = _worth(held, close[t])
    return held.written
