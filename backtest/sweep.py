"""Many configurations of one strategy on one price history."""

from __future__ import annotations

import itertools
import math
import numbers
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sized
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from backtest.engine import Market, open_market
from backtest.errors import BacktestError, RequestError, StrategyError
from backtest.executor import run_pieces
from backtest.functions import FUNCTIONS, warm_up
from backtest.simulation import METRICS, Floats
from backtest.strategy import StrategySpec, check_values, parameter_bounds
from backtest.tree import Call, Node, bind, walk
from backtest.types import Costs, Fill, Risk, plain

MOST_CONFIGURATIONS = 5_000_000

# What a single combination may do wrong although each of its values is allowed.
COMBINATION_FAULTS = ("parameter_order", "not_enough_bars")


def _axes(spec: StrategySpec, grid: Mapping[str, Iterable[Any]]) -> dict[str, list[Any]]:
    """The grid's values, each checked by itself."""
    axes: dict[str, list[Any]] = {}
    count = 1
    for key, values in grid.items():
        name = str(key).lower()
        if name not in spec.params and name not in Risk.model_fields:
            known = ", ".join([*spec.params, *Risk.model_fields])
            raise StrategyError("unknown_parameter", name=str(key), known=known)
        # A range knows its length: refuse a huge one before walking through it.
        if isinstance(values, Sized) and len(values) > MOST_CONFIGURATIONS:
            raise RequestError("grid_too_large", count=len(values), limit=MOST_CONFIGURATIONS)
        found: list[Any] = []
        for value in values:
            if name in spec.params:
                if isinstance(value, bool) or not isinstance(value, numbers.Real):
                    raise StrategyError("parameter_not_a_number", name=name, value=repr(value)[:80])
                found.append(parameter_bounds(spec, name).check(name, float(value)))
            elif value is None or name == "whole_units":
                found.append(value)
            else:
                Risk(**{name: value})
                found.append(plain(float(value)))
        if not found:
            raise RequestError("empty_grid", name=name)
        axes[name] = found
        count *= len(found)
        if count > MOST_CONFIGURATIONS:
            raise RequestError("grid_too_large", count=count, limit=MOST_CONFIGURATIONS)
    return axes


class _Worker(threading.local):
    """Buffers of one thread, used again for each of its configurations."""

    def __init__(self) -> None:
        self.room: tuple[Floats, Floats] | None = None

    def buffers(self, market: Market) -> tuple[Floats, Floats]:
        if self.room is None:
            self.room = market.buffers()
        return self.room


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
) -> pd.DataFrame:
    """Backtest every combination of a grid of parameters and risk settings.

    Indicators are computed once however many configurations share them. A row equals what `run_backtest`
    finds.

    Args:
        df: prices, as `validate_prices` takes them.
        spec: the strategy; its own values hold where the grid says nothing.
        grid: values of parameters and risk settings by name; None turns a risk setting off.
        costs: as in `run_backtest`, and so the arguments that follow.
        fill: where orders are filled.
        periods_per_year: bars a year.
        initial_capital: cash at the start.
        trade_from: start of trading.
        workers: configurations at a time; by default one a core.

    Returns:
        One row a configuration, in the order of the grid (the last name varies fastest): its values, then
        every metric (NaN where undefined). `attrs["dropped"]` counts combinations that make no sense (a fast
        period not below the slow one, a period longer than the data), `attrs["dropped_by"]` by error code.

    Raises:
        BacktestError: as `run_backtest`; `unknown_parameter`, or a value out of bounds; `empty_grid` where no
            combination is left, `grid_too_large`.
    """
    axes = _axes(spec, grid)
    market = open_market(df, costs or Costs(), fill, periods_per_year, initial_capital, trade_from)
    rows: list[tuple[Any, ...]] = []
    configurations: list[tuple[dict[str, Node], Risk]] = []
    dropped: Counter[str] = Counter()
    settings = spec.risk.model_dump()
    risks: dict[tuple[Any, ...], Risk] = {}
    for values in itertools.product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        params = {name: chosen.get(name, value) for name, value in spec.params.items()}
        over = {name: value for name, value in chosen.items() if name in settings}
        key = tuple(over.values())
        if key not in risks:
            risks[key] = Risk(**{**settings, **over})
        try:
            check_values(spec, params)
            trees = {place: bind(tree, params) for place, tree in spec.trees.items()}
            longest = max(warm_up(tree) for tree in trees.values())
            market.need(1 + max(longest, risks[key].atr_period if risks[key].needs_atr else 0))
        except BacktestError as error:
            if error.code not in COMBINATION_FAULTS:
                raise
            dropped[error.code] += 1
            continue
        rows.append(values)
        configurations.append((trees, risks[key]))
    if not configurations:
        raise RequestError("empty_grid", name=", ".join(axes) or "-")

    _prepare(market, configurations, workers)
    worker = _Worker()

    def run(configuration: tuple[dict[str, Node], Risk]) -> Floats:
        trees, risk = configuration
        equity, trades = worker.buffers(market)
        count = market.simulate(market.bank.signals(trees), risk, equity, trades)
        return market.measure(equity, trades, count)

    metrics = np.array(run_pieces(run, configurations, workers=workers))
    table = pd.DataFrame(
        {name: _column([row[place] for row in rows]) for place, name in enumerate(axes)}
        | {name: metrics[:, place] for place, name in enumerate(METRICS)}
    )
    table["n_trades"] = table["n_trades"].astype(np.int64)
    # An overflow (an annualised return of a few bars) is as undefined here as in a single backtest.
    table[list(METRICS)] = table[list(METRICS)].replace([np.inf, -np.inf], math.nan)
    table.attrs["dropped"] = sum(dropped.values())
    table.attrs["dropped_by"] = dict(dropped)
    return table


def _column(values: list[Any]) -> pd.Series:
    """Values of one name: whole numbers stay whole, None becomes NaN."""
    if any(value is None for value in values):
        return pd.Series([math.nan if value is None else float(value) for value in values], dtype=np.float64)
    return pd.Series(values)


def _prepare(market: Market, configurations: list[tuple[dict[str, Node], Risk]], workers: int | None) -> None:
    """Fill the bank with every indicator, each by one thread, those that others are made of first."""
    calls: dict[Call, None] = {}
    trees = dict.fromkeys(tree for bound, _ in configurations for tree in bound.values())
    for tree in trees:
        # Reversed, a tree's walk meets arguments before the calls that use them.
        for part in reversed(list(walk(tree))):
            if isinstance(part, Call) and not FUNCTIONS[part.function].condition:
                calls[part] = None
    simple = [call for call in calls if not any(isinstance(part, Call) for part in list(walk(call))[1:])]
    run_pieces(market.bank.call, simple, workers=workers)
    for call in calls:
        market.bank.call(call)
