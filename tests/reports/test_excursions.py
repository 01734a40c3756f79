"""How far trades went against and in favour of their holder, worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reports.excursions import with_excursions

DAYS = pd.date_range("2020-01-01", periods=5, freq="D")
PRICES = pd.DataFrame(
    {"high": [101.0, 110.0, 104.0, 130.0, 100.0], "low": [99.0, 95.0, 90.0, 80.0, 70.0]}, index=DAYS
)


def trade(side: str, entry: int, leave: int, price: float, out: float) -> pd.DataFrame:
    row = {
        "side": side,
        "entry_time": DAYS[entry],
        "entry_price": price,
        "exit_time": DAYS[leave],
        "exit_price": out,
    }
    return pd.DataFrame([row])


@pytest.mark.parametrize(
    ("given", "fill", "mae", "mfe"),
    [
        # Bars 1 and 2 with their range, bar 3 with the exit price alone: its high of 130 was nobody's.
        (trade("long", 1, 3, 100.0, 105.0), "next_open", -0.10, 0.10),
        (trade("short", 1, 3, 100.0, 105.0), "next_open", -0.10, 0.10),
        # Filled at the close of bar 1: that bar's range came before.
        (trade("long", 1, 3, 100.0, 105.0), "close", -0.10, 0.05),
        # In and out in one bar: nothing but the two prices.
        (trade("long", 4, 4, 100.0, 97.0), "next_open", -0.03, 0.0),
    ],
)
def test_the_range_while_a_trade_was_held(given: pd.DataFrame, fill: str, mae: float, mfe: float) -> None:
    found = with_excursions(given, PRICES, fill).iloc[0]
    assert np.allclose([found["mae"], found["mfe"]], [mae, mfe])


def test_no_trades_have_no_excursions() -> None:
    none = trade("long", 1, 3, 1.0, 1.0).iloc[:0]
    assert with_excursions(none, PRICES, "next_open").empty
