"""What holds for every kind of change: applying it within bounds, its grid, its sentence, its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache, lru_cache, reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args

from pydantic import Field, TypeAdapter

from backtest import BacktestError, StrategySpec
from backtest.cage.description import worth
from backtest.cage.source import Source
from backtest.engine.adopted import all_adopted
from backtest.language.mirror import mirror
from backtest.language.tree import Call, Comparison, Node, meaning, walk
from backtest.types import plain
from base.entries import EntryError
from base.errors import LANGUAGES, catalogue
from base.plugins import with_plugins
from base.same import Same
from nodes.errors import ChangeError
from nodes.optimization.changes.base import Grid, Kind, same_words
from nodes.optimization.changes.conditions import ReplaceCondition
from nodes.optimization.changes.entries import SeveralEntries
from nodes.optimization.changes.exits import ProfitTable
from nodes.optimization.changes.filters import AddFilter, RemoveFilter
from nodes.optimization.changes.indicators import NewIndicator
from nodes.optimization.changes.orders import EntryOrder
from nodes.optimization.changes.parameters import ParamAdjustment
from nodes.optimization.changes.preset import SwitchPreset
from nodes.optimization.changes.risk import RiskManagement
from nodes.optimization.changes.sizing import Sizing
from nodes.optimization.changes.strategies import NewStrategy
from prompts import Language, Words

Logic = ParamAdjustment | AddFilter | RemoveFilter | ReplaceCondition | EntryOrder
Own = (
    Logic | RiskManagement | ProfitTable | Sizing | SeveralEntries | SwitchPreset | NewIndicator | NewStrategy
)
"""The kinds that come with the program."""

_SAID = ("prompt", "example", "sentence", "validated")


def collected(kinds: tuple[type[Kind], ...]) -> dict[str, type[Kind]]:
    """Every kind by its name, in order.

    Raises:
        EntryError: a kind leaves something unsaid, or two have one name; the message names it.
    """
    by_name: dict[str, type[Kind]] = {}
    for kind in kinds:
        (name,) = get_args(kind.model_fields["kind"].annotation)
        missing = sorted(getattr(kind, "__abstractmethods__", ()))
        missing += [] if "degrees" in vars(kind) else ["degrees"]
        fields = {field: about for field, about in kind.model_fields.items() if field != "kind"}
        missing += [f"description of {field}" for field, about in fields.items() if not about.description]
        for language in LANGUAGES:
            texts = catalogue("changes", language)
            wanted = [f"{name}.{key}" for key in _SAID]
            wanted += [f"{name}.expected_{one}" for one in kind.directions] or [f"{name}.expected"]
            wanted += [f"field.{field}" for field in fields]
            missing += [f"changes.{key} ({language})" for key in wanted if key not in texts]
        if missing:
            raise EntryError(f"{name}: {', '.join(missing)} not said")
        if name in by_name:
            raise EntryError(f"{name}: there are two kinds of this name")
        by_name[name] = kind
    return by_name


KINDS: dict[str, type[Kind]] = collected(with_plugins("changes", get_args(Own), collected, texts="changes"))
"""Every kind of change by its name, those of plugins too."""

if TYPE_CHECKING:
    Change: TypeAlias = Own
else:
    Change = Annotated[reduce(or_, KINDS.values()), Field(discriminator="kind")]
CHANGE: TypeAdapter[Change] = TypeAdapter(Change)


@cache
def kinds_told(language: Language, *, code: bool = False) -> str:
    """Every kind in a line, for the strategist's prompt; those that bring code only where it is allowed."""
    words = Words(language)
    told = {name: words(f"changes.{name}.prompt") for name, kind in KINDS.items() if code or not kind.caged}
    return "\n".join(f"- {words('report.pair', name=name, value=said)}" for name, said in told.items())


MOST_CONDITIONS = 12
"""Elementary conditions a strategy may have; what is more fits any history."""

_TESTS = frozenset(("crosses_above", "crosses_below", "rising", "falling"))
_CONDITION_FIELDS = ("condition", "entry", "exit")


def complexity(spec: StrategySpec) -> int:
    """How many different elementary conditions a strategy has: comparisons and crossings anywhere.

    One that serves twice (the exit of one side as the entry of the other), or that is on the short side the
    mirror image of what it is on the long one, is no further degree of freedom.
    """
    return _complexity(Same(spec))


@lru_cache(maxsize=64)
def _complexity(spec: Same[StrategySpec]) -> int:
    parts = {place: _conditions(tree) for place, tree in spec.it.trees.items()}
    found = {meaning(part) for part in (*parts.get("entry_long", ()), *parts.get("exit_long", ()))}
    for place in ("entry", "exit"):
        known = {meaning(part) for part in parts.get(f"{place}_long", ())}
        found |= {meaning(part) for part in parts.get(f"{place}_short", ()) if _mirrored(part) not in known}
    return len(found)


def _conditions(tree: Node) -> list[Node]:
    return [
        part
        for part in walk(tree)
        if isinstance(part, Comparison) or (isinstance(part, Call) and part.function in _TESTS)
    ]


def _mirrored(part: Node) -> str | None:
    try:
        return meaning(mirror(part))
    except BacktestError:
        return None


def code_length(spec: StrategySpec, than: StrategySpec, bars: int, known: Iterable[Source] = ()) -> int:
    """How much longer written functions make a strategy than another one, in elementary conditions.

    Args:
        spec: a strategy.
        than: what it is compared with: what its functions say is known.
        bars: of the development part, which settle parameters.
        known: functions that were told before there were any prices.
    """
    sources = {source.name: source for source, *_ in all_adopted()}
    by_function = {function: name for name, one in sources.items() for function in one.functions}
    mine, theirs = (
        sorted({by_function[called] for called in _called(one) if called in by_function})
        for one in (spec, than)
    )
    told = [*known, *(sources[name] for name in theirs)]
    return worth([sources[name] for name in mine if name not in theirs], bars, told)


def _called(spec: StrategySpec) -> set[str]:
    """Functions that conditions call."""
    return {part.function for tree in spec.trees.values() for part in walk(tree) if isinstance(part, Call)}


def apply_change(spec: StrategySpec, change: Change) -> StrategySpec:
    """The strategy with one change made; of a range, the value nearest to the present one.

    Raises:
        BacktestError: unknown parameter, a value out of bounds, a condition that does not parse or can never
            be true, a side that has no entry.
        ChangeError: `no_change`, `too_many_conditions`, and what its kind refuses.
    """
    changed = change.apply(spec)
    if changed.hash == spec.hash and not change.grid(spec):
        raise ChangeError("no_change", kind=change.kind)
    conditions = complexity(changed)
    if conditions > max(MOST_CONDITIONS, complexity(spec)):
        raise ChangeError("too_many_conditions", conditions=conditions, limit=MOST_CONDITIONS)
    return changed


def search_grid(spec: StrategySpec, change: Change) -> Grid:
    """Values by name that numeric search may choose among; empty where the change fixes everything.

    Raises:
        BacktestError, ChangeError: as `apply_change`.
    """
    return change.grid(spec)


def describe_change(change: Change, before: StrategySpec, language: Language) -> str:
    """One sentence that tells what the change does to the strategy `before` it."""
    return change.describe(before, Words(language))


def change_hash(change: Change) -> str:
    """Identity of a change: 16 hexadecimal digits, equal for equal meaning whatever the spelling.

    Numbers count by value, conditions by their canonical print, names without case.
    """
    words = json.dumps(_canonical(change.model_dump(mode="json")), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _canonical(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _canonical(part, key) for key, part in value.items()}
    if isinstance(value, float):
        return plain(value)
    if isinstance(value, str):
        if name == "level":
            return same_words(value, "series")
        return same_words(value) if name in _CONDITION_FIELDS else value.strip().lower()
    return value
