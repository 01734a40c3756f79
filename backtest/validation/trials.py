"""What one backtest adds to the evidence: excess over holding, moments, returns by blocks of time.

Where prices drift, being in the market earns without skill. What is judged is therefore the excess over
holding with the same exposure: the strategy's return less its average exposure times the market's. Over the
whole history this is the covariance of position and return, less costs: what the timing was worth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backtest.data.together import Instruments
from backtest.engine.batch import Batch, trades
from backtest.engine.pooled import PooledResult, Universe
from backtest.engine.run import BacktestResult, Market, open_market, run_signals
from backtest.engine.sweep import grid_axes
from backtest.errors import RequestError
from backtest.kernels.simulation import BARS, ENTRY_BAR, ENTRY_PRICE, SIDE, SIZE, Floats
from backtest.language.tree import bind
from backtest.statistics.returns import Returns, bar_returns, moments
from backtest.strategy import SIDE_AXIS, StrategySpec, meaning_hash
from backtest.types import Costs, Fill, Risk, Sizing

TRIAL_BLOCKS = 256
ROOM_FOR_SERIES = 512 * 1024 * 1024
"""Bytes of indicators kept from one configuration to the next."""


def _shares(equity: Floats, rows: Floats, capital: float, first: int) -> Floats:
    """Value of each trade at its entry as a share of the account."""
    before = np.concatenate([[capital], equity])
    account = before[np.maximum(0, rows[:, ENTRY_BAR].astype(np.int64) - first)]
    return np.where(account > 0.0, rows[:, SIZE] * rows[:, ENTRY_PRICE] / np.maximum(account, 1e-300), 0.0)


def _exposure(equity: Floats, rows: Floats, capital: float, first: int) -> float:
    if len(rows) == 0:
        return 0.0
    share = _shares(equity, rows, capital, first)
    return float((rows[:, SIDE] * share * rows[:, BARS]).sum() / max(1, len(equity) - 1))


def _market(closes: Floats, bars: int) -> Returns:
    """The market's return at each of the last bars; the first cannot be traded, and is 0."""
    held = closes[-bars:]
    found = np.zeros(held.size)
    found[1:] = held[1:] / held[:-1] - 1.0
    return found


def _excess(
    equity: Floats, rows: Floats, capital: float, held: Returns, first: int
) -> tuple[Returns, Returns]:
    """Returns, and their excess over holding with the same exposure.

    `held` are the market's returns at the same bars, `first` is the bar of the history at which they begin.
    """
    own = bar_returns(equity, capital)
    exposure = _exposure(equity, rows, capital, first)
    found: Returns = own - exposure * held
    # What holding would have earned to the last digit is no excess: rounding has no Sharpe ratio.
    found[np.abs(found) < 1e-13] = 0.0
    return own, found


def market_returns(result: BacktestResult, closes: ArrayLike | None = None) -> Returns:
    """The market's return at each bar of a backtest; the first is 0. Arguments, errors: `excess_returns`.

    Of several instruments the mean over those that are listed.
    """
    if isinstance(result, PooledResult):
        return result.mean({one.name: market_returns(one.result, one.closes) for one in result.parts})
    return _market(_closes(result, closes), len(result.index))


def turnover(result: BacktestResult) -> float:
    """Value bought and sold each bar, as a share of the account; a trade counts at its entry, twice."""
    if isinstance(result, PooledResult):
        return sum(result.share(one) * turnover(one.result) for one in result.parts)
    first = len(result.all_times) - len(result.index)
    shares = _shares(result.equity_values, result.trade_values, result.initial_capital, first)
    return 2.0 * float(shares.sum()) / max(1, len(result.index) - 1)


def average_exposure(result: BacktestResult) -> float:
    """Average share of the account that was in the market, shorts negative, as of each entry.

    The first bar cannot be traded, whatever its signal, and is not counted.
    """
    if isinstance(result, PooledResult):
        return sum(result.share(one) * average_exposure(one.result) for one in result.parts)
    first = len(result.all_times) - len(result.index)
    return _exposure(result.equity_values, result.trade_values, result.initial_capital, first)


def holding_returns(parts: Sequence[BacktestResult], closes: ArrayLike | None = None) -> Returns:
    """What holding with one exposure, the average of consecutive stretches, would have earned in them.

    Of several instruments each is held with the strategy's average exposure in it, so that a drift of one of
    them is no skill either, and the mean over those listed is told.

    Args:
        parts: the stretches, in order.
        closes: of all bars of the last of them; not needed of several instruments.

    Raises:
        RequestError: `too_few_observations` where the closes are not those of the stretches.
    """
    together = [part for part in parts if isinstance(part, PooledResult)]
    if together:
        stretches: dict[str, list[BacktestResult]] = {}
        for part in together:
            for one in part.parts:
                stretches.setdefault(one.name, []).append(one.result)
        exposures = {name: _over(average_exposure, found) for name, found in stretches.items()}
        return np.concatenate(
            [
                part.mean(
                    {
                        one.name: exposures[one.name] * market_returns(one.result, one.closes)
                        for one in part.parts
                    }
                )
                for part in together
            ]
        )
    prices = np.asarray(closes, dtype=np.float64)
    market = np.concatenate([market_returns(part, prices[: len(part.all_times)]) for part in parts])
    return _over(average_exposure, parts) * market


def _over(figure: Callable[[BacktestResult], float], parts: Sequence[BacktestResult]) -> float:
    """The mean of a figure over consecutive stretches.

    The first bar of a stretch cannot be traded: exposure and turnover are those of the others.
    """
    if len(parts) == 1:
        return figure(parts[0])
    weights = [max(len(part.index) - 1, 0) for part in parts]
    return float(np.average([figure(part) for part in parts], weights=weights)) if any(weights) else 0.0


def average_turnover(parts: Sequence[BacktestResult]) -> float:
    """Of consecutive stretches; see `turnover`."""
    return _over(turnover, parts)


def excess_returns(result: BacktestResult, closes: ArrayLike | None = None) -> Returns:
    """Returns over holding the market with the strategy's average exposure, one a bar; the first is 0.

    Args:
        result: a backtest, n bars from `trade_from` on; of several instruments see `holding_returns`.
        closes: closes of all its bars, those of the warm-up included; not needed of several instruments.

    Raises:
        RequestError: `too_few_observations` where the closes are not those of the backtest.
    """
    return _excess_of(result, closes)[1]


def _excess_of(result: BacktestResult, closes: ArrayLike | None) -> tuple[Returns, Returns]:
    """Returns of a backtest, and their excess."""
    if isinstance(result, PooledResult):
        excess = {one.name: excess_returns(one.result, one.closes) for one in result.parts}
        return bar_returns(result.equity_values, result.initial_capital), result.mean(excess)
    held = market_returns(result, closes)
    first = len(result.all_times) - len(result.index)
    return _excess(result.equity_values, result.trade_values, result.initial_capital, held, first)


def _closes(result: BacktestResult, closes: ArrayLike | None) -> Floats:
    """The closes of a backtest's bars, once they are known to be those."""
    prices = np.asarray(closes, dtype=np.float64)
    if prices.shape != (len(result.all_times),):
        raise RequestError("too_few_observations", needed=len(result.all_times), found=prices.size)
    return prices


def block_sums(returns: ArrayLike, blocks: int = TRIAL_BLOCKS) -> Floats:
    """Sums of returns over equal, consecutive stretches of time, at most one a bar."""
    values = np.asarray(returns, dtype=np.float64)
    count = min(blocks, values.size)
    edges = np.linspace(0, values.size, count + 1).round().astype(np.int64)
    sums: Floats = np.add.reduceat(values, edges[:-1])
    return sums


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One configuration that was looked at.

    Attributes:
        spec_hash: its identity.
        n_observations: bars.
        sharpe: Sharpe ratio of its returns, per bar.
        excess_sharpe: Sharpe ratio of its excess over holding, per bar.
        skew: of the excess.
        kurtosis: of the excess, not in excess of a normal's.
        blocks: sums of the excess over blocks of time, as float32; None where only the figures are kept.
        each: of several instruments the same configuration on each, by name; all else is of the pool.
    """

    spec_hash: str
    n_observations: int
    sharpe: float
    excess_sharpe: float
    skew: float
    kurtosis: float
    blocks: NDArray[np.float32] | None = None
    each: Mapping[str, Trial] = field(default_factory=dict)


def trial(result: BacktestResult, closes: ArrayLike | None = None) -> Trial:
    """A backtest as a trial.

    Args:
        result: a backtest.
        closes: closes of all its bars; not needed of several instruments.

    Raises:
        RequestError: `too_few_observations`.
    """
    own, excess = _excess_of(result, closes)
    parts = result.parts if isinstance(result, PooledResult) else ()
    return trial_of(result.spec.hash, own, excess, {one.name: trial(one.result, one.closes) for one in parts})


def trial_of(spec_hash: str, own: Returns, excess: Returns, each: Mapping[str, Trial] | None = None) -> Trial:
    """A trial from its returns and their excess, one a bar."""
    about = moments(excess)
    return Trial(
        spec_hash=spec_hash,
        n_observations=about.n_observations,
        sharpe=moments(own).sharpe,
        excess_sharpe=about.sharpe,
        skew=about.skew,
        kurtosis=about.kurtosis,
        blocks=block_sums(excess).astype(np.float32),
        each=each or {},
    )


@dataclass(frozen=True, kw_only=True)
class Look:
    """One configuration of a grid, as a trial and as a candidate.

    Attributes:
        values: of the grid's axes, `side` among them where it is one.
        trial: what it adds to the evidence.
        trades: how many it made.
        bars_held: average bars from entry to exit; 0 without trades.
        alive: whether the account was left with something.
    """

    values: dict[str, Any]
    trial: Trial
    trades: int
    bars_held: float
    alive: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Series:
    """One configuration of a grid on one instrument: returns and excess bar by bar, and its trades."""

    place: int
    values: dict[str, Any]
    spec_hash: str
    own: Returns
    excess: Returns
    trades: int
    bars_held: float
    alive: bool


def grid_looks(
    market: Market | Universe,
    spec: StrategySpec,
    grid: Mapping[str, Iterable[Any]],
    workers: int | None = None,
) -> Iterator[Look]:
    """Every configuration of a grid that makes sense; strategies on the same market share its indicators.

    Args:
        market: prices and terms of trading; of several instruments a look is one at the pooled account, and
            a configuration makes sense where it does on every one.
        spec: the strategy; its own values hold where the grid says nothing.
        grid: values by name, as for `sweep`.
        workers: configurations at a time; by default one a core.

    Raises:
        BacktestError: as `sweep`.
    """
    if isinstance(market, Market):
        for one in _grid_series(market, spec, grid, workers):
            yield _look(one, trial_of(one.spec_hash, one.own, one.excess))
        return
    for found in _together(
        {name: _grid_series(each, spec, grid, workers) for name, each in market.markets.items()}
    ):
        first = next(iter(found.values()))
        own, excess = (
            _mean(market, {name: getattr(one, kind) for name, one in found.items()})
            for kind in ("own", "excess")
        )
        count = sum(one.trades for one in found.values())
        whole = replace(
            first,
            trades=count,
            bars_held=sum(one.trades * one.bars_held for one in found.values()) / count if count else 0.0,
            alive=all(one.alive for one in found.values()),
        )
        each = {name: trial_of(one.spec_hash, one.own, one.excess) for name, one in found.items()}
        yield _look(whole, trial_of(first.spec_hash, own, excess, each))


def _mean(every: Universe, values: Mapping[str, Returns]) -> Returns:
    """Mean over those listed at each time of the clock."""
    total = np.zeros(every.listed.size)
    for name, series in values.items():
        total[every.clock.rows[name]] += series
    return total / np.maximum(every.listed, 1)


def _together(streams: Mapping[str, Iterator[_Series]]) -> Iterator[dict[str, _Series]]:
    """Configurations that every stream has, in their order."""
    now = {name: next(stream, None) for name, stream in streams.items()}
    while True:
        at = {name: one for name, one in now.items() if one is not None}
        if len(at) < len(streams):
            return
        furthest = max(one.place for one in at.values())
        if all(one.place == furthest for one in at.values()):
            yield at
            furthest += 1
        for name, one in at.items():
            if one.place < furthest:
                now[name] = next(streams[name], None)


def _look(one: _Series, found: Trial) -> Look:
    return Look(values=one.values, trial=found, trades=one.trades, bars_held=one.bars_held, alive=one.alive)


def _grid_series(
    market: Market, spec: StrategySpec, grid: Mapping[str, Iterable[Any]], workers: int | None
) -> Iterator[_Series]:
    """Every configuration that makes sense on one instrument, in the order of the grid."""
    axes = grid_axes(spec, grid)
    batch = Batch(market, spec, axes, workers)
    first, capital = market.terms.first, market.terms.capital
    held = _market(market.bank.prices.close, len(market.index) - first)
    settled = not axes.keys() & (Risk.model_fields.keys() | Sizing.model_fields.keys())
    shape = tuple(map(len, axes.values()))
    for start in range(0, batch.count, batch.chunk_size):
        chosen = batch.possible(start, min(batch.count, start + batch.chunk_size))
        for at in range(len(next(iter(chosen.values()), ()))):
            values = {name: axes[name][int(places[at])] for name, places in chosen.items()}
            params = {name: values.get(name, value) for name, value in spec.params.items()}
            side = values.get(SIDE_AXIS, "both")
            bound = {place: bind(tree, params) for place, tree in spec.trees.items() if trades(side, place)}
            risk, sizing = spec.risk, spec.sizing
            if not settled:
                risk, sizing = risk.over(values), sizing.over(values)
            signals = market.bank.signals(bound)
            equity, rows, _ = market.account(signals, market.bank.levels(bound), risk, sizing)
            own, excess = _excess(equity, rows, capital, held, first)
            yield _Series(
                place=int(np.ravel_multi_index([int(places[at]) for places in chosen.values()], shape)),
                values=values,
                spec_hash=meaning_hash(bound, risk, sizing, spec.inputs),
                own=own,
                excess=excess,
                trades=len(rows),
                bars_held=float(rows[:, BARS].mean()) if len(rows) else 0.0,
                alive=bool(equity[-1] > 0.0),
            )
            market.bank.keep_within(ROOM_FOR_SERIES)


def grid_trials(
    df: pd.DataFrame | Instruments,
    spec: StrategySpec,
    grid: Mapping[str, Iterable[Any]],
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
) -> list[Trial]:
    """Every configuration of a grid that makes sense, as a trial: what a search over it has looked at.

    Args:
        df: prices, of one instrument or of several by name.
        spec: the strategy; its own values hold where the grid says nothing.
        grid: values by name, as for `sweep`.
        costs: as in `run_backtest`, and so the three that follow.
        fill: where orders are filled.
        periods_per_year: bars a year.
        initial_capital: cash at the start.

    Raises:
        BacktestError: as `sweep`.
    """
    market: Market | Universe
    if isinstance(df, Mapping):
        market = Universe(df, costs, fill, periods_per_year, initial_capital)
    else:
        market = open_market(df, costs or Costs(), fill, periods_per_year, initial_capital, None)
    return [look.trial for look in grid_looks(market, spec, grid)]


def configuration_trials(
    df: pd.DataFrame | Instruments,
    specs: Iterable[StrategySpec],
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
) -> list[Trial]:
    """Single configurations as trials; indicators that they share are computed once.

    Arguments and errors are those of `run_backtest`; prices may be of several instruments by name.
    """
    costs = costs or Costs()
    if isinstance(df, Mapping):
        every = Universe(df, costs, fill, periods_per_year, initial_capital)
        return [trial(every.run(spec)) for spec in specs]
    market = open_market(df, costs, fill, periods_per_year, initial_capital, None)
    closes = market.bank.prices.close
    found = []
    for spec in specs:
        signals = market.bank.signals(spec.bound_trees)
        found.append(trial(run_signals(market, spec, signals, costs, fill), closes))
        market.bank.keep_within(ROOM_FOR_SERIES)
    return found
