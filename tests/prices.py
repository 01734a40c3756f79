"""Made-up prices for tests: seeded, plausible, with whatever the test needs in them."""

import numpy as np
import pandas as pd


def made_up_prices(rows=1500, seed=7, frequency="1h", drift=0.0, cycle=0.0):
    """OHLCV of a random walk, `rows` bars; `cycle` adds a slow wave that a crossover can ride."""
    random = np.random.default_rng(seed)
    waves = cycle * np.sin(np.arange(rows) / 25.0)
    steps = drift + random.normal(0.0, 0.01, rows)
    close = 100.0 * np.exp(np.cumsum(steps) + waves)
    opened = np.concatenate([[close[0]], close[:-1]])
    spread = np.abs(random.normal(0.0, 0.004, (2, rows)))
    return pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * (1 + spread[0]),
            "low": np.minimum(opened, close) * (1 - spread[1]),
            "close": close,
            "volume": random.integers(100, 1000, rows).astype(float),
        },
        index=pd.date_range("2024-01-01", periods=rows, freq=frequency, name="time"),
    )
