"""The 0–10 score that steers the optimisation cycle, and the arithmetic by which a variant is adopted.

Computed by code from walk-forward tests on development data; no model can change it. `docs/score.md` tells
the same in words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from backtest.engine.run import BacktestResult
from backtest.statistics.overfitting import sharpe_standard_error
from backtest.statistics.returns import bar_returns
from backtest.types import Metrics
from backtest.validation.walk_forward import WalkForward

BLOCKS = 5
FULL_SHARPE = 2.0
FULL_CALMAR = 2.0
FULL_PROFIT_FACTOR = 2.0
ENOUGH_TRADES = 30
LOSING = 0.1
"""Share of a part that what stands still gets; what loses gets less, the more it loses."""

ERROR_ALLOWED = 0.2
"""Chance of adopting, in one iteration, something that is no better than the champion."""

Reason = Literal["better", "account_lost", "lower_score", "uneven", "luck"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score and what it is made of.

    Attributes:
        value: 0 to 10, rounded to four decimals so that records compare byte for byte.
        sharpe, calmar, profit, consistency: parts, each 0 to 1.
        evidence: 0 to 1, the share of the trades needed before a figure is worth reading.
        block_sharpes: annualised Sharpe ratio of each fold (or equal block of time), 0 where nothing moved;
            None from the one on in which the account was lost.
    """

    value: float
    sharpe: float
    calmar: float
    profit: float
    consistency: float
    evidence: float
    block_sharpes: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """Whether a variant may replace the champion, and what decided.

    Attributes:
        accepted: it may.
        reason: `better`; or the first test it failed: `account_lost`, `lower_score` (a tie too), `uneven`
            (behind in half of the folds or more), `luck` (not significant by the paired bootstrap).
        folds_held: folds in which it is no worse.
        p_value: of the paired bootstrap; None where an earlier test failed.
        allowed: the p-value that would have sufficed.
    """

    accepted: bool
    reason: Reason
    folds_held: int
    p_value: float | None
    allowed: float


def block_sharpes(
    equity: pd.Series, periods_per_year: float, blocks: int = BLOCKS
) -> tuple[float | None, ...]:
    """Annualised Sharpe ratio of the equity's returns in equal, consecutive blocks of time.

    Args:
        equity: one value a bar, positive until the account is lost, if it is.
        periods_per_year: bars in a year.
        blocks: how many blocks; a remainder goes to the first ones.

    Returns:
        One figure a block, sample standard deviation, zero risk-free rate; 0 where the block has no variance,
        None from the block on in which the account is lost.
    """
    values = equity.to_numpy(float)
    returns = bar_returns(values[1:], values[0])
    figures: list[float | None] = []
    for part, marks in zip(np.array_split(returns, blocks), np.array_split(values[1:], blocks), strict=True):
        if (marks <= 0.0).any():
            figures.append(None)
            continue
        deviation = part.std(ddof=1) if len(part) > 1 else 0.0
        moved = deviation > 1e-12
        figures.append(round(float(part.mean() / deviation * np.sqrt(periods_per_year)), 6) if moved else 0.0)
    return tuple(figures)


def _part(value: float | None, full: float) -> float:
    """0 to 1: `LOSING` where the figure is 0, 1 from `full` on, and ever less below 0; 0 where undefined."""
    if value is None:
        return 0.0
    if value < 0.0:
        return LOSING * math.exp(value / full)
    return LOSING + (1.0 - LOSING) * min(1.0, value / full)


def sharpe_less_error(sharpe: float | None, bars: int, periods_per_year: float) -> float | None:
    """An annualised Sharpe ratio less its standard error (Lo 2002, independent normal returns).

    Args:
        sharpe: annualised.
        bars: returns behind it.
        periods_per_year: bars a year.
    """
    if sharpe is None:
        return None
    year = math.sqrt(periods_per_year)
    return sharpe - sharpe_standard_error(sharpe / year, bars) * year


def _score(
    metrics: Metrics,
    blocks: Sequence[float | None],
    trades: int,
    bars: int,
    periods_per_year: float,
    lost: bool,
) -> Score:
    if metrics.profit_factor is not None:
        profit = _part(metrics.profit_factor - 1.0, FULL_PROFIT_FACTOR - 1.0)
    else:
        profit = 1.0 if metrics.n_trades and metrics.total_return > 0.0 else 0.0
    sharpe = _part(sharpe_less_error(metrics.sharpe_ratio, bars, periods_per_year), FULL_SHARPE)
    calmar = _part(metrics.calmar_ratio, FULL_CALMAR)
    consistency = sum(figure is not None and figure > 0 for figure in blocks) / len(blocks)
    evidence = min(1.0, trades / ENOUGH_TRADES)
    value = 10.0 * evidence * (0.4 * sharpe + 0.2 * calmar + 0.2 * profit + 0.2 * consistency)
    if lost:
        value = 0.0
    return Score(
        value=round(value, 4),
        sharpe=round(sharpe, 6),
        calmar=round(calmar, 6),
        profit=round(profit, 6),
        consistency=round(consistency, 6),
        evidence=round(evidence, 6),
        block_sharpes=tuple(None if figure is None else round(figure, 6) for figure in blocks),
    )


def score(result: BacktestResult) -> Score:
    """Score one backtest from 0 (worthless) to 10, over five equal blocks of time.

    `10 · evidence · (0.4 · sharpe + 0.2 · calmar + 0.2 · profit + 0.2 · consistency)` where

    - sharpe, calmar and profit are 0.1 + 0.9 · x, with x the Sharpe ratio less its standard error over 2, the
      Calmar ratio over 2 and the profit factor − 1, each at most 1; below zero they are 0.1 · exp(x), so that
      a smaller loss always scores more; without a losing trade profit is 1 where something was won;
    - consistency is the share of the blocks with a positive Sharpe ratio;
    - evidence is the number of trades over 30, at most 1.

    What does nothing or loses its account scores 0, what loses in every block less than 0.8, and 8 needs a
    Sharpe ratio that is near 2 even one standard error lower: a short history cannot score high.
    """
    blocks = block_sharpes(result.equity, result.periods_per_year)
    return _score(
        result.metrics,
        blocks,
        result.metrics.n_trades,
        len(result.index),
        result.periods_per_year,
        result.account_lost is not None,
    )


def score_walk_forward(walk: WalkForward, whole: BacktestResult) -> Score:
    """The same formula on walk-forward evidence: the tests as one account, the folds as blocks.

    Args:
        walk: the tests.
        whole: what would be traded, on the whole development part: its trades count as evidence where they
            are fewer, so that a search that ends at a strategy which hardly trades earns nothing. Where
            either loses its account, the score is 0.
    """
    blocks: list[float | None] = []
    for fold in walk.folds:
        gone = fold.test.account_lost is not None or None in blocks
        blocks.append(None if gone else fold.test.metrics.sharpe_ratio or 0.0)
    trades = min(walk.metrics.n_trades, whole.metrics.n_trades)
    lost = walk.account_lost is not None or whole.account_lost is not None
    return _score(walk.metrics, blocks, trades, len(walk.returns), walk.periods_per_year, lost)


def folds_held(challenger: Sequence[float | None], champion: Sequence[float | None]) -> int:
    """Folds in which the challenger's Sharpe ratio is no worse; nothing is worse than a lost account."""
    return sum(
        old is None or (new is not None and new >= old) for new, old in zip(challenger, champion, strict=True)
    )


def allowed_error(side_by_side: int, more_conditions: int) -> float:
    """The p-value that suffices: 20 % shared by the variants tested, halved for each condition more.

    Args:
        side_by_side: variants tested in the iteration (Bonferroni's correction).
        more_conditions: elementary conditions more than the champion has; fewer earn nothing.
    """
    return ERROR_ALLOWED / max(1, side_by_side) / 2.0 ** max(0, more_conditions)


def accept(
    challenger: float,
    champion: float,
    challenger_folds: Sequence[float | None],
    champion_folds: Sequence[float | None],
    *,
    p_value: float | None,
    side_by_side: int,
    more_conditions: int,
    lost: bool = False,
) -> Acceptance:
    """Whether a variant may replace the champion: it survives, and three tests on the same folds.

    1. its score is higher: a tie keeps the champion;
    2. it is no worse in more than half of the folds;
    3. by a paired block bootstrap of the difference in returns per unit of risk (the difference of the Sharpe
       ratios), the chance of so large a difference between equals is at most `allowed_error`.

    Args:
        challenger: score of the variant.
        champion: score of the reigning one.
        challenger_folds: Sharpe ratios of the variant, fold by fold.
        champion_folds: those of the champion.
        p_value: of the bootstrap; None only where it was not needed, the first two tests having failed.
        side_by_side: see `allowed_error`.
        more_conditions: see `allowed_error`.
        lost: the variant loses its account, in the folds or on the whole development part.
    """
    held = folds_held(challenger_folds, champion_folds)
    allowed = allowed_error(side_by_side, more_conditions)
    reason: Reason = "better"
    if lost:
        reason = "account_lost"
    elif challenger <= champion:
        reason = "lower_score"
    elif 2 * held <= len(champion_folds):
        reason = "uneven"
    elif p_value is None or p_value > allowed:
        reason = "luck"
    return Acceptance(
        accepted=reason == "better", reason=reason, folds_held=held, p_value=p_value, allowed=allowed
    )


def relative_gain(score_now: float, score_before: float) -> float:
    """Gain of score relative to max(score, 1), so that a start near zero does not look like a miracle."""
    return (score_now - score_before) / max(score_before, 1.0)
