"""A backtest through vault and ledger, shared by `threadx.backtest(...)` and the tool for agents.

`backtest.run_backtest` is pure: it counts nothing and hides nothing. Functions here see only the
development part, unless the holdout is opened explicitly, and count every strategy in the ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from backtest import (
    BacktestResult,
    Costs,
    GapPolicy,
    RequestError,
    StrategySpec,
    run_backtest,
    sweep_to_parquet,
)
from backtest.data.inputs import Tables, with_inputs
from backtest.data.prices import check_volume, read_further
from backtest.engine.sweep import grid_axes
from backtest.types import Fill
from base.files import file_name
from base.own_tables import read_own_table
from base.plain_files import refuse_link
from nodes.context import OptimizationContext
from nodes.given import read_input
from nodes.optimization.evidence.specs import chosen_strategy
from threadx.arguments import checked
from threadx.backtested import Backtest
from threadx.home import chosen_home
from vault.counted import count_backtest, count_sweep
from vault.datasets import DATASET_PREFIX, Dataset, load_development, register
from vault.readers.options import Reading
from vault.readers.prices import PriceSource, source_of
from vault.readers.window import window
from vault.registered import AS_FOUND, find_registered, read_any, seen


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
    """What a strategy did in a data folder, and on which prices; arguments and errors as for `backtest`."""
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
    prices: pd.DataFrame,
    spec: StrategySpec,
    grid: Mapping[str, Sequence[Any]],
    costs: Costs,
    fill: Fill,
    *,
    whole: bool,
) -> Path:
    """Where the table of a sweep stays: another grid, other costs, prices or series are another file."""
    asked: list[Any] = [
        {name: list(values) for name, values in grid.items()},
        costs.model_dump(mode="json"),
        [fill, dataset.development_hash, dataset.holdout_hash if whole else ""],
    ]
    asked += [
        hashlib.sha256(read_further(prices, name).tobytes()).hexdigest() for name in sorted(spec.inputs)
    ]
    mark = hashlib.sha256(json.dumps(asked, default=str).encode()).hexdigest()[:8]
    path = home / "sweeps" / file_name(f"{dataset.symbol}-{dataset.timeframe}-{spec.hash}-{mark}.parquet")
    refuse_link(path)
    return path


@checked(Reading.model_fields)
def sweep(
    data: pd.DataFrame | str | Path,
    strategy: str | StrategySpec = "ma_crossover",
    grid: Mapping[str, Iterable[Any]] | None = None,
    params: Mapping[str, float | None] | None = None,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    gaps: GapPolicy = "accept",
    costs: Costs | None = None,
    fill: Fill = "next_open",
    whole: bool = False,
    inputs: Tables | None = None,
    home: str | Path | None = None,
    **reading: Any,
) -> pd.DataFrame:
    """Backtest every combination of a grid on the development part of prices, and count each in the ledger.

    Args:
        data: OHLCV table (see `backtest.validate_prices`), a file, or `sample:sp500`.
        strategy: a preset's name, or a complete strategy.
        grid: values by parameter, for example `{"fast_period": range(3, 31)}`.
        params: values that differ from the preset's in every row.
        symbol: for the record.
        timeframe: for example `30m`; default: measured.
        gaps: treatment of missing bars.
        costs: trading costs; default: as for `threadx.optimize`.
        fill: where orders are filled.
        whole: open the holdout too; the opening is logged and counted.
        inputs: other tables by name, whose columns the strategy declares, as in `backtest.run_backtest`.
        home: the data folder, if not the usual one.
        **reading: fields of `vault.readers.options.Reading` (time_format, time_zone, decimal, adjust, start,
            end).

    Returns:
        As `backtest.sweep`: one row per configuration; the table is also kept in `<home>/sweeps`.

    Raises:
        BacktestError, MarketError: bad input, typed, with code and fields; `empty_grid` without a grid.
        SettingError: `params_beside_strategy`.
    """
    known = read_input(Reading, reading)
    spec = chosen_strategy(strategy, params)
    context = OptimizationContext(home=chosen_home(home))
    folder, paid = context.home_path, costs or context.costs
    axes = grid_axes(spec, grid or {})
    found = registered(
        data,
        symbol=symbol,
        timeframe=timeframe,
        gaps=gaps,
        home=folder,
        spec=spec,
        reader=f"sweep {spec.hash}" if whole else None,
        reading=known,
    )
    if not axes:
        raise RequestError("empty_grid", name="-")
    prices = with_inputs(found.prices, inputs, spec)
    path = sweep_path(folder, found.dataset, prices, spec, axes, paid, fill, whole=whole)
    swept = sweep_to_parquet(prices, spec, axes, path, paid, fill)
    count_sweep(folder, found.dataset, prices, spec, axes, paid, fill, swept, whole=whole)
    table = read_own_table(swept.path)
    table.attrs["dropped"] = sum(swept.dropped_by.values())
    table.attrs["dropped_by"] = dict(swept.dropped_by)
    table.attrs["bars_per_year"] = swept.bars_per_year.to_dict()
    return table


@checked(Reading.model_fields)
def backtest(
    data: pd.DataFrame | str | Path,
    strategy: str | StrategySpec = "ma_crossover",
    params: Mapping[str, float | None] | None = None,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    gaps: GapPolicy = "accept",
    costs: Costs | None = None,
    fill: Fill = "next_open",
    initial_capital: float = 10_000.0,
    whole: bool = False,
    inputs: Tables | None = None,
    home: str | Path | None = None,
    **reading: Any,
) -> Backtest:
    """Backtest a strategy on the development part of prices, and count it in the ledger.

    Args:
        data: OHLCV table (see `backtest.validate_prices`), a file, or `sample:sp500`.
        strategy: a preset's name, or a complete strategy.
        params: values that differ from the preset's, risk included (`stop_loss_pct` in percent).
        symbol: for the record; with `timeframe` it identifies the dataset.
        timeframe: for example `30m`; default: measured; refused if the bars contradict it.
        gaps: treatment of missing bars, as in `backtest.validate_prices`.
        costs: trading costs; default: as for `threadx.optimize`.
        fill: where orders are filled.
        initial_capital: initial cash.
        whole: open the holdout too; the opening is logged and counted.
        inputs: other tables by name, whose columns the strategy declares, as in `backtest.run_backtest`.
        home: the data folder, if not the usual one.
        **reading: fields of `vault.readers.options.Reading` (time_format, time_zone, decimal, adjust, start,
            end).

    Raises:
        BacktestError, MarketError: bad input, typed, with code and fields.
        SettingError: `params_beside_strategy`.
    """
    result, found = tried(
        data,
        chosen_strategy(strategy, params),
        symbol=symbol,
        timeframe=timeframe,
        gaps=gaps,
        costs=costs,
        fill=fill,
        initial_capital=initial_capital,
        whole=whole,
        inputs=inputs,
        home=Path(chosen_home(home)),
        reading=read_input(Reading, reading),
    )
    return Backtest.of(
        result,
        found.prices,
        symbol=found.dataset.symbol,
        timeframe=found.dataset.timeframe,
        whole=whole,
    )
