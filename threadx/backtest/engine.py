"""The engine under the seed's import path, and its class; the engine itself is the package `backtest`."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from backtest import BacktestResult, Costs, StrategySpec, run_backtest, sweep
from backtest.types import Fill
from nodes.optimization.evidence.specs import chosen_strategy

__all__ = ["BacktestEngine", "BacktestResult", "Costs", "StrategySpec", "run_backtest", "sweep"]


class BacktestEngine:
    """The engine with its terms of trade. Like `run_backtest` it counts nothing and hides nothing.

    Args:
        initial_capital: cash before the first bar.
        costs: what trading costs; nothing by default.
        fill: where orders are filled.
    """

    def __init__(
        self, initial_capital: float = 10_000.0, costs: Costs | None = None, fill: Fill = "next_open"
    ) -> None:
        self.initial_capital = initial_capital
        self.costs = costs or Costs()
        self.fill = fill

    def run(
        self,
        data: pd.DataFrame,
        strategy: str | StrategySpec = "ma_crossover",
        params: Mapping[str, float | None] | None = None,
    ) -> BacktestResult:
        """Trade a preset or a strategy of one's own on every row of the prices.

        Raises:
            BacktestError: the prices, the strategy or a parameter is refused.
            SettingError: `params_beside_strategy`.
        """
        spec = chosen_strategy(strategy, params)
        return run_backtest(
            data, spec, costs=self.costs, fill=self.fill, initial_capital=self.initial_capital
        )
