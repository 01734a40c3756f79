"""How far each trade went against and in favour of its holder."""

from __future__ import annotations

import numpy as np
import pandas as pd


def with_excursions(trades: pd.DataFrame, prices: pd.DataFrame, fill: str) -> pd.DataFrame:
    """The trades with `mae` and `mfe`, the farthest loss and the farthest gain while each was held.

    Both are fractions of the entry price: `mae` 0 or below, `mfe` 0 or above. The bars before the exit count
    with their whole range, the bar of the exit with its price alone: what came after the exit in that bar
    was nobody's. With fills at the close the bar of the entry does not count.

    Args:
        trades: of a `BacktestResult`.
        prices: the bars it ran on, with `high` and `low`.
        fill: `next_open` or `close`.
    """
    index = pd.DatetimeIndex(prices.index)
    entered = index.get_indexer(pd.DatetimeIndex(trades["entry_time"])) + (fill == "close")
    left = index.get_indexer(pd.DatetimeIndex(trades["exit_time"]))
    high, low = prices["high"].to_numpy(dtype=np.float64), prices["low"].to_numpy(dtype=np.float64)
    rows = []
    for start, stop, first, last, side in zip(
        entered, left, trades["entry_price"], trades["exit_price"], trades["side"], strict=True
    ):
        top, bottom = (
            max(high[start:stop].max(initial=last), first),
            min(low[start:stop].min(initial=last), first),
        )
        up, down = top / first - 1.0, bottom / first - 1.0
        rows.append((down, up) if side == "long" else (-up, -down))
    found = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return trades.assign(mae=found[:, 0], mfe=found[:, 1])
