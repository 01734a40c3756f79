"""Typed changes: applied as pure functions, told in one sentence."""

from __future__ import annotations

from typing import Any

from backtest import BacktestError, StrategySpec
from nodes.optimization.schemas import AddFilter, Change, ParamAdjustment, RiskManagement
from prompts import Language, text


def apply_change(spec: StrategySpec, change: Change) -> StrategySpec:
    """The strategy with one change made.

    A parameter adjustment that names a risk rule is understood as such: models often put it there, and it can
    mean nothing else.

    Raises:
        BacktestError: unknown parameter, value out of bounds, a condition that does not parse, a filter on a
            side that has no entry, or a change that changes nothing.
    """
    match change:
        case ParamAdjustment(parameter=parameter, value=value):
            if parameter not in spec.params and parameter in spec.bounds():
                changed = spec.evolve(risk={parameter: value})
            else:
                changed = spec.evolve(params={parameter: value})
        case AddFilter(side=side, condition=condition):
            changed = spec.with_filter(condition, side=side)
        case RiskManagement(parameter=rule, value=value):
            changed = spec.evolve(risk={rule: value})
    if changed.hash == spec.hash:
        raise BacktestError("no_change", strategy=spec.name)
    return changed


def _figure(value: Any, language: Language) -> str:
    if value is None:
        return text("optimization.change.none", language)
    words = f"{value:g}"
    return words.replace(".", ",") if language == "fr" else words


def describe_change(change: Change, before: StrategySpec, language: Language) -> str:
    """One sentence that tells what the change does to the strategy `before` it."""
    match change:
        case AddFilter(side=side, condition=condition):
            return text(
                "optimization.change.add_filter",
                language,
                side=text(f"optimization.side.{side}", language),
                condition=condition,
            )
        case ParamAdjustment(parameter=parameter, value=value):
            old = before.params.get(parameter, getattr(before.risk, parameter, None))
            return text(
                "optimization.change.parameter",
                language,
                parameter=parameter,
                old=_figure(old, language),
                new=_figure(value, language),
            )
        case RiskManagement(parameter=rule, value=value):
            return text(
                "optimization.change.risk" if value is not None else "optimization.change.risk_removed",
                language,
                parameter=rule,
                old=_figure(getattr(before.risk, rule), language),
                new=_figure(value, language),
            )
