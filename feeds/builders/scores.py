"""Momentum, trend and mean-reversion scores of a price series, and what they were worth so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from backtest.kernels.indicators import Floats, moving_deviation, moving_mean

Horizon = Literal["1w", "1m"]
SESSION_BARS: dict[Horizon, int] = {"1w": 5, "1m": 21}
"""Daily bars of 7 and 30 days where weekends are not traded."""
CONTINUOUS_BARS: dict[Horizon, int] = {"1w": 7, "1m": 30}
"""The same where every day is traded."""

SCORES = ("momentum", "trend", "mean_reversion")
MINIMUM_BARS = 300
"""200 bars of the slow average and enough days after them to know how the scores did."""

# Weights of SCORES: reversion works over days, momentum over months.
_BLEND: dict[Horizon, tuple[float, float, float]] = {"1w": (0.3, 0.3, 0.4), "1m": (0.5, 0.4, 0.1)}
_NEUTRAL = 0.15
_SHRINKAGE = 60.0
"""Days of 'no knowledge' that the record is averaged with."""


def component_scores(close: Floats) -> dict[str, Floats]:
    """Each score from −1 (down) to 1 (up) at each bar, from data up to that bar; NaN until warm.

    Momentum is the 63-bar return over its own volatility; trend the distance from the 200-bar average over
    the volatility of 100 bars; mean reversion the opposite of half the 20-bar z-score. Each goes through
    tanh. A price that does not move scores 0.

    Args:
        close: n prices, daily.
    """
    daily = np.full(close.size, np.nan)
    daily[1:] = close[1:] / close[:-1] - 1.0
    volatility = moving_deviation(daily, 63)
    past = np.full(close.size, np.nan)
    past[63:] = close[:-63]
    mean, deviation = moving_mean(close, 20), moving_deviation(close, 20)
    return {
        "momentum": np.tanh(_ratio(close / past - 1.0, volatility * np.sqrt(63.0))),
        "trend": np.tanh(_ratio(close / moving_mean(close, 200) - 1.0, volatility * np.sqrt(100.0))),
        "mean_reversion": -np.tanh(_ratio(close - mean, 2.0 * deviation)),
    }


def blended_score(scores: Mapping[str, Floats], horizon: Horizon) -> Floats:
    """The scores of `component_scores` weighted for a horizon, −1 to 1."""
    blended = sum(weight * scores[name] for weight, name in zip(_BLEND[horizon], SCORES, strict=True))
    return np.asarray(blended, dtype=np.float64)


def forecast_row(
    close: pd.Series, ticker: str, horizon: Horizon, bars: Mapping[Horizon, int] = SESSION_BARS
) -> dict[str, Any]:
    """One forecast at the last bar, with the record of the same call, and of each score, so far.

    Confidence is the share of past days with the same call whose outcome, already known, went that way;
    expected_return their mean outcome. Both are shrunk by 60 days towards a coin's half, or nothing. The hit
    rate of a score is the share of the days on which it took a side (beyond ±0.15) whose outcome went that
    way, as it was; days overlap, so that calls are fewer than they count.

    Args:
        close: at least `MINIMUM_BARS` daily prices; the last one is the present.
        ticker: instrument.
        horizon: `1w` or `1m`.
        bars: bars of each horizon.

    Returns:
        ticker, horizon, direction, confidence, expected_return, final_score, n_calls; and of each score NAME
        the present value, NAME_hit_rate (None without a call) and NAME_calls.

    Raises:
        ValueError: fewer bars.
    """
    if len(close) < MINIMUM_BARS:
        raise ValueError(f"{ticker}: {len(close)} bars, {MINIMUM_BARS} needed")
    prices = close.to_numpy(dtype=np.float64)
    ahead = bars[horizon]
    scores = component_scores(prices)
    blended = blended_score(scores, horizon)
    outcome = prices[ahead:] / prices[:-ahead] - 1.0  # the last `ahead` days have none: it is not known yet
    calls = _calls(blended)
    now = float(calls[-1])
    same = outcome[calls[: outcome.size] == now]
    quiet = 0.5 * float(outcome.std(ddof=1))
    right = np.abs(same) <= quiet if now == 0.0 else np.sign(same) == now
    row: dict[str, Any] = {
        "ticker": ticker,
        "horizon": horizon,
        "direction": {1.0: "up", 0.0: "flat", -1.0: "down"}[now],
        "confidence": round((float(right.sum()) + _SHRINKAGE / 2) / (same.size + _SHRINKAGE), 4),
        "expected_return": round(float(same.sum()) / (same.size + _SHRINKAGE), 6),
        "final_score": round(float(blended[-1]), 4),
        "n_calls": int(same.size),
    }
    for name in SCORES:
        sides = _calls(scores[name])[: outcome.size]
        taken = np.abs(sides) == 1.0
        count = int(taken.sum())
        hits = int((np.sign(outcome[taken]) == sides[taken]).sum())
        row[name] = round(float(scores[name][-1]), 4)
        row[f"{name}_hit_rate"] = round(hits / count, 4) if count else None
        row[f"{name}_calls"] = count
    return row


def _calls(score: Floats) -> Floats:
    """1, 0 or −1 by the sign of a score beyond the neutral band; NaN where there is no score."""
    return np.where(np.isnan(score), np.nan, np.where(np.abs(score) >= _NEUTRAL, np.sign(score), 0.0))


def _ratio(above: Floats, below: Floats) -> Floats:
    """A quotient that is 0 where there is nothing to divide by."""
    return np.divide(above, below, out=np.where(np.isnan(below), np.nan, 0.0), where=below > 0.0)
