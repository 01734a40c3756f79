"""The grid of a sweep as fields: which values vary, from where to where, in which steps."""

from __future__ import annotations

import math

from nicegui import ui

from backtest import BacktestError, RequestError
from backtest.engine.sweep import MOST_CONFIGURATIONS, grid_axes
from backtest.types import Bounds, Metrics, plain
from prompts import Words
from threadx.web.fields import number
from threadx.web.frame import Text, attribute, quiet_button
from threadx.web.strategy_form import StrategyForm

MOST_AXES = 4
_STEPS = 10
"""Steps of a range that is offered, at most about so many."""


def values_between(low: float, high: float, step: float) -> list[float]:
    """`low`, `low + step` … up to `high` itself.

    Raises:
        RequestError: `grid_too_large`.
    """
    count = math.floor((high - low) / step + 1e-9) + 1
    if count > MOST_CONFIGURATIONS:
        raise RequestError("grid_too_large", count=count, limit=MOST_CONFIGURATIONS)
    return [plain(round(low + place * step, 10)) for place in range(count)]


def _offered(bounds: Bounds) -> tuple[float, float, float]:
    """A range around the value that stands in a field, or from its smallest step on where it is off."""
    middle = bounds.default
    if not middle:
        low = max(bounds.low, bounds.step)
        return plain(low), plain(min(bounds.high, low + _STEPS * bounds.step)), plain(bounds.step)
    ends = sorted((middle / 2.0, middle * 2.0))
    low, high = max(bounds.low, ends[0]), min(bounds.high, ends[1])
    step = bounds.step * max(1, round((high - low) / _STEPS / bounds.step))
    if bounds.integer:
        low, high = math.ceil(low), math.floor(high)
    return plain(low), plain(high), plain(step)


class _Axis:
    """One row: a name, and a range."""

    def __init__(
        self, words: Words, names: dict[str, str], name: str, bounds: Bounds, form: GridForm
    ) -> None:
        self.words = words
        with ui.element("div").classes("tx-axis") as self.row:
            self.name = ui.select(names, value=name, label=words("web.sweep.varied"))
            self.name.props("outlined dense options-dense").classes("tx-field")
            first = _offered(bounds)
            self.fields = [
                number(words(f"web.sweep.{key}"), value)
                for key, value in zip(("low", "high", "step"), first, strict=True)
            ]
            remove = quiet_button("", "close").on_click(lambda: form.remove(self))
            attribute(remove, "aria-label", words("web.sweep.remove"))
        self.name.on_value_change(lambda: form.renamed(self))
        for field in self.fields:
            field.on_value_change(form.tell)

    def offer(self, bounds: Bounds) -> None:
        """Put a range for another name."""
        for field, value in zip(self.fields, _offered(bounds), strict=True):
            field.set_value(value)

    def values(self) -> list[float] | None:
        """Its values; None, and the reason at the field, where there are none."""
        words = self.words
        for field in self.fields:
            field.error = words("web.sweep.missing") if field.value is None else None
        if any(field.value is None for field in self.fields):
            return None
        low, high, step = (float(field.value) for field in self.fields)
        if not step > 0.0:
            self.fields[2].error = words("web.sweep.no_step")
        elif high < low:
            self.fields[1].error = words("web.sweep.no_range")
        else:
            try:
                return values_between(low, high, step)
            except RequestError as error:
                self.fields[2].error = words.told(error)
        return None


class GridForm:
    """The rows, and the metric that results are ranked by.

    Args:
        words: language.
        strategy: what is swept.
    """

    def __init__(self, words: Words, strategy: StrategyForm) -> None:
        self.words, self._strategy = words, strategy
        self._axes: list[_Axis] = []
        self._box = ui.element("div")
        self._more = quiet_button(words("web.sweep.more"), "add").on_click(lambda: self._add())
        metrics = {name: words(f"report.metric.{name}") for name in Metrics.__dataclass_fields__}
        self.rank_by = ui.select(metrics, value="sharpe_ratio", label=words("web.sweep.rank_by"))
        self.rank_by.props("outlined dense options-dense").classes("tx-wide")
        self._count = attribute(Text("p", "", "tx-soft"), "aria-live", "polite")
        self.refresh()

    def _bounds(self) -> dict[str, Bounds]:
        try:
            return self._strategy.spec().bounds()
        except BacktestError:
            return {}

    def refresh(self) -> None:
        """Take up another strategy: what it does not know is varied no more."""
        names, bounds = self._strategy.varied(), self._bounds()
        known = [axis for axis in self._axes if axis.name.value in names]
        for axis in [one for one in self._axes if one not in known]:
            self._axes.remove(axis)
            axis.row.delete()
        for axis in self._axes:
            axis.name.set_options(names)
        if not self._axes:
            for name in list(names)[:2]:
                if name in bounds:
                    self._add(name)
        self.tell()

    def _add(self, name: str = "") -> None:
        names, bounds = self._strategy.varied(), self._bounds()
        taken = {axis.name.value for axis in self._axes}
        chosen = name or next((one for one in names if one not in taken and one in bounds), "")
        if chosen:
            with self._box:
                self._axes.append(_Axis(self.words, names, chosen, bounds[chosen], self))
        self.tell()

    def remove(self, axis: _Axis) -> None:
        """Vary one value less."""
        self._axes.remove(axis)
        axis.row.delete()
        self.tell()

    def renamed(self, axis: _Axis) -> None:
        """Vary another value."""
        if (bounds := self._bounds().get(str(axis.name.value))) is not None:
            axis.offer(bounds)
        self.tell()

    def tell(self) -> None:
        """Say how many combinations there are."""
        self._more.set_enabled(0 < len(self._axes) < MOST_AXES or not self._axes)
        found = [axis.values() for axis in self._axes]
        count = math.prod(len(one) for one in found if one is not None)
        whole = bool(found) and None not in found
        told = self.words("web.sweep.count", count=self.words.number(count)) if whole else ""
        self._count.set_text(told or self.words("web.sweep.none"))

    def grid(self) -> dict[str, list[float]] | None:
        """The values by name; None, with the reason at its field, where there is no grid.

        Raises:
            BacktestError: what no field of the grid is about.
        """
        found: dict[str, list[float]] = {}
        spec = self._strategy.spec()
        for axis in self._axes:
            name, values = str(axis.name.value), axis.values()
            if values is None:
                return None
            if name in found:
                axis.name.error = self.words("web.sweep.twice")
                return None
            axis.name.error = None
            try:
                grid_axes(spec, {name: values})
            except BacktestError as error:
                wrong = 0 if error.fields.get("value") == values[0] else 1
                axis.fields[wrong].error = self.words.told(error)
                return None
            found[name] = values
        if not found:
            return None
        grid_axes(spec, found)
        return found
