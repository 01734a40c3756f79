"""Does a signal know only what was known? Look-ahead, dependence on where the data begins, foresight."""

from __future__ import annotations

import numpy as np

from backtest.errors import RequestError
from backtest.validation.stress.case import AnyCase, Finding, skipped
from backtest.validation.stress.entry import StressTest
from backtest.validation.trials import market_returns

CUTS = 12
CUTS_BEHIND_SIGNALS = 24
FORESIGHT_LIMIT = 0.9
"""Share of all movement, over the bars held, that only somebody who knows the next bar earns."""
_FORESIGHT_BARS = 30
RECURSION_WEAK, RECURSION_FAILS = 0.001, 0.01


def look_ahead(case: AnyCase) -> Finding:
    """Signals on data cut off at a bar equal the signals on the whole data up to there.

    Cuts lie in the second half: some evenly spread, more just behind a signal, where knowledge of the future
    would have to show. The figure is the number of cuts with a difference: one is too many.
    """
    compared = different = 0
    for part in case.parts:
        bars = len(part.prices)
        even = np.linspace(bars // 2, bars - 1, CUTS).astype(np.int64)
        told = np.flatnonzero(part.signals[bars // 2 : bars - 1]) + bars // 2 + 1
        behind = (
            told[np.linspace(0, len(told) - 1, CUTS_BEHIND_SIGNALS).astype(np.int64)] if len(told) else told
        )
        cuts = [int(cut) for cut in np.unique(np.concatenate([even, behind])) if cut >= 2]
        for cut in cuts:
            try:
                found = part.source(part.prices.iloc[:cut])
            except RequestError:
                continue  # too short for a higher timeframe: nothing to compare
            compared += 1
            different += not np.array_equal(found, part.signals[:cut])
    if not compared:
        return skipped("look_ahead")
    return Finding(
        name="look_ahead",
        outcome="failed" if different else "passed",
        figure=float(different),
        fields={"cuts": compared, "different": different},
    )


def recursion(case: AnyCase) -> Finding:
    """Signals do not depend on where the data begins: an earlier start gives the same later values.

    The first quarter is taken away; from three lookbacks (at most a quarter of the bars) behind the new start
    on, the signals must be the same. The figure is the share of bars on which they are not.
    """
    compared = different = 0
    for part in case.parts:
        bars = len(part.prices)
        start = bars // 4
        settle = start + min(3 * part.spec.lookback(), bars // 4)
        try:
            found = part.source(part.prices.iloc[start:])
        except RequestError:
            continue
        compared += bars - settle
        different += int((found[settle - start :] != part.signals[settle:]).sum())
    if not compared:
        return skipped("recursion")
    share = different / compared
    return Finding(
        name="recursion",
        outcome="failed" if share > RECURSION_FAILS else "weak" if share > RECURSION_WEAK else "passed",
        figure=share,
        fields={"share_percent": share, "bars": compared},
    )


def foresight(case: AnyCase) -> Finding:
    """How much of the market's movement, up and down, while in the market went the strategy's way.

    `Σ side · r / Σ |r|` over the bars held, r from close to close: 0 for chance, 1 for somebody who knows the
    next bar. No honest edge comes near: a column that leaks the future does.
    """
    gained = moved = 0.0
    held = 0
    for one in case.parts:
        change = market_returns(one.result, one.closes)
        entered, bars_held, sides = one.stays()
        first = entered + (0 if one.market.terms.next_open else 1)
        for begin, count, side in zip(first, bars_held, sides, strict=True):
            part = change[begin : begin + count]
            gained += side * float(part.sum())
            moved += float(np.abs(part).sum())
            held += int(count)
    if held < _FORESIGHT_BARS or moved == 0.0:
        return skipped("foresight")
    share = float(gained / moved)
    return Finding(
        name="foresight",
        outcome="failed" if share > FORESIGHT_LIMIT else "passed",
        figure=share,
        fields={"share_percent": share, "bars": held},
    )


TESTS = (
    StressTest(name="look_ahead", run=look_ahead, failing="fatal"),
    StressTest(name="foresight", run=foresight, failing="fatal"),
    StressTest(name="recursion", run=recursion, failing="essential"),
)
