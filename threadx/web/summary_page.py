"""Page `/llm_summary`: the ensemble's summary in plain words, its history, and a button to run it now."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nicegui import run as threads
from nicegui import ui

from base.reasons import ENDINGS
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.operation.partition import summaries_folder
from nodes.ensemble.operation.status import old_line
from nodes.ensemble.policies.words import agent_name, opened
from nodes.ensemble.schemas import VERDICTS, Change, LLMEnsembleSummary
from prompts import Words
from record.errors import ReportError
from record.record import as_recorded
from reports.tables import advice_lines, change_head, change_lines, contributor_cells
from threadx.web.frame import (
    SUMMARY_PATH,
    Site,
    Table,
    Text,
    anchor,
    attribute,
    card,
    fact,
    frame,
    not_found,
    quiet_button,
)
from threadx.web.hours import Hour, history, hour_key, parse_hour, read_hour
from threadx.web.outlooks import Outlooks
from threadx.web.relaunch import Relaunch
from threadx.web.report_file import summary_pdf

LISTS = ("recommendations", "key_drivers", "tensions", "limits")
COLUMNS = ("source", "model", "symbol", "horizon", "score", "prediction", "rationale")


def hour_in_words(words: Words, hour: datetime) -> str:
    """An hour as a date and an hour."""
    return words("web.moment", date=f"{hour:%Y-%m-%d}", hour=f"{hour:%H:%M}")


def change_in_words(words: Words, found: Sequence[Change]) -> str:
    """What an hour says otherwise than the one before, in one line: judgements whole, the rest counted."""
    turned = change_lines([one.model_dump() for one in found if one.kind in VERDICTS], words)
    counts = Counter(one.kind for one in found if one.kind not in VERDICTS)
    told = [words(f"ensemble.change.count_{kind}", count=count) for kind, count in counts.items()]
    return "; ".join([*turned, *told]) or words("ensemble.change.none")


def _changes(words: Words, found: Hour) -> None:
    """What has changed, or that nothing has."""
    if found.since is None:
        return
    head = change_head(found.since, found.changes, words)
    if not found.changes:
        Text("p", head, "tx-good")
        return
    with card(head), ui.element("ul").classes("tx-list"):
        for line in change_lines([one.model_dump() for one in found.changes], words):
            Text("li", line)


def _draw(words: Words, found: Hour, told: LLMEnsembleSummary) -> None:
    """The headline, what has changed, what to do, then the reasons."""
    with ui.element("div").classes("tx-facts"):
        for verdict in VERDICTS:
            fact(words(f"ensemble.face.{verdict}"), words(f"ensemble.value.{getattr(told, verdict)}"))
    _changes(words, found)
    advice = advice_lines(told.model_dump(), words)
    for name in LISTS:
        lines = advice if name == "recommendations" else [(line, []) for line in getattr(told, name)]
        if lines:
            with card(words(f"ensemble.face.{name}")), ui.element("ul").classes("tx-list"):
                for entry, more in lines:
                    with Text("li", entry):
                        for line in more:
                            Text("div", line, "tx-soft")
    with card(words("ensemble.face.contributors")):
        table = Table([words(f"ensemble.column.{name}") for name in COLUMNS], numbers=[4], prose=[6])
        for row in told.contributors:
            cells = contributor_cells(row.model_dump(), words)
            table.row([cells[name] for name in COLUMNS])


def _freshness(words: Words, trace: Mapping[str, Any]) -> None:
    """How old the sources were, against what they may be."""
    quality = trace.get("inputs", {}).get("evidence", {}).get("quality", [])
    rows = [row for row in quality if "allowed_hours" in row]  # the others tell of single problems
    if not rows:
        return
    with card(words("web.summary.freshness")):
        head = [words(f"web.summary.{name}") for name in ("source", "latest", "age", "allowed", "trust")]
        table = Table(head, numbers=[2, 3, 4])
        for row in rows:
            age, latest = row.get("age_hours"), row.get("latest")
            shown = table.row(
                [
                    words(f"web.summary.source_{row['symbol']}"),
                    hour_in_words(words, datetime.fromisoformat(latest)) if latest else "–",
                    words("web.summary.hours", count=words.number(age, 0)) if age is not None else "–",
                    words("web.summary.hours", count=words.number(row["allowed_hours"])),
                    words.percent(row.get("factor"), 0),
                ]
            )
            if age is not None and age > row["allowed_hours"]:
                shown[2].classes("tx-bad")


def _answers(words: Words, trace: Mapping[str, Any]) -> None:
    """Who answered, with which model."""
    turns = trace.get("raw", [])
    if not turns:
        return
    with card(words("web.summary.agents")):
        table = Table([words(f"web.summary.{name}") for name in ("agent", "status", "model", "seconds")], [3])
        for turn in turns:
            provenance = turn["provenance"] or {}
            role = turn["role"]
            name = opened(agent_name(role, words)) if role in AGENTS else words("web.summary.arbiter")
            status = words(f"explain.turned.{turn['status']}")
            if turn["degraded"] and turn["status"] == "answered":
                status = words("web.summary.degraded", status=status)
            seconds = provenance.get("latency_seconds")
            table.row([name, status, provenance.get("model") or "–", words.number(seconds, 1)])


def _folded(words: Words, trace: Mapping[str, Any]) -> None:
    """Inputs and the raw trace, for whoever wants to check: sent when they are unfolded."""
    for name, content in (("inputs", trace.get("inputs")), ("trace", trace)):
        if content:
            _Folded(words(f"web.summary.{name}"), content)


class _Folded:
    """JSON under a title."""

    def __init__(self, title: str, content: Mapping[str, Any]) -> None:
        self.content = content
        self.box = ui.expansion(title, icon="data_object", on_value_change=self._fill).classes("tx-wide")
        self.filled = False

    def _fill(self) -> None:
        if self.filled:
            return
        self.filled = True
        with self.box, ui.element("pre").classes("tx-tall"):
            Text("code", json.dumps(self.content, ensure_ascii=False, indent=1))


def _history(words: Words, found: list[Any], shown: datetime | None) -> None:
    if not found:
        return
    with card(words("web.summary.history")):
        names = ("regime", "risk_level", "outlook_days_7", "outlook_days_30")
        head = [words("ensemble.history.hour"), *(words(f"ensemble.face.{name}") for name in names)]
        table = Table([*head, words("web.summary.differences")], prose=[5])
        for hour, summary, turned in found:
            told = [words(f"ensemble.value.{getattr(summary, name)}") if summary else "–" for name in names]
            difference = change_in_words(words, turned) if turned is not None else "–"
            link = f"{SUMMARY_PATH}?hour={hour_key(hour)}"
            row = table.row([hour_in_words(words, hour), *told, difference], links=[link])
            if hour == shown:
                row[0].classes("tx-good")


def _page(site: Site, found: Hour | None, wanted: datetime | None) -> None:
    words = site.words
    if found is None and wanted is not None:
        Text("p", words("web.summary.not_published", moment=hour_in_words(words, wanted)), "tx-warn")
        return
    if found is None:
        Text("p", words("web.summary.none"))
        return
    if found.summary is None:
        Text("p", words("web.summary.unreadable", moment=hour_in_words(words, found.hour)), "tx-warn")
        return
    run = found.trace.get("run", {})
    if run.get("sample"):
        Text("p", words("explain.sample"), "tx-warn")
    if run.get("degraded"):
        Text("p", words("ensemble.face.degraded"), "tx-warn")
    _draw(words, found, found.summary)
    _freshness(words, found.trace)
    _answers(words, found.trace)


class _Report:
    """The button that gives the shown hour as a PDF."""

    def __init__(self, site: Site, hour: datetime) -> None:
        self.site, self.hour = site, hour
        self._button = quiet_button(site.words("web.summary.report"), "picture_as_pdf").on_click(self._make)
        self._line = attribute(Text("span", "", "tx-soft"), "role", "status")

    async def _make(self) -> None:
        words = self.site.words
        self._button.disable()
        self._line.set_text(words("web.steer.drawing"))
        try:
            content = await threads.io_bound(
                summary_pdf, self.site.home, f"{self.hour:%Y-%m-%dT%H}", words.language
            )
            told = ""
        except ENDINGS as error:
            content, told = None, words.told(error)
        if content is not None:
            ui.download.content(content, f"summary-{hour_key(self.hour)}.pdf", "application/pdf")
        self._line.set_text(told)
        self._button.enable()


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page(SUMMARY_PATH)
    async def summary_page(hour: str = "") -> None:
        wanted = parse_hour(hour)
        if hour and wanted is None:
            not_found(site, "hour")
            return
        found = await threads.io_bound(read_hour, site.home, wanted)
        earlier = await threads.io_bound(history, site.home)
        old = await threads.io_bound(old_line, site.home, words)
        with frame(site, words("web.summary.title"), SUMMARY_PATH):
            with ui.element("div").classes("tx-head-bar") as bar:
                if found is not None:
                    Text("span", words("web.summary.hour", moment=hour_in_words(words, found.hour)))
                if wanted is not None:
                    anchor(words("web.summary.newest"), SUMMARY_PATH)
            Relaunch(site, bar)
            if found is not None and found.summary is not None:
                with bar:
                    _Report(site, found.hour)
            if old is not None:
                Text("p", old, "tx-warn")
            try:
                with as_recorded(summaries_folder(site.home)):
                    _page(site, found, wanted)
            except ReportError as error:
                Text("p", error.sentence(words.language), "tx-warn")
            Text("p", words("web.summary.intro"), "tx-soft")
            Outlooks(site)
            _history(words, earlier or [], found.hour if found else None)
            if found is not None:
                _folded(words, found.trace)
