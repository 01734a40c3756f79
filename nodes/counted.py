"""Backtests and sweeps that somebody asks for by hand, through vault and ledger, whatever the face.

`backtest.run_backtest` is pure: it counts nothing and hides nothing. Functions here see only the
development part, unless the holdout is opened explicitly, and count every strategy in the ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from backtest import (
    BacktestResult,
    Costs,
    Engine,
    GapPolicy,
    StrategySpec,
    SweepFile,
    run_backtest,
    sweep_to_parquet,
)
from backtest.data.inputs import Tables, with_inputs
from backtest.data.prices import check_volume, read_further
from backtest.engine.engines import chosen
from backtest.types import Fill
from backtest.validation.traded import Traded
from base.files import file_name
from base.plain_files import refuse_link
from nodes.context import OptimizationContext
from vault.counted import count_backtest, count_sweep
from vault.datasets import DATASET_PREFIX, Dataset, load_development, register
from vault.pools import Member, register_member, register_pool
from vault.readers.options import Reading
from vault.readers.prices import PriceSource, source_of
from vault.readers.window import window
from vault.registered import AS_FOUND, find_registered, read_any, seen

_LONGEST_SYMBOL = 80
"""In a file's name: that of a pool names all its instruments."""


class Registered(NamedTuple):
    """Prices that are in the vault.

    Attributes:
        prices: the rows that may be seen: the development part, or every row where the holdout was opened.
        dataset: what they are registered as.
        source: where they came from, and what their reader assumed.
    """

    prices: pd.DataFrame
    dataset: Dataset
    source: PriceSource


def registered(
    data: pd.DataFrame | str | Path,
    *,
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    home: Path,
    spec: StrategySpec | None = None,
    reading: Reading = AS_FOUND,
    reader: str | None = None,
) -> Registered:
    """Read, check and register prices.

    `reading.start` and `reading.end` choose among the rows that may be seen: the whole is registered, so that
    the holdout is that of the file, whatever part of it is looked at.

    Args:
        data: OHLCV table, a file, or `sample:NAME`.
        symbol: taken from a file's name if None.
        timeframe: of a bar, refused where the prices contradict it.
        gaps: treatment of missing bars.
        home: the data folder.
        spec: refused before anything is registered where it reads volume and a bar has none.
        reading: what the caller knows about the file, and which bars are wanted.
        reader: opens the holdout too; the opening is logged under this name. None: development rows only.

    Raises:
        MarketError, BacktestError: the data cannot be used; `window_in_holdout` if the bars requested
            are in the holdout.
    """
    if isinstance(data, str) and data.startswith(DATASET_PREFIX):
        dataset = find_registered(
            data, home, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading.whole
        )
        prices = load_development(dataset, home)
        if spec is not None:
            check_volume(prices, spec)
        source = source_of(data, dataset.symbol, prices, dataset.notices)
        return Registered(seen(dataset, prices, reading, home, reader), dataset, source)
    named = data if isinstance(data, pd.DataFrame) else str(data)
    frame, source = read_any(
        named, home, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading.whole
    )
    if spec is not None:
        check_volume(frame, spec)
    window(frame, reading)  # an unreadable or empty one is refused before anything is registered
    dataset = register(
        frame, symbol=source.symbol, timeframe=source.timeframe, home=home, notices=source.notices
    )
    prices = load_development(dataset, home)
    return Registered(seen(dataset, prices, reading, home, reader), dataset, source)


def registered_together(
    members: Sequence[Member], *, home: Path, reading: Reading = AS_FOUND, reader: str | None = None
) -> tuple[dict[str, pd.DataFrame], Dataset]:
    """Register the prices of several instruments under one boundary.

    Args:
        members: as their readers told them, every row; one alone is registered as itself.
        home: the data folder.
        reading: which bars are wanted.
        reader: as in `registered`; an instrument that ends before the boundary has no holdout to open.

    Returns:
        The rows that may be seen, by symbol in order, and what they are registered as.

    Raises:
        MarketError, RequestError: as `vault.pools.register_pool` and `registered`.
    """
    for one in members:
        window(one.frame, reading)
    dataset = register_pool(members, home) if len(members) > 1 else register_member(members[0], home)
    prices = {
        one.symbol: seen(
            one, load_development(one, home), reading, home, reader if one.holdout_hash else None
        )
        for one in dataset.members
    }
    return prices, dataset


def tried(
    data: pd.DataFrame | str | Path,
    spec: StrategySpec,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    gaps: GapPolicy = "accept",
    costs: Costs | None = None,
    fill: Fill = "next_open",
    initial_capital: float = 10_000.0,
    whole: bool = False,
    inputs: Tables | None = None,
    home: Path,
    reading: Reading = AS_FOUND,
) -> tuple[BacktestResult, Registered]:
    """What a strategy did in a data folder, and on which prices.

    Arguments and errors are those of `threadx.backtest`.
    """
    context = OptimizationContext(home=str(home))
    folder = context.home_path
    found = registered(
        data,
        symbol=symbol,
        timeframe=timeframe,
        gaps=gaps,
        home=folder,
        spec=spec,
        reader=f"backtest {spec.hash}" if whole else None,
        reading=reading,
    )
    found = found._replace(prices=with_inputs(found.prices, inputs, spec))
    result = run_backtest(
        found.prices, spec, costs=costs or context.costs, fill=fill, initial_capital=initial_capital
    )
    count_backtest(folder, found.dataset, result, found.prices, whole=whole)
    return result, found


def sweep_path(
    home: Path,
    dataset: Dataset,
    prices: Traded,
    spec: StrategySpec,
    grid: Mapping[str, Sequence[Any]],
    costs: Costs,
    fill: Fill,
    *,
    whole: bool,
) -> Path:
    """Where the table of a sweep stays: another grid, other costs, prices or series are another file."""
    each = prices.values() if isinstance(prices, Mapping) else [prices]
    asked: list[Any] = [
        {name: list(values) for name, values in grid.items()},
        costs.model_dump(mode="json"),
        [fill, dataset.development_hash, dataset.holdout_hash if whole else ""],
    ]
    asked += [
        hashlib.sha256(read_further(one, name).tobytes()).hexdigest()
        for name in sorted(spec.inputs)
        for one in each
    ]
    mark = hashlib.sha256(json.dumps(asked, default=str).encode()).hexdigest()[:8]
    symbol = dataset.symbol[:_LONGEST_SYMBOL]
    path = home / "sweeps" / file_name(f"{symbol}-{dataset.timeframe}-{spec.hash}-{mark}.parquet")
    refuse_link(path)
    return path


def swept(
    found: Registered,
    spec: StrategySpec,
    axes: Mapping[str, Sequence[Any]],
    *,
    costs: Costs,
    fill: Fill,
    home: Path,
    whole: bool = False,
    top: int = 20,
    rank_by: str = "sharpe_ratio",
    progress: Callable[[int, int], None] | None = None,
    engine: Engine | None = None,
) -> SweepFile:
    """Every combination of a grid on registered prices, kept in `<home>/sweeps` and counted.

    Args:
        found: the prices, with the further series that the strategy reads.
        spec: the strategy.
        axes: the grid, as `backtest.engine.sweep.grid_axes` checks it.
        costs: of trading.
        fill: where orders are filled.
        home: the data folder.
        whole: the prices include the holdout.
        top: how many best rows are kept in memory.
        rank_by: the metric that they are chosen by.
        progress: as in `backtest.sweep_to_parquet`; what it raises ends the sweep, and what is done is kept.
        engine: where it is done; what the environment says when None.

    Raises:
        BacktestError, MarketError, OSError: as `backtest.sweep_to_parquet` and `vault.counted.count_sweep`.
    """
    path = sweep_path(home, found.dataset, found.prices, spec, axes, costs, fill, whole=whole)
    swept = sweep_to_parquet(
        found.prices,
        spec,
        axes,
        path,
        costs,
        fill,
        rank_by=rank_by,
        top=top,
        progress=progress,
        engine=engine or chosen(),
    )
    count_sweep(home, found.dataset, found.prices, spec, axes, costs, fill, swept, whole=whole)
    return swept
