"""What has changed since a run began: the versions of the code, and the prices it was given."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from backtest import BacktestError, StrategySpec
from nodes.context import Context
from nodes.forking import moved_servers
from record.events import Started
from record.record import RunRecord
from record.versions import changed_versions
from threadx.audit.restoring import with_series
from vault.datasets import DATASET_PREFIX, Dataset, content_hash
from vault.errors import MarketError
from vault.pools import named
from vault.readers.options import Reading
from vault.readers.prices import read_prices


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One thing that is not what it was.

    Attributes:
        code: `version`, `server`, `price_file_missing`, `price_file_unreadable`,
            `prices_changed` or `prices_grown`.
        name: of the library, the file, or the variable that says where a server is.
        then: what it was.
        now: what it is.
    """

    code: str
    name: str
    then: str
    now: str

    def as_data(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def notices(record: RunRecord, home: Path) -> list[Notice]:
    """Everything that is not what it was when the run began, versions first.

    Raises:
        ReportError: `unknown_run` or `unreadable_record`.
    """
    about = record.about()
    found = [
        Notice(code="version", name=name, then=then, now=now)
        for name, then, now in changed_versions(about.get("versions", {}))
    ]
    begun = record.log.told("i00.load", Started)
    if begun is not None:
        dataset = Dataset.model_validate(begun.dataset)
        asked = about["input"]
        spec = StrategySpec.model_validate(begun.strategy)
        for told in (about.get("source", asked["data"]), *asked.get("pool", [])):
            found += _price_notices(told, asked, spec, dataset, home)
    return found


def server_notices(record: RunRecord, settings: Context) -> list[Notice]:
    """Servers of models that are asked elsewhere than the run asked them so far."""
    return [
        Notice(code="server", name=variable, then=then, now=now)
        for variable, then, now in moved_servers(record, settings)
    ]


def _price_notices(
    told: str, asked: dict[str, Any], spec: StrategySpec, dataset: Dataset, home: Path
) -> list[Notice]:
    """Whether a file that the prices came from, with the tables beside it, still holds them.

    The run itself goes on with what it registered; registered prices check themselves when they are read.
    """
    symbol, source = named(told)
    if source.startswith(DATASET_PREFIX):
        return []
    try:
        frame, read = read_prices(
            source,
            home,
            gaps=asked.get("gaps", "accept"),
            symbol=symbol or asked.get("symbol"),
            reading=Reading.model_validate(asked.get("reading", {})),
        )
        (frame,) = with_series([frame], asked, spec, home)
    except (MarketError, BacktestError) as error:
        code = "price_file_missing" if error.code == "missing_file" else "price_file_unreadable"
        name = str(error.fields.get("path", source))
        return [Notice(code=code, name=name, then=dataset.development_hash, now=error.code)]
    if dataset.instruments:  # of a pool, the one that the file holds
        dataset = next((one for one in dataset.instruments if one.symbol == read.symbol), dataset)
    rows = dataset.development_rows
    vault = rows + dataset.embargo_rows + dataset.holdout_rows
    development = content_hash(frame.iloc[:rows])
    holdout = content_hash(frame.iloc[rows:vault])
    if development != dataset.development_hash:
        return [Notice(code="prices_changed", name=source, then=dataset.development_hash, now=development)]
    if dataset.holdout_hash and holdout != dataset.holdout_hash:
        return [Notice(code="prices_changed", name=source, then=dataset.holdout_hash, now=holdout)]
    if len(frame) > vault:
        last = pd.Timestamp(frame.index[-1]).isoformat()
        return [Notice(code="prices_grown", name=source, then=dataset.last, now=last)]
    return []
