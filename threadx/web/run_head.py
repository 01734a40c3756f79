"""What a run's page shows at one glance: may it be trusted, why, what next, and the curves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nicegui import run as threads
from nicegui import ui

from base.reasons import ENDINGS
from nodes.context import RULES
from nodes.following import seal_run
from prompts import Words
from record.record import RunRecord
from record.results import RunResult
from record.run_view import RunView
from reports.belief import GOOD_VERDICTS, main_reason_lines, verdict_line
from reports.charts.style import BLUE, GREY, YELLOW
from reports.comparison import Comparison, Floats, headline
from threadx.web.frame import (
    FOLLOW_PATH,
    MODELS_PATH,
    NEW_PATH,
    RUNS_PATH,
    Problem,
    Site,
    Text,
    anchor,
    attribute,
    quiet_button,
)
from threadx.web.moments import duration, moment
from threadx.web.naming import ROLES, title, without_model
from threadx.web.order import form_query
from threadx.web.panes import Dash, Line, Pane, Panes
from threadx.web.run_data import Curves
from threadx.web.run_keeping import Keeping
from threadx.web.steering_panel import Panel

TONES = {"real": "good", "promising": "good", "unproven": "soft", "overfit": "bad"}
LOOKS: Mapping[str, tuple[str, Dash]] = {
    "initial": (GREY, "dashed"),
    "market": (YELLOW, "dotted"),
    "champion": (BLUE, "solid"),
}
"""Colour and dash of each account; the champion's is drawn last, over the others."""
_NOT_JUDGED = ("failed", "untested")


def account_lines(found: Mapping[str, Floats], words: Words) -> list[Line]:
    """A line for each of start, holding and champion."""
    return [
        Line(name=words(f"report.who.{who}"), values=found[who], colour=colour, dash=dash)
        for who, (colour, dash) in LOOKS.items()
    ]


class RunHead:
    """The fold of the page; `draw` brings it up to date, `close` adds what only a finished run has.

    Args:
        site: what the page belongs to.
        record: the run's.
        heading: the page's first heading, which becomes the run's title.
    """

    def __init__(self, site: Site, record: RunRecord, heading: Text) -> None:
        self.site, self.words, self.record = site, site.words, record
        self._heading, self._titled = heading, ""
        self._about_told: Mapping[str, Any] = {}
        with ui.element("div").classes("tx-head-bar") as bar:
            with ui.element("p").classes("tx-small tx-about"):
                anchor(self.words("web.back"), RUNS_PATH)
                self._about = Text("span", "")
            with ui.element("div").classes("tx-live"):
                self._now = attribute(Text("span", ""), "role", "status")
                self._best = Text("span", "", "tx-soft")
        self.panel = Panel(site, record, bar)
        self.keeping = Keeping(site, record, bar, self.panel.act)
        with ui.element("div").classes("tx-fold"):
            self._trust = ui.element("div").classes("tx-fold-trust")
            self._right = ui.element("div").classes("tx-fold-curves")
            self._left = ui.element("div").classes("tx-fold-why")
        self._curves: Curves | None = None
        self._panes: Panes | None = None
        with self._right:
            self._gone = Text("p", self.words("web.fold.no_prices"), "tx-soft")
            self._gone.set_visibility(False)
            with ui.element("div") as self._shown:
                with ui.element("div").classes("tx-growth"):
                    self._growth = Text("span", "", "tx-small")
                    names = {name: self.words(f"web.fold.{name}") for name in ("all", "apart")}
                    self._choice = ui.toggle(names, value="all", on_change=self._draw)
                    self._choice.props("no-caps dense unelevated").classes("tx-choice")
                self._box = ui.element("div")
                Text("p", self.words("web.fold.gestures"), "tx-small tx-gestures")
            self._shown.set_visibility(False)
        with self._left:
            self._reasons = ui.element("div")
            self._models = Text("p", "", "tx-small")
            self._rest = ui.element("div")
            self._seal_told = Problem()

    def know(self, about: Mapping[str, Any]) -> None:
        """Take what `run.json` says."""
        self._about_told = about

    @property
    def _context(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._about_told.get("context", {})
        return found

    @property
    def reviews(self) -> bool:
        """Whether the run reads a backtest and changes nothing."""
        return bool(self._about_told.get("graph") == "review")

    def state(self, view: RunView) -> str:
        """How the run stands: a key of `web.runs`."""
        if view.status is not None:
            return view.status
        standing = self.panel.state
        if standing is None or standing.held:
            return "at_work" if view.events else "starting"
        if not standing.begun:
            return "interrupted"
        return "waiting" if view.question is not None else "interrupted"

    def draw(self, view: RunView) -> None:
        """Bring the fold up to date."""
        words, state = self.words, self.state(view)
        if (told := title(view, self._about_told, words)) and told != self._titled:
            self._titled = told
            self._heading.set_text(told)
            ui.page_title(f"{told} · {words('web.title')}")
        when = moment(words, view.last_time or str(self._about_told.get("started", "")))
        shown = words(f"web.runs.{state}")
        self._about.set_text(words("web.fold.about", run=self.record.run, state=shown, moment=when))
        self._live(view, state)
        written = self._context.get("language", words.language) != words.language
        other = words("web.fold.other_language") if written else ""
        self._models.set_text(" ".join(filter(None, (self._models_line(view), other))))

    def _live(self, view: RunView, state: str) -> None:
        words = self.words
        score = {"best": words.number(view.score), "start": words.number(view.initial_score)}
        now = best = ""
        if state == "starting":
            now = words("web.live.starting")
        elif state == "at_work" and view.at_work is not None:
            limit = self._context.get("max_iterations") or "–"
            node = words(f"web.node.{view.at_work}")
            now = words("web.live.now", node=node, iteration=view.iteration or "–", most=limit)
            best = words("web.live.best", time=self._elapsed(), **score)
        elif state in ("waiting", "interrupted"):
            key = "waits" if state == "waiting" else "interrupted"
            early = state == "interrupted" and view.initial_score is None
            now = (
                words("web.live.interrupted_early")
                if early
                else words(f"web.live.{key}", iteration=view.iteration, **score)
            )
        self._now.set_text(now)
        self._best.set_text(best)

    def _elapsed(self) -> str:
        started = self._about_told.get("started")
        if not started:
            return "–"
        return duration(
            self.words, (datetime.now(UTC) - datetime.fromisoformat(str(started))).total_seconds()
        )

    def _models_line(self, view: RunView) -> str:
        words = self.words
        if view.initial is None:
            return ""
        roles = (self._context.get(role) or () for role in ROLES)
        asked = list(dict.fromkeys(one for chain in roles for one in chain if one != RULES))
        if without_model(view, self._context):
            known = words("web.fold.models_silent", models=words.join(asked)) if asked else ""
            return known or words("web.fold.models_none")
        answered = sorted(set(view.models) - {RULES})
        if not answered:
            return words("web.fold.models_awaited", models=words.join(asked))
        told = {"models": words.join(answered)}
        if view.stood_in:
            return words("web.fold.models_partly", count=view.stood_in, **told)
        return words("web.fold.models_some", **told)

    def close(self, result: RunResult, found: Comparison, view: RunView, *, sealed: bool) -> None:
        """Draw the verdict, the reasons and what to do next.

        Args:
            result: of the run.
            found: its figures by part.
            view: the run.
            sealed: the champion is followed already.
        """
        self.keeping.shareable()
        with self._trust:
            self._verdict(result, found)
        if result.get("verdict"):
            with self._reasons:
                Text("h2", self.words("web.fold.why"), "tx-why")
                with ui.element("ul").classes("tx-list tx-reasons"):
                    for reason in main_reason_lines(result, self.words):
                        Text("li", reason)
        with self._rest:
            self._next(result, view, sealed)

    def close_review(self) -> None:
        """Offer the report of a review: its findings stand below."""
        self.keeping.shareable()
        with self._rest, ui.element("div").classes("tx-buttons"):
            self.panel.report_button()

    def _verdict(self, result: RunResult, found: Comparison) -> None:
        words = self.words
        if not result.get("verdict"):
            key = result["status"] if result["status"] in _NOT_JUDGED else "untested"
            Text("p", words(f"web.fold.{key}"), "tx-trust tx-bad")
            Text(
                "p", words(f"report.status.{key}", reason=words(f"optimization.stop.{result['stop_reason']}"))
            )
            return
        value = result["verdict"]["value"]
        # Who has lost money out of sample is not told in a neutral tone, whatever is proven.
        lost = (result["holdout_metrics"] or {}).get("total_return") or 0.0
        tone = "bad" if TONES[value] == "soft" and lost < 0.0 else TONES[value]
        Text("p", words(f"web.fold.trust_{value}"), f"tx-trust tx-{tone}")
        Text("p", headline(result, found, words), "tx-headline")
        Text("p", verdict_line(result, words), "tx-verdict")

    def _next(self, result: RunResult, view: RunView, sealed: bool) -> None:
        words = self.words
        verdict = (result.get("verdict") or {}).get("value")
        Text("p", words(f"web.next.{verdict or 'none'}"), "tx-next")
        data = self._about_told["input"].get("data")
        again = f"{NEW_PATH}?{form_query(data, view.dataset, view.initial)}"
        links = [("strategy", f"{NEW_PATH}?{form_query(data, view.dataset, None)}")]
        if verdict is None:
            links = [("models", MODELS_PATH), ("again", again)]
        elif verdict not in GOOD_VERDICTS:
            links += [("history", NEW_PATH), ("instruments", again)]
        else:
            links += [("instruments", again)]
        believed = verdict in GOOD_VERDICTS
        with ui.element("div").classes("tx-buttons"):
            if believed:
                self._follow(sealed)
            for name, path in links:
                anchor(words(f"web.next.{name}"), path, "tx-button")
            if verdict is not None and not believed:  # nobody is first sent after what is not to be trusted
                self._follow(sealed)
            self.panel.report_button()

    def _follow(self, sealed: bool) -> None:
        if sealed:
            anchor(self.words("web.next.followed"), FOLLOW_PATH, "tx-button")
            return
        self._seal = quiet_button(self.words("web.next.follow"), "verified")
        self._seal.on_click(self._on_seal)

    async def _on_seal(self) -> None:
        """Seal the champion as `threadx follow` does, and lead to what is followed."""
        self._seal.disable()
        try:
            await threads.io_bound(seal_run, self.record.run, self.site.home)
        except ENDINGS as error:
            self._seal_told.tell(self.words.told(error))
            self._seal.enable()
            return
        ui.navigate.to(FOLLOW_PATH.removeprefix(RUNS_PATH))

    def show(self, found: Curves | None) -> None:
        """Draw the accounts; None where their prices are gone."""
        self._curves = found
        self._gone.set_visibility(found is None)
        self._shown.set_visibility(found is not None)
        self._choice.set_visibility(found is not None and found.apart is not None)
        if found is not None:
            self._draw()

    def _draw(self) -> None:
        """Draw them from the start, or out of sample alone, as was chosen."""
        words, found = self.words, self._curves
        if found is None:
            return
        apart = self._choice.value == "apart" and found.apart is not None
        shown = found.apart if apart and found.apart is not None else found
        self._growth.set_text(words("web.fold.growth_apart" if apart else "web.fold.growth"))
        gained = {who: account - 1.0 for who, account in shown.accounts.items()}
        panes = [Pane(title="", unit="percent", lines=account_lines(gained, words), height=0)]
        if self._panes is not None:
            self._panes.replace(shown.index, panes, boundary=shown.boundary)
            return
        with self._box:
            says = words("web.fold.chart")
            self._panes = Panes(words, shown.index, panes, says=says, boundary=shown.boundary)
