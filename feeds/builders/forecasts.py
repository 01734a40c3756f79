"""Builder: technical forecasts of every price file in a folder, written as a partition."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from backtest import BacktestError, validate_prices
from backtest.kernels.indicators import Floats
from feeds.builders.scores import CONTINUOUS_BARS, MINIMUM_BARS, SCORES, SESSION_BARS, Horizon, forecast_row
from feeds.builders.writing import Watch, write_partition
from feeds.partitions import hour_name
from vault.errors import MarketError
from vault.readers.prices import EXTENSIONS, infer_timeframe, read_table, symbol_of

_ADJUSTED = ("adj_close", "adjusted_close", "adjclose")
_STALE_DAYS = 7
_WEEKEND_SHARE = 0.05
_DAY = pd.Timedelta(days=1)
_CONTRACT = ("dt", "ticker", "horizon", "direction", "confidence", "expected_return")


@dataclass(frozen=True, kw_only=True)
class BuiltForecasts:
    """What was written.

    Attributes:
        partition: the folder.
        tickers: instruments with forecasts.
        rows: forecasts, one an instrument and horizon, as written.
        left_out: price files that could not be used, `watch` was told why.
    """

    partition: Path
    tickers: tuple[str, ...]
    rows: list[dict[str, Any]]
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AdjustedCloses:
    """The closes of a price file, adjusted for dividends and splits where it tells how.

    Attributes:
        begin: naive UTC begin of each bar.
        close: adjusted closes.
        length: of a bar shorter than a day; None for daily bars.
    """

    begin: pd.DatetimeIndex
    close: Floats
    length: pd.Timedelta | None


class PriceFolder:
    """The price files of a folder, each read once, for builds over many hours.

    Files are `prices/ticker=T/prices.parquet`, or named after their instrument; of several files of one
    instrument the one that comes last by name is taken.

    Args:
        folder: the folder, or one price file.

    Raises:
        MarketError: `missing_folder`.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.exists():
            raise MarketError("missing_folder", path=str(folder))
        found = {
            path.parent.name.removeprefix("ticker="): path
            for base in (folder, folder / "prices")
            for path in sorted(base.glob("ticker=*/prices.parquet"))
        }
        named = sorted(folder.iterdir()) if folder.is_dir() else [folder]
        found |= {
            symbol_of(path): path for path in named if path.suffix.lower() in EXTENSIONS and path.is_file()
        }
        self.folder = folder
        self.files = sorted(found.items())
        self._read: dict[Path, AdjustedCloses | MarketError | BacktestError] = {}

    def closes(self, path: Path) -> AdjustedCloses:
        """The closes of one of `files`.

        Raises:
            MarketError, BacktestError: the file cannot be used.
        """
        if path not in self._read:
            try:
                self._read[path] = adjusted_closes(read_table(path))
            except (MarketError, BacktestError) as error:
                self._read[path] = error
        found = self._read[path]
        if isinstance(found, AdjustedCloses):
            return found
        raise found


def build_forecasts(
    prices: PriceFolder,
    root: Path,
    as_of: datetime,
    *,
    close_hours: int = 24,
    watch: Watch = lambda what, error: None,
) -> BuiltForecasts:
    """Score every price file of a folder as of an hour and write `forecast/dt=YYYYMMDDHH`.

    `forecasts.parquet` holds what is expected, each score and its record so far; `final.parquet` the ranking,
    in its long form. `origin` names the last row of prices that was used.

    Args:
        prices: the price files.
        root: data folder to write to.
        as_of: hour (UTC); bars that had not ended by then do not exist for it.
        close_hours: hours after the start of its date at which a daily bar is known.
        watch: told each instrument that is done, and each file that is left out with the reason.

    Raises:
        MarketError: `no_forecasts` (nothing is written), `unwritable_folder`.
    """
    rows: list[dict[str, Any]] = []
    left_out: list[str] = []
    for ticker, path in prices.files:
        file = path.relative_to(prices.folder).as_posix()
        try:
            closes = daily_closes(prices.closes(path), as_of, close_hours)
            close = closes.close
            age = (_naive(as_of) - close.index[-1]) / _DAY if len(close) else 0.0
            if len(close) < MINIMUM_BARS:
                raise MarketError("too_few_rows", rows=len(close), minimum=MINIMUM_BARS)
            if age > _STALE_DAYS:
                raise MarketError("stale_prices", path=file, last=f"{close.index[-1]:%Y-%m-%dT%H}")
        except (MarketError, BacktestError) as error:
            left_out.append(file)
            watch(file, error)
            continue
        bars = CONTINUOUS_BARS if closes.continuous else SESSION_BARS
        horizons: tuple[Horizon, ...] = ("1w", "1m")
        rows += [
            {
                "dt": f"{as_of:%Y%m%d%H}",
                **forecast_row(close, ticker, horizon, bars),
                "origin": f"{file}#{closes.last_row}",
            }
            for horizon in horizons
        ]
        watch(ticker, None)
    if not rows:
        raise MarketError(
            "no_forecasts",
            path=str(prices.folder),
            files=len(prices.files),
            hour=f"{as_of:%Y-%m-%dT%H}",
        )
    partition = root / "forecast" / hour_name(as_of)
    table = pd.DataFrame(rows)
    details = [
        "n_calls",
        *(f"{name}{part}" for name in SCORES for part in ("", "_hit_rate", "_calls")),
        "origin",
    ]
    write_partition(
        partition,
        {
            "forecasts.parquet": table[[*_CONTRACT, *details]],
            "final.parquet": table[["dt", "ticker", "horizon", "final_score", *_CONTRACT[3:], *details]],
        },
    )
    return BuiltForecasts(
        partition=partition,
        tickers=tuple(dict.fromkeys(str(row["ticker"]) for row in rows)),
        rows=rows,
        left_out=tuple(left_out),
    )


class Closes(NamedTuple):
    """One close a day.

    Attributes:
        close: on a naive UTC index of when each was known.
        last_row: number from 1 of the last row used.
        continuous: whether weekends are traded.
    """

    close: pd.Series
    last_row: int
    continuous: bool


def adjusted_closes(table: pd.DataFrame) -> AdjustedCloses:
    """The closes of a table of prices.

    An adjustment for dividends and splits (`adj_factor`, or an adjusted close) is applied: it multiplies all
    of the past alike, and so tells returns nothing of the future.

    Args:
        table: prices, as `backtest.validate_prices` takes them.

    Raises:
        BacktestError: not valid prices.
        MarketError: `too_few_rows`, `bars_too_long`, `bad_adjustment`.
    """
    valid = validate_prices(table)
    begin = pd.DatetimeIndex(valid.index)
    begin = begin if begin.tz is None else begin.tz_convert("UTC").tz_localize(None)
    timeframe = infer_timeframe(begin)
    if timeframe.endswith(("w", "mo")) or (timeframe.endswith("d") and timeframe != "1d"):
        raise MarketError("bars_too_long", timeframe=timeframe)
    return AdjustedCloses(
        begin=begin,
        close=valid["close"].to_numpy() * _adjustment(table, valid),
        length=None if timeframe == "1d" else pd.Timedelta(timeframe.replace("m", "min")),
    )


def daily_closes(closes: AdjustedCloses, as_of: datetime, close_hours: int) -> Closes:
    """One close a day, known at an hour.

    Of shorter bars, the last one that had ended by the hour's time of each day: the newest close is as young
    as it can be, and days are equally long.

    Args:
        closes: of a price file.
        as_of: hour (UTC).
        close_hours: hours after the start of its date at which a daily bar is known.
    """
    ended = closes.begin + (pd.Timedelta(hours=close_hours) if closes.length is None else closes.length)
    last_row = int(np.searchsorted(ended.to_numpy(), np.datetime64(_naive(as_of)), side="right"))
    close = pd.Series(closes.close[:last_row], index=ended[:last_row])
    if closes.length is not None and last_row:
        # Days end at the hour's own time of day.
        offset = _naive(as_of) - _naive(as_of).normalize()
        days = (pd.DatetimeIndex(close.index) - offset).ceil("D")
        close = close.groupby(days + offset).last()
    weekends = closes.begin[:last_row].day_of_week >= 5
    return Closes(close, last_row, bool(last_row) and bool(weekends.mean() > _WEEKEND_SHARE))


def _adjustment(table: pd.DataFrame, valid: pd.DataFrame) -> Floats:
    """What each close is multiplied by; 1 where the table tells nothing."""
    names = {str(name).strip().lower().replace(" ", "_"): name for name in table.columns}
    factor = np.ones(len(valid))
    if "adj_factor" in names:
        factor = pd.to_numeric(table[names["adj_factor"]], errors="coerce").to_numpy(dtype=np.float64)
    elif adjusted := [names[name] for name in _ADJUSTED if name in names]:
        closes = pd.to_numeric(table[adjusted[0]], errors="coerce").to_numpy(dtype=np.float64)
        factor = closes / valid["close"].to_numpy()
    bad = ~((factor > 0.0) & np.isfinite(factor))
    if bad.any():
        raise MarketError("bad_adjustment", row=int(bad.argmax()) + 1)
    return factor


def _naive(moment: datetime) -> pd.Timestamp:
    return pd.Timestamp(moment.replace(tzinfo=None))
