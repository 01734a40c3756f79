"""What one backtest adds to the evidence: excess over holding, moments, returns by blocks of time.

Where prices drift, being in the market earns without skill. What is judged is therefore the excess over
holding with the same exposure: the strategy's return less its average exposure times the market's. Over the
whole history this is the covariance of position and return, less costs: what the timing was worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backtest.engine import BacktestResult
from backtest.errors import RequestError
from backtest.returns import Returns, bar_returns, moments
from backtest.simulation import BARS, ENTRY_BAR, ENTRY_PRICE, SIDE, SIZE, Floats

TRIAL_BLOCKS = 256


def average_exposure(result: BacktestResult) -> float:
    """Average share of the account that was in the market, shorts negative, as of each entry.

    The first bar cannot be traded, whatever its signal, and is not counted.
    """
    rows = result.trade_values
    if len(rows) == 0:
        return 0.0
    first = len(result.all_times) - len(result.index)
    before = np.concatenate([[result.initial_capital], result.equity_values])
    account = before[np.maximum(0, rows[:, ENTRY_BAR].astype(np.int64) - first)]
    share = np.where(account > 0.0, rows[:, SIZE] * rows[:, ENTRY_PRICE] / np.maximum(account, 1e-300), 0.0)
    return float((rows[:, SIDE] * share * rows[:, BARS]).sum() / max(1, len(result.index) - 1))


def excess_returns(result: BacktestResult, closes: ArrayLike) -> Returns:
    """Returns over holding the market with the strategy's average exposure, one a bar; the first is 0.

    Args:
        result: a backtest, n bars from `trade_from` on.
        closes: closes of all its bars, those of the warm-up included.

    Raises:
        RequestError: `too_few_observations` where the closes are not those of the backtest.
    """
    prices = np.asarray(closes, dtype=np.float64)
    if prices.shape != (len(result.all_times),):
        raise RequestError("too_few_observations", needed=len(result.all_times), found=prices.size)
    held = prices[-len(result.index) :]
    market = np.zeros(held.size)
    market[1:] = held[1:] / held[:-1] - 1.0
    own = bar_returns(result.equity_values, result.initial_capital)
    found: Returns = own - average_exposure(result) * market
    # What holding would have earned to the last digit is no excess: rounding has no Sharpe ratio.
    found[np.abs(found) < 1e-13] = 0.0
    return found


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
    excess = excess_returns(result, closes)
    about = moments(excess)
    return Trial(
        spec_hash=result.spec.hash,
        n_observations=about.n_observations,
        sharpe=moments(bar_returns(result.equity_values, result.initial_capital)).sharpe,
        excess_sharpe=about.sharpe,
        skew=about.skew,
        kurtosis=about.kurtosis,
        blocks=block_sums(excess).astype(np.float32),
    )
