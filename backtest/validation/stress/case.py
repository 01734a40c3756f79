"""One strategy under test: what every stress test is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.arrays import PriceArrays
from backtest.data.clock import Clock
from backtest.data.prices import read_further, validate_prices
from backtest.data.together import Instruments
from backtest.engine.bank import IndicatorBank
from backtest.engine.pooled import Universe
from backtest.engine.run import BacktestResult, Market, open_market, run_signals
from backtest.kernels.simulation import BARS, ENTRY_BAR, PARTIAL_TARGET, REASON, SIDE, Floats, Signals
from backtest.statistics.returns import moments
from backtest.strategy import StrategySpec
from backtest.types import Costs, Fill
from backtest.validation.trials import excess_returns

Outcome = Literal["passed", "weak", "failed", "skipped"]
SignalSource = Callable[[pd.DataFrame], Signals]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one stress test found.

    Attributes:
        name: of the test; its sentence is `stress.<name>`, that of a skipped test `stress.skipped`.
        outcome: `passed`, `weak`, `failed`, or `skipped` where it means nothing here.
        figure: the number it is decided by; None where skipped.
        fields: what the sentence tells: fractions under names that end in `_percent`, else plain numbers.
    """

    name: str
    outcome: Outcome
    figure: float | None
    fields: dict[str, float | int]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "name": self.name,
            "outcome": self.outcome,
            "figure": self.figure,
            "fields": dict(self.fields),
        }


def graded(figure: float, *, passes: float, weak: float) -> Outcome:
    """`passed` from `passes` on, `weak` from `weak` on, else `failed`; higher is better."""
    return "passed" if figure >= passes else "weak" if figure >= weak else "failed"


def skipped(name: str) -> Finding:
    """A test that means nothing here: too few trades, nothing to vary."""
    return Finding(name=name, outcome="skipped", figure=None, fields={})


@dataclass(kw_only=True)
class StressCase:
    """A strategy on its development data, backtested once; the tests share its market.

    Attributes:
        prices: canonical prices, n bars.
        spec: the strategy.
        costs: what trading costs.
        fill: where orders are filled.
        market: opened with both.
        signals: the strategy's, one code a bar.
        result: its backtest.
        source: where signals come from: of prices, one code a bar; the strategy's own by default.
        generator: randomness, seeded at the edge.
        others: prices of other instruments by name, for the same strategy.
    """

    prices: pd.DataFrame
    spec: StrategySpec
    costs: Costs
    fill: Fill
    market: Market
    signals: Signals
    result: BacktestResult
    source: SignalSource
    generator: np.random.Generator
    others: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        df: pd.DataFrame,
        spec: StrategySpec,
        costs: Costs | None = None,
        fill: Fill = "next_open",
        periods_per_year: float | None = None,
        initial_capital: float = 10_000.0,
        *,
        generator: np.random.Generator,
        others: Mapping[str, pd.DataFrame] | None = None,
        source: SignalSource | None = None,
    ) -> StressCase:
        """Backtest the strategy once.

        Raises:
            BacktestError: as `run_backtest`.
        """
        prices = validate_prices(df, keep=spec.inputs)
        costs = costs or Costs()
        market = open_market(prices, costs, fill, periods_per_year, initial_capital, None)
        market.need(spec.lookback())
        if source is None:
            source = own_signals(spec)
            signals = market.bank.signals(spec.bound_trees)
        else:
            signals = source(prices)
        return cls(
            prices=prices,
            spec=spec,
            costs=costs,
            fill=fill,
            market=market,
            signals=signals,
            result=run_signals(market, spec, signals, costs, fill),
            source=source,
            generator=generator,
            others=dict(others or {}),
        )

    @property
    def closes(self) -> Floats:
        """Closes of all bars."""
        return self.market.bank.prices.close

    @property
    def parts(self) -> tuple[StressCase, ...]:
        """The case of each instrument: this one alone."""
        return (self,)

    @property
    def bars(self) -> int:
        """Bars of the shortest history."""
        return len(self.prices)

    def rerun(
        self,
        *,
        spec: StrategySpec | None = None,
        late: bool = False,
        costs: Costs | None = None,
        prices: Sequence[pd.DataFrame] | None = None,
    ) -> BacktestResult:
        """The same backtest with one thing changed: the strategy, every signal a bar late, costs or prices.

        With other prices, one table for each of the parts, the signals stay.
        """
        spec = spec or self.spec
        market = self.market
        if costs is not None or prices is not None:
            traded, terms = self.prices if prices is None else prices[0], market.terms
            market = open_market(
                traded, costs or self.costs, self.fill, terms.periods_per_year, terms.capital, None
            )
        signals = self.signals if spec is self.spec else self.market.bank.signals(spec.bound_trees)
        if late:
            signals = one_bar_late(signals)
        return run_signals(market, spec, signals, costs or self.costs, self.fill)

    def stays(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Where each position was entered, bars it was held from there on, and its side; parts are none.

        An order is filled somewhere in its bar: what it was in the market for begins where that bar ends.
        """
        rows = self.result.trade_values
        rows = rows[rows[:, REASON] != PARTIAL_TARGET]
        entered, held = rows[:, ENTRY_BAR].astype(np.int64), rows[:, BARS].astype(np.int64)
        if self.spec.has_levels:
            entered = entered + int(self.market.terms.next_open)
            held = np.maximum(held - 1, 0)
        return entered, held, rows[:, SIDE]

    def excess_sharpe(self, result: BacktestResult) -> float:
        """Annualised Sharpe ratio of the excess over holding with the same exposure."""
        excess = moments(excess_returns(result, self.closes))
        return float(excess.sharpe * self.market.terms.periods_per_year**0.5)


@dataclass(kw_only=True)
class PooledCase:
    """One strategy on the development data of many instruments: what is asked is asked of the pooled account.

    Attributes:
        spec: the strategy.
        costs: what trading costs.
        fill: where orders are filled.
        every: the instruments, opened with both.
        parts: the case of each instrument.
        result: the pooled backtest.
        generator: randomness, seeded at the edge.
        others: prices of further instruments by name.
    """

    spec: StrategySpec
    costs: Costs
    fill: Fill
    every: Universe
    parts: tuple[StressCase, ...]
    result: BacktestResult
    generator: np.random.Generator
    others: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        instruments: Instruments,
        spec: StrategySpec,
        costs: Costs | None = None,
        fill: Fill = "next_open",
        *,
        generator: np.random.Generator,
        others: Mapping[str, pd.DataFrame] | None = None,
    ) -> PooledCase:
        """Backtest the strategy once on each.

        Raises:
            BacktestError: as `backtest.universe.run_backtest`.
        """
        costs = costs or Costs()
        every = Universe(instruments, costs, fill)
        every.need(spec)
        return cls(
            spec=spec,
            costs=costs,
            fill=fill,
            every=every,
            parts=tuple(
                StressCase.open(df, spec, costs, fill, generator=generator) for df in instruments.values()
            ),
            result=every.run(spec),
            generator=generator,
            others=dict(others or {}),
        )

    @property
    def bars(self) -> int:
        """Bars of the shortest history."""
        return min(part.bars for part in self.parts)

    def rerun(
        self,
        *,
        spec: StrategySpec | None = None,
        late: bool = False,
        costs: Costs | None = None,
        prices: Sequence[pd.DataFrame] | None = None,
    ) -> BacktestResult:
        """As `StressCase.rerun`."""
        every, own = self.every, {name: part.signals for name, part in self._named()}
        if costs is not None or prices is not None:
            traded = [part.prices for part in self.parts] if prices is None else prices
            every = Universe(dict(zip(own, traded, strict=True)), costs or self.costs, self.fill)
        if spec is not None:
            return every.run(spec)
        signals = {name: one_bar_late(codes) for name, codes in own.items()} if late else own
        return every.run(self.spec, signals=signals)

    def _named(self) -> Iterator[tuple[str, StressCase]]:
        return zip(self.every.markets, self.parts, strict=True)

    def excess_sharpe(self, result: BacktestResult) -> float:
        """Annualised Sharpe ratio of the pooled excess."""
        return float(moments(excess_returns(result)).sharpe * result.periods_per_year**0.5)


AnyCase = StressCase | PooledCase
"""What the tests of this package are given; a plugin's is given one instrument at a time."""


def one_bar_late(signals: Signals) -> Signals:
    """Each signal at the bar behind its own."""
    return np.concatenate([np.zeros(1, dtype=signals.dtype), signals[:-1]])


def own_signals(spec: StrategySpec) -> SignalSource:
    """A strategy's signals of any canonical prices, every indicator computed afresh."""

    def signals(prices: pd.DataFrame) -> Signals:
        columns = (prices[name].to_numpy(dtype=np.float64) for name in PriceArrays._fields)
        arrays = PriceArrays(*(np.ascontiguousarray(column) for column in columns))
        clock = Clock(pd.DatetimeIndex(prices.index))
        return IndicatorBank(arrays, clock, partial(read_further, prices)).signals(spec.bound_trees)

    return signals
