"""What a backtest's card tells beside its metrics: holding, time under water, trades by how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backtest.data.together import Instruments
from backtest.engine.pooled import Universe
from backtest.engine.run import BacktestResult, run_backtest
from backtest.kernels.simulation import EXIT_REASONS
from backtest.portfolio import PortfolioResult
from backtest.strategy import StrategySpec
from backtest.types import Costs

_HOLDING = StrategySpec.preset("buy_and_hold")


@dataclass(frozen=True, kw_only=True, slots=True)
class UnderWater:
    """Time that an account spends below its highest value so far.

    Attributes:
        share: of all bars, 0 to 1.
        longest: bars of the longest stretch; 0 where there is none.
        since: place of that stretch's first bar; None where there is none.
        until: place of the bar that made the loss good; None while it lasts, or where there is none.
    """

    share: float
    longest: int
    since: int | None = None
    until: int | None = None


def under_water(equity: ArrayLike, initial_capital: float) -> UnderWater:
    """Where an account is below its highest value so far, what it began with included.

    Args:
        equity: value at each bar's close, one a bar.
        initial_capital: value before the first bar.
    """
    values = np.asarray(equity, dtype=np.float64)
    below = values < np.maximum(np.maximum.accumulate(values), initial_capital)
    edges = np.flatnonzero(np.diff(below, prepend=False, append=False))
    starts, stops = edges[::2], edges[1::2]
    if not len(starts):
        return UnderWater(share=0.0, longest=0)
    place = int(np.argmax(stops - starts))
    since, until = int(starts[place]), int(stops[place])
    return UnderWater(
        share=float(below.mean()),
        longest=until - since,
        since=since,
        until=until if until < len(values) else None,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Exits:
    """Trades that ended in one way.

    Attributes:
        reason: how.
        trades: how many.
        won: how many with a profit above 0.
        average_return: mean of profit / (size × entry price), a fraction.
        profit: their sum, in cash.
    """

    reason: str
    trades: int
    won: int
    average_return: float
    profit: float


def exits(trades: pd.DataFrame) -> list[Exits]:
    """Trades by how they ended, in the engine's order of reasons; what did not happen is left out.

    Args:
        trades: as `BacktestResult.trades`.
    """
    found = []
    for reason in EXIT_REASONS:
        rows = trades[trades["exit_reason"] == reason]
        if len(rows):
            found.append(
                Exits(
                    reason=reason,
                    trades=len(rows),
                    won=int((rows["pnl"] > 0.0).sum()),
                    average_return=float(rows["return"].mean()),
                    profit=float(rows["pnl"].sum()),
                )
            )
    return found


@dataclass(frozen=True, kw_only=True)
class Card:
    """An account beside buying at the first close and holding to the last, without costs.

    Attributes:
        result: of the strategy, or of target weights.
        holding: the same capital, bought and held.
        water, holding_water: time under water of both.
        exits: trades by how they ended.
    """

    result: BacktestResult | PortfolioResult
    holding: BacktestResult
    water: UnderWater
    holding_water: UnderWater
    exits: Sequence[Exits]

    @classmethod
    def of(cls, result: BacktestResult, prices: pd.DataFrame) -> Card:
        """The card of a backtest.

        Args:
            result: of `run_backtest`.
            prices: what it was run on.
        """
        holding = run_backtest(
            prices,
            _HOLDING,
            costs=Costs(),
            fill="close",
            periods_per_year=result.periods_per_year,
            initial_capital=result.initial_capital,
            trade_from=result.index[0],
        )
        return cls._beside(result, holding)

    @classmethod
    def of_portfolio(cls, result: PortfolioResult, instruments: Instruments) -> Card:
        """The card of target weights; what is held beside them is equal parts of all that are listed.

        Args:
            result: of `run_portfolio`.
            instruments: what it was run on.
        """
        every = Universe(instruments, Costs(), "close", None, result.initial_capital, spec=_HOLDING)
        return cls._beside(result, every.run(_HOLDING))

    @classmethod
    def _beside(cls, result: BacktestResult | PortfolioResult, holding: BacktestResult) -> Card:
        return cls(
            result=result,
            holding=holding,
            water=under_water(result.equity, result.initial_capital),
            holding_water=under_water(holding.equity_values, holding.initial_capital),
            exits=exits(result.trades),
        )

    def time(self, place: int | None) -> datetime | None:
        """Time of a bar of the account, by its place."""
        return None if place is None else self.result.index[place]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: period, capital, both accounts, exits."""
        result, lost = self.result, self.result.account_lost
        return {
            "first": result.index[0].isoformat(),
            "last": result.index[-1].isoformat(),
            "bars": len(result.index),
            "initial_capital": result.initial_capital,
            "final_value": float(result.equity.iloc[-1]),
            "under_water": self._water(self.water),
            "buy_and_hold": {
                "metrics": self.holding.metrics.to_dict(),
                "under_water": self._water(self.holding_water),
            },
            "trades_by_exit": [asdict(one) for one in self.exits],
            "account_lost": lost.to_dict() if lost else None,
            **result.not_taken,
        }

    def _water(self, found: UnderWater) -> dict[str, Any]:
        since, until = self.time(found.since), self.time(found.until)
        return {
            "share": found.share,
            "longest_bars": found.longest,
            "since": since.isoformat() if since else None,
            "until": until.isoformat() if until else None,
        }
