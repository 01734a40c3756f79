"""The strategies known by name: conditions over named parameters, with the bounds and steps the field uses.

A preset is nothing but a starting point: the strategy made from it is a strategy like any other, and can be
given filters, exits and risk settings of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from backtest.errors import StrategyError
from backtest.types import Bounds
from base.reasons import told_known


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """One named strategy.

    Attributes:
        entry_long: condition that opens a long position.
        exit_long: condition that closes it; None holds to the end.
        entry_short: condition that opens a short position; None trades the long side only.
        exit_short: condition that closes it.
        bounds: each parameter's bounds and default.
        risk: risk settings it starts with.
        ordered: pairs of parameters of which the first must stay below the second.
        source: where the rules come from.
    """

    entry_long: str
    exit_long: str | None
    entry_short: str | None = None
    exit_short: str | None = None
    bounds: dict[str, Bounds] = field(default_factory=dict)
    risk: dict[str, float] = field(default_factory=dict)
    ordered: tuple[tuple[str, str], ...] = ()
    source: str


def _whole(default: int, low: int, high: int, step: int = 1) -> Bounds:
    return Bounds(low=low, high=high, step=step, integer=True, default=default)


def _real(default: float, low: float, high: float, step: float) -> Bounds:
    return Bounds(low=low, high=high, step=step, integer=False, default=default)


_FAST_SLOW = (("fast_period", "slow_period"),)

PRESETS: dict[str, Preset] = {
    "ma_crossover": Preset(
        entry_long="crosses_above(sma(close, fast_period), sma(close, slow_period))",
        exit_long="crosses_below(sma(close, fast_period), sma(close, slow_period))",
        bounds={"fast_period": _whole(5, 2, 100), "slow_period": _whole(20, 5, 400, 5)},
        ordered=_FAST_SLOW,
        source="two simple moving averages; Brock, Lakonishok, LeBaron (1992)",
    ),
    "ema_crossover": Preset(
        entry_long="crosses_above(ema(close, fast_period), ema(close, slow_period))",
        exit_long="crosses_below(ema(close, fast_period), ema(close, slow_period))",
        bounds={"fast_period": _whole(12, 2, 100), "slow_period": _whole(26, 5, 400, 5)},
        ordered=_FAST_SLOW,
        source="two exponential moving averages",
    ),
    "rsi_reversion": Preset(
        entry_long="rsi(close, rsi_period) < oversold",
        exit_long="rsi(close, rsi_period) > overbought",
        bounds={
            "rsi_period": _whole(14, 2, 50),
            "oversold": Bounds(low=5, high=49, step=5, integer=False, default=30),
            "overbought": Bounds(low=50, high=95, step=5, integer=False, default=70),
        },
        ordered=(("oversold", "overbought"),),
        source="Wilder, New Concepts in Technical Trading Systems (1978)",
    ),
    "bollinger_reversion": Preset(
        entry_long="close < bollinger_lower(close, period, deviations)",
        exit_long="close > bollinger_middle(close, period, deviations)",
        bounds={
            "period": _whole(20, 5, 200, 5),
            "deviations": Bounds(low=0.5, high=4.0, step=0.25, integer=False, default=2.0),
        },
        source="Bollinger on Bollinger Bands (2001)",
    ),
    "donchian_breakout": Preset(
        entry_long="close > donchian_upper(entry_period)[1]",
        exit_long="close < donchian_lower(exit_period)[1]",
        bounds={"entry_period": _whole(20, 5, 250, 5), "exit_period": _whole(10, 2, 150, 5)},
        source="the Turtles' first system, 20 and 10 bars",
    ),
    "macd_trend": Preset(
        entry_long=(
            "crosses_above(macd(close, fast_period, slow_period, signal_period), "
            "macd_signal(close, fast_period, slow_period, signal_period))"
        ),
        exit_long=(
            "crosses_below(macd(close, fast_period, slow_period, signal_period), "
            "macd_signal(close, fast_period, slow_period, signal_period))"
        ),
        bounds={
            "fast_period": _whole(12, 2, 50),
            "slow_period": _whole(26, 5, 150),
            "signal_period": _whole(9, 2, 50),
        },
        ordered=_FAST_SLOW,
        source="Appel (1979)",
    ),
    "bollinger_atr": Preset(
        entry_long=(
            "low < bollinger_lower(close, period, deviations) and zscore(close, period) < -entry_zscore"
        ),
        exit_long="close > bollinger_middle(close, period, deviations)",
        entry_short=(
            "high > bollinger_upper(close, period, deviations) and zscore(close, period) > entry_zscore"
        ),
        exit_short="close < bollinger_middle(close, period, deviations)",
        bounds={
            "period": _whole(20, 5, 200, 5),
            "deviations": _real(2.0, 0.5, 4.0, 0.25),
            "entry_zscore": _real(1.5, 0.0, 4.0, 0.25),
        },
        risk={"stop_loss_atr": 2.0, "atr_period": 14},
        source="a bar that reaches beyond the band and closes far from the mean; out at the middle band",
    ),
    "supertrend": Preset(
        entry_long="crosses_above(supertrend_direction(period, multiplier), 0)",
        exit_long="crosses_below(supertrend_direction(period, multiplier), 0)",
        bounds={"period": _whole(10, 5, 50), "multiplier": _real(3.0, 1.0, 6.0, 0.5)},
        source="Seban's SuperTrend, 10 and 3",
    ),
    "keltner_breakout": Preset(
        entry_long="close > keltner_upper(period, multiplier, atr_window)",
        exit_long="close < keltner_middle(period, multiplier, atr_window)",
        bounds={
            "period": _whole(20, 5, 200, 5),
            "multiplier": _real(2.0, 0.5, 5.0, 0.25),
            "atr_window": _whole(10, 5, 50),
        },
        source="Keltner's channels as Raschke drew them: exponential average and average true range",
    ),
    "stochastic_reversion": Preset(
        entry_long=(
            "crosses_above(stoch_k(period, smooth_k, smooth_d), stoch_d(period, smooth_k, smooth_d)) "
            "and stoch_k(period, smooth_k, smooth_d) < oversold"
        ),
        exit_long="stoch_k(period, smooth_k, smooth_d) > overbought",
        bounds={
            "period": _whole(14, 5, 50),
            "smooth_k": _whole(3, 1, 10),
            "smooth_d": _whole(3, 1, 10),
            "oversold": _real(20, 5, 49, 5),
            "overbought": _real(80, 50, 95, 5),
        },
        ordered=(("oversold", "overbought"),),
        source="Lane's stochastic oscillator, slow, 14-3-3",
    ),
    "adx_trend": Preset(
        entry_long="plus_di(period) > minus_di(period) and adx(period) > threshold",
        exit_long="plus_di(period) < minus_di(period)",
        bounds={"period": _whole(14, 5, 50), "threshold": _real(25, 10, 50, 5)},
        source="Wilder, New Concepts in Technical Trading Systems (1978)",
    ),
    "buy_and_hold": Preset(
        entry_long="close > 0",
        exit_long=None,
        source="the benchmark: in at the first bar, out at the last",
    ),
}


def preset_name(name: str) -> str:
    """A preset's own name for one in any case, with spaces or dashes (`MA-Crossover` is `ma_crossover`).

    Raises:
        StrategyError: `unknown_strategy`.
    """
    found = re.sub(r"[\s\-]+", "_", name.strip().lower())
    if found not in PRESETS:
        raise StrategyError("unknown_strategy", name=name, known=told_known(found, PRESETS))
    return found
