"""Strategies that a person brings as Python code: read, run, and taken into the language.

stand_ins    the modules that such files import, as far as a strategy needs them
talib_names  TA-Lib's commonest functions by the language's own, where TA-Lib is not installed
reading      a file: its digest, its classes, what stands in them
stepped      the class style of backtesting.py: `init`, then `next` at every bar
populated    the three methods of freqtrade
taking       from a class to functions of the language, and to a `StrategySpec` of them

The code runs in this process with its reader's rights: it is his own. `docs/code.md` says so.
"""
