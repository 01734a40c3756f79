"""Macro forecasts: `macro/forecast/dt=*/macro_forecast.parquet`, one row a horizon."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from base.numbers import Numeric
from base.reasons import ReasonError, plain
from feeds.folder import DataFolder
from feeds.partitions import Moment, Partition, Problem, parse_moment, validation_reason
from feeds.quarantine import addresses_model, clean_text

FIGURES = ("inflation_yoy", "yield_curve_slope", "unemployment", "recession_prob")
"""What every source of macro forecasts gives, or says that it lacks."""

FEATURES = (
    "growth_yoy",
    "growth_change",
    "inflation_change",
    "credit_spread",
    "credit_spread_rank",
    "volatility",
    "volatility_rank",
)
"""What `threadx data macro` adds: the present regime, the same in every row."""

TABLE = "macro_forecast.parquet"
NOTES = "macro_forecast.json"
_ORDER = ("1m", "3m", "12m")
_HORIZONS = {"1y": "12m", "30d": "1m", "90d": "3m"}
_KEPT = 8
_LONGEST_NOTE = 200


def _horizon(value: Any) -> Any:
    return _HORIZONS.get(value.strip().lower(), value.strip().lower()) if isinstance(value, str) else value


Rank = Annotated[float | None, Field(ge=0.0, le=1.0)]


class MacroForecast(Numeric):
    """The economy over one horizon; None where the source says nothing.

    Attributes:
        horizon: `1m`, `3m` or `12m`.
        inflation_yoy: fraction (0.022 is 2.2 %).
        yield_curve_slope: 10 years minus 2 years, percentage points.
        unemployment: percent of the labour force.
        recession_prob: 0–1.
        growth_yoy: growth of activity over a year, fraction; today's, like all that follow.
        growth_change: growth_yoy minus that of three months before, fraction.
        inflation_change: inflation over a year minus that of three months before, fraction.
        credit_spread: percentage points.
        credit_spread_rank: share of the last ten years' values below it, 0–1.
        volatility: of shares, annualised, percent.
        volatility_rank: share of the last ten years' values below it, 0–1.
        file: where the row came from, below the data folder.
        row: its number there, from 1.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    horizon: Annotated[Literal["1m", "3m", "12m"], BeforeValidator(_horizon)]
    # Bounds catch a source that writes percent where a fraction is meant, and the reverse.
    inflation_yoy: Annotated[float | None, Field(ge=-0.5, le=1.0)] = None
    yield_curve_slope: Annotated[float | None, Field(ge=-20.0, le=20.0)] = None
    unemployment: Annotated[float | None, Field(ge=0.0, le=100.0)] = None
    recession_prob: Annotated[float | None, Field(ge=0.0, le=1.0)] = None
    growth_yoy: Annotated[float | None, Field(ge=-0.9, le=2.0)] = None
    growth_change: Annotated[float | None, Field(ge=-2.0, le=2.0)] = None
    inflation_change: Annotated[float | None, Field(ge=-1.0, le=1.0)] = None
    credit_spread: Annotated[float | None, Field(ge=-5.0, le=40.0)] = None
    credit_spread_rank: Rank = None
    volatility: Annotated[float | None, Field(ge=0.0, le=500.0)] = None
    volatility_rank: Rank = None
    file: str
    row: int


class Macro(BaseModel):
    """The macro forecasts of the newest usable partition.

    Attributes:
        partition: start of the partition, or None when there is none.
        rows: by horizon, nearest first.
        absent: figures that no row gives.
        notes: what `macro_forecast.json` says in words, cleaned.
        origins: figure → the rows (`file#row`) it was computed from, where its builder says so.
        problems: what was left aside.
        refused: rows refused.
        outside: rows, or whole partitions, dated later than the hour asked for.
        quarantined: notes that speak to a language model.
    """

    partition: datetime | None
    rows: list[MacroForecast]
    absent: list[str]
    notes: list[str]
    origins: dict[str, list[str]]
    problems: list[Problem]
    refused: int
    outside: int
    quarantined: int


@dataclass
class _Parsed:
    """One partition, whatever the hour."""

    made: Moment | None = None
    rows: list[tuple[MacroForecast | Problem, Moment | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    origins: dict[str, list[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    quarantined: int = 0


def read_macro(folder: DataFolder, as_of: datetime) -> Macro:
    """Read the newest partition that gives at least one figure.

    Args:
        folder: the data folder, which holds `macro/`.
        as_of: hour of the run (UTC); what a partition, its `asof` or a row dates later does not exist for it.

    Raises:
        MarketError: `unreadable_file`: a folder may not be read.
    """
    whole = Macro(
        partition=None,
        rows=[],
        absent=list(FIGURES),
        notes=[],
        origins={},
        problems=[],
        refused=0,
        outside=0,
        quarantined=0,
    )
    with folder.lock:
        for partition in folder.partitions("macro/forecast", as_of):
            paths = (partition.path / TABLE, partition.path / NOTES)
            parsed = folder.parsed("macro", paths, partial(_parse, folder, partition), keep=_KEPT)
            if parsed.made is not None and not parsed.made.visible(as_of, folder.daily_delay):
                whole.outside += 1
                continue
            rows = _visible(parsed, folder, as_of, whole)
            absent = [name for name in FIGURES if all(getattr(row, name) is None for row in rows)]
            features = any(getattr(row, name) is not None for row in rows for name in FEATURES)
            if rows and (len(absent) < len(FIGURES) or features):
                whole.partition, whole.rows, whole.absent = partition.start, rows, absent
                whole.notes, whole.origins = list(parsed.notes), dict(parsed.origins)
                break
    return whole


def _visible(parsed: _Parsed, folder: DataFolder, as_of: datetime, whole: Macro) -> list[MacroForecast]:
    """Rows of a partition known at the hour, the latest dated of each horizon, nearest horizon first."""
    whole.problems += parsed.problems
    whole.quarantined += parsed.quarantined
    latest: dict[str, tuple[MacroForecast, Moment | None]] = {}
    for row, dated in parsed.rows:
        if dated is not None and not dated.visible(as_of, folder.daily_delay):
            whole.outside += 1
            continue
        if isinstance(row, Problem):
            whole.problems.append(row)
            whole.refused += 1
            continue
        known = latest.get(row.horizon)
        if known is None or (dated is not None and known[1] is not None and dated.time > known[1].time):
            latest[row.horizon] = (row, dated)
        elif dated == known[1]:
            whole.problems.append(
                Problem(
                    code="refused_row",
                    file=row.file,
                    row=row.row,
                    reason=plain(ReasonError("duplicate", where="horizon")),
                )
            )
            whole.refused += 1
    return sorted((row for row, _ in latest.values()), key=lambda row: _ORDER.index(row.horizon))


def _parse(folder: DataFolder, partition: Partition) -> _Parsed:
    parsed = _Parsed()
    path = partition.path / TABLE
    file = folder.relative(path)
    if not path.is_file():
        return parsed
    _parse_notes(folder, partition, parsed)
    for number, row in enumerate(folder.rows(path, parsed.problems, ("horizon",)), start=1):
        dated: Moment | None = None
        found: MacroForecast | Problem
        try:
            dated = None if row.get("dt") is None else parse_moment(row["dt"])
            found = MacroForecast.model_validate({**row, "file": file, "row": number})
        except ValidationError as error:
            found = Problem(code="refused_row", file=file, row=number, reason=validation_reason(error))
        except ValueError:
            found = Problem(
                code="refused_row", file=file, row=number, reason=plain(ReasonError("not_a_time", where="dt"))
            )
        parsed.rows.append((found, dated))
    return parsed


def _parse_notes(folder: DataFolder, partition: Partition, parsed: _Parsed) -> None:
    """When the partition was made, and its notes, out of the optional file beside the table."""
    content = folder.json_object(partition.path / NOTES, parsed.problems)
    made = content.get("asof")
    if made is not None:
        try:
            parsed.made = parse_moment(made)
        except ValueError:
            file = folder.relative(partition.path / NOTES)
            parsed.problems.append(
                Problem(
                    code="unreadable_file", file=file, reason=plain(ReasonError("not_a_time", where="asof"))
                )
            )
    origins = content.get("origins")
    if isinstance(origins, dict):
        parsed.origins = {
            name: [str(row)[:_LONGEST_NOTE] for row in rows]
            for name, rows in origins.items()
            if name in (*FIGURES, *FEATURES) and isinstance(rows, list)
        }
    notes = content.get("notes")
    for note in notes if isinstance(notes, list) else [notes]:
        if isinstance(note, str) and (text := clean_text(note)):
            if addresses_model(text):
                parsed.quarantined += 1
            else:
                parsed.notes.append(text[:_LONGEST_NOTE])
