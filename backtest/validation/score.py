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
from numpy.typing import ArrayLike

from backtest.engine.run import BacktestResult
from backtest.statistics.returns import Returns, bar_returns, moments
from backtest.types import Costs
from backtest.validation.power import SLAB
from backtest.validation.trials import average_turnover, holding_returns
from backtest.validation.walk_forward import WalkForward

BLOCKS = 5
ENOUGH_TRADES = 10
"""Trades below which a figure is hardly worth reading; the verdict asks for as many."""

NO_SKILL = 1.0
"""Score of what neither adds to holding nor takes from it."""
PER_SKILL = 3.5
"""Points for each unit of skill above zero: a skill of 2 scores 8."""

COSTS_IN_DOUBT = 0.5
LEAST_IN_DOUBT = 1e-4
"""Costs are estimates: half as much again is charged on what is traded, a basis point at least. So of two
strategies with the same excess the one that trades more scores less."""

ERROR_ALLOWED = 0.2
"""Chance of adopting, in one iteration, something that is no better than the champion."""

Reason = Literal["better", "account_lost", "lower_score", "uneven", "luck"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score and what it is made of.

    Attributes:
        value: 0 to 10, rounded to four decimals so that records compare byte for byte.
        excess_sharpe: annualised Sharpe ratio of the excess over holding with the same exposure, costs in
            doubt charged.
        skill: the same, shrunk by its error.
        evidence: 0 to 1, the share of the trades needed before a figure is worth reading.
        block_sharpes: annualised Sharpe ratio of each fold (or equal block of time), 0 where nothing moved;
            None from the one on in which the account was lost.
    """

    value: float
    excess_sharpe: float
    skill: float
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


def skill(excess_sharpe: float, years: float) -> float:
    """A yearly excess Sharpe ratio shrunk by its error: the mean of what it leaves likely.

    Before anything is seen true ratios are normal around 0 with a deviation of `SLAB`; what is seen of one
    has an error of 1/√years. Whatever the length, chance alone then has a deviation of half of `SLAB` at
    most.

    Args:
        excess_sharpe: as measured.
        years: of the bars behind it.
    """
    return excess_sharpe * years / (years + SLAB**-2)


def points(skilled: float) -> float:
    """The score of a skill, 0 to 10: straight from 1 at 0 up, and below 0 ever less with the same slope."""
    rising = PER_SKILL * skilled
    return min(10.0, NO_SKILL + rising) if rising >= 0.0 else NO_SKILL * math.exp(rising / NO_SKILL)


def _in_doubt(costs: Costs) -> float:
    """What is charged once more on each unit that is traded."""
    paid = (costs.fee_bps + costs.slippage_bps + 0.5 * costs.spread_bps) / 1e4
    return max(LEAST_IN_DOUBT, COSTS_IN_DOUBT * paid)


def _excess(own: Returns, parts: Sequence[BacktestResult], closes: ArrayLike | None) -> Returns:
    """Of consecutive stretches as one account with the returns `own`: one exposure for all of it."""
    found: Returns = own - holding_returns(parts, closes)
    return found - _in_doubt(parts[0].costs) * average_turnover(parts)


def excess_of_tests(walk: WalkForward, closes: ArrayLike | None = None) -> Returns:
    """What the score is made of, bar by bar of the tests: the excess, costs in doubt charged.

    Arguments and errors: `score_walk_forward`.
    """
    return _excess(walk.returns.to_numpy(float), [fold.test for fold in walk.folds], closes)


def excess_of_folds(walk: WalkForward, excess: Returns) -> tuple[float | None, ...]:
    """Annualised Sharpe ratio of it in each fold, 0 where nothing moved; None from a lost account on."""
    found: list[float | None] = []
    start = 0
    for fold in walk.folds:
        part = excess[start : start + len(fold.test.index)]
        start += len(part)
        gone = fold.test.account_lost is not None or None in found
        found.append(None if gone else round(moments(part).sharpe * math.sqrt(walk.periods_per_year), 6))
    return tuple(found)


def _score(
    excess: Returns,
    parts: Sequence[BacktestResult],
    blocks: Sequence[float | None],
    trades: int,
    lost: bool,
) -> Score:
    """Of the excess of consecutive stretches, see `_excess`."""
    year = parts[0].periods_per_year
    excess_sharpe = moments(excess).sharpe * math.sqrt(year)
    skilled = skill(excess_sharpe, len(excess) / year)
    evidence = min(1.0, trades / ENOUGH_TRADES)
    return Score(
        value=0.0 if lost else round(evidence * points(skilled), 4),
        excess_sharpe=round(excess_sharpe, 6),
        skill=round(skilled, 6),
        evidence=round(evidence, 6),
        block_sharpes=tuple(None if figure is None else round(figure, 6) for figure in blocks),
    )


def score(result: BacktestResult, closes: ArrayLike | None = None) -> Score:
    """Score one backtest from 0 (worthless) to 10, over five equal blocks of time.

    `evidence · (1 + 3.5 · skill)`, and `evidence · exp(3.5 · skill)` where the skill is negative;
    skill is the annualised Sharpe ratio of the excess over holding with the same exposure, half of the costs
    charged once more, times years / (years + 1); evidence is the number of trades over 10, at most 1.

    What does nothing or loses its account scores 0, holding 0.1, chance 1 in the middle. 8 is a skill of 2:
    without an edge a strategy reaches it once in 30,000 at whatever length.

    Args:
        result: a backtest, n bars from `trade_from` on.
        closes: closes of all its bars, those of the warm-up included; not needed of several instruments.

    Raises:
        RequestError: `too_few_observations` where the closes are not those of the backtest.
    """
    own = bar_returns(result.equity_values, result.initial_capital)
    return _score(
        _excess(own, [result], closes),
        [result],
        block_sharpes(result.equity, result.periods_per_year),
        result.metrics.n_trades,
        result.account_lost is not None,
    )


def score_walk_forward(walk: WalkForward, whole: BacktestResult, closes: ArrayLike | None = None) -> Score:
    """The same formula on walk-forward evidence: the tests as one account, the folds as blocks.

    Args:
        walk: the tests.
        whole: what would be traded, on the whole development part: its trades count as evidence where they
            are fewer, so that a search that ends at a strategy which hardly trades earns nothing. Where
            either loses its account, the score is 0.
        closes: of the development part; not needed of several instruments.

    Raises:
        RequestError: `too_few_observations` where the closes are not those of the tests.
    """
    blocks: list[float | None] = []
    for fold in walk.folds:
        gone = fold.test.account_lost is not None or None in blocks
        blocks.append(None if gone else fold.test.metrics.sharpe_ratio or 0.0)
    return _score(
        excess_of_tests(walk, closes),
        [fold.test for fold in walk.folds],
        blocks,
        min(walk.metrics.n_trades, whole.metrics.n_trades),
        walk.account_lost is not None or whole.account_lost is not None,
    )


def folds_held(challenger: Sequence[float | None], champion: Sequence[float | None]) -> int:
    """Folds in which the challenger's ratio is no worse; nothing is worse than a lost account."""
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
    held: int,
    folds: int,
    *,
    p_value: float | None,
    side_by_side: int,
    more_conditions: int,
    lost: bool = False,
) -> Acceptance:
    """Whether a variant may replace the champion: it survives, and three tests on the same folds.

    1. its score is higher: a tie keeps the champion;
    2. it is no worse in more than half of the folds;
    3. by a paired block bootstrap of the difference in excess per unit of risk (the difference of its Sharpe
       ratios), the chance of so large a difference between equals is at most `allowed_error`.

    Args:
        challenger: score of the variant.
        champion: score of the reigning one.
        held: folds in which it is no worse, see `folds_held`.
        folds: how many there are.
        p_value: of the bootstrap; None only where it was not needed, the first two tests having failed.
        side_by_side: see `allowed_error`.
        more_conditions: see `allowed_error`.
        lost: the variant loses its account, in the folds or on the whole development part.
    """
    allowed = allowed_error(side_by_side, more_conditions)
    reason: Reason = "better"
    if lost:
        reason = "account_lost"
    elif challenger <= champion:
        reason = "lower_score"
    elif 2 * held <= folds:
        reason = "uneven"
    elif p_value is None or p_value > allowed:
        reason = "luck"
    return Acceptance(
        accepted=reason == "better", reason=reason, folds_held=held, p_value=p_value, allowed=allowed
    )


def relative_gain(score_now: float, score_before: float) -> float:
    """Gain of score relative to max(score, 1), so that a start near zero does not look like a miracle."""
    return (score_now - score_before) / max(score_before, 1.0)
