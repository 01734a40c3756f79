"""What a person knows about a price file, as fields: those that the command has as options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from nicegui import ui
from pydantic.fields import FieldInfo

from prompts import Words
from threadx.web.fields import helped, text_field
from threadx.web.frame import Text
from threadx.web.order import READING


class ReadingForm:
    """The fields; what is left as it is stays to be found out.

    Args:
        words: language.
        given: what to begin with.
    """

    def __init__(self, words: Words, given: Mapping[str, str | bool]) -> None:
        self.words, self._given = words, given
        with ui.element("div").classes("tx-form"):
            self._fields = {name: self._drawn(name, field) for name, field in READING.items()}

    def _drawn(self, name: str, field: FieldInfo) -> Any:
        label, told = self.words(f"web.setting.{name}"), self.words(f"command.option.{name}")
        if field.annotation is bool:
            with ui.element("div"):
                box = ui.checkbox(label, value=bool(self._given.get(name, field.default)))
                Text("p", told, "tx-soft")
            return box
        if choices := _choices(field.annotation):
            shown = {one: self.words(f"web.{name}.{_KEYS.get(one, one)}") for one in choices}
            if field.default is None:
                shown = {"": self.words("web.form.found_out"), **shown}
            given = self._given.get(name)
            first = given if given in shown else field.default or ""
            chosen = ui.select(shown, value=first, label=label)
            chosen.props("outlined dense options-dense").classes("tx-field")
            return helped(chosen, told)
        typed = text_field(label, str(self._given.get(name, "")), told)
        typed.props("clearable")
        return typed

    def values(self) -> dict[str, str | bool]:
        """What was filled in, by the names of `READING`; what an emptied field held is not."""
        given = {name: field.value for name, field in self._fields.items()}
        given = {name: one.strip() if isinstance(one, str) else one for name, one in given.items()}
        return {name: one for name, one in given.items() if one and one != READING[name].default}


_KEYS = {",": "comma", ".": "point"}


def _choices(annotation: Any) -> tuple[str, ...]:
    """What a field of a few words allows."""
    if get_origin(annotation) is Literal:
        return tuple(str(one) for one in get_args(annotation))
    return next((found for part in get_args(annotation) if (found := _choices(part))), ())
