"""What a price history looks like before it is trusted: missing bars, bars without trade, outliers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from backtest.gaps import Beat, Gap
from backtest.prices import read_prices

OUTLIER_DEVIATIONS = 20.0
_MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlier:
    """A bar whose close moved out of all proportion.

    Attributes:
        time: of the bar.
        row: of the table, from 1.
        change: from the close before, as a fraction.
        deviations: the same in robust deviations of the history's returns.
    """

    time: pd.Timestamp
    row: int
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
        outliers: closes that moved by more than `OUTLIER_DEVIATIONS` robust deviations.
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

    What counts as missing is told in `backtest.gaps`. Outliers are returns beyond
    `OUTLIER_DEVIATIONS` times 1.4826 × the median absolute return.

    Args:
        df: prices, as `backtest.validate_prices` takes them.

    Returns:
        Counts of bars, and each gap and outlier in order of time; changes are fractions.

    Raises:
        PriceError: the prices are refused.
    """
    prices, index = read_prices(df)
    beat = Beat(index)
    close = prices.close
    moves = np.diff(close) / close[:-1]
    usual = _MAD_TO_DEVIATION * float(np.median(np.abs(moves))) if moves.size else 0.0
    outliers = []
    if usual > 0.0:
        for place in np.flatnonzero(np.abs(moves) > OUTLIER_DEVIATIONS * usual).tolist():
            outliers.append(
                Outlier(
                    time=index[place + 1],
                    row=place + 2,
                    change=float(moves[place]),
                    deviations=float(abs(moves[place]) / usual),
                )
            )
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
        flat_bars=int(((prices.high == prices.low) & (prices.open == close)).sum()),
        outliers=tuple(outliers),
    )
