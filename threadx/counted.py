"""`threadx.backtest` and `threadx.sweep`: the Python face of `nodes.counted`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from backtest import Costs, Engine, GapPolicy, RequestError, StrategySpec
from backtest.data.inputs import Tables, with_inputs
from backtest.engine.sweep import grid_axes
from backtest.types import Fill
from base.own_tables import read_own_table
from nodes.context import OptimizationContext
from nodes.counted import registered, swept, tried
from nodes.given import read_input
from nodes.optimization.evidence.specs import chosen_strategy
from threadx.arguments import checked
from threadx.backtested import Backtest
from threadx.home import chosen_home
from vault.readers.options import Reading


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
    engine: Engine | None = None,
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
        engine: where the work is done, as in `backtest.sweep`; what THREADX_ENGINE says when None.
        home: the data folder, if not the usual one.
        **reading: fields of `vault.readers.options.Reading` (time_format, time_zone, decimal, adjust, start,
            end, resample).

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
    found = found._replace(prices=with_inputs(found.prices, inputs, spec))
    done = swept(found, spec, axes, costs=paid, fill=fill, home=folder, whole=whole, engine=engine)
    table = read_own_table(done.path)
    table.attrs["dropped"] = sum(done.dropped_by.values())
    table.attrs["dropped_by"] = dict(done.dropped_by)
    table.attrs["bars_per_year"] = done.bars_per_year.to_dict()
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
            end, resample).

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
    return Backtest.of(result, found.prices, found.dataset, whole=whole)
