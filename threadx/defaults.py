"""Defaults that a help tells, apart from what uses them: a help waits for no engine."""

from __future__ import annotations

STRATEGY = "ma_crossover"
CALIBRATION_BARS = 5 * 252
CALIBRATION_ITERATIONS = 10
CALIBRATION_SHARPES = (0.5, 1.0, 2.0, 3.0, 4.0)
YEARS_FETCHED = 3
