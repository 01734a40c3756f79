"""Arguments of the Python face, looked at before anything is done: a wrong one gets one sentence."""

from __future__ import annotations

import functools
import inspect
import os
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, ParamSpec, TypeVar

import pandas as pd

from backtest import Costs, Engine, StrategySpec
from base.errors import LANGUAGES, in_language
from base.reasons import nearest, whole
from nodes.errors import SettingError
from threadx.errors import ThreadxError

P = ParamSpec("P")
R = TypeVar("R")

_KINDS: dict[str, tuple[ThreadxError, tuple[Any, ...]]] = {
    "data": (ThreadxError("wanted_prices"), (pd.DataFrame, str, os.PathLike)),
    "strategy": (ThreadxError("wanted_strategy"), (str, StrategySpec)),
    "params": (ThreadxError("wanted_values"), (Mapping,)),
    "grid": (ThreadxError("wanted_grid"), (Mapping,)),
    "inputs": (ThreadxError("wanted_tables"), (Mapping,)),
    "costs": (ThreadxError("wanted_costs"), (Costs,)),
    "engine": (ThreadxError("wanted_engine"), (Engine,)),
    "symbol": (ThreadxError("wanted_words"), (str,)),
    "timeframe": (ThreadxError("wanted_words"), (str,)),
    "timeframes": (ThreadxError("wanted_timeframes"), (str, Sequence)),
    "gaps": (ThreadxError("wanted_words"), (str,)),
    "fill": (ThreadxError("wanted_words"), (str,)),
    "run": (ThreadxError("wanted_words"), (str,)),
    "as_of": (ThreadxError("wanted_words"), (str,)),
    "home": (ThreadxError("wanted_path"), (str, os.PathLike)),
    "others": (ThreadxError("wanted_files"), (Sequence,)),
    "files": (ThreadxError("wanted_files"), (Sequence,)),
    "watch": (ThreadxError("wanted_function"), (Callable,)),
    "decide": (ThreadxError("wanted_function"), (Callable,)),
    "progress": (ThreadxError("wanted_truth"), (bool,)),
    "whole": (ThreadxError("wanted_truth"), (bool,)),
    "initial_capital": (ThreadxError("wanted_number"), (int, float)),
}
"""By the name of an argument: the text that says what it is, and what it may be."""


def checked(*known: Collection[str], but: Collection[str] = ()) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator for a function of the Python face.

    Args:
        *known: names that the function takes as `**settings`.
        but: arguments whose kind the function looks at itself.

    The function's errors speak the language of its `language=`, and it raises, besides its own:
        ThreadxError: `bad_argument`, for what is of another kind.
        SettingError: `unknown_setting`, with the nearest of all names that it takes.
        ReasonError: `system`, `system_nowhere`: files that the system or a database refuses.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        usual = {name: one.default for name, one in signature.parameters.items()}
        own = [name for name, one in signature.parameters.items() if one.kind is not one.VAR_KEYWORD]
        names = {*own, *(name for some in known for name in some)}

        @functools.wraps(function)
        def call(*given: P.args, **named: P.kwargs) -> R:
            spoken = named.get("language")
            with in_language(spoken) if spoken in LANGUAGES else nullcontext():
                for name in named:
                    if name not in names:
                        raise SettingError("unknown_setting", name=name, nearest=nearest(name, names))
                for name, value in {**dict(zip(own, given, strict=False)), **named}.items():
                    looked_at = name in _KINDS and name not in but
                    if looked_at and value is not usual.get(name) and value is not None:
                        check_kind(name, value)
                try:
                    return function(*given, **named)
                except (OSError, sqlite3.Error) as error:
                    raise whole(error) from error

        return call

    return decorate


def check_kind(name: str, value: Any) -> None:
    """Refuse an argument of another kind.

    Raises:
        ThreadxError: `bad_argument`.
    """
    wanted, kinds = _KINDS[name]
    a_text_for_a_list = kinds == (Sequence,) and isinstance(value, str)
    a_truth_for_a_number = kinds == (int, float) and isinstance(value, bool)
    if not isinstance(value, kinds) or a_text_for_a_list or a_truth_for_a_number:
        found = type(value).__name__  # the same in every language
        raise ThreadxError("bad_argument", name=name, found=found, wanted=wanted)
