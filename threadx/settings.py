"""What a caller gives, checked: settings of the cycle, how prices are read, chains of models."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from nodes.context import RULES, OptimizationContext
from nodes.given import read_context, read_input
from vault import home as homes
from vault.indicators import has_library
from vault.readers.options import Reading

Models = str | Sequence[str]


def make_context(**settings: Any) -> OptimizationContext:
    """The cycle's settings; what is None is left to the environment and the defaults.

    From now on conditions may name the indicators of its data folder.

    Raises:
        SettingError: naming the setting.
        MarketError: `unusable_home`, `damaged_indicator`.
        RequestError: `indicator_name_taken`.
    """
    context = read_context(
        OptimizationContext, {name: value for name, value in settings.items() if value is not None}
    )
    if has_library(context.home_path):
        import_module("vault.adding").use(context.home_path)  # the engine, which not every command needs
    return context


def make_reading(**given: Any) -> Reading:
    """What the caller knows about a price file; what is None is found out.

    Raises:
        SettingError: naming the field.
    """
    return read_input(Reading, {name: value for name, value in given.items() if value is not None})


def chain(model: Models) -> tuple[str, ...]:
    """The chain of models for a role.

    A single model is followed by `rules`, so that an unavailable model degrades the run visibly instead of
    ending it; a sequence is taken exactly as given.
    """
    if isinstance(model, str):
        return (model,) if model == RULES else (model, RULES)
    return tuple(model)


def home_folder(home: str | None) -> Path:
    """The data folder that a command looks into: the one given, or the environment's."""
    return homes.home_folder(homes.default_home() if home is None else home)
