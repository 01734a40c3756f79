"""Macro forecasts: `macro/forecast/dt=*/macro_forecast.parquet`, one row a horizon."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from market.partitions import (
    Problem,
    partitions_as_of,
    read_parquet,
    records,
    relative,
    validation_reason,
)

FIGURES = ("inflation_yoy", "yield_curve_slope", "unemployment", "recession_prob")


class MacroForecast(BaseModel):
    """The economy over one horizon; None where the source says nothing.

    Attributes:
        horizon: `1m`, `3m` or `12m`.
        inflation_yoy: fraction (0.022 is 2.2 %).
        yield_curve_slope: 10 years minus 2 years, percentage points.
        unemployment: percent of the labour force.
        recession_prob: 0–1.
        file: where the row came from, below the data folder.
        row: its number there, from 1.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    horizon: Literal["1m", "3m", "12m"]
    # Bounds catch a source that writes percent where a fraction is meant, and the reverse.
    inflation_yoy: Annotated[float | None, Field(ge=-0.5, le=1.0)] = None
    yield_curve_slope: Annotated[float | None, Field(ge=-20.0, le=20.0)] = None
    unemployment: Annotated[float | None, Field(ge=0.0, le=100.0)] = None
    recession_prob: Annotated[float | None, Field(ge=0.0, le=1.0)] = None
    file: str
    row: int


class Macro(BaseModel):
    """The macro forecasts of the newest usable partition.

    Attributes:
        partition: start of the partition, or None when there is none.
        rows: by horizon, nearest first.
        absent: figures that no row gives.
        problems: what was left aside.
        refused: rows refused.
    """

    partition: datetime | None
    rows: list[MacroForecast]
    absent: list[str]
    problems: list[Problem]
    refused: int


def read_macro(root: Path, as_of: datetime) -> Macro:
    """Read the newest partition that gives at least one figure.

    Args:
        root: data folder, the one that holds `macro/`.
        as_of: hour of the run (UTC).
    """
    problems: list[Problem] = []
    refused = 0
    for partition in partitions_as_of(root / "macro" / "forecast", as_of):
        path = partition.path / "macro_forecast.parquet"
        table = read_parquet(path, root, problems) if path.is_file() else None
        if table is None:
            continue
        file = relative(path, root)
        rows: dict[str, MacroForecast] = {}
        for number, row in records(table):
            try:
                forecast = MacroForecast.model_validate({**row, "file": file, "row": number})
                reason = "horizon: duplicate" if forecast.horizon in rows else ""
            except ValidationError as error:
                reason = validation_reason(error)
            if reason:
                problems.append(Problem(code="refused_row", file=file, row=number, reason=reason))
                refused += 1
            else:
                rows[forecast.horizon] = forecast
        absent = [name for name in FIGURES if all(getattr(row, name) is None for row in rows.values())]
        if rows and len(absent) < len(FIGURES):
            ordered = sorted(rows.values(), key=lambda row: ("1m", "3m", "12m").index(row.horizon))
            return Macro(
                partition=partition.start, rows=ordered, absent=absent, problems=problems, refused=refused
            )
    return Macro(partition=None, rows=[], absent=list(FIGURES), problems=problems, refused=refused)
