"""Sample inputs of the ensemble: real partitions made from packaged data, as of an hour.

Prices, inflation and bond yields come from the data sets of `arch`; the news lines are facts of late 2018 in
this project's own words (`samples/news.jsonl`). Publication lags are respected: a partition holds only
what was public at its hour.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from base.files import write_atomically, write_text_atomically
from feeds.builders.regime import autoregression, recession_odds
from feeds.builders.scores import MINIMUM_BARS, SESSION_BARS, Horizon, forecast_row
from vault.errors import MarketError
from vault.packaged import packaged_table

SAMPLE_AS_OF = datetime(2018, 12, 31, 22, tzinfo=UTC)
"""The last hour the packaged prices know: after New York's close of the last day."""

_CLOSE_LAG = pd.Timedelta(hours=21)  # a daily bar is known after New York's close
_OIL_LAG = pd.Timedelta(days=3)
_CPI_LAG = pd.Timedelta(days=45)  # of the month's first day: mid next month
_YIELD_LAG = pd.Timedelta(days=31)  # a month's average, once the month is over


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
            "inflation_yoy": [autoregression(inflation, ahead) for ahead in months.values()],
            "yield_curve_slope": np.nan,  # no packaged series reaches this far
            "unemployment": np.nan,
            "recession_prob": [recession_odds(spread, ahead) for ahead in months.values()],
        }
    )


def _news(root: Path, as_of: datetime, language: str) -> list[tuple[Path, pd.DataFrame]]:
    """One table a day, named after its last line's time; lines later than the hour are not written."""
    lines = files("feeds.builders").joinpath("news.jsonl").read_text(encoding="utf-8").splitlines()
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
