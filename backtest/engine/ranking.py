"""Which of many configurations is best. The one place that knows: a lost account is worse than any other."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.kernels.simulation import LOST_AT, Floats

ACCOUNT_LOST = "account_lost"
"""Column of a sweep's table: time of the bar at which the account was lost, NaT where it survived."""
ENTRIES_BELOW_ONE_UNIT = "entries_below_one_unit"
"""Column of a sweep's table: entries not taken because, with `whole_units`, they were worth less than one."""
ENTRIES_UNAFFORDABLE = "entries_unaffordable"
"""Column of a sweep's table: entries not taken because the account could not pay what they cost."""


def lost_accounts(table: Floats) -> NDArray[np.bool_]:
    """Which configurations lost their account: none of them is ever chosen.

    Args:
        table: one row a configuration, as kernels write them: the metrics, then the bar of the loss.
    """
    return ~np.isnan(table[:, LOST_AT])


def best_first(table: pd.DataFrame, rank_by: str) -> pd.DataFrame:
    """A sweep's rows, the best first: equal ones in their order, then undefined ones, then lost accounts.

    Args:
        table: as `backtest.sweep` gives it.
        rank_by: a metric, the largest first.
    """
    order = pd.DataFrame({"lost": table[ACCOUNT_LOST].notna(), "value": table[rank_by]})
    places = order.reset_index(drop=True).sort_values(
        ["lost", "value"], ascending=[True, False], kind="stable", na_position="last"
    )
    return table.iloc[places.index]
