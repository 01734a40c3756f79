"""Random valid changes: a strategist that knows what may be changed, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Collection

from backtest import BacktestError, Bounds, StrategySpec
from nodes.errors import ChangeError
from nodes.optimization.changes import (
    AddFilter,
    Change,
    ParamAdjustment,
    RiskManagement,
    SwitchPreset,
    apply_change,
)

ANSWER = 3
"""Changes of one answer: as few as a strategist may propose."""

RISKS = ("stop_loss_pct", "take_profit_pct", "trailing_stop_pct")
FILTERS = ("close > sma(close, {n})", "adx(14) > {m}", "rsi(close, 14) > {m}", "change(close, {n}) > 0")


def thrown(spec: StrategySpec, draw: random.Random, taken: Collection[str] = ()) -> list[Change]:
    """So many different changes that lead somewhere new.

    Args:
        spec: what is changed.
        draw: the dice.
        taken: hashes of strategies that were tried.
    """
    known, found = set(taken), list[Change]()
    while len(found) < ANSWER:
        change = _change(spec, draw)
        try:
            leads = apply_change(spec, change).hash
        except (BacktestError, ChangeError):
            continue
        if leads not in known:
            known.add(leads)
            found.append(change)
    return found


def _change(spec: StrategySpec, draw: random.Random) -> Change:
    bounds = spec.bounds()
    kind = draw.choice([*(["parameter"] if spec.params else []), "risk", "filter", "preset"])
    if kind == "parameter":
        name = draw.choice(sorted(spec.params))
        return ParamAdjustment(kind="param_adjustment", parameter=name, value=within(draw, bounds[name]))
    if kind == "risk":
        rule = draw.choice(RISKS)
        return RiskManagement(kind="risk_management", parameter=rule, value=within(draw, bounds[rule]))
    if kind == "filter":
        words = draw.choice(FILTERS).format(n=draw.randint(5, 200), m=draw.randint(15, 60))
        return AddFilter(kind="add_filter", side="long", condition=words)
    return SwitchPreset(kind="switch_preset", preset=draw.choice(StrategySpec.preset_names()))


def within(draw: random.Random, bounds: Bounds) -> float:
    """A value within bounds, on their steps, each as likely."""
    steps = int((bounds.high - bounds.low) / bounds.step)
    return float(round(bounds.low + draw.randint(0, steps) * bounds.step, 10))
