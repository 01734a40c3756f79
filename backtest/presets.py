"""The strategies known by name: conditions over named parameters, with the bounds and steps the field uses.

A preset is nothing but a starting point: the strategy made from it is a strategy like any other, and can be
given filters, exits and risk settings of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from backtest.errors import StrategyError
from backtest.types import Bounds


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """One named strategy.

    Attributes:
        entry_long: condition that opens a long position.
        exit_long: condition that closes it; None holds to the end.
        bounds: each parameter's bounds and default.
        ordered: pairs of parameters of which the first must stay below the second.
        source: where the rules come from.
    """

    entry_long: str
    exit_long: str | None
    bounds: dict[str, Bounds] = field(default_factory=dict)
    ordered: tuple[tuple[str, str], ...] = ()
    source: str


def _whole(default: int, low: int, high: int, step: int = 1) -> Bounds:
    return Bounds(low=low, high=high, step=step, integer=True, default=default)


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
        raise StrategyError("unknown_strategy", name=name, known=", ".join(PRESETS))
    return found
