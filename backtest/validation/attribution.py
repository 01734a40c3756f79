"""What holding earned and what the timing added, a year, with an interval for the timing.

Every bar's return is split in two: the market's return times the average exposure, which holding with that
exposure would have earned, and the excess over it (`backtest.validation.trials`). Both are means a bar times
the bars of a year, so that they add up to the mean return a year exactly.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from backtest.engine.run import BacktestResult
from backtest.statistics.bootstrap import resample
from backtest.statistics.returns import bar_returns
from backtest.validation.trials import average_exposure, excess_returns

LEAST_BARS = 20
"""Bars below which an interval would say nothing."""
TAILS = (2.5, 97.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribution:
    """A mean return a year in two parts; all but the exposure are fractions a year.

    Attributes:
        exposure: average share of the account in the market, shorts negative.
        holding: what holding with this exposure earned.
        timing: what the strategy earned beyond it, costs paid.
        low, high: 95 % interval of the timing, by the stationary bootstrap; None below `LEAST_BARS`.
    """

    exposure: float
    holding: float
    timing: float
    low: float | None
    high: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Plain JSON."""
        return asdict(self)


def attribution(
    result: BacktestResult, closes: ArrayLike | None, generator: np.random.Generator
) -> Attribution:
    """Holding and timing of one backtest.

    Args:
        result: a backtest, n bars from `trade_from` on.
        closes: closes of all its bars, those of the warm-up included; not needed of several instruments.
        generator: of the resamples.

    Raises:
        RequestError: `too_few_observations` where the closes are not those of the backtest.
    """
    excess = excess_returns(result, closes)
    own = bar_returns(result.equity_values, result.initial_capital)
    year = result.periods_per_year
    low = high = None
    if len(excess) >= LEAST_BARS:
        means = resample(excess, generator)[:, 0, 0] * year
        low, high = (float(end) for end in np.percentile(means, TAILS))
    return Attribution(
        exposure=average_exposure(result),
        holding=float((own - excess).mean()) * year,
        timing=float(excess.mean()) * year,
        low=low,
        high=high,
    )
