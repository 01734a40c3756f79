"""What a price history looks like before it is trusted: missing bars, bars without trade, outliers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.clock import Clock, timeframe_of
from backtest.prices import read_prices

OUTLIER_DEVIATIONS = 20.0
_MAD_TO_DEVIATION = 1.4826
_NANO = 10**9


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Bars that are not there.

    Attributes:
        after: time of the last bar before the gap.
        before: time of the first bar behind it.
        missing: how many bars would fit in between.
    """

    after: pd.Timestamp
    before: pd.Timestamp
    missing: int


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
        zero_volume_bars: bars in which nothing was traded; None where volume is not known.
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


def _slots(index: pd.DatetimeIndex, step: int) -> NDArray[np.int64]:
    """Where in its week each bar stands, on the clock on the wall, in bar lengths."""
    wall = index.tz_localize(None).as_unit("ns").asi8
    week = 7 * 86_400 * _NANO
    # 1970 began on a Thursday; weeks begin on Monday.
    slots: NDArray[np.int64] = (wall + 3 * 86_400 * _NANO) % week // step
    return slots


def _missing(index: pd.DatetimeIndex, stamps: NDArray[np.int64], step: int) -> tuple[list[Gap], bool]:
    """Gaps, and whether bars stand at some slots of the week only."""
    places = np.flatnonzero(np.diff(stamps) >= 2 * step)
    slots = 7 * 86_400 * _NANO // step
    weeks = (stamps[-1] - stamps[0]) / (7 * 86_400 * _NANO)
    counts = np.bincount(_slots(index, step), minlength=slots) if slots else np.zeros(0)
    # A slot of the week is in use if it has a bar in more than a third of the weeks.
    usual = counts > weeks / 3.0
    sessions = bool(weeks >= 2.0 and step < 7 * 86_400 * _NANO and usual.mean() < 0.95)
    gaps = []
    for place in places.tolist():
        between = int((stamps[place + 1] - stamps[place]) // step) - 1
        if sessions:
            times = pd.DatetimeIndex(
                (stamps[place] + step * np.arange(1, between + 1)).astype("datetime64[ns]")
            )
            if index.tz is not None:
                times = times.tz_localize("UTC").tz_convert(index.tz)
            between = int(usual[_slots(times, step)].sum())
        if between > 0:
            gaps.append(Gap(after=index[place], before=index[place + 1], missing=between))
    return gaps, sessions


def quality_report(df: pd.DataFrame) -> QualityReport:
    """Judge a price history.

    The usual distance between bars is the median one. Days of shares have no nights: where whole hours or
    days of the week are usually empty, only bars missing at usual times count, on the clock of the data's own
    zone. Holidays are then gaps as well: a file does not tell them from an outage. Outliers are returns
    beyond `OUTLIER_DEVIATIONS` times 1.4826 × the median absolute return.

    Args:
        df: prices, as `backtest.validate_prices` takes them.

    Raises:
        PriceError: the prices are refused.
    """
    prices, index = read_prices(df)
    stamps: NDArray[np.int64] = Clock(index).times.asi8
    gaps: list[Gap] = []
    step, sessions, irregular = 0, False, 0
    if stamps.size > 1:
        steps = np.diff(stamps)
        step = int(np.median(steps))
        # Months have no fixed length, and a day lasts 23 or 25 hours twice a year.
        if step < 28 * 86_400 * _NANO:
            gaps, sessions = _missing(index, stamps, step)
            if step < 86_400 * _NANO:
                irregular = int((steps % step != 0).sum())
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
    known = not np.isnan(prices.volume).all()
    return QualityReport(
        rows=len(index),
        first=index[0],
        last=index[-1],
        timeframe=timeframe_of(step / _NANO) if step else None,
        time_zone=None if index.tz is None else str(index.tz),
        sessions=sessions,
        gaps=tuple(gaps),
        missing_bars=sum(gap.missing for gap in gaps),
        irregular_bars=irregular,
        zero_volume_bars=int((prices.volume == 0.0).sum()) if known else None,
        flat_bars=int(((prices.high == prices.low) & (prices.open == close)).sum()),
        outliers=tuple(outliers),
    )
