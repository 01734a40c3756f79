"""Typed changes: applied as pure functions, told in one sentence."""

from __future__ import annotations

from backtest import StrategySpec
from nodes.optimization.schemas import AddFilter, Change, ParamAdjustment, RiskManagement
from prompts import Language, Words


def apply_change(spec: StrategySpec, change: Change) -> StrategySpec:
    """The strategy with one change made.

    A parameter adjustment that names a risk rule is understood as such: models often put it there, and it
    can mean nothing else.

    Raises:
        BacktestError: unknown parameter, value out of bounds, a condition that does not parse, or a filter
            on a side that has no entry.
    """
    match change:
        case ParamAdjustment(parameter=parameter, value=value):
            if parameter not in spec.params and parameter in spec.bounds():
                return spec.evolve(risk={parameter: value})
            return spec.evolve(params={parameter: value})
        case AddFilter(side=side, condition=condition):
            return spec.with_filter(condition, side=side)
        case RiskManagement(parameter=rule, value=value):
            return spec.evolve(risk={rule: value})


def describe_change(change: Change, before: StrategySpec, language: Language) -> str:
    """One sentence that tells what the change does to the strategy `before` it."""
    words = Words(language)

    def figure(value: float | int | None) -> str:
        return words("optimization.change.none") if value is None else words.short(value)

    match change:
        case AddFilter(side=side, condition=condition):
            return words(
                "optimization.change.add_filter",
                side=words(f"optimization.side.{side}"),
                condition=condition,
            )
        case ParamAdjustment(parameter=parameter, value=value):
            old = before.params.get(parameter, getattr(before.risk, parameter, None))
            return words(
                "optimization.change.parameter", parameter=parameter, old=figure(old), new=figure(value)
            )
        case RiskManagement(parameter=rule, value=value):
            return words(
                "optimization.change.risk" if value is not None else "optimization.change.risk_removed",
                parameter=rule,
                old=figure(getattr(before.risk, rule)),
                new=figure(value),
            )
