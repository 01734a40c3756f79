"""Strategies as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backtest import Risk, Sizing, StrategySpec
from backtest.types import Input
from nodes.errors import SettingError
from record.types import OWN


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


def own_strategy(
    conditions: Mapping[str, str | None],
    values: Mapping[str, float | str | None],
    inputs: Mapping[str, Input] | None = None,
) -> StrategySpec:
    """A strategy of somebody's own conditions.

    Args:
        conditions: and levels of orders, by their place (`backtest.types.PLACES`).
        values: of their parameters, and settings of risk and sizing, by name; None is off.
        inputs: further series that they read.

    Raises:
        BacktestError: not a valid strategy.
    """
    groups: dict[str, dict[str, float | str | None]] = {"params": {}, "risk": {}, "sizing": {}}
    for name, value in values.items():
        if name in Risk.model_fields or name in Sizing.model_fields:
            groups["risk" if name in Risk.model_fields else "sizing"][name] = value
        elif value is not None:
            groups["params"][name] = value
    return StrategySpec.model_validate({"name": OWN, **groups, **conditions, "inputs": dict(inputs or {})})
