"""Backtests and sweeps: from prices and a strategy to trades, equity and metrics."""
