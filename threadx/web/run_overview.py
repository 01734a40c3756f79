"""Tab of a run's page: the figures of each part side by side, and the changes that were kept."""

from __future__ import annotations

from nicegui import ui

from prompts import Words
from record.results import RunResult
from record.run_view import RunView
from reports.comparison import Comparison, comparison_rows
from reports.tables import bars_per_year_lines, lost_lines, score_meaning
from threadx.web.frame import Table, Text, card
from threadx.web.pictures import LIVE, Shown
from threadx.web.run_returns import Returns


class Overview:
    """Figures, changes and the course of the score."""

    def __init__(self, words: Words, run: str) -> None:
        self.words = words
        self._figures = ui.element("div")
        self._changes = ui.element("div")
        self.returns = Returns(words)
        self._progress = ui.expansion(words("web.section.charts"), icon="show_chart", value=True)
        with self._progress, ui.element("div").classes("tx-charts"):
            self._live = [Shown(words, run, what) for what in LIVE]
        self._progress.set_visibility(False)

    def draw(self, view: RunView, size: int) -> None:
        """Charts of the search change with each selection."""
        if view.initial_score is None:
            return
        self._progress.set_visibility(True)
        selected = sum(step.score is not None for step in view.steps.values())
        for chart in self._live:
            chart.show(selected, size)

    def close(self, result: RunResult, found: Comparison, code: str) -> None:
        """Draw the figures of every part, what was kept, and in a sentence what code was written."""
        words = self.words
        self._progress.set_value(False)
        with self._figures, card(words("web.overview.figures")):
            with ui.element("div").classes("tx-parts"):
                for part in found.parts:
                    head, rows = comparison_rows(found, part, words)
                    with ui.element("div"):
                        Text("h3", words(f"report.part.{part}"))
                        table = Table(head, numbers=range(1, len(head)), cards=False)
                        for row in rows:
                            table.row(row)
            meaning = score_meaning(result["initial"]["development"], words)
            Text("p", f"{words('web.overview.figures_note')} {meaning}", "tx-small")
            for line in lost_lines(result, words):
                Text("p", line, "tx-bad")
            for line in bars_per_year_lines(result["champion"]["development"].get("bars_per_year"), words):
                Text("p", line, "tx-small")
            if result["champion"]["holdout"]:
                Text("p", words("report.holdout_note"), "tx-small")
            with ui.element("p"):
                Text("code", result["champion"]["description"])
        with self._changes, card(words("report.heading.changes")):
            with ui.element("ul").classes("tx-list"):
                for change in result["applied_changes"]:
                    told = {
                        **{name: change[name] for name in ("iteration", "description", "reason")},
                        "before": words.number(change["score_before"]),
                        "after": words.number(change["score_after"]),
                    }
                    Text("li", words("report.change", **told))
            if not result["applied_changes"]:
                Text("p", words("report.no_change"))
            if code:
                Text("p", code)
