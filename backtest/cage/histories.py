"""Price histories on which code is tried: made up, the same every time, plain or beyond all sense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.random  # now: where code runs, nothing more can be opened
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BARS = 1_500
SEED = 19


@dataclass(frozen=True, slots=True)
class History:
    """Prices as arrays, one value a bar."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def columns(self, names: tuple[str, ...]) -> list[Floats]:
        """Copies of some columns, in order."""
        return [np.array(getattr(self, name), dtype=np.float64, order="C") for name in names]

    def part(self, first: int, last: int) -> History:
        """The bars from `first` to before `last`."""
        return History(*(getattr(self, name)[first:last] for name in self.__slots__))

    def then(self, other: History) -> History:
        """The bars of this history, and after them those of another one."""
        return History(
            *(np.concatenate([getattr(self, name), getattr(other, name)]) for name in self.__slots__)
        )

    def times(self, price: float, volume: float = 1.0) -> History:
        """All prices and all volumes multiplied."""
        prices = (self.open * price, self.high * price, self.low * price, self.close * price)
        return History(*prices, self.volume * volume)


def walk(bars: int = BARS, seed: int = SEED) -> History:
    """A random walk of 1 % a bar that begins at 100, with gaps between bars, more volume in large moves."""
    random = np.random.default_rng(seed)
    moves = random.normal(0.0, 0.01, bars)
    close = 100.0 * np.exp(np.cumsum(moves))
    first = np.concatenate([[100.0], close[:-1]]) * np.exp(random.normal(0.0, 0.003, bars))
    reach = np.abs(random.normal(0.0, 0.006, (2, bars)))
    high = np.maximum(first, close) * np.exp(reach[0])
    low = np.minimum(first, close) * np.exp(-reach[1])
    volume = np.exp(random.normal(8.0, 0.6, bars) + 20.0 * np.abs(moves))
    return History(first, high, low, close, volume)


def storms(bars: int = 400) -> list[History]:
    """Prices that no market has: flat, next to nothing, immense, unknown, from bar to bar all of it."""
    flat = np.full(bars, 100.0)
    found = [History(flat, flat, flat, flat, np.zeros(bars))]
    for price in (5e-324, 1e-310, 1e300, np.nan, np.inf, 0.0, -100.0):
        found.append(History(*(np.full(bars, price) for _ in range(5))))
    values = np.array([1e-310, 1e300, np.nan, 100.0, -np.inf, 0.0, 1.0])
    wild = np.random.default_rng(SEED).choice(values, (5, bars))
    found.append(History(*wild))
    return found
