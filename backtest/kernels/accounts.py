"""One account over many instruments: target weights in, equity, orders and trades out, bar by bar."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtest.kernels.compile import kernel
from backtest.kernels.simulation import (
    BARS,
    END_OF_DATA,
    ENTRY_BAR,
    ENTRY_PRICE,
    EXIT_BAR,
    EXIT_PRICE,
    LIQUIDATION,
    PROFIT,
    REASON,
    SIDE,
    SIGNAL,
    SIZE,
    TRADE_COLUMNS,
    Floats,
    Terms,
)

Whole = NDArray[np.int64]

ORDER_ROW, ORDER_WHICH, ORDER_UNITS, ORDER_PRICE, ORDER_FEE, ORDER_REASON = range(6)
ORDER_COLUMNS = 6
_ORDERS, _TRADES, _EXPOSED, _UNPAID = range(4)
COUNTS = 4

_AT_TARGET = 1e-9
"""Share of the account below which a position counts as being where it should be."""
_NOISE = 1e-12
_STEPS = 200


class Panel(NamedTuple):
    """Prices of n instruments at t times, t × n each; NaN where an instrument has no bar.

    Attributes:
        open: NaN at bars that were made up as well: nothing is filled there.
        close: what positions are worth.
        impact: by which fills move the price besides slippage, known at the close; NaN where it is not yet.
        funding: what longs pay to shorts at the close, as a fraction of the position; 0 for none.
    """

    open: Floats
    close: Floats
    impact: Floats
    funding: Floats


class Limits(NamedTuple):
    """What the account may do besides `Terms`.

    Attributes:
        leverage: value of all positions at most, shorts counted as positive, in multiples of the account.
        cash_yield: fraction that own money which is in no long earns from one time to the next.
        whole: trade whole units only, towards zero.
    """

    leverage: float
    cash_yield: float
    whole: bool


class Account(NamedTuple):
    """What `hold_weights` writes.

    Attributes:
        equity: t values, after everything at each time.
        units: t × n, held then.
        trades: rows as `backtest.kernels.simulation.simulate` writes them; size is all that was opened, the
            prices are means.
        traded: the instrument of each.
        orders: rows of ORDER_COLUMNS.
        carried: by instrument, cash paid for borrowing and funding.
        counts: orders, trades, times with a position, instructions whose costs the account could not pay.
    """

    equity: Floats
    units: Floats
    trades: Floats
    traded: Whole
    orders: Floats
    carried: Floats
    counts: Whole


class _State(NamedTuple):
    """What is held between two bars, one value an instrument.

    Attributes:
        units: held, shorts negative.
        mark: last known price; 0 before the first.
        impact: of the last bar.
        pending: instruction that waits, NaN for none.
        begun: row in which the open trade began.
        exposed_from: first row that it is exposed to.
        opened: units opened so far.
        paid: what they were worth at their fills.
        closed: units closed so far.
        received: what those were worth at theirs.
        profit: cash that the trade has made so far.
        chosen: what is being traded now.
    """

    units: Floats
    mark: Floats
    impact: Floats
    pending: Floats
    begun: Whole
    exposed_from: Whole
    opened: Floats
    paid: Floats
    closed: Floats
    received: Floats
    profit: Floats
    chosen: NDArray[np.bool_]


@kernel
def _order(
    state: _State,
    account: Account,
    i: int,
    units: float,
    fill: float,
    fee: float,
    row: int,
    last: int,
    reason: int,
) -> None:
    """Write one order, and what it does to the instrument's trade; `last` is the last row that was held."""
    counts = account.counts
    number = counts[_ORDERS]
    account.orders[number, ORDER_ROW] = row
    account.orders[number, ORDER_WHICH] = i
    account.orders[number, ORDER_UNITS] = units
    account.orders[number, ORDER_PRICE] = fill
    account.orders[number, ORDER_FEE] = fee
    account.orders[number, ORDER_REASON] = reason
    counts[_ORDERS] += 1
    before = state.units[i]
    rest = units
    if before * units < 0.0:
        size = min(abs(before), abs(units))
        part = size if units > 0.0 else -size
        # A fixed fee goes with the proportional one; a position that turns round pays it once.
        share = fee * size / abs(units)
        state.closed[i] += size
        state.received[i] += size * fill
        state.profit[i] -= part * fill + share
        rest = units - part
        fee -= share
        if size == abs(before):
            number = counts[_TRADES]
            trade = account.trades[number]
            trade[SIDE] = 1.0 if before > 0.0 else -1.0
            trade[ENTRY_BAR] = state.begun[i]
            trade[ENTRY_PRICE] = state.paid[i] / state.opened[i]
            trade[EXIT_BAR] = row
            trade[EXIT_PRICE] = state.received[i] / state.closed[i]
            trade[SIZE] = state.opened[i]
            trade[PROFIT] = state.profit[i]
            trade[REASON] = reason
            trade[BARS] = last - state.exposed_from[i] + 1
            account.traded[number] = i
            counts[_TRADES] += 1
            before = 0.0
            state.opened[i] = state.paid[i] = state.closed[i] = state.received[i] = state.profit[i] = 0.0
        else:
            before += part
    if rest != 0.0:
        if before == 0.0:
            state.begun[i] = row
            state.exposed_from[i] = last + 1
        state.opened[i] += abs(rest)
        state.paid[i] += abs(rest) * fill
        state.profit[i] -= rest * fill + fee
    state.units[i] = before + rest


@kernel
def _value(state: _State, cash: float) -> float:
    """What the account is worth."""
    value = cash
    for i in range(state.units.size):
        value += state.units[i] * state.mark[i]
    return value


@kernel
def _gross(state: _State) -> float:
    """What its positions are worth, shorts counted as positive."""
    gross = 0.0
    for i in range(state.units.size):
        gross += abs(state.units[i]) * state.mark[i]
    return gross


@kernel
def _fill_price(units: float, price: float, impact: float, terms: Terms) -> float:
    """The price of a fill: moved against the trade, and no sale below 0."""
    if units > 0.0:
        return price * (1.0 + terms.slippage) + impact
    return max(0.0, price * (1.0 - terms.slippage) - impact)


@kernel
def _close_all(state: _State, account: Account, cash: float, row: int, reason: int, terms: Terms) -> float:
    """Close every position at its last known price; cash afterwards.

    The account gives no more than it has: what would take more is filled at prices that take all of it, moved
    in its favour by the same fraction for every position.
    """
    after = cash
    gross = 0.0
    for i in range(state.units.size):
        held = state.units[i]
        if held != 0.0:
            moved = 0.0 if np.isnan(state.impact[i]) else state.impact[i]
            fill = _fill_price(-held, state.mark[i], moved, terms)
            after += held * fill - abs(held) * fill * terms.fee - terms.fixed_fee
            gross += abs(held) * state.mark[i]
    spared = -after / gross if after < 0.0 else 0.0
    for i in range(state.units.size):
        held = state.units[i]
        if held != 0.0:
            moved = 0.0 if np.isnan(state.impact[i]) else state.impact[i]
            fill = _fill_price(-held, state.mark[i], moved, terms)
            fee = abs(held) * fill * terms.fee + terms.fixed_fee
            fill += (spared if held > 0.0 else -spared) * state.mark[i]
            _order(state, account, i, -held, fill, fee, row, row, reason)
        state.pending[i] = np.nan
    return max(after, 0.0)


@kernel
def _costs_of(state: _State, prices: Floats, scale: float, terms: Terms) -> float:
    """What it costs to bring the chosen instruments to `scale` × their weights, fixed fees aside."""
    costs = 0.0
    for i in range(state.units.size):
        if state.chosen[i]:
            units = state.pending[i] * scale / prices[i] - state.units[i]
            fill = _fill_price(units, prices[i], state.impact[i], terms)
            costs += units * (fill - prices[i]) + abs(units) * fill * terms.fee
    return costs


@kernel
def _scale(worth: float, total: float, others: float, limits: Limits) -> float:
    """The value that a weight of 1 stands for: the account's, or less where leverage ends."""
    if total <= 0.0:
        return worth
    return min(worth, max(0.0, limits.leverage * worth - others) / total)


@kernel
def _rebalance(
    state: _State,
    account: Account,
    cash: float,
    prices: Floats,
    row: int,
    at_open: bool,
    terms: Terms,
    limits: Limits,
) -> float:
    """Carry out what waits and can be traded; cash afterwards.

    Weights are of the account after the costs of this very rebalancing: x = value - costs(x) has one solution
    since costs are a small fraction of what is traded; it is approached from a bracket.
    """
    size = state.units.size
    worth = _value(state, cash)
    total = 0.0
    others = _gross(state)
    for i in range(size):
        state.chosen[i] = not (np.isnan(state.pending[i]) or np.isnan(prices[i]) or np.isnan(state.impact[i]))
        if state.chosen[i]:
            total += abs(state.pending[i])
            others -= abs(state.units[i]) * state.mark[i]
    scale = _scale(worth, total, max(0.0, others), limits)
    fixed = 0.0
    trading = 0
    total = 0.0
    others = _gross(state)
    for i in range(size):
        if state.chosen[i]:
            distance = abs(state.pending[i] * scale - state.units[i] * prices[i])
            leaves = state.pending[i] == 0.0 and state.units[i] != 0.0
            if distance <= _AT_TARGET * worth and not leaves:
                state.chosen[i] = False
                state.pending[i] = np.nan
                continue
            fixed += terms.fixed_fee
            trading += 1
            total += abs(state.pending[i])
            others -= abs(state.units[i]) * state.mark[i]
    if trading == 0:
        return cash
    others = max(0.0, others)
    before = worth - fixed
    low, high, after = 0.0, before, before
    for _ in range(_STEPS):
        found = before - _costs_of(state, prices, _scale(after, total, others, limits), terms)
        if abs(found - after) <= 1e-15 * before:
            break
        if found < after:
            high = after
        else:
            low = after
        after = found if low < found < high else 0.5 * (low + high)
    if before <= 0.0 or not after > _NOISE * worth:
        for i in range(size):
            if state.chosen[i]:
                state.pending[i] = np.nan
        account.counts[_UNPAID] += trading
        return cash
    scale = _scale(after, total, others, limits)
    for i in range(size):
        if state.chosen[i]:
            target = state.pending[i] * scale / prices[i]
            if limits.whole:
                target = np.trunc(target)
            units = target - state.units[i]
            state.pending[i] = np.nan
            if units == 0.0:
                continue
            fill = _fill_price(units, prices[i], state.impact[i], terms)
            fee = abs(units) * fill * terms.fee + terms.fixed_fee
            cash -= units * fill + fee
            _order(state, account, i, units, fill, fee, row, row - 1 if at_open else row, SIGNAL)
            state.units[i] = target
    return cash


@kernel
def _hold(
    state: _State, account: Account, panel: Panel, cash: float, row: int, terms: Terms, limits: Limits
) -> float:
    """Cash after what one row costs and earns: interest or yield of cash, borrowing and funding."""
    own = cash
    for i in range(state.units.size):
        if state.units[i] < 0.0:
            own += state.units[i] * state.mark[i]
    if own > 0.0:
        cash += own * limits.cash_yield
    elif -own > _NOISE * _gross(state):
        cash += own * terms.interest
    for i in range(state.units.size):
        if state.units[i] != 0.0 and not np.isnan(panel.close[row, i]):
            value = state.units[i] * state.mark[i]
            paid = panel.funding[row, i] * value
            if value < 0.0:
                paid -= terms.borrowing * value
            cash -= paid
            state.profit[i] -= paid
            account.carried[i] += paid
    return cash


@kernel
def _ruined(state: _State, cash: float, terms: Terms) -> bool:
    """Whether the account is worth no more than its positions must be covered with."""
    gross = _gross(state)
    return gross > 0.0 and _value(state, cash) <= terms.maintenance * gross


@kernel
def hold_weights(panel: Panel, weights: Floats, terms: Terms, limits: Limits, account: Account) -> None:
    """Trade target weights of many instruments with one account.

    Rules, in the order in which a time applies them:

    1. At the open, with `next_open`: the account is valued at the opens of those that have a bar, at the last
       closes of the others. What earlier closes asked for is traded at the opens, all instruments at once. An
       instrument without a bar cannot trade: its instruction waits for its next bar, or a newer instruction.
    2. A weight is the share of the account that a position is worth when it has been traded: of what is left
       after the costs of that rebalancing. No instruction (NaN) leaves a position as it is. Where positions
       would be worth more than `leverage` × the account, those that are traded are made smaller by the same
       fraction. What is at its target to 1e-9 of the account is not traded.
    3. At the close: own money in no long earns `cash_yield` (the proceeds of shorts are no own money; where
       longs are worth more than the account, the difference pays `interest`). An instrument with a bar pays
       `funding` of a long's value, `borrowing` less `funding` of a short's.
    4. With fills at the close, this row's instructions and those that wait are traded at the closes.
    5. An account that is worth no more than `maintenance` × its positions, at an open or a close, is
       liquidated: everything is closed at the last known prices, instruments without a bar too. At zero it is
       lost: no exit takes more than there is, and nothing is traded afterwards.
    6. At the last time everything is closed at the last known prices: `end_of_data`.

    Fills move against the trade by `slippage` of the price and the `impact`; fees are a fraction of the
    notional of each fill and a fixed amount.

    Args:
        panel: prices, t × n.
        weights: t × n, NaN is no instruction: known at the close of their row.
        terms: costs and capital; `first` and `periods_per_year` are not read.
        limits: leverage, yield, whole units.
        account: written; room for two orders and one trade an instruction.
    """
    times, size = panel.close.shape
    state = _State(
        np.zeros(size),
        np.zeros(size),
        panel.impact[0].copy(),
        np.full(size, np.nan),
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
        np.zeros(size),
        np.zeros(size),
        np.zeros(size),
        np.zeros(size),
        np.zeros(size),
        np.zeros(size, dtype=np.bool_),
    )
    cash = terms.capital
    lost = False
    closes = np.full(size, np.nan)
    for row in range(times):
        if lost:
            account.equity[row] = 0.0
            account.units[row] = 0.0
            continue
        for i in range(size):
            if not np.isnan(panel.open[row, i]):
                state.mark[i] = panel.open[row, i]
        exposed = _gross(state) > 0.0
        if _ruined(state, cash, terms):
            cash = _close_all(state, account, cash, row, LIQUIDATION, terms)
        elif terms.next_open:
            cash = _rebalance(state, account, cash, panel.open[row], row, True, terms, limits)
            exposed = _gross(state) > 0.0
        for i in range(size):
            if not np.isnan(panel.close[row, i]):
                state.mark[i] = panel.close[row, i]
                state.impact[i] = panel.impact[row, i]
        cash = _hold(state, account, panel, cash, row, terms, limits)
        if exposed:
            account.counts[_EXPOSED] += 1
        if _ruined(state, cash, terms):
            cash = _close_all(state, account, cash, row, LIQUIDATION, terms)
        if row == times - 1:
            cash = _close_all(state, account, cash, row, END_OF_DATA, terms)
        else:
            for i in range(size):
                if not np.isnan(weights[row, i]):
                    state.pending[i] = weights[row, i]
            if not terms.next_open:
                for i in range(size):
                    # A bar that was made up has a close and no open; nothing is filled there.
                    closes[i] = np.nan if np.isnan(panel.open[row, i]) else panel.close[row, i]
                cash = _rebalance(state, account, cash, closes, row, False, terms, limits)
        lost = cash <= 0.0 and _gross(state) == 0.0
        account.equity[row] = _value(state, cash)
        for i in range(size):
            account.units[row, i] = state.units[i]


def new_account(times: int, instruments: int, instructions: int) -> Account:
    """Room for `hold_weights` to write into."""
    return Account(
        equity=np.empty(times),
        units=np.empty((times, instruments)),
        trades=np.empty((instructions, TRADE_COLUMNS)),
        traded=np.empty(instructions, dtype=np.int64),
        orders=np.empty((2 * instructions, ORDER_COLUMNS)),
        carried=np.zeros(instruments),
        counts=np.zeros(COUNTS, dtype=np.int64),
    )
