"""Reductions for drawing lose no extreme."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.charts.equity import drawdown, largest_trades
from reports.charts.reduction import merged_bars, min_max_places
from tests.prices import made_up_prices

VALUES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(np.nan)), min_size=1, max_size=400)


@given(VALUES, st.integers(4, 60))
def test_a_reduced_series_keeps_ends_and_extremes(values, most):
    values = np.array(values)
    places = min_max_places(values, most)
    assert len(places) <= max(most, 4)
    assert (np.diff(places) > 0).all()
    assert (places[0], places[-1]) == (0, len(values) - 1)
    if not np.isnan(values).all():
        assert np.nanmin(values[places]) == np.nanmin(values)
        assert np.nanmax(values[places]) == np.nanmax(values)


@pytest.mark.parametrize("size", [2, 10, 399, 400, 401, 1203])
def test_merged_bars_say_what_their_bars_say(size):
    prices = made_up_prices(2_000).iloc[:size]
    merged, length = merged_bars(prices, 100)
    assert len(merged) <= 100
    for number, (time, bar) in enumerate(merged.iterrows()):
        part = prices.iloc[number * length : (number + 1) * length]
        assert (time, bar["last"]) == (part.index[0], part.index[-1])
        assert [bar.open, bar.high, bar.low, bar.close] == [
            part.open.iloc[0], part.high.max(), part.low.min(), part.close.iloc[-1]
        ]  # fmt: skip


def test_drawdown_is_the_loss_from_the_highest_value_so_far():
    equity = pd.Series([9_000.0, 12_000.0, 6_000.0, 12_000.0, 15_000.0, 14_250.0])
    assert drawdown(equity, 10_000.0).tolist() == pytest.approx([-0.1, 0.0, -0.5, 0.0, 0.0, -0.05])


def test_the_trades_that_moved_most_are_kept_in_their_order():
    trades = pd.DataFrame({"pnl": [1.0, -9.0, 3.0, 8.0, -2.0]})
    assert largest_trades(trades, 3).pnl.tolist() == [-9.0, 3.0, 8.0]
    assert largest_trades(trades, 5) is trades
