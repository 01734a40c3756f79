"""What a model is worth in each role: made-up backtests with known faults, asked about as any review is."""
