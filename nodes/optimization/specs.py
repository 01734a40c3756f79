"""Strategies as the state carries them, read back once each: parsing their conditions is costly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from backtest import StrategySpec

_KEPT = 256


@lru_cache(maxsize=_KEPT)
def _read(words: str) -> StrategySpec:
    return StrategySpec.model_validate_json(words)


def read_spec(strategy: Mapping[str, Any]) -> StrategySpec:
    """The strategy that a StrategySpec in JSON tells; equal ones are one object, which nobody changes.

    Raises:
        BacktestError: not a valid strategy.
    """
    return _read(json.dumps(strategy, sort_keys=True))
