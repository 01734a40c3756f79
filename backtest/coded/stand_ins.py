"""The modules that strategy files import, in the place of backtesting.py and freqtrade.

Neither need be there. These stand in `sys.modules` only while a person's code is read or runs. What a
strategy can do without is a name that says so when it is used.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from backtest.coded import populated, stepped, talib_names
from backtest.errors import CodedError

_lock = threading.RLock()
OURS = ("backtesting", "freqtrade", "talib")


class Absent:
    """A name of a library that is not carried over: it may be imported and stand in annotations."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def _told(self) -> NoReturn:
        raise CodedError("strategy_absent", name=self.__dict__["_name"])

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        self._told()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._told()

    def __getitem__(self, _: Any) -> NoReturn:
        self._told()

    def __iter__(self) -> NoReturn:
        self._told()

    def __mro_entries__(self, _: tuple[Any, ...]) -> NoReturn:
        self._told()  # a class that extends it

    def __or__(self, _: Any) -> Absent:
        return self

    __ror__ = __or__


@contextmanager
def stand_ins() -> Iterator[None]:
    """One thread at a time runs a person's code, and finds these modules."""
    with _lock:
        ours = _modules()
        before = {name: one for name, one in sys.modules.items() if name.partition(".")[0] in _roots(ours)}
        for name in before:
            del sys.modules[name]
        sys.modules.update(ours)
        try:
            yield
        finally:
            for name in [name for name in sys.modules if name.partition(".")[0] in _roots(ours)]:
                del sys.modules[name]
            sys.modules.update(before)


def _roots(ours: dict[str, ModuleType]) -> set[str]:
    return {name.partition(".")[0] for name in ours}


@cache
def _modules() -> dict[str, ModuleType]:
    strategy = {
        name: getattr(populated, name)
        for name in (
            *("IStrategy", "IntParameter", "DecimalParameter", "RealParameter"),
            *("CategoricalParameter", "BooleanParameter"),
        )
    }
    crossings: dict[str, Any] = {"crossover": crossover, "cross": cross, "barssince": barssince}
    crossings["resample_apply"] = stepped.resample_apply
    found = [
        _module("backtesting", Strategy=stepped.Strategy),
        _module("backtesting.lib", **crossings),
        _module("backtesting.test", SMA=_sma),
        _module("freqtrade"),
        _module("freqtrade.strategy", **strategy),
        _module("freqtrade.strategy.interface", IStrategy=populated.IStrategy),
        _module("freqtrade.persistence"),
        _module("freqtrade.exchange"),
        _module("freqtrade.vendor"),
        _module("freqtrade.vendor.qtpylib"),
        _module("freqtrade.vendor.qtpylib.indicators", **populated.QTPYLIB),
    ]
    if find_spec("talib") is None:
        found += talib()
    modules = {one.__name__: one for one in found}
    for name, one in modules.items():
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(modules[parent], last, one)
    return modules


def talib() -> list[ModuleType]:
    """TA-Lib by the functions of the language."""
    functions = talib_names.FUNCTIONS.items()
    return [
        _module("talib", **{name: one.arrays for name, one in functions}),
        _module("talib.abstract", **{name: one.abstract for name, one in functions}),
    ]


def _module(name: str, **names: Any) -> ModuleType:
    """A module of some names; every other one is absent."""
    made = ModuleType(name)
    made.__dict__.update(names)
    made.__path__ = []
    made.__getattr__ = lambda other: _absent(name, other)  # type: ignore[method-assign]
    return made


def _absent(module: str, name: str) -> Absent:
    if name.startswith("__"):
        raise AttributeError(name)
    return Absent(f"{module}.{name}")


def _ends(series: Any) -> tuple[float, float]:
    """The last two values of a series, or twice a number."""
    if isinstance(series, int | float | np.number):
        return float(series), float(series)
    values = series.to_numpy() if isinstance(series, pd.Series) else series
    return values[-2], values[-1]


def crossover(series1: Any, series2: Any) -> bool:
    """Whether one has just gone above the other: `previous <`, and now `>`, as backtesting.py has it."""
    try:
        (before, now), (other_before, other_now) = _ends(series1), _ends(series2)
    except IndexError:
        return False
    return bool(before < other_before and now > other_now)


def cross(series1: Any, series2: Any) -> bool:
    """Whether one has just gone above or below the other."""
    return crossover(series1, series2) or crossover(series2, series1)


def barssince(condition: Any, default: float = np.inf) -> float:
    """Bars since a condition was last true."""
    held = np.flatnonzero(np.asarray(condition))
    return len(condition) - 1 - int(held[-1]) if len(held) else default


def _sma(values: Any, n: int) -> pd.Series:
    """The moving average of backtesting.py's examples."""
    return pd.Series(values).rolling(n).mean()
