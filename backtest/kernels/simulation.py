"""The simulation kernels and the metrics of their results, which stand together because sweeps fuse them.

`simulate` holds the rules of trading, bar by bar; `measure` the definitions of the metrics. `trade_many` does
both for many configurations without walking bar by bar: the same trades to the bit, the same metrics to
rounding. What both engines do is written once: levels, the order of exits within a bar, entries, exits, and
what holding a position costs. numba's cache does not see an edit in another file, so what calls each other
stays in this one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtest.kernels.compile import borrowing, kernel, part, step

Floats = NDArray[np.float64]
Signals = NDArray[np.uint8]
Words = NDArray[np.uint64]

ENTER_LONG, EXIT_LONG, ENTER_SHORT, EXIT_SHORT = 1, 2, 4, 8

SIGNAL, STOP, TARGET, TRAILING_STOP, MAX_BARS, LIQUIDATION, END_OF_DATA, PARTIAL_TARGET = range(8)
EXIT_REASONS = (
    *("signal", "stop", "target", "trailing_stop", "max_bars", "liquidation", "end_of_data"),
    "partial_target",
)
_NONE = -1  # no reason to leave

# Columns of a configuration's settings; 0 is off, but LEVERAGE is at least 1, and EXIT_ABOVE and EXIT_BELOW
# are infinite where they are off: a gain of 0 is a limit like any other.
STOP_PERCENT, TARGET_PERCENT, TRAILING_PERCENT, STOP_ATR, TARGET_ATR, TRAILING_ATR, LONGEST = range(7)
BREAK_EVEN, COOLDOWN, SHARE, AMOUNT, RISKED, VOLATILITY, LEVERAGE, WHOLE = range(7, 15)
EXIT_AFTER, EXIT_ABOVE, EXIT_BELOW = range(15, 18)
SETTINGS = 18


class Terms(NamedTuple):
    """What is the same for every configuration.

    Attributes:
        first: index of the first bar whose signal may trade.
        next_open: fill at the next open, else at the close.
        capital: cash at the start.
        fee: fraction of notional, each fill.
        fixed_fee: cash, each fill.
        slippage: fraction of price by which each fill moves against the trade, half the spread included.
        borrowing: fraction of a short's market value, paid at the close of each bar it is exposed to.
        interest: fraction of what a long owes beyond the account's own money, paid as often.
        maintenance: fraction of the market value that the account must keep.
        periods_per_year: bars a year.
    """

    first: int
    next_open: bool
    capital: float
    fee: float
    fixed_fee: float
    slippage: float
    borrowing: float
    interest: float
    maintenance: float
    periods_per_year: float


class Bars(NamedTuple):
    """Prices, n of each kind. A bar that was made up has an open of NaN, a high of -inf and a low of inf."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats


class Charges(NamedTuple):
    """What fills and positions pay bar by bar, on top of the terms.

    Attributes:
        impact: n price moves that fills pay; empty for none.
        funding: n fractions of market value that longs pay to shorts at the bars' closes; empty for none.
    """

    impact: Floats
    funding: Floats


class Estimates(NamedTuple):
    """What levels and sizes are measured in.

    Attributes:
        atr: n average true ranges in price units; not read when no level needs them.
        volatility: n annualised volatilities as fractions; not read when sizing needs none.
    """

    atr: Floats
    volatility: Floats


class EstimateTable(NamedTuple):
    """`Estimates` of many configurations.

    Attributes:
        atr: one row a period.
        atr_rows: the row of each configuration.
        volatility: one row a period.
        volatility_rows: the row of each configuration.
    """

    atr: Floats
    atr_rows: NDArray[np.int32]
    volatility: Floats
    volatility_rows: NDArray[np.int32]


class Layout(NamedTuple):
    """What `lay_out` finds in one price history.

    Attributes:
        floor: the lowest price of each bar; the open counts, as it may stick out by rounding.
        ceiling: the highest.
        blocks: one row a block of BLOCK bars with its lowest floor and highest ceiling, its highest high and
            lowest low, its highest and lowest close.
        charges: one row a block with the highest impact that an exit within one of its bars pays, and the
            largest funding, whoever gets it; no rows without charges.
        sums: one row a bar with the sums from the first bar on of the returns from close to close, of their
            squares and of the squares of the losses, each in two parts that hold twice the digits, so that a
            difference of two sums is exact however far apart the prices are.
    """

    floor: Floats
    ceiling: Floats
    blocks: Floats
    charges: Floats
    sums: Floats


class History(NamedTuple):
    """One price history as `trade_many` takes it."""

    bars: Bars
    layout: Layout
    charges: Charges


# Cash below zero by less than this share of a position is rounding, not a debt.
_OWED = 1e-12

SIDE, ENTRY_BAR, ENTRY_PRICE, EXIT_BAR, EXIT_PRICE, SIZE, PROFIT, REASON, BARS = range(9)
TRADE_COLUMNS = 9

METRICS = (
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "max_drawdown",
    "profit_factor",
    "win_rate",
    "total_return",
    "cagr",
    "volatility",
    "exposure",
    "n_trades",
    "expectancy",
    "avg_trade",
    "best_trade",
    "worst_trade",
)
# Behind the metrics of a configuration stand the bar at which its account was lost, NaN where it survived,
# the number of entries not taken because they were worth less than one whole unit, and of those whose costs
# the account could not pay.
LOST_AT = len(METRICS)
BELOW_ONE_UNIT = LOST_AT + 1
UNAFFORDABLE = BELOW_ONE_UNIT + 1
FIGURES = UNAFFORDABLE + 1


# The rules, as both engines apply them. Parts of the state that change together are tuples of scalars: the
# compiler keeps these in registers.


class _Rules(NamedTuple):
    """A configuration's settings by name, and what follows from them."""

    stop_percent: float
    target_percent: float
    trailing_percent: float
    stop_atr: float
    target_atr: float
    trailing_atr: float
    longest: int
    break_even: float
    cooldown: int
    share: float
    amount: float
    risked: float
    volatility: float
    leverage: float
    whole: bool
    exit_after: int
    exit_above: float
    exit_below: float
    needs_atr: bool
    trails: bool  # a stop follows the price
    limited: bool  # something besides LEVERAGE limits the size
    gated: bool  # exit conditions are not always heard


class _Entry(NamedTuple):
    """An entry at the bar that fills it: its price before slippage and what was known when it was decided."""

    side: int
    bar: int
    exposed_from: int
    price: float
    impact: float
    atr: float
    volatility: float


class _Position(NamedTuple):
    """What does not change while a position is held; `side` is 0 for none, `entry` the fill price."""

    side: int
    units: float
    entry: float
    atr: float
    target: float
    bar: int
    exposed_from: int
    cash_before: float
    carries: bool  # it ever pays for being held, or is paid


class _Stop(NamedTuple):
    level: float
    reason: int


class _Order(NamedTuple):
    """What was decided and waits to be filled.

    Attributes:
        goal: the side it leads to; the position's own when nothing waits.
        signal_bar: the bar of the signal that enters this side.
        reason: why the position is left.
    """

    goal: int
    signal_bar: int
    reason: int


class _Exit(NamedTuple):
    bar: int
    fill: float
    profit: float
    reason: int
    held: int


# Why an entry is not taken: the column that counts it, or neither of them.
_TAKEN, _UNKNOWN = -1, -2


@step
def _plain_rules(rules: _Rules) -> _Rules:
    """Rules of the whole account with levels in percent and nothing else: what is off is a constant here.

    `_trade_until` compiled for these takes a third less where trades are short.
    """
    return _Rules(
        rules.stop_percent,
        rules.target_percent,
        0.0,
        0.0,
        0.0,
        0.0,
        0,
        0.0,
        0,
        0.0,
        0.0,
        0.0,
        0.0,
        1.0,
        False,
        0,
        -np.inf,
        np.inf,
        False,
        False,
        False,
        False,
    )


@step
def _is_plain(rules: _Rules, charges: Charges, terms: Terms) -> bool:
    """Whether `_plain_rules` are all, orders wait for the open, and nothing but fee and slippage is paid."""
    return bool(
        terms.next_open
        and not (rules.needs_atr or rules.trails or rules.limited or rules.gated)
        and rules.leverage == 1.0
        and rules.longest == 0
        and rules.cooldown == 0
        and charges.impact.size + charges.funding.size == 0
        and terms.fixed_fee == 0.0
        and terms.borrowing == 0.0
        and terms.interest == 0.0
    )


@part
def _read_settings(setting: Floats) -> _Rules:
    """Name the columns of a configuration's settings."""
    return _Rules(
        setting[STOP_PERCENT],
        setting[TARGET_PERCENT],
        setting[TRAILING_PERCENT],
        setting[STOP_ATR],
        setting[TARGET_ATR],
        setting[TRAILING_ATR],
        int(setting[LONGEST]),
        setting[BREAK_EVEN],
        int(setting[COOLDOWN]),
        setting[SHARE],
        setting[AMOUNT],
        setting[RISKED],
        setting[VOLATILITY],
        setting[LEVERAGE],
        setting[WHOLE] > 0.0,
        int(setting[EXIT_AFTER]),
        setting[EXIT_ABOVE],
        setting[EXIT_BELOW],
        setting[STOP_ATR] > 0.0 or setting[TARGET_ATR] > 0.0 or setting[TRAILING_ATR] > 0.0,
        setting[TRAILING_PERCENT] > 0.0 or setting[TRAILING_ATR] > 0.0 or setting[BREAK_EVEN] > 0.0,
        setting[SHARE] > 0.0
        or setting[AMOUNT] > 0.0
        or setting[RISKED] > 0.0
        or setting[VOLATILITY] > 0.0
        or setting[WHOLE] > 0.0,
        setting[EXIT_AFTER] > 0.0 or setting[EXIT_ABOVE] > -np.inf or setting[EXIT_BELOW] < np.inf,
    )


@step
def _real(open_: Floats, t: int) -> bool:
    """Whether a bar was traded: the opens of those that were made up are not numbers."""
    return bool(open_[t] == open_[t])


@step
def _impact(charges: Charges, t: int) -> float:
    """What fills pay on top of slippage when this is the last completed bar."""
    return float(charges.impact[t]) if charges.impact.size > 0 else 0.0


@step
def _equity_at(position: _Position, cash: float, price: float) -> float:
    """The account with a position at a price."""
    if position.side > 0:
        return cash + position.units * price
    return cash + position.units * (position.entry - price)


@step
def _worth(position: _Position, cash: float, price: float) -> float:
    """As `_equity_at`, also while there is no position."""
    return _equity_at(position, cash, price) if position.side != 0 else cash


# Levels. They are the price plus a distance, not the price times a factor: 10 % above 100 is 110, in floats
# too.


@step
def _ruin(position: _Position, cash: float, impact: float, terms: Terms) -> float:
    """The price before slippage at which closing leaves but the maintenance margin.

    A long that owes nothing, up to rounding, has none; with an impact even that sells for nothing at last.
    """
    units, entry = position.units, position.entry
    if position.side > 0:
        owed = terms.fixed_fee - cash
        rounding = _OWED * units * entry
        if owed < -rounding or (impact == 0.0 and owed <= rounding):
            return -np.inf
        fill = owed / (units * (1.0 - terms.fee - terms.maintenance))
        return (fill + impact) / (1.0 - terms.slippage)
    fill = (cash + units * entry - terms.fixed_fee) / (units * (1.0 + terms.fee + terms.maintenance))
    return (fill - impact) / (1.0 + terms.slippage)


@step
def _ruin_is_far(
    lowest: float, highest: float, position: _Position, cash: float, impact: float, terms: Terms
) -> bool:
    """Whether prices certainly do not reach the price of ruin, told without a division.

    The slack is a million times what rounding can take; what is not far is left to `_ruin`.
    """
    units = position.units
    if position.side > 0:
        owed = max(0.0, terms.fixed_fee - cash)
        fill = lowest * (1.0 - terms.slippage) - impact * (1.0 + 1e-9)
        return bool(fill * (units * (1.0 - terms.fee - terms.maintenance)) > owed * (1.0 + 1e-9))
    left = cash + units * position.entry - terms.fixed_fee
    fill = highest * (1.0 + terms.slippage) + impact * (1.0 + 1e-9)
    return bool(fill * (units * (1.0 + terms.fee + terms.maintenance)) < left - 1e-9 * abs(left))


@step
def _nearest_target(side: int, entry: float, atr: float, rules: _Rules) -> float:
    """The target nearest to the price; an unreachable level when none is set."""
    target = side * np.inf
    if rules.target_percent > 0.0:
        target = entry + side * entry * rules.target_percent / 100.0
    if rules.target_atr > 0.0:
        level = entry + side * rules.target_atr * atr
        if side * (level - target) < 0.0:
            target = level
    return target


@step
def _fixed_stop(position: _Position, ruin: float, rules: _Rules) -> _Stop:
    """The tightest of the stops that do not follow the price; the price of ruin when none is set."""
    side, entry = position.side, position.entry
    stop = ruin
    reason = LIQUIDATION
    if rules.stop_percent > 0.0:
        level = entry - side * entry * rules.stop_percent / 100.0
        if side * (level - stop) >= 0.0:
            stop = level
            reason = STOP
    if rules.stop_atr > 0.0:
        level = entry - side * rules.stop_atr * position.atr
        if side * (level - stop) >= 0.0:
            stop = level
            reason = STOP
    return _Stop(stop, reason)


@step
def _followed_stop(position: _Position, extreme: float, fixed: _Stop, rules: _Rules) -> _Stop:
    """The tightest of a fixed stop and those that the extreme moves."""
    side, entry = position.side, position.entry
    stop, reason = fixed.level, fixed.reason
    if (
        rules.break_even > 0.0
        and side * (extreme - entry) >= entry * rules.break_even / 100.0
        and side * (entry - stop) >= 0.0
    ):
        stop = entry
        reason = STOP
    if rules.trailing_percent > 0.0:
        level = extreme - side * extreme * rules.trailing_percent / 100.0
        if side * (level - stop) > 0.0:
            stop = level
            reason = TRAILING_STOP
    if rules.trailing_atr > 0.0:
        level = extreme - side * rules.trailing_atr * position.atr
        if side * (level - stop) > 0.0:
            stop = level
            reason = TRAILING_STOP
    return _Stop(stop, reason)


@step
def _tightest_stop(position: _Position, extreme: float, ruin: float, rules: _Rules) -> _Stop:
    """The stop nearest to the price."""
    return _followed_stop(position, extreme, _fixed_stop(position, ruin, rules), rules)


@step
def _exit_within(bars: Bars, t: int, position: _Position, stop: _Stop) -> tuple[float, int]:
    """The price before slippage at which a bar's prices close a position, and why; _NONE where they do not.

    A level that the open has passed fills at the open, one that is touched later at the level; the stop comes
    before the target.
    """
    side = position.side
    opened = bars.open[t]
    if side * (opened - stop.level) <= 0.0:
        return opened, stop.reason
    if side * (opened - position.target) >= 0.0:
        return opened, TARGET
    worst = bars.low[t] if side > 0 else bars.high[t]
    if side * (worst - stop.level) <= 0.0:
        return stop.level, stop.reason
    best = bars.high[t] if side > 0 else bars.low[t]
    if side * (best - position.target) >= 0.0:
        return position.target, TARGET
    return 0.0, _NONE


# Entries.


@step
def _affordable(share: float, fill: float, cash: float, terms: Terms) -> float:
    """Units that a share of the account buys, costs included; negative where the price leaves nothing."""
    if fill <= 0.0:
        return -1.0
    return share * (cash - terms.fixed_fee) / (fill * (1.0 + share * terms.fee))


@part
def _limited_size(wanted: _Position, volatility: float, rules: _Rules, terms: Terms) -> float:
    """As `_size`, where more than leverage limits it."""
    side, fill, cash = wanted.side, wanted.entry, wanted.cash_before
    share = rules.leverage
    if rules.share > 0.0:
        share = min(share, rules.share / 100.0)
    if rules.volatility > 0.0:
        if math.isnan(volatility):
            return np.nan
        if volatility > 0.0:
            share = min(share, rules.volatility / 100.0 / volatility)
    units = _affordable(share, fill, cash, terms)
    if fill <= 0.0:
        return units
    if rules.amount > 0.0:
        units = min(units, rules.amount / fill)
    if rules.risked > 0.0:
        stop = _tightest_stop(wanted, fill, -side * np.inf, rules)
        distance = side * (fill - stop.level)
        if 0.0 < distance < np.inf:
            units = min(units, cash * rules.risked / 100.0 / distance)
    if rules.whole:
        units = units // 1.0  # as a float: there may be more of them than an integer holds
    return units


@step
def _size(wanted: _Position, volatility: float, rules: _Rules, terms: Terms) -> float:
    """Units to open at a fill price: the smallest of what the limits allow, NaN where one is not known.

    Only what is worth less than one whole unit is 0; an account that cannot pay the fixed fee gives less, and
    so does a short that the impact leaves nothing for.
    """
    if rules.limited:
        return _limited_size(wanted, volatility, rules, terms)
    return _affordable(rules.leverage, wanted.entry, wanted.cash_before, terms)


@step
def _fill_price(bars: Bars, charges: Charges, bar: int, at_open: bool) -> tuple[float, float]:
    """The price of a fill before slippage, and the impact of the last bar completed before it."""
    if at_open:
        return bars.open[bar], _impact(charges, bar - 1)
    return bars.close[bar], _impact(charges, bar)


@step
def _prepare_entry(
    bars: Bars,
    charges: Charges,
    estimates: Estimates,
    order: _Order,
    bar: int,
    at_open: bool,
    rules: _Rules,
) -> _Entry:
    """What is known of an entry when it is filled at a bar's open, or at its close."""
    price, impact = _fill_price(bars, charges, bar, at_open)
    return _Entry(
        order.goal,
        bar,
        bar if at_open else bar + 1,
        price,
        impact,
        estimates.atr[order.signal_bar] if rules.needs_atr else 0.0,
        estimates.volatility[order.signal_bar] if rules.volatility > 0.0 else 0.0,
    )


@step
def _owes(units: float, cash: float, entry: float) -> bool:
    """Whether a long was bought with more than the account's own money."""
    return bool(-cash > _OWED * units * entry)


@step
def _enter(
    entry: _Entry, cash: float, funded: bool, rules: _Rules, terms: Terms
) -> tuple[int, _Position, float]:
    """Fill an entry.

    Returns:
        _TAKEN, or why it is not; the position; and cash afterwards.
    """
    fill = entry.price * (1.0 + entry.side * terms.slippage) + entry.side * entry.impact
    return _enter_at(entry, fill, cash, funded, rules, terms)


@step
def _enter_at(
    entry: _Entry, fill: float, cash: float, funded: bool, rules: _Rules, terms: Terms
) -> tuple[int, _Position, float]:
    """As `_enter`, at a given price with slippage."""
    side = entry.side
    target = _nearest_target(side, fill, entry.atr, rules)
    wanted = _Position(side, 0.0, fill, entry.atr, target, entry.bar, entry.exposed_from, cash, False)
    if math.isnan(entry.atr) or math.isnan(entry.impact):
        return _UNKNOWN, wanted, cash
    units = _size(wanted, entry.volatility, rules, terms)
    if not units > 0.0:
        refusal = _UNKNOWN
        if units == 0.0 and rules.whole:
            refusal = BELOW_ONE_UNIT
        elif units <= 0.0:
            refusal = UNAFFORDABLE
        return refusal, wanted, cash
    after = cash - units * fill * terms.fee - terms.fixed_fee
    if side > 0:
        after -= units * fill
        carries = funded or (terms.interest != 0.0 and _owes(units, after, fill))
    else:
        carries = funded or terms.borrowing != 0.0
    position = _Position(side, units, fill, entry.atr, target, entry.bar, entry.exposed_from, cash, carries)
    price, impact = entry.price, entry.impact
    if (
        not _ruin_is_far(price, price, position, after, impact, terms)
        and side * (price - _ruin(position, after, impact, terms)) <= 0.0
    ):
        return UNAFFORDABLE, wanted, cash
    return _TAKEN, position, after


# Holding.


@step
def _cash_after_holding(
    charges: Charges, t: int, position: _Position, cash: float, close: float, terms: Terms
) -> float:
    """Cash after what one bar of a position costs: funding, a short's borrowing, a long's interest."""
    funding = charges.funding[t] if charges.funding.size > 0 else 0.0
    units = position.units
    if position.side < 0:
        return cash - (terms.borrowing - funding) * units * close
    paid = funding * units * close
    if terms.interest != 0.0 and _owes(units, cash, position.entry):
        paid -= terms.interest * cash
    return cash - paid


@step
def _hold_one_bar(
    bars: Bars, charges: Charges, t: int, position: _Position, cash: float, terms: Terms
) -> tuple[float, bool]:
    """Cash after one bar of a position, and whether its costs took all that the account was worth.

    They take it only at the close of a bar that was traded.
    """
    if not position.carries:
        return cash, False
    close = bars.close[t]
    after = _cash_after_holding(charges, t, position, cash, close, terms)
    return after, after < cash and _real(bars.open, t) and _equity_at(position, after, close) <= 0.0


@step
def _extend_extreme(bars: Bars, t: int, side: int, extreme: float) -> float:
    """The highest high of a long, the lowest low of a short, with one more bar."""
    return float(max(extreme, bars.high[t]) if side > 0 else min(extreme, bars.low[t]))


@step
def _last_bar_held(position: _Position, rules: _Rules, never: int) -> int:
    """The bar at whose close a position has lasted as long as it may."""
    return position.exposed_from + rules.longest - 1 if rules.longest > 0 else never


@step
def _hears(close: Floats, t: int, position: _Position, rules: _Rules) -> bool:
    """Whether a position's exit condition is heard at a close: old enough, far enough above or below."""
    if t - position.exposed_from + 1 < rules.exit_after:
        return False
    side, entry = position.side, position.entry
    gain = side * (close[t] - entry)
    return bool(entry * rules.exit_above / 100.0 <= gain <= entry * rules.exit_below / 100.0)


@step
def _decide(
    order: _Order, side: int, want: int, leaves: bool, timed_out: bool, may_enter: bool, t: int
) -> _Order:
    """What is decided at a close, as if what was decided before were filled.

    Args:
        order: what was decided before.
        side: the side of the position as it is.
        want: the side that the bar's signals enter, 0 for none.
        leaves: whether they leave the side that the order leads to.
        timed_out: whether the position has lasted as long as it may.
        may_enter: whether the cool-down allows an entry.
        t: the bar.
    """
    goal, signal_bar, reason = order.goal, order.signal_bar, order.reason
    # Its own side is not entered again by the signal of the bar that leaves it.
    if want == goal:
        want = 0
    if goal != 0 and (leaves or (goal == side and timed_out)):
        if goal == side:
            reason = SIGNAL if leaves else MAX_BARS
        goal = 0
    if want != 0 and goal == 0 and may_enter:
        goal = want
        signal_bar = t
    return _Order(goal, signal_bar, reason)


# Exits.


@step
def _settle(
    position: _Position, cash: float, price: float, impact: float, reason: int, terms: Terms
) -> tuple[float, float, int]:
    """Close a position at a price before slippage: the fill price, cash afterwards, and why after all.

    No exit takes more than the account holds: what would is filled at the price that takes all of it, as is a
    liquidation without a maintenance margin.
    """
    units = position.units
    ruined = reason == LIQUIDATION and terms.maintenance == 0.0
    if position.side > 0:
        fill = price * (1.0 - terms.slippage) - impact
        if fill < 0.0:
            fill = 0.0
        after = cash + units * fill * (1.0 - terms.fee) - terms.fixed_fee
        if ruined or after <= 0.0:
            return (terms.fixed_fee - cash) / (units * (1.0 - terms.fee)), 0.0, LIQUIDATION
        return fill, after, reason
    fill = price * (1.0 + terms.slippage) + impact
    after = cash + units * (position.entry - fill) - units * fill * terms.fee - terms.fixed_fee
    if ruined or after <= 0.0:
        return (
            (cash + units * position.entry - terms.fixed_fee) / (units * (1.0 + terms.fee)),
            0.0,
            LIQUIDATION,
        )
    return fill, after, reason


@step
def _record(trades: Floats, row: int, position: _Position, left: _Exit) -> None:
    """Write one closed trade into its row."""
    trades[row, SIDE] = position.side
    trades[row, ENTRY_BAR] = position.bar
    trades[row, ENTRY_PRICE] = position.entry
    trades[row, EXIT_BAR] = left.bar
    trades[row, EXIT_PRICE] = left.fill
    trades[row, SIZE] = position.units
    trades[row, PROFIT] = left.profit
    trades[row, REASON] = left.reason
    trades[row, BARS] = left.held


# The metrics.

BLOCK_BITS = 3
BLOCK = 1 << BLOCK_BITS
"""Bars: short trades still skip whole blocks, and a block's extremes fill one cache line."""

BY_BARS = 2 * BLOCK
"""Bars up to which returns are summed one by one: two rows of sums, far apart in memory, cost more."""

# Below this share of the squared mean the variance is what rounding left of two nearly equal sums.
_ILL_CONDITIONED = 1e-5


class _Curve(NamedTuple):
    """What the return metrics are made of, bar by bar.

    Attributes:
        previous: the last mark.
        peak: the highest.
        trough: the lowest since.
        drawdown: the lowest mark / peak - 1 before that peak.
        total: sum of the returns.
        squares: sum of their squares.
        downside: sum of the squares of the losses.
    """

    previous: float
    peak: float
    trough: float
    drawdown: float
    total: float
    squares: float
    downside: float


class _Tally(NamedTuple):
    """What the trade metrics are made of."""

    closed: int
    wins: int
    gains: float
    losses: float
    exposed: int
    returns: float
    best: float
    worst: float


class _Sums(NamedTuple):
    """Sums from the first bar on of returns from close to close, of their squares and of those of the losses.

    Each is in two parts that hold twice the digits.
    """

    total: float
    total_rest: float
    squares: float
    squares_rest: float
    losses: float
    losses_rest: float


@step
def _add(whole: float, rest: float, value: float) -> tuple[float, float]:
    """Add a value to a sum kept in two parts; what rounding takes from the first goes to the second."""
    after = whole + value
    added = after - whole
    return after, rest + ((whole - (after - added)) + (value - added))


@step
def _add_return(sums: _Sums, change: float) -> _Sums:
    """One more return into the sums."""
    square = change * change
    total, total_rest = _add(sums.total, sums.total_rest, change)
    squares, squares_rest = _add(sums.squares, sums.squares_rest, square)
    # Adding nothing costs less than a jump that half of all bars take.
    losses, losses_rest = _add(sums.losses, sums.losses_rest, square if change < 0.0 else 0.0)
    return _Sums(total, total_rest, squares, squares_rest, losses, losses_rest)


@step
def _add_between(start: _Sums, stop: _Sums, curve: _Curve) -> _Curve:
    """The returns between two bars of a long that is all of the account: those of the price."""
    return _Curve(
        curve.previous,
        curve.peak,
        curve.trough,
        curve.drawdown,
        curve.total + ((stop.total - start.total) + (stop.total_rest - start.total_rest)),
        curve.squares + ((stop.squares - start.squares) + (stop.squares_rest - start.squares_rest)),
        curve.downside + ((stop.losses - start.losses) + (stop.losses_rest - start.losses_rest)),
    )


@step
def _with_returns(curve: _Curve, other: _Curve) -> _Curve:
    """A curve with the sums of returns of another."""
    return _Curve(
        curve.previous, curve.peak, curve.trough, curve.drawdown, other.total, other.squares, other.downside
    )


@step
def _deepest(peak: float, trough: float, drawdown: float) -> float:
    """The lowest mark / peak - 1, this peak's included: of its marks the lowest one alone is divided."""
    return min(drawdown, trough / peak - 1.0)


@step
def _compare_with_peak(
    value: float, peak: float, trough: float, drawdown: float
) -> tuple[float, float, float]:
    """One mark into peak, trough and drawdown."""
    if value > peak:
        return value, value, _deepest(peak, trough, drawdown)
    return peak, min(trough, value), drawdown


@step
def _empty_sums(capital: float) -> tuple[_Curve, _Tally]:
    """Sums before the first bar and the first trade."""
    return (
        _Curve(capital, capital, capital, 0.0, 0.0, 0.0, 0.0),
        _Tally(0, 0, 0.0, 0.0, 0, 0.0, -np.inf, np.inf),
    )


@step
def _bar_return(value: float, previous: float) -> float:
    """The return from one mark to the next; 0 once the account is lost."""
    return value / previous - 1.0 if previous > 0.0 else 0.0


@step
def _mark(value: float, curve: _Curve) -> _Curve:
    """One bar's equity into the sums."""
    change = _bar_return(value, curve.previous)
    square = change * change
    peak, trough, drawdown = _compare_with_peak(value, curve.peak, curve.trough, curve.drawdown)
    return _Curve(
        value,
        peak,
        trough,
        drawdown,
        curve.total + change,
        curve.squares + square,
        curve.downside + (square if change < 0.0 else 0.0),
    )


@step
def _add_trade(tally: _Tally, profit: float, spent: float, held: int) -> _Tally:
    """One closed trade into the sums."""
    share = profit / spent
    won = profit > 0.0
    return _Tally(
        tally.closed + 1,
        tally.wins + 1 if won else tally.wins,
        tally.gains + max(profit, 0.0),
        tally.losses - min(profit, 0.0),
        tally.exposed + held,
        tally.returns + share,
        max(tally.best, share),
        min(tally.worst, share),
    )


@part
def _return_metrics(
    size: int,
    variation: float,
    curve: _Curve,
    lost_at: float,
    capital: float,
    periods_per_year: float,
    out: Floats,
) -> None:
    """From sums over the bars to the figures of `measure`.

    Args:
        size: how many bars.
        variation: sum of the squared distances of the returns from their mean.
        curve: the sums, marked up to the last bar.
        lost_at: the bar at which the account was lost, NaN for none.
        capital: the cash before the first bar.
        periods_per_year: bars a year.
        out: written.
    """
    growth = curve.previous / capital
    drawdown = _deepest(curve.peak, curve.trough, curve.drawdown)
    mean = curve.total / size
    survived = math.isnan(lost_at)
    root = math.sqrt(periods_per_year)
    cagr = growth ** (periods_per_year / size) - 1.0
    if size > 1:
        deviation = math.sqrt(variation / (size - 1))
        out[8] = deviation * root
        if survived and deviation > 1e-12 * abs(mean):
            out[0] = mean / deviation * root
    losing = math.sqrt(curve.downside / size)
    if survived and losing > 1e-12 * abs(mean):
        out[1] = mean * root / losing
    if survived and drawdown < -1e-12:
        out[2] = cagr / -drawdown
    out[3] = drawdown
    out[6] = growth - 1.0
    out[7] = cagr
    out[LOST_AT] = lost_at


@part
def _trade_metrics(size: int, tally: _Tally, out: Floats) -> None:
    """From sums over the trades to the figures of `measure`."""
    out[9] = tally.exposed / size
    out[10] = tally.closed
    if tally.closed > 0:
        out[5] = tally.wins / tally.closed
        out[11] = (tally.gains - tally.losses) / tally.closed
        out[12] = tally.returns / tally.closed
        out[13] = tally.best
        out[14] = tally.worst
        if tally.losses > 0.0:
            out[4] = tally.gains / tally.losses


@step
def _adds_from_sums(position: _Position, cash: float, stop: int) -> bool:
    """Whether what a position returns up to a bar comes from the sums of returns.

    It does for a long that is all of the account, up to rounding, is held for nothing, and long enough.
    """
    return bool(
        position.side > 0
        and stop - position.bar > BY_BARS
        and not position.carries
        and abs(cash) <= 1e-15 * position.units * position.entry
    )


@part
def _figures(size: int, curve: _Curve, tally: _Tally, lost_at: float, terms: Terms, out: Floats) -> bool:
    """From sums to the figures of `measure`; False where rounding leaves too little of the variance."""
    variation = curve.squares - curve.total * (curve.total / size)
    _return_metrics(size, max(0.0, variation), curve, lost_at, terms.capital, terms.periods_per_year, out)
    _trade_metrics(size, tally, out)
    return curve.squares == 0.0 or variation > _ILL_CONDITIONED * curve.squares


# Bar by bar.


class _Marks(NamedTuple):
    """What `simulate` knows at a close: its sums and the price's own, and both at the last entry's bar."""

    curve: _Curve
    known: _Sums
    entered: _Curve
    begun: _Sums


@step
def _mark_close(
    close: Floats, t: int, position: _Position, value: float, marks: _Marks, measures: bool
) -> _Marks:
    """One bar's equity and the price's own return into the sums; an equity that stays adds nothing."""
    if not measures:
        return marks
    curve = _mark(value, marks.curve) if value != marks.curve.previous else marks.curve
    known = _add_return(marks.known, close[t] / close[t - 1] - 1.0) if t > 0 else marks.known
    if t == position.bar:
        return _Marks(curve, known, curve, known)
    return _Marks(curve, known, marks.entered, marks.begun)


@step
def _close_trade(
    position: _Position, account: float, left: _Exit, marks: _Marks, tally: _Tally, trades: Floats
) -> tuple[_Marks, _Tally]:
    """One closed trade into its row and the sums; `account` is the cash while it was held."""
    _record(trades, tally.closed, position, left)
    tally = _add_trade(tally, left.profit, position.units * position.entry, left.held)
    if not _adds_from_sums(position, account, left.bar - 1):
        return marks, tally
    curve = _with_returns(marks.curve, _add_between(marks.begun, marks.known, marks.entered))
    return _Marks(curve, marks.known, marks.entered, marks.begun), tally


@step
def _wanted_side(code: int, rules: _Rules) -> int:
    """The side that a bar's signals enter: not one that they leave as well, nor both at once."""
    enter_long = (code & ENTER_LONG) != 0 and (rules.gated or (code & EXIT_LONG) == 0)
    enter_short = (code & ENTER_SHORT) != 0 and (rules.gated or (code & EXIT_SHORT) == 0)
    if enter_long == enter_short:
        return 0
    return 1 if enter_long else -1


@borrowing
def simulate(
    bars: Bars,
    charges: Charges,
    estimates: Estimates,
    signals: Signals,
    setting: Floats,
    terms: Terms,
    equity: Floats,
    trades: Floats,
    out: Floats,
) -> tuple[int, bool]:
    """Trade one strategy on one symbol, bar by bar.

    Rules, in the order in which a bar applies them:

    1. At the open, with `next_open`: what the previous close decided is filled at the open, the exit before
       the entry (a reversal is both). The position is exposed to the whole bar. With fills at the close it is
       exposed from the next bar on.
    2. A level that the open has already passed fills at the open: the stop first, then the target.
    3. Within the bar the stop comes before the target; each fills at its level, and touching it is enough.
       Levels are measured from the fill price, slippage included, and from the ATR of the bar that gave the
       signal. The trailing stop hangs from the highest high (lowest low for a short) of the completed bars it
       was exposed to, or from the fill price before there is one; once that extreme is BREAK_EVEN percent
       beyond the fill price, the fill price is a stop. Of several stops the tightest counts, of several
       targets the nearest. Of equal stops a fixed one or that of BREAK_EVEN goes first, then liquidation.
    4. One more stop is the price before slippage at which closing, costs included, would leave no more than
       `maintenance` of the position's market value at the fill: `liquidation`. With no maintenance margin it
       is the price that takes the whole account. No exit takes more than there is: one that would is a
       `liquidation` at the price that takes everything. Nothing is traded after the account is lost.
    5. A position that is still open pays for the bar at its close: a long `funding` of its market value, and
       `interest` on what it owes (cash below zero: what it was bought with beyond the account's own money,
       and what it could not pay since); a short `borrowing` less `funding` of its market value. What is
       negative is received. Where that takes all the account is worth, the position is gone at the close:
       `liquidation`.
    6. At the close signals are read, also after an exit within the bar. An entry whose own exit is true on
       the same bar is not taken; long and short entries on the same bar cancel out. An opposite entry closes
       and reverses. With EXIT_AFTER, EXIT_ABOVE or EXIT_BELOW an exit condition is heard only of a position
       that was exposed to so many bars and stands, at the close, at least and at most so many percent of the
       fill price in its favour; it then holds no entry back. A position exposed to `max_bars` bars is closed
       as by a signal (a signal on the same bar goes first); its own side is not entered again by the signal
       of that bar. After an exit filled in bar x, signals before bar x + COOLDOWN open nothing, so with a
       cool-down nothing reverses.
    7. The last bar opens nothing; what is open closes at its close: `end_of_data`.
    8. A bar that was made up (its open is not a number) carries a position and fills nothing: what was
       decided waits for the next open, a level that is passed by then fills there. Signals are read at such
       closes too, as if the waiting orders were filled: at the open only the difference is traded. `max_bars`
       and costs of holding count these bars; they move no trailing stop.
    9. Equity is marked at the close, after fills at the close.

    Every fill's price is moved against the trade by `slippage` of the price and by the `impact` of the last
    bar completed before the fill (for fills at a close, of that bar); no sale is below 0. `fee` is a fraction
    of the notional of each fill, `fixed_fee` an amount.

    An entry is worth the smallest of its limits: LEVERAGE × the account, so that its fee is paid out of the
    account (units = L × (cash - fixed_fee) / (price × (1 + L × fee)); at L = 1 an entry spends all cash); the
    same with SHARE percent, or with VOLATILITY percent / `volatility` of the signal's bar, in place of L;
    AMOUNT / price, fee on top; RISKED percent of the cash before the entry / distance of the first stop from
    the fill price. A volatility or distance of 0 limits nothing. It is rounded down to whole units with
    WHOLE; none are bought when that is zero. A short has the size of such a long and yields its profit in
    cash at the exit. An entry is not taken where a level or limit needs an ATR, volatility or impact that is
    not known yet, where it would begin at or beyond its liquidation, or where a short would be sold at 0 or
    below. A RISKED entry needs a stop, as `StrategySpec` sees to. Volume plays no part: a bar without any
    trades like any other.

    Args:
        bars: prices.
        charges: what fills and positions pay bar by bar.
        estimates: n values each, or none where nothing needs them.
        signals: n sums of ENTER_LONG, EXIT_LONG, ENTER_SHORT and EXIT_SHORT.
        setting: SETTINGS numbers, 0 is off (LEVERAGE at least 1, EXIT_ABOVE and EXIT_BELOW infinite).
            Percents in percent; TRAILING_PERCENT is of the extreme, the others of the fill price.
        terms: what does not depend on the strategy.
        equity: n - first values, written.
        trades: a row of TRADE_COLUMNS a bar from `first` on with an entry signal, written from the top.
        out: FIGURES values, written to the last bit as `trade_many` writes them; or none.

    Returns:
        The number of trades; and whether `out` can be trusted: where not, `measure` must decide.
    """
    open_, close = bars.open, bars.close
    first = terms.first
    last = close.size - 1
    rules = _read_settings(setting)
    cooldown = rules.cooldown
    funded = charges.funding.size > 0
    carries = funded or terms.borrowing != 0.0 or terms.interest != 0.0
    moves = carries or charges.impact.size > 0  # the price of ruin does
    cash = terms.capital
    flat = _Position(0, 0.0, 0.0, 0.0, 0.0, first, first, 0.0, False)
    position = flat
    order = _Order(0, first, _NONE)
    stop = _Stop(0.0, LIQUIDATION)
    ruin = 0.0
    extreme = 0.0
    ready = first
    measures = out.size > 0
    out[:] = np.nan
    if measures:
        out[BELOW_ONE_UNIT] = out[UNAFFORDABLE] = 0.0
    curve, tally = _empty_sums(cash)
    known = _Sums(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for t in range(1, first if measures else 0):
        known = _add_return(known, close[t] / close[t - 1] - 1.0)
    marks = _Marks(curve, known, curve, known)

    for t in range(first, last + 1):
        # The bar: what its prices close, else what it costs to be held.
        held = t - position.exposed_from + 1
        account = cash
        if position.side != 0:
            before = _impact(charges, t - 1)
            if moves or t == position.exposed_from:
                ruin = _ruin(position, cash, before, terms)
            if moves or rules.trails or t == position.exposed_from:
                stop = _tightest_stop(position, extreme, ruin, rules)
            fill, reason = _exit_within(bars, t, position, stop)
            if reason != _NONE:
                fill, cash, reason = _settle(position, cash, fill, before, reason, terms)
            else:
                extreme = _extend_extreme(bars, t, position.side, extreme)
                cash, eaten = _hold_one_bar(bars, charges, t, position, cash, terms)
                if eaten:
                    fill, cash, reason = close[t], 0.0, LIQUIDATION
            if reason != _NONE:
                left = _Exit(t, fill, cash - position.cash_before, reason, held)
                marks, tally = _close_trade(position, account, left, marks, tally, trades)
                position = flat
                order = _Order(0, order.signal_bar, order.reason)
                ready = t + cooldown

        # The close: what the signals ask for.
        code = signals[t]
        want = _wanted_side(code, rules)
        at_open = terms.next_open or not _real(open_, t)
        heard = not rules.gated or (order.goal == position.side and _hears(close, t, position, rules))
        leaves = order.goal != 0 and (
            want == -order.goal or (heard and (code & (EXIT_LONG if order.goal > 0 else EXIT_SHORT)) != 0)
        )
        timed_out = t >= _last_bar_held(position, rules, last + 1)
        may_enter = cooldown == 0 or (position.side == 0 and t >= ready)
        order = _decide(order, position.side, want, leaves, timed_out, may_enter, t)
        if t == last:
            stays = at_open or order.goal == position.side
            order = _Order(0, t, END_OF_DATA if stays else order.reason)

        # With fills at the next open the bar is marked before them, with fills at the close after them.
        ahead = at_open and t < last
        if ahead:
            equity[t - first] = value = _worth(position, cash, close[t])
            marks = _mark_close(close, t, position, value, marks, measures)
        bar = t + 1 if ahead else t
        filled = order.goal != position.side and (not ahead or _real(open_, bar))
        if filled:
            if position.side != 0:
                account = cash
                price, impact = _fill_price(bars, charges, bar, ahead)
                fill, cash, reason = _settle(position, cash, price, impact, order.reason, terms)
                left = _Exit(bar, fill, cash - position.cash_before, reason, held)
                marks, tally = _close_trade(position, account, left, marks, tally, trades)
                position = flat
                ready = bar + cooldown
            if order.goal != 0 and cash > 0.0:
                entry = _prepare_entry(bars, charges, estimates, order, bar, ahead, rules)
                refusal, opened, cash = _enter(entry, cash, funded, rules, terms)
                if refusal >= 0 and measures:
                    out[refusal] += 1.0
                if refusal == _TAKEN:
                    position = opened
                    extreme = position.entry
            order = _Order(position.side, order.signal_bar, order.reason)
        if not ahead:
            equity[t - first] = value = _worth(position, cash, close[t])
            marks = _mark_close(close, t, position, value, marks, measures)
    count = tally.closed
    if not measures:
        return count, False
    lost_at = trades[count - 1, EXIT_BAR] if count > 0 and cash <= 0.0 else np.nan
    return count, _figures(last + 1 - first, marks.curve, tally, lost_at, terms, out)


@borrowing
def measure(
    equity: Floats, capital: float, trades: Floats, count: int, periods_per_year: float, out: Floats
) -> None:
    """Metrics of one simulation, in the order of METRICS; NaN where undefined.

    Return metrics follow empyrical with a zero risk-free rate, on r[t] = equity[t] / equity[t - 1] - 1 with
    the capital before the first bar; returns after the account is lost are 0, and the three ratios of a lost
    account are undefined: a mean of returns knows nothing of ruin. With n bars and P periods a year:

        total_return   equity[n - 1] / capital - 1
        cagr           (1 + total_return) ** (P / n) - 1
        volatility     s(r) × √P, s the sample standard deviation (n - 1)
        sharpe_ratio   mean(r) / s(r) × √P; undefined when s is rounding noise, at most 1e-12 × |mean(r)|
        sortino_ratio  mean(r) × √P / √(mean(min(r, 0)²)); undefined when the root is rounding noise, as above
        max_drawdown   min over t of equity[t] / max(capital, equity[..t]) - 1, never positive
        calmar_ratio   cagr / |max_drawdown|; undefined when that is rounding noise, at most 1e-12
        exposure       bars a position was exposed to / n; what was sold in part is told by its last trade

    Trade metrics are per closed trade, fees and slippage included:

        profit_factor  sum of profits / |sum of losses|; undefined without a loss
        win_rate       share of trades with a profit above 0
        expectancy     mean profit in cash
        avg_trade, best_trade, worst_trade   of profit / (size × entry_price)

    backtesting.py differs: geometric mean and compounded deviation in its Sharpe ratio, trade returns without
    fees.

    Args:
        equity: n marks, one a bar.
        capital: the cash before the first bar.
        trades: rows as `simulate` writes them.
        count: how many rows.
        periods_per_year: bars a year.
        out: FIGURES values, written: the metrics, then the bar of the exit that took all, NaN without one.
            What a curve does not tell, entries not taken, is left as it is.
    """
    size = equity.size
    out[:BELOW_ONE_UNIT] = np.nan
    curve, tally = _empty_sums(capital)
    for t in range(size):
        curve = _mark(equity[t], curve)
    mean = curve.total / size
    variation = 0.0
    previous = capital
    for t in range(size):
        distance = _bar_return(equity[t], previous) - mean
        variation += distance * distance
        previous = equity[t]
    lost_at = np.nan
    if equity[size - 1] <= 0.0:  # only an exit takes all; a curve without trades just ends at nothing
        lost_at = trades[count - 1, EXIT_BAR] if count > 0 else size - 1.0
    _return_metrics(size, variation, curve, lost_at, capital, periods_per_year, out)
    for row in range(count):
        spent = trades[row, SIZE] * trades[row, ENTRY_PRICE]
        held = 0 if trades[row, REASON] == PARTIAL_TARGET else int(trades[row, BARS])
        tally = _add_trade(tally, trades[row, PROFIT], spent, held)
    _trade_metrics(size, tally, out)


# Fused: many configurations, events instead of bars.

BLOCK_FLOOR, BLOCK_CEILING, BLOCK_HIGH, BLOCK_LOW, BLOCK_TOP, BLOCK_BOTTOM = range(6)
BLOCK_IMPACT, BLOCK_FUNDING = range(2)

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_SHIFT = np.uint64(58)
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_PLACES = np.zeros(64, dtype=np.int64)
for _place in range(64):
    _PLACES[((0x03F79D71B4CB0A89 << _place) & (2**64 - 1)) >> 58] = _place


class _Wants(NamedTuple):
    """What a configuration's signals say, one bit a bar: entries that hold, and exits, reversals included."""

    enter_long: Words
    exit_long: Words
    enter_short: Words
    exit_short: Words


class _Cursors(NamedTuple):
    """The next bar with a signal of each kind, found before and kept until it is passed."""

    enter_long: int
    exit_long: int
    enter_short: int
    exit_short: int


class _Leaving(NamedTuple):
    """How a position ends if no level is touched.

    Attributes:
        end: the bar at whose close this is decided.
        reason: why.
        order: what was decided while the order to leave waited for a bar that was traded.
        waited: whether it waited.
    """

    end: int
    reason: int
    order: _Order
    waited: bool


class _Touch(NamedTuple):
    """How a level ends a position.

    Attributes:
        bar: the first bar that reaches a level; one behind the last searched when none does.
        stop: the tightest stop as this bar finds it.
        eaten: it is not a level but the cost of holding that took the whole account, at the bar's close.
    """

    bar: int
    stop: _Stop
    eaten: bool


@kernel
def _highest_charges(size: int, charges: Charges) -> Floats:
    """The charges of a layout; not a number where a charge is not known."""
    impact, funding = charges.impact, charges.funding
    count = (size + BLOCK - 1) // BLOCK if impact.size + funding.size > 0 else 0
    found = np.zeros((count, 2))
    for t in range(1, size if count > 0 else 0):
        row = found[t >> BLOCK_BITS]
        # What is not a number stays: nothing is above it.
        if impact.size > 0 and (impact[t - 1] > row[BLOCK_IMPACT] or math.isnan(impact[t - 1])):
            row[BLOCK_IMPACT] = impact[t - 1]
        if funding.size > 0 and (abs(funding[t]) > row[BLOCK_FUNDING] or math.isnan(funding[t])):
            row[BLOCK_FUNDING] = abs(funding[t])
    return found


@kernel
def lay_out(bars: Bars, charges: Charges) -> Layout:
    """What `trade_many` reads of one price history besides the prices: once for all configurations."""
    open_, high, low, close = bars.open, bars.high, bars.low, bars.close
    size = close.size
    floor = np.empty(size)
    ceiling = np.empty(size)
    blocks = np.empty(((size + BLOCK - 1) // BLOCK, 6))
    sums = np.empty((size, 6))
    known = _Sums(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for block in range(blocks.shape[0]):
        lowest = bottom = lowest_low = np.inf
        highest = top = highest_high = -np.inf
        for t in range(block * BLOCK, min(size, (block + 1) * BLOCK)):
            # A bar that was made up reaches nothing.
            floor[t] = min(open_[t], low[t]) if _real(open_, t) else np.inf
            ceiling[t] = max(open_[t], high[t]) if _real(open_, t) else -np.inf
            lowest = min(lowest, floor[t])
            highest = max(highest, ceiling[t])
            highest_high = max(highest_high, high[t])
            lowest_low = min(lowest_low, low[t])
            top = max(top, close[t])
            bottom = min(bottom, close[t])
            if t > 0:
                known = _add_return(known, close[t] / close[t - 1] - 1.0)
            sums[t, 0] = known.total
            sums[t, 1] = known.total_rest
            sums[t, 2] = known.squares
            sums[t, 3] = known.squares_rest
            sums[t, 4] = known.losses
            sums[t, 5] = known.losses_rest
        blocks[block, BLOCK_FLOOR] = lowest
        blocks[block, BLOCK_CEILING] = highest
        blocks[block, BLOCK_HIGH] = highest_high
        blocks[block, BLOCK_LOW] = lowest_low
        blocks[block, BLOCK_TOP] = top
        blocks[block, BLOCK_BOTTOM] = bottom
    return Layout(floor, ceiling, blocks, _highest_charges(size, charges), sums)


@step
def _next_bit(words: Words, start: int, stop: int) -> int:
    """Index of the first set bit from `start` to `stop`, both included; stop + 1 when there is none."""
    if start > stop:
        return stop + 1
    place = start >> 6
    last = stop >> 6
    word = words[place] >> np.uint64(start & 63) << np.uint64(start & 63)
    while word == _ZERO:
        place += 1
        if place > last:
            return stop + 1
        word = words[place]
    lowest = word & (~word + _ONE)
    found: int = min(stop + 1, (place << 6) + _PLACES[(lowest * _DE_BRUIJN) >> _SHIFT])
    return found


@step
def _following(words: Words, known: int, start: int, stop: int) -> int:
    """As `_next_bit`, where `known` came of an earlier call with a start not later and the same stop.

    Each word is so read once a configuration: without it a side that nothing leaves is searched to the end of
    the data at every trade.
    """
    return known if known >= start else _next_bit(words, start, stop)


@step
def _holds(words: Words, t: int) -> bool:
    """Whether a bar's bit is set."""
    return bool(words[t >> 6] >> np.uint64(t & 63) & _ONE != _ZERO)


@step
def _reaches(layout: Layout, t: int, lower: float, upper: float) -> bool:
    """Whether a bar reaches a level on either side."""
    return bool(layout.floor[t] <= lower or layout.ceiling[t] >= upper)


@step
def _levels(side: int, stop: float, target: float) -> tuple[float, float]:
    """The lower and the upper of two levels."""
    return (stop, target) if side > 0 else (target, stop)


@step
def _sums_at(sums: Floats, t: int) -> _Sums:
    """The sums up to a bar."""
    return _Sums(sums[t, 0], sums[t, 1], sums[t, 2], sums[t, 3], sums[t, 4], sums[t, 5])


@step
def _hold_by_blocks(history: History, position: _Position, cash: float, stop: int, curve: _Curve) -> _Curve:
    """As `_hold_through`, for a long that is all of the account.

    It moves as the price does, so its returns come from the sums, and a whole block's marks lie between those
    of its highest and its lowest close.
    """
    close, blocks = history.bars.close, history.layout.blocks
    units, start = position.units, position.bar
    curve = _mark(cash + units * close[start], curve)
    sums = history.layout.sums
    curve = _add_between(_sums_at(sums, start), _sums_at(sums, stop), curve)
    _, peak, trough, drawdown, total, squares, downside = curve
    t = start + 1
    while t <= stop:
        # Extremes of the whole block also bound those of a part of it.
        block = t >> BLOCK_BITS
        end = min(stop, (block << BLOCK_BITS) + BLOCK - 1)
        whole = end - t == BLOCK - 1
        highest = cash + units * blocks[block, BLOCK_TOP]
        lowest = cash + units * blocks[block, BLOCK_BOTTOM]
        if highest <= peak and (whole or lowest >= trough):
            trough = min(trough, lowest)
            t = end + 1
            continue
        if highest > peak:
            drawdown = _deepest(peak, trough, drawdown)
            trough = peak
            # No mark of the block can be a new drawdown, whatever the rounding.
            if whole and lowest > highest * (1.0 + drawdown) * (1.0 + 1e-15):
                peak = trough = highest
                t = end + 1
                continue
        while t <= end:
            value = cash + units * close[t]
            peak, trough, drawdown = _compare_with_peak(value, peak, trough, drawdown)
            t += 1
    return _Curve(cash + units * close[stop], peak, trough, drawdown, total, squares, downside)


@step
def _hold_through(history: History, position: _Position, cash: float, stop: int, curve: _Curve) -> _Curve:
    """The bars from a position's first to `stop`, at whose closes it is held for nothing, into the sums."""
    if _adds_from_sums(position, cash, stop):
        return _hold_by_blocks(history, position, cash, stop, curve)
    for t in range(position.bar, stop + 1):
        curve = _mark(_equity_at(position, cash, history.bars.close[t]), curve)
    return curve


@step
def _nothing_touches(
    history: History, position: _Position, cash: float, stop: _Stop, rules: _Rules, terms: Terms
) -> bool:
    """Whether no price ends a position: a long without debt and without levels."""
    return bool(
        position.side > 0
        and not (position.carries or rules.trails)
        and stop.level == -np.inf
        and position.target == np.inf
        and history.charges.impact.size == 0
        and not _owes(position.units, cash - terms.fixed_fee, position.entry)
    )


@step
def _are_quiet(
    history: History,
    first: int,
    second: int,
    position: _Position,
    cash: float,
    lower: float,
    upper: float,
    growth: float,
    terms: Terms,
) -> bool:
    """Whether no bar of two blocks reaches a level or the price of ruin, and no close takes all.

    Extremes of whole blocks also bound those of a part of them. Where holding costs both are the same block:
    cash falls by no more than BLOCK times the highest costs, and a debt grows by no more than `growth`.
    """
    blocks, charges = history.layout.blocks, history.layout.charges
    floor = min(blocks[first, BLOCK_FLOOR], blocks[second, BLOCK_FLOOR])
    ceiling = max(blocks[first, BLOCK_CEILING], blocks[second, BLOCK_CEILING])
    lowest, highest = floor, ceiling
    impact = 0.0
    if history.charges.impact.size > 0:
        # Not a number where either is not known.
        impact = charges[first, BLOCK_IMPACT]
        other = charges[second, BLOCK_IMPACT]
        if other > impact or math.isnan(other):
            impact = other
    if position.carries:
        top = blocks[first, BLOCK_TOP]
        rate = terms.borrowing
        if history.charges.funding.size > 0:
            rate += charges[first, BLOCK_FUNDING]
        cash -= BLOCK * rate * position.units * top
        if cash < 0.0:
            cash *= growth
        lowest = min(floor, blocks[first, BLOCK_BOTTOM])
        highest = max(ceiling, top)
    return bool(
        (floor > lower) & (ceiling < upper) & _ruin_is_far(lowest, highest, position, cash, impact, terms)
    )


@step
def _walk(
    history: History,
    position: _Position,
    cash: float,
    rules: _Rules,
    terms: Terms,
    last: int,
    stop: int,
    curve: _Curve,
) -> tuple[_Touch, float, _Curve]:
    """Find the first bar up to `last` that ends a position; where holding costs, `_hold_through` on the way.

    Whole blocks of bars that reach nothing are passed at once.

    Returns:
        The touch; cash, from which holding is paid at each close of a bar that the position is exposed to
        before the touch; and the sums, where holding costs those of the marks up to `stop` too.
    """
    bars, charges, layout = history.bars, history.charges, history.layout
    side, target, close, carries = position.side, position.target, bars.close, position.carries
    growth = (1.0 + terms.interest) ** BLOCK
    extreme = position.entry
    fixed = _fixed_stop(position, -side * np.inf, rules)
    if _nothing_touches(history, position, cash, fixed, rules, terms):
        return _Touch(last + 1, fixed, False), cash, curve
    tightest = _followed_stop(position, extreme, fixed, rules)
    touched = eaten = False
    t = position.exposed_from
    if not (carries or rules.trails) and (last >> BLOCK_BITS) - (t >> BLOCK_BITS) <= 1:
        # A short trade lies in one block or in two: to look at both costs less than a jump nobody foresees.
        lower, upper = _levels(side, fixed.level, target)
        first, second = t >> BLOCK_BITS, last >> BLOCK_BITS
        if _are_quiet(history, first, second, position, cash, lower, upper, growth, terms):
            return _Touch(last + 1, fixed, False), cash, curve
    if carries and position.bar < min(t, stop + 1):
        curve = _mark(_equity_at(position, cash, close[position.bar]), curve)
    while t <= last and not touched:
        # No bar can touch the stop as it stands after all of them.
        block = t >> BLOCK_BITS
        end = min(last, (block << BLOCK_BITS) + BLOCK - 1)
        reached, tight = extreme, tightest
        if rules.trails:
            reach = layout.blocks[block, BLOCK_HIGH if side > 0 else BLOCK_LOW]
            reached = max(extreme, reach) if side > 0 else min(extreme, reach)
            tight = _followed_stop(position, reached, fixed, rules)
        lower, upper = _levels(side, tight.level, target)
        quiet = (end <= stop or not carries) and _are_quiet(
            history, block, block, position, cash, lower, upper, growth, terms
        )
        if quiet and (not rules.trails or end - t == BLOCK - 1):
            if carries:
                for bar in range(t, end + 1):
                    cash = _cash_after_holding(charges, bar, position, cash, close[bar], terms)
                    curve = _mark(_equity_at(position, cash, close[bar]), curve)
            extreme, tightest = reached, tight
            t = end + 1
            continue
        while t <= end:
            impact = _impact(charges, t - 1)
            lower, upper = _levels(side, tightest.level, target)
            if not quiet and (
                _reaches(layout, t, lower, upper)
                or not _ruin_is_far(layout.floor[t], layout.ceiling[t], position, cash, impact, terms)
            ):
                exact = _tightest_stop(position, extreme, _ruin(position, cash, impact, terms), rules)
                lower, upper = _levels(side, exact.level, target)
                if _reaches(layout, t, lower, upper):
                    tightest = exact
                    touched = True
                    break
            if rules.trails:
                further = _extend_extreme(bars, t, side, extreme)
                if further != extreme:
                    extreme = further
                    tightest = _followed_stop(position, extreme, fixed, rules)
            if carries:
                cash, eaten = _hold_one_bar(bars, charges, t, position, cash, terms)
                if eaten:
                    touched = True
                    break
                if t <= stop:
                    curve = _mark(_equity_at(position, cash, close[t]), curve)
            t += 1
    return _Touch(t if touched else last + 1, tightest, eaten), cash, curve


@part
def _touched_at(
    history: History, position: _Position, cash: float, rules: _Rules, terms: Terms, last: int
) -> int:
    """The bar that `_walk` finds."""
    nothing, _ = _empty_sums(cash)
    return _walk(history, position, cash, rules, terms, last, last, nothing)[0].bar


@part
def _gather(words: Words, rows: NDArray[np.int32], out: Words) -> None:
    """Where every condition in `rows` holds; nowhere when there is none. Negative rows fill up the list."""
    nothing = rows[0] < 0
    for word in range(out.size):
        out[word] = _ZERO if nothing else words[rows[0], word]
    if nothing:
        return
    for place in range(1, rows.size):
        if rows[place] < 0:
            break
        row = words[rows[place]]
        for word in range(out.size):
            out[word] &= row[word]


@part
def _resolve_conflicts(wants: _Wants, gated: bool) -> None:
    """Of conditions make what is wanted, in word: the rules of `_wanted_side`; an opposite entry leaves."""
    enter_long, exit_long, enter_short, exit_short = wants
    for word in range(enter_long.size):
        up = enter_long[word] if gated else enter_long[word] & ~exit_long[word]
        down = enter_short[word] if gated else enter_short[word] & ~exit_short[word]
        enter_long[word] = up & ~down
        enter_short[word] = down & ~up
        exit_long[word] |= down & ~up
        exit_short[word] |= up & ~down


@part
def _wait(
    bars: Bars, wants: _Wants, position: _Position, order: _Order, start: int, timed_out: int, rules: _Rules
) -> tuple[int, _Order]:
    """What is decided at the closes of made-up bars from `start` on, while an order waits.

    Returns:
        The bar at whose open the order is filled (one behind the last for none), and what it then is.
    """
    t, open_, side, cooldown = start, bars.open, position.side, rules.cooldown
    while t < open_.size and not _real(open_, t):
        want = 0
        if _holds(wants.enter_long, t):
            want = 1
        elif _holds(wants.enter_short, t):
            want = -1
        leaves = order.goal != 0 and _holds(wants.exit_long if order.goal > 0 else wants.exit_short, t)
        if leaves and rules.gated and want != -order.goal:
            leaves = order.goal == side and _hears(bars.close, t, position, rules)
        order = _decide(order, side, want, leaves, t >= timed_out, cooldown == 0 or side == 0, t)
        t += 1
    return t, order


@step
def _next_entry(wants: _Wants, cursors: _Cursors, t: int, last: int) -> tuple[_Cursors, int, int]:
    """The first bar from `t` on, before the last, that enters, and the side; `last` or more for none."""
    up = _following(wants.enter_long, cursors.enter_long, t, last - 1)
    down = _following(wants.enter_short, cursors.enter_short, t, last - 1)
    cursors = _Cursors(up, cursors.exit_long, down, cursors.exit_short)
    return cursors, min(up, down), 1 if up <= down else -1


@step
def _next_exit(wants: _Wants, cursors: _Cursors, position: _Position, last: int) -> tuple[_Cursors, int]:
    """The first bar that a position is exposed to whose signal leaves it."""
    if position.side > 0:
        at = _following(wants.exit_long, cursors.exit_long, position.exposed_from, last)
        return _Cursors(cursors.enter_long, at, cursors.enter_short, cursors.exit_short), at
    at = _following(wants.exit_short, cursors.exit_short, position.exposed_from, last)
    return _Cursors(cursors.enter_long, cursors.exit_long, cursors.enter_short, at), at


@step
def _opposite(wants: _Wants, side: int, t: int) -> bool:
    """Whether a bar's signal enters the other side."""
    return _holds(wants.enter_short if side > 0 else wants.enter_long, t)


@part
def _next_heard(bars: Bars, wants: _Wants, position: _Position, rules: _Rules, start: int, stop: int) -> int:
    """The first bar from `start` to `stop` whose signal leaves a position; one behind `stop` for none."""
    words = wants.exit_long if position.side > 0 else wants.exit_short
    t = _next_bit(words, start, stop)
    while t <= stop and not (_opposite(wants, position.side, t) or _hears(bars.close, t, position, rules)):
        t = _next_bit(words, t + 1, stop)
    return t


@part
def _gated_exit(
    history: History,
    wants: _Wants,
    position: _Position,
    cash: float,
    rules: _Rules,
    terms: Terms,
    signal_at: int,
) -> int:
    """`_next_exit` where exits are not always heard, looked for no further than twice as far as a level lies.

    Else every short trade would go through all exit signals behind it that are not heard.
    """
    last = history.bars.open.size - 1
    latest = min(last, _last_bar_held(position, rules, last + 1))
    start, span = max(signal_at, position.exposed_from), 4 * BLOCK
    while start <= latest:
        stop = min(start + span, latest)
        at = _next_heard(history.bars, wants, position, rules, start, stop)
        if at <= stop:
            return at
        if _touched_at(history, position, cash, rules, terms, stop) <= stop:
            break
        start, span = stop + 1, 2 * span
    return last + 1


@step
def _plan_exit(
    bars: Bars, wants: _Wants, position: _Position, signal_at: int, rules: _Rules, terms: Terms
) -> _Leaving:
    """When and why a position ends at the latest; `signal_at` is the first bar whose signal leaves it."""
    open_ = bars.open
    side = position.side
    last = open_.size - 1
    timed_out = _last_bar_held(position, rules, last + 1)
    end = min(min(signal_at, last), timed_out)
    order = _Order(side, position.bar, _NONE)
    waited = False
    while end < last and not _real(open_, end + 1) and (terms.next_open or not _real(open_, end)):
        # The order to leave waits; what is decided meanwhile may call it off.
        goal = -side if rules.cooldown == 0 and _opposite(wants, side, end) else 0
        order = _Order(goal, end, SIGNAL if signal_at == end else MAX_BARS)
        filled_at, order = _wait(bars, wants, position, order, end + 1, timed_out, rules)
        if filled_at > last:
            end = last
        elif order.goal != side:
            end = filled_at - 1
            waited = True
            break
        else:
            if rules.gated:
                signal_at = _next_heard(bars, wants, position, rules, filled_at, last)
            else:
                signal_at = _next_bit(wants.exit_long if side > 0 else wants.exit_short, filled_at, last)
            timed_out = max(timed_out, filled_at)
            end = min(min(signal_at, last), timed_out)
    reason = order.reason if waited else SIGNAL if signal_at == end else MAX_BARS
    if end == last and (terms.next_open or not _real(open_, end) or (signal_at != end and timed_out != end)):
        reason = END_OF_DATA
    return _Leaving(end, reason, order, waited)


@step
def _after_signal(
    wants: _Wants, leaving: _Leaving, side: int, exit_bar: int, cooldown: int, last: int
) -> tuple[int, int]:
    """The bar to go on from after an exit that a close decided, and the side it reverses to, 0 for none."""
    end, order = leaving.end, leaving.order
    if cooldown > 0:
        return max(end + 1, exit_bar + cooldown), 0
    if leaving.waited:
        return order.signal_bar if order.goal != 0 else end + 1, order.goal
    if end < last and _opposite(wants, side, end):
        return end, -side
    return end + 1, 0


class _Progress(NamedTuple):
    """How far a configuration has been traded, while it is flat.

    Attributes:
        t: the bar to go on from.
        reverse: the side that this bar's signal enters after a reversal; 0 to look for the next entry.
        unmarked: a bar whose close finds the account flat after an exit, not marked yet; -1 for none.
        cash: the account.
        curve: sums of its marks.
        tally: sums of its trades.
        cursors: signals found before.
    """

    t: int
    reverse: int
    unmarked: int
    cash: float
    curve: _Curve
    tally: _Tally
    cursors: _Cursors


_KEPT = 23
"""Numbers in a `_Progress`."""


@step
def _begin(terms: Terms, out: Floats) -> _Progress:
    """A configuration before its first bar."""
    out[:] = np.nan
    out[BELOW_ONE_UNIT] = out[UNAFFORDABLE] = 0.0
    curve, tally = _empty_sums(terms.capital)
    return _Progress(terms.first, 0, -1, terms.capital, curve, tally, _Cursors(-1, -1, -1, -1))


@step
def _keep(progress: _Progress, row: Floats) -> None:
    """Write it down."""
    curve, tally, cursors = progress.curve, progress.tally, progress.cursors
    row[0], row[1], row[2], row[3] = progress.t, progress.reverse, progress.unmarked, progress.cash
    row[4], row[5], row[6], row[7] = curve.previous, curve.peak, curve.trough, curve.drawdown
    row[8], row[9], row[10] = curve.total, curve.squares, curve.downside
    row[11], row[12], row[13], row[14] = tally.closed, tally.wins, tally.gains, tally.losses
    row[15], row[16], row[17], row[18] = tally.exposed, tally.returns, tally.best, tally.worst
    row[19], row[20] = cursors.enter_long, cursors.exit_long
    row[21], row[22] = cursors.enter_short, cursors.exit_short


@step
def _kept(row: Floats) -> _Progress:
    """What `_keep` wrote."""
    return _Progress(
        int(row[0]),
        int(row[1]),
        int(row[2]),
        row[3],
        _Curve(row[4], row[5], row[6], row[7], row[8], row[9], row[10]),
        _Tally(int(row[11]), int(row[12]), row[13], row[14], int(row[15]), row[16], row[17], row[18]),
        _Cursors(int(row[19]), int(row[20]), int(row[21]), int(row[22])),
    )


@step
def _finish(progress: _Progress, size: int, terms: Terms, out: Floats) -> bool:
    """The figures; False where rounding leaves too little of the variance."""
    curve, cash, unmarked = progress.curve, progress.cash, progress.unmarked
    if unmarked >= 0:
        curve = _mark(cash, curve)
    # Whose cash is gone has just made the last exit.
    return _figures(size, curve, progress.tally, float(unmarked) if cash <= 0.0 else np.nan, terms, out)


@step
def _trade_until(
    progress: _Progress,
    until: int,
    history: History,
    wants: _Wants,
    estimates: Estimates,
    rules: _Rules,
    terms: Terms,
    out: Floats,
    trades: Floats,
) -> _Progress:
    """Trade one configuration on: entries before the bar `until`, each to its exit, however far that is."""
    bars, charges = history.bars, history.charges
    open_ = bars.open
    last = open_.size - 1
    cooldown = rules.cooldown
    funded = charges.funding.size > 0
    recording = trades.shape[0] > 0
    flat = _Position(0, 0.0, 0.0, 0.0, 0.0, terms.first, terms.first, 0.0, False)
    t, reverse, unmarked, cash, curve, tally, cursors = progress
    while cash > 0.0 and t < until:
        # Flat: jump to the next entry; after a reversal it is the opposite one of this very bar.
        side = reverse
        reverse = 0
        if side == 0:
            cursors, t, side = _next_entry(wants, cursors, t, last)
            if t >= until:
                break
        at_open = terms.next_open or not _real(open_, t)
        bar = t + 1 if at_open else t
        order = _Order(side, t, _NONE)
        if at_open and not _real(open_, bar):
            bar, order = _wait(bars, wants, flat, order, bar, last, rules)
            if order.goal == 0 or bar > last:
                t = min(bar, last)
                continue
        entry = _prepare_entry(bars, charges, estimates, order, bar, at_open, rules)
        refusal, position, after = _enter(entry, cash, funded, rules, terms)
        if refusal != _TAKEN:
            if refusal != _UNKNOWN:
                out[refusal] += 1.0
            t = max(t + 1, bar)
            continue
        if unmarked >= 0 and unmarked != bar:
            curve = _mark(cash, curve)
        cash = after

        # In the market: until a level is touched, or else until the close that decides to leave.
        cursors, signal_at = _next_exit(wants, cursors, position, last)
        if rules.gated:
            signal_at = _gated_exit(history, wants, position, cash, rules, terms, signal_at)
        leaving = _plan_exit(bars, wants, position, signal_at, rules, terms)
        end = leaving.end
        ahead = end < last and (terms.next_open or not _real(open_, end))
        stop = end if ahead else end - 1
        touch, cash, curve = _walk(history, position, cash, rules, terms, end, stop, curve)
        touched = touch.bar <= end
        if touched:
            end = exit_bar = touch.bar
            price, reason = _exit_within(bars, end, position, touch.stop)
            impact = _impact(charges, end - 1)
            t = end + cooldown
        else:
            exit_bar = stop + 1
            price, impact = _fill_price(bars, charges, exit_bar, ahead)
            reason = leaving.reason
            t, reverse = _after_signal(wants, leaving, position.side, exit_bar, cooldown, last)

        if not position.carries and exit_bar > bar:
            curve = _hold_through(history, position, cash, exit_bar - 1, curve)
        if touch.eaten:
            fill, cash, reason = bars.close[end], 0.0, LIQUIDATION
        else:
            fill, cash, reason = _settle(position, cash, price, impact, reason, terms)
        unmarked = exit_bar
        held = end - position.exposed_from + 1
        profit = cash - position.cash_before
        if recording:
            _record(trades, tally.closed, position, _Exit(exit_bar, fill, profit, reason, held))
        tally = _add_trade(tally, profit, position.units * position.entry, held)

    return _Progress(t, reverse, unmarked, cash, curve, tally, cursors)


@step
def _wants(room: Words) -> _Wants:
    """Four rows by name."""
    return _Wants(room[0], room[1], room[2], room[3])


@step
def _gather_wants(words: Words, rows: NDArray[np.int32], gated: bool, room: Words) -> None:
    """What a configuration's signals say, written into 4 rows as wide as `words`."""
    wants = _wants(room)
    _gather(words, rows[0], wants.enter_long)
    _gather(words, rows[1], wants.exit_long)
    _gather(words, rows[2], wants.enter_short)
    _gather(words, rows[3], wants.exit_short)
    _resolve_conflicts(wants, gated)


@step
def _trade_by_rules(
    number: int,
    progress: _Progress,
    until: int,
    history: History,
    room: Words,
    estimates: EstimateTable,
    rules: _Rules,
    terms: Terms,
    out: Floats,
    trades: Floats,
) -> _Progress:
    """As `_trade_until`, a configuration of many, by the code for its rules; `room` holds what it wants."""
    wants = _wants(room)
    own = Estimates(
        estimates.atr[estimates.atr_rows[number]], estimates.volatility[estimates.volatility_rows[number]]
    )
    charges = history.charges
    if _is_plain(rules, charges, terms):
        nothing = Charges(charges.impact[:0], charges.funding[:0])
        history = History(history.bars, history.layout, nothing)
        plain = Terms(
            terms.first,
            True,
            terms.capital,
            terms.fee,
            0.0,
            terms.slippage,
            0.0,
            0.0,
            terms.maintenance,
            terms.periods_per_year,
        )
        return _trade_until(progress, until, history, wants, own, _plain_rules(rules), plain, out, trades)
    return _trade_until(progress, until, history, wants, own, rules, terms, out, trades)


@step
def trade_number(
    number: int,
    history: History,
    words: Words,
    rows: NDArray[np.int32],
    estimates: EstimateTable,
    settings: Floats,
    terms: Terms,
    out: Floats,
    settled: NDArray[np.bool_],
    trades: Floats,
    room: Words,
) -> None:
    """One configuration of `trade_many`: a thread's part on a graphics card.

    Args as there, and
        number: which configuration.
        room: 4 rows as wide as `words`, written.
    """
    size = history.bars.open.size
    rules = _read_settings(settings[number])
    _gather_wants(words, rows[number], rules.gated, room)
    progress = _begin(terms, out[number])
    progress = _trade_by_rules(
        number, progress, size - 1, history, room, estimates, rules, terms, out[number], trades
    )
    settled[number] = _finish(progress, size - terms.first, terms, out[number])


TILE = 1 << 12
"""Bars: what is read of them fits the processor's second cache."""

TOGETHER = 32
"""Configurations traded tile by tile: what they read of a tile comes from memory once for all of them."""


@kernel
def trade_many(
    history: History,
    words: Words,
    rows: NDArray[np.int32],
    estimates: EstimateTable,
    settings: Floats,
    terms: Terms,
    out: Floats,
    settled: NDArray[np.bool_],
    trades: Floats,
) -> None:
    """`simulate` and `measure` for many configurations on one price history, by events instead of bars.

    While it is flat a configuration jumps to the next bar with an entry signal; in the market, to the next
    exit signal, unless a level is touched before, which whole blocks of bars rule out at once. A position
    whose price of ruin moves is walked bar by bar: levels, costs and marks in one pass. Trades equal those of
    `simulate` to the bit; metrics equal those of `measure` to about 1e-12, as sums of returns come from sums
    over the price history. Where the variance is small beside the mean (nearly equal returns on every bar)
    such sums do not tell it, and `settled` says so: `measure` must decide.

    Args:
        history: prices of n bars, laid out.
        words: one row a condition, one bit a bar, 64 bars a word; bits beyond the data are 0.
        rows: m × 4 × k: for each configuration, and for entry_long, exit_long, entry_short and exit_short,
            the rows of `words` that must all hold; -1 fills up.
        estimates: n values a row, and m rows of it each.
        settings: m × SETTINGS.
        terms: what all configurations share.
        out: m × FIGURES, written as by `measure`.
        settled: m, written: whether the row of `out` can be trusted.
        trades: with n rows, the trades of the last configuration are written; with none, no trades are.
    """
    size, width = history.bars.open.size, words.shape[1]
    together = TOGETHER if size - terms.first > TILE and trades.shape[0] == 0 else 1
    room = np.empty((together, 4, width), dtype=np.uint64)
    kept = np.empty((together, _KEPT))
    for start in range(0, rows.shape[0], together):
        some = range(start, min(rows.shape[0], start + together))
        for number in some:
            gated = _read_settings(settings[number]).gated
            _gather_wants(words, rows[number], gated, room[number - start])
            _keep(_begin(terms, out[number]), kept[number - start])
        until = terms.first
        while until < size - 1:
            until = min(size - 1, until + (TILE if together > 1 else size))
            for number in some:
                row = kept[number - start]
                progress = _trade_by_rules(
                    number,
                    _kept(row),
                    until,
                    history,
                    room[number - start],
                    estimates,
                    _read_settings(settings[number]),
                    terms,
                    out[number],
                    trades,
                )
                _keep(progress, row)
        for number in some:
            settled[number] = _finish(_kept(kept[number - start]), size - terms.first, terms, out[number])
