"""Many configurations of one strategy on one price history."""

from __future__ import annotations

import itertools
import math
import numbers
from collections import Counter
from collections.abc import Iterable, Mapping, Sized
from datetime import datetime
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.inputs import Tables, with_inputs
from backtest.engine.batch import Batch, Chunk, trades
from backtest.engine.engines import Engine, executor
from backtest.engine.ranking import ACCOUNT_LOST, ENTRIES_BELOW_ONE_UNIT, ENTRIES_UNAFFORDABLE
from backtest.engine.run import open_market
from backtest.errors import RequestError, StrategyError
from backtest.kernels.simulation import BELOW_ONE_UNIT, LOST_AT, METRICS, UNAFFORDABLE
from backtest.language.tree import Node, parameters
from backtest.strategy import SIDE_AXIS, Side, StrategySpec, parameter_bounds
from backtest.types import ENTRY_LEVELS, LADDERS, Costs, Fill, Risk, Sizing, plain
from base.reasons import told_known

MOST_CONFIGURATIONS = 5_000_000


def grid_axes(spec: StrategySpec, grid: Mapping[str, Iterable[Any]]) -> dict[str, list[Any]]:
    """The grid's values, each checked by itself.

    Raises:
        StrategyError: `unknown_parameter`, `repeated_name`, `parameter_not_a_number`, a value out of bounds.
        RequestError: `grid_too_large`, before a value is looked at where lengths are known; `empty_grid`;
            `grid_not_values`.
    """
    _check_size({name: values for name, values in grid.items() if isinstance(values, Sized)})
    axes: dict[str, list[Any]] = {}
    for key, values in grid.items():
        name = str(key).lower()
        if name in axes:
            raise StrategyError("repeated_name", name=name)
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise RequestError("grid_not_values", name=str(key), value=repr(values)[:80])
        if name == SIDE_AXIS:
            axes[name] = _sides(spec, values)
            _check_size(axes)
            continue
        kind = Risk if name in Risk.model_fields else Sizing
        if name == "order_bars" and not spec.has_levels:
            raise StrategyError("order_bars_without_level", known=", ".join(ENTRY_LEVELS))
        if name not in spec.params and name not in kind.model_fields:
            known = [*spec.params, *Risk.model_fields, *Sizing.model_fields, SIDE_AXIS]
            raise StrategyError("unknown_parameter", name=str(key), known=told_known(name, known))
        bounds = parameter_bounds(spec, name) if name in spec.params else None
        found: list[Any] = []
        # What does not know its length may have no end.
        for value in itertools.islice(values, MOST_CONFIGURATIONS + 1):
            if bounds is not None:
                if isinstance(value, bool) or not isinstance(value, numbers.Real):
                    raise StrategyError("parameter_not_a_number", name=name, value=repr(value)[:80])
                found.append(bounds.check(name, float(value)))
            elif name == "whole_units":
                found.append(Sizing(whole_units=value).whole_units)
            elif name in LADDERS:
                found.append(getattr(Risk(**{name: value}), name))
            elif value is None:
                found.append(kind.bounds[name].default)
            else:
                kind(**{name: value})
                found.append(plain(float(value)))
        if not found:
            raise RequestError("empty_grid", name=name)
        axes[name] = found
        _check_size(axes)
    return axes


def configured(spec: StrategySpec, values: Mapping[str, Any]) -> StrategySpec:
    """The strategy with the values of one combination of a grid, by the names of its axes.

    Raises:
        StrategyError: the combination makes no sense.
    """
    side = values.get(SIDE_AXIS, "both")
    unused = {place: None for place in spec.trees if not trades(side, place)}
    used = set().union(*(parameters(tree) for place, tree in spec.trees.items() if place not in unused))
    params = {name: value for name, value in values.items() if name in used}
    risk = {name: value for name, value in values.items() if name in Risk.model_fields}
    sizing = {name: value for name, value in values.items() if name in Sizing.model_fields}
    return spec.evolve(params=params, risk=risk, sizing=sizing, **unused)


def heard(spec: StrategySpec, axes: Mapping[str, list[Any]]) -> list[Node]:
    """The conditions that any combination of a grid listens to."""
    sides = axes.get(SIDE_AXIS, ["both"])
    return [tree for place, tree in spec.trees.items() if any(trades(side, place) for side in sides)]


def _sides(spec: StrategySpec, values: Iterable[Any]) -> list[str]:
    """Values of the axis `side`."""
    found = []
    for value in values:
        if value not in get_args(Side):
            told = str(value)[:80]
            raise StrategyError("unknown_side", value=told, known=told_known(told, get_args(Side)))
        spec.only(value)
        found.append(str(value))
    if not found:
        raise RequestError("empty_grid", name=SIDE_AXIS)
    return found


def _check_size(grid: Mapping[str, Sized]) -> None:
    """Refuse more combinations than a sweep takes, counted in whole numbers of any size.

    Raises:
        RequestError: `grid_too_large`.
    """
    count = math.prod(_length(values) for values in grid.values())
    if count > MOST_CONFIGURATIONS:
        raise RequestError("grid_too_large", count=count, limit=MOST_CONFIGURATIONS)


def _length(values: Sized) -> int:
    """`len`, also of a range too long for it."""
    if isinstance(values, range):
        return max(0, -((values.start - values.stop) // values.step))
    return len(values)


def sweep(
    df: pd.DataFrame,
    spec: StrategySpec,
    grid: Mapping[str, Iterable[Any]],
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
    trade_from: datetime | str | None = None,
    *,
    workers: int | None = None,
    engine: Engine | None = None,
    inputs: Tables | None = None,
) -> pd.DataFrame:
    """Backtest every combination of a grid of parameters and settings of risk and sizing.

    Indicators are computed once however many configurations share them. A row equals what `run_backtest`
    finds.

    Args:
        df: prices, as `validate_prices` takes them.
        spec: the strategy; its own values hold where the grid says nothing.
        grid: values of parameters and settings by name; None is off, or the setting's default. `side` takes
            `long`, `short` and `both`, as `StrategySpec.only` does.
        costs: as in `run_backtest`, and so the arguments that follow.
        fill: where orders are filled.
        periods_per_year: bars a year.
        initial_capital: cash at the start.
        trade_from: start of trading.
        workers: configurations at a time; by default one a core.
        engine: where the work is done (`Engine("dask", "tcp://…")`); by this process's threads when None.
        inputs: other tables by name, as in `run_backtest`.

    Returns:
        One row a configuration, in the order of the grid (the last name varies fastest): its values, then
        every metric (NaN where undefined), `account_lost`, the time of the bar at which the account was
        lost (NaT where it was not): `backtest.engine.ranking.best_first` puts such rows last; and
        `entries_below_one_unit` and `entries_unaffordable`, how many were not taken for want of one whole
        unit, and because the account could not pay what they cost.
        `attrs["dropped"]` counts combinations that make no sense (a fast period not below the slow one, a
        period longer than the data or than its bars of a higher timeframe, a condition that can never be
        true), `attrs["dropped_by"]` by error code (`backtest.engine.batch.DROPPED`); `attrs["bars_per_year"]`
        says how figures were annualised.

    Raises:
        BacktestError: as `run_backtest`; `unknown_parameter`, or a value out of bounds; `empty_grid` where no
            combination is left, `grid_too_large`; what `backtest.engine.engines.executor` says of the engine.
    """
    axes = grid_axes(spec, grid)
    df = with_inputs(df, inputs, spec)
    market = open_market(df, costs or Costs(), fill, periods_per_year, initial_capital, trade_from)
    market.bank.check_columns(heard(spec, axes))
    batch = Batch(market, spec, axes, workers)
    chunks = [chunk for _, chunk in batch.chunks(executor(engine, workers))]
    if not any(len(chunk.metrics) for chunk in chunks):
        raise RequestError("empty_grid", name=", ".join(axes) or "-")
    table = pd.concat([chunk_table(axes, chunk, market.index) for chunk in chunks], ignore_index=True)
    dropped = sum((chunk.dropped for chunk in chunks), Counter[str]())
    table.attrs["dropped"] = sum(dropped.values())
    table.attrs["dropped_by"] = dict(dropped)
    table.attrs["bars_per_year"] = market.bars_per_year.to_dict()
    return table


def chunk_table(axes: Mapping[str, list[Any]], chunk: Chunk, times: pd.DatetimeIndex) -> pd.DataFrame:
    """A chunk's values and figures by name; what is undefined is NaN, no end of the account NaT."""
    # An overflow (an annualised return of a few bars) is as undefined here as in a single backtest.
    metrics = np.where(np.isfinite(chunk.metrics), chunk.metrics, np.nan)
    table = pd.DataFrame(
        {name: _column(axes[name])[place] for name, place in chunk.chosen.items()}
        | {name: metrics[:, place] for place, name in enumerate(METRICS)}
    )
    table["n_trades"] = table["n_trades"].astype(np.int64)
    lost_at = chunk.metrics[:, LOST_AT]
    survived = np.isnan(lost_at)
    ends = times.take(np.where(survived, 0, lost_at).astype(np.int64))
    table[ACCOUNT_LOST] = ends.to_series(index=table.index).mask(survived)
    table[ENTRIES_BELOW_ONE_UNIT] = chunk.metrics[:, BELOW_ONE_UNIT].astype(np.int64)
    table[ENTRIES_UNAFFORDABLE] = chunk.metrics[:, UNAFFORDABLE].astype(np.int64)
    return table


def _column(values: list[Any]) -> NDArray[Any]:
    """Values of one name: whole numbers stay whole, None becomes NaN; of texts it stays None."""
    if any(value is None for value in values) and any(isinstance(value, str) for value in values):
        return np.array(values, dtype=object)
    if any(value is None for value in values):
        return np.array([math.nan if value is None else float(value) for value in values])
    return np.array(values)
