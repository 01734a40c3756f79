"""The prices of a run in a data folder of their own: the registered ones, or read again from their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from backtest import StrategySpec
from base.files import copy_file, write_text_atomically
from nodes.further import on_offer
from record.errors import ReportError
from record.events import Started
from record.record import RunRecord, canonical_json
from vault.datasets import DATASET_PREFIX, Dataset, restore
from vault.errors import MarketError
from vault.pools import named
from vault.readers.further import further_tables, join
from vault.readers.options import Reading
from vault.readers.prices import read_prices
from vault.registered import read_any


def restore_prices(
    record: RunRecord, home: Path, folder: Path, files: Sequence[str] = ()
) -> tuple[Dataset, list[Dataset]]:
    """Put a run's prices where nothing else lies.

    Args:
        record: of the run.
        home: the data folder, whose registered prices are taken where they are.
        folder: an empty data folder.
        files: price files to look in for those that are not; the file that the run was given is one more.

    Returns:
        The dataset, and those of other instruments, of which the development part alone is there.

    Raises:
        ReportError: `no_result` for a run that never began.
        MarketError: `missing_prices`; a file named cannot be read.
        BacktestError: a file named holds no valid prices.
    """
    begun, about = record.log.told("i00.load", Started), record.about()
    if begun is None:
        raise ReportError("no_result", run=record.run)
    asked = about["input"]
    spec = StrategySpec.model_validate(begun.strategy)
    found = [Dataset.model_validate(one) for one in (begun.dataset, *begun.others)]
    pool = [named(one)[1] for one in (about.get("source", asked["data"]), *asked.get("pool", []))]
    own = [*pool, *asked.get("other_data", [])]
    target = folder / "datasets"
    pools = [dataset for dataset in found if dataset.instruments]
    for dataset in pools:
        write_text_atomically(
            target / f"{dataset.development_hash}.json", canonical_json(dataset.model_dump(mode="json"))
        )
    for dataset, judged in [(one, at == 0) for at, each in enumerate(found) for one in each.members]:
        needed = {dataset.development_hash} | ({dataset.holdout_hash} - {""} if judged else set())
        write_text_atomically(
            target / f"{dataset.development_hash}.json", canonical_json(dataset.model_dump(mode="json"))
        )
        kept = [home / "datasets" / f"{name}.parquet" for name in sorted(needed)]
        if all(path.is_file() for path in kept):
            for path in kept:
                copy_file(path, target / path.name)
        elif not any(
            restore(frame, dataset, folder, holdout=judged)
            for frame in with_series(_frames(files, own, len(pool), asked, home), asked, spec, home)
        ):
            raise MarketError("missing_prices", symbol=dataset.symbol, first=dataset.first, last=dataset.last)
    return found[0], found[1:]


def with_series(
    frames: Iterable[pd.DataFrame], asked: Mapping[str, Any], spec: StrategySpec, home: Path
) -> Iterator[pd.DataFrame]:
    """Prices with the series of other tables that a run was given.

    Args:
        frames: prices as their files have them, or registered ones, which have the series already.
        asked: the run's input.
        spec: the strategy that it began with.
        home: the data folder.

    Raises:
        MarketError: a table cannot be read.
        RequestError: it does not fit the prices.
    """
    tables: dict[str, pd.DataFrame] | None = None
    spec = spec.offering(on_offer(asked))
    for frame in frames:
        if asked.get("inputs") and not spec.readable.keys() <= set(frame.columns):
            tables = further_tables(asked["inputs"], home) if tables is None else tables
            yield join(frame, tables, spec).prices
        else:
            yield frame


def _frames(
    files: Sequence[str], own: Sequence[str], pooled: int, asked: dict[str, Any], home: Path
) -> Iterator[Any]:
    """Prices of the files named, then of the run's own that are still there, the `pooled` ones first."""
    gaps, reading = asked.get("gaps", "accept"), Reading.model_validate(asked.get("reading", {}))
    for reference in files:
        of_file = {"gaps": gaps, "symbol": asked.get("symbol"), "reading": reading}
        yield read_any(reference, home, **({} if reference.startswith(DATASET_PREFIX) else of_file))[0]
    for place, reference in enumerate(own):
        if reference.startswith(DATASET_PREFIX):
            continue
        own_words = {"symbol": asked.get("symbol"), "reading": reading}
        known = own_words if place < pooled else {"reading": reading.whole}
        try:
            yield read_prices(reference, home, gaps=gaps, **known)[0]
        except MarketError:
            continue  # gone or replaced since: what the run was given is only where to look first
