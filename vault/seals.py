"""Strategies that were sealed: written once, before the bars that will judge them exist."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pandas as pd
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from backtest import Costs, GapPolicy, StrategySpec
from backtest.types import Fill
from base import locks, private
from base.files import file_name
from vault.errors import MarketError
from vault.readers.options import Reading
from vault.sealed import Sealed, read_sealed, write_sealed

_FOLDER = "forward"

FURTHEST_ZONE = pd.Timedelta(hours=14)
"""Times without a zone may be those of a clock that is so far ahead of UTC."""

Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Positive = Annotated[float, Field(allow_inf_nan=False, gt=0.0, le=1e9)]


class Seal(Sealed):
    """What was fixed, and when.

    Attributes:
        run: whose champion it is.
        symbol, timeframe: of its prices.
        development_hash: identity of the prices it was found on.
        source: where newer bars are looked for, as the run was given them.
        gaps, reading: how they are read.
        inputs: where the tables beside them are looked for, by name.
        last: ISO time of the last bar that the run had.
        sealed_at: ISO time, UTC; bars that open before it are no evidence.
        strategy: as JSON.
        strategy_hash: its identity.
        costs, fill: as in the run.
        exposure: average share of the account in the market, on development data.
        deviation: of the excess over holding with that exposure, per bar.
        bars_per_year: of the prices.
        expected: yearly Sharpe ratio of the excess that the verdict expects, with the ends of its 90 %
            interval; None for records without one.
    """

    version: Literal[1] = 1
    run: str
    symbol: str
    timeframe: str
    development_hash: str
    source: str
    gaps: GapPolicy
    reading: Reading
    inputs: dict[str, str] = Field(default_factory=dict)
    last: str
    sealed_at: str
    strategy: dict[str, Any]
    strategy_hash: str
    costs: Costs
    fill: Fill
    exposure: Finite
    deviation: Positive
    bars_per_year: Positive
    expected: tuple[Finite, Finite, Finite] | None

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        """Times are times, no bar that it knows is younger, and the strategy is that of the hash."""
        sealed_at, last = pd.Timestamp(self.sealed_at), pd.Timestamp(self.last)
        if sealed_at.tzinfo is None or sealed_at + FURTHEST_ZONE < _in_utc(last):
            raise ValueError("sealed before the last bar")
        if StrategySpec.model_validate(self.strategy).hash != self.strategy_hash:
            raise ValueError("another strategy")
        return self

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Plain fields; of no tables nothing is said, so that earlier seals keep their fingerprint."""
        found: dict[str, Any] = handler(self)
        if not self.inputs:
            del found["inputs"]
        return found


def _in_utc(moment: pd.Timestamp) -> pd.Timestamp:
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")


def now() -> datetime:
    """The time that a seal is given, and after which no bar can have opened."""
    return datetime.now(UTC)


def keep_seal(seal: Seal, home: Path) -> Seal:
    """Write a seal, once and for all; the one that somebody else wrote meanwhile stays.

    Raises:
        MarketError: `damaged_seal`.
        OSError: the data folder cannot be written.
    """
    path = _path(seal.run, home)
    private.make_folder(path.parent)
    with locks.lock(path.parent / ".lock"):
        if (known := read_seal(seal.run, home)) is not None:
            return known
        write_sealed(path, "seal", seal)
    return seal


def read_seal(run: str, home: Path) -> Seal | None:
    """The seal of a run; None where it has none.

    Raises:
        MarketError: `damaged_seal`: it is not what was written.
    """
    path = _path(run, home)
    damaged = MarketError("damaged_seal", run=run, path=str(path))
    seal = read_sealed(path, "seal", Seal, damaged)
    if seal is not None and seal.run != run:
        raise damaged
    return seal


def sealed_runs(home: Path) -> list[str]:
    """Every run with a seal, by name."""
    return sorted(path.stem for path in (home / _FOLDER).glob("*.json"))


def _path(run: str, home: Path) -> Path:
    return home / _FOLDER / f"{file_name(run)}.json"
