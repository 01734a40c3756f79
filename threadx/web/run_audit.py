"""Tab of a run's page: who answered, on what data, with which settings; the whole report; the files."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from prompts import Words
from record.results import Frame
from reports.tables import brain_lines, failure_lines, instrument_cell, reading_lines
from threadx.web.frame import Table, Text, card, command
from threadx.web.listing import Outcome
from threadx.web.naming import timeframe_name

_FACTS = ("symbol", "timeframe", "first", "development_last", "boundary", "last")
_HASHES = ("development_hash", "holdout_hash")


class Audit:
    """What whoever doubts a run looks at."""

    def __init__(self, words: Words, run: str) -> None:
        self.words, self._run = words, run
        self._none = Text("p", words("web.audit.none"), "tx-soft")
        self._box = ui.element("div")

    def close(self, outcome: Outcome) -> None:
        """Draw it for a finished run of either kind."""
        words, result = self.words, outcome.result
        self._none.set_visibility(False)
        with self._box:
            with card(words("report.heading.brains")):
                if result["degraded"]:
                    Text("p", words("report.degraded"), "tx-warn")
                table = Table([words("web.models.role"), words("web.audit.answers")], prose=[1])
                for row in brain_lines(result, words):
                    table.row(row)
                if failures := failure_lines(result, words):
                    Text("p", words("report.failures"))
                    with ui.element("ul").classes("tx-list"):
                        for line in failures:
                            Text("li", line)
            with card(words("web.audit.data")):
                self._data(result)
            with card(words("web.audit.again")):
                Text("p", words("web.audit.again_told"), "tx-soft")
                for verb in ("check", "replay"):
                    command(f"threadx runs {verb} {self._run}")
            with ui.expansion(words("web.section.report"), icon="description"):
                whole_report(outcome)

    def _data(self, result: Frame) -> None:
        words, dataset = self.words, result["dataset"]
        table = Table([words("report.table.item"), words("report.table.value")])
        for name in (*_FACTS, *_HASHES):
            if told := dataset.get(name):
                table.row([words(f"web.audit.{name}"), _in_words(name, told, words)])
        for name in ("fee_bps", "slippage_bps", "fill", "seed", "search"):
            if (value := result["settings"].get(name)) is not None:
                table.row([words(f"web.audit.{name}"), _in_words(name, value, words)])
        for line in reading_lines(result, words):
            Text("p", line, "tx-small")


def _in_words(name: str, value: Any, words: Words) -> str:
    """A fact of the data or a setting as a reader says it; fingerprints and names as they are."""
    match name:
        case "symbol":
            return instrument_cell(value, words)
        case "timeframe":
            return timeframe_name(value, words)
        case "first" | "development_last" | "boundary" | "last":
            return words("web.audit.moment", time=value)
        case "fill":
            return words(f"card.fill.{value}")
        case "search":
            return words(f"web.audit.search_{value}")
        case "fee_bps" | "slippage_bps":
            return words.short(value)
        case _:
            return str(value)


def whole_report(outcome: Outcome) -> None:
    """The whole report; it is escaped where it is made, and what a model wrote is never markup."""
    ui.html(outcome.report, sanitize=False).classes("tx-report")
