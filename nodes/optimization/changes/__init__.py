"""Typed changes of a strategy: each kind a shape that models fill and a pure function spec → spec.

    change = CHANGE.validate_python({"kind": "param_adjustment", "parameter": "fast_period", "value": 8})
    apply_change(spec, change)            # the changed strategy, or a typed refusal
    search_grid(spec, change)             # what numeric search may move; empty unless the change is a range
    describe_change(change, spec, "fr")   # one sentence
    change_hash(change)                   # identity, whatever the spelling

A kind is a file here, its place in the union of `applying` and its table in `prompts/texts/changes`; half a
kind is refused by its name at import. `base` has what they share. A kind that `rules` are to propose by
themselves has a source in `nodes/optimization/policies/changes.py` besides; orders, tables of targets and
several entries have none, so that the published calibration, which is theirs, stands.
"""

from nodes.optimization.changes.applying import (
    CHANGE,
    KINDS,
    MOST_CONDITIONS,
    Change,
    apply_change,
    change_hash,
    code_length,
    complexity,
    describe_change,
    kinds_told,
    search_grid,
)
from nodes.optimization.changes.base import PERSONAL, Grid, SearchRange, present
from nodes.optimization.changes.conditions import ReplaceCondition
from nodes.optimization.changes.entries import SeveralEntries
from nodes.optimization.changes.exits import ProfitTable
from nodes.optimization.changes.filters import AddFilter, RemoveFilter
from nodes.optimization.changes.indicators import NewIndicator
from nodes.optimization.changes.orders import EntryOrder
from nodes.optimization.changes.parameters import ParamAdjustment
from nodes.optimization.changes.preset import SwitchPreset
from nodes.optimization.changes.risk import RiskManagement, RiskRule
from nodes.optimization.changes.sizing import METHODS, Sizing
from nodes.optimization.changes.strategies import NewStrategy
from nodes.optimization.changes.written import Written

__all__ = [
    "CHANGE",
    "KINDS",
    "METHODS",
    "MOST_CONDITIONS",
    "PERSONAL",
    "AddFilter",
    "Change",
    "EntryOrder",
    "Grid",
    "NewIndicator",
    "NewStrategy",
    "ParamAdjustment",
    "ProfitTable",
    "RemoveFilter",
    "ReplaceCondition",
    "RiskManagement",
    "RiskRule",
    "SearchRange",
    "SeveralEntries",
    "Sizing",
    "SwitchPreset",
    "Written",
    "apply_change",
    "change_hash",
    "code_length",
    "complexity",
    "describe_change",
    "kinds_told",
    "present",
    "search_grid",
]
