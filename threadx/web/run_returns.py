"""How the accounts of a run did over time: underwater, rolling Sharpe ratio, month by month."""

from __future__ import annotations

import math

from nicegui import ui

from prompts import Words
from reports.comparison import monthly_returns, rolling_sharpe, underwater
from threadx.web.frame import Text, attribute
from threadx.web.panes import Pane, Panes
from threadx.web.run_data import Curves
from threadx.web.run_head import account_lines

_HIGH = 120
_STEPS = (0.0, 0.02, 0.05, 0.1)
"""Gains and losses from which a month's cell has a stronger colour."""


class Returns:
    """The part of the overview that shows time; drawn anew with each champion."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self._panes: Panes | None = None
        with ui.expansion(words("web.returns.title"), icon="timeline") as self._card:
            self._box = ui.element("div")
            Text("h3", words("web.returns.months"))
            self._months = attribute(ui.element("div").classes("tx-scroll"), "tabindex", "0")
            Text("p", words("web.returns.months_note"), "tx-small")
        self._card.set_visibility(False)

    def show(self, found: Curves, bars_per_year: float | None) -> None:
        """Draw the accounts.

        Args:
            found: start, champion and holding.
            bars_per_year: what the Sharpe ratio is annualised with; None in a run that did not tell.
        """
        words = self.words
        accounts, bars = found.accounts, len(found.index)
        lost = account_lines({who: underwater(account) for who, account in accounts.items()}, words)
        panes = [Pane(title=words("web.returns.underwater"), unit="percent", lines=lost, height=_HIGH)]
        year = bars_per_year or 0.0
        window = round(year if bars > 1.5 * year else year / 4)
        if 1 < window < bars:
            ratios = {who: rolling_sharpe(account, window, year) for who, account in accounts.items()}
            told = words("web.returns.sharpe", count=words.number(window))
            panes.append(Pane(title=told, unit="number", lines=account_lines(ratios, words), height=_HIGH))
        self._card.set_visibility(True)
        if self._panes is not None:
            self._panes.replace(found.index, panes, boundary=found.boundary)
        else:
            with self._box:
                says = words("web.returns.title")
                self._panes = Panes(words, found.index, panes, says=says, boundary=found.boundary)
        self._draw_months(found)

    def _draw_months(self, found: Curves) -> None:
        """A row a year, a cell a month; the months of the holdout are underlined."""
        words = self.words
        months = monthly_returns(found.index, found.accounts["champion"])
        first = None if found.boundary is None else found.index[found.boundary]
        self._months.clear()
        names = [words("web.returns.year"), *map(str, range(1, 13)), words("web.returns.whole")]
        with self._months, ui.element("table").classes("tx-months"):
            with ui.element("thead"), ui.element("tr"):
                for name in names:
                    attribute(Text("th", name), "scope", "col")
            with ui.element("tbody"):
                for year, row in months.iterrows():
                    with ui.element("tr"):
                        attribute(Text("th", f"{year}"), "scope", "row")
                        for month, value in enumerate(row, start=1):
                            if math.isnan(value):
                                Text("td", "")
                                continue
                            out = first is not None and (year, min(month, 12)) >= (first.year, first.month)
                            told = words.number(100.0 * value, 1)
                            Text("td", told, f"{_tone(value)}{' tx-out' if out and month < 13 else ''}")


def _tone(value: float) -> str:
    step = sum(abs(value) >= limit for limit in _STEPS)
    return f"tx-{'up' if value >= 0.0 else 'down'}{step}"
