"""Validation of a strategy: walk-forward, score, trials, stress tests, verdict."""
