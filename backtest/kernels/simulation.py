"""The simulation kernels and the metrics of their results, which stand together because sweeps fuse them.

`simulate` holds the rules of trading, bar by bar; `measure` the definitions of the metrics. `trade_many` does
both for many configurations without walking bar by bar: the same trades to the bit, the same metrics to
rounding. numba's cache does not see an edit in another file, so what calls each other stays in this one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backtest.kernels.compile import inlined, kernel

Floats = NDArray[np.float64]
Signals = NDArray[np.uint8]

ENTER_LONG, EXIT_LONG, ENTER_SHORT, EXIT_SHORT = 1, 2, 4, 8

SIGNAL, STOP, TARGET, TRAILING_STOP, MAX_BARS, LIQUIDATION, END_OF_DATA = range(7)
EXIT_REASONS = ("signal", "stop", "target", "trailing_stop", "max_bars", "liquidation", "end_of_data")

# Columns of a configuration's settings; 0 is off, but LEVERAGE is at least 1.
STOP_PERCENT, TARGET_PERCENT, TRAILING_PERCENT, STOP_ATR, TARGET_ATR, TRAILING_ATR, LONGEST = range(7)
BREAK_EVEN, COOLDOWN, SHARE, AMOUNT, RISKED, VOLATILITY, LEVERAGE, WHOLE = range(7, 15)
SETTINGS = 15


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


@inlined
def _settle(
    side: int, units: float, cash: float, entry: float, raw: float, impact: float, terms: Terms, ruined: bool
) -> tuple[float, float, bool]:
    """Close a position at a price before slippage: fill price, cash afterwards, whether the account is lost.

    No exit takes more than the account holds: what would is filled at the price that takes all of it.
    """
    if side > 0:
        fill = raw * (1.0 - terms.slippage) - impact
        if fill < 0.0:
            fill = 0.0
        after = cash + units * fill * (1.0 - terms.fee) - terms.fixed_fee
        if ruined or after <= 0.0:
            return (terms.fixed_fee - cash) / (units * (1.0 - terms.fee)), 0.0, True
        return fill, after, False
    fill = raw * (1.0 + terms.slippage) + impact
    after = cash + units * (entry - fill) - units * fill * terms.fee - terms.fixed_fee
    if ruined or after <= 0.0:
        return (cash + units * entry - terms.fixed_fee) / (units * (1.0 + terms.fee)), 0.0, True
    return fill, after, False


@inlined
def _ruin(side: int, units: float, cash: float, entry: float, impact: float, terms: Terms) -> float:
    """The price before slippage at which closing leaves but the maintenance margin.

    A long that owes nothing, up to rounding, has none; with an impact even that sells for nothing at last.
    """
    if side > 0:
        owed = terms.fixed_fee - cash
        rounding = _OWED * units * entry
        if owed < -rounding or (impact == 0.0 and owed <= rounding):
            return -np.inf
        fill = owed / (units * (1.0 - terms.fee - terms.maintenance))
        return (fill + impact) / (1.0 - terms.slippage)
    fill = (cash + units * entry - terms.fixed_fee) / (units * (1.0 + terms.fee + terms.maintenance))
    return (fill - impact) / (1.0 + terms.slippage)


@inlined
def _carries(side: int, units: float, cash: float, entry: float, funded: bool, terms: Terms) -> bool:
    """Whether a position that has just been opened will ever pay for being held, or be paid."""
    if side > 0:
        return funded or (terms.interest != 0.0 and -cash > _OWED * units * entry)
    return funded or terms.borrowing != 0.0


@inlined
def _carried(
    side: int, units: float, cash: float, entry: float, close: float, funding: float, terms: Terms
) -> float:
    """Cash after what one bar of a position costs: funding, a short's borrowing, a long's interest."""
    if side < 0:
        return cash - (terms.borrowing - funding) * units * close
    paid = funding * units * close
    if terms.interest != 0.0 and -cash > _OWED * units * entry:
        paid -= terms.interest * cash
    return cash - paid


@inlined
def _eaten(side: int, units: float, before: float, cash: float, entry: float, close: float) -> bool:
    """Whether the bar's costs, which left this cash, took all that the account was worth at the close."""
    if cash >= before:
        return False
    return cash + units * close <= 0.0 if side > 0 else cash + units * (entry - close) <= 0.0


@inlined
def _fixed_stop(side: int, entry: float, entry_atr: float, ruin: float, setting: Floats) -> tuple[float, int]:
    """The tightest of the stops that do not follow the price, by the formulas of `_tightest_stop`."""
    stop = ruin
    reason = LIQUIDATION
    if setting[STOP_PERCENT] > 0.0:
        level = entry - side * entry * setting[STOP_PERCENT] / 100.0
        if side * (level - stop) >= 0.0:
            stop = level
            reason = STOP
    if setting[STOP_ATR] > 0.0:
        level = entry - side * setting[STOP_ATR] * entry_atr
        if side * (level - stop) >= 0.0:
            stop = level
            reason = STOP
    return stop, reason


@inlined
def _tightest_stop(
    side: int, entry: float, extreme: float, entry_atr: float, ruin: float, setting: Floats
) -> tuple[float, int]:
    """The stop nearest to the price and its reason; the price of ruin when none is set.

    Levels are the price plus a distance, not the price times a factor: 10 % above 100 is 110, in floats too.
    """
    stop, reason = _fixed_stop(side, entry, entry_atr, ruin, setting)
    if (
        setting[BREAK_EVEN] > 0.0
        and side * (extreme - entry) >= entry * setting[BREAK_EVEN] / 100.0
        and side * (entry - stop) >= 0.0
    ):
        stop = entry
        reason = STOP
    if setting[TRAILING_PERCENT] > 0.0:
        level = extreme - side * extreme * setting[TRAILING_PERCENT] / 100.0
        if side * (level - stop) > 0.0:
            stop = level
            reason = TRAILING_STOP
    if setting[TRAILING_ATR] > 0.0:
        level = extreme - side * setting[TRAILING_ATR] * entry_atr
        if side * (level - stop) > 0.0:
            stop = level
            reason = TRAILING_STOP
    return stop, reason


@kernel
def _size(
    side: int,
    fill: float,
    cash: float,
    entry_atr: float,
    volatility: float,
    setting: Floats,
    terms: Terms,
) -> float:
    """Units to open at a fill price: the smallest of what the limits allow, NaN where one is not known.

    Only what is worth less than one whole unit is 0; an account that cannot pay the fixed fee gives less, and
    so does a short that the impact leaves nothing for.
    """
    share = setting[LEVERAGE]
    if setting[SHARE] > 0.0:
        share = min(share, setting[SHARE] / 100.0)
    if setting[VOLATILITY] > 0.0:
        if np.isnan(volatility):
            return np.nan
        if volatility > 0.0:
            share = min(share, setting[VOLATILITY] / 100.0 / volatility)
    if fill <= 0.0:
        return -1.0
    units: float = share * (cash - terms.fixed_fee) / (fill * (1.0 + share * terms.fee))
    if setting[AMOUNT] > 0.0:
        units = min(units, setting[AMOUNT] / fill)
    if setting[RISKED] > 0.0:
        stop, _ = _tightest_stop(side, fill, fill, entry_atr, -side * np.inf, setting)
        distance = side * (fill - stop)
        if 0.0 < distance < np.inf:
            units = min(units, cash * setting[RISKED] / 100.0 / distance)
    if setting[WHOLE] > 0.0:
        units = float(np.floor(units))
    return units


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


@inlined
def _nearest_target(side: int, entry: float, entry_atr: float, setting: Floats) -> float:
    """The target nearest to the price; an unreachable level when none is set."""
    target = side * np.inf
    if setting[TARGET_PERCENT] > 0.0:
        target = entry + side * entry * setting[TARGET_PERCENT] / 100.0
    if setting[TARGET_ATR] > 0.0:
        level = entry + side * setting[TARGET_ATR] * entry_atr
        if side * (level - target) < 0.0:
            target = level
    return target


@kernel
def _needs_atr(setting: Floats) -> bool:
    """Whether a level is measured in average true ranges."""
    return bool(setting[STOP_ATR] > 0.0 or setting[TARGET_ATR] > 0.0 or setting[TRAILING_ATR] > 0.0)


@inlined
def _real(open_: Floats, t: int) -> bool:
    """Whether a bar was traded: the opens of those that were made up are not numbers."""
    return bool(open_[t] == open_[t])


@kernel
def simulate(
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    signals: Signals,
    atr: Floats,
    volatility: Floats,
    impact: Floats,
    funding: Floats,
    setting: Floats,
    terms: Terms,
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
       and reverses. A position exposed to `max_bars` bars is closed as by a signal (a signal on the same bar
       goes first); its own side is not entered again by the signal of that bar. After an exit filled in bar
       x, signals before bar x + COOLDOWN open nothing, so with a cool-down nothing reverses.
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
        open_: prices, one float64 array of n bars each, as `high`, `low` and `close`; NaN where a bar was
            made up, with `high` -inf and `low` inf.
        high: highest prices.
        low: lowest prices.
        close: last prices.
        signals: n sums of ENTER_LONG, EXIT_LONG, ENTER_SHORT and EXIT_SHORT.
        atr: n average true ranges in price units; empty when no level needs them.
        volatility: n annualised volatilities as fractions; empty when sizing needs none.
        impact: n price moves, by bar, that fills pay on top of slippage; empty for none.
        funding: n fractions of market value that longs pay to shorts at the bars' closes; empty for none.
        setting: SETTINGS numbers, 0 is off (LEVERAGE at least 1). Percents in percent; TRAILING_PERCENT is of
            the extreme, the others of the fill price.
        terms: what does not depend on the strategy.
        equity: n - first values, written.
        trades: a row of TRADE_COLUMNS a bar from `first` on with an entry signal, written from the top.

    Returns:
        The number of trades.
    """
    first = terms.first
    next_open = terms.next_open
    last = close.size - 1
    needs_atr = _needs_atr(setting)
    sized_by_volatility = setting[VOLATILITY] > 0.0
    has_impact = impact.size > 0
    funded = funding.size > 0
    carries = False
    moves = has_impact or funded or terms.borrowing != 0.0 or terms.interest != 0.0  # the price of ruin does
    trails = setting[TRAILING_PERCENT] > 0.0 or setting[TRAILING_ATR] > 0.0 or setting[BREAK_EVEN] > 0.0
    max_bars = int(setting[LONGEST])
    cooldown = int(setting[COOLDOWN])
    cash = terms.capital
    side = 0
    units = 0.0
    entry = 0.0
    entry_bar = 0
    entry_cash = 0.0
    entry_atr = 0.0
    extreme = 0.0
    ruin = 0.0
    stop = 0.0
    stop_reason = LIQUIDATION
    target = 0.0
    held = 0
    ready = first
    goal = 0  # the side that waiting orders lead to; `side` where none wait
    left = -1  # why they leave it
    told = first  # the bar whose signal they enter on
    count = 0

    for t in range(first, last + 1):
        # The bar: levels the open has passed, then the stop, then the target.
        if side != 0:
            before = impact[t - 1] if has_impact else 0.0
            if moves:
                ruin = _ruin(side, units, cash, entry, before, terms)
            if moves or trails or held == 0:
                stop, stop_reason = _tightest_stop(side, entry, extreme, entry_atr, ruin, setting)
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
                ruined = reason == LIQUIDATION and terms.maintenance == 0.0
                fill, cash, lost = _settle(side, units, cash, entry, raw, before, terms, ruined)
                if lost:
                    reason = LIQUIDATION
                profit = cash - entry_cash
                _record(trades, count, side, entry_bar, entry, t, fill, units, profit, reason, held)
                count += 1
                side = goal = 0
                ready = t + cooldown
            else:
                extreme = max(extreme, high[t]) if side > 0 else min(extreme, low[t])
                owned = cash
                if carries:
                    rate = funding[t] if funded else 0.0
                    cash = _carried(side, units, cash, entry, close[t], rate, terms)
                if _real(open_, t) and _eaten(side, units, owned, cash, entry, close[t]):
                    cash = 0.0
                    _record(
                        trades, count, side, entry_bar, entry, t, close[t], units, -entry_cash, LIQUIDATION,
                        held,
                    )  # fmt: skip
                    count += 1
                    side = goal = 0

        # The close: what the signals ask for.
        code = signals[t]
        enter_long = (code & ENTER_LONG) != 0 and (code & EXIT_LONG) == 0
        enter_short = (code & ENTER_SHORT) != 0 and (code & EXIT_SHORT) == 0
        want = 0
        if enter_long != enter_short:
            want = 1 if enter_long else -1
        at_open = next_open or not _real(open_, t)
        leave = -1
        if goal != 0:
            if (code & (EXIT_LONG if goal > 0 else EXIT_SHORT)) != 0 or want == -goal:
                leave = SIGNAL
            elif goal == side and max_bars > 0 and held >= max_bars:
                leave = MAX_BARS
            if want == goal:
                want = 0
        if t == last:
            want = 0
            goal = side
            if side != 0 and (at_open or leave < 0):
                leave = END_OF_DATA
        if leave >= 0:
            if goal == side:
                left = leave
            goal = 0
        if want != 0 and goal == 0 and (cooldown == 0 or (side == 0 and t >= ready)):
            goal = want
            told = t

        # With fills at the next open the bar is marked before them, with fills at the close after them.
        ahead = at_open and t < last
        if ahead:
            equity[t - first] = cash
            if side > 0:
                equity[t - first] += units * close[t]
            elif side < 0:
                equity[t - first] += units * (entry - close[t])
        price = open_[t + 1] if ahead else close[t]
        fill_bar = t + 1 if ahead else t
        now = impact[t] if has_impact else 0.0
        filled = goal != side and (not ahead or _real(open_, t + 1))
        if filled and side != 0:
            fill, cash, lost = _settle(side, units, cash, entry, price, now, terms, False)
            if lost:
                left = LIQUIDATION
            profit = cash - entry_cash
            _record(trades, count, side, entry_bar, entry, fill_bar, fill, units, profit, left, held)
            count += 1
            side = 0
            ready = fill_bar + cooldown
        if filled and goal != 0 and cash > 0.0:
            fill = price * (1.0 + goal * terms.slippage) + goal * now
            known = atr[told] if needs_atr else 0.0
            amount = 0.0
            if not np.isnan(known) and not np.isnan(now):
                spread = volatility[told] if sized_by_volatility else 0.0
                amount = _size(goal, fill, cash, known, spread, setting, terms)
            if amount > 0.0:
                after = cash - amount * fill * terms.fee - terms.fixed_fee
                if goal > 0:
                    after -= amount * fill
                ruin = _ruin(goal, amount, after, fill, now, terms)
                if goal * (price - ruin) > 0.0:
                    side = goal
                    units = amount
                    entry = fill
                    entry_bar = fill_bar
                    entry_cash = cash
                    entry_atr = known
                    extreme = fill
                    target = _nearest_target(side, entry, entry_atr, setting)
                    held = 0
                    cash = after
                    carries = _carries(side, units, cash, entry, funded, terms)
        if filled:
            goal = side
        if not ahead:
            equity[t - first] = cash
            if side > 0:
                equity[t - first] += units * close[t]
            elif side < 0:
                equity[t - first] += units * (entry - close[t])
    return count


@kernel
def _return_metrics(
    size: int,
    growth: float,
    mean: float,
    squares: float,
    downside: float,
    drawdown: float,
    lost_at: float,
    periods_per_year: float,
    out: Floats,
) -> None:
    """From sums over the bars to the figures of `measure`; `squares` are of the distances from the mean."""
    survived = np.isnan(lost_at)
    root = np.sqrt(periods_per_year)
    cagr = growth ** (periods_per_year / size) - 1.0
    if size > 1:
        deviation = np.sqrt(squares / (size - 1))
        out[8] = deviation * root
        if survived and deviation > 1e-12 * abs(mean):
            out[0] = mean / deviation * root
    losing = np.sqrt(downside / size)
    if survived and losing > 1e-12 * abs(mean):
        out[1] = mean * root / losing
    if survived and drawdown < -1e-12:
        out[2] = cagr / -drawdown
    out[3] = drawdown
    out[6] = growth - 1.0
    out[7] = cagr
    out[LOST_AT] = lost_at


@kernel
def _trade_metrics(
    size: int,
    count: int,
    wins: int,
    gains: float,
    losses: float,
    exposed: float,
    returns: float,
    best: float,
    worst: float,
    out: Floats,
) -> None:
    """From sums over the trades to the figures of `measure`."""
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


@kernel
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
        out: FIGURES values, written: the metrics, then the bar of the exit that took all, NaN without one.
            What a curve does not tell, entries not taken, is left as it is.
    """
    size = equity.size
    for place in range(BELOW_ONE_UNIT):
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
    lost_at = np.nan
    if equity[size - 1] <= 0.0:  # only an exit takes all; a curve without trades just ends at nothing
        lost_at = trades[count - 1, EXIT_BAR] if count > 0 else size - 1.0
    _return_metrics(
        size, equity[size - 1] / capital, mean, squares, downside, drawdown, lost_at, periods_per_year, out
    )

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
    _trade_metrics(size, count, wins, gains, losses, exposed, returns, best, worst, out)


# Fused: many configurations, events instead of bars.

Words = NDArray[np.uint64]

BLOCK_BITS = 3
BLOCK = (
    1 << BLOCK_BITS
)  # bars: short trades still skip whole blocks, and a block's extremes fill one cache line
BLOCK_FLOOR, BLOCK_CEILING, BLOCK_HIGH, BLOCK_LOW, BLOCK_TOP, BLOCK_BOTTOM = range(6)

# Below this share of the squared mean the variance is what rounding left of two nearly equal sums.
_ILL_CONDITIONED = 1e-5

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_SIX = np.uint64(6)
_SHIFT = np.uint64(58)
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_PLACES = np.zeros(64, dtype=np.int64)
for _place in range(64):
    _PLACES[((0x03F79D71B4CB0A89 << _place) & (2**64 - 1)) >> 58] = _place


@kernel
def _add(whole: float, rest: float, value: float) -> tuple[float, float]:
    """Add a value to a sum kept in two parts; what rounding takes from the first goes to the second."""
    after = whole + value
    added = after - whole
    return after, rest + ((whole - (after - added)) + (value - added))


@kernel
def lay_out(open_: Floats, high: Floats, low: Floats, close: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """What `trade_many` reads of one price history besides the prices, computed once for all configurations.

    Returns:
        The lowest price of each bar and the highest (the open counts, as it may stick out by rounding); one
        row a block of BLOCK bars with its lowest and highest of these, its highest high and lowest low, its
        highest and lowest close; and one row a bar with the sums from the first bar on of the returns from
        close to close, of their squares and of the squares of the losses, each in two parts that hold twice
        the digits, so that a difference of two sums is exact however far apart the prices are.
    """
    size = close.size
    floor = np.empty(size)
    ceiling = np.empty(size)
    blocks = np.empty(((size + BLOCK - 1) // BLOCK, 6))
    sums = np.empty((size, 6))
    total = total_rest = squares = squares_rest = losses = losses_rest = 0.0
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
                change = close[t] / close[t - 1] - 1.0
                square = change * change
                total, total_rest = _add(total, total_rest, change)
                squares, squares_rest = _add(squares, squares_rest, square)
                # Adding nothing costs less than a jump that half of all bars take.
                losses, losses_rest = _add(losses, losses_rest, square if change < 0.0 else 0.0)
            sums[t, 0] = total
            sums[t, 1] = total_rest
            sums[t, 2] = squares
            sums[t, 3] = squares_rest
            sums[t, 4] = losses
            sums[t, 5] = losses_rest
        blocks[block, BLOCK_FLOOR] = lowest
        blocks[block, BLOCK_CEILING] = highest
        blocks[block, BLOCK_HIGH] = highest_high
        blocks[block, BLOCK_LOW] = lowest_low
        blocks[block, BLOCK_TOP] = top
        blocks[block, BLOCK_BOTTOM] = bottom
    return floor, ceiling, blocks, sums


@kernel
def known_words(values: Floats) -> Words:
    """Where a series is not NaN, one bit a bar, 64 bars a word."""
    words = np.zeros((values.size + 63) // 64, dtype=np.uint64)
    for place in range(words.size):
        start = place * 64
        word = np.uint64(0)
        for bit in range(min(64, values.size - start)):
            word |= np.uint64(values[start + bit] == values[start + bit]) << np.uint64(bit)
        words[place] = word
    return words


@kernel
def cross_words(
    first: Floats, second: Floats, known_first: Words, known_second: Words, above: Words, below: Words
) -> None:
    """Crossings of two series as one bit a bar, 64 bars a word, both directions written.

    Above is `previous <=` and now `>`, below the contrary; NaN crosses nothing. What is known and not greater
    is less or equal, so two comparisons tell all four.
    """
    size = first.size
    was_low = np.uint64(0)
    was_high = np.uint64(0)
    for place in range(above.size):
        start = place * 64
        over = np.uint64(0)
        under = np.uint64(0)
        for bit in range(min(64, size - start)):
            over |= np.uint64(first[start + bit] > second[start + bit]) << np.uint64(bit)
            under |= np.uint64(first[start + bit] < second[start + bit]) << np.uint64(bit)
        known = known_first[place] & known_second[place]
        low = known & ~over
        high = known & ~under
        above[place] = over & ((low << _ONE) | was_low)
        below[place] = under & ((high << _ONE) | was_high)
        was_low = low >> np.uint64(63)
        was_high = high >> np.uint64(63)


@inlined
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


@inlined
def _following(words: Words, known: int, start: int, stop: int) -> int:
    """As `_next_bit`, where `known` came of an earlier call with a start not later and the same stop.

    Each word is so read once a configuration: without it a side that nothing leaves is searched to the end of
    the data at every trade.
    """
    return known if known >= start else _next_bit(words, start, stop)


@inlined
def _first_touch(
    floor: Floats, ceiling: Floats, blocks: Floats, lower: float, upper: float, start: int, stop: int
) -> int:
    """First bar from `start` to `stop` that reaches a level; stop + 1 when none does."""
    t = start
    while t <= stop:
        # Extremes of the whole block also bound those of a part of it.
        block = t >> BLOCK_BITS
        end = min(stop, (block << BLOCK_BITS) + BLOCK - 1)
        if blocks[block, BLOCK_FLOOR] <= lower or blocks[block, BLOCK_CEILING] >= upper:
            while t <= end:
                if floor[t] <= lower or ceiling[t] >= upper:
                    return t
                t += 1
        t = end + 1
    return stop + 1


@kernel
def _first_trailing_touch(
    high: Floats,
    low: Floats,
    floor: Floats,
    ceiling: Floats,
    blocks: Floats,
    side: int,
    entry_atr: float,
    entry: float,
    fixed: float,
    target: float,
    setting: Floats,
    start: int,
    stop: int,
) -> tuple[int, float]:
    """As `_first_touch` with a stop that follows the price; also the extreme of the completed bars."""
    trailing_percent = setting[TRAILING_PERCENT]
    trailing_atr = setting[TRAILING_ATR]
    break_even = setting[BREAK_EVEN]
    extreme = entry
    t = start
    level = _trailing_level(
        side, entry, extreme, entry_atr, fixed, trailing_percent, trailing_atr, break_even
    )
    while t <= stop:
        if t & (BLOCK - 1) == 0 and t + BLOCK <= stop + 1:
            # No bar of the block can touch the stop as it stands after all of them.
            block = t >> BLOCK_BITS
            if side > 0:
                reached = max(extreme, blocks[block, BLOCK_HIGH])
                tight = _trailing_level(
                    side, entry, reached, entry_atr, fixed, trailing_percent, trailing_atr, break_even
                )
                clear = blocks[block, BLOCK_FLOOR] > tight and blocks[block, BLOCK_CEILING] < target
            else:
                reached = min(extreme, blocks[block, BLOCK_LOW])
                tight = _trailing_level(
                    side, entry, reached, entry_atr, fixed, trailing_percent, trailing_atr, break_even
                )
                clear = blocks[block, BLOCK_CEILING] < tight and blocks[block, BLOCK_FLOOR] > target
            if clear:
                extreme = reached
                level = tight
                t += BLOCK
                continue
        if side > 0:
            if floor[t] <= level or ceiling[t] >= target:
                return t, extreme
            if high[t] > extreme:
                extreme = high[t]
                level = _trailing_level(
                    side, entry, extreme, entry_atr, fixed, trailing_percent, trailing_atr, break_even
                )
        else:
            if ceiling[t] >= level or floor[t] <= target:
                return t, extreme
            if low[t] < extreme:
                extreme = low[t]
                level = _trailing_level(
                    side, entry, extreme, entry_atr, fixed, trailing_percent, trailing_atr, break_even
                )
        t += 1
    return stop + 1, extreme


@kernel
def _trailing_level(
    side: int,
    entry: float,
    extreme: float,
    entry_atr: float,
    fixed: float,
    trailing_percent: float,
    trailing_atr: float,
    break_even: float,
) -> float:
    """The tightest of a fixed stop and those that depend on the extreme, as in `_tightest_stop`."""
    stop = fixed
    if (
        break_even > 0.0
        and side * (extreme - entry) >= entry * break_even / 100.0
        and side * (entry - stop) > 0.0
    ):
        stop = entry
    if trailing_percent > 0.0:
        level = extreme - side * extreme * trailing_percent / 100.0
        if side * (level - stop) > 0.0:
            stop = level
    if trailing_atr > 0.0:
        level = extreme - side * trailing_atr * entry_atr
        if side * (level - stop) > 0.0:
            stop = level
    return stop


@kernel
def _first_walked_touch(
    close: Floats,
    high: Floats,
    low: Floats,
    floor: Floats,
    ceiling: Floats,
    impact: Floats,
    funding: Floats,
    carries: bool,
    side: int,
    units: float,
    cash: float,
    entry: float,
    entry_atr: float,
    target: float,
    setting: Floats,
    terms: Terms,
    start: int,
    stop: int,
) -> tuple[int, float, float, bool]:
    """As `_first_trailing_touch`, bar by bar where the price of ruin moves.

    Also the cash at that bar, and whether holding the position took all of it at the bar's close.
    """
    extreme = entry
    for t in range(start, stop + 1):
        before = impact[t - 1] if impact.size > 0 else 0.0
        ruin = _ruin(side, units, cash, entry, before, terms)
        level, _ = _tightest_stop(side, entry, extreme, entry_atr, ruin, setting)
        if side > 0:
            if floor[t] <= level or ceiling[t] >= target:
                return t, extreme, cash, False
            extreme = max(extreme, high[t])
        else:
            if ceiling[t] >= level or floor[t] <= target:
                return t, extreme, cash, False
            extreme = min(extreme, low[t])
        if carries:
            owned = cash
            cash = _carried(
                side, units, cash, entry, close[t], funding[t] if funding.size > 0 else 0.0, terms
            )
            if floor[t] <= ceiling[t] and _eaten(side, units, owned, cash, entry, close[t]):
                return t, extreme, cash, True
    return stop + 1, extreme, cash, False


@inlined
def _mark(
    value: float,
    previous: float,
    peak: float,
    drawdown: float,
    total: float,
    squares: float,
    downside: float,
) -> tuple[float, float, float, float, float]:
    """One bar's equity into the sums that the return metrics are made of."""
    change = value / previous - 1.0 if previous > 0.0 else 0.0
    square = change * change
    if change < 0.0:
        downside += square
    peak = max(peak, value)
    return peak, min(drawdown, value / peak - 1.0), total + change, squares + square, downside


@inlined
def _hold(
    close: Floats,
    blocks: Floats,
    sums: Floats,
    side: int,
    units: float,
    cash: float,
    entry: float,
    start: int,
    stop: int,
    charged_from: int,
    funding: Floats,
    carries: bool,
    terms: Terms,
    previous: float,
    peak: float,
    drawdown: float,
    total: float,
    squares: float,
    downside: float,
) -> tuple[float, float, float, float, float, float, float]:
    """The bars from `start` to `stop`, at whose closes a position is held, into the sums of `_mark`.

    A long that is all of the account moves as the price does, so its returns come from `sums`; the drawdown
    looks into a block only where the block's lowest close could make a new one. The first value returned is
    the cash, from which holding the position is paid at each close from `charged_from` on.
    """
    funded = funding.size > 0
    if carries and charged_from <= start:
        cash = _carried(side, units, cash, entry, close[start], funding[start] if funded else 0.0, terms)
    first = cash + units * close[start] if side > 0 else cash + units * (entry - close[start])
    peak, drawdown, total, squares, downside = _mark(
        first, previous, peak, drawdown, total, squares, downside
    )
    previous = first
    if start == stop:
        return cash, previous, peak, drawdown, total, squares, downside
    if carries or side < 0 or abs(cash) > 1e-15 * units * entry:
        bound = peak * (1.0 + drawdown) * (1.0 + 1e-15)
        for t in range(start + 1, stop + 1):
            if carries:
                cash = _carried(side, units, cash, entry, close[t], funding[t] if funded else 0.0, terms)
            value = cash + units * close[t] if side > 0 else cash + units * (entry - close[t])
            change = value / previous - 1.0 if previous > 0.0 else 0.0
            square = change * change
            total += change
            squares += square
            downside += square if change < 0.0 else 0.0
            # Only what may be a new drawdown is divided.
            if value < bound:
                drawdown = min(drawdown, value / peak - 1.0)
                bound = peak * (1.0 + drawdown) * (1.0 + 1e-15)
            elif value > peak:
                peak = value
                bound = peak * (1.0 + drawdown) * (1.0 + 1e-15)
            previous = value
        return cash, previous, peak, drawdown, total, squares, downside

    total += (sums[stop, 0] - sums[start, 0]) + (sums[stop, 1] - sums[start, 1])
    squares += (sums[stop, 2] - sums[start, 2]) + (sums[stop, 3] - sums[start, 3])
    downside += (sums[stop, 4] - sums[start, 4]) + (sums[stop, 5] - sums[start, 5])
    # What lies above the bound cannot be a new drawdown, whatever the rounding; only the rest is divided.
    bound = peak * (1.0 + drawdown) * (1.0 + 1e-15)
    t = start + 1
    while t <= stop:
        # Extremes of the whole block also bound those of a part of it; only a peak must be the part's own.
        block = t >> BLOCK_BITS
        end = min(stop, (block << BLOCK_BITS) + BLOCK - 1)
        highest = cash + units * blocks[block, BLOCK_TOP]
        lowest = cash + units * blocks[block, BLOCK_BOTTOM]
        if highest <= peak:
            if lowest >= bound:
                t = end + 1
                continue
        elif end - t == BLOCK - 1 and lowest > highest * (1.0 + drawdown) * (1.0 + 1e-15):
            peak = highest
            bound = peak * (1.0 + drawdown) * (1.0 + 1e-15)
            t = end + 1
            continue
        while t <= end:
            value = cash + units * close[t]
            if value < bound:
                drawdown = min(drawdown, value / peak - 1.0)
                bound = peak * (1.0 + drawdown) * (1.0 + 1e-15)
            elif value > peak:
                peak = value
                bound = peak * (1.0 + drawdown) * (1.0 + 1e-15)
            t += 1
    return cash, cash + units * close[stop], peak, drawdown, total, squares, downside


@kernel
def _gather(words: Words, rows: NDArray[np.int32], out: Words) -> None:
    """Where every condition in `rows` holds; nowhere when there is none. Negative rows fill up the list."""
    if rows[0] < 0:
        out[:] = _ZERO
        return
    out[:] = words[rows[0]]
    for place in range(1, rows.size):
        if rows[place] < 0:
            break
        row = words[rows[place]]
        for word in range(out.size):
            out[word] &= row[word]


@kernel
def _wait(
    open_: Floats,
    want_long: Words,
    leave_long: Words,
    want_short: Words,
    leave_short: Words,
    side: int,
    goal: int,
    told: int,
    left: int,
    start: int,
    last: int,
    timed_out: int,
    cooldown: int,
) -> tuple[int, int, int, int]:
    """What is decided at the closes of made-up bars from `start` on, while an order waits.

    Returns:
        The bar at whose open the order is filled (last + 1 for none), the side it then leads to, the bar of
        the signal that enters it, and why the position is left.
    """
    t = start
    while t <= last and not _real(open_, t):
        want = 0
        if _next_bit(want_long, t, t) == t:
            want = 1
        elif _next_bit(want_short, t, t) == t:
            want = -1
        if want == goal:
            want = 0
        if goal != 0:
            leave = -1
            if _next_bit(leave_long if goal > 0 else leave_short, t, t) == t:
                leave = SIGNAL
            elif goal == side and t >= timed_out:
                leave = MAX_BARS
            if leave >= 0:
                if goal == side:
                    left = leave
                goal = 0
        if want != 0 and goal == 0 and (cooldown == 0 or side == 0):
            goal = want
            told = t
        t += 1
    return t, goal, told, left


@inlined
def _trade_one(
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    floor: Floats,
    ceiling: Floats,
    blocks: Floats,
    sums: Floats,
    want_long: Words,
    leave_long: Words,
    want_short: Words,
    leave_short: Words,
    atr: Floats,
    volatility: Floats,
    impact: Floats,
    funding: Floats,
    setting: Floats,
    terms: Terms,
    out: Floats,
    trades: Floats,
) -> bool:
    """One configuration of `trade_many`; False where rounding leaves too little of the variance."""
    first = terms.first
    next_open = terms.next_open
    capital = terms.capital
    last = close.size - 1
    size = close.size - first
    longest = int(setting[LONGEST])
    cooldown = int(setting[COOLDOWN])
    needs_atr = _needs_atr(setting)
    sized_by_volatility = setting[VOLATILITY] > 0.0
    has_impact = impact.size > 0
    funded = funding.size > 0
    # Where no limit but leverage holds, `_size` is one division.
    limited = setting[SHARE] > 0.0 or setting[AMOUNT] > 0.0 or setting[RISKED] > 0.0 or setting[WHOLE] > 0.0
    all_in = not (limited or sized_by_volatility or has_impact or terms.fixed_fee > 0.0)
    leverage = setting[LEVERAGE]
    levered = 1.0 + leverage * terms.fee
    trails = setting[TRAILING_PERCENT] > 0.0 or setting[TRAILING_ATR] > 0.0 or setting[BREAK_EVEN] > 0.0
    recording = trades.shape[0] > 0

    cash = capital
    previous = capital
    peak = capital
    drawdown = 0.0
    total = 0.0
    squares = 0.0
    downside = 0.0
    flat_bar = -1  # a bar whose close finds the account flat after an exit, not marked yet

    count = 0
    wins = 0
    gains = 0.0
    losses = 0.0
    exposed = 0.0
    returns = 0.0
    best_trade = -np.inf
    worst_trade = np.inf
    below_one = 0
    unaffordable = 0

    # The next bar with a signal of each kind, found before and kept until it is passed.
    long_at = short_at = leave_long_at = leave_short_at = -1
    t = first
    reverse = 0
    while True:
        # Flat: jump to the next entry; after a reversal it is the opposite one of this very bar.
        if reverse != 0:
            side = reverse
            reverse = 0
        else:
            long_at = _following(want_long, long_at, t, last - 1)
            short_at = _following(want_short, short_at, t, last - 1)
            t = min(long_at, short_at)
            if t >= last:
                break
            side = 1 if long_at <= short_at else -1
        if cash <= 0.0:
            break
        told = t
        at_open = next_open or not _real(open_, t)
        entry_bar = t + 1 if at_open else t
        if at_open and not _real(open_, entry_bar):
            entry_bar, side, told, _ = _wait(
                open_, want_long, leave_long, want_short, leave_short, 0, side, t, -1, t + 1, last, last,
                cooldown,
            )  # fmt: skip
            if side == 0 or entry_bar > last:
                t = min(entry_bar, last)
                continue
        price = open_[entry_bar] if at_open else close[t]
        now = impact[entry_bar - 1 if at_open else t] if has_impact else 0.0
        entry = price * (1.0 + side * terms.slippage) + side * now
        entry_atr = atr[told] if needs_atr else 0.0
        if all_in and not np.isnan(entry_atr):
            units = leverage * cash / (entry * levered)
        elif np.isnan(entry_atr) or np.isnan(now):
            units = np.nan
        else:
            spread = volatility[told] if sized_by_volatility else 0.0
            units = _size(side, entry, cash, entry_atr, spread, setting, terms)
        if not units > 0.0:
            if units == 0.0 and setting[WHOLE] > 0.0:
                below_one += 1
            elif units <= 0.0:
                unaffordable += 1
            t = max(t + 1, entry_bar)
            continue
        after = cash - units * entry * terms.fee - terms.fixed_fee
        if side > 0:
            after -= units * entry
        ruin = _ruin(side, units, after, entry, now, terms)
        if side * (price - ruin) <= 0.0:
            unaffordable += 1
            t = max(t + 1, entry_bar)
            continue
        entry_cash = cash
        cash = after
        if flat_bar >= 0 and flat_bar != entry_bar:
            peak, drawdown, total, squares, downside = _mark(
                entry_cash, previous, peak, drawdown, total, squares, downside
            )
            previous = entry_cash
        flat_bar = -1

        # In the market: the bar at whose close it ends at the latest, and a level touched before.
        exposed_from = entry_bar if at_open else entry_bar + 1
        if side > 0:
            signal_at = leave_long_at = _following(leave_long, leave_long_at, exposed_from, last)
        else:
            signal_at = leave_short_at = _following(leave_short, leave_short_at, exposed_from, last)
        end = min(signal_at, last)
        timed_out = last + 1
        if longest > 0:
            timed_out = exposed_from + longest - 1
            end = min(end, timed_out)
        waited = -1
        goal = 0
        while end < last and not _real(open_, end + 1) and (next_open or not _real(open_, end)):
            # The order to leave waits; what is decided meanwhile may call it off.
            goal = 0
            if cooldown == 0 and _next_bit(want_short if side > 0 else want_long, end, end) == end:
                goal = -side
            waited, goal, told, reason = _wait(
                open_, want_long, leave_long, want_short, leave_short, side, goal, end,
                SIGNAL if signal_at == end else MAX_BARS, end + 1, last, timed_out, cooldown,
            )  # fmt: skip
            if waited > last:
                end = last
            elif goal != side:
                end = waited - 1
                break
            else:
                signal_at = _next_bit(leave_long if side > 0 else leave_short, waited, last)
                timed_out = max(timed_out, waited)
                end = min(min(signal_at, last), timed_out)
                waited = -1
        extreme = entry
        target = _nearest_target(side, entry, entry_atr, setting)
        carries = _carries(side, units, cash, entry, funded, terms)
        walks = has_impact or carries
        touched_cash = cash
        eaten = False
        if walks:
            touched, extreme, touched_cash, eaten = _first_walked_touch(
                close, high, low, floor, ceiling, impact, funding, carries, side, units, cash, entry,
                entry_atr, target, setting, terms, exposed_from, end,
            )  # fmt: skip
        else:
            fixed, _ = _fixed_stop(side, entry, entry_atr, ruin, setting)
            if trails:
                touched, extreme = _first_trailing_touch(
                    high, low, floor, ceiling, blocks, side, entry_atr, entry, fixed, target, setting,
                    exposed_from, end,
                )  # fmt: skip
            elif side > 0:
                touched = _first_touch(floor, ceiling, blocks, fixed, target, exposed_from, end)
            else:
                touched = _first_touch(floor, ceiling, blocks, target, fixed, exposed_from, end)

        paid = 0.0
        if touched <= end:
            paid = impact[touched - 1] if has_impact else 0.0
            if walks:
                ruin = _ruin(side, units, touched_cash, entry, paid, terms)
            stop, reason = _tightest_stop(side, entry, extreme, entry_atr, ruin, setting)
            worst = low[touched] if side > 0 else high[touched]
            if eaten:
                raw = close[touched]
                reason = LIQUIDATION
            elif side * (open_[touched] - stop) <= 0.0:
                raw = open_[touched]
            elif side * (open_[touched] - target) >= 0.0:
                raw = open_[touched]
                reason = TARGET
            elif side * (worst - stop) <= 0.0:
                raw = stop
            else:
                raw = target
                reason = TARGET
            exit_bar = touched
            held_to = touched - 1
            held = touched - exposed_from + 1
            t = touched + cooldown
        else:
            at_open = next_open or not _real(open_, end)
            ahead = at_open and end < last
            raw = open_[end + 1] if ahead else close[end]
            if waited < 0:
                reason = SIGNAL if signal_at == end else MAX_BARS
            if end == last and (at_open or (signal_at != end and timed_out != end)):
                reason = END_OF_DATA
            paid = impact[end] if has_impact else 0.0
            exit_bar = end + 1 if ahead else end
            held_to = end if ahead else end - 1
            held = end - exposed_from + 1
            if end < last and cooldown == 0:
                if waited >= 0:
                    reverse = goal
                elif _next_bit(want_short if side > 0 else want_long, end, end) == end:
                    reverse = -side
                    told = end
            t = told if reverse != 0 else end + 1
            if cooldown > 0:
                t = max(t, exit_bar + cooldown)

        if held_to >= entry_bar:
            cash, previous, peak, drawdown, total, squares, downside = _hold(
                close, blocks, sums, side, units, cash, entry, entry_bar, held_to, exposed_from, funding,
                carries, terms, previous, peak, drawdown, total, squares, downside,
            )  # fmt: skip
        if carries and touched > end and held_to < end:
            cash = _carried(side, units, cash, entry, close[end], funding[end] if funded else 0.0, terms)
        ruined = reason == LIQUIDATION and terms.maintenance == 0.0
        fill, cash, lost = _settle(side, units, cash, entry, raw, paid, terms, ruined)
        if lost:
            reason = LIQUIDATION
        if eaten:
            fill = raw
            cash = 0.0
        flat_bar = exit_bar
        profit = cash - entry_cash
        if recording:
            _record(trades, count, side, entry_bar, entry, exit_bar, fill, units, profit, reason, held)
        count += 1
        exposed += held
        share = profit / (units * entry)
        returns += share
        best_trade = max(best_trade, share)
        worst_trade = min(worst_trade, share)
        if profit > 0.0:
            wins += 1
            gains += profit
        else:
            losses -= profit

    if flat_bar >= 0:
        peak, drawdown, total, squares, downside = _mark(
            cash, previous, peak, drawdown, total, squares, downside
        )
    mean = total / size
    variation = squares - total * mean
    out[:] = np.nan
    out[BELOW_ONE_UNIT] = below_one
    out[UNAFFORDABLE] = unaffordable
    # Whose cash is gone has just made the last exit.
    lost_at = float(flat_bar) if cash <= 0.0 else np.nan
    _return_metrics(
        size, cash / capital, mean, max(0.0, variation), downside, drawdown, lost_at, terms.periods_per_year,
        out,
    )  # fmt: skip
    _trade_metrics(size, count, wins, gains, losses, exposed, returns, best_trade, worst_trade, out)
    return squares == 0.0 or variation > _ILL_CONDITIONED * squares


@kernel
def trade_many(
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    floor: Floats,
    ceiling: Floats,
    blocks: Floats,
    sums: Floats,
    words: Words,
    rows: NDArray[np.int32],
    atr: Floats,
    atr_rows: NDArray[np.int32],
    volatility: Floats,
    volatility_rows: NDArray[np.int32],
    impact: Floats,
    funding: Floats,
    settings: Floats,
    terms: Terms,
    out: Floats,
    settled: NDArray[np.bool_],
    trades: Floats,
) -> None:
    """`simulate` and `measure` for many configurations on one price history, by events instead of bars.

    While it is flat a configuration jumps to the next bar with an entry signal; in the market, to the next
    exit signal, unless a level is touched before, which whole blocks of bars rule out at once. Trades equal
    those of `simulate` to the bit; metrics equal those of `measure` to about 1e-12, as sums of returns come
    from sums over the price history. Where the variance is small beside the mean (nearly equal returns on
    every bar) such sums do not tell it, and `settled` says so: `measure` must decide.

    Args:
        open_: n prices, as `high`, `low` and `close`.
        high: highest prices.
        low: lowest prices.
        close: last prices.
        floor: from `lay_out`, as the three that follow.
        ceiling: n highest prices, the open included.
        blocks: extremes of blocks of bars.
        sums: running sums of returns.
        words: one row a condition, one bit a bar, 64 bars a word; bits beyond the data are 0.
        rows: m × 4 × k: for each configuration, and for entry_long, exit_long, entry_short and exit_short,
            the rows of `words` that must all hold; -1 fills up.
        atr: one row an average true range, n values each.
        atr_rows: m rows of `atr`; not read where no level needs one.
        volatility: one row an annualised volatility, n values each.
        volatility_rows: m rows of `volatility`; not read where sizing needs none.
        impact: n values, or none, as in `simulate`.
        funding: n values, or none, as in `simulate`.
        settings: m × SETTINGS.
        terms: what all configurations share.
        out: m × FIGURES, written as by `measure`.
        settled: m, written: whether the row of `out` can be trusted.
        trades: with n rows, the trades of the last configuration are written; with none, no trades are.
    """
    width = words.shape[1]
    enter_long = np.empty(width, dtype=np.uint64)
    exit_long = np.empty(width, dtype=np.uint64)
    enter_short = np.empty(width, dtype=np.uint64)
    exit_short = np.empty(width, dtype=np.uint64)
    for one in range(rows.shape[0]):
        _gather(words, rows[one, 0], enter_long)
        _gather(words, rows[one, 1], exit_long)
        _gather(words, rows[one, 2], enter_short)
        _gather(words, rows[one, 3], exit_short)
        for place in range(width):
            up = enter_long[place] & ~exit_long[place]
            down = enter_short[place] & ~exit_short[place]
            enter_long[place] = up & ~down
            enter_short[place] = down & ~up
            exit_long[place] |= down & ~up
            exit_short[place] |= up & ~down
        settled[one] = _trade_one(
            open_, high, low, close, floor, ceiling, blocks, sums, enter_long, exit_long, enter_short,
            exit_short, atr[atr_rows[one]], volatility[volatility_rows[one]], impact, funding, settings[one],
            terms, out[one], trades,
        )  # fmt: skip
