"""The part of a form that says what trading costs."""

from __future__ import annotations

from collections.abc import Mapping

from nicegui import ui

from backtest.types import COST_NAMES
from nodes.context import OptimizationContext
from prompts import Words
from threadx.web.fields import helped, number
from threadx.web.frame import Text
from threadx.web.order import limits

_FIRST = ("fee_bps", "slippage_bps")


class CostForm:
    """The fields, those that every trade pays first.

    Args:
        words: language.
        defaults: costs of which nothing is asked.
        given: what to begin with, by name.
    """

    def __init__(
        self, words: Words, defaults: OptimizationContext, given: Mapping[str, float | None]
    ) -> None:
        self.fields: dict[str, ui.number] = {}
        others = tuple(name for name in COST_NAMES if name not in _FIRST)
        Text("h3", words("web.form.costs"))
        first = ui.element("div").classes("tx-form")
        asked = any(given.get(name, getattr(defaults, name)) for name in others)
        fold = ui.expansion(words("web.form.more_costs"), icon="payments", value=asked).classes("tx-wide")
        with fold:
            rest = ui.element("div").classes("tx-form")
        for box, names in ((first, _FIRST), (rest, others)):
            with box:
                for name in names:
                    value = given.get(name, getattr(defaults, name))
                    field = self.fields[name] = number(words(f"web.setting.{name}"), value)
                    told = "" if box is first else words(f"command.option.{name}")
                    helped(field, " · ".join(filter(None, (limits(name), told))))

    def values(self) -> dict[str, float | None]:
        """What stands in the fields, by name."""
        return {name: field.value for name, field in self.fields.items()}
