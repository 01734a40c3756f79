"""How the language's functions are computed: one rule a function, from the kernels and from one another.

An indicator that is a sum of simpler ones asks the bank for these, so that conditions and configurations
share them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backtest.kernels.averages import adaptive_average, weighted_fit
from backtest.kernels.channels import (
    half_way_opens,
    parabolic_stop,
    rolling_price,
    session_deviation,
    session_price,
    trailing_bands,
)
from backtest.kernels.indicators import (
    Floats,
    average_true_range,
    convergence_divergence,
    directional_movement,
    distance_from_mean,
    exponential_average,
    extreme_age,
    moving_comoments,
    moving_deviation,
    moving_mean,
    moving_sum,
    relative_strength,
    window_extreme,
)
from backtest.kernels.oscillators import (
    balance_volume,
    bars_since_true,
    commodity_channel,
    money_flow,
    place_in_range,
    quantile_in_window,
    rank_in_window,
)
from backtest.language.functions import FUNCTIONS, periods
from backtest.language.tree import Call, Node, Number, Series
from base.entries import EntryError
from base.plugins import Plugin, guarded, offered


class Bank(Protocol):
    """What the rules need of an indicator bank."""

    def varying(self, node: Node) -> Floats:
        """The value of a bound tree at each bar."""

    def column(self, name: str) -> Floats:
        """A column of the prices."""

    def call(self, node: Call) -> Floats:
        """A function's series, computed once."""

    def truth(self, node: Node, contrary: bool = False) -> NDArray[np.bool_]:
        """Where a bound condition is known to hold."""

    def days(self) -> NDArray[np.int64]:
        """The day of each bar, in the data's own time zone."""


Parts = dict[Node, Floats]
_CLOSE = Series("close")


def _whole(length: int) -> Number:
    return Number(float(length))


def _constant(node: Node) -> float:
    assert isinstance(node, Number), "the call is bound"
    return node.value


def _quotient(over: Floats, under: Floats) -> Floats:
    """A division by zero is not a number, as in the language."""
    with np.errstate(all="ignore"):
        found: Floats = over / under
    found[~np.isfinite(found)] = np.nan
    return found


def _before(values: Floats, bars: int) -> Floats:
    found = np.full(values.size, np.nan)
    found[bars:] = values[:-bars]
    return found


def _sma(bank: Bank, node: Call, period: int) -> Parts:
    return {node: moving_mean(bank.varying(node.arguments[0]), period)}


def _stddev(bank: Bank, node: Call, period: int) -> Parts:
    return {node: moving_deviation(bank.varying(node.arguments[0]), period)}


def _ema(bank: Bank, node: Call, period: int) -> Parts:
    return {node: exponential_average(bank.varying(node.arguments[0]), period)}


def _rsi(bank: Bank, node: Call, period: int) -> Parts:
    return {node: relative_strength(bank.varying(node.arguments[0]), period)}


def _macd(bank: Bank, node: Call, fast: int, slow: int, signal: int) -> Parts:
    lines = convergence_divergence(bank.varying(node.arguments[0]), fast, slow, signal)
    names = ("macd", "macd_signal", "macd_histogram")
    return {Call(name, node.arguments): line for name, line in zip(names, lines, strict=True)}


def _bollinger(bank: Bank, node: Call, period: int) -> Parts:
    mean = bank.call(Call("sma", node.arguments[:2]))
    if node.function == "bollinger_middle":
        return {node: mean}
    sign = 1.0 if node.function == "bollinger_upper" else -1.0
    return {node: mean + sign * _constant(node.arguments[2]) * bank.call(Call("stddev", node.arguments[:2]))}


def _high_low_close(bank: Bank) -> tuple[Floats, Floats, Floats]:
    return bank.column("high"), bank.column("low"), bank.column("close")


def _atr(bank: Bank, node: Call, period: int) -> Parts:
    return {node: average_true_range(*_high_low_close(bank), period)}


def _directions(bank: Bank, node: Call, period: int) -> Parts:
    lines = directional_movement(*_high_low_close(bank), period)
    names = ("plus_di", "minus_di", "adx")
    return {Call(name, node.arguments): line for name, line in zip(names, lines, strict=True)}


def _donchian(bank: Bank, node: Call, period: int) -> Parts:
    if node.function == "donchian_upper":
        return {node: window_extreme(bank.column("high"), 1.0, period)}
    return {node: window_extreme(bank.column("low"), -1.0, period)}


def _extreme(bank: Bank, node: Call, period: int) -> Parts:
    sign = 1.0 if node.function == "highest" else -1.0
    return {node: window_extreme(bank.varying(node.arguments[0]), sign, period)}


def _weighted(bank: Bank, node: Call, period: int) -> Parts:
    mean, slope = weighted_fit(bank.varying(node.arguments[0]), period)
    found: Parts = {Call("wma", node.arguments): mean}
    if period > 1:
        found[Call("linreg_slope", node.arguments)] = slope
    return found


def _dema(bank: Bank, node: Call, period: int) -> Parts:
    once = bank.call(Call("ema", node.arguments))
    return {node: once + (once - exponential_average(once, period))}


def _tema(bank: Bank, node: Call, period: int) -> Parts:
    once = bank.call(Call("ema", node.arguments))
    twice = exponential_average(once, period)
    return {node: 3.0 * (once - twice) + exponential_average(twice, period)}


def _kama(bank: Bank, node: Call, period: int) -> Parts:
    return {node: adaptive_average(bank.varying(node.arguments[0]), period)}


def _mom(bank: Bank, node: Call, period: int) -> Parts:
    values = bank.varying(node.arguments[0])
    return {node: values - _before(values, period)}


def _rate(bank: Bank, node: Call, period: int) -> Parts:
    values = bank.varying(node.arguments[0])
    before = _before(values, period)
    change = 100.0 * _quotient(values - before, before)
    return {Call(name, node.arguments): change for name in ("roc", "percent_change")}


def _natr(bank: Bank, node: Call, period: int) -> Parts:
    return {node: 100.0 * bank.call(Call("atr", node.arguments)) / bank.column("close")}


def _cci(bank: Bank, node: Call, period: int) -> Parts:
    # Typical prices as distances from a price: a third of three of 1e8 would be known to 1e-8 only.
    anchor = bank.column("close")[0]
    moved = sum(bank.column(name) - anchor for name in ("high", "low", "close")) / 3.0
    return {node: commodity_channel(moved, moving_mean(moved, period), period)}


def _high_low(bank: Bank, period: int) -> tuple[Floats, Floats]:
    length = (_whole(period),)
    return bank.call(Call("donchian_upper", length)), bank.call(Call("donchian_lower", length))


def _williams(bank: Bank, node: Call, period: int) -> Parts:
    upper, lower = _high_low(bank, period)
    # 100 below the place of the close, except where high and low are one: 0 there, as in TA-Lib.
    place = place_in_range(bank.column("close"), upper, lower)
    return {node: np.where(upper == lower, 0.0, place - 100.0)}


def _together(name: str, node: Call, line: Floats, smooth: int) -> Parts:
    """Both outputs of a stochastic oscillator, from the bar where the slower one begins."""
    signal = moving_mean(line, smooth)
    line = np.where(np.isnan(signal), np.nan, line)
    return {Call(f"{name}_k", node.arguments): line, Call(f"{name}_d", node.arguments): signal}


def _stochastic(bank: Bank, node: Call, period: int, smooth_k: int, smooth_d: int) -> Parts:
    raw = place_in_range(bank.column("close"), *_high_low(bank, period))
    return _together("stoch", node, moving_mean(raw, smooth_k), smooth_d)


def _stochastic_rsi(bank: Bank, node: Call, period: int, window: int, smooth_d: int) -> Parts:
    strength = bank.call(Call("rsi", node.arguments[:2]))
    raw = place_in_range(
        strength, window_extreme(strength, 1.0, window), window_extreme(strength, -1.0, window)
    )
    return _together("stochrsi", node, raw, smooth_d)


def _mfi(bank: Bank, node: Call, period: int) -> Parts:
    return {node: money_flow(bank.column("typical"), bank.column("volume"), period)}


def _obv(bank: Bank, node: Call) -> Parts:
    return {node: balance_volume(bank.column("close"), bank.column("volume"))}


def _vwap(bank: Bank, node: Call) -> Parts:
    return {node: session_price(bank.column("typical"), bank.column("volume"), bank.days())}


def _rolling_vwap(bank: Bank, node: Call, period: int) -> Parts:
    return {node: rolling_price(bank.column("typical"), bank.column("volume"), period)}


def _keltner(bank: Bank, node: Call, period: int, atr_period: int) -> Parts:
    middle = bank.call(Call("ema", (_CLOSE, _whole(period))))
    width = _constant(node.arguments[1]) * bank.call(Call("atr", (_whole(atr_period),)))
    known = np.isnan(width)
    return {
        Call("keltner_upper", node.arguments): middle + width,
        Call("keltner_middle", node.arguments): np.where(known, np.nan, middle),
        Call("keltner_lower", node.arguments): middle - width,
    }


def _supertrend(bank: Bank, node: Call, period: int) -> Parts:
    line, direction = trailing_bands(
        bank.column("high"),
        bank.column("low"),
        bank.column("close"),
        bank.call(Call("atr", (_whole(period),))),
        _constant(node.arguments[1]),
    )
    return {
        Call("supertrend", node.arguments): line,
        Call("supertrend_direction", node.arguments): direction,
    }


def _middle(bank: Bank, node: Call, period: int) -> Parts:
    upper, lower = _high_low(bank, period)
    return {node: (upper + lower) / 2.0}


def _span_a(bank: Bank, node: Call, conversion: int, base: int) -> Parts:
    first = bank.call(Call("ichimoku_conversion", (_whole(conversion),)))
    return {node: (first + bank.call(Call("ichimoku_base", (_whole(base),)))) / 2.0}


def _zscore(bank: Bank, node: Call, period: int) -> Parts:
    deviation = bank.call(Call("stddev", node.arguments))
    return {node: _quotient(distance_from_mean(bank.varying(node.arguments[0]), period), deviation)}


def _percentile_rank(bank: Bank, node: Call, period: int) -> Parts:
    return {node: rank_in_window(bank.varying(node.arguments[0]), period)}


def _bars_since(bank: Bank, node: Call) -> Parts:
    return {node: bars_since_true(bank.truth(node.arguments[0]))}


def _hma(bank: Bank, node: Call, period: int) -> Parts:
    source = node.arguments[0]
    half, whole = (bank.call(Call("wma", (source, _whole(length)))) for length in (period // 2, period))
    return {node: weighted_fit(half + (half - whole), math.isqrt(period))[0]}


def _trix(bank: Bank, node: Call, period: int) -> Parts:
    values = bank.varying(node.arguments[0])
    known = np.flatnonzero(~np.isnan(values))
    # As distances from the first value: a change of averages has no more digits than they have.
    anchor = values[known[0]] if known.size else 0.0
    thrice = values - anchor
    for _ in range(3):
        thrice = exponential_average(thrice, period)
    before = _before(thrice, 1)
    return {node: 100.0 * _quotient(thrice - before, anchor + before)}


def _psar(bank: Bank, node: Call) -> Parts:
    step, limit = (_constant(one) for one in node.arguments)
    return {node: parabolic_stop(bank.column("high"), bank.column("low"), step, limit)}


def _aroon(bank: Bank, node: Call, period: int) -> Parts:
    name, sign = ("high", 1.0) if node.function == "aroon_up" else ("low", -1.0)
    return {node: 100.0 * (period - extreme_age(bank.column(name), sign, period + 1)) / period}


def _aroon_oscillator(bank: Bank, node: Call, period: int) -> Parts:
    up, down = (bank.call(Call(name, node.arguments)) for name in ("aroon_up", "aroon_down"))
    return {node: up - down}


def _vortex(bank: Bank, node: Call, period: int) -> Parts:
    high, low, close = _high_low_close(bank)
    before = _before(close, 1)
    reach = np.maximum(high - low, np.maximum(np.abs(high - before), np.abs(low - before)))
    reach = moving_sum(reach, period)
    ways = {"vortex_plus": high - _before(low, 1), "vortex_minus": low - _before(high, 1)}
    return {
        Call(name, node.arguments): _quotient(moving_sum(np.abs(way), period), reach)
        for name, way in ways.items()
    }


def _heikin_ashi(bank: Bank, node: Call) -> Parts:
    first, (high, low, last) = bank.column("open"), _high_low_close(bank)
    mean = (first + high + low + last) / 4.0
    begin = half_way_opens((first[0] + last[0]) / 2.0, mean)
    bars = {
        "open": begin,
        "high": np.maximum(high, np.maximum(begin, mean)),
        "low": np.minimum(low, np.minimum(begin, mean)),
        "close": mean,
    }
    return {Call(f"heikin_ashi_{name}", ()): values for name, values in bars.items()}


def _cmf(bank: Bank, node: Call, period: int) -> Parts:
    high, low, close = _high_low_close(bank)
    width = high - low
    place = np.zeros(width.size)
    np.divide((close - low) - (high - close), width, out=place, where=width > 0.0)
    return {node: rolling_price(place, bank.column("volume"), period)}


def _vwap_bands(bank: Bank, node: Call) -> Parts:
    deviation = session_deviation(bank.column("typical"), bank.column("volume"), bank.days())
    sign = 1.0 if node.function == "vwap_upper" else -1.0
    return {node: bank.call(Call("vwap", ())) + sign * _constant(node.arguments[0]) * deviation}


def _sessions(bank: Bank) -> NDArray[np.int64]:
    """The first bar of each bar's session."""
    days = bank.days()
    begins = np.diff(days, prepend=days[0] - 1) != 0
    first: NDArray[np.int64] = np.maximum.accumulate(np.where(begins, np.arange(days.size), 0))
    return first


def _session_open(bank: Bank, node: Call) -> Parts:
    return {node: bank.column("open")[_sessions(bank)]}


def _opening_range(bank: Bank, node: Call, period: int) -> Parts:
    name, sign = ("high", 1.0) if node.function == "opening_range_high" else ("low", -1.0)
    ends = _sessions(bank) + period - 1
    complete = ends <= np.arange(ends.size)
    extremes = window_extreme(bank.column(name), sign, period)
    return {node: np.where(complete, extremes[np.where(complete, ends, 0)], np.nan)}


def _absolute(bank: Bank, node: Call) -> Parts:
    return {node: np.abs(bank.varying(node.arguments[0]))}


def _logarithm(bank: Bank, node: Call) -> Parts:
    values = bank.varying(node.arguments[0])
    found = np.full(values.size, np.nan)
    return {node: np.log(values, out=found, where=values > 0.0)}


def _of_two(bank: Bank, node: Call) -> Parts:
    choose = np.maximum if node.function == "max" else np.minimum
    return {node: choose(*(bank.varying(one) for one in node.arguments))}


def _either(bank: Bank, node: Call) -> Parts:
    condition, first, second = node.arguments
    other = np.where(bank.truth(condition, contrary=True), bank.varying(second), np.nan)
    return {node: np.where(bank.truth(condition), bank.varying(first), other)}


def _sum(bank: Bank, node: Call, period: int) -> Parts:
    return {node: moving_sum(bank.varying(node.arguments[0]), period)}


def _count(bank: Bank, node: Call, period: int) -> Parts:
    held, known = bank.truth(node.arguments[0]), bank.truth(node.arguments[0], contrary=True)
    return {node: moving_sum(np.where(held | known, held.astype(np.float64), np.nan), period)}


def _kept(values: Floats, seen: NDArray[np.bool_], back: int) -> Floats:
    """The values of the last bars that were seen, or of those `back` of them earlier; else not a number."""
    at = np.flatnonzero(seen)
    if at.size <= back:
        return np.full(values.size, np.nan)
    which = np.cumsum(seen) - 1 - back
    return np.where(which >= 0, values[at[np.maximum(which, 0)]], np.nan)


def _value_when(bank: Bank, node: Call, occurrence: int) -> Parts:
    condition, series, _ = node.arguments
    return {node: _kept(bank.varying(series), bank.truth(condition), occurrence)}


def _quantile(bank: Bank, node: Call, period: int) -> Parts:
    series, percent = bank.varying(node.arguments[0]), _constant(node.arguments[2])
    return {node: quantile_in_window(series, period, percent / 100.0)}


def _correlation(bank: Bank, node: Call, period: int) -> Parts:
    series, other = (bank.varying(one) for one in node.arguments[:2])
    covariance, first, second = moving_comoments(series, other, period)
    return {node: np.clip(_quotient(covariance, np.sqrt(first) * np.sqrt(second)), -1.0, 1.0)}


def _beta(bank: Bank, node: Call, period: int) -> Parts:
    first, second = (
        _quotient(values - _before(values, 1), _before(values, 1))
        for values in (bank.varying(one) for one in node.arguments[:2])
    )
    covariance, _, variance = moving_comoments(first, second, period)
    return {node: _quotient(covariance, variance)}


def _pivot(bank: Bank, node: Call, left: int, right: int) -> Parts:
    name, sign = ("high", 1.0) if node.function == "pivot_high" else ("low", -1.0)
    values = bank.column(name)
    swing = _before(values, right)
    before = _before(window_extreme(values, sign, left), right + 1)
    whole = window_extreme(values, sign, left + right + 1)
    return {node: _kept(swing, (swing == whole) & (sign * swing > sign * before), 0)}


_RULES: dict[str, Callable[..., Parts]] = {
    "sma": _sma,
    "stddev": _stddev,
    "ema": _ema,
    "rsi": _rsi,
    "macd": _macd,
    "macd_signal": _macd,
    "macd_histogram": _macd,
    "bollinger_upper": _bollinger,
    "bollinger_middle": _bollinger,
    "bollinger_lower": _bollinger,
    "atr": _atr,
    "adx": _directions,
    "plus_di": _directions,
    "minus_di": _directions,
    "donchian_upper": _donchian,
    "donchian_lower": _donchian,
    "highest": _extreme,
    "lowest": _extreme,
    "wma": _weighted,
    "linreg_slope": _weighted,
    "dema": _dema,
    "tema": _tema,
    "kama": _kama,
    "mom": _mom,
    "change": _mom,
    "roc": _rate,
    "percent_change": _rate,
    "natr": _natr,
    "cci": _cci,
    "williams_r": _williams,
    "stoch_k": _stochastic,
    "stoch_d": _stochastic,
    "stochrsi_k": _stochastic_rsi,
    "stochrsi_d": _stochastic_rsi,
    "mfi": _mfi,
    "obv": _obv,
    "vwap": _vwap,
    "rolling_vwap": _rolling_vwap,
    "keltner_upper": _keltner,
    "keltner_middle": _keltner,
    "keltner_lower": _keltner,
    "supertrend": _supertrend,
    "supertrend_direction": _supertrend,
    "ichimoku_conversion": _middle,
    "ichimoku_base": _middle,
    "ichimoku_span_a": _span_a,
    "ichimoku_span_b": _middle,
    "zscore": _zscore,
    "percentile_rank": _percentile_rank,
    "bars_since": _bars_since,
    "hma": _hma,
    "trix": _trix,
    "psar": _psar,
    "aroon_up": _aroon,
    "aroon_down": _aroon,
    "aroon_oscillator": _aroon_oscillator,
    "vortex_plus": _vortex,
    "vortex_minus": _vortex,
    **{f"heikin_ashi_{name}": _heikin_ashi for name in ("open", "high", "low", "close")},
    "cmf": _cmf,
    "vwap_upper": _vwap_bands,
    "vwap_lower": _vwap_bands,
    "session_open": _session_open,
    "opening_range_high": _opening_range,
    "opening_range_low": _opening_range,
    "abs": _absolute,
    "log": _logarithm,
    "max": _of_two,
    "min": _of_two,
    "if": _either,
    "sum": _sum,
    "count": _count,
    "value_when": _value_when,
    "quantile": _quantile,
    "correlation": _correlation,
    "beta": _beta,
    "pivot_high": _pivot,
    "pivot_low": _pivot,
}


def _of_plugin(plugin: Plugin, name: str, rule: Callable[..., Parts]) -> Callable[..., Parts]:
    """A rule of somebody else's, held to what every rule gives: one value a bar."""

    def values(bank: Bank, node: Call, *lengths: int) -> Parts:
        bars = bank.column("close").size
        parts = rule(bank, node, *lengths)
        given = parts.get(node) if isinstance(parts, dict) else None
        if given is None:
            raise plugin.wrong_values(name, type(parts).__name__, bars)
        found = {part: np.asarray(series, dtype=np.float64) for part, series in parts.items()}
        for series in found.values():
            if series.shape != (bars,):
                raise plugin.wrong_values(name, str(series.shape), bars)
        return found

    return guarded(values, plugin, name)


for _plugin in offered("indicators"):
    _RULES.update({name: _of_plugin(_plugin, name, rule) for name, rule in _plugin.offer("RULES").items()})

_UNEVEN = _RULES.keys() ^ {name for name, entry in FUNCTIONS.items() if not entry.condition}
if _UNEVEN:
    raise EntryError(f"{', '.join(sorted(_UNEVEN))}: a rule without an entry, or an entry without a rule")


def add_rule(name: str, rule: Callable[..., Parts]) -> None:
    """The rule of a function that was taken in while the program runs."""
    _RULES[name] = rule


def remove_rule(name: str) -> None:
    """Forget it."""
    del _RULES[name]


def compute(bank: Bank, node: Call) -> Parts:
    """A function's series, with what its kernel gives besides.

    Raises:
        PriceError: `missing_volume`, where volume is asked for and a bar has none.
        PluginError: a plugin's rule fails, or does not give one value a bar.
        CodeError: one of a library does.
    """
    return _RULES[node.function](bank, node, *periods(node))
