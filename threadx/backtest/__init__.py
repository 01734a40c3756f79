"""`threadx.backtest(df, ...)`, and the package in which the seed looks for `threadx.backtest.engine`.

A call and a package of one name: the module itself can be called, so that `threadx.backtest(...)` works
whether or not somebody has imported `threadx.backtest.engine` before. What the call does, its arguments and
its errors stand in `threadx.counted.backtest`; there is nothing to write here.
"""

import sys
from types import ModuleType

from threadx.counted import backtest

__all__ = ["backtest"]


class _CallablePackage(ModuleType):
    """This module: called, it is `threadx.counted.backtest`."""

    __call__ = staticmethod(backtest)


sys.modules[__name__].__class__ = _CallablePackage
