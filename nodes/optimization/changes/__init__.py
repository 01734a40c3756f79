"""Typed changes of a strategy: seven kinds, each a shape that models fill and a pure function spec → spec.

    change = CHANGE.validate_python({"kind": "param_adjustment", "parameter": "fast_period", "value": 8})
    apply_change(spec, change)            # the changed strategy, or a typed refusal
    search_grid(spec, change)             # what numeric search may move; empty unless the change is a range
    describe_change(change, spec, "fr")   # one sentence
    change_hash(change)                   # identity, whatever the spelling

A file a kind; `base` has what they share. A kind is added by a file here and its line in the union.
"""

from nodes.optimization.changes.applying import (
    CHANGE,
    MOST_CONDITIONS,
    Change,
    apply_change,
    change_hash,
    complexity,
    describe_change,
    search_grid,
)
from nodes.optimization.changes.base import PERSONAL, Grid, SearchRange, present
from nodes.optimization.changes.conditions import ReplaceCondition
from nodes.optimization.changes.filters import AddFilter, RemoveFilter
from nodes.optimization.changes.parameters import ParamAdjustment
from nodes.optimization.changes.preset import SwitchPreset
from nodes.optimization.changes.risk import RiskManagement, RiskRule
from nodes.optimization.changes.sizing import METHODS, Sizing

__all__ = [
    "CHANGE",
    "METHODS",
    "MOST_CONDITIONS",
    "PERSONAL",
    "AddFilter",
    "Change",
    "Grid",
    "ParamAdjustment",
    "RemoveFilter",
    "ReplaceCondition",
    "RiskManagement",
    "RiskRule",
    "SearchRange",
    "Sizing",
    "SwitchPreset",
    "apply_change",
    "change_hash",
    "complexity",
    "describe_change",
    "present",
    "search_grid",
]
