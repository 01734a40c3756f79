"""Series that no rule can time, each kind one function. Drift pays who holds, not who times."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from backtest.kernels.indicators import Floats
from vault.splits import HOLDOUT_SHARE
from vault.synthetic.bars import DAYS_A_YEAR, DEVIATION, HOURS, NIGHT, bars_of, frame, hourly_bars, real_bars

_LASTING, _DEGREES = 0.98, 6.0
"""How much of a day's excess variance is left the day after; degrees of freedom of shocks."""
_DRIFT = 0.7
"""Yearly Sharpe ratio of holding, where prices drift: more than that of any large index."""
_CALM, _STORM, _STAYS = 0.6, 1.8, 0.98
_JUMPS_A_YEAR, _JUMP = 6.0, 4.0
_SPREAD = 0.004
_BLOCK = 21


def _walk(bars: int, generator: np.random.Generator) -> Floats:
    """Independent normal returns."""
    return bars_of(generator.normal(0.0, DEVIATION, bars), generator)


def _shuffled(bars: int, generator: np.random.Generator) -> Floats:
    """The bars of a real index in another order, their mean return taken away."""
    logs: Floats = real_bars(bars, generator)[generator.permutation(bars)]
    logs -= logs[:, 3].mean()
    return logs


def _flipped(bars: int, generator: np.random.Generator) -> Floats:
    """The bars of a real index in their order, each upside down by the toss of a coin."""
    logs = real_bars(bars, generator)
    upside_down = generator.random(bars) < 0.5
    return np.where(upside_down[:, None], -logs[:, [0, 2, 1, 3]], logs)


def _clustered(bars: int, generator: np.random.Generator, news: float, falls: float) -> Floats:
    """Bars whose variance follows the last returns by `news`, and falls by `falls` more.

    Bollerslev 1986; Glosten, Jagannathan & Runkle 1993. Shocks are Student's t with 6 degrees: normal ones of
    a deviation that is drawn anew each day, which is that of the day's path.
    """
    memory = _LASTING - news - falls / 2.0
    variance = DEVIATION**2
    scales = np.sqrt((_DEGREES - 2.0) / generator.chisquare(_DEGREES, bars))
    shocks = generator.standard_normal(bars) * scales
    deviations = np.empty(bars)
    for t, shock in enumerate(shocks):
        deviations[t] = np.sqrt(variance)
        heard = news + falls * (shock < 0.0)
        variance = (1.0 - _LASTING) * DEVIATION**2 + (heard * shock**2 + memory) * variance
    return bars_of(deviations * shocks, generator, deviations=deviations * scales)


def _garch(bars: int, generator: np.random.Generator) -> Floats:
    """Clustered volatility with fat tails."""
    return _clustered(bars, generator, 0.08, 0.0)


def _leverage(bars: int, generator: np.random.Generator) -> Floats:
    """Clustered volatility that rises after falls; the mean of a return does not depend on the past."""
    return _clustered(bars, generator, 0.01, 0.18)


def _drift(bars: int, generator: np.random.Generator) -> Floats:
    """Independent normal returns with a constant drift up."""
    daily = _DRIFT * DEVIATION / np.sqrt(DAYS_A_YEAR)
    return bars_of(generator.normal(daily, DEVIATION, bars), generator)


def _reversal(bars: int, generator: np.random.Generator) -> Floats:
    """A drift up that turns into the same drift down where the holdout begins."""
    rows = _drift(bars, generator)
    daily = _DRIFT * DEVIATION / np.sqrt(DAYS_A_YEAR)
    rows[-int(bars * HOLDOUT_SHARE) :, 1:] -= 2.0 * daily
    rows[:, 2] = np.minimum(rows[:, 2], np.minimum(rows[:, 0], rows[:, 3]))
    rows[:, 1] = np.maximum(rows[:, 1], np.maximum(rows[:, 0], rows[:, 3]))
    return rows


def _jumps(bars: int, generator: np.random.Generator) -> Floats:
    """Normal returns and, at random days, gaps of four deviations up or down."""
    at = generator.random(bars) < _JUMPS_A_YEAR / DAYS_A_YEAR
    gaps = np.where(at, generator.choice((-1.0, 1.0), bars) * _JUMP * DEVIATION, 0.0)
    return bars_of(gaps + generator.normal(0.0, DEVIATION, bars), generator, gaps)


def _rearranged(bars: int, generator: np.random.Generator) -> Floats:
    """Months of a real index in another order, less their mean: what lasts longer than a month is gone."""
    logs: Floats = real_bars(bars, generator)
    pieces = np.array_split(np.arange(bars), max(1, bars // _BLOCK))
    logs = logs[np.concatenate([pieces[place] for place in generator.permutation(len(pieces))])]
    logs -= logs[:, 3].mean()
    return logs


def _regimes(bars: int, generator: np.random.Generator) -> Floats:
    """Calm and stormy times by turns, fifty days each on average; both without a drift."""
    stormy = np.cumsum(generator.random(bars) > _STAYS) % 2 == 1
    deviations = np.where(stormy, _STORM, _CALM) * DEVIATION
    return bars_of(deviations * generator.standard_normal(bars), generator, deviations=deviations)


def _bounce(bars: int, generator: np.random.Generator) -> Floats:
    """A walk seen at bid or ask by chance (Roll 1984): closes reverse; orders fill at the next open."""
    opened, closed = generator.choice((-0.5, 0.5), (2, bars)) * _SPREAD
    before = np.concatenate([[0.0], closed[:-1]])
    moves = generator.normal(0.0, DEVIATION, bars)
    return bars_of(moves + closed - before, generator, opened - before)


def _hours(days: int, generator: np.random.Generator) -> Floats:
    """Independent hourly returns: how far prices move depends on the hour, which way does not."""
    nights = generator.normal(0.0, np.sqrt(NIGHT) * DEVIATION, days)
    return hourly_bars(generator.standard_normal(days * HOURS), nights, generator)


NULLS: dict[str, Callable[[int, np.random.Generator], Floats]] = {
    "walk": _walk,
    "shuffled": _shuffled,
    "flipped": _flipped,
    "garch": _garch,
    "drift": _drift,
    "reversal": _reversal,
    "leverage": _leverage,
    "jumps": _jumps,
    "rearranged": _rearranged,
}
"""Kinds of series without an edge that rules and bounds may be tuned on."""

NULLS_KEPT: dict[str, Callable[[int, np.random.Generator], Floats]] = {
    "regimes": _regimes,
    "bounce": _bounce,
}
"""Kinds for the benchmark alone: never looked at while tuning."""


NULLS_INTRADAY: dict[str, Callable[[int, np.random.Generator], Floats]] = {"hours": _hours}
"""Kinds of hourly bars."""


def null_prices(kind: str, days: int, generator: np.random.Generator) -> pd.DataFrame:
    """Prices that no rule can time: daily bars, or hourly ones.

    Args:
        kind: of `NULLS`, `NULLS_KEPT` or `NULLS_INTRADAY`, whose docstrings say what they are.
        days: how many.
        generator: randomness.
    """
    logs = {**NULLS, **NULLS_KEPT, **NULLS_INTRADAY}[kind](days, generator)
    return frame(logs, bars_a_day=len(logs) // days)
