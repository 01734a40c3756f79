"""Strategies that stand in the state as plain JSON: each is read once for as long as it stands there."""

from __future__ import annotations

from functools import lru_cache

from backtest import StrategySpec
from base.same import Same
from record.types import Strategy


def parsed(strategy: Strategy) -> StrategySpec:
    """The strategy in a part of the state.

    Raises:
        StrategyError: it is none.
    """
    return _parsed(Same(strategy))


@lru_cache(maxsize=128)
def _parsed(strategy: Same[Strategy]) -> StrategySpec:
    return StrategySpec.model_validate(strategy.it)
