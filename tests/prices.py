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


def drifting_places(rows=3000, seed=7, edge=0.004, farthest=0.95):
    """Bars whose close stands anywhere in them, and moves that follow where it has long stood high or low.

    The next move is up by `edge` on average while a sum of places that begins anew (that of
    `nodes.optimization.policies.grammar`, `drift` of `place`) is above 3, and down while it is below -3: no
    window of fixed length tells when. Without `edge` the moves are a random walk of the same size. `farthest`
    is how near its ends a close may stand: the nearer, the wider some bars.
    """
    random = np.random.default_rng(seed)
    place = np.clip(random.normal(0.0, 0.5, rows), -farthest, farthest)
    noise = random.normal(0.0, 0.01, rows)
    usual, up, down = 0.0, 0.0, 0.0
    moves = np.zeros(rows)
    for t in range(1, rows):
        moves[t] = noise[t] + edge * (float(up + down > 3.0) - float(up + down < -3.0))
        usual += 2.0 / 21.0 * (abs(place[t]) - usual)
        z = place[t] / usual
        up, down = max(0.0, up + z - 0.5), min(0.0, down + z + 0.5)
    close = 100.0 * np.exp(np.cumsum(moves))
    opened = np.concatenate([[close[0]], close[:-1]])
    # As wide as it must be for both prices to stand within it, and the close at its place.
    width = np.abs(close - opened) / (0.5 * (1.0 - np.abs(place))) + 0.004 * close
    high, low = close + 0.5 * (1.0 - place) * width, close - 0.5 * (1.0 + place) * width
    return pd.DataFrame(
        {"open": opened, "high": high, "low": low, "close": close, "volume": np.full(rows, 1000.0)},
        index=pd.date_range("2024-01-01", periods=rows, freq="1h", name="time"),
    )
