"""Technical forecasts: `forecast/dt=*/final.parquet`, its short form joined with `forecasts.parquet`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from market.partitions import (
    Partition,
    Problem,
    partitions_as_of,
    read_parquet,
    records,
    relative,
    validation_reason,
)

_HORIZONS = {"7d": "1w", "30d": "1m", "12m": "1y"}
_DETAILS = ("direction", "confidence", "expected_return", "ml_return", "ml_conf")


def _horizon(value: Any) -> Any:
    return _HORIZONS.get(value.strip().lower(), value.strip().lower()) if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


class Forecast(BaseModel):
    """What is expected of one instrument over one horizon.

    Attributes:
        ticker: instrument.
        horizon: `1w`, `1m` or `1y`.
        direction: `up`, `flat` or `down`.
        confidence: 0–1.
        expected_return: fraction, or None.
        final_score: ranking of the program that wrote it; its scale is not fixed; None in the long form.
        ml_return: return expected by that program's model, fraction, or None.
        ml_conf: that model's confidence, or None.
        name: plain name, for commodities.
        category: kind of commodity.
        file: where the row came from, below the data folder.
        row: its number there, from 1.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    ticker: Annotated[str, Field(min_length=1, max_length=40)]
    horizon: Annotated[Literal["1w", "1m", "1y"], BeforeValidator(_horizon)]
    direction: Annotated[Literal["up", "flat", "down"], BeforeValidator(_lower)]
    confidence: Annotated[float, Field(ge=0.0, le=1.0)]
    expected_return: Annotated[float | None, Field(ge=-1.0, le=10.0)] = None
    final_score: float | None = None
    ml_return: Annotated[float | None, Field(ge=-1.0, le=10.0)] = None
    ml_conf: Annotated[float | None, Field(ge=0.0, le=1.0)] = None
    name: Annotated[str | None, Field(max_length=80)] = None
    category: Annotated[str | None, Field(max_length=40)] = None
    file: str
    row: int

    @property
    def strength(self) -> float:
        """What ranks a forecast: the size of its final score (a sign may tell direction), else confidence."""
        return abs(self.final_score) if self.final_score is not None else self.confidence


class Forecasts(BaseModel):
    """The forecasts of the newest usable partition.

    Attributes:
        partition: start of the partition, or None when there is none.
        rows: valid forecasts, strongest first.
        problems: what was left aside.
        refused: rows refused.
        missing: optional or expected files that are not there (`final.parquet`, `forecasts.parquet`).
    """

    partition: datetime | None
    rows: list[Forecast]
    problems: list[Problem]
    refused: int
    missing: list[str]


def read_forecasts(root: Path, as_of: datetime) -> Forecasts:
    """Read the newest partition with at least one valid forecast.

    Args:
        root: data folder, the one that holds `forecast/`.
        as_of: hour of the run (UTC); partitions that began later do not exist for it.
    """
    problems: list[Problem] = []
    refused = 0
    for partition in partitions_as_of(root / "forecast", as_of):
        rows, missing, bad = _read_partition(partition, root, as_of, problems)
        refused += bad
        if rows:
            ranked = sorted(rows, key=lambda row: (-row.strength, row.ticker, row.horizon))
            return Forecasts(
                partition=partition.start, rows=ranked, problems=problems, refused=refused, missing=missing
            )
    return Forecasts(
        partition=None,
        rows=[],
        problems=problems,
        refused=refused,
        missing=["final.parquet", "forecasts.parquet"],
    )


def _read_partition(
    partition: Partition, root: Path, as_of: datetime, problems: list[Problem]
) -> tuple[list[Forecast], list[str], int]:
    tables = {}
    missing = []
    for name in ("final.parquet", "forecasts.parquet", "commodities.parquet"):
        path = partition.path / name
        table = read_parquet(path, root, problems) if path.is_file() else None
        if table is not None:
            tables[name] = [(number, _tidy(row)) for number, row in records(table)]
        elif name != "commodities.parquet":
            missing.append(name)
    details = {
        (row.get("ticker"), row.get("horizon")): row
        for name in ("commodities.parquet", "forecasts.parquet")
        for _, row in tables.get(name, [])
    }
    main = "final.parquet" if "final.parquet" in tables else "forecasts.parquet"
    rows: dict[tuple[str, str], Forecast] = {}
    refused = 0
    for name in (main, "commodities.parquet"):
        file = relative(partition.path / name, root)
        for number, row in tables.get(name, []):
            known = details.get((row.get("ticker"), row.get("horizon")), {})
            full = {**known, **{key: value for key, value in row.items() if value is not None}}
            if reason := _future(full.get("dt"), as_of):
                problems.append(Problem(code="refused_row", file=file, row=number, reason=reason))
                refused += 1
                continue
            try:
                forecast = Forecast.model_validate({**full, "file": file, "row": number})
            except ValidationError as error:
                problems.append(
                    Problem(code="refused_row", file=file, row=number, reason=validation_reason(error))
                )
                refused += 1
                continue
            if (forecast.ticker, forecast.horizon) in rows:
                if name == main:  # commodities often stand in both tables: there the first is enough
                    problems.append(
                        Problem(
                            code="refused_row", file=file, row=number, reason="ticker, horizon: duplicate"
                        )
                    )
                    refused += 1
                continue
            rows[forecast.ticker, forecast.horizon] = forecast
    return list(rows.values()), missing, refused


def _tidy(row: dict[str, object]) -> dict[str, object]:
    """Horizons under one name, so that the two tables join."""
    return {**row, "horizon": _horizon(row.get("horizon"))}


def _future(stamp: object, as_of: datetime) -> str:
    """Why a row's own date forbids its use, or nothing; a date that cannot be read decides nothing."""
    day = str(stamp or "")[:10].replace("-", "")[:8]
    if len(day) == 8 and day.isdigit() and day > f"{as_of:%Y%m%d}":
        return f"dt: {stamp} is after {as_of:%Y-%m-%dT%H}"
    return ""
