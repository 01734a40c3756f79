"""True is not 1: no door takes a truth value for a number."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from backtest import Costs, StrategySpec, run_backtest
from backtest.errors import RequestError, StrategyError
from backtest.types import Risk, Sizing
from base.numbers import Numeric, _numbers
from feeds.forecasts import Forecast
from feeds.macro import MacroForecast
from nodes.context import OptimizationContext
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.context import EnsembleContext
from nodes.optimization.changes import CHANGE
from nodes.optimization.schemas import Analysis, Proposals, Verdicts
from nodes.optimization.state import OptimizationInput
from nodes.optimization.trials.approval import Approval
from tests.prices import made_up_prices

ROOTS: list[type[BaseModel]] = [
    *(Costs, Risk, Sizing, StrategySpec, OptimizationContext, EnsembleContext, OptimizationInput, Approval),
    *(Analysis, Proposals, Verdicts, Forecast, MacroForecast),
    *(agent.schema for agent in AGENTS.values()),
]


def models(root: type[BaseModel]) -> set[type[BaseModel]]:
    """A model and those inside it."""
    found, left = set(), [root]
    while left:
        one = left.pop()
        if one in found:
            continue
        found.add(one)
        annotations: list[Any] = [field.annotation for field in one.model_fields.values()]
        while annotations:
            annotation = annotations.pop()
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                left.append(annotation)
            annotations += getattr(annotation, "__args__", ())
    return found


CASES = sorted(
    {(model, name) for root in ROOTS for model in models(root) for name in _numbers(model)},
    key=lambda case: (case[0].__module__, case[0].__qualname__, case[1]),
)


def test_the_walk_meets_every_kind() -> None:
    met = {model.__name__ for model, _ in CASES}
    assert {"Costs", "Risk", "Sizing", "OptimizationContext", "Stance", "Analysis", "ParamAdjustment"} <= met
    assert len(CASES) > 80


@pytest.mark.parametrize(("model", "name"), CASES, ids=[f"{model.__name__}.{name}" for model, name in CASES])
def test_a_truth_value_is_no_number(model: type[BaseModel], name: str) -> None:
    assert issubclass(model, Numeric), "a model that outsiders fill knows numbers from truth values"
    for value in (True, False, [True], {"x": True}):
        with pytest.raises((ValidationError, StrategyError)) as caught:
            model.model_validate({name: value})
        told = caught.value
        if isinstance(told, ValidationError):
            assert name in {str(item["loc"][0]) for item in told.errors()}, value


@pytest.mark.parametrize("capital", [True, "1e4", None])
def test_a_capital_is_a_number(capital: Any) -> None:
    with pytest.raises(RequestError) as refused:
        run_backtest(made_up_prices(60), StrategySpec.preset("buy_and_hold"), initial_capital=capital)
    assert refused.value.code == "bad_request"


def test_a_change_by_a_model_too() -> None:
    given = {"kind": "param_adjustment", "name": "fast_period", "value": True}
    with pytest.raises(ValidationError) as caught:
        CHANGE.validate_python(given)
    assert any("value" in map(str, item["loc"]) for item in caught.value.errors())
