"""Sample inputs of the ensemble: real partitions made from packaged data, as of an hour.

Prices, inflation and bond yields come from the data sets of `arch`; the news lines are facts of late 2018 in
this project's own words (`samples/news.jsonl`). Publication lags are respected: a partition holds only
what was public at its hour.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from backtest.files import write_atomically, write_text_atomically
from market.errors import MarketError
from market.packaged import packaged_table
from market.scores import MINIMUM_BARS, SESSION_BARS, Horizon, forecast_row

SAMPLE_AS_OF = datetime(2018, 12, 31, 22, tzinfo=UTC)
"""The last hour the packaged prices know: after New York's close of the last day."""

_CLOSE_LAG = pd.Timedelta(hours=21)  # a daily bar is known after New York's close
_OIL_LAG = pd.Timedelta(days=3)
_CPI_LAG = pd.Timedelta(days=45)  # of the month's first day: mid next month
_YIELD_LAG = pd.Timedelta(days=31)  # a month's average, once the month is over

# Months from peak to trough of United States recessions as dated by the NBER.
_RECESSIONS = (
    ("1920-01", "1921-07"),
    ("1923-05", "1924-07"),
    ("1926-10", "1927-11"),
    ("1929-08", "1933-03"),
    ("1937-05", "1938-06"),
    ("1945-02", "1945-10"),
    ("1948-11", "1949-10"),
    ("1953-07", "1954-05"),
    ("1957-08", "1958-04"),
    ("1960-04", "1961-02"),
    ("1969-12", "1970-11"),
    ("1973-11", "1975-03"),
    ("1980-01", "1980-07"),
    ("1981-07", "1982-11"),
    ("1990-07", "1991-03"),
    ("2001-03", "2001-11"),
    ("2007-12", "2009-06"),
)
_DATING_MONTHS = 24
"""Recessions are dated up to two years later: younger months teach nothing."""


def build_sample(root: Path, *, as_of: datetime = SAMPLE_AS_OF, language: Literal["fr", "en"] = "fr") -> None:
    """Write forecast, macro and news partitions under `root`, as a program that fills the folder would.

    Args:
        root: data folder to fill; files of the same partitions are replaced.
        as_of: hour to build for (UTC), between 2001 and the end of 2018.
        language: language of the headlines.

    Raises:
        MarketError: `sample_out_of_range`: the packaged data says nothing about that hour.
        OSError: the folder cannot be written.
    """
    day = f"{as_of:%Y%m%d}"
    forecasts, commodities = _forecasts(as_of)
    folder = root / "forecast" / f"dt={day}"
    long = ["dt", "ticker", "horizon", "direction", "confidence", "expected_return"]
    _write(folder / "forecasts.parquet", forecasts[long])
    _write(folder / "commodities.parquet", commodities[[*long, "name", "category"]])
    # The short form on purpose: the readers' join is walked through on every sample run.
    both = pd.concat([forecasts, commodities])
    _write(folder / "final.parquet", both[["dt", "ticker", "horizon", "final_score"]])
    macro = _macro(as_of)
    folder = root / "macro" / "forecast" / f"dt={as_of:%Y-%m-%d}"
    _write(folder / "macro_forecast.parquet", macro)
    notes = {"asof": as_of.isoformat(), "dt": day, "horizons": list(macro["horizon"]), "notes": []}
    write_text_atomically(folder / "macro_forecast.json", json.dumps(notes, indent=1) + "\n")
    for path, table in _news(root, as_of, language):
        _write(path, table)


def _write(path: Path, table: pd.DataFrame) -> None:
    write_atomically(path, lambda stream: table.to_parquet(stream, index=False))


def _known(series: pd.Series, lag: pd.Timedelta, as_of: datetime) -> pd.Series:
    """What was public at the hour, missing values left out."""
    limit = pd.Timestamp(as_of).tz_localize(None) - lag
    return series[series.index <= limit].dropna()


def _load(module: str, column: str) -> pd.Series:
    series: pd.Series = packaged_table(module)[column]
    return series


def _forecasts(as_of: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    closes = {
        "^GSPC": _known(_load("sp500", "Close"), _CLOSE_LAG, as_of),
        "^IXIC": _known(_load("nasdaq", "Close"), _CLOSE_LAG, as_of),
    }
    oil = _known(_load("wti", "DCOILWTICO"), _OIL_LAG, as_of)
    shortest = min(len(close) for close in (*closes.values(), oil))
    newest = max(close.index[-1] for close in (*closes.values(), oil)) if shortest else None
    age = pd.Timestamp(as_of).tz_localize(None) - newest if newest is not None else None
    if shortest < MINIMUM_BARS or age is None or age > pd.Timedelta(days=7):
        raise MarketError("sample_out_of_range", as_of=as_of.isoformat(), last=SAMPLE_AS_OF.isoformat())
    stamp = f"{as_of:%Y%m%d}"
    horizons: Sequence[Horizon] = tuple(SESSION_BARS)
    rows = [
        {"dt": stamp, **forecast_row(close, ticker, horizon)}
        for ticker, close in closes.items()
        for horizon in horizons
    ]
    barrels = [
        {"dt": stamp, **forecast_row(oil, "WTI", horizon), "name": "WTI", "category": "energy"}
        for horizon in horizons
    ]
    return pd.DataFrame(rows), pd.DataFrame(barrels)


def _macro(as_of: datetime) -> pd.DataFrame:
    """Core inflation by an autoregression, recession odds by the credit spread's record; the rest unknown."""
    prices = _known(_load("core_cpi", "CPILFESL"), _CPI_LAG, as_of)
    inflation = prices.pct_change(12).dropna()
    spread = _known(_load("default", "BAA"), _YIELD_LAG, as_of) - _known(
        _load("default", "AAA"), _YIELD_LAG, as_of
    )
    months = {"1m": 1, "3m": 3, "12m": 12}
    return pd.DataFrame(
        {
            "dt": f"{as_of:%Y%m%d}",
            "horizon": list(months),
            "inflation_yoy": [_autoregression(inflation, ahead) for ahead in months.values()],
            "yield_curve_slope": np.nan,  # no packaged series reaches this far
            "unemployment": np.nan,
            "recession_prob": [_recession_odds(spread, ahead) for ahead in months.values()],
        }
    )


def _autoregression(series: pd.Series, ahead: int) -> float:
    """Iterate x[t+1] = a + b·x[t], fitted by least squares over the last 20 years, `ahead` months."""
    recent = series.iloc[-240:].to_numpy(dtype=np.float64)
    slope, level = np.polyfit(recent[:-1], recent[1:], 1)
    value = recent[-1]
    for _ in range(ahead):
        value = level + slope * value
    return round(float(value), 6)


def _recession_odds(spread: pd.Series, ahead: int) -> float:
    """Share of past months with a like credit spread that saw a recession within `ahead` months.

    Like means the nearest fifth by the spread of BAA over AAA yields; shrunk by 24 months of the base rate.
    """
    months = pd.PeriodIndex(spread.index, freq="M")
    slump = np.zeros(len(months))
    for begin, end in _RECESSIONS:
        slump[(months > pd.Period(begin, "M")) & (months <= pd.Period(end, "M"))] = 1.0
    usable = len(months) - _DATING_MONTHS
    outcome = np.array([slump[place : place + ahead + 1].max() for place in range(usable)])
    distance = np.abs(spread.to_numpy()[:usable] - float(spread.iloc[-1]))
    nearest = outcome[np.argsort(distance, kind="stable")[: math.ceil(usable / 5)]]
    base = float(outcome.mean())
    return round((float(nearest.sum()) + 24.0 * base) / (len(nearest) + 24.0), 4)


def _news(root: Path, as_of: datetime, language: str) -> list[tuple[Path, pd.DataFrame]]:
    """One table a day, named after its last line's time; lines later than the hour are not written."""
    lines = files("market").joinpath("samples/news.jsonl").read_text(encoding="utf-8").splitlines()
    days: dict[str, list[dict[str, Any]]] = {}
    begin = as_of - timedelta(days=30)
    for line in map(json.loads, lines):
        moment = datetime.fromisoformat(line["ts"])
        if begin < moment <= as_of:
            days.setdefault(f"{moment:%Y%m%d}", []).append({**line, "moment": moment})
    tables = []
    for day, items in sorted(days.items()):
        items.sort(key=lambda item: item["moment"])
        rows = [
            {
                "ts": item["ts"],
                "source": "threadx-sample",
                "title": item[language],
                "link": f"threadx-sample:{item['id']}",
                "summary": None,
                "tickers": item["tickers"] or None,
                "sent": None,  # readers score it, as they do for any source that gives no tone
                **{
                    f"flag_{name}": bool(item.get(f"flag_{name}"))
                    for name in ("earnings", "mna", "geopolitics", "macro")
                },
                "sector_hint": None,
            }
            for item in items
        ]
        name = f"news_{items[-1]['moment']:%H%M%S}.parquet"
        tables.append((root / "news" / f"dt={day}" / name, pd.DataFrame(rows)))
    return tables
