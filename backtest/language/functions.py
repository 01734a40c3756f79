"""The vocabulary of the strategy language: series, functions, their arguments and how many bars each needs.

What TA-Lib has follows its conventions, its outputs of one indicator beginning together. Donchian channels,
`highest` and `lowest` include the current bar: a breakout compares with the previous bar's, `close >
donchian_upper(20)[1]`. Ichimoku's spans stand at the bar they are computed from; the chart draws them 26 bars
later, so what it shows over this bar is `ichimoku_span_a(9, 26)[26]`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from backtest.errors import ExpressionError
from backtest.language.tree import (
    And,
    Arithmetic,
    At,
    Call,
    Comparison,
    Lag,
    Negative,
    Node,
    Not,
    Number,
    Or,
    Parameter,
    Series,
    walk,
)

SERIES = ("open", "high", "low", "close", "volume", "typical", "hour", "weekday")
KEYWORDS = ("and", "or", "not", "at")
LONGEST_PERIOD = 100_000

ArgumentKind = Literal["series", "operand", "period", "number", "condition"]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a function.

    Attributes:
        name: what help and errors call it.
        kind: `series` varies from bar to bar, `operand` may also be constant, `period` is a whole constant
            number of bars, `number` is any constant, `condition` is true or false.
        default: used when the argument is left out; None when it must be given.
        low: the smallest period.
    """

    name: str
    kind: ArgumentKind
    default: Node | None = None
    low: int = 1


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language.

    Attributes:
        arguments: in order.
        condition: whether it is true or false at each bar, instead of a number.
        warm_up: from the periods, in order: bars after the first complete input that have no value yet.
        inputs: columns it reads beside its arguments.
    """

    arguments: tuple[Argument, ...]
    warm_up: Callable[..., int]
    condition: bool = False
    inputs: tuple[str, ...] = ()


_CLOSE, _VOLUME = Series("close"), Series("volume")
_SOURCE = Argument("series", "series", _CLOSE)
_ANY = Argument("series", "series")


def _period(default: int | None = None, low: int = 1, name: str = "period") -> Argument:
    return Argument(name, "period", None if default is None else Number(default), low)


_MACD = Function(
    (_SOURCE, _period(12, 2, "fast"), _period(26, 2, "slow"), _period(9, 1, "signal")),
    lambda fast, slow, signal: slow + signal - 2,
)
_BAND = Function(
    (_SOURCE, _period(20, 2), Argument("deviations", "number", Number(2))), lambda period: period - 1
)
_RANGE = ("high", "low", "close")
_STOCHASTIC = Function(
    (_period(14, 1, "period"), _period(3, 1, "smooth_k"), _period(3, 1, "smooth_d")),
    lambda period, smooth_k, smooth_d: period + smooth_k + smooth_d - 3,
    inputs=_RANGE,
)
_STOCHASTIC_RSI = Function(
    (_SOURCE, _period(14, 2), _period(14, 1, "window"), _period(3, 1, "smooth_d")),
    lambda period, window, smooth_d: period + window + smooth_d - 2,
)
_MULTIPLIER = Argument("multiplier", "number", Number(2))
_KELTNER = Function(
    (_period(20), _MULTIPLIER, _period(10, 1, "atr_period")),
    lambda period, atr_period: max(period - 1, atr_period),
    inputs=_RANGE,
)
_SUPERTREND = Function(
    (_period(10), Argument("multiplier", "number", Number(3))), lambda period: period, inputs=_RANGE
)
_CROSS = Function((Argument("a", "operand"), Argument("b", "operand")), lambda: 1, condition=True)
_TREND = Function((_ANY, _period(1)), lambda period: period, condition=True)

FUNCTIONS: dict[str, Function] = {
    "sma": Function((_SOURCE, _period()), lambda period: period - 1),
    "ema": Function((_SOURCE, _period()), lambda period: period - 1),
    "stddev": Function((_SOURCE, _period(low=2)), lambda period: period - 1),
    "rsi": Function((_SOURCE, _period(14, 2)), lambda period: period),
    "macd": _MACD,
    "macd_signal": _MACD,
    "macd_histogram": _MACD,
    "bollinger_upper": _BAND,
    "bollinger_middle": _BAND,
    "bollinger_lower": _BAND,
    "atr": Function((_period(14),), lambda period: period, inputs=_RANGE),
    "adx": Function((_period(14, 2),), lambda period: 2 * period - 1, inputs=_RANGE),
    "plus_di": Function((_period(14, 2),), lambda period: period, inputs=_RANGE),
    "minus_di": Function((_period(14, 2),), lambda period: period, inputs=_RANGE),
    "wma": Function((_SOURCE, _period()), lambda period: period - 1),
    "dema": Function((_SOURCE, _period()), lambda period: 2 * (period - 1)),
    "tema": Function((_SOURCE, _period()), lambda period: 3 * (period - 1)),
    "kama": Function((_SOURCE, _period(10, 2)), lambda period: period),
    "linreg_slope": Function((_SOURCE, _period(14, 2)), lambda period: period - 1),
    "mom": Function((_SOURCE, _period(10)), lambda period: period),
    "roc": Function((_SOURCE, _period(10)), lambda period: period),
    "natr": Function((_period(14),), lambda period: period, inputs=_RANGE),
    "cci": Function((_period(20, 2),), lambda period: period - 1, inputs=_RANGE),
    "williams_r": Function((_period(14, 2),), lambda period: period - 1, inputs=_RANGE),
    "stoch_k": _STOCHASTIC,
    "stoch_d": _STOCHASTIC,
    "stochrsi_k": _STOCHASTIC_RSI,
    "stochrsi_d": _STOCHASTIC_RSI,
    "mfi": Function((_period(14, 2),), lambda period: period, inputs=(*_RANGE, "volume")),
    "obv": Function((), lambda: 0, inputs=("close", "volume")),
    "vwap": Function((), lambda: 0, inputs=(*_RANGE, "volume")),
    "rolling_vwap": Function((_period(20),), lambda period: period - 1, inputs=(*_RANGE, "volume")),
    "keltner_upper": _KELTNER,
    "keltner_middle": _KELTNER,
    "keltner_lower": _KELTNER,
    "supertrend": _SUPERTREND,
    "supertrend_direction": _SUPERTREND,
    "ichimoku_conversion": Function((_period(9),), lambda period: period - 1, inputs=("high", "low")),
    "ichimoku_base": Function((_period(26),), lambda period: period - 1, inputs=("high", "low")),
    "ichimoku_span_a": Function(
        (_period(9, 1, "conversion"), _period(26, 1, "base")),
        lambda conversion, base: max(conversion, base) - 1,
        inputs=("high", "low"),
    ),
    "ichimoku_span_b": Function((_period(52),), lambda period: period - 1, inputs=("high", "low")),
    "donchian_upper": Function((_period(20),), lambda period: period - 1, inputs=("high",)),
    "donchian_lower": Function((_period(20),), lambda period: period - 1, inputs=("low",)),
    "highest": Function((_ANY, _period()), lambda period: period - 1),
    "lowest": Function((_ANY, _period()), lambda period: period - 1),
    "change": Function((_ANY, _period(1)), lambda period: period),
    "percent_change": Function((_ANY, _period(1)), lambda period: period),
    "zscore": Function((_SOURCE, _period(20, 2)), lambda period: period - 1),
    "percentile_rank": Function((_SOURCE, _period(100)), lambda period: period),
    "bars_since": Function((Argument("condition", "condition"),), lambda: 0),
    "rising": _TREND,
    "falling": _TREND,
    "crosses_above": _CROSS,
    "crosses_below": _CROSS,
}

RESERVED = frozenset((*SERIES, *KEYWORDS, *FUNCTIONS))


def usage(name: str) -> str:
    """How a function is called, for example `rsi(series=close, period=14)`."""
    parts = []
    for argument in FUNCTIONS[name].arguments:
        match argument.default:
            case Number(value=value):
                parts.append(f"{argument.name}={value:g}")
            case Series(name=series):
                parts.append(f"{argument.name}={series}")
            case _:
                parts.append(argument.name)
    return f"{name}({', '.join(parts)})"


def periods(call: Call) -> list[int]:
    """The periods of a bound call, checked.

    Raises:
        ExpressionError: `bad_period` (not whole, too small or too large), `parameter_order` (MACD's fast not
            below slow).
    """
    found = []
    for argument, node in zip(FUNCTIONS[call.function].arguments, call.arguments, strict=True):
        if argument.kind != "period":
            continue
        assert isinstance(node, Number), "the call is bound"
        value = node.value
        if value != int(value) or not argument.low <= value <= LONGEST_PERIOD:
            raise ExpressionError(
                "bad_period",
                function=call.function,
                argument=argument.name,
                value=value,
                low=argument.low,
                high=LONGEST_PERIOD,
            )
        found.append(int(value))
    if call.function.startswith("macd") and found[0] >= found[1]:
        raise ExpressionError(
            "parameter_order", smaller="fast", smaller_value=found[0], larger="slow", larger_value=found[1]
        )
    return found


def lag_bars(node: Lag) -> int:
    """The bars of a bound lag, checked.

    Raises:
        ExpressionError: `negative_lag` (it would look ahead), `bad_period`.
    """
    assert isinstance(node.bars, Number), "the lag is bound"
    value = node.bars.value
    if value < 0:
        raise ExpressionError("negative_lag", lag=value)
    if value != int(value) or value > LONGEST_PERIOD:
        raise ExpressionError(
            "bad_period", function="[]", argument="lag", value=value, low=0, high=LONGEST_PERIOD
        )
    return int(value)


def warm_up(node: Node) -> int:
    """Bars at the start of the data for which a bound tree has no value, every period and lag checked.

    Of a higher timeframe it counts that one's bars.

    Raises:
        ExpressionError: `bad_period`, `negative_lag` or `parameter_order`.
    """
    match node:
        case Call(function=function, arguments=arguments):
            own = FUNCTIONS[function].warm_up(*periods(node))
            return own + max((warm_up(argument) for argument in arguments), default=0)
        case Lag(operand=operand):
            return lag_bars(node) + warm_up(operand)
        case At(operand=operand):
            # A higher bar is one bar at least; how many it really is, the prices tell.
            return warm_up(operand)
        case Negative(operand=operand) | Not(operand=operand):
            return warm_up(operand)
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            return max(warm_up(left), warm_up(right))
        case And(operands=operands) | Or(operands=operands):
            return max(warm_up(operand) for operand in operands)
        case Number() | Series() | Parameter():
            return 0


def reads_volume(node: Node) -> bool:
    """Whether a tree needs to know how much was traded."""
    return any(
        part == _VOLUME or (isinstance(part, Call) and "volume" in FUNCTIONS[part.function].inputs)
        for part in walk(node)
    )
