"""OHLCV prices from a file or from a packaged sample, read into one canonical table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from backtest import GapPolicy, validate_prices
from backtest.gaps import Beat
from base.paths import typed_path
from base.reasons import because
from market.errors import MarketError
from market.json_tables import from_json
from market.packaged import packaged_table
from market.price_files import price_table
from market.price_tables import Table, prices_of, rows_told
from market.reading import Notice, Reading
from market.window import window

SAMPLE_PREFIX = "sample:"
SAMPLES = {"sp500": "^GSPC", "nasdaq": "^IXIC"}
"""Symbol of each sample of daily OHLCV, by the name of the packaged data set."""

EXTENSIONS = (".csv", ".parquet", ".feather", ".json", ".jsonl")

_TIME_NAMES = frozenset({"timestamp", "time", "date", "datetime", "open_time", "open time"})
_TIMEFRAME_PART = re.compile(r"\d+(s|m|min|h|d|w|mo|M)", re.IGNORECASE)

_AS_FOUND = Reading()

UNNAMED = "UNNAMED"
"""Symbol of prices whose instrument nobody told."""


class PriceSource(BaseModel):
    """Where prices came from.

    Attributes:
        reference: what the caller asked for.
        kind: `sample`, `file` or `table`.
        symbol: the instrument, guessed from a file's name (`BTCUSDT_30m_2021.parquet` is BTCUSDT).
        timeframe: length of a bar, measured on the index (`30m`, `1d`).
        rows: bars there are, filled ones included.
        gaps: places where bars were missing in what was read.
        missing_bars: how many.
        sessions: whether bars stand at some hours or days only: then holidays count as gaps.
        policy: what was done about gaps (`accept`, `fill`, `refuse`).
        notices: what the reader assumed, left out or mended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    kind: Literal["sample", "file", "table"]
    symbol: str
    timeframe: str
    rows: int
    gaps: int
    missing_bars: int
    sessions: bool
    policy: GapPolicy
    notices: tuple[Notice, ...] = ()

    def told(self) -> list[dict[str, Any]]:
        """The notices as plain JSON."""
        return [notice.model_dump(mode="json") for notice in self.notices]


def read_prices(
    reference: str,
    home: Path,
    *,
    gaps: GapPolicy = "accept",
    timeframe: str | None = None,
    symbol: str | None = None,
    reading: Reading = _AS_FOUND,
) -> tuple[pd.DataFrame, PriceSource]:
    """Read prices named by a reference.

    Args:
        reference: `sample:NAME` (see `SAMPLES`), or the path of a CSV, Parquet, Feather, JSON or JSON-lines
            file; a relative path that does not exist where the process stands is looked for under `home`.
        home: the data folder.
        gaps: what to do where bars are missing, as in `backtest.validate_prices`.
        timeframe: length of a bar as the caller knows it; refused where the bars contradict it.
        symbol: which of the instruments of a file that holds several.
        reading: what the caller knows about the file.

    Returns:
        (prices, source): open, high, low, close, volume as float64 on a sorted unique DatetimeIndex, and
        where they came from.

    Raises:
        MarketError: `unknown_sample`, `missing_file`, `unknown_extension`, `unreadable_file`,
            `bad_window_time`, `empty_window`.
        BacktestError: the rows are not valid prices (says which row and why).
    """
    if reference.startswith(SAMPLE_PREFIX):
        raw, named = _read_sample(reference.removeprefix(SAMPLE_PREFIX))
        table = Table(cells=raw)
        kind: Literal["sample", "file"] = "sample"
    else:
        path = typed_path(reference)
        if not path.is_absolute() and not path.exists() and (home / path).exists():
            path = home / path
        table, named, kind = price_table(path), symbol_of(path), "file"
    prices, found = _checked(table, reading, gaps, timeframe, symbol)
    return prices, PriceSource(
        reference=reference, kind=kind, symbol=symbol or table.symbol or named, policy=gaps, **found
    )


def read_frame(
    df: pd.DataFrame,
    *,
    gaps: GapPolicy = "accept",
    timeframe: str | None = None,
    symbol: str | None = None,
    reading: Reading = _AS_FOUND,
) -> tuple[pd.DataFrame, PriceSource]:
    """Prices out of a table in memory, as forgiving and as talkative as `read_prices`.

    Args:
        df: prices on a DatetimeIndex or with a column of times; columns of two levels, as yfinance makes
            them, hold several instruments.
        gaps: what to do where bars are missing, as in `backtest.validate_prices`.
        timeframe: length of a bar as the caller knows it; refused where the bars contradict it.
        symbol: which of the instruments of a table that holds several.
        reading: what the caller knows about the table.

    Raises:
        MarketError, BacktestError: as `read_prices`.
    """
    if not isinstance(df, pd.DataFrame) or df.empty:
        validate_prices(df)  # says what is missing
    table = Table(cells=df)
    prices, found = _checked(table, reading, gaps, timeframe, symbol)
    return prices, PriceSource(
        reference="", kind="table", symbol=symbol or table.symbol or UNNAMED, policy=gaps, **found
    )


def _checked(
    table: Table, reading: Reading, gaps: GapPolicy, timeframe: str | None, symbol: str | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Canonical prices of a table, and what a source tells of them."""
    raw, rows = prices_of(table, reading, symbol)
    with rows_told(rows):
        read = window(validate_prices(raw, timeframe=timeframe), reading)
    beat = Beat(pd.DatetimeIndex(read.index))
    prices = read if gaps == "accept" else validate_prices(read, gaps=gaps)
    return prices, {
        "timeframe": infer_timeframe(pd.DatetimeIndex(prices.index)),
        "rows": len(prices),
        "gaps": len(beat.gaps),
        "missing_bars": sum(gap.missing for gap in beat.gaps),
        "sessions": beat.sessions,
        "notices": tuple(table.notices),
    }


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of any supported format as it stands, without judging its contents.

    Raises:
        MarketError: `missing_file`, `unknown_extension`, `unreadable_file`.
    """
    if path.suffix.lower() not in EXTENSIONS:
        raise MarketError("unknown_extension", path=str(path), known=", ".join(EXTENSIONS))
    if not path.is_file():
        raise MarketError("missing_file", path=str(path))
    try:
        return _READERS[path.suffix.lower()](path)
    except (OSError, ValueError, KeyError, pa.ArrowException) as reason:
        known = isinstance(reason, OSError) and reason.errno is not None
        told = because(reason) if known else _one_line(reason)
        raise MarketError("unreadable_file", path=str(path), reason=told) from reason


def symbol_of(path: Path) -> str:
    """The instrument a file's name tells: what stands before a timeframe part, else the whole stem."""
    parts = path.stem.split("_")
    for position, part in enumerate(parts[1:], start=1):
        if _TIMEFRAME_PART.fullmatch(part):
            return "_".join(parts[:position])
    return path.stem


def infer_timeframe(index: pd.DatetimeIndex) -> str:
    """Name the usual distance between bars: `30m`, `4h`, `1d`, `1w`, `1mo`.

    The median distance decides, so that week-ends, holidays and outages do not.

    Raises:
        MarketError: `too_few_rows`: fewer than two bars have no distance.
    """
    if len(index) < 2:
        raise MarketError("too_few_rows", rows=len(index), minimum=2)
    return str(Beat(index).timeframe)


def _read_sample(name: str) -> tuple[pd.DataFrame, str]:
    try:
        symbol = SAMPLES[name]
    except KeyError:
        raise MarketError("unknown_sample", name=name, known=", ".join(sorted(SAMPLES))) from None
    return packaged_table(name), symbol


def _read_csv(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path)
    names = [str(column).strip() for column in frame.columns]
    if names and names[0].startswith("Unnamed") and not _TIME_NAMES & {name.lower() for name in names}:
        names[0] = "time"  # what DataFrame.to_csv() makes of an index without a name
    return frame.set_axis(names, axis=1)


def _read_json(path: Path) -> pd.DataFrame:
    return from_json(json.loads(path.read_text(encoding="utf-8")))


def _read_json_lines(path: Path) -> pd.DataFrame:
    lines = path.read_text(encoding="utf-8").splitlines()
    return from_json([json.loads(line) for line in lines if line.strip()])


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".parquet": pd.read_parquet,
    ".feather": pd.read_feather,
    ".json": _read_json,
    ".jsonl": _read_json_lines,
}


def _one_line(reason: BaseException) -> str:
    words = str(reason).strip()
    return words.splitlines()[0][:200] if words else type(reason).__name__
