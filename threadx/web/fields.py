"""Fields of the forms: with a label, a help text, bounds that are shown, and any quotes in them."""

from __future__ import annotations

from nicegui import ui
from nicegui.element import Element

from backtest.types import Bounds
from prompts import Words
from threadx.web.frame import attribute


def helped(element: Element, text: str) -> Element:
    """Show a help text under a field."""
    return attribute(element, "hint", text)


def number(
    label: str,
    value: float | None,
    bounds: Bounds | None = None,
    *,
    help_text: str = "",
    optional: bool = False,
) -> ui.number:
    """A field for a number.

    Args:
        label: its name.
        value: at first.
        bounds: shown, and kept by the browser; the server checks again.
        help_text: beside the bounds.
        optional: it may stay empty, and can be emptied.
    """
    field = ui.number(
        label,
        value=value,
        min=bounds.low if bounds else None,
        max=bounds.high if bounds else None,
        step=bounds.step if bounds else None,
        precision=0 if bounds and bounds.integer else None,
    )
    field.props("outlined dense clearable" if optional else "outlined dense").classes("tx-field")
    field.without_auto_validation()  # it would take away, with each change, the error that the change made
    if help_text:
        helped(field, help_text)
    return field


def bounds_told(bounds: Bounds, words: Words) -> str:
    """`2 to 100`, in words."""
    return words("web.form.bounds", low=words.short(bounds.low), high=words.short(bounds.high))


def text_field(label: str, value: str = "", help_text: str = "") -> ui.input:
    """A field for one line."""
    field = ui.input(label, value=value)
    field.props("outlined dense").classes("tx-field")
    if help_text:
        helped(field, help_text)
    return field
