"""The instruments that a recommendation may be about, and what is forecast of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from feeds.forecasts import Forecast
from feeds.news import GENERAL
from nodes.ensemble.state import EnsembleState
from nodes.ensemble.technical import HORIZONS, OUTLOOKS, PREDICTIONS, ForecastRow, VoteRow, is_vote, leading
from nodes.ensemble.types import Forecasted

MOST_WATCHED = 50

TRADES = ("add", "reduce", "hedge")
"""Acts that buy or sell something."""

ROUND_TRIP = 2 * (10.0 + 2.0) / 10_000.0
"""Fee and slippage of a purchase and a sale: the defaults of a backtest, 10 and 2 basis points each way."""


def instruments(
    rows: Iterable[VoteRow | ForecastRow], forecasts: Sequence[Forecast], watched: Iterable[str]
) -> Forecasted:
    """The market, the instruments whose forecasts are shown, and those that the user follows.

    Args:
        rows: the technical agent's.
        forecasts: all of the hour.
        watched: the user's watchlist.
    """
    found: Forecasted = {GENERAL: {}}
    for row in rows:
        if not is_vote(row):
            found.setdefault(row["symbol"], {})
        elif row["horizon"] in OUTLOOKS:
            prediction = PREDICTIONS[leading(row)]
            found[GENERAL][row["horizon"]] = {
                "prediction": prediction,
                "expected_return": row["median_return"],
            }
    for symbol in [*watched][:MOST_WATCHED]:
        found.setdefault(symbol, {})
    for one in forecasts:
        horizon = HORIZONS[one.horizon]
        if one.ticker in found and one.ticker != GENERAL and horizon in OUTLOOKS:
            found[one.ticker][horizon] = {
                "prediction": PREDICTIONS[one.direction],
                "expected_return": one.expected_return,
            }
    return found


def instruments_of(state: EnsembleState) -> Forecasted:
    """Those of a run; a state of an earlier version names the market alone."""
    alone: Forecasted = {GENERAL: {}}
    return state.get("instruments", alone)
