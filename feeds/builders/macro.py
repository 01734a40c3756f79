"""Builder: macro forecasts and regime features from economic series, written as a partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backtest import BacktestError
from backtest.kernels.indicators import moving_deviation
from feeds.builders.forecasts import adjusted_closes, daily_closes
from feeds.builders.regime import autoregression, recession_odds
from feeds.builders.series import Observations, SeriesArchive
from feeds.builders.writing import Watch, write_partition
from feeds.inputs import INPUTS
from feeds.macro import FEATURES, FIGURES, NOTES, TABLE
from feeds.partitions import hour_name
from vault.errors import MarketError
from vault.readers.prices import read_table

MONTHS = {"1m": 1, "3m": 3, "12m": 12}

_OLDEST_DAYS = 200
"""Days after which a value tells nothing of today: quarterly series reach this age before the next comes."""
_RANK_YEARS = 10
_FEWEST_RANKED = 60
_VOLATILITY_BARS = 21


@dataclass
class _Input:
    """One input: its values by date, each with the rows it was computed from."""

    name: str
    values: pd.Series
    rows: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class BuiltMacro:
    """What was written.

    Attributes:
        partition: the folder.
        rows: one a horizon, as written.
        inputs: input → the series it was taken from.
        origins: figure → the rows (`file#row`) that its present value was computed from.
        unvintaged: series used that are revised and had no vintages: later revisions may speak through them.
        refused: cells that are no numbers or dates.
        left_out: files that could not be used, `watch` was told why.
    """

    partition: Path
    rows: list[dict[str, Any]]
    inputs: dict[str, str]
    origins: dict[str, list[str]]
    unvintaged: tuple[str, ...]
    refused: list[tuple[str, int, str, str]] = field(default_factory=list)
    left_out: tuple[str, ...] = ()


def build_macro(
    series: SeriesArchive,
    root: Path,
    as_of: datetime,
    *,
    prices: Path | None = None,
    use: Mapping[str, str] | None = None,
    watch: Watch = lambda what, error: None,
) -> BuiltMacro:
    """Read economic series as they were known at an hour and write `macro/forecast/dt=YYYYMMDDHH`.

    Inflation and unemployment are carried forward by an autoregression, the slope of the curve as it is;
    `recession_prob` is what followed months with a like curve (`feeds.builders.regime`). The regime features
    are today's, in every row. `macro_forecast.json` names the rows behind each figure.

    Args:
        series: the files and folders of series.
        root: data folder to write to.
        as_of: hour (UTC).
        prices: price file whose realised volatility stands in where no series of volatility is given.
        use: input → series or difference of two (`credit_spread` → `BAA-AAA`) in place of `INPUTS`.
        watch: told each input found, and each file left out with the reason.

    Raises:
        MarketError: `unknown_input`, `missing_series`, `no_macro` (nothing is written),
            `unwritable_folder`.
    """
    known = series.known(as_of)
    for file, error in known.left_out:
        watch(file, error)
    wanted = _wanted(use or {})
    inputs = {}
    for name, candidates in wanted.items():
        found = _choose(candidates, known, as_of)
        if found is not None:
            inputs[name] = found
        elif name in (use or {}):
            raise MarketError("missing_series", input=name, series=candidates[0], known=_known(known))
    if prices is not None and "volatility" not in inputs:
        try:
            inputs["volatility"] = _realised(prices, as_of)
        except (MarketError, BacktestError) as error:
            watch(prices.name, error)
    for found in inputs.values():
        watch(found.name, None)
    figures, origins = _features(inputs)
    rows = [_row(horizon, as_of, inputs, figures) for horizon in MONTHS]
    if all(row[name] is None for row in rows for name in (*FIGURES, *FEATURES)):
        raise MarketError("no_macro", hour=f"{as_of:%Y-%m-%dT%H}", known=_known(known))
    for name, key in _ORIGIN_OF.items():
        if key in inputs and rows[0][name] is not None:
            origins.setdefault(name, _last_rows(inputs[key]))
    used = {part for found in inputs.values() for part in found.name.split("-")}
    built = BuiltMacro(
        partition=root / "macro" / "forecast" / hour_name(as_of),
        rows=rows,
        inputs={key: found.name for key, found in inputs.items()},
        origins=origins,
        unvintaged=tuple(name for name in known.unvintaged if name in used),
        refused=known.refused,
        left_out=tuple(file for file, _ in known.left_out),
    )
    table = pd.DataFrame(rows)
    numbers = [name for name in table.columns if name not in ("dt", "horizon")]
    write_partition(
        built.partition,
        {
            NOTES: {
                "asof": as_of.isoformat(),
                "dt": f"{as_of:%Y%m%d%H}",
                "horizons": list(MONTHS),
                "notes": [],
                "inputs": built.inputs,
                "origins": origins,
                "unvintaged": list(built.unvintaged),
            },
            TABLE: table.astype(dict.fromkeys(numbers, "float64")),
        },
    )
    return built


_ORIGIN_OF = {
    "inflation_yoy": "inflation",
    "unemployment": "unemployment",
    "yield_curve_slope": "slope",
    "recession_prob": "recession",
}


def _wanted(use: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    if unknown := sorted(set(use) - set(INPUTS)):
        raise MarketError("unknown_input", name=unknown[0], known=", ".join(INPUTS))
    return {**INPUTS, **{name: (series.upper(),) for name, series in use.items()}}


def _known(known: Observations) -> str:
    return ", ".join(sorted(set(known.table["series"]))[:30]) or "-"


def _choose(candidates: Iterable[str], known: Observations, as_of: datetime) -> _Input | None:
    """The first candidate that is there and not too old."""
    for candidate in candidates:
        parts = candidate.split("-")
        found = [known.table[known.table["series"] == part].set_index("date") for part in parts]
        if any(part.empty for part in found) or len(parts) > 2:
            continue
        values = found[0]["value"]
        if len(parts) == 2:
            values = _difference(values, found[1]["value"])
        if values.empty or (pd.Timestamp(as_of.replace(tzinfo=None)) - values.index[-1]).days > _OLDEST_DAYS:
            continue
        return _Input(candidate, values.sort_index(), pd.concat(found))
    return None


def _difference(above: pd.Series, below: pd.Series) -> pd.Series:
    """Values of the dates that both have; a monthly series meets the month's mean of a daily one."""
    if _monthly(above) != _monthly(below):
        above, below = (
            values if _monthly(values) else values.resample("MS").mean() for values in (above, below)
        )
    return (above - below).dropna()


def _monthly(values: pd.Series) -> bool:
    return len(values) < 2 or _days_apart(values) > 10


def _days_apart(values: pd.Series) -> float:
    """Median distance between the dates of at least two values."""
    return float(np.median(np.diff(pd.DatetimeIndex(values.index).as_unit("s").asi8))) / 86_400


def _realised(prices: Path, as_of: datetime) -> _Input:
    """Volatility of the last 21 daily returns, annualised, percent.

    Raises:
        MarketError, BacktestError: the file cannot be used.
    """
    close, last_row, continuous = daily_closes(adjusted_closes(read_table(prices)), as_of, 24)
    if len(close) <= _VOLATILITY_BARS:
        raise MarketError("too_few_rows", rows=len(close), minimum=_VOLATILITY_BARS + 1)
    if (pd.Timestamp(as_of.replace(tzinfo=None)) - close.index[-1]).days > 7:
        raise MarketError("stale_prices", path=prices.name, last=f"{close.index[-1]:%Y-%m-%dT%H}")
    days = 365.0 if continuous else 252.0
    returns = np.asarray(close.pct_change(), dtype=np.float64)
    deviation = moving_deviation(returns, _VOLATILITY_BARS)
    values = pd.Series(deviation * np.sqrt(days) * 100.0, index=close.index).dropna()
    rows = pd.DataFrame({"file": prices.name, "row": last_row}, index=values.index[-1:])
    return _Input(prices.name, values, rows)


def _features(inputs: Mapping[str, _Input]) -> tuple[dict[str, float | None], dict[str, list[str]]]:
    """Today's regime, and the rows behind each feature."""
    figures: dict[str, float | None] = dict.fromkeys(FEATURES)
    origins: dict[str, list[str]] = {}
    for key, level, change in (
        ("growth", "growth_yoy", "growth_change"),
        ("inflation", "inflation_yoy", "inflation_change"),
    ):
        if key not in inputs or (yearly := _over_a_year(inputs[key].values)).empty:
            continue
        today = yearly.index[-1]
        dates = [today, today - pd.DateOffset(years=1)]
        origins[level] = _rows_at(inputs[key], dates)
        if level in figures:
            figures[level] = round(float(yearly.iloc[-1]), 6)
        before = today - pd.DateOffset(months=3)
        if before in yearly.index:
            figures[change] = round(float(yearly.iloc[-1] - yearly[before]), 6)
            origins[change] = _rows_at(inputs[key], [*dates, before, before - pd.DateOffset(years=1)])
    for name in ("credit_spread", "volatility"):
        if name in inputs:
            values = inputs[name].values
            figures[name] = round(float(values.iloc[-1]), 4)
            figures[f"{name}_rank"] = _rank(values)
            origins[name] = _last_rows(inputs[name])
    return figures, origins


def _over_a_year(values: pd.Series) -> pd.Series:
    """Growth over the year to each date whose date a year before is there."""
    before = values.reindex(pd.DatetimeIndex(values.index) - pd.DateOffset(years=1))
    return pd.Series(values.to_numpy() / before.to_numpy() - 1.0, index=values.index).dropna()


def _rank(values: pd.Series) -> float | None:
    recent = values[values.index > values.index[-1] - pd.DateOffset(years=_RANK_YEARS)]
    if len(recent) < _FEWEST_RANKED:
        return None
    return round(float((recent < recent.iloc[-1]).mean()), 4)


def _rows_at(found: _Input, dates: Iterable[pd.Timestamp]) -> list[str]:
    """`file#row` of every row that the values at these dates were computed from."""
    return list(
        dict.fromkeys(
            f"{file}#{row}"
            for date in dates
            for file, row in found.rows[found.rows.index == date][["file", "row"]].itertuples(index=False)
        )
    )


def _last_rows(found: _Input) -> list[str]:
    """The rows behind the last value; of a month's mean, the last of its days."""
    last = found.values.index[-1]
    at = _rows_at(found, [last])
    newest = found.rows[found.rows.index <= last + pd.DateOffset(months=1)].iloc[-1:]
    return at or [f"{file}#{row}" for file, row in newest[["file", "row"]].itertuples(index=False)]


def _row(
    horizon: str, as_of: datetime, inputs: Mapping[str, _Input], features: Mapping[str, float | None]
) -> dict[str, Any]:
    ahead = MONTHS[horizon]

    def carried(values: pd.Series) -> float | None:
        # Quarterly values step by quarters.
        step = 3 if len(values) > 1 and _days_apart(values) > 45 else 1
        return None if values.empty else autoregression(values, round(ahead / step))

    odds = None
    if "recession" in inputs:
        odds = recession_odds(inputs["recession"].values.resample("MS").mean().dropna(), ahead)
    return {
        "dt": f"{as_of:%Y%m%d%H}",
        "horizon": horizon,
        "inflation_yoy": carried(_over_a_year(inputs["inflation"].values)) if "inflation" in inputs else None,
        "yield_curve_slope": round(float(inputs["slope"].values.iloc[-1]), 4) if "slope" in inputs else None,
        "unemployment": carried(inputs["unemployment"].values) if "unemployment" in inputs else None,
        "recession_prob": odds,
        **features,
    }
