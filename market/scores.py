"""Momentum, trend and mean-reversion scores of a price series, and what they were worth so far."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

Horizon = Literal["1w", "1m"]
BARS: dict[Horizon, int] = {"1w": 5, "1m": 21}
"""Trading days of each horizon."""

MINIMUM_BARS = 300
"""200 bars of the slow average and enough days after them to know how the score did."""

# Weights of (momentum, trend, mean reversion): reversion works over days, momentum over months.
_BLEND: dict[Horizon, tuple[float, float, float]] = {"1w": (0.3, 0.3, 0.4), "1m": (0.5, 0.4, 0.1)}
_NEUTRAL = 0.15
_SHRINKAGE = 60.0
"""Days of 'no knowledge' that the record is averaged with."""


def blended_score(close: pd.Series, horizon: Horizon) -> pd.Series:
    """A score from −1 (down) to 1 (up) at each bar, from data up to that bar.

    Momentum is the 63-bar return over its own volatility; trend the distance from the 200-bar average over
    the volatility of 100 bars; mean reversion the opposite of the 20-bar z-score. Each goes through tanh.

    Args:
        close: n prices, daily.
        horizon: which blend.
    """
    daily = close.pct_change()
    volatility = daily.rolling(63).std()
    momentum = np.tanh(close.pct_change(63) / (volatility * np.sqrt(63)))
    trend = np.tanh((close / close.rolling(200).mean() - 1.0) / (volatility * np.sqrt(100)))
    z_score = (close - close.rolling(20).mean()) / close.rolling(20).std()
    reversion = -np.tanh(z_score / 2.0)
    weights = _BLEND[horizon]
    blended: pd.Series = weights[0] * momentum + weights[1] * trend + weights[2] * reversion
    return blended


def forecast_row(close: pd.Series, ticker: str, horizon: Horizon) -> dict[str, Any]:
    """One forecast at the last bar, with the record of the same call so far.

    Confidence is the share of past days with the same call whose outcome, already known, went that way;
    expected_return their mean outcome. Both are shrunk by 60 days towards a coin's half, or nothing.

    Args:
        close: at least `MINIMUM_BARS` daily prices; the last one is the present.
        ticker: instrument.
        horizon: `1w` or `1m`.

    Returns:
        ticker, horizon, direction, confidence, expected_return, final_score, n_calls.

    Raises:
        ValueError: fewer bars.
    """
    if len(close) < MINIMUM_BARS:
        raise ValueError(f"{ticker}: {len(close)} bars, {MINIMUM_BARS} needed")
    bars = BARS[horizon]
    score = blended_score(close, horizon)
    outcome = close.shift(-bars) / close - 1.0  # unknown for the last bars, so never used there
    calls = np.sign(score.where(score.abs() >= _NEUTRAL, 0.0))
    now = float(calls.iloc[-1])
    quiet = 0.5 * outcome.std()
    same = outcome[(calls == now) & outcome.notna()]
    right = same.abs() <= quiet if now == 0.0 else np.sign(same) == now
    return {
        "ticker": ticker,
        "horizon": horizon,
        "direction": {1.0: "up", 0.0: "flat", -1.0: "down"}[now],
        "confidence": round((float(right.sum()) + _SHRINKAGE / 2) / (len(same) + _SHRINKAGE), 4),
        "expected_return": round(float(same.sum()) / (len(same) + _SHRINKAGE), 6),
        "final_score": round(float(score.iloc[-1]), 4),
        "n_calls": len(same),
    }
