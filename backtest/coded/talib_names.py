"""TA-Lib's commonest functions by those of the language, for strategies on machines without TA-Lib."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.arrays import PriceArrays
from backtest.engine.bank import IndicatorBank
from backtest.language.parser import parse

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Function:
    """One function of TA-Lib.

    Attributes:
        name: of it.
        inputs: columns it reads, in TA-Lib's order; `close` may be any series.
        defaults: its parameters, in TA-Lib's order.
        outputs: expressions of the language by TA-Lib's names, with the parameters in braces.
    """

    name: str
    inputs: tuple[str, ...]
    defaults: Mapping[str, float]
    outputs: Mapping[str, str]

    def arrays(self, *given: Any, **named: Any) -> Any:
        """As `talib.NAME`: series in order, then parameters; one array, or a tuple of them."""
        columns = dict(zip(self.inputs, map(_floats, given), strict=False))
        found: list[Any] = [*self._computed(columns, given[len(self.inputs) :], named).values()]
        if isinstance(given[0], pd.Series):
            found = [pd.Series(values, index=given[0].index) for values in found]
        return found[0] if len(found) == 1 else tuple(found)

    def abstract(self, prices: Any, *given: Any, **named: Any) -> Any:
        """As `talib.abstract.NAME`: of a table, or of series; a series, or a table of several."""
        if not isinstance(prices, pd.DataFrame):
            return self.arrays(prices, *given, **named)
        read = named.pop("price", None)
        columns = {name: _floats(prices[read or name]) for name in self.inputs}
        found = self._computed(columns, given, named)
        if len(found) == 1:
            (values,) = found.values()
            return pd.Series(values, index=prices.index)
        return pd.DataFrame(found, index=prices.index)

    def _computed(
        self, columns: Mapping[str, Floats], given: tuple[Any, ...], named: Mapping[str, Any]
    ) -> dict[str, Floats]:
        if len(columns) < len(self.inputs) or len(given) > len(self.defaults):
            raise TypeError(f"{self.name}: {', '.join((*self.inputs, *self.defaults))}")
        values = {**self.defaults, **dict(zip(self.defaults, given, strict=False)), **named}
        if unknown := sorted(values.keys() - self.defaults.keys() - {"matype", *_MOVING}):
            raise TypeError(f"{self.name}: {', '.join(unknown)}")
        if any(values.get(name) for name in ("matype", *_MOVING)):
            raise TypeError(f"{self.name}: matype")
        size = len(next(iter(columns.values())))
        unknown_column = np.full(size, np.nan)
        bank = IndicatorBank(
            PriceArrays(*(columns.get(name, unknown_column) for name in PriceArrays._fields))
        )
        return {
            name: np.array(bank.varying(parse(text.format(**values), kind="series")))
            for name, text in self.outputs.items()
        }


_MOVING = ("slowk_matype", "slowd_matype", "fastd_matype")
_BARS = ("high", "low", "close")


def _floats(values: Any) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float64)


def _one(name: str, expression: str, inputs: tuple[str, ...] = ("close",), **defaults: float) -> Function:
    return Function(name, inputs, defaults, {"real": expression})


def _macd(name: str) -> str:
    return f"{name}(close, {{fastperiod}}, {{slowperiod}}, {{signalperiod}})"


FUNCTIONS = {
    one.name: one
    for one in (
        *(
            _one(name, f"{called}(close, {{timeperiod}})", timeperiod=period)
            for name, called, period in (
                ("SMA", "sma", 30),
                ("EMA", "ema", 30),
                ("WMA", "wma", 30),
                ("DEMA", "dema", 30),
                ("TEMA", "tema", 30),
                ("KAMA", "kama", 30),
                ("RSI", "rsi", 14),
                ("ROC", "roc", 10),
                ("MOM", "mom", 10),
                ("TRIX", "trix", 30),
                ("MAX", "highest", 30),
                ("MIN", "lowest", 30),
                ("SUM", "sum", 30),
                ("LINEARREG_SLOPE", "linreg_slope", 14),
            )
        ),
        *(
            _one(name, f"{called}({{timeperiod}})", _BARS, timeperiod=14)
            for name, called in (
                ("ATR", "atr"),
                ("NATR", "natr"),
                ("ADX", "adx"),
                ("PLUS_DI", "plus_di"),
                ("MINUS_DI", "minus_di"),
                ("CCI", "cci"),
                ("WILLR", "williams_r"),
            )
        ),
        _one("MFI", "mfi({timeperiod})", (*_BARS, "volume"), timeperiod=14),
        _one("OBV", "obv()", ("close", "volume")),
        _one("STDDEV", "stddev(close, {timeperiod}) * {nbdev}", timeperiod=5, nbdev=1.0),
        _one("SAR", "psar({acceleration}, {maximum})", ("high", "low"), acceleration=0.02, maximum=0.2),
        _one("AROONOSC", "aroon_oscillator({timeperiod})", ("high", "low"), timeperiod=14),
        Function(
            "AROON",
            ("high", "low"),
            {"timeperiod": 14},
            {"aroondown": "aroon_down({timeperiod})", "aroonup": "aroon_up({timeperiod})"},
        ),
        Function(
            "MACD",
            ("close",),
            {"fastperiod": 12, "slowperiod": 26, "signalperiod": 9},
            {
                "macd": _macd("macd"),
                "macdsignal": _macd("macd_signal"),
                "macdhist": _macd("macd_histogram"),
            },
        ),
        Function(
            "BBANDS",
            ("close",),
            {"timeperiod": 20, "nbdevup": 2.0, "nbdevdn": 2.0},
            {
                "upperband": "bollinger_upper(close, {timeperiod}, {nbdevup})",
                "middleband": "bollinger_middle(close, {timeperiod})",
                "lowerband": "bollinger_lower(close, {timeperiod}, {nbdevdn})",
            },
        ),
        Function(
            "STOCH",
            _BARS,
            {"fastk_period": 5, "slowk_period": 3, "slowd_period": 3},
            {
                "slowk": "stoch_k({fastk_period}, {slowk_period}, {slowd_period})",
                "slowd": "stoch_d({fastk_period}, {slowk_period}, {slowd_period})",
            },
        ),
        Function(
            "STOCHF",
            _BARS,
            {"fastk_period": 5, "fastd_period": 3},
            {
                "fastk": "stoch_k({fastk_period}, 1, {fastd_period})",
                "fastd": "stoch_d({fastk_period}, 1, {fastd_period})",
            },
        ),
    )
}
"""By TA-Lib's names."""
