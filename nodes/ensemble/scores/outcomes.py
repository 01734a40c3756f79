"""What the market did after an hour, and how often it does so: the other side of every score.

The market is the mean daily return, equally weighted, of the instruments under
`prices/ticker=T/prices.parquet`. A day's close counts as known from the next day's
midnight (UTC) on. A move is clear when it is larger than half the standard deviation of moves over that
horizon in the year before, as known at the hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nodes.ensemble.schemas import DAYS, ProposalHorizon
from vault.readers.prices import read_prices

POSITIVE, NEUTRAL, NEGATIVE = range(3)
_DAY = np.timedelta64(1, "D")
_QUIET = 0.5
_YEAR = 365
_FEWEST_MOVES = 60
_OLDEST_PRICE = 5
"""Days: an older last price is none; a long weekend is four."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came after an hour.

    Attributes:
        move: return of the market over the horizon, as a fraction.
        threshold: size of a clear move.
        outcome: `POSITIVE`, `NEUTRAL` or `NEGATIVE`.
        climatology: shares of the three among all moves that had ended by the hour.
    """

    move: float
    threshold: float
    outcome: int
    climatology: tuple[float, float, float]


class MarketHistory:
    """Levels of the market by day.

    Args:
        days: n days, sorted, unique.
        levels: n levels, positive.
    """

    def __init__(self, days: NDArray[np.datetime64], levels: NDArray[np.float64]) -> None:
        self.days = days
        self.levels = levels
        self._cases: dict[tuple[int, ProposalHorizon], tuple[float, tuple[float, float, float]] | None] = {}
        self._ends: dict[str, NDArray[np.int64]] = {}
        self._moves: dict[str, NDArray[np.float64]] = {}
        for horizon, length in DAYS.items():
            ends = np.searchsorted(days, days + length * _DAY, side="right") - 1
            # A move whose last day the prices do not reach is no move yet.
            reached = days[-1] >= days + length * _DAY if len(days) else np.zeros(0, dtype=bool)
            self._ends[horizon] = np.where(reached, ends, -1)
            self._moves[horizon] = np.where(reached, levels[ends] / levels - 1.0, np.nan)

    def known(self, hour: datetime) -> int | None:
        """Index of the last close known at an hour; None where there is none of the last days."""
        day = np.datetime64((hour - timedelta(days=1)).date(), "D")
        place = int(np.searchsorted(self.days, day, side="right")) - 1
        if place < 0 or day - self.days[place] > _OLDEST_PRICE * _DAY:
            return None
        return place

    def outcome(self, hour: datetime, horizon: ProposalHorizon, as_of: datetime) -> Outcome | None:
        """What came after `hour`, if it was known at `as_of`; None while it is not, or without prices."""
        end = hour + timedelta(days=DAYS[horizon])
        if end > as_of:
            return None
        begin, last = self.known(hour), self.known(end)
        if begin is None or last is None or last <= begin:
            return None
        if (case := self._case(begin, horizon)) is None:
            return None
        threshold, climatology = case
        move = float(self.levels[last] / self.levels[begin] - 1.0)
        outcome = POSITIVE if move > threshold else NEGATIVE if move < -threshold else NEUTRAL
        return Outcome(move=move, threshold=threshold, outcome=outcome, climatology=climatology)

    def _case(self, begin: int, horizon: ProposalHorizon) -> tuple[float, tuple[float, float, float]] | None:
        """Threshold and climatology as known on day `begin`: from moves that had ended by then."""
        key = (begin, horizon)
        if key not in self._cases:
            ends = self._ends[horizon]
            past = self._moves[horizon][(ends >= 0) & (ends <= begin)]
            recent = past[-_YEAR:]
            if len(recent) < _FEWEST_MOVES or not (threshold := float(_QUIET * recent.std(ddof=1))) > 0.0:
                self._cases[key] = None
            else:
                up, down = int((past > threshold).sum()), int((past < -threshold).sum())
                total = len(past) + 3  # one of each to begin with: nothing is impossible
                shares = ((up + 1) / total, (len(past) - up - down + 1) / total, (down + 1) / total)
                self._cases[key] = (threshold, shares)
        return self._cases[key]


def read_history(root: Path, home: Path) -> MarketHistory | None:
    """The market of a data folder; None where it holds no prices.

    Args:
        root: holds `prices/ticker=T/prices.parquet`.
        home: the data folder, for the reader of price files.

    Raises:
        MarketError, BacktestError: a price file cannot be used.
    """
    returns = []
    for path in sorted(root.glob("prices/ticker=*/prices.parquet")):
        frame, _ = read_prices(str(path), home)
        index = pd.DatetimeIndex(frame.index)
        index = index.tz_convert(UTC).tz_localize(None) if index.tz is not None else index
        daily = frame["close"].groupby(index.normalize()).last()
        returns.append(daily.pct_change().rename(path.parent.name))
    if not returns:
        return None
    mean = pd.concat(returns, axis=1, sort=True).mean(axis=1).dropna()
    levels = (1.0 + mean).cumprod().to_numpy(dtype=np.float64)
    return MarketHistory(mean.index.to_numpy().astype("datetime64[D]"), levels)
