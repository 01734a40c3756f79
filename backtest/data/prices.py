"""The door for price data: what enters is complete, ordered and possible, or refused with row and reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.arrays import PriceArrays, known_volume
from backtest.data.gaps import MADE_UP, Beat, check_gaps, check_timeframe, filled
from backtest.data.tables import COLUMNS, PRICES, TIME_NAMES, named, one_instrument, plain_name, symbols_of
from backtest.data.times import EARLIEST, LATEST, read_times, refuse
from backtest.errors import PriceError, RequestError
from backtest.kernels.simulation import Floats
from backtest.kernels.soundness import are_sound
from backtest.language.functions import reads_volume
from backtest.strategy import StrategySpec
from backtest.types import GAP_POLICIES, GapPolicy

FUNDING = "funding_rate"
"""Column of what longs pay to shorts during a bar, as a fraction of the position's value; optional."""

# Vendors adjust each price on its own and round: an open or a close may stick out of the bar by the last
# digits. The bar is then widened to hold it.
ROUNDING = 1e-6

_HOUR = pd.Timedelta(hours=1)

_BLOCK = 10
"""Rows that stand in order, on average, where whole tables were put one below the other."""
_JUMP = 15.0
"""Usual moves (medians) that no price of one instrument jumps: ten standard deviations."""
_STILL = 1e-4
"""Least usual move of a bar: prices that stand still tell nothing."""


_APART = 0.05
"""Least jump, as a logarithm, between instruments whose bars take turns: no spread of one is as wide."""
_LOOKED_AT, _MOST_LEVELS = 5_000, 4
"""First bars in which they are looked for, and how many instruments."""


def time_index(df: pd.DataFrame) -> pd.DatetimeIndex:
    """The times of a table: its index, or its column of times.

    Raises:
        PriceError: `missing_time`, or as `backtest.data.times.read_times`.
    """
    names = [plain_name(name) for name in df.columns]
    if isinstance(df.index, pd.DatetimeIndex):
        return df.index
    for wanted in TIME_NAMES:
        if wanted in names:
            return read_times(df.iloc[:, names.index(wanted)])
    has_name = df.index.name is not None and plain_name(df.index.name) in TIME_NAMES
    # Times of several zones make an index of objects, not one of times.
    if has_name or all(isinstance(one, datetime) for one in df.index):
        return read_times(df.index)
    raise PriceError("missing_time", known=", ".join(TIME_NAMES))


def _check_order(index: pd.DatetimeIndex, df: pd.DataFrame, names: list[str]) -> None:
    """Refuse times that are missing, out of range, out of order or twice there.

    Args:
        index: the times.
        df: the table, to tell a bar given twice from two bars of one name.
        names: of its columns.
    """
    if index.hasnans:
        refuse("bad_time", int(index.isna().argmax()), None, value="NaT")
    ordered = bool(index.is_monotonic_increasing and index.is_unique)
    # In order, the first and the last tell about all of them.
    rows = np.array([0, len(index) - 1]) if ordered else np.arange(len(index))
    years = index[rows].year.to_numpy()
    if (far := (years < EARLIEST) | (years > LATEST)).any():
        row = int(rows[far.argmax()])
        refuse("bad_time", row, None, value=str(index[row])[:40])
    if ordered:
        return
    steps = np.diff(index.asi8)
    hour = _HOUR // pd.Timedelta(1, unit=index.unit)
    back, twice = steps < 0, steps == 0
    few = back.sum() + twice.sum() <= 2 * (1 + len(index) // 1_000)
    within = np.median(np.abs(steps)) <= hour
    if index.tz is None and within and few and steps.min() > -hour:
        # Local times without a zone, in the hour that autumn repeats. In order of arrival they go back;
        # sorted, or with bars of an hour, two different bars have one name. The same bar twice is a mere
        # duplicate.
        row = int((back | twice).argmax()) + 1
        prices = df.iloc[[row - 1, row], [names.index(name) for name in COLUMNS if name in names]]
        if back.any() or not prices.iloc[1].equals(prices.iloc[0]):
            begin = index[row].floor("h")
            refuse(
                "clock_went_back", row, index, begin=f"{begin:%Y-%m-%d %H:%M}", end=f"{begin + _HOUR:%H:%M}"
            )
    _refuse_stacked(index, df, names, steps)
    if back.any():
        refuse("unsorted_time", int(back.argmax()) + 1, index)
    refuse("duplicate_time", int(twice.argmax()) + 1, index)


def _refuse_stacked(
    index: pd.DatetimeIndex, df: pd.DataFrame, names: list[str], steps: NDArray[np.int64]
) -> None:
    """Refuse several instruments in one table, for which sorting would be no help."""
    repeated = int(index.duplicated().sum())
    symbols = symbols_of(df)
    if len(symbols) > 1:
        raise PriceError("several_instruments", known=named(symbols))
    close = np.full(len(index), np.nan)
    if "close" in names:
        close = pd.to_numeric(df.iloc[:, names.index("close")], errors="coerce").to_numpy(dtype=np.float64)
    if (twice := steps == 0).sum() > 2:
        row = int(twice.argmax()) + 1
        if _middle(np.abs(np.diff(close) / close[1:])[twice] > ROUNDING) > 0.0:
            refuse("times_shared", row, index, count=int((index == index[row]).sum()))
        if 2 * twice.sum() >= repeated:  # the same bars twice, not one part behind another
            refuse("duplicate_time", row, index)
    if repeated > 2 and 4 * repeated >= len(index):
        refuse("times_begin_again", int((steps <= 0).argmax()) + 1, index)
    turns = (steps < 0) if 2 * (steps < 0).sum() <= len(steps) else (steps > 0)  # newest bars may come first
    few_turns = turns.any() and _BLOCK * (turns.sum() + 1) <= len(index)
    if few_turns and _on_other_levels(index, close, np.concatenate([[0], turns.cumsum()])):
        refuse("times_begin_again", int(turns.argmax()) + 1, index)


def _on_other_levels(index: pd.DatetimeIndex, close: Floats, block: NDArray[np.int64]) -> bool:
    """Whether blocks of rows, put in the order of time, jump where one of them takes over from another.

    A jump is measured in what a price moves in that time, bar by bar at random, by its moves within blocks.

    Args:
        index: times of n rows.
        close: their closes, NaN where there is none.
        block: number of the block of each.
    """
    order, logs = np.argsort(index.asi8, kind="stable"), np.log(np.where(close > 0.0, close, np.nan))
    usual = _middle(np.abs(np.diff(logs))[np.diff(block) == 0])
    bar = _middle(np.abs(np.diff(index.asi8))[np.diff(block) == 0])
    over = np.diff(block[order]) != 0
    bars = np.maximum(np.diff(index.asi8[order])[over] / max(bar, 1.0), 1.0)
    return _middle(np.abs(np.diff(logs[order]))[over] / np.sqrt(bars)) > _JUMP * max(usual, _STILL)


def check_levels(df: pd.DataFrame) -> None:
    """Refuse several instruments whose bars take turns: in order of time, each at times of its own.

    From bar to bar such prices jump, and from one to the second, third or fourth next they move as ever.
    Prices that only go to and fro, and never on, may be anybody's.

    Args:
        df: prices as `validate_prices` gives them.

    Raises:
        PriceError: `levels_take_turns`.
    """
    logs = np.log(df["close"].to_numpy(dtype=np.float64)[:_LOOKED_AT])
    jump = _middle(np.abs(np.diff(logs)))
    if jump < _APART:
        return
    for count in range(2, _MOST_LEVELS + 1):
        own = _middle(np.abs(logs[count:] - logs[:-count]))
        if len(logs) > _BLOCK * count and own > 0.0 and jump > _JUMP * max(own, _STILL):
            refuse("levels_take_turns", 1, pd.DatetimeIndex(df.index), count=count)


def _middle(values: NDArray[np.float64] | NDArray[np.int64] | NDArray[np.bool_]) -> float:
    """Median of what is known; 0 where nothing is."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0


def number_column(df: pd.DataFrame, place: int, name: str, index: pd.DatetimeIndex) -> Floats:
    """A column as numbers, NaN where it is empty; the table's own memory where it holds such: not written.

    Raises:
        PriceError: `not_a_number`.
    """
    column = df.iloc[:, place]
    if column.dtype == np.dtype(np.float64):
        return np.require(np.asarray(column.array), requirements=["C", "W"])  # as kernels are compiled for
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.isnan(numbers) & column.notna().to_numpy(dtype=bool)
    if wrong.any():
        row = int(wrong.argmax())
        refuse("not_a_number", row, index, column=name, value=str(column.iloc[row])[:40])
    return np.array(numbers)


def _refuse_repeated_header(column: pd.Series) -> None:
    """Refuse a row that holds names in place of figures: two files were put together."""
    if pd.api.types.is_numeric_dtype(column):
        return
    headers = column.astype("string").str.strip().str.lower().eq("open").fillna(False)
    if headers.any():
        refuse("repeated_header", int(headers.to_numpy(dtype=bool).argmax()), None)


def _first(bad: NDArray[np.bool_]) -> int | None:
    return int(bad.argmax()) if bad.any() else None


def _check_values(columns: dict[str, Floats], index: pd.DatetimeIndex) -> None:
    if are_sound(*(columns[name] for name in COLUMNS)):
        return
    for name in PRICES:
        values = columns[name]
        # One comparison finds NaN, infinity, zero and negative numbers alike; which of them is told
        # afterwards.
        if (row := _first(~((values > 0.0) & (values < np.inf)))) is not None:
            value = values[row]
            code = (
                "nan_price"
                if np.isnan(value)
                else "infinite_price"
                if np.isinf(value)
                else "non_positive_price"
            )
            refuse(code, row, index, column=name, value=float(value))
    _widen(columns)
    high, low = columns["high"], columns["low"]
    if (row := _first(high < low)) is not None:
        refuse("high_below_low", row, index, high=float(high[row]), low=float(low[row]))
    for name in ("open", "close"):
        values = columns[name]
        if (row := _first((values > high) | (values < low))) is not None:
            refuse(
                "price_outside_range",
                row,
                index,
                column=name,
                value=float(values[row]),
                low=float(low[row]),
                high=float(high[row]),
            )
    volume = columns["volume"]
    if (row := _first((volume < 0.0) | np.isinf(volume))) is not None:
        refuse("bad_volume", row, index, value=float(volume[row]))


def narrow_bars(columns: dict[str, Floats]) -> NDArray[np.bool_]:
    """Bars whose high or low falls short of their open or close by rounding (`ROUNDING`), and by no more.

    Args:
        columns: open, high, low and close.
    """
    high, low = columns["high"], columns["low"]
    top, bottom = (choose(columns["open"], columns["close"]) for choose in (np.maximum, np.minimum))
    short = (high < top) | (low > bottom)
    found: NDArray[np.bool_] = short & (high >= top * (1.0 - ROUNDING)) & (low <= bottom * (1.0 + ROUNDING))
    return found


def _widen(columns: dict[str, Floats]) -> None:
    """Mend `narrow_bars`."""
    rows = narrow_bars(columns)
    if not rows.any():
        return
    for name, choose in (("high", np.maximum), ("low", np.minimum)):
        columns[name] = columns[name].copy()
        columns[name][rows] = choose.reduce([columns[one][rows] for one in (name, "open", "close")])


def read_prices(df: pd.DataFrame) -> tuple[PriceArrays, pd.DatetimeIndex]:
    """Checked prices as kernels take them, with their times.

    Raises:
        PriceError: as `validate_prices`.
    """
    if not isinstance(df, pd.DataFrame):
        raise PriceError("not_a_table", kind=type(df).__name__)
    if len(df) == 0:
        raise PriceError("no_rows")
    df, _ = one_instrument(df)
    names = [plain_name(name) for name in df.columns]
    for name in COLUMNS:
        if names.count(name) > 1:
            raise PriceError("repeated_column", column=name)
        if name not in names and name != "volume":
            raise PriceError(
                "missing_column", column=name, known=", ".join(str(column) for column in df.columns)[:200]
            )
    _refuse_repeated_header(df.iloc[:, names.index("open")])
    index = time_index(df)
    _check_order(index, df, names)
    columns = {name: number_column(df, names.index(name), name, index) for name in COLUMNS if name in names}
    if "volume" not in columns:
        columns["volume"] = np.full(len(df), np.nan)
    _check_values(columns, index)
    return PriceArrays(**columns), index


def read_funding(df: pd.DataFrame) -> Floats:
    """The column `funding_rate`, nothing due where it is empty; an empty array where there is none.

    Raises:
        PriceError: `not_a_number`, `bad_funding` (of at least the whole position), `repeated_column`.
    """
    df, _ = one_instrument(df)
    names = [plain_name(name) for name in df.columns]
    if FUNDING not in names:
        return np.empty(0)
    if names.count(FUNDING) > 1:
        raise PriceError("repeated_column", column=FUNDING)
    index = time_index(df)
    rates = number_column(df, names.index(FUNDING), FUNDING, index)
    rates = np.where(np.isnan(rates), 0.0, rates)
    if (row := _first(np.abs(rates) >= 1.0)) is not None:
        refuse("bad_funding", row, index, value=float(rates[row]))
    return rates


def column_name(column: object) -> str:
    """A further column as strategies name it: in lower case."""
    return str(column).strip().lower()


def read_further(df: pd.DataFrame, name: str) -> Floats:
    """A further column of prices that `read_prices` has taken, as it stands, NaN where it is empty.

    Raises:
        RequestError: `missing_input`.
        PriceError: `repeated_column`, `not_a_number`.
    """
    places = [place for place, column in enumerate(df.columns) if column_name(column) == name]
    if not places:
        raise RequestError("missing_input", name=name)
    if len(places) > 1:
        raise PriceError("repeated_column", column=name)
    return number_column(df, places[0], name, time_index(df))


def made_up_bars(df: pd.DataFrame) -> NDArray[np.bool_]:
    """Which bars were made up where there were none: those marked in a column `made_up`; none without one.

    Args:
        df: prices that `read_prices` has taken.

    Raises:
        PriceError: `not_a_mark`, `repeated_column`.
    """
    df, _ = one_instrument(df)
    names = [plain_name(name) for name in df.columns]
    if MADE_UP not in names:
        return np.zeros(len(df), dtype=np.bool_)
    if names.count(MADE_UP) > 1:
        raise PriceError("repeated_column", column=MADE_UP)
    marks = df.iloc[:, names.index(MADE_UP)]
    if (row := _first(~marks.isin([True, False]).to_numpy(dtype=np.bool_))) is not None:
        refuse("not_a_mark", row, None, column=MADE_UP, value=str(marks.iloc[row])[:40])
    return marks.to_numpy(dtype=np.bool_)


def validate_prices(
    df: pd.DataFrame,
    *,
    gaps: GapPolicy = "accept",
    timeframe: str | None = None,
    keep: Iterable[str] = (),
) -> pd.DataFrame:
    """Price data in canonical form.

    Args:
        df: open, high, low, close and perhaps volume in any case, on a DatetimeIndex or with a column called
            timestamp, time, date, datetime or open time: ISO text, or an epoch in seconds, milliseconds,
            microseconds or nanoseconds (UTC); and perhaps `funding_rate`, what longs pay to
            shorts during each bar, and `made_up` (true or false), which marks bars that were put where there
            were none. Other columns are ignored.
        gaps: what to do where bars are missing (`backtest.data.gaps` says what counts): `accept` leaves
            the history as it is, so that indicators and orders pass over the gap; `fill` puts flat bars
            there, open to close at the last close, volume zero, marked in a column `made_up`: no price is
            made up that was not the last one known, but indicators and `max_bars` count them. They carry a
            position, and no order is filled on them; `refuse` refuses the history.
        timeframe: the length of a bar as the caller knows it (`30m`, `4h`, `1d`): refused where the usual
            distance between bars is another.
        keep: further columns that a strategy reads (`StrategySpec.inputs`), in lower case; of bars that are
            filled in they are unknown.

    Returns:
        A new table of float64 columns open, high, low, close, volume, funding_rate where it was there, and
        those to keep, on a sorted, unique DatetimeIndex; and a boolean column `made_up` where there are such
        bars. Volume is NaN where it is not known; a strategy that needs it is then refused.

    Raises:
        PriceError: `not_a_table`, `no_rows`, `missing_column`, `repeated_column`, `missing_time`, `bad_time`,
            `mixed_time_zones`, `mixed_epochs`, `time_is_row_number`, `time_is_year`, `time_is_excel`,
            `time_out_of_range`, `unsorted_time`, `clock_went_back`, `duplicate_time`, `several_instruments`,
            `times_begin_again`, `times_shared`, `repeated_header`, `not_a_number`, `nan_price`,
            `infinite_price`,
            `non_positive_price`, `high_below_low`, `price_outside_range`, `bad_volume`, `bad_funding`,
            `not_a_mark`,
            `no_timeframe`, `timeframe_contradicts`, `gaps_refused` or `gaps_too_wide`.
        RequestError: `unknown_gap_policy`, `missing_input`.
    """
    if gaps not in GAP_POLICIES:
        raise RequestError("unknown_gap_policy", name=str(gaps), known=", ".join(GAP_POLICIES))
    prices, index = read_prices(df)
    beat = Beat(index)
    if timeframe is not None:
        check_timeframe(beat, timeframe)
    if gaps == "refuse":
        check_gaps(beat)
    found = pd.DataFrame(prices._asdict(), index=index.rename("time"))
    for name in keep:
        found[name] = read_further(df, name)
    if (rates := read_funding(df)).size:
        found[FUNDING] = rates
    if (marks := made_up_bars(df)).any():
        found[MADE_UP] = marks
    return filled(found, beat) if gaps == "fill" else found


def check_volume(df: pd.DataFrame, spec: StrategySpec) -> None:
    """Refuse a strategy that needs volume where a bar has none.

    `run_backtest` and `sweep` see to it themselves; who computes on a part of the prices first asks here.

    Args:
        df: prices as `validate_prices` gives them.
        spec: the strategy.

    Raises:
        PriceError: `missing_volume`.
    """
    if any(reads_volume(tree) for tree in spec.trees.values()):
        known_volume(df["volume"].to_numpy(dtype=np.float64))
