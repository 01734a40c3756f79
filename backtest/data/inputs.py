"""Further series of a strategy: columns of the prices, and of other tables, joined as they became known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.prices import column_name, number_column, read_prices, time_index
from backtest.data.together import by_name
from backtest.errors import PriceError, RequestError, StrategyError
from backtest.kernels.simulation import Floats
from backtest.strategy import StrategySpec
from backtest.types import Known
from base.reasons import told_known

Tables = Mapping[str, pd.DataFrame | pd.Series]
Integers = NDArray[np.int64]

_DAY = 86_400 * 10**9
_MONTH, _LONGER = 28, 3
"""Days from which on periods are uneven, and by how many more the longest of them may last."""


def tables_of(spec: StrategySpec) -> set[str]:
    """Names of the tables whose columns a strategy reads."""
    return {name.partition(".")[0] for name in spec.inputs if "." in name}


def by_table(tables: Tables) -> dict[str, pd.DataFrame | pd.Series]:
    """Tables by their names in lower case, as conditions write them.

    Raises:
        RequestError: `not_by_name`.
        StrategyError: `repeated_name`: which of the two is meant?
    """
    found: dict[str, pd.DataFrame | pd.Series] = {}
    for name, table in by_name(tables, "inputs"):
        lowered = str(name).lower()
        if lowered in found:
            raise StrategyError("repeated_name", name=lowered)
        found[lowered] = table
    return found


def with_inputs(df: pd.DataFrame, tables: Tables | None, spec: StrategySpec) -> pd.DataFrame:
    """Prices with a column for each series of other tables that a strategy may read, named as it names it.

    A row's time is the beginning of what it tells, as a bar's is. A value of rows less than a day apart is
    known when its own bar is over; of longer ones `known` of its declaration tells: by default from the first
    bar that begins after its day (week, month) is over. Days end at midnight in the table's own time zone. At
    each bar stands the last value known at its close, empty ones passed over; before the first it is unknown.

    Args:
        df: prices, as `validate_prices` takes them.
        tables: by name; of a series the column is called `value`. Times without a zone are of the prices'.
        spec: the strategy.

    Raises:
        RequestError: `not_by_name`, `unused_table`, `input_column`, `input_clash`, `input_time_zone`,
            `input_not_aligned`; `input_refused` with the reason, of times or figures.
        StrategyError: `repeated_name`.
        PriceError: the prices are refused.
    """
    if tables is None:
        return df
    tables = by_table(tables)
    if not tables:
        return df
    declared: dict[str, list[str]] = {name: [] for name in tables}
    series = spec.readable
    for name in series:
        table, _, column = name.partition(".")
        if column and table in declared:
            declared[table].append(column)
    _, index = read_prices(df)
    there = {column_name(column) for column in df.columns}
    joined: dict[str, Floats] = {}
    for table, columns in declared.items():
        if not columns:
            raise RequestError("unused_table", name=table)
        for column in columns:
            name = f"{table}.{column}"
            if name in there:
                raise RequestError("input_clash", name=name)
            times, values = _read(tables[table], table, column, index)
            if series[name].kind != "share":  # which is refused where it is infinite
                values = np.where(np.isfinite(values), values, np.nan)
            joined[name] = _as_known(times, values, index, series[name].known)
            if np.isnan(joined[name]).all():
                raise RequestError(
                    "input_not_aligned",
                    name=name,
                    first=times[0].isoformat(),
                    last=times[-1].isoformat(),
                    since=index[0].isoformat(),
                    until=index[-1].isoformat(),
                )
    return df.assign(**joined)


class Ended(NamedTuple):
    """A series whose last value stands for longer than it ever did before.

    Attributes:
        name: as the strategy names it.
        last: time of its last value.
        bars: prices behind it that keep that value.
    """

    name: str
    last: pd.Timestamp
    bars: int


def ended(df: pd.DataFrame, tables: Tables | None, spec: StrategySpec) -> list[Ended]:
    """Series of other tables that end before the prices do, by more than the longest pause between values.

    Args:
        df: prices, as `validate_prices` takes them.
        tables: as `with_inputs` has taken them.
        spec: the strategy.
    """
    found = []
    index = time_index(df)
    known = by_table(tables or {})
    for name in sorted(spec.readable):
        table, _, column = name.partition(".")
        if table in known and column:
            times, values = _read(known[table], table, column, index)
            told = np.isfinite(values)
            moments, since = _ends(index), _ends(times)[told]
            pause = int(np.diff(since).max(initial=_step(times)))
            if moments[-1] - since[-1] > pause:
                found.append(Ended(name, times[told][-1], int((moments > since[-1]).sum())))
    return found


def _read(
    table: pd.DataFrame | pd.Series, name: str, column: str, index: pd.DatetimeIndex
) -> tuple[pd.DatetimeIndex, Floats]:
    """Times in order and what one column of a table says at them."""
    frame = table.to_frame("value") if isinstance(table, pd.Series) else table
    if not isinstance(frame, pd.DataFrame) or frame.empty:
        raise RequestError("input_refused", name=name, reason=PriceError("no_rows"))
    places = [place for place, one in enumerate(frame.columns) if column_name(one) == column]
    if len(places) > 1:
        raise RequestError("input_refused", name=name, reason=PriceError("repeated_column", column=column))
    if not places:
        known = told_known(column, [column_name(one) for one in frame.columns])
        raise RequestError("input_column", name=name, column=column, known=known)
    try:
        times = time_index(frame)
        values = number_column(frame, places[0], column, times)
        if times.hasnans:
            raise PriceError("bad_time", row=int(times.isna().argmax()) + 1, time="", value="NaT")
        late = np.diff(times.asi8) <= 0
        if late.any():
            row = int(late.argmax()) + 1
            if times[row] == times[row - 1]:
                raise PriceError("duplicate_time", row=row + 1, time=times[row].isoformat())
            raise PriceError("unsorted_time", row=row + 1, time=times[row].isoformat())
    except PriceError as error:
        raise RequestError("input_refused", name=name, reason=error) from None
    if index.tz is None and times.tz is not None:
        raise RequestError("input_time_zone", name=name)
    return _in_zone(times, index), values


def _in_zone(times: pd.DatetimeIndex, index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Times without a zone are of the prices' own."""
    if index.tz is None or times.tz is not None:
        return times
    first = np.ones(len(times), dtype=bool)
    return times.tz_localize(index.tz, ambiguous=first, nonexistent="shift_forward")


def _as_known(times: pd.DatetimeIndex, values: Floats, index: pd.DatetimeIndex, known: Known) -> Floats:
    """At each bar the last value known then."""
    moments = _ends(index)
    if known == "stamp":
        since = times.as_unit("ns").asi8
    else:
        since = _ends(times)
        if known == "next_day" and _step(times) >= _DAY:
            moments = index.as_unit("ns").asi8
    told = ~np.isnan(values)
    since, values = since[told], values[told]
    place = np.searchsorted(since, moments, side="right") - 1
    if not values.size:
        return np.full(len(index), np.nan)
    return np.where(place >= 0, values[np.maximum(place, 0)], np.nan)


def _step(times: pd.DatetimeIndex) -> int:
    """The usual distance between rows, in nanoseconds; a day where there is only one."""
    stamps = times.as_unit("ns").asi8
    return int(np.median(np.diff(stamps))) if len(stamps) > 1 else _DAY


def _ends(times: pd.DatetimeIndex) -> Integers:
    """When each row's period is over, in nanoseconds since 1970 (UTC where there is a zone)."""
    stamps, step = times.as_unit("ns").asi8, _step(times)
    if step < _DAY:
        return stamps + step
    days = -(-step // _DAY)
    days += _LONGER if days >= _MONTH else 0
    midnights = times.as_unit("ns").tz_localize(None).normalize() + pd.Timedelta(days=days)
    if times.tz is not None:
        first = np.ones(len(times), dtype=bool)
        midnights = midnights.tz_localize(times.tz, ambiguous=first, nonexistent="shift_forward")
    found: Integers = np.maximum.accumulate(midnights.as_unit("ns").asi8)
    return found
