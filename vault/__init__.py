"""Prices, their split, the holdout and the trial ledger."""
