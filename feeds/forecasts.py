"""Technical forecasts: `forecast/dt=*/final.parquet`, its short form joined with `forecasts.parquet`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from base.labels import Label
from base.numbers import Numeric
from base.reasons import ReasonError, plain
from feeds.folder import DataFolder
from feeds.partitions import Moment, Partition, Problem, parse_moment, validation_reason
from feeds.quarantine import addresses_model

FILES = ("final.parquet", "forecasts.parquet", "commodities.parquet")
_HORIZONS = {"7d": "1w", "30d": "1m", "12m": "1y"}
_NEEDS = {
    "final.parquet": ("ticker", "horizon"),
    "forecasts.parquet": ("ticker", "horizon", "direction", "confidence"),
    "commodities.parquet": ("ticker", "horizon"),
}
_KEPT = 8
_ORIGIN = 300
SIGNS: dict[str, float] = {"up": 1.0, "flat": 0.0, "down": -1.0}
NOTHING_EXPECTED = 0.0005
"""Below it an expected return is read as 0.0 %, which speaks for no direction and against none."""


def at_odds(direction: str, expected: float | None) -> bool:
    """Whether an expected return, a fraction, has the other sign than the direction."""
    return expected is not None and abs(expected) >= NOTHING_EXPECTED and SIGNS[direction] * expected < 0.0


def _horizon(value: Any) -> Any:
    return _HORIZONS.get(value.strip().lower(), value.strip().lower()) if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _strip(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


Score = Annotated[float | None, Field(ge=-1.0, le=1.0)]
Rate = Annotated[float | None, Field(ge=0.0, le=1.0)]


class Forecast(Numeric):
    """What is expected of one instrument over one horizon.

    Attributes:
        ticker: instrument.
        horizon: `1w`, `1m` or `1y`.
        direction: `up`, `flat` or `down`.
        confidence: 0–1.
        expected_return: fraction, or None.
        final_score: ranking of the program that wrote it, often a z-score over a day, whose sign says above
            or below the mean, not up or down. None in the long form.
        ml_return: return expected by that program's model, fraction, or None.
        ml_conf: that model's confidence, or None.
        name: plain name, for commodities.
        category: kind of commodity.
        momentum: score of the last months, −1 to 1, where its builder gives it; so the next two.
        trend: score of the distance from the long average.
        mean_reversion: score against the last weeks.
        momentum_hit_rate: share of its past calls that went that way, 0–1; so the next two.
        trend_hit_rate: of the trend score.
        mean_reversion_hit_rate: of the mean-reversion score.
        origin: the last row it was computed from (`SPY.csv#250`), where its builder says so.
        file: where the row came from, below the data folder.
        row: its number there, from 1.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    ticker: Annotated[Label, Field(max_length=40), BeforeValidator(_strip)]
    horizon: Annotated[Literal["1w", "1m", "1y"], BeforeValidator(_horizon)]
    direction: Annotated[Literal["up", "flat", "down"], BeforeValidator(_lower)]
    confidence: Annotated[float, Field(ge=0.0, le=1.0)]
    expected_return: Annotated[float | None, Field(ge=-1.0, le=10.0)] = None
    final_score: float | None = None
    ml_return: Annotated[float | None, Field(ge=-1.0, le=10.0)] = None
    ml_conf: Annotated[float | None, Field(ge=0.0, le=1.0)] = None
    name: Annotated[str | None, Field(max_length=80)] = None
    category: Annotated[str | None, Field(max_length=40)] = None
    momentum: Score = None
    trend: Score = None
    mean_reversion: Score = None
    momentum_hit_rate: Rate = None
    trend_hit_rate: Rate = None
    mean_reversion_hit_rate: Rate = None
    origin: Annotated[str | None, Field(max_length=_ORIGIN)] = None
    file: str
    row: int


class Forecasts(BaseModel):
    """The forecasts of the newest usable partition.

    Attributes:
        partition: start of the partition, or None when there is none.
        rows: valid forecasts, by file and row.
        problems: what was left aside.
        refused: rows refused.
        outside: rows dated later than the hour asked for.
        quarantined: rows whose text speaks to a language model.
        missing: expected files that are not there or not readable (`final.parquet`, `forecasts.parquet`).
    """

    partition: datetime | None
    rows: list[Forecast]
    problems: list[Problem]
    refused: int
    outside: int
    quarantined: int
    missing: list[str]


@dataclass
class _Parsed:
    """One partition, whatever the hour: rows of the main table (final or forecasts), then of the others."""

    rows: list[tuple[Forecast | Problem, Moment | None]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    quarantined: int = 0
    missing: list[str] = field(default_factory=list)


def read_forecasts(folder: DataFolder, as_of: datetime) -> Forecasts:
    """Read the newest partition with at least one valid forecast.

    Args:
        folder: the data folder, which holds `forecast/`.
        as_of: hour of the run (UTC); partitions that began later, and rows dated later, do not exist for it.

    Raises:
        MarketError: `unreadable_file`: a folder may not be read.
    """
    whole = Forecasts(
        partition=None, rows=[], problems=[], refused=0, outside=0, quarantined=0, missing=list(FILES[:2])
    )
    with folder.lock:
        for place, partition in enumerate(folder.partitions("forecast", as_of)):
            paths = tuple(partition.path / name for name in FILES)
            parsed = folder.parsed("forecast", paths, partial(_parse, folder, partition), keep=_KEPT)
            rows = _visible(parsed, folder, as_of, whole)
            if rows or not place:  # what the newest lacks says why nothing of it can be read
                whole.missing = list(parsed.missing)
            if rows:
                whole.partition = partition.start
                whole.rows = sorted(rows, key=lambda row: (row.file, row.row))
                break
    return whole


def _visible(parsed: _Parsed, folder: DataFolder, as_of: datetime, whole: Forecasts) -> list[Forecast]:
    """Forecasts of a partition known at the hour, the latest dated of each instrument and horizon."""
    whole.problems += parsed.problems
    whole.quarantined += parsed.quarantined
    latest: dict[tuple[str, str], tuple[Forecast, Moment | None]] = {}
    main = parsed.rows[0][0].file if parsed.rows else ""
    for row, dated in parsed.rows:
        if dated is not None and not dated.visible(as_of, folder.daily_delay):
            whole.outside += 1
        elif isinstance(row, Problem):
            whole.problems.append(row)
            whole.refused += 1
        elif (known := latest.get((row.ticker, row.horizon))) is None or _later(dated, known[1]):
            latest[row.ticker, row.horizon] = (row, dated)
        elif dated == known[1] and row.file == main:
            # Commodities often stand in both tables: there the first is enough.
            whole.problems.append(
                Problem(
                    code="refused_row",
                    file=row.file,
                    row=row.row,
                    reason=plain(ReasonError("duplicate", where="ticker, horizon")),
                )
            )
            whole.refused += 1
    return [row for row, _ in latest.values()]


def _later(one: Moment | None, other: Moment | None) -> bool:
    return one is not None and other is not None and one.time > other.time


def _parse(folder: DataFolder, partition: Partition) -> _Parsed:
    parsed = _Parsed()
    tables: dict[str, list[dict[str, Any]]] = {}
    for name in FILES:
        path = partition.path / name
        rows = folder.rows(path, parsed.problems, _NEEDS[name]) if path.is_file() else []
        if rows:
            tables[name] = rows
        elif name != "commodities.parquet":
            parsed.missing.append(name)
    details = {
        key: row
        for name in ("commodities.parquet", "forecasts.parquet")
        for row in tables.get(name, [])
        for key in _keys(row)
    }
    told: set[tuple[str, ...]] = set()
    for name in FILES:
        file = folder.relative(partition.path / name)
        table = tables.get(name, [])
        # A selection of the forecasts may stand in final.parquet: the others are no less forecasts.
        for number, row in enumerate(table, start=1):
            if name != "forecasts.parquet" or _keys(row)[0] not in told:
                _parse_row(row, details, file, number, parsed)
        told |= {_keys(row)[0] for row in table}
    return parsed


def _keys(row: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """What the two tables are joined by: of several days in one table, the same day first."""
    ticker, horizon = str(_strip(row.get("ticker"))), str(_horizon(row.get("horizon")))
    return [(ticker, horizon, str(row.get("dt"))), (ticker, horizon)]


def _parse_row(
    row: dict[str, Any],
    details: Mapping[tuple[str, ...], Mapping[str, Any]],
    file: str,
    number: int,
    parsed: _Parsed,
) -> None:
    known = next((details[key] for key in _keys(row) if key in details), {})
    full = {**known, **{key: value for key, value in row.items() if value is not None}}
    dated: Moment | None = None
    texts = (full.get(name) for name in ("ticker", "name", "category"))
    if any(isinstance(text, str) and addresses_model(text) for text in texts):
        parsed.quarantined += 1  # before any other judgement: it must not even count as a refused row
        return
    try:
        dated = None if full.get("dt") is None else parse_moment(full["dt"])
        forecast = Forecast.model_validate({**full, "file": file, "row": number})
    except ValidationError as error:
        problem = Problem(code="refused_row", file=file, row=number, reason=validation_reason(error))
        parsed.rows.append((problem, dated))
        return
    except ValueError:
        problem = Problem(
            code="refused_row", file=file, row=number, reason=plain(ReasonError("not_a_time", where="dt"))
        )
        parsed.rows.append((problem, None))
        return
    parsed.rows.append((forecast, dated))
