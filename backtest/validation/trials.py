"""What one backtest adds to the evidence: excess over holding, moments, returns by blocks of time.

Where prices drift, being in the market earns without skill. What is judged is therefore the excess over
holding with the same exposure: the strategy's return less its average exposure times the market's. Over the
whole history this is the covariance of position and return, less costs: what the timing was worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backtest.engine.batch import Batch, trades
from backtest.engine.run import BacktestResult, Market, open_market, run_signals
from backtest.engine.sweep import grid_axes
from backtest.errors import RequestError
from backtest.kernels.simulation import BARS, ENTRY_BAR, ENTRY_PRICE, SIDE, SIZE, Floats
from backtest.language.tree import bind
from backtest.statistics.returns import Returns, bar_returns, moments
from backtest.strategy import SIDE_AXIS, StrategySpec, meaning_hash
from backtest.types import Costs, Fill, Risk, Settings, Sizing

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


def market_returns(result: BacktestResult, closes: ArrayLike) -> Returns:
    """The market's return at each bar of a backtest; the first is 0. Arguments, errors: `excess_returns`."""
    return _market(_closes(result, closes), len(result.index))


def turnover(result: BacktestResult) -> float:
    """Value bought and sold each bar, as a share of the account; a trade counts at its entry, twice."""
    first = len(result.all_times) - len(result.index)
    shares = _shares(result.equity_values, result.trade_values, result.initial_capital, first)
    return 2.0 * float(shares.sum()) / max(1, len(result.index) - 1)


def average_exposure(result: BacktestResult) -> float:
    """Average share of the account that was in the market, shorts negative, as of each entry.

    The first bar cannot be traded, whatever its signal, and is not counted.
    """
    first = len(result.all_times) - len(result.index)
    return _exposure(result.equity_values, result.trade_values, result.initial_capital, first)


def excess_returns(result: BacktestResult, closes: ArrayLike) -> Returns:
    """Returns over holding the market with the strategy's average exposure, one a bar; the first is 0.

    Args:
        result: a backtest, n bars from `trade_from` on.
        closes: closes of all its bars, those of the warm-up included.

    Raises:
        RequestError: `too_few_observations` where the closes are not those of the backtest.
    """
    return _excess_of(result, closes)[1]


def _excess_of(result: BacktestResult, closes: ArrayLike) -> tuple[Returns, Returns]:
    """Returns of a backtest, and their excess."""
    held = market_returns(result, closes)
    first = len(result.all_times) - len(result.index)
    return _excess(result.equity_values, result.trade_values, result.initial_capital, held, first)


def _closes(result: BacktestResult, closes: ArrayLike) -> Floats:
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
    """

    spec_hash: str
    n_observations: int
    sharpe: float
    excess_sharpe: float
    skew: float
    kurtosis: float
    blocks: NDArray[np.float32] | None = None


def trial(result: BacktestResult, closes: ArrayLike) -> Trial:
    """A backtest as a trial.

    Args:
        result: a backtest.
        closes: closes of all its bars.

    Raises:
        RequestError: `too_few_observations`.
    """
    own, excess = _excess_of(result, closes)
    return _trial(result.spec.hash, own, excess)


def _trial(spec_hash: str, own: Returns, excess: Returns) -> Trial:
    about = moments(excess)
    return Trial(
        spec_hash=spec_hash,
        n_observations=about.n_observations,
        sharpe=moments(own).sharpe,
        excess_sharpe=about.sharpe,
        skew=about.skew,
        kurtosis=about.kurtosis,
        blocks=block_sums(excess).astype(np.float32),
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


def grid_looks(
    market: Market, spec: StrategySpec, grid: Mapping[str, Iterable[Any]], workers: int | None = None
) -> Iterator[Look]:
    """Every configuration of a grid that makes sense; strategies on the same market share its indicators.

    Args:
        market: prices and terms of trading.
        spec: the strategy; its own values hold where the grid says nothing.
        grid: values by name, as for `sweep`.
        workers: configurations at a time; by default one a core.

    Raises:
        BacktestError: as `sweep`.
    """
    axes = grid_axes(spec, grid)
    batch = Batch(market, spec, axes, workers)
    first, capital = market.terms.first, market.terms.capital
    held = _market(market.bank.prices.close, len(market.index) - first)
    settled = not axes.keys() & (Risk.model_fields.keys() | Sizing.model_fields.keys())
    for start in range(0, batch.count, batch.chunk_size):
        chosen = batch.possible(start, min(batch.count, start + batch.chunk_size))
        for at in range(len(next(iter(chosen.values()), ()))):
            values = {name: axes[name][int(places[at])] for name, places in chosen.items()}
            params = {name: values.get(name, value) for name, value in spec.params.items()}
            side = values.get(SIDE_AXIS, "both")
            bound = {place: bind(tree, params) for place, tree in spec.trees.items() if trades(side, place)}
            risk, sizing = spec.risk, spec.sizing
            if not settled:
                risk, sizing = Risk(**_settings(risk, values)), Sizing(**_settings(sizing, values))
            signals = market.bank.signals(bound)
            equity, rows, _ = market.account(signals, market.bank.levels(bound), risk, sizing)
            own, excess = _excess(equity, rows, capital, held, first)
            yield Look(
                values=values,
                trial=_trial(meaning_hash(bound, risk, sizing, spec.inputs), own, excess),
                trades=len(rows),
                bars_held=float(rows[:, BARS].mean()) if len(rows) else 0.0,
                alive=bool(equity[-1] > 0.0),
            )
            market.bank.keep_within(ROOM_FOR_SERIES)


def grid_trials(
    df: pd.DataFrame,
    spec: StrategySpec,
    grid: Mapping[str, Iterable[Any]],
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
) -> list[Trial]:
    """Every configuration of a grid that makes sense, as a trial: what a search over it has looked at.

    Args:
        df: prices.
        spec: the strategy; its own values hold where the grid says nothing.
        grid: values by name, as for `sweep`.
        costs: as in `run_backtest`, and so the three that follow.
        fill: where orders are filled.
        periods_per_year: bars a year.
        initial_capital: cash at the start.

    Raises:
        BacktestError: as `sweep`.
    """
    market = open_market(df, costs or Costs(), fill, periods_per_year, initial_capital, None)
    return [look.trial for look in grid_looks(market, spec, grid)]


def configuration_trials(
    df: pd.DataFrame,
    specs: Iterable[StrategySpec],
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
) -> list[Trial]:
    """Single configurations as trials; indicators that they share are computed once.

    Arguments and errors are those of `run_backtest`.
    """
    costs = costs or Costs()
    market = open_market(df, costs, fill, periods_per_year, initial_capital, None)
    closes = market.bank.prices.close
    found = []
    for spec in specs:
        signals = market.bank.signals(spec.bound_trees)
        found.append(trial(run_signals(market, spec, signals, costs, fill), closes))
        market.bank.keep_within(ROOM_FOR_SERIES)
    return found


def _settings(own: Settings, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of one kind, those of a configuration over the strategy's own."""
    return {name: chosen.get(name, value) for name, value in own.model_dump().items()}
