"""Strategies as they are asked for, and as the state carries them: read once each, for parsing is costly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from backtest import StrategySpec
from nodes.errors import SettingError
from record.types import Strategy

_KEPT = 256


@lru_cache(maxsize=_KEPT)
def _read(words: str) -> StrategySpec:
    return StrategySpec.model_validate_json(words)


def read_spec(strategy: Strategy) -> StrategySpec:
    """The strategy that a StrategySpec in JSON tells; equal ones are one object, which nobody changes.

    Raises:
        BacktestError: not a valid strategy.
    """
    return _read(json.dumps(strategy, sort_keys=True))


def without_inputs(spec: StrategySpec) -> StrategySpec:
    """The strategy, where it reads nothing but prices: vault, roles and judgement know no further series.

    Raises:
        SettingError: `inputs_not_read`.
    """
    if spec.inputs:
        raise SettingError("inputs_not_read", names=", ".join(spec.inputs))
    return spec


def chosen_strategy(strategy: str | StrategySpec, params: Mapping[str, Any] | None) -> StrategySpec:
    """A preset with parameters, or a whole strategy as it is.

    Raises:
        BacktestError: unknown, or a parameter that does not fit.
        SettingError: `params_beside_strategy`: a whole strategy has its values already.
    """
    if not isinstance(strategy, StrategySpec):
        return StrategySpec.preset(strategy, **dict(params or {}))
    if params:
        raise SettingError("params_beside_strategy", names=", ".join(params))
    return strategy
