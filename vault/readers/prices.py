"""OHLCV prices from a file or from a packaged sample, read into one canonical table."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from backtest import GapPolicy, validate_prices
from backtest.data.gaps import Beat
from backtest.data.prices import check_levels
from backtest.data.quality import suspect_prices
from backtest.data.resampling import resample_bars
from base.labels import LONGEST_LABEL, UNSEEN, is_label, shown
from base.paths import typed_path
from base.reasons import because
from vault.errors import MarketError
from vault.packaged import packaged_table
from vault.readers.arrow_files import read_arrow
from vault.readers.json_tables import from_json, read_json
from vault.readers.numerals import decimal_mark, read_numbers
from vault.readers.options import Notice, Reading
from vault.readers.price_files import PRICE_EXTENSIONS, price_table
from vault.readers.price_tables import Table, prices_of, rows_told
from vault.readers.sizes import LONGEST_LINE, check_columns, check_lines
from vault.readers.text_tables import is_date, is_figure
from vault.readers.window import window

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
        kind: `sample`, `file`, `table`, or `registered` for rows of the vault.
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
    kind: Literal["sample", "file", "table", "registered"]
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
            `bad_symbol`, `bad_window_time`, `empty_window`; `too_few_rows` where longer bars are asked for.
        BacktestError: the rows are not valid prices (says which row and why).
    """
    if reference.startswith(SAMPLE_PREFIX):
        raw, named = _read_sample(reference.removeprefix(SAMPLE_PREFIX))
        table = Table(cells=raw)
        kind: Literal["sample", "file"] = "sample"
    else:
        path = _placed(reference, home)
        table, named, kind = price_table(path), symbol_of(path), "file"
    _check_symbol(symbol)
    prices, found = _checked(table, reading, gaps, timeframe, symbol)
    called = _check_symbol(symbol or table.symbol) or named
    return prices, PriceSource(reference=reference, kind=kind, symbol=called, policy=gaps, **found)


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
    _check_symbol(symbol)
    prices, found = _checked(table, reading, gaps, timeframe, symbol)
    called = _check_symbol(symbol or table.symbol) or UNNAMED
    return prices, PriceSource(reference="", kind="table", symbol=called, policy=gaps, **found)


def _check_symbol(symbol: str | None) -> str | None:
    """The name of an instrument, by whoever gave it: it is drawn, printed and kept.

    Raises:
        MarketError: `bad_symbol`.
    """
    if symbol and not is_label(symbol):
        raise MarketError("bad_symbol", symbol=shown(symbol), limit=LONGEST_LABEL)
    return symbol


def _checked(
    table: Table, reading: Reading, gaps: GapPolicy, timeframe: str | None, symbol: str | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Canonical prices of a table, and what a source tells of them."""
    raw, rows = prices_of(table, reading, symbol)
    with rows_told(rows):
        valid = validate_prices(raw, timeframe=timeframe)
        check_levels(valid)
        read = window(valid, reading)
    if suspects := suspect_prices(read):
        largest = max(suspects, key=lambda one: abs(one.change))
        table.tell(
            "suspect_prices",
            count=len({one.row for one in suspects}),
            change=100.0 * largest.change,
            time=largest.time.isoformat(),
        )
    prices = read if gaps == "accept" else validate_prices(read, gaps=gaps)
    if reading.resample is not None:
        short, prices = prices, resample_bars(prices, reading.resample)
        bars = infer_timeframe(pd.DatetimeIndex(short.index))
        table.tell("resampled", rows=len(short), bars=bars, timeframe=reading.resample)
    return prices, _measured(read, prices, tuple(table.notices))


def source_of(reference: str, symbol: str, prices: pd.DataFrame, notices: tuple[Notice, ...]) -> PriceSource:
    """What there is to tell of registered rows, whose reader told the notices."""
    found = _measured(prices, prices, notices)
    return PriceSource(reference=reference, kind="registered", symbol=symbol, policy="accept", **found)


def _measured(read: pd.DataFrame, prices: pd.DataFrame, notices: tuple[Notice, ...]) -> dict[str, Any]:
    """What a source tells of the bars as they were read, and as they are given."""
    beat = Beat(pd.DatetimeIndex(read.index))
    return {
        "timeframe": infer_timeframe(pd.DatetimeIndex(prices.index)),
        "rows": len(prices),
        "gaps": len(beat.gaps),
        "missing_bars": sum(gap.missing for gap in beat.gaps),
        "sessions": beat.sessions,
        "notices": notices,
    }


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of any supported format as it stands, without judging its contents.

    Raises:
        MarketError: `missing_file`, `unknown_extension`, `unreadable_file`, `repeated_column`, or it is too
            large in some way (`vault.readers.sizes`).
    """
    if path.suffix.lower() not in EXTENSIONS:
        raise MarketError("unknown_extension", path=str(path), known=", ".join(EXTENSIONS))
    if not path.is_file():
        raise MarketError("missing_file", path=str(path))
    try:
        table = _READERS[path.suffix.lower()](path)
    except MarketError:
        raise
    except Exception as reason:  # of what parsers raise on foreign bytes there is no list
        raise MarketError("unreadable_file", path=str(path), reason=because(reason)) from reason
    if (twice := table.columns.duplicated()).any():
        raise MarketError("repeated_column", path=str(path), column=str(table.columns[twice][0]))
    return table


def read_any_table(reference: str, home: Path) -> pd.DataFrame:
    """A table whose columns are series of a strategy: a file as it stands, or a sample.

    Args:
        reference: as `read_prices` takes it.
        home: the data folder.

    Raises:
        MarketError: as `read_table`; `unknown_sample`.
    """
    if reference.startswith(SAMPLE_PREFIX):
        return _read_sample(reference.removeprefix(SAMPLE_PREFIX))[0]
    return read_table(_placed(reference, home))


def _placed(reference: str, home: Path) -> Path:
    """A relative path that does not exist where the process stands is looked for in the data folder."""
    path = typed_path(reference)
    there = not path.is_absolute() and not os.path.exists(path) and os.path.exists(home / path)
    return home / path if there else path


def symbol_of(path: Path) -> str:
    """The instrument a file's name tells: what stands before a timeframe part, else the whole stem."""
    name = path.stem
    if Path(name).suffix.lower() in PRICE_EXTENSIONS:  # of what is packed
        name = Path(name).stem
    stem = UNSEEN.sub("_", name)[:LONGEST_LABEL]
    parts = stem.split("_")
    for position, part in enumerate(parts[1:], start=1):
        if _TIMEFRAME_PART.fullmatch(part):
            return "_".join(parts[:position]) or stem
    return stem


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
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        head = stream.read(LONGEST_LINE + 1).split("\n", 1)[0]
    check_lines(path, [head])
    # Where Excel speaks a language of decimal commas, it sets cells apart by semicolons.
    separator = "," if "," in head else next((one for one in ";\t" if one in head), ",")
    check_columns(path, head.count(separator) + 1)
    frame = pd.read_csv(path, sep=separator)
    if separator != ",":
        frame = _with_figures(frame)
    names = [str(column).strip() for column in frame.columns]
    told = [name.strip() for name in next(csv.reader([head], delimiter=separator), [])]
    if len(told) == len(names):  # pandas numbers a name that stands twice
        names = [own or made_up for own, made_up in zip(told, names, strict=True)]
    if names and names[0].startswith("Unnamed") and not _TIME_NAMES & {name.lower() for name in names}:
        names[0] = "time"  # what DataFrame.to_csv() makes of an index without a name
    return frame.set_axis(names, axis=1)


def _with_figures(frame: pd.DataFrame) -> pd.DataFrame:
    """A table whose figures may have decimal commas, read as figures.

    Raises:
        MarketError: `unclear_decimal`.
    """
    texts = {
        name: column
        for name, column in frame.items()
        if not pd.api.types.is_numeric_dtype(column) and column.dropna().map(_is_written_figure).all()
    }
    if not texts:
        return frame
    mark = decimal_mark(list(texts.values()), doubtful=True)
    return frame.assign(**{str(name): read_numbers(one, str(name), mark) for name, one in texts.items()})


def _is_written_figure(cell: object) -> bool:
    return isinstance(cell, str) and not is_date(cell) and is_figure(cell)


def _read_arrow(path: Path) -> pd.DataFrame:
    frame: pd.DataFrame = read_arrow(path).to_pandas()
    return frame


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".parquet": _read_arrow,
    ".feather": _read_arrow,
    ".json": lambda path: from_json(read_json(path.read_bytes(), path, lines=False)),
    ".jsonl": lambda path: from_json(read_json(path.read_bytes(), path, lines=True)),
}
