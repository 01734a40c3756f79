"""The tabs of a run's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from record.record import RunRecord
from record.run_view import RunView
from reports.comparison import Comparison
from reports.written import written_line
from threadx.web.frame import Site, attribute, card
from threadx.web.listing import Outcome
from threadx.web.run_audit import Audit, whole_report
from threadx.web.run_data import Curves
from threadx.web.run_evidence import Evidence
from threadx.web.run_graph import RunGraph, shape
from threadx.web.run_overview import Overview
from threadx.web.run_sections import Conversation, Course
from threadx.web.run_trades import Trades
from threadx.web.run_variants import Variants

TABS = ("overview", "trades", "variants", "evidence", "debate", "log", "audit")
OF_REVIEWS = frozenset({"overview", "debate", "log", "audit"})
"""A review tests nothing: it has no trades, variants or verdict."""


class RunBoard:
    """Everything below the fold; `draw` adds what has happened since it was last called.

    Attributes:
        words: their language is the page's.
    """

    def __init__(self, site: Site, record: RunRecord) -> None:
        self.words, name = site.words, record.run
        words = self.words
        self._graph: RunGraph | None = None
        self._most: int | None = None
        with attribute(
            ui.tabs().props("no-caps dense align=left inline-label outside-arrows mobile-arrows"),
            "aria-label",
            words("web.tab.label"),
        ) as tabs:
            self._tabs = {tab: ui.tab(tab, words(f"web.tab.{tab}")) for tab in TABS}
        tabs.classes("tx-tabs").on_value_change(self.look)
        self._chosen = tabs
        with ui.tab_panels(tabs, value="overview", animated=False, keep_alive=True).classes("tx-panels"):
            with ui.tab_panel("overview"):
                self._review = ui.element("div")
                self._overview = Overview(words, name)
            with ui.tab_panel("trades"):
                self._trades = Trades(site, record)
            with ui.tab_panel("variants"):
                self._variants = Variants(words)
            with ui.tab_panel("evidence"):
                self._evidence = Evidence(words, name)
            with ui.tab_panel("debate"):
                self._conversation = Conversation(words)
            with ui.tab_panel("log"):
                self._graph_box = ui.element("div")
                self._course = Course(words)
            with ui.tab_panel("audit"):
                self._audit = Audit(words, name)

    def know(self, about: Mapping[str, Any]) -> None:
        """Draw the graph that `run.json` describes, once."""
        if self._graph is not None:
            return
        context = about.get("context", {})
        self._most = context.get("max_iterations")
        if about.get("graph") == "review":
            for name, tab in self._tabs.items():
                tab.set_visibility(name in OF_REVIEWS)
        with self._graph_box:
            self._graph = RunGraph(self.words, shape(str(about.get("graph")), context))

    def draw(self, view: RunView, state: str, size: int) -> None:
        """Bring the tabs up to date.

        Args:
            view: the run as folded so far.
            state: how it stands, a key of `web.runs`.
            size: of the log that the view was folded from.
        """
        if self._graph is not None:
            self._graph.light(view.at_work, iteration=view.iteration, most=self._most, state=state)
        if not self._review.default_slot.children:
            self._overview.draw(view, size)
        for part in (self._trades, self._variants, self._conversation, self._course):
            part.draw(view)
        self._evidence.draw(view, size)

    def show(self, found: Curves, view: RunView) -> None:
        """Draw what the accounts of start, champion and holding did over time."""
        year = view.initial_figures.get("bars_per_year") if view.initial_figures else None
        self._overview.returns.show(found, year["value"] if year else None)

    async def look(self) -> None:
        """Draw what is drawn only where it is looked at."""
        self._variants.look(opened=self._chosen.value == "variants")
        await self._trades.look(opened=self._chosen.value == "trades")

    def close(self, outcome: Outcome, found: Comparison | None, view: RunView) -> None:
        """Draw what only a finished run has: figures of both parts, evidence, report.

        Args:
            outcome: what the run has left.
            found: its figures by part; None for a review.
            view: of its events.
        """
        if found is None:
            with self._review, card(self.words("web.section.verdict")):
                whole_report(outcome)
        else:
            self._overview.close(outcome.result, found, written_line(view, self.words))
            self._evidence.close(outcome.result)
        self._audit.close(outcome)
