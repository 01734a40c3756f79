"""Page `/observability`: how the ensemble and its models have done, and who would answer now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nicegui import run as threads
from nicegui import ui

import providers
from nodes.context import RULES, OptimizationContext
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.operation.status import (
    alert_lines,
    failure_name,
    failure_reason,
    silent_line,
)
from nodes.ensemble.policies.words import agent_name, opened
from nodes.ensemble.scores.stances import POOL
from nodes.model_settings import provider_settings
from prompts import Words
from threadx.web.frame import (
    OBSERVABILITY_PATH,
    SUMMARY_PATH,
    Site,
    Table,
    Text,
    attribute,
    card,
    fact,
    frame,
)
from threadx.web.hours import hour_key
from threadx.web.moments import moment
from threadx.web.watching import Watched, watched

POLL_SECONDS = 10.0
_TONES = {"finished": "tx-good", "degraded": "tx-soft", "failed": "tx-bad"}


def _models(run: Mapping[str, Any]) -> str:
    """The models that answered, each once."""
    return ", ".join(dict.fromkeys(model for model in run.get("models", {}).values() if model)) or "–"


def alarms(found: Watched, health: Sequence[providers.Health] | None, words: Words) -> list[str]:
    """What calls for somebody: limits that are passed, and models most of which do not answer.

    Args:
        found: what the logs say.
        health: who would answer now; None while nobody was asked: then each model's last call counts.
        words: of the reader.
    """
    if health is None:
        answering = [
            not (one.circuit.is_open or one.last_failure) for one in found.models if one.model != RULES
        ]
    else:
        answering = [one.ok for one in health if one.reference != RULES]
    silent = silent_line(answering, words)
    return [*alert_lines(found.week.alerts, words), *([silent] if silent else [])]


class Watch:
    """The figures of the page; `draw` shows them anew."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.box = ui.element("div")
        self.health: Sequence[providers.Health] | None = None
        self.found: Watched | None = None

    def hear(self, health: Sequence[providers.Health]) -> None:
        """Who would answer now: it may be an alert of its own."""
        self.health = health
        if self.found is not None:
            self.draw(self.found)

    def draw(self, found: Watched) -> None:
        """Show what the logs say now."""
        words, week = self.words, found.week
        self.found = found
        self.box.clear()
        with self.box:
            alerts = alarms(found, self.health, words)
            for line in alerts:
                attribute(Text("p", line, "tx-warn"), "role", "alert")
            if not alerts and self.health is not None:  # who would answer has been asked
                Text("p", words("ensemble.history.quiet"), "tx-good")
            with ui.element("div").classes("tx-facts"):
                fact(words("web.watch.success"), words.percent(found.success, 0), words("web.watch.week"))
                fact(
                    words("web.watch.p95"),
                    words("web.watch.seconds", count=words.number(week.p95_seconds, 1)),
                )
                fact(words("web.watch.runs"), words.number(week.runs), words("web.watch.week"))
                fact(words("web.watch.cache"), words.percent(found.cache_share, 0), words("web.watch.week"))
                fact(words("web.watch.tokens"), words.number(found.tokens), words("web.watch.week"))
            with card(words("web.watch.last")):
                self._runs(found)
            if found.standing is not None:
                with card(words("web.watch.record")):
                    self._standing(found.standing)
            with card(words("web.watch.models")):
                self._records(found)

    def _runs(self, found: Watched) -> None:
        words = self.words
        if not found.runs:
            Text("p", words("web.watch.none"))
            return
        names = ("time", "hour", "status", "duration", "model", "calls", "used", "reason")
        table = Table([words(f"web.watch.{name}") for name in names], numbers=[3, 5, 6], prose=[7])
        for run in found.runs:
            hour = run.get("hour") or ""
            shown = table.row(
                [
                    moment(words, run["time"]),
                    moment(words, hour),
                    words(f"ensemble.value.{run['status']}"),
                    words("web.watch.seconds", count=words.number(run["seconds"], 1)),
                    _models(run),
                    words.number(run.get("attempts")),
                    words.number(run.get("prompt_tokens", 0) + run.get("answer_tokens", 0)),
                    failure_reason(run, words) or "–",
                ],
                links=[
                    None,
                    f"{SUMMARY_PATH}?hour={hour_key(datetime.fromisoformat(hour))}" if hour else None,
                ],
            )
            shown[2].classes(_TONES.get(run["status"], ""))

    def _standing(self, line: Mapping[str, Any]) -> None:
        """What each voice's forecasts have been worth, and what that makes of its weight."""
        words = self.words
        Text("p", words("web.watch.record_told", moment=moment(words, line["as_of"])), "tx-soft")
        names = ("voice", "gain", "apart", "weight")
        table = Table([words(f"web.watch.{name}") for name in names], numbers=[1, 2, 3])
        for voice, one in line["based_on"].items():
            if one["windows"]:
                name = words("ensemble.score.pool") if voice == POOL else agent_name(voice, words)
                factor = line["factors"].get(voice)
                weight = "–" if factor is None else f"× {words.number(factor)}"
                shown = table.row(
                    [opened(name), words.percent(one["skill"]), words.number(one["windows"]), weight]
                )
                shown[1].classes("tx-good" if one["skill"] > 0.0 else "tx-bad")

    def _records(self, found: Watched) -> None:
        words = self.words
        if not found.models:
            Text("p", words("web.watch.no_calls"))
            return
        names = ("model", "answered", "p95", "cache_hits", "tokens", "circuit", "failure")
        table = Table([words(f"web.watch.{name}") for name in names], numbers=[1, 2, 3, 4], prose=[6])
        for model in found.models:
            if model.circuit.is_open:
                until = datetime.fromtimestamp(model.circuit.retry_at, UTC).isoformat()
                circuit = words("web.watch.open", moment=moment(words, until))
            else:
                circuit = words("web.watch.closed")
            shown = table.row(
                [
                    model.model,
                    words("web.watch.of", part=model.answered, all=model.tries),
                    words("web.watch.seconds", count=words.number(model.p95_seconds, 1)),
                    words.number(model.cached),
                    words.number(model.prompt_tokens + model.answer_tokens),
                    circuit,
                    failure_name(model.last_failure, self.words) or "–",
                ]
            )
            shown[5].classes("tx-bad" if model.circuit.is_open else "tx-good")


class Health:
    """Who would answer now; asked when the page is open, without holding it up."""

    def __init__(self, site: Site, watch: Watch) -> None:
        self.site, self.words, self.watch = site, site.words, watch
        with card(self.words("web.watch.health")) as self.box:
            self._asking = attribute(
                Text("p", self.words("web.form.asking"), "tx-soft"), "aria-live", "polite"
            )
        ui.timer(0.1, self._ask, once=True)

    async def _ask(self) -> None:
        home = str(self.site.home)

        def asked() -> list[providers.Health]:  # in a thread: contexts and settings look at the data folder
            ensemble, cycle = EnsembleContext(home=home), OptimizationContext(home=home)
            chains = [ensemble.chain(role) for role in (*AGENTS, "arbiter")]
            chains += [cycle.analyst, cycle.strategist, cycle.validator]
            return providers.check_all(chains, provider_settings(ensemble))

        found = await threads.io_bound(asked)
        self._asking.set_visibility(False)
        self.watch.hear(found or [])
        with self.box:
            table = Table([self.words(f"web.watch.{name}") for name in ("model", "state", "told")], prose=[2])
            for one in found or []:
                state = self.words("web.watch.answers" if one.ok else "web.watch.silent")
                shown = table.row([one.reference, state, self._told(one)])
                shown[1].classes("tx-good" if one.ok else "tx-bad")

    def _told(self, one: providers.Health) -> str:
        return self.words(one.text_key, **one.fields)


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page(OBSERVABILITY_PATH)
    async def observability_page() -> None:
        found = await threads.io_bound(watched, site.home)
        with frame(site, words("web.watch.title"), OBSERVABILITY_PATH):
            Text("p", words("web.watch.intro"), "tx-soft")
            watch = Watch(words)
            if found is not None:
                watch.draw(found)
            Health(site, watch)
            shown = [found]

            async def poll() -> None:
                now = await threads.io_bound(watched, site.home)
                if now is not None and now != shown[0]:
                    shown[0] = now
                    watch.draw(now)

            ui.timer(POLL_SECONDS, poll)
