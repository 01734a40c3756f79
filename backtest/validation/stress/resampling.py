"""Bootstrap of the trades, in another order, without the best, or entered at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.kernels.simulation import PROFIT, Floats
from backtest.validation.stress.case import AnyCase, Finding, StressCase, graded, skipped
from backtest.validation.stress.entry import StressTest

REPLICATIONS = 1_000
FEWEST_TRADES = 5
BEST = 5
_TAIL = 0.05
_MOST_AT_A_TIME = 2_000_000


def growths(case: AnyCase) -> Floats:
    """Log growth of the account by each trade, in the order of exits."""
    profits = case.result.trade_values[:, PROFIT]
    before = case.result.initial_capital + np.concatenate([[0.0], np.cumsum(profits)[:-1]])
    # An account that is lost has no logarithm; its last trade takes all but one part in a billion.
    factors = np.where(before > 0.0, 1.0 + profits / np.where(before > 0.0, before, 1.0), 1.0)
    return np.log(np.maximum(factors, 1e-9))


def trade_bootstrap(case: AnyCase) -> Finding:
    """Trades drawn with replacement. The figure is the total return that 95 % of the draws exceed."""
    logs = growths(case)
    if len(logs) < FEWEST_TRADES:
        return skipped("trade_bootstrap")
    sums = np.concatenate([logs[drawn].sum(axis=1) for drawn in _draws(case, len(logs))])
    low = float(np.expm1(np.quantile(sums, _TAIL)))
    return Finding(
        name="trade_bootstrap",
        outcome=graded(low, passes=0.0, weak=-0.1),
        figure=low,
        fields={
            "low_percent": low,
            "median_percent": float(np.expm1(np.median(sums))),
            "loss_percent": float((sums <= 0.0).mean()),
            "trades": len(logs),
        },
    )


def _draws(case: AnyCase, size: int) -> list[NDArray[np.int64]]:
    step = max(1, _MOST_AT_A_TIME // size)
    parts = [min(step, REPLICATIONS - begin) for begin in range(0, REPLICATIONS, step)]
    return [case.generator.integers(0, size, size=(part, size)) for part in parts]


def trade_order(case: AnyCase) -> Finding:
    """The same trades in another order. The figure is the drawdown that 5 % of the orders exceed.

    Drawdowns are those of the account at exits. Where the order that happened was much kinder than most, the
    drawdown to expect is larger than the one seen.
    """
    logs = growths(case)
    if len(logs) < FEWEST_TRADES:
        return skipped("trade_order")
    own = float(_drawdowns(logs[None, :])[0])
    step = max(1, _MOST_AT_A_TIME // len(logs))
    parts = [min(step, REPLICATIONS - begin) for begin in range(0, REPLICATIONS, step)]
    found = np.concatenate(
        [_drawdowns(case.generator.permuted(np.tile(logs, (part, 1)), axis=1)) for part in parts]
    )
    worst = float(np.quantile(found, _TAIL))
    ratio = worst / own if own < 0.0 else 1.0 if worst == 0.0 else np.inf
    return Finding(
        name="trade_order",
        outcome="passed" if ratio <= 1.5 else "weak" if ratio <= 2.5 else "failed",
        figure=worst,
        fields={
            "own_percent": -own,
            "worst_percent": -worst,
            "median_percent": -float(np.median(found)),
            "trades": len(logs),
        },
    )


def _drawdowns(logs: Floats) -> Floats:
    """Largest drawdown of each row of log growths, as a negative fraction."""
    curves = np.cumsum(logs, axis=1)
    peaks = np.maximum(np.maximum.accumulate(curves, axis=1), 0.0)
    found: Floats = np.expm1((curves - peaks).min(axis=1))
    return found


def best_trades(case: AnyCase) -> Finding:
    """The total return without the five best trades: whether a few trades made it."""
    logs = growths(case)
    if len(logs) <= BEST:
        return skipped("best_trades")
    left = float(np.expm1(np.sort(logs)[:-BEST].sum()))
    return Finding(
        name="best_trades",
        outcome=graded(left, passes=0.0, weak=-0.05),
        figure=left,
        fields={"return_percent": left, "own_percent": float(np.expm1(logs.sum())), "best": BEST},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Double:
    """The trades of one instrument, to be dealt out anew over its bars.

    Attributes:
        prices: logarithms of what is paid at each bar.
        held: bars of each trade.
        sides: 1 long, −1 short.
        free: bars on which nothing is held.
        own: what the trades gained at those prices.
    """

    prices: Floats
    held: NDArray[np.int64]
    sides: Floats
    free: int
    own: float

    @classmethod
    def of(cls, case: StressCase) -> _Double | None:
        """None without a trade, or where trades hold more bars than there are."""
        first, held, sides = case.stays()
        bars = len(case.closes)
        free = bars - 1 - int(held.sum())
        if not len(first) or free < 0:
            return None
        # On a bar that was made up nothing is filled: what would be waits for the next open.
        traded = pd.Series(case.market.traded.open if case.market.terms.next_open else case.closes)
        prices = np.log(traded.bfill().fillna(case.closes[-1]).to_numpy())
        # A position is held from its fill over `held` bars.
        own = float((sides * (prices[np.minimum(first + held, bars - 1)] - prices[first])).sum())
        return cls(prices=prices, held=held, sides=sides, free=free, own=own)

    def drawn(self, generator: np.random.Generator, part: int) -> Floats:
        """What so many random doubles of the trades gain."""
        count, bars = len(self.held), len(self.prices)
        gaps = np.sort(generator.integers(0, self.free + 1, size=(part, count)), axis=1)
        order = generator.permuted(np.tile(np.arange(count), (part, 1)), axis=1)
        lengths = self.held[order]
        starts = gaps + np.cumsum(lengths, axis=1) - lengths
        ends = np.minimum(starts + lengths, bars - 1)
        gained: Floats = (self.sides[order] * (self.prices[ends] - self.prices[starts])).sum(axis=1)
        return gained


def random_entries(case: AnyCase) -> Finding:
    """The same holding times and sides at random places. The figure is the share that earns as much.

    The trades come in another order and the time between them is dealt out anew, without overlap; the order
    must change too, for a strategy that is always in the market has no time between its trades. Every random
    trade is held from the open behind its signal as long as the one it stands for and pays the same costs as
    the others. Both the strategy and its doubles are measured at those opens, before costs: what is compared
    is when they were in the market.
    """
    doubles = [found for part in case.parts if (found := _Double.of(part)) is not None]
    count = sum(len(double.held) for double in doubles)
    if count < FEWEST_TRADES or len(doubles) < sum(len(one.result.trade_values) > 0 for one in case.parts):
        return skipped("random_entries")
    own = sum(double.own for double in doubles)
    reached = 0
    step = max(1, _MOST_AT_A_TIME // count)
    for begin in range(0, REPLICATIONS, step):
        part = min(step, REPLICATIONS - begin)
        gained = np.sum([double.drawn(case.generator, part) for double in doubles], axis=0)
        reached += int((gained >= own).sum())
    share = (1 + reached) / (1 + REPLICATIONS)
    return Finding(
        name="random_entries",
        outcome="passed" if share <= 0.05 else "weak" if share <= 0.20 else "failed",
        figure=share,
        fields={"share_percent": share, "trades": count, "replications": REPLICATIONS},
    )


TESTS = (
    StressTest(name="random_entries", run=random_entries, failing="essential"),
    StressTest(name="trade_bootstrap", run=trade_bootstrap, failing="told"),
    StressTest(name="trade_order", run=trade_order, failing="told"),
    StressTest(name="best_trades", run=best_trades, failing="essential"),
)
