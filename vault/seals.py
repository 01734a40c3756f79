"""Strategies that were sealed: written once, before the bars that will judge them exist."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from backtest import Costs, GapPolicy
from backtest.types import Fill
from base import locks, private
from base.files import file_name, write_text_atomically
from base.json_files import parse_json
from base.plain_files import read_plain
from base.reasons import ReasonError
from vault.chain import digest
from vault.errors import MarketError
from vault.readers.options import Reading

_FOLDER = "forward"


class Seal(BaseModel):
    """What was fixed, and when.

    Attributes:
        run: whose champion it is.
        symbol, timeframe: of its prices.
        development_hash: identity of the prices it was found on.
        source: where newer bars are looked for, as the run was given them.
        gaps, reading: how they are read.
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

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    run: str
    symbol: str
    timeframe: str
    development_hash: str
    source: str
    gaps: GapPolicy
    reading: Reading
    last: str
    sealed_at: str
    strategy: dict[str, Any]
    strategy_hash: str
    costs: Costs
    fill: Fill
    exposure: float
    deviation: float
    bars_per_year: float
    expected: tuple[float, float, float] | None

    @property
    def fingerprint(self) -> str:
        """Hash of everything: whoever publishes it can show later that nothing was changed."""
        return digest(json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")))


def now() -> datetime:
    """The time that a seal is given."""
    return datetime.now(UTC)


def keep_seal(seal: Seal, home: Path) -> None:
    """Write a seal, once and for all.

    Raises:
        MarketError: `sealed_already`.
        OSError: the data folder cannot be written.
    """
    path = _path(seal.run, home)
    private.make_folder(path.parent)
    with locks.lock(path.parent / ".lock"):
        if path.exists():
            raise MarketError("sealed_already", run=seal.run)
        content = {"seal": seal.model_dump(mode="json"), "fingerprint": seal.fingerprint}
        write_text_atomically(path, json.dumps(content, ensure_ascii=False, sort_keys=True, indent=2) + "\n")


def read_seal(run: str, home: Path) -> Seal | None:
    """The seal of a run; None where it has none.

    Raises:
        MarketError: `damaged_seal`: it is not what was written.
    """
    path = _path(run, home)
    if not path.exists():
        return None
    try:
        content = parse_json(read_plain(path).decode())
        seal = Seal.model_validate(content["seal"])
    except (OSError, ValueError, KeyError, TypeError, ReasonError, ValidationError) as reason:
        raise MarketError("damaged_seal", run=run, path=str(path)) from reason
    if seal.run != run or content.get("fingerprint") != seal.fingerprint:
        raise MarketError("damaged_seal", run=run, path=str(path))
    return seal


def sealed_runs(home: Path) -> list[str]:
    """Every run with a seal, by name."""
    return sorted(path.stem for path in (home / _FOLDER).glob("*.json"))


def _path(run: str, home: Path) -> Path:
    return home / _FOLDER / f"{file_name(run)}.json"
