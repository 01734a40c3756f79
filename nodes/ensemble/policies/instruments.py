"""The instruments that a recommendation may be about, and what is forecast of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from feeds.forecasts import Forecast
from feeds.news import GENERAL
from nodes.ensemble.agent import Row
from nodes.ensemble.state import EnsembleState
from nodes.ensemble.technical import HORIZONS, OUTLOOKS, PREDICTIONS, leading

Forecasted = dict[str, dict[str, dict[str, Any]]]
"""By instrument and horizon (`7d`, `30d`): `prediction`, and `expected_return` as a fraction or None."""

MOST_WATCHED = 50

TRADES = ("add", "reduce", "hedge")
"""Acts that buy or sell something."""

ROUND_TRIP = 2 * (10.0 + 2.0) / 10_000.0
"""Fee and slippage of a purchase and a sale: the defaults of a backtest, 10 and 2 basis points each way."""


def instruments(rows: Iterable[Row], forecasts: Sequence[Forecast], watched: Iterable[str]) -> Forecasted:
    """The market, the instruments whose forecasts are shown, and those that the user follows.

    Args:
        rows: the technical agent's.
        forecasts: all of the hour.
        watched: the user's watchlist.
    """
    found: Forecasted = {GENERAL: {}}
    for row in rows:
        if "symbol" in row:
            found.setdefault(row["symbol"], {})
        elif row["horizon"] in OUTLOOKS:
            prediction = PREDICTIONS[leading(row)]
            told = {"prediction": prediction, "expected_return": row["median_return"]}
            found[GENERAL][row["horizon"]] = told
    for symbol in [*watched][:MOST_WATCHED]:
        found.setdefault(symbol, {})
    for one in forecasts:
        horizon = HORIZONS[one.horizon]
        if one.ticker in found and one.ticker != GENERAL and horizon in OUTLOOKS:
            told = {"prediction": PREDICTIONS[one.direction], "expected_return": one.expected_return}
            found[one.ticker][horizon] = told
    return found


def instruments_of(state: EnsembleState) -> Mapping[str, Any]:
    """Those of a run; a state of an earlier version names the market alone."""
    return state.get("instruments", {GENERAL: {}})
