"""What follows from economic series: where they drift, how often a recession followed the like of today."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

# Months from peak to trough of United States recessions as dated by the NBER.
_RECESSIONS = (
    ("1920-01", "1921-07"),
    ("1923-05", "1924-07"),
    ("1926-10", "1927-11"),
    ("1929-08", "1933-03"),
    ("1937-05", "1938-06"),
    ("1945-02", "1945-10"),
    ("1948-11", "1949-10"),
    ("1953-07", "1954-05"),
    ("1957-08", "1958-04"),
    ("1960-04", "1961-02"),
    ("1969-12", "1970-11"),
    ("1973-11", "1975-03"),
    ("1980-01", "1980-07"),
    ("1981-07", "1982-11"),
    ("1990-07", "1991-03"),
    ("2001-03", "2001-11"),
    ("2007-12", "2009-06"),
    ("2020-02", "2020-04"),
)
_DATING_MONTHS = 24
"""Recessions are dated up to two years later: younger months teach nothing."""

_RECENT = 240
_FEWEST = 60


def autoregression(series: pd.Series, ahead: int) -> float:
    """Iterate x[t+1] = a + b·x[t], fitted by least squares over the last 240 values, `ahead` steps.

    With fewer than 60 values the last one stands.
    """
    recent = series.iloc[-_RECENT:].to_numpy(dtype=np.float64)
    value = float(recent[-1])
    if len(recent) >= _FEWEST and float(np.ptp(recent[:-1])) > 0.0:
        slope, level = np.polyfit(recent[:-1], recent[1:], 1)
        for _ in range(ahead):
            value = float(level + slope * value)
    return round(value, 6)


def recession_odds(indicator: pd.Series, ahead: int) -> float | None:
    """Share of past months with a like indicator that saw a recession within `ahead` months.

    Like means the nearest fifth by the indicator's value; shrunk by 24 months of the base rate.

    Args:
        indicator: one value a month, on its dates; the last one is today's.
        ahead: months.

    Returns:
        0–1, or None where fewer than 60 months are old enough for recessions to be dated.
    """
    months = pd.PeriodIndex(indicator.index, freq="M")
    slump = np.zeros(len(months))
    for begin, end in _RECESSIONS:
        slump[(months > pd.Period(begin, "M")) & (months <= pd.Period(end, "M"))] = 1.0
    usable = len(months) - _DATING_MONTHS
    if usable < _FEWEST:
        return None
    outcome = np.array([slump[place : place + ahead + 1].max() for place in range(usable)])
    distance = np.abs(indicator.to_numpy()[:usable] - float(indicator.iloc[-1]))
    nearest = outcome[np.argsort(distance, kind="stable")[: math.ceil(usable / 5)]]
    base = float(outcome.mean())
    return round((float(nearest.sum()) + 24.0 * base) / (len(nearest) + 24.0), 4)
