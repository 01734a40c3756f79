"""Made-up backtests, each with one fault that the engine bears out, and the changes that would mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from backtest import Bounds, StrategySpec
from nodes.optimization.changes import AddFilter, Change, ReplaceCondition
from record.types import Figures

Steps = npt.NDArray[np.float64]
"""Logarithmic returns, one a bar."""

BARS = 3000
NAME = "case"
"""Of every strategy: a name could tell the fault."""

PERIOD = Bounds(low=2, high=200, step=1, integer=True, default=20)
BELOW = Bounds(low=-4.0, high=0.0, step=0.1, integer=False, default=-1.0)
ABOVE = Bounds(low=0.0, high=4.0, step=0.1, integer=False, default=0.5)

GAIN = 1.0
"""Points of the score by which a fault is mended: less may be any change of a bad strategy."""

FEWER = 0.7
"""Of the trades before: so many are fewer."""


MORE = 1.5
"""Times the trades before: so many are more."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A proposal as the engine tested it.

    Attributes:
        change: the change itself.
        before: the faulty strategy.
        after: what would be traded; searched values are settled.
        figures_before, figures_after: `trial_figures` of both.
    """

    change: Change
    before: StrategySpec
    after: StrategySpec
    figures_before: Figures
    figures_after: Figures

    @property
    def gain(self) -> float:
        """What it adds to the score, of 10."""
        return self.figures_after["score"] - self.figures_before["score"]

    @property
    def trades(self) -> float:
        """Trades after it, as a multiple of those before."""
        before, after = (
            figures["metrics"]["n_trades"] or 0 for figures in (self.figures_before, self.figures_after)
        )
        return after / max(1, before)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One strategy on made-up prices, with one fault.

    Attributes:
        name: of the fault; its words are the text `models.fault.NAME`.
        spec: the strategy.
        steps: its prices, made of one generator.
        noise: how far highs and lows stand off a bar's body, as a fraction of the price.
        telling: how the names of the figures begin that bear the fault out.
        aims: whether a tested change is of the kind that meets the fault.
        must_gain: whether a change that fits raises the score by `GAIN` as well.
    """

    name: str
    spec: StrategySpec
    steps: Callable[[np.random.Generator], Steps]
    noise: float
    telling: tuple[str, ...]
    aims: Callable[[Outcome], bool]
    must_gain: bool = True

    def prices(self) -> pd.DataFrame:
        """Hourly OHLCV, the same every time; nothing of a real market is in it."""
        draw = np.random.default_rng(20)
        close = 100.0 * np.exp(np.cumsum(self.steps(draw)))
        opened = np.concatenate([[100.0], close[:-1]])
        off = np.abs(draw.normal(0.0, self.noise, (2, close.size)))
        return pd.DataFrame(
            {
                "open": opened,
                "high": np.maximum(opened, close) * (1.0 + off[0]),
                "low": np.minimum(opened, close) * (1.0 - off[1]),
                "close": close,
                "volume": draw.integers(100, 1000, close.size).astype(float),
            },
            index=pd.date_range("2020-01-01", periods=close.size, freq="1h", name="time"),
        )

    def fits(self, tested: Outcome) -> bool:
        """Whether a change meets the fault, as the engine bears out."""
        return self.aims(tested) and (tested.gain >= GAIN or not self.must_gain)


def _returning(deviation: float, pull: float, *, flicker: float = 0.0) -> Callable[..., Steps]:
    """A level that is pulled back to its mean each bar; `flicker` is gone again a bar later."""

    def steps(draw: np.random.Generator) -> Steps:
        noise, level = draw.normal(0.0, deviation, BARS), np.zeros(BARS)
        for bar in range(1, BARS):
            level[bar] = (1.0 - pull) * level[bar - 1] + noise[bar]
        return np.diff(level + draw.normal(0.0, flicker, BARS), prepend=0.0)

    return steps


def _phases(*drifts: float, bars: int, deviation: float) -> Callable[[np.random.Generator], Steps]:
    """Drifts that take turns, so many bars each, in noise."""

    def steps(draw: np.random.Generator) -> Steps:
        turns = np.repeat(np.resize(np.array(drifts), -(-BARS // bars)), bars)[:BARS]
        noise: Steps = draw.normal(0.0, deviation, BARS)
        return turns + noise

    return steps


def _dips_in_phases(draw: np.random.Generator) -> Steps:
    """Drifts up and down that take turns, in moves that come back."""
    returning = _returning(0.008, 0.25)(draw)
    return returning + _phases(0.001, -0.0015, bars=300, deviation=0.0)(draw)


def _trends_and_ranges(draw: np.random.Generator) -> Steps:
    """Short trends up and down between long stretches that come back to where they began."""
    parts: list[Steps] = []
    for turn in range(12):
        level = draw.normal(0.0, 0.005, 170)
        parts.append(np.diff(level, prepend=0.0))
        drift = 0.003 if turn % 3 else -0.003
        parts.append(drift + draw.normal(0.0, 0.004, 80))
    return np.concatenate(parts)


def _few_leaps(draw: np.random.Generator) -> Steps:
    """A walk that leads nowhere, with three leaps while the strategy is in."""
    steps: Steps = draw.normal(-0.00005, 0.004, BARS)
    steps[[200, 1000, 1920]] = 0.15
    return steps


def _looser(tested: Outcome) -> bool:
    before, after = tested.before.risk.stop_loss_pct, tested.after.risk.stop_loss_pct
    return before is not None and (after is None or after > 1.5 * before)


def _narrows(tested: Outcome) -> bool:
    """One more condition before an entry."""
    change = tested.change
    return isinstance(change, AddFilter) or (
        isinstance(change, ReplaceCondition) and change.entry is not None and change.logic == "and"
    )


def _calmer(tested: Outcome) -> bool:
    return tested.trades <= FEWER


def _turned(tested: Outcome) -> bool:
    """Another entry, or none any more on the side that was wrong."""
    change = tested.change
    if isinstance(change, ReplaceCondition):
        return change.logic == "replace" and (change.entry is not None or change.side == "both")
    return tested.after.entry_long != tested.before.entry_long and not _narrows(tested)


CASES = (
    Case(
        name="tight_stop",
        spec=StrategySpec(
            name=NAME,
            entry_long="zscore(close, period) < entry_level",
            exit_long="zscore(close, period) > exit_level",
            params={"period": 20, "entry_level": -1.2, "exit_level": 0.5},
            param_bounds={"period": PERIOD, "entry_level": BELOW, "exit_level": ABOVE},
            risk={"stop_loss_pct": 0.3},
        ),
        steps=_returning(0.01, 0.08),
        noise=0.004,
        telling=("exit stop", "sharpe_ratio by stop_loss_pct"),
        aims=_looser,
    ),
    Case(
        name="costs",
        spec=StrategySpec(name=NAME, entry_long="close < close[1]", exit_long="close > close[1]"),
        steps=_returning(0.004, 0.06, flicker=0.002),
        noise=0.001,
        telling=("avg_trade", "expectancy", "n_trades"),
        aims=_calmer,
    ),
    Case(
        name="wrong_side",
        spec=StrategySpec(
            name=NAME,
            entry_long="close < sma(close, period)",
            exit_long="close > sma(close, period)",
            params={"period": 20},
            param_bounds={"period": PERIOD},
        ),
        steps=_phases(0.0015, -0.0015, bars=150, deviation=0.008),
        noise=0.002,
        telling=("market_variance_ratio", "regime", "side"),
        aims=_turned,
    ),
    Case(
        name="ranges",
        spec=StrategySpec(
            name=NAME,
            entry_long="sma(close, fast) > sma(close, slow)",
            exit_long="sma(close, fast) < sma(close, slow)",
            params={"fast": 3, "slow": 10},
            param_bounds={"fast": PERIOD, "slow": PERIOD},
        ),
        steps=_trends_and_ranges,
        noise=0.001,
        telling=("n_trades", "avg_trade", "regime"),
        aims=lambda tested: _narrows(tested) or _calmer(tested),
    ),
    Case(
        name="filter",
        spec=StrategySpec(
            name=NAME,
            entry_long="zscore(close, period) < entry_level",
            exit_long="zscore(close, period) > 0",
            params={"period": 20, "entry_level": -1.0},
            param_bounds={"period": PERIOD, "entry_level": BELOW},
        ),
        steps=_dips_in_phases,
        noise=0.002,
        telling=("regime downtrend",),
        aims=_narrows,
    ),
    Case(
        name="lucky",
        spec=StrategySpec(
            name=NAME,
            entry_long="close < lowest(close[1], period)",
            exit_long="close > sma(close, period)",
            params={"period": 120},
            param_bounds={"period": PERIOD},
        ),
        steps=_few_leaps,
        noise=0.002,
        telling=("best_trade", "n_trades", "probability_that_sharpe_exceeds_luck", "years_of_data_needed"),
        aims=lambda tested: tested.trades >= MORE,
        must_gain=False,
    ),
)
"""Every fault once."""
