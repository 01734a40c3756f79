"""A strategy as data: conditions over named parameters, and risk settings, printed and hashed canonically."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import numbers
from collections.abc import Collection, Container, Mapping
from dataclasses import fields
from functools import cached_property
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from backtest.engine.ranking import ACCOUNT_LOST
from backtest.errors import StrategyError
from backtest.language.contradiction import check_possible
from backtest.language.functions import FUNCTIONS, reserved, warm_up
from backtest.language.mirror import mirror, mirrored_level
from backtest.language.parser import parse
from backtest.language.tree import (
    And,
    Call,
    Comparison,
    Lag,
    Node,
    Parameter,
    bind,
    children,
    meaning,
    own_series,
    parameters,
    show,
    walk,
)
from backtest.presets import PRESETS, preset_name
from backtest.types import (
    CANCELS,
    ENTRY_LEVELS,
    LADDERS,
    LEVELS,
    PLACES,
    RISK_BOUNDS,
    SIZES,
    SIZING_BOUNDS,
    STOPS,
    Bounds,
    Costs,
    Input,
    Metrics,
    Risk,
    Sizing,
    Strict,
    held,
    plain,
)
from base.labels import Label, shown
from base.reasons import LONGEST_COMPARED, told_known

PERCENT_INDICATORS = (
    *("rsi", "adx", "plus_di", "minus_di", "stoch_k", "stoch_d", "stochrsi_k", "stochrsi_d", "mfi"),
    "percentile_rank",
)

LONGEST_NAME = 60
"""Letters of a parameter's name."""

T = TypeVar("T")
Side = Literal["long", "short", "both"]
# A grid may also say which sides are traded.
SIDE_AXIS = "side"
# Grids, tables and proposals tell parameters from settings, costs and metrics by nothing but their names.
TAKEN = frozenset((*Risk.model_fields, *Sizing.model_fields, *Costs.model_fields, SIDE_AXIS)) | {
    *(field.name for field in fields(Metrics)),
    ACCOUNT_LOST,
}
Condition = Annotated[str | None, Field(max_length=2_000)]


def _nearest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    return (difflib.get_close_matches(name[:LONGEST_COMPARED], list(known), n=1, cutoff=0.4) or [""])[0]


class StrategySpec(Strict):
    """What is traded, and when: everything `run_backtest` needs beside prices and costs.

    Every refusal is a BacktestError. `model_dump(mode="json")` and `model_validate` are each other's inverse.

    Attributes:
        name: for people; no part of the meaning.
        params: values of the names that the conditions use, whole numbers as int. No name of the language
            (`reserved_name`), nor of a setting, a cost or a metric (`taken_name`), can be a parameter's.
        entry_long: condition that opens a long position, printed canonically; None never does.
        exit_long: condition that closes it; None leaves that to risk settings and the end of the data.
        entry_short: condition that opens a short position.
        exit_short: condition that closes it.
        entry_limit_long: price level, a series: an entry signal then places an order to buy at it or below,
            which waits `risk.order_bars` bars. What orders do is told in `backtest.kernels.orders.walk`.
        entry_stop_long: price level at or above which such an order is live.
        entry_limit_short, entry_stop_short: likewise, to sell short at or above, once at or below.
        cancel_long, cancel_short: condition that calls off the side's order.
        exit_stop_long: price level, a series: its value on the bar whose signal opened the position is one
            more stop of that position; unknown is none.
        exit_limit_long: likewise one more target.
        exit_stop_short, exit_limit_short: likewise.
        risk: levels and limits that close a position whatever the signals say.
        sizing: how much a position is worth.
        family: the preset it came from, if any: source of bounds and of the order of parameters.
        param_bounds: bounds of parameters that no preset knows; inferred from their use where absent.
        inputs: further series that the conditions read, by name: a column of the prices (`sentiment`), or a
            column of another table (`btc.close`). What is declared is part of the meaning.
    """

    name: Label
    params: dict[str, int | float] = Field(default_factory=dict)
    entry_long: Condition = None
    exit_long: Condition = None
    entry_short: Condition = None
    exit_short: Condition = None
    entry_limit_long: Condition = None
    entry_stop_long: Condition = None
    entry_limit_short: Condition = None
    entry_stop_short: Condition = None
    cancel_long: Condition = None
    cancel_short: Condition = None
    exit_stop_long: Condition = None
    exit_limit_long: Condition = None
    exit_stop_short: Condition = None
    exit_limit_short: Condition = None
    risk: Risk = Field(default_factory=Risk)
    sizing: Sizing = Field(default_factory=Sizing)
    family: str | None = None
    param_bounds: dict[str, Bounds] = Field(default_factory=dict)
    inputs: dict[str, Input] = Field(default_factory=dict)
    _offered: dict[str, Input] = PrivateAttr(default_factory=dict)

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Plain fields; of no further series, and of no orders, nothing is said, as before there were any."""
        found: dict[str, Any] = handler(self)
        nothing = ("inputs", *LEVELS, *CANCELS)
        if self.sizing.max_entries == 1:
            found.get("sizing", {}).pop("max_entries", None)
        for name in ("order_bars", *LADDERS):
            if getattr(self.risk, name) is None:
                found.get("risk", {}).pop(name, None)
        return {name: value for name, value in found.items() if value or name not in nothing}

    @model_validator(mode="before")
    @classmethod
    def _whole_units_are_sizing(cls, value: Any) -> Any:
        """Strategies written before there was sizing kept `whole_units` among the risk settings."""
        if isinstance(value, dict) and isinstance(value.get("risk"), dict) and "whole_units" in value["risk"]:
            risk = dict(value["risk"])
            whole = risk.pop("whole_units")
            sizing = value.get("sizing")
            given = sizing.model_dump() if isinstance(sizing, Sizing) else dict(sizing or {})
            return {**value, "risk": risk, "sizing": {"whole_units": whole, **given}}
        return value

    @field_validator("params", mode="before")
    @classmethod
    def _plain_params(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        found: dict[str, float] = {}
        for name, number in value.items():
            lowered = str(name).lower()[: LONGEST_NAME + 1]
            if number is None:
                raise StrategyError("parameter_without_value", name=lowered)
            real = isinstance(number, numbers.Real) and not isinstance(number, bool)
            if not real or not math.isfinite(held(number)):
                raise StrategyError("parameter_not_a_number", name=lowered, value=shown(number))
            if not lowered.isidentifier() or lowered in reserved() or len(lowered) > LONGEST_NAME:
                raise StrategyError("reserved_name", name=lowered)
            if lowered in TAKEN:
                raise StrategyError("taken_name", name=lowered, suggested=f"own_{lowered}")
            if lowered in found:
                raise StrategyError("repeated_name", name=lowered)
            found[lowered] = plain(float(number))
        return found

    @field_validator("inputs", mode="before")
    @classmethod
    def _named_inputs(cls, value: Any) -> Any:
        return by_series_name(value) if isinstance(value, Mapping) else value

    @field_validator("family")
    @classmethod
    def _known_family(cls, value: str | None) -> str | None:
        return None if value is None else preset_name(value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not {"entry_long", "entry_short"} & self.trees.keys():
            raise StrategyError("no_entry", name=self.name)
        for side in ("long", "short"):
            if f"exit_{side}" in self.trees and f"entry_{side}" not in self.trees:
                raise StrategyError("exit_without_entry", side=side)
        self._check_orders()
        for place in PLACES:
            tree = self.trees.get(place)
            # Frozen for everybody else: a strategy shows its conditions in canonical form only.
            self.__dict__[place] = None if tree is None else show(tree)
        used = set().union(*(parameters(tree) for tree in self.trees.values()))
        for name in self.params:
            if name not in used:
                raise StrategyError("unknown_parameter", name=name, known=told_known(name, used))
        for name in self.inputs:
            if self._is_parameter(name):
                raise StrategyError("input_is_parameter", name=name)
            if not any(name in own_series(tree) for tree in self.trees.values()):
                raise StrategyError("unused_input", name=name)
        for name in self.param_bounds:
            if name not in self.params:
                raise StrategyError("unknown_parameter", name=name, known=told_known(name, self.params))
        check_values(self, self.params)
        if self.sizing.risk_per_trade_pct is not None and not self.risk.has_stop:
            raise StrategyError("risk_without_stop", known=", ".join(STOPS))
        if self.sizing.max_entries > 1 and not any(getattr(self.sizing, name) for name in SIZES):
            raise StrategyError("entries_without_size", known=", ".join(SIZES))
        _ = self.lookback()
        for place, tree in self.bound_trees.items():
            if place not in LEVELS:
                check_possible(tree)
        return self

    def _check_orders(self) -> None:
        """Refuse what says something of orders that there are none of."""
        for place in (*LEVELS, *CANCELS):
            side = place.rpartition("_")[2]
            if place not in self.trees:
                continue
            if f"entry_{side}" not in self.trees:
                raise StrategyError("order_without_entry", name=place, side=side)
            waits = any(level.endswith(side) and level in self.trees for level in ENTRY_LEVELS)
            if place in CANCELS and not waits:
                raise StrategyError("cancel_without_level", name=place, side=side)
        if self.risk.order_bars is not None and not self.has_levels:
            raise StrategyError("order_bars_without_level", known=", ".join(ENTRY_LEVELS))

    @cached_property
    def trees(self) -> dict[str, Node]:
        """The conditions and levels that exist, parsed, parameters unbound, by their fields."""
        return read_trees({place: getattr(self, place) for place in PLACES}, self.params, self.kinds)

    @property
    def has_levels(self) -> bool:
        """Whether a side enters by orders at levels."""
        return not self.trees.keys().isdisjoint(ENTRY_LEVELS)

    @property
    def fills_inside_bars(self) -> bool:
        """Whether an order, a stop or a target is filled between a bar's open and its close."""
        inside = (*STOPS, "take_profit_pct", "take_profit_atr", "break_even_pct", *LADDERS)
        levels = not self.trees.keys().isdisjoint(LEVELS)
        return levels or any(getattr(self.risk, name) is not None for name in inside)

    @property
    def kinds(self) -> dict[str, str]:
        """Kinds of the further series that conditions may read, for `backtest.language.parser.parse`."""
        return {name: declared.kind for name, declared in self.readable.items()}

    @property
    def offered(self) -> dict[str, Input]:
        """The further series that changes may read and this strategy does not declare."""
        return {name: one for name, one in self._offered.items() if name not in self.inputs}

    @property
    def readable(self) -> dict[str, Input]:
        """The further series that are declared, and those that are offered."""
        return {**self._offered, **self.inputs}

    def offering(self, inputs: Mapping[str, Input]) -> StrategySpec:
        """The same strategy, whose changes may read further series too: what they read is then declared.

        A series that is called as one of its parameters is none on offer here.

        Raises:
            StrategyError: `input_name`, `reserved_input`, `repeated_name`.
        """
        found = self.model_copy()
        named = by_series_name(inputs)
        found._offered = {name: one for name, one in named.items() if not self._is_parameter(name)}
        return found

    def _is_parameter(self, name: str) -> bool:
        """Whether a series' name, or that of its table, is a parameter's."""
        return not self.params.keys().isdisjoint((name, name.partition(".")[0]))

    @cached_property
    def bound_trees(self) -> dict[str, Node]:
        """`trees`, every parameter replaced by its value."""
        return {place: bind(tree, self.params) for place, tree in self.trees.items()}

    @staticmethod
    def preset_names() -> list[str]:
        """Names of the built-in strategies."""
        return list(PRESETS)

    @classmethod
    def preset(cls, name: str, /, **values: Any) -> StrategySpec:
        """A built-in strategy.

        Args:
            name: of the preset, in any case, with spaces or dashes.
            **values: parameters of the strategy, settings of risk and sizing; the rest keeps its default.

        Raises:
            StrategyError: `unknown_strategy`, `unknown_parameter`, `parameter_out_of_bounds`,
                `parameter_order` …
        """
        name = preset_name(name)
        preset = PRESETS[name]
        known = [*preset.bounds, *Risk.model_fields, *Sizing.model_fields]
        params: dict[str, Any] = {key: bounds.default for key, bounds in preset.bounds.items()}
        risk: dict[str, Any] = dict(preset.risk)
        sizing: dict[str, Any] = {}
        for key, value in values.items():
            lowered = key.lower()
            if lowered in params:
                params[lowered] = value
            elif lowered in Risk.model_fields:
                risk[lowered] = value
            elif lowered in Sizing.model_fields:
                sizing[lowered] = value
            else:
                raise StrategyError("unknown_parameter", name=key, known=told_known(key, known))
        return cls(
            name=name,
            family=name,
            params=params,
            entry_long=preset.entry_long,
            exit_long=preset.exit_long,
            entry_short=preset.entry_short,
            exit_short=preset.exit_short,
            risk=Risk(**risk),
            sizing=Sizing(**sizing),
        )

    def evolve(self, **changes: Any) -> StrategySpec:
        """A new strategy with some fields changed.

        `params`, `risk` and `sizing` are merged into what is there (a setting of None is turned off); any
        other field is replaced. Parameters that no condition uses any more are dropped, unless this very
        call names them.

        Raises:
            StrategyError: as for a new strategy; `unknown_parameter` for a name no condition uses.
        """
        own: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        own["inputs"] = self.readable
        given: dict[str, Any] = {
            str(key).lower(): value for key, value in (changes.pop("params", None) or {}).items()
        }
        for name, kind in (("risk", Risk), ("sizing", Sizing)):
            given_settings = changes.pop(name, None)
            if given_settings is not None:
                settings = (
                    given_settings.model_dump() if isinstance(given_settings, kind) else dict(given_settings)
                )
                own[name] = kind(**{**own[name].model_dump(), **settings})
        own.update(changes)
        names = {*self.params, *given}
        declared = {name: Input.model_validate(one) for name, one in own["inputs"].items()}
        kinds = {name.lower(): one.kind for name, one in declared.items()}
        trees = read_trees(own, names, kinds)
        if self.has_levels and trees.keys().isdisjoint(ENTRY_LEVELS):
            own["risk"] = own["risk"].model_copy(update={"order_bars": None})
        used = set().union(*(parameters(tree) for tree in trees.values()))
        kept = {name: value for name, value in self.params.items() if name in used}
        own["params"] = {**kept, **given}
        if "inputs" not in changes:
            read = set().union(*(own_series(tree) for tree in trees.values()))
            own["inputs"] = {name: one for name, one in declared.items() if name in read}
        if "param_bounds" not in changes:
            own["param_bounds"] = {
                name: value for name, value in self.param_bounds.items() if name in own["params"]
            }
        return type(self)(**own)

    def with_filter(
        self, condition: str, side: Side = "long", params: Mapping[str, float] | None = None
    ) -> StrategySpec:
        """The same strategy, entering only where `condition` holds as well.

        Args:
            condition: in the strategy language; a condition already required changes nothing.
            side: which entries it filters; with `both`, those that exist.
            params: new parameters it uses.

        Raises:
            StrategyError: `no_entry` where there is nothing to filter, or as for a new strategy.
        """
        new = dict(params or {})
        places = [f"entry_{one}" for one in (("long", "short") if side == "both" else (side,))]
        places = [place for place in places if place in self.trees]
        if not places:
            raise StrategyError("no_entry", name=self.name)
        added = parse(condition, {*self.params, *(name.lower() for name in new)}, own=self.kinds)
        more = added.operands if isinstance(added, And) else (added,)
        changes: dict[str, Any] = {}
        for place in places:
            tree = self.trees[place]
            parts = tree.operands if isinstance(tree, And) else (tree,)
            parts = (*parts, *(part for part in more if part not in parts))
            changes[place] = show(parts[0] if len(parts) == 1 else And(parts))
        return self.evolve(params=new, **changes)

    def only(self, side: Side) -> StrategySpec:
        """The same strategy on one side of the market; `both` is the strategy itself.

        Raises:
            StrategyError: `no_such_side` where it never enters on that side.
        """
        for one in ("long", "short") if side == "both" else (side,):
            if f"entry_{one}" not in self.trees:
                raise StrategyError("no_such_side", name=self.name, side=one)
        if side == "both":
            return self
        return self.evolve(**{place: None for place in self.trees if not place.endswith(side)})

    def both_sides(self) -> StrategySpec:
        """The same strategy, selling short on the mirror image of what it buys on.

        Raises:
            StrategyError: `no_such_side` where it never goes long.
            ExpressionError: `no_mirror` where a condition has no mirror image.
        """
        if "entry_long" not in self.trees:
            raise StrategyError("no_such_side", name=self.name, side="long")
        images: dict[str, str | None] = {}
        for place in PLACES:
            kind, _, side = place.rpartition("_")
            if side == "long":
                tree, image = self.trees.get(place), mirrored_level if place in LEVELS else mirror
                images[f"{kind}_short"] = None if tree is None else show(image(tree))
        return self.evolve(**images)

    @cached_property
    def hash(self) -> str:
        """Identity of the meaning: 16 hexadecimal digits of a SHA-256.

        Names of the strategy and of its parameters, the order of conditions and settings without effect leave
        it alone.
        """
        return meaning_hash(self.bound_trees, self.risk, self.sizing, self.inputs)

    def lookback(self) -> int:
        """Bars needed before every condition and level has a value: a strategy needs at least so many."""
        longest = max(warm_up(tree) for tree in self.bound_trees.values())
        return 1 + max(
            longest,
            self.risk.atr_period if self.risk.needs_atr else 0,
            self.sizing.volatility_period if self.sizing.volatility_target_pct is not None else 0,
        )

    def bounds(self) -> dict[str, Bounds]:
        """Bounds and step of each parameter and of each setting of risk and sizing.

        The `default` of a parameter without a preset is its present value.
        """
        return {
            **{name: parameter_bounds(self, name) for name in self.params},
            **RISK_BOUNDS,
            **SIZING_BOUNDS,
        }

    def __str__(self) -> str:
        return self.describe()

    def describe(self, *, without: Container[str] = ()) -> str:
        """The whole strategy in one line, but for the values of settings that others vary."""
        settings = {**self.params, **self.risk.active(), **self.sizing.active()}
        parts = [f"{place}: {show(tree)}" for place, tree in self.trees.items()]
        parts += [f"{name}={value}" for name, value in settings.items() if name not in without]
        return f"{self.name} | {' | '.join(parts)}"


def read_trees(texts: Mapping[str, Any], names: Collection[str], kinds: Mapping[str, str]) -> dict[str, Node]:
    """Conditions and levels of a strategy, parsed, by their fields; what is absent is left out.

    Args:
        texts: by field.
        names: the parameters they may use.
        kinds: kinds of further series by name.

    Raises:
        ExpressionError: as `parse`.
    """
    return {
        place: parse(
            text,
            names,
            entry=place.startswith("entry"),
            own=kinds,
            kind="series" if place in LEVELS else "condition",
        )
        for place in PLACES
        if (text := texts.get(place))
    }


def is_series_name(name: str) -> bool:
    """Whether conditions can write a name in lower case: a column, or table and column."""
    parts = name.split(".")
    words = len(parts) <= 2 and all(part.isidentifier() and part.isascii() for part in parts)
    return words and len(name) <= LONGEST_NAME


def by_series_name(given: Mapping[str, T]) -> dict[str, T]:
    """What is said of further series, by names that conditions can write.

    Raises:
        StrategyError: `input_name`, `reserved_input`, `repeated_name`.
    """
    found: dict[str, T] = {}
    for name, declared in given.items():
        lowered = str(name).lower()[: LONGEST_NAME + 1]
        if not is_series_name(lowered):
            raise StrategyError("input_name", name=lowered)
        if lowered.partition(".")[0] in reserved():
            raise StrategyError("reserved_input", name=lowered)
        if lowered in found:
            raise StrategyError("repeated_name", name=lowered)
        found[lowered] = declared
    return found


def meaning_hash(
    bound_trees: Mapping[str, Node], risk: Risk, sizing: Sizing, inputs: Mapping[str, Input]
) -> str:
    """`StrategySpec.hash` of conditions whose parameters are bound, for whoever has no whole strategy.

    Of the series that are declared those count which these conditions read.
    """
    content: dict[str, Any] = {
        "conditions": {place: meaning(tree) for place, tree in bound_trees.items()},
        "risk": risk.active(),
    }
    if active := sizing.active():
        content["sizing"] = active
    read = set().union(*(own_series(tree) for tree in bound_trees.values()))
    if declared := {name: one.model_dump() for name, one in inputs.items() if name in read}:
        content["inputs"] = declared
    words = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _uses(node: Node, name: str) -> tuple[int | None, bool]:
    """The least value of a parameter as a period or lag; whether it is compared with a 0–100 indicator."""
    lows: set[int] = set()
    as_percent = False
    for part in walk(node):
        if isinstance(part, Call):
            wanted = FUNCTIONS[part.function].arguments
            for argument, given in zip(wanted, part.arguments, strict=True):
                if argument.kind == "period" and name in parameters(given):
                    lows.add(int(min(argument.low, 1)))
        elif isinstance(part, Lag) and name in parameters(part.bars):
            lows.add(1)
        if isinstance(part, Comparison) or (isinstance(part, Call) and part.function.startswith("crosses")):
            sides = children(part)
            as_percent |= any(isinstance(one, Parameter) and one.name == name for one in sides) and any(
                isinstance(one, Call) and one.function in PERCENT_INDICATORS for one in sides
            )
    return max(lows, default=None), as_percent


def parameter_bounds(spec: StrategySpec, name: str) -> Bounds:
    """Bounds of one parameter: the strategy's own, its preset's, or inferred from its use."""
    if name in spec.param_bounds:
        return spec.param_bounds[name]
    if spec.family is not None and name in PRESETS[spec.family].bounds:
        return PRESETS[spec.family].bounds[name]
    value = float(spec.params[name])
    uses = [_uses(tree, name) for tree in spec.trees.values()]
    if lows := [low for low, _ in uses if low is not None]:
        return Bounds(low=max(lows), high=1_000, step=1, integer=True, default=value)
    if any(as_percent for _, as_percent in uses):
        return Bounds(low=0, high=100, step=5, integer=False, default=value)
    scale = 10.0 ** math.floor(math.log10(abs(value))) if value else 1.0
    reach = scale * 100.0
    return Bounds(
        low=min(0.0, math.copysign(reach, value)),
        high=max(0.0, math.copysign(reach, value)),
        step=scale / 10.0,
        integer=False,
        default=value,
    )


def check_values(spec: StrategySpec, values: Mapping[str, float]) -> None:
    """Check one value for each parameter of a strategy: bounds, then order.

    Raises:
        StrategyError: `parameter_out_of_bounds`, `parameter_not_whole` or `parameter_order`.
    """
    for name, value in values.items():
        parameter_bounds(spec, name).check(name, value)
    if spec.family is None:
        return
    for smaller, larger in PRESETS[spec.family].ordered:
        if smaller in values and larger in values and values[smaller] >= values[larger]:
            raise StrategyError(
                "parameter_order",
                smaller=smaller,
                smaller_value=values[smaller],
                larger=larger,
                larger_value=values[larger],
            )
