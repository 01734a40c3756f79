"""Tab of a run's page: everything that the verdict rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from prompts import Words
from record.results import RunResult
from record.run_view import RunView
from reports.belief import (
    INSTRUMENT_COLUMNS,
    finding_rows,
    instrument_lines,
    instrument_rows,
    interval_rows,
    reason_lines,
    sight_lines,
    statistic_rows,
)
from threadx.web.frame import Table, Text, card
from threadx.web.pictures import Shown

STRESSES = {"passed": "good", "weak": "soft", "failed": "bad", "skipped": "soft"}


class Evidence:
    """Reasons, stress tests, folds and statistics."""

    def __init__(self, words: Words, run: str) -> None:
        self.words = words
        self._none = Text("p", words("web.evidence.none"), "tx-soft")
        self._verdict = ui.element("div")
        with ui.expansion(words("verdict.heading.folds"), icon="view_timeline") as self._tests:
            self._folds = Shown(words, run, "folds")
        self._tests.set_visibility(False)

    def draw(self, view: RunView, size: int) -> None:
        """The folds change with the champion."""
        if view.folds:
            self._tests.set_visibility(True)
            self._folds.show(view.champion, size)

    def close(self, result: RunResult) -> None:
        """Draw what the judgement found."""
        words = self.words
        if not result.get("verdict"):
            self._none.set_text(words("explain.untested"))
            return
        self._none.set_visibility(False)
        with self._verdict:
            with card(words("verdict.heading.verdict")):
                with ui.element("ul").classes("tx-list"):
                    for reason in reason_lines(result, words):
                        Text("li", reason)
                for line in sight_lines(result, words):
                    Text("p", line)
            self._instruments(result)
            self._stress(result)
            with ui.expansion(words("web.stress.statistics"), icon="functions").classes("tx-wide"):
                figures = Table([words("report.table.item"), words("report.table.value")], numbers=[1])
                for row in statistic_rows(result, words):
                    figures.row(row)
                head = (words("report.table.metric"), words("web.stress.inside"), words("web.stress.outside"))
                intervals = Table(head, numbers=[1, 2])
                for row in interval_rows(result, words):
                    intervals.row(row)

    def _instruments(self, result: RunResult) -> None:
        """The instruments of a pool, one by one."""
        words = self.words
        if not (rows := instrument_rows(result, words)):
            return
        with card(words("verdict.heading.instruments")):
            for line in instrument_lines(result, words):
                Text("p", line, "tx-small")
            head = [words(f"verdict.instrument.{name}") for name in INSTRUMENT_COLUMNS]
            table = Table(head, numbers=range(2, len(head)))
            for row in rows:
                table.row(row)

    def _stress(self, result: RunResult) -> None:
        """What the champion did not stand first; what it stood is folded away."""
        words = self.words
        told = [*zip(result["stress"], finding_rows(result, words), strict=True)]
        hurt = [one for one in told if one[0]["outcome"] in ("failed", "weak")]
        stood = [one for one in told if one not in hurt]
        with card(words("web.section.stress")):
            Text("p", words("verdict.stress_note"), "tx-small")
            if hurt:
                self._findings(hurt)
            with ui.expansion(words("web.stress.stood", count=len(stood)), icon="verified").classes(
                "tx-wide"
            ):
                self._findings(stood)

    def _findings(self, told: Sequence[tuple[Mapping[str, Any], list[str]]]) -> None:
        table = Table([self.words(f"web.stress.{name}") for name in ("test", "outcome", "told")], prose=[2])
        table.scroll.classes("tx-brief")
        for finding, row in told:
            table.row(row)[1].classes(f"tx-{STRESSES[finding['outcome']]}")
