"""Strategies as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backtest import StrategySpec
from nodes.errors import SettingError


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
