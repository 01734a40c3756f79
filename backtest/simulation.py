"""The simulation kernel and the metrics of its result, which stand together because sweeps fuse them.

`simulate` holds the rules of trading; `measure` the definitions of the metrics.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtest.compile import kernel

Floats = NDArray[np.float64]
Signals = NDArray[np.uint8]

ENTER_LONG, EXIT_LONG, ENTER_SHORT, EXIT_SHORT = 1, 2, 4, 8

SIGNAL, STOP, TARGET, TRAILING_STOP, MAX_BARS, LIQUIDATION, END_OF_DATA = range(7)
EXIT_REASONS = ("signal", "stop", "target", "trailing_stop", "max_bars", "liquidation", "end_of_data")

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


@kernel
def _settle(
    side: int, units: float, cash: float, entry: float, raw: float, fee: float, slippage: float, ruined: bool
) -> tuple[float, float, bool]:
    """Close a position at a price before slippage: fill price, cash afterwards, whether the account is lost.

    No exit of a short takes more than the account holds: what would is filled at the price that takes all of
    it.
    """
    if side > 0:
        fill = raw * (1.0 - slippage)
        return fill, cash + units * fill * (1.0 - fee), False
    fill = raw * (1.0 + slippage)
    after = cash + units * (entry - fill) - units * fill * fee
    if ruined or after <= 0.0:
        return (cash + units * entry) / (units * (1.0 + fee)), 0.0, True
    return fill, after, False


@kernel
def _record(
    trades: Floats,
    row: int,
    side: int,
    entry_bar: int,
    entry: float,
    exit_bar: int,
    fill: float,
    units: float,
    profit: float,
    reason: int,
    held: int,
) -> None:
    """Write one closed trade into its row."""
    trades[row, SIDE] = side
    trades[row, ENTRY_BAR] = entry_bar
    trades[row, ENTRY_PRICE] = entry
    trades[row, EXIT_BAR] = exit_bar
    trades[row, EXIT_PRICE] = fill
    trades[row, SIZE] = units
    trades[row, PROFIT] = profit
    trades[row, REASON] = reason
    trades[row, BARS] = held


@kernel
def _tightest_stop(
    side: int,
    entry: float,
    extreme: float,
    entry_atr: float,
    ruin: float,
    stop_percent: float,
    trailing_percent: float,
    stop_atr: float,
    trailing_atr: float,
) -> tuple[float, int]:
    """The stop nearest to the price and its reason; an unreachable level when none is set.

    Levels are the price plus a distance, not the price times a factor: 10 % above 100 is 110, in floats too.
    """
    stop = -np.inf if side > 0 else ruin
    reason = STOP if side > 0 else LIQUIDATION
    if stop_percent > 0.0:
        level = entry - side * entry * stop_percent / 100.0
        if side * (level - stop) >= 0.0:
            stop = level
            reason = STOP
    if stop_atr > 0.0:
        level = entry - side * stop_atr * entry_atr
        if side * (level - stop) >= 0.0:
            stop = level
            reason = STOP
    if trailing_percent > 0.0:
        level = extreme - side * extreme * trailing_percent / 100.0
        if side * (level - stop) > 0.0:
            stop = level
            reason = TRAILING_STOP
    if trailing_atr > 0.0:
        level = extreme - side * trailing_atr * entry_atr
        if side * (level - stop) > 0.0:
            stop = level
            reason = TRAILING_STOP
    return stop, reason


@kernel
def _nearest_target(
    side: int, entry: float, entry_atr: float, target_percent: float, target_atr: float
) -> float:
    """The target nearest to the price; an unreachable level when none is set."""
    target = side * np.inf
    if target_percent > 0.0:
        target = entry + side * entry * target_percent / 100.0
    if target_atr > 0.0:
        level = entry + side * target_atr * entry_atr
        if side * (level - target) < 0.0:
            target = level
    return target


@kernel
def simulate(
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    signals: Signals,
    atr: Floats,
    first: int,
    next_open: bool,
    capital: float,
    fee: float,
    slippage: float,
    stop_percent: float,
    target_percent: float,
    trailing_percent: float,
    stop_atr: float,
    target_atr: float,
    trailing_atr: float,
    max_bars: int,
    whole_units: bool,
    equity: Floats,
    trades: Floats,
) -> int:
    """Trade one strategy on one symbol, bar by bar.

    Rules, in the order in which a bar applies them:

    1. At the open, with `next_open`: what the previous close decided is filled at the open, the exit before
       the entry (a reversal is both). The position is exposed to the whole bar. With fills at the close it is
       exposed from the next bar on.
    2. A level that the open has already passed fills at the open: the stop first, then the target.
    3. Within the bar the stop comes before the target; each fills at its level, and touching it is enough.
       Levels are measured from the fill price, slippage included, and from the ATR of the bar that gave the
       signal. The trailing stop hangs from the highest high (lowest low for a short) of the completed bars it
       was exposed to, or from the fill price before there is one. Of several stops the tightest counts, of
       several targets the nearest; a trailing stop level with the fixed one is a `stop`.
    4. A short has one more stop, the price that takes the whole account: `liquidation`. Nothing is traded
       afterwards.
    5. At the close signals are read, also after an exit within the bar. An entry whose own exit is true on
       the same bar is not taken; long and short entries on the same bar cancel out. An opposite entry closes
       and reverses. A position exposed to `max_bars` bars is closed as by a signal (a signal on the same bar
       goes first); its own side is not entered again by the signal of that bar.
    6. The last bar opens nothing; what is open closes at its close: `end_of_data`.
    7. Equity is marked at the close, after fills at the close.

    Every fill's price is moved against the trade by `slippage`; `fee` is a fraction of the notional of each
    fill. An entry spends all cash, its fee included: units = cash / (price × (1 + fee)), rounded down when
    `whole_units`; none are bought when that is zero. A short has the size of such a long and yields its
    profit in cash at the exit. An entry whose ATR is not known yet is not taken where a level needs it.

    Args:
        open_: prices, one float64 array of n bars each, as `high`, `low` and `close`.
        high: highest prices.
        low: lowest prices.
        close: last prices.
        signals: n sums of ENTER_LONG, EXIT_LONG, ENTER_SHORT and EXIT_SHORT.
        atr: n average true ranges in price units; empty when no level needs them.
        first: index of the first bar whose signal may trade.
        next_open: fill at the next open, else at the close.
        capital: cash at the start.
        fee: fraction of notional, each side.
        slippage: fraction of price, each fill.
        stop_percent: distance of the stop in percent of the fill price; 0 is off, as for all levels.
        target_percent: distance of the target.
        trailing_percent: distance of the trailing stop, in percent of the extreme it hangs from.
        stop_atr: distance of the stop in ATRs.
        target_atr: distance of the target in ATRs.
        trailing_atr: distance of the trailing stop in ATRs.
        max_bars: bars a position may be exposed to; 0 is off.
        whole_units: trade whole units only.
        equity: n - first values, written.
        trades: at least n - first rows of TRADE_COLUMNS, written from the top.

    Returns:
        The number of trades.
    """
    last = close.size - 1
    needs_atr = stop_atr > 0.0 or target_atr > 0.0 or trailing_atr > 0.0
    cash = capital
    side = 0
    units = 0.0
    entry = 0.0
    entry_bar = 0
    entry_cash = 0.0
    entry_atr = 0.0
    extreme = 0.0
    held = 0
    count = 0

    for t in range(first, last + 1):
        # The bar: levels the open has passed, then the stop, then the target.
        if side != 0:
            ruin = (cash + units * entry) / (units * (1.0 + fee)) / (1.0 + slippage)
            stop, stop_reason = _tightest_stop(
                side,
                entry,
                extreme,
                entry_atr,
                ruin,
                stop_percent,
                trailing_percent,
                stop_atr,
                trailing_atr,
            )
            target = _nearest_target(side, entry, entry_atr, target_percent, target_atr)
            worst = low[t] if side > 0 else high[t]
            best = high[t] if side > 0 else low[t]
            held += 1
            raw = 0.0
            reason = -1
            if side * (open_[t] - stop) <= 0.0:
                raw = open_[t]
                reason = stop_reason
            elif side * (open_[t] - target) >= 0.0:
                raw = open_[t]
                reason = TARGET
            elif side * (worst - stop) <= 0.0:
                raw = stop
                reason = stop_reason
            elif side * (best - target) >= 0.0:
                raw = target
                reason = TARGET
            if reason >= 0:
                fill, cash, lost = _settle(
                    side, units, cash, entry, raw, fee, slippage, reason == LIQUIDATION
                )
                if lost:
                    reason = LIQUIDATION
                profit = cash - entry_cash
                _record(trades, count, side, entry_bar, entry, t, fill, units, profit, reason, held)
                count += 1
                side = 0
            elif side > 0:
                extreme = max(extreme, high[t])
            else:
                extreme = min(extreme, low[t])

        # The close: what the signals ask for.
        code = signals[t]
        enter_long = (code & ENTER_LONG) != 0 and (code & EXIT_LONG) == 0
        enter_short = (code & ENTER_SHORT) != 0 and (code & EXIT_SHORT) == 0
        want = 0
        if enter_long != enter_short:
            want = 1 if enter_long else -1
        leave = -1
        if side != 0:
            if (code & (EXIT_LONG if side > 0 else EXIT_SHORT)) != 0 or want == -side:
                leave = SIGNAL
            elif max_bars > 0 and held >= max_bars:
                leave = MAX_BARS
            if want == side:
                want = 0
        if t == last:
            want = 0
            if side != 0 and (next_open or leave < 0):
                leave = END_OF_DATA

        # With fills at the next open the bar is marked before them, with fills at the close after them.
        ahead = next_open and t < last
        if ahead:
            equity[t - first] = cash
            if side > 0:
                equity[t - first] += units * close[t]
            elif side < 0:
                equity[t - first] += units * (entry - close[t])
        price = open_[t + 1] if ahead else close[t]
        fill_bar = t + 1 if ahead else t
        if leave >= 0:
            fill, cash, lost = _settle(side, units, cash, entry, price, fee, slippage, False)
            if lost:
                leave = LIQUIDATION
            profit = cash - entry_cash
            _record(trades, count, side, entry_bar, entry, fill_bar, fill, units, profit, leave, held)
            count += 1
            side = 0
        if want != 0 and cash > 0.0:
            fill = price * (1.0 + want * slippage)
            amount = cash / (fill * (1.0 + fee))
            if whole_units:
                amount = np.floor(amount)
            if amount > 0.0 and not (needs_atr and np.isnan(atr[t])):
                side = want
                units = amount
                entry = fill
                entry_bar = fill_bar
                entry_cash = cash
                entry_atr = atr[t] if needs_atr else 0.0
                extreme = fill
                held = 0
                cash -= units * fill * fee
                if side > 0:
                    cash -= units * fill
        if not ahead:
            equity[t - first] = cash
            if side > 0:
                equity[t - first] += units * close[t]
            elif side < 0:
                equity[t - first] += units * (entry - close[t])
    return count


@kernel
def measure(
    equity: Floats, capital: float, trades: Floats, count: int, periods_per_year: float, out: Floats
) -> None:
    """Metrics of one simulation, in the order of METRICS; NaN where undefined.

    Return metrics follow empyrical with a zero risk-free rate, on r[t] = equity[t] / equity[t - 1] - 1 with
    the capital before the first bar; returns after the account is lost are 0. With n bars and P periods a
    year:

        total_return   equity[n - 1] / capital - 1
        cagr           (1 + total_return) ** (P / n) - 1
        volatility     s(r) × √P, s the sample standard deviation (n - 1)
        sharpe_ratio   mean(r) / s(r) × √P; undefined when s is 0 or rounding noise
        sortino_ratio  mean(r) × √P / √(mean(min(r, 0)²))
        max_drawdown   min over t of equity[t] / max(capital, equity[..t]) - 1, never positive
        calmar_ratio   cagr / |max_drawdown|
        exposure       bars a position was exposed to / n

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
        out: len(METRICS) values, written.
    """
    size = equity.size
    for place in range(out.size):
        out[place] = np.nan
    previous = capital
    peak = capital
    total = 0.0
    downside = 0.0
    drawdown = 0.0
    for t in range(size):
        value = equity[t]
        change = value / previous - 1.0 if previous > 0.0 else 0.0
        total += change
        if change < 0.0:
            downside += change * change
        peak = max(peak, value)
        drawdown = min(drawdown, value / peak - 1.0)
        previous = value
    mean = total / size
    squares = 0.0
    previous = capital
    for t in range(size):
        value = equity[t]
        change = value / previous - 1.0 if previous > 0.0 else 0.0
        squares += (change - mean) * (change - mean)
        previous = value
    root = np.sqrt(periods_per_year)
    growth = equity[size - 1] / capital
    cagr = growth ** (periods_per_year / size) - 1.0
    if size > 1:
        deviation = np.sqrt(squares / (size - 1))
        out[8] = deviation * root
        if deviation > 1e-12 * abs(mean):
            out[0] = mean / deviation * root
    if downside > 0.0:
        out[1] = mean * root / np.sqrt(downside / size)
    if drawdown < 0.0:
        out[2] = cagr / -drawdown
    out[3] = drawdown
    out[6] = growth - 1.0
    out[7] = cagr

    gains = 0.0
    losses = 0.0
    wins = 0
    exposed = 0.0
    returns = 0.0
    best = -np.inf
    worst = np.inf
    for row in range(count):
        profit = trades[row, PROFIT]
        if profit > 0.0:
            wins += 1
            gains += profit
        else:
            losses -= profit
        exposed += trades[row, BARS]
        share = profit / (trades[row, SIZE] * trades[row, ENTRY_PRICE])
        returns += share
        best = max(best, share)
        worst = min(worst, share)
    out[9] = exposed / size
    out[10] = count
    if count > 0:
        out[5] = wins / count
        out[11] = (gains - losses) / count
        out[12] = returns / count
        out[13] = best
        out[14] = worst
        if losses > 0.0:
            out[4] = gains / losses
