"""The part of a form that says what is traded: a preset or conditions of one's own, values, risk settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from backtest import BacktestError, StrategySpec
from backtest.language.parser import parse
from backtest.language.tree import parameters
from backtest.presets import PRESETS
from backtest.types import CONDITIONS, RISK_BOUNDS, Bounds
from prompts import Words
from reports.words import setting_name
from threadx.web.condition_field import ConditionField, completions
from threadx.web.fields import bounds_told, number
from threadx.web.frame import Text
from threadx.web.order import OWN, Order

FIRST_RISKS = ("stop_loss_pct", "take_profit_pct", "trailing_stop_pct")
SETTINGS = tuple(name for name in RISK_BOUNDS if name != "order_bars")
"""Risk settings that the form has fields for: it has none for orders, so none for how long they wait."""
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
        self._params: dict[str, ui.number] = {}
        self._risks: dict[str, ui.number] = {}
        self._conditions: dict[str, ConditionField] = {}
        names = {name: words(f"web.preset.{name}") for name in PRESETS}
        names[OWN] = words("web.form.own")
        first = given.strategy if given.strategy in names else _USUAL
        chosen = ui.select(names, value=first, label=words("web.form.preset"))
        chosen.props("outlined dense options-dense").classes("tx-wide")
        self._rules = ui.element("div")
        self._fields = ui.element("div").classes("tx-form")
        chosen.on_value_change(lambda event: self._turn_to(str(event.value)))
        with ui.expansion(words("web.form.risk"), icon="shield").classes("tx-wide"):
            self._risk_fields = ui.element("div").classes("tx-form")
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

    def _all(self) -> dict[str, ui.number]:
        return {**self._params, **self._risks}

    def _draw(self, name: str, conditions: Mapping[str, str], values: Mapping[str, float | None]) -> None:
        """The fields of a strategy, with values that differ from its own."""
        preset = PRESETS.get(name)
        self.strategy, self._conditions, self._params, self._risks = name, {}, {}, {}
        for box in (self._rules, self._fields, self._risk_fields):
            box.clear()
        usual = preset.risk if preset else {}
        with self._fields:
            if preset:
                for key, bounds in preset.bounds.items():
                    self._parameter(key, values.get(key, bounds.default), bounds)
            else:
                for key, value in values.items():
                    if key not in RISK_BOUNDS:
                        self._parameter(key, value)
            for key in FIRST_RISKS:
                self._risk(key, values, usual)
        with self._risk_fields:
            for key in SETTINGS:
                if key not in FIRST_RISKS:
                    self._risk(key, values, usual)
        with self._rules:
            if preset:
                for place in CONDITIONS:
                    if condition := getattr(preset, place):
                        self._rule(place, condition)
            else:
                self._editors(conditions)
        self.check()

    def _rule(self, place: str, condition: str) -> None:
        with ui.element("p").classes("tx-rule"):
            name = self.words("report.pair", name=self.words(f"web.form.{place}"), value="")
            Text("span", name, "tx-soft")
            Text("code", condition)

    def _editors(self, conditions: Mapping[str, str]) -> None:
        words, known = self.words, completions(self.words)
        Text("p", words("web.condition.help"), "tx-soft")

        def editor(place: str) -> None:
            self._conditions[place] = ConditionField(
                words,
                place,
                value=conditions.get(place, ""),
                known=known,
                values=self._own_values,
                changed=self._on_change,
                named=self._name,
            )

        for place in CONDITIONS[:2]:
            editor(place)
        sells = any(conditions.get(place) for place in CONDITIONS[2:])
        with ui.expansion(words("web.condition.short"), value=sells).classes("tx-wide"):
            for place in CONDITIONS[2:]:
                editor(place)

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

    def _risk(self, key: str, values: Mapping[str, float | None], usual: Mapping[str, float]) -> None:
        bounds, words = RISK_BOUNDS[key], self.words
        told = words(
            "report.pair", name=key, value=words("web.form.or_off", bounds=bounds_told(bounds, words))
        )
        value = values.get(key, usual.get(key, bounds.default))
        field = number(setting_name(key, words), value, bounds, help_text=told, optional=True)
        field.on_value_change(self._on_change)
        self._risks[key] = field

    def _on_change(self, _: Any = None) -> None:
        for field in self._conditions.values():
            field.check()
        self.check()
        self._changed()

    def _own_values(self) -> dict[str, float]:
        return {name: float(field.value) for name, field in self._params.items() if field.value is not None}

    def _used(self) -> set[str]:
        """Parameters that the conditions use; all of them while a condition cannot be read."""
        found: set[str] = set()
        for place, field in self._conditions.items():
            try:
                if field.text:
                    found |= parameters(
                        parse(field.text, self._params.keys(), entry=place.startswith("entry"))
                    )
            except BacktestError:
                return {*self._params}
        return found

    def asked(self) -> dict[str, Any]:
        """What the fields say, by the names that an `Order` has for it."""
        usual = PRESETS[self.strategy].risk if self.strategy != OWN else {}
        risks = {
            key: field.value
            for key, field in self._risks.items()
            if field.value != usual.get(key, RISK_BOUNDS[key].default)
        }
        params = {key: field.value for key, field in self._params.items()}
        if self.strategy == OWN:
            used = self._used()
            params = {key: value for key, value in params.items() if key in used}
        conditions = {place: field.text for place, field in self._conditions.items() if field.text}
        return {"strategy": self.strategy, "conditions": conditions, "params": params | risks}

    def spec(self) -> StrategySpec:
        """The strategy.

        Raises:
            BacktestError: it cannot be.
        """
        return Order(data="", **self.asked()).spec()

    def check(self) -> None:
        """Show at each field what is wrong with it; an entry that is not there yet is no fault so far."""
        for field in self._all().values():
            field.error = None
        if self.strategy == OWN:
            used = self._used()
            for name, field in self._params.items():
                field.set_visibility(name in used)
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
        place = {
            "no_entry": "entry_long",
            "exit_without_entry": f"exit_{error.fields.get('side')}",
        }.get(error.code)
        if place in self._conditions:
            self._conditions[place].complain(error)
            return True
        name = str(error.fields.get("larger") or error.fields.get("name"))
        field = self._all().get(name)
        if field is None:
            return False
        field.error = self.words.told(error)
        return True

    def put(self, values: Mapping[str, float | None]) -> None:
        """Put values into their fields."""
        for name, value in values.items():
            self._all()[name].set_value(value)

    def varied(self) -> dict[str, str]:
        """What a sweep can vary, in words by its name: parameters, then risk settings."""
        return {name: setting_name(name, self.words) for name in (*self.asked()["params"], *SETTINGS)}
