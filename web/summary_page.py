"""Page `/llm_summary`: the newest summary of the ensemble, in plain words."""

from __future__ import annotations

from nicegui import run, ui

from nodes.ensemble.run_log import statistics
from nodes.ensemble.schemas import LLMEnsembleSummary
from nodes.ensemble.told import alert_lines
from prompts import Words
from web.frame import SUMMARY_PATH, Site, Table, Text, card, command, fact, frame
from web.listing import newest_summary

EXAMPLE = "threadx ensemble run --data sample"
VERDICTS = ("regime", "risk_level", "outlook_days_7", "outlook_days_30")
LISTS = ("key_drivers", "recommendations", "tensions", "limits")
COLUMNS = ("source", "model", "symbol", "horizon", "score", "prediction", "rationale")


def hour_in_words(words: Words, hour: str) -> str:
    """`2026112104` as a date and an hour."""
    return words("web.moment", date=f"{hour[:4]}-{hour[4:6]}-{hour[6:8]}", hour=f"{hour[8:]}:00")


def _draw(words: Words, told: LLMEnsembleSummary) -> None:
    with ui.element("div").classes("tx-facts"):
        for name in VERDICTS:
            fact(words(f"ensemble.face.{name}"), words(f"ensemble.value.{getattr(told, name)}"))
    for name in LISTS:
        if lines := getattr(told, name):
            with card(words(f"ensemble.face.{name}")), ui.element("ul").classes("tx-list"):
                for entry in lines:
                    Text("li", entry)
    with card(words("ensemble.face.contributors")):
        table = Table([words(f"ensemble.column.{name}") for name in COLUMNS], numbers=[4])
        for row in told.contributors:
            table.row(
                [
                    row.source,
                    row.model,
                    row.symbol,
                    row.horizon,
                    words.number(row.score),
                    words(f"ensemble.value.{row.prediction}"),
                    row.rationale,
                ]
            )


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page(SUMMARY_PATH)
    async def summary_page() -> None:
        found = await run.io_bound(newest_summary, site.home)
        record = await run.io_bound(statistics, site.home)
        with frame(site, words("web.summary.title"), SUMMARY_PATH):
            for line in alert_lines(record.alerts, words) if record else ():
                Text("p", line, "tx-warn")
            if found is None:
                Text("p", words("web.summary.none"))
                command(EXAMPLE)
                return
            moment = hour_in_words(words, found.hour)
            if found.summary is None:
                Text("p", words("web.summary.unreadable", moment=moment), "tx-warn")
                command(EXAMPLE)
                return
            Text("p", words("web.summary.hour", moment=moment), "tx-soft")
            Text("p", words("web.summary.intro"), "tx-soft")
            _draw(words, found.summary)
