"""A yardstick: the loop over bars that one writes by hand for one strategy, with metrics, signals given."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Plan(NamedTuple):
    """What the loop trades by; 0 is off. Percents are fractions here."""

    stop: float
    target: float
    trailing: float
    stop_atr: float
    longest: int
    share: float
    risked: float
    fee: float
    borrowing: float


@cache
def bare_loop(
    stops: bool,
    targets: bool,
    trails: bool,
    by_atr: bool,
    ages: bool,
    risks: bool,
    moves: bool,
    borrows: bool,
) -> Callable[..., Any]:
    """The loop for strategies that use these and nothing else: the compiler leaves out what is off."""

    def loop(
        open_: Floats,
        high: Floats,
        low: Floats,
        close: Floats,
        codes: NDArray[np.uint8],
        atr: Floats,
        impact: Floats,
        plan: Plan,
        capital: float,
    ) -> tuple[int, float, float, float, float, float, float]:
        """Fills at the next open, a stop before a target, metrics in the same loop.

        Args:
            open_: n opens, and so highs, lows and closes.
            high: their highs.
            low: their lows.
            close: their closes.
            codes: n sums of 1 enter long, 2 leave long, 4 enter short, 8 leave short.
            atr: average true ranges, read where the plan needs them.
            impact: n price moves that fills pay; empty for none.
            plan: levels, size and costs.
            capital: cash at the start.

        Returns:
            Trades, total return, sum of the returns, of their squares, of the squares of the losses, the
            maximum drawdown, and the profit factor.
        """
        size = close.size
        cash = peak = previous = capital
        total = squares = downside = drawdown = gains = losses = 0.0
        side = goal = signal_bar = entered = trades = 0
        units = entry = stop = target = extreme = before = 0.0
        for t in range(size):
            moved = impact[t - 1] if moves and t > 0 else 0.0
            if goal != side:
                if side != 0:
                    fill = open_[t] - side * moved
                    cash += units * (fill if side > 0 else entry - fill) - units * fill * plan.fee
                    profit = cash - before
                    gains, losses = (gains + profit, losses) if profit > 0.0 else (gains, losses - profit)
                    trades += 1
                    side = 0
                if goal != 0 and not (by_atr and np.isnan(atr[signal_bar])) and moved == moved:
                    side = goal
                    entry = open_[t] + side * moved
                    entered = t
                    before = cash
                    units = plan.share * cash / (entry * (1.0 + plan.share * plan.fee))
                    extreme = entry
                    stop = -side * np.inf
                    if stops:
                        stop = entry - side * entry * plan.stop
                    if by_atr:
                        stop = entry - side * plan.stop_atr * atr[signal_bar]
                    if risks:
                        units = min(units, cash * plan.risked / abs(entry - stop))
                    target = entry + side * entry * plan.target if targets else side * np.inf
                    cash -= units * entry * plan.fee + (units * entry if side > 0 else 0.0)
                goal = side
            if side != 0:
                if trails:
                    level = extreme - side * extreme * plan.trailing
                    stop = max(stop, level) if side > 0 else min(stop, level)
                fill = 0.0
                worst, best = (low[t], high[t]) if side > 0 else (high[t], low[t])
                if side * (open_[t] - stop) <= 0.0 or side * (open_[t] - target) >= 0.0:
                    fill = open_[t]
                elif side * (worst - stop) <= 0.0:
                    fill = stop
                elif side * (best - target) >= 0.0:
                    fill = target
                if fill > 0.0:
                    fill -= side * moved
                    cash += units * (fill if side > 0 else entry - fill) - units * fill * plan.fee
                    profit = cash - before
                    gains, losses = (gains + profit, losses) if profit > 0.0 else (gains, losses - profit)
                    trades += 1
                    side = goal = 0
                else:
                    extreme = max(extreme, high[t]) if side > 0 else min(extreme, low[t])
                    if borrows and side < 0:
                        cash -= plan.borrowing * units * close[t]
            code = codes[t]
            want = 0
            up, down = code & 3 == 1, code & 12 == 4
            if up != down:
                want = 1 if up else -1
            if side != 0:
                leaves = code & (2 if side > 0 else 8)
                if want == -side:
                    goal = want
                elif leaves or (ages and t - entered + 1 >= plan.longest):
                    goal = 0
            else:
                goal = want
            signal_bar = t
            value = cash + (units * close[t] if side > 0 else units * (entry - close[t]) if side < 0 else 0.0)
            if t == size - 1:
                if side != 0:
                    fill = close[t] - side * (impact[t] if moves else 0.0)
                    cash += units * (fill if side > 0 else entry - fill) - units * fill * plan.fee
                    profit = cash - before
                    gains, losses = (gains + profit, losses) if profit > 0.0 else (gains, losses - profit)
                    trades += 1
                value = cash
            change = value / previous - 1.0
            total += change
            squares += change * change
            downside += min(change, 0.0) * change
            peak = max(peak, value)
            drawdown = min(drawdown, value / peak - 1.0)
            previous = value
        factor = gains / losses if losses > 0.0 else np.inf
        return trades, cash / capital - 1.0, total, squares, downside, drawdown, factor

    return njit(nogil=True)(loop)
