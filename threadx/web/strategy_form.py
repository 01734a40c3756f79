"""The part of a form that says what is traded: a preset or conditions of one's own, values, settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from backtest import BacktestError, StrategySpec
from backtest.language.tree import parameters
from backtest.presets import PRESETS
from backtest.types import (
    CANCELS,
    CONDITIONS,
    LADDERS,
    LEVELS,
    PLACES,
    RISK_BOUNDS,
    SIZING_BOUNDS,
    Bounds,
    Risk,
    Sizing,
    plain,
)
from nodes.further import Further
from prompts import Words
from reports.words import setting_name
from threadx.web.condition_field import ConditionField
from threadx.web.fields import bounds_told, number, text_field
from threadx.web.frame import Text
from threadx.web.order import OWN, Order, Value

BOUNDS = {**RISK_BOUNDS, **SIZING_BOUNDS}
_FIRST = ("stop_loss_pct", "take_profit_pct", "trailing_stop_pct")
_ORDERS = ("order_bars",)
GROUPS: dict[str, tuple[str, ...]] = {
    "first": _FIRST,
    "risk": tuple(name for name in Risk.model_fields if name not in (*_FIRST, *_ORDERS)),
    "sizing": tuple(Sizing.model_fields),
    "orders": _ORDERS,
}
"""Every setting of a strategy, by where its field stands; those of orders need levels, so conditions."""
_ICONS = {"risk": "shield", "sizing": "scale", "orders": "low_priority"}
_NEEDING = {
    "risk_without_stop": "risk_per_trade_pct",
    "entries_without_size": "max_entries",
    "order_bars_without_level": "order_bars",
}
"""Errors that name no setting, and the one that cannot stand alone."""
_SIDES = {side: tuple(one for one in (*LEVELS, *CANCELS) if one.endswith(side)) for side in ("long", "short")}
_USUAL = "ma_crossover"
_NEW_PARAMETER = 10.0


class StrategyForm:
    """The fields; errors stand at them.

    Args:
        words: language.
        given: what to begin with, as far as it says something.
        changed: called when something is another.
    """

    def __init__(self, words: Words, given: Order, changed: Callable[[], None] = lambda: None) -> None:
        self.words, self._changed = words, changed
        self.strategy = ""
        self.further = given.further
        self._params: dict[str, ui.number] = {}
        self._settings: dict[str, ui.number | ui.input | ui.checkbox] = {}
        self._conditions: dict[str, ConditionField] = {}
        self._folds: dict[str, ui.expansion] = {}
        names = {name: words(f"web.preset.{name}") for name in PRESETS}
        names[OWN] = words("web.form.own")
        first = given.strategy if given.strategy in names else _USUAL
        chosen = ui.select(names, value=first, label=words("web.form.preset"))
        chosen.props("outlined dense options-dense").classes("tx-wide")
        self._rules = ui.element("div")
        self._fields = ui.element("div").classes("tx-form")
        chosen.on_value_change(lambda event: self._turn_to(str(event.value)))
        self._boxes = {"first": self._fields}
        for group in ("risk", "sizing"):
            self._folds[group] = ui.expansion(words(f"web.form.{group}"), icon=_ICONS[group])
            with self._folds[group].classes("tx-wide"):
                self._boxes[group] = ui.element("div").classes("tx-form")
        self._draw(first, given.conditions, given.params if given.strategy == first else {})

    def _turn_to(self, name: str) -> None:
        """Another strategy: one's own begins with what was chosen before."""
        if name == OWN:
            before = PRESETS[self.strategy]
            conditions = {place: told for place in CONDITIONS if (told := getattr(before, place))}
            values = {**before.risk, **{key: field.value for key, field in self._all().items()}}
            self._draw(name, conditions, values)
        else:
            self._draw(name, {}, {})
        self._changed()

    def _all(self) -> dict[str, ui.number | ui.input | ui.checkbox]:
        return {**self._params, **self._settings}

    def _draw(self, name: str, conditions: Mapping[str, str], values: Mapping[str, Value]) -> None:
        """The fields of a strategy, with values that differ from its own."""
        preset = PRESETS.get(name)
        self.strategy, self._conditions, self._params, self._settings = name, {}, {}, {}
        for box in (self._rules, *self._boxes.values()):
            box.clear()
        usual: Mapping[str, float] = preset.risk if preset else {}
        with self._fields:
            if preset:
                for key, bounds in preset.bounds.items():
                    self._parameter(key, _number(values.get(key, bounds.default)), bounds)
            else:
                for key, value in values.items():
                    if key not in Risk.model_fields and key not in Sizing.model_fields:
                        self._parameter(key, _number(value))
        for group, box in self._boxes.items():
            with box:
                for key in GROUPS[group]:
                    self._setting(key, values.get(key, usual.get(key, _usual(key))))
        with self._rules:
            if preset:
                for place in CONDITIONS:
                    if condition := getattr(preset, place):
                        self._rule(place, condition)
            else:
                self._editors(conditions, values)
        self.check()

    def _rule(self, place: str, condition: str) -> None:
        with ui.element("p").classes("tx-rule"):
            name = self.words("report.pair", name=self.words(f"web.form.{place}"), value="")
            Text("span", name, "tx-soft")
            Text("code", condition)

    def _editors(self, conditions: Mapping[str, str], values: Mapping[str, Value]) -> None:
        words = self.words
        Text("p", words("web.condition.help"), "tx-soft")
        for place in CONDITIONS[:2]:
            self._editor(place, conditions)
        self._fold(words("web.condition.short"), "", CONDITIONS[2:], conditions)
        waits = values.get("order_bars")
        fold = self._fold(words("web.form.orders"), "orders", (*LEVELS, *CANCELS), conditions, waits)
        self._folds["orders"] = fold

    def _fold(
        self,
        title: str,
        group: str,
        places: tuple[str, ...],
        conditions: Mapping[str, str],
        waits: Value = None,
    ) -> ui.expansion:
        """Fields that few strategies need: drawn once they are opened, or have something to show."""
        given = waits is not None or any(conditions.get(place) for place in places)
        fold = ui.expansion(title, icon=_ICONS.get(group), value=given).classes("tx-wide")
        drawn = False

        def draw() -> None:
            nonlocal drawn
            if drawn:
                return
            drawn = True
            with fold:
                if not group:
                    for place in places:
                        self._editor(place, conditions)
                    return
                Text("p", self.words("web.form.orders_help"), "tx-soft")
                for side, own in _SIDES.items():
                    Text("h3", self.words(f"web.form.orders_{side}"))
                    for place in own:
                        self._editor(place, conditions)
                with ui.element("div").classes("tx-form"):
                    for key in GROUPS[group]:
                        self._setting(key, waits)

        if given:
            draw()
        fold.on_value_change(draw)
        return fold

    def _editor(self, place: str, conditions: Mapping[str, str]) -> None:
        self._conditions[place] = ConditionField(
            self.words,
            place,
            value=conditions.get(place, ""),
            values=self._own_values,
            further=self._further_kinds,
            changed=self._on_change,
            named=self._name,
        )

    def _further_kinds(self) -> dict[str, str]:
        return {name: one.kind for name, one in self.further.known().items()}

    def know(self, further: Further) -> None:
        """Take up other tables and series beside the prices."""
        self.further = further
        for field in self._conditions.values():
            field.know()
        self._on_change()

    def _name(self, name: str) -> None:
        """Make a name that the language does not know a parameter."""
        if name and name not in self._params:
            with self._fields:
                field = self._parameter(name, _NEW_PARAMETER)
            field.move(target_index=len(self._params) - 1)
        self._on_change()

    def _parameter(
        self,
        key: str,
        value: float | None,
        bounds: Bounds | None = None,
    ) -> ui.number:
        told = self.words("report.pair", name=key, value=bounds_told(bounds, self.words)) if bounds else ""
        field = number(setting_name(key, self.words), value, bounds, help_text=told)
        field.on_value_change(self._on_change)
        self._params[key] = field
        return field

    def _setting(self, key: str, value: Value) -> None:
        """A field of the kind that the setting has: a number, a table as text, or a switch."""
        words, label = self.words, setting_name(key, self.words)
        field: ui.number | ui.input | ui.checkbox
        if bounds := BOUNDS.get(key):
            none = "web.form.or_usual" if bounds.default is not None else "web.form.or_off"
            told = words(none, bounds=bounds_told(bounds, words), usual=words.short(bounds.default))
            told = words("report.pair", name=key, value=told)
            field = number(label, _number(value), bounds, help_text=told, optional=True)
        elif key in LADDERS:
            field = text_field(label, str(value or ""), words(f"web.form.help_{key}"))
            field.props("clearable")
        else:
            field = ui.checkbox(label, value=bool(value))
        field.on_value_change(self._on_change)
        self._settings[key] = field

    def _on_change(self, _: Any = None) -> None:
        for field in self._conditions.values():
            field.check()
        self.check()
        self._changed()

    def _own_values(self) -> dict[str, float]:
        return {name: float(field.value) for name, field in self._params.items() if field.value is not None}

    def _set(self) -> dict[str, Value]:
        """What stands in the fields of settings: a switch is 1 or 0, an emptied text is off."""
        return {
            key: float(field.value)
            if isinstance(field, ui.checkbox)
            else (field.value or "").strip() or None
            if isinstance(field, ui.input)
            else field.value
            for key, field in self._settings.items()
        }

    def _used(self) -> set[str]:
        """Parameters that the conditions use; all of them while a condition cannot be read."""
        found: set[str] = set()
        for field in self._conditions.values():
            try:
                if field.text:
                    found |= parameters(field.tree())
            except BacktestError:
                return {*self._params}
        return found

    def asked(self) -> dict[str, Any]:
        """What the fields say, by the names that an `Order` has for it."""
        usual = PRESETS[self.strategy].risk if self.strategy != OWN else {}
        settings = {key: value for key, value in self._set().items() if value != usual.get(key, _usual(key))}
        params = {key: field.value for key, field in self._params.items()}
        if self.strategy == OWN:
            used = self._used()
            params = {key: value for key, value in params.items() if key in used}
        conditions = {place: self._conditions[place].text for place in PLACES if self._filled(place)}
        return {
            "strategy": self.strategy,
            "conditions": conditions,
            "params": params | settings,
            "further": self.further,
        }

    def _filled(self, place: str) -> bool:
        return place in self._conditions and bool(self._conditions[place].text)

    def spec(self) -> StrategySpec:
        """The strategy.

        Raises:
            BacktestError: it cannot be.
        """
        return Order(data="", **self.asked()).spec()

    def check(self) -> None:
        """Show at each field what is wrong with it; an entry that is not there yet is no fault so far."""
        for field in self._all().values():
            if not isinstance(field, ui.checkbox):
                field.error = None
        if self.strategy == OWN:
            used = self._used()
            for name, parameter in self._params.items():
                parameter.set_visibility(name in used)
        try:
            self.spec()
        except BacktestError as error:
            if error.code != "no_entry":
                self.tell(error)

    def tell(self, error: Exception) -> bool:
        """Show an error at the field that it is about; whether there is one."""
        if not isinstance(error, BacktestError):
            return False
        if "expression" in error.fields and self._conditions:
            return True  # its field says so already
        name = str(error.fields.get("larger") or error.fields.get("name"))
        place = {
            "no_entry": "entry_long",
            "exit_without_entry": f"exit_{error.fields.get('side')}",
        }.get(error.code, name)
        if place in self._conditions:
            self._conditions[place].complain(error)
            return True
        name = _NEEDING.get(error.code, name)
        field = self._all().get(name)
        if field is None or isinstance(field, ui.checkbox):
            return False
        field.error = self.words.told(error)
        for group, fold in self._folds.items():
            if name in GROUPS[group]:
                fold.set_value(True)
        return True

    def put(self, values: Mapping[str, float | None]) -> None:
        """Put values into their fields."""
        fields = self._all()
        for name, value in values.items():
            if isinstance(field := fields[name], ui.number):
                field.set_value(_number(value))

    def varied(self) -> dict[str, str]:
        """What a sweep can vary, in words by its name: parameters, then settings that are numbers."""
        names = [name for name in self.asked()["params"] if name in self._params]
        names += [name for name in BOUNDS if name in self._settings]
        return {name: setting_name(name, self.words) for name in names}


def _usual(key: str) -> Value:
    """What a setting is where nobody says otherwise."""
    if key in LADDERS:
        return None
    return BOUNDS[key].default if key in BOUNDS else 0.0


def _number(value: Value) -> float | None:
    return plain(float(value)) if value is not None else None
