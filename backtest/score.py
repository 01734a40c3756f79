"""The 0–10 score that steers the optimisation cycle, and the rule by which a variant beats another.

Computed by code from a backtest on development data; no model can change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from backtest.engine import BacktestResult

BLOCKS = 5
FULL_SHARPE = 2.0
FULL_CALMAR = 2.0
FULL_PROFIT_FACTOR = 2.0
ENOUGH_TRADES = 30


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score and what it is made of.

    Attributes:
        value: 0 to 10, rounded to four decimals so that records compare byte for byte.
        sharpe, calmar, profit, consistency: parts, each 0 to 1.
        evidence: 0 to 1, the share of the trades needed before a figure is worth reading.
        block_sharpes: annualised Sharpe ratio of each of the equal time blocks, 0 where nothing moved.
    """

    value: float
    sharpe: float
    calmar: float
    profit: float
    consistency: float
    evidence: float
    block_sharpes: tuple[float, ...]


def block_sharpes(equity: pd.Series, periods_per_year: float, blocks: int = BLOCKS) -> tuple[float, ...]:
    """Annualised Sharpe ratio of the equity's returns in equal, consecutive blocks of time.

    Args:
        equity: one value a bar, positive.
        periods_per_year: bars in a year.
        blocks: how many blocks; a remainder goes to the first ones.

    Returns:
        One figure a block, sample standard deviation, zero risk-free rate; 0 where the block has no variance.
    """
    returns = np.diff(equity.to_numpy(float)) / equity.to_numpy(float)[:-1]
    figures = []
    for part in np.array_split(returns, blocks):
        deviation = part.std(ddof=1) if len(part) > 1 else 0.0
        moved = deviation > 1e-12
        figures.append(round(float(part.mean() / deviation * np.sqrt(periods_per_year)), 6) if moved else 0.0)
    return tuple(figures)


def _share(value: float | None, full: float) -> float:
    return 0.0 if value is None else float(np.clip(value / full, 0.0, 1.0))


def score(result: BacktestResult) -> Score:
    """Score a backtest from 0 (worthless) to 10.

    `10 · evidence · (0.4 · sharpe + 0.2 · calmar + 0.2 · profit + 0.2 · consistency)` where

    - sharpe is the Sharpe ratio over 2, calmar the Calmar ratio over 2, each cut to 0…1;
    - profit is (profit factor − 1), cut to 0…1; without a losing trade it is 1 where something was won;
    - consistency is the share of five equal blocks of time with a positive Sharpe ratio;
    - evidence is the number of trades over 30, at most 1.

    An inactive or losing strategy scores near 0, and 8 needs a Sharpe ratio near 2 on solid ground.
    """
    metrics = result.metrics
    blocks = block_sharpes(result.equity, result.periods_per_year)
    if metrics.profit_factor is None:
        profit = 1.0 if (metrics.n_trades or 0) > 0 and (metrics.total_return or 0.0) > 0 else 0.0
    else:
        profit = _share(metrics.profit_factor - 1.0, FULL_PROFIT_FACTOR - 1.0)
    sharpe = _share(metrics.sharpe_ratio, FULL_SHARPE)
    calmar = _share(metrics.calmar_ratio, FULL_CALMAR)
    consistency = sum(figure > 0 for figure in blocks) / len(blocks)
    evidence = min(1.0, metrics.n_trades / ENOUGH_TRADES)
    value = 10.0 * evidence * (0.4 * sharpe + 0.2 * calmar + 0.2 * profit + 0.2 * consistency)
    return Score(
        value=round(value, 4),
        sharpe=round(sharpe, 6),
        calmar=round(calmar, 6),
        profit=round(profit, 6),
        consistency=consistency,
        evidence=round(evidence, 6),
        block_sharpes=blocks,
    )


def beats(
    challenger: float,
    champion: float,
    challenger_blocks: Sequence[float],
    champion_blocks: Sequence[float],
) -> bool:
    """Whether a variant may replace the champion: a higher score, and no worse in most blocks of time.

    Args:
        challenger: score of the variant.
        champion: score of the reigning one; a tie keeps it.
        challenger_blocks: block Sharpe ratios of the variant.
        champion_blocks: those of the champion, as many.
    """
    held = sum(new >= old for new, old in zip(challenger_blocks, champion_blocks, strict=True))
    return challenger > champion and 2 * held > len(champion_blocks)


def relative_gain(score_now: float, score_before: float) -> float:
    """Gain of score relative to max(score, 1), so that a start near zero does not look like a miracle."""
    return (score_now - score_before) / max(score_before, 1.0)
