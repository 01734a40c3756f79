"""Strategies that stand in the state as plain JSON: each is read once for as long as it stands there."""

from __future__ import annotations

import threading
from collections import OrderedDict

from backtest import StrategySpec
from base.same import Same
from record.types import Strategy

_MOST = 128
_specs: OrderedDict[Same[Strategy], StrategySpec] = OrderedDict()
_guard = threading.Lock()


def parsed(strategy: Strategy) -> StrategySpec:
    """The strategy in a part of the state.

    Raises:
        StrategyError: it is none.
    """
    if (known := _specs.get(Same(strategy))) is None:
        known = StrategySpec.model_validate(strategy)
        _keep(strategy, known)
    return known


def told(spec: StrategySpec) -> Strategy:
    """A strategy as a part of the state, which nobody needs to read again."""
    strategy: Strategy = spec.model_dump(mode="json")
    _keep(strategy, spec)
    return strategy


def _keep(strategy: Strategy, spec: StrategySpec) -> None:
    with _guard:
        _specs[Same(strategy)] = spec
        while len(_specs) > _MOST:
            _specs.popitem(last=False)
