"""What a price history looks like before it is trusted: missing bars, bars without trade, outliers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from backtest.data.arrays import PriceArrays
from backtest.data.gaps import Beat, Gap
from backtest.data.prices import read_prices
from backtest.kernels.simulation import Floats

OUTLIER_DEVIATIONS = 20.0
SUSPECT_CHANGE = 0.25
"""An outlier of at least this change is rather a wrong price or a split than a move of the market."""
_MAD_TO_DEVIATION = 1.4826
_MOVING = 0.05
_LEAST = 1e-4
"""Deviation of prices that hardly ever move: fewer than `_MOVING` of the bars."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlier:
    """A bar with a price out of all proportion.

    Attributes:
        time: of the bar.
        row: of the table, from 1.
        column: `close`, or `high` or `low` for a wick.
        change: from the close before; of a wick from the nearer of this close and the one before. A fraction.
        deviations: the same in robust deviations of the history's returns.
    """

    time: pd.Timestamp
    row: int
    column: str
    change: float
    deviations: float


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityReport:
    """What `quality_report` finds.

    Attributes:
        rows: bars.
        first: time of the first.
        last: time of the last.
        timeframe: the usual distance between bars; None with fewer than two.
        time_zone: of the times; None where they are naive.
        sessions: whether bars stand at some hours or days of the week only: then only gaps inside the usual
            hours count.
        gaps: outages, in order.
        missing_bars: of all gaps together.
        irregular_bars: bars that do not stand a whole number of bar lengths behind the one before.
        zero_volume_bars: bars in which nothing was traded; None where no volume is known.
        unknown_volume_bars: bars whose volume is not known.
        flat_bars: bars whose open, high, low and close are one price.
        outliers: closes that moved, and highs and lows that stick out, by more than `OUTLIER_DEVIATIONS`
            robust deviations.
    """

    rows: int
    first: pd.Timestamp
    last: pd.Timestamp
    timeframe: str | None
    time_zone: str | None
    sessions: bool
    gaps: tuple[Gap, ...]
    missing_bars: int
    irregular_bars: int
    zero_volume_bars: int | None
    unknown_volume_bars: int
    flat_bars: int
    outliers: tuple[Outlier, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, times as ISO text, ready for JSON."""

        def flat(value: Any) -> Any:
            if isinstance(value, pd.Timestamp):
                return value.isoformat()
            if isinstance(value, dict):
                return {name: flat(one) for name, one in value.items()}
            if isinstance(value, list | tuple):
                return [flat(one) for one in value]
            return value

        found: dict[str, Any] = flat(asdict(self))
        return found


def quality_report(df: pd.DataFrame) -> QualityReport:
    """Judge a price history.

    What counts as missing is told in `backtest.data.gaps`. Outliers are returns beyond
    `OUTLIER_DEVIATIONS` times 1.4826 × the median absolute return; highs and lows meet the same test,
    measured from the nearer of this close and the one before, against the median wick where that is larger.

    Args:
        df: prices, as `backtest.validate_prices` takes them.

    Returns:
        Counts of bars, and each gap and outlier in order of time; changes are fractions.

    Raises:
        PriceError: the prices are refused.
    """
    prices, index = read_prices(df)
    beat = Beat(index)
    unknown = int(np.isnan(prices.volume).sum())
    return QualityReport(
        rows=len(index),
        first=index[0],
        last=index[-1],
        timeframe=beat.timeframe,
        time_zone=None if index.tz is None else str(index.tz),
        sessions=beat.sessions,
        gaps=beat.gaps,
        missing_bars=sum(gap.missing for gap in beat.gaps),
        irregular_bars=beat.irregular,
        zero_volume_bars=int((prices.volume == 0.0).sum()) if unknown < len(index) else None,
        unknown_volume_bars=unknown,
        flat_bars=int(((prices.high == prices.low) & (prices.open == prices.close)).sum()),
        outliers=_outliers(prices, index),
    )


def suspect_prices(df: pd.DataFrame) -> tuple[Outlier, ...]:
    """Outliers that are rather wrong prices or splits than moves of the market, in order of time.

    Raises:
        PriceError: the prices are refused.
    """
    return tuple(one for one in _outliers(*read_prices(df)) if abs(one.change) >= SUSPECT_CHANGE)


def _outliers(prices: PriceArrays, index: pd.DatetimeIndex) -> tuple[Outlier, ...]:
    """Closes, highs and lows out of all proportion, in order of time."""
    close = prices.close
    before = np.concatenate([close[:1], close[:-1]])
    moves = close / before - 1.0
    usual = _deviation(moves[1:])
    wicks = {
        "high": np.maximum(prices.high / np.maximum(before, close) - 1.0, 0.0),
        "low": np.minimum(prices.low / np.minimum(before, close) - 1.0, 0.0),
    }
    found = []
    for column, changes in (("close", moves), *wicks.items()):
        deviation = usual if column == "close" else max(usual, _deviation(changes))
        for place in np.flatnonzero(np.abs(changes) > OUTLIER_DEVIATIONS * deviation).tolist():
            found.append(
                Outlier(
                    time=index[place],
                    row=place + 1,
                    column=column,
                    change=float(changes[place]),
                    deviations=float(abs(changes[place]) / deviation),
                )
            )
    return tuple(sorted(found, key=lambda one: one.row))


def _deviation(changes: Floats) -> float:
    """Robust standard deviation; where most changes are zero, of those that are not, or a basis point."""
    sizes = np.abs(changes)
    if sizes.size and not np.median(sizes):
        moving = sizes[sizes > 0.0]
        sizes = moving if moving.size > _MOVING * sizes.size else np.array([_LEAST / _MAD_TO_DEVIATION])
    return _MAD_TO_DEVIATION * float(np.median(sizes)) if sizes.size else _LEAST
