"""Page `/threadx`: the runs, ranked by what they came to, and what is done with those that are ticked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from nicegui import events, run, ui

from base.reasons import ENDINGS
from nodes.sharing import ENDING, take_in
from prompts import Words
from record.labels import archive_run
from record.run_list import RunLine
from reports.tables import instrument_title
from threadx.web.file_button import file_button
from threadx.web.frame import (
    COMPARE_PATH,
    NEW_PATH,
    RUNS_PATH,
    Problem,
    Site,
    Text,
    anchor,
    command,
    frame,
    quiet_button,
    run_path,
)
from threadx.web.listing import Listed, list_runs
from threadx.web.moments import moment
from threadx.web.naming import strategy_name, timeframe_name
from threadx.web.ranked import Column, Ranked, Row
from threadx.web.run_head import TONES
from threadx.web.run_keeping import delete, delete_dialog

EXAMPLE = "threadx optimize sample:sp500"
MOST_COMPARED = 4

_COLUMNS = (
    "what",
    "verdict",
    "holdout",
    "holding",
    "period",
    "status",
    "tags",
    "score",
    "models",
    "started",
    "run",
)
_WIDE = frozenset({"tags", "score", "models", "started", "run"})
"""Left out on a phone: the page of each run has them."""
_NUMBERS = frozenset({"holdout", "holding", "score"})
_RANKS = {"real": 3, "promising": 2, "unproven": 1, "overfit": 0}
"""Verdicts in the order in which one would trust them."""


def _what(line: RunLine, words: Words) -> str:
    """Instrument, timeframe and strategies in words, as far as they are known."""
    data = line.data or ""
    prices = ", ".join(
        filter(None, (instrument_title(line.symbol, words) if line.symbol else data, line.timeframe))
    )
    if line.symbol and line.timeframe:
        prices = f"{instrument_title(line.symbol, words)}, {timeframe_name(line.timeframe, words)}"
    first = (
        strategy_name(dict(line.start or {"name": line.strategy}), words)
        if line.strategy or line.start
        else ""
    )
    best = strategy_name(dict(line.champion), words) if line.champion else first
    told = first if best == first else f"{first} → {best}"
    return words("report.pair", name=prices, value=told) if prices and told else prices or told or line.run


def _row(found: Listed, words: Words) -> Row:
    line = found.line
    what = _what(line, words)
    models = ", ".join(line.models) or "–"
    tags = ", ".join(line.label.tags)
    status = words(f"web.runs.{line.status}")
    if line.label.imported:
        status = words("web.runs.imported", status=status)
    return Row(
        values={
            "what": what,
            "verdict": None if line.verdict is None else _RANKS[line.verdict],
            "holdout": line.holdout_return,
            "holding": found.holding,
            "period": line.holdout_period[1] if line.holdout_period else None,
            "status": status,
            "tags": tags,
            "score": line.score,
            "models": models,
            "started": line.started,
            "run": line.run,
        },
        told={
            "what": what,
            "verdict": words(f"verdict.short.{line.verdict}") if line.verdict else "–",
            "holdout": words.percent(line.holdout_return, signed=True),
            "holding": words.percent(found.holding, signed=True),
            "period": words("web.table.period", first=line.holdout_period[0], last=line.holdout_period[1])
            if line.holdout_period
            else "–",
            "status": status,
            "tags": tags,
            "score": words.number(line.score),
            "models": models,
            "started": moment(words, line.started),
            "run": line.run,
        },
        href=run_path(line.run),
        tone=TONES.get(line.verdict or "", ""),
    )


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/")
    async def runs_page(archived: bool = False) -> None:
        found = await run.io_bound(partial(list_runs, site.home, archived=archived))
        rows, total = found or ([], 0)
        with frame(site, words(f"web.runs.{'archived' if archived else 'title'}"), RUNS_PATH):
            if archived:
                anchor(words("web.back"), RUNS_PATH)
                Text("p", words("web.runs.archived_told"), "tx-soft")
            else:
                Text("p", words("web.runs.intro"), "tx-soft")
                _Doors(site)
            if rows:
                _Board(site, rows, archived=archived)
            else:
                Text("p", words(f"web.runs.none{'_archived' if archived else ''}"))
                if not archived:
                    command(EXAMPLE)
            if total > len(rows):
                Text("p", words("web.runs.shown", shown=len(rows), all=total), "tx-soft")


class _Doors:
    """Ways to a run that is not on the list: a new one, one that somebody shared, one that was put away."""

    def __init__(self, site: Site) -> None:
        self.site, words = site, site.words
        with ui.element("div").classes("tx-bar"):
            anchor(words("web.runs.start"), NEW_PATH, "tx-button")
            self._upload = file_button(
                words,
                words("web.runs.open_shared"),
                kinds=(Path(ENDING).suffix,),
                uploaded=self._uploaded,
                complain=lambda line: self._problem.tell(line),
            )
            anchor(words("web.runs.archived"), f"{RUNS_PATH}?archived=true")
        self._problem = Problem()

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        content = await event.file.read()
        self._upload.reset()
        try:
            taken = await run.io_bound(partial(take_in, content, self.site.home, path=event.file.name))
        except ENDINGS as error:
            self._problem.tell(self.site.words.told(error))
            return
        if taken is not None:  # else: the server is going down
            ui.navigate.to(run_path(taken.run).removeprefix(RUNS_PATH))  # the mount is added again


class _Board:
    """The table, what chooses among its rows, and what is done with those that are ticked."""

    def __init__(self, site: Site, rows: list[Listed], *, archived: bool) -> None:
        self.site, self.words, words = site, site.words, site.words
        self._all, self._shown = rows, rows
        self._runs: list[str] = []
        self._archived = archived
        self._tags: Sequence[str] = ()
        archive = "unarchive" if archived else "archive"
        with ui.element("div").classes("tx-bar"):
            self._compare = quiet_button(words("web.runs.compare"), "compare").on_click(self._go)
            self._archive = quiet_button(words(f"web.runs.{archive}"), archive).on_click(self._put_away)
            self._delete = quiet_button(words("web.runs.delete"), "delete").on_click(self._ask)
        self._problem = Problem()
        self._buttons = (self._compare, self._archive, self._delete)
        for button in self._buttons:
            button.disable()
        tags = {one.casefold(): one for found in rows for one in found.line.label.tags}
        if tags:
            choice = ui.select(
                dict(sorted(tags.items())), label=words("web.runs.tagged"), multiple=True, clearable=True
            )
            choice.props("outlined dense options-dense use-chips").classes("tx-search")
            choice.on_value_change(lambda event: self._choose(event.value or []))
        ranked = self._ranked = Ranked(
            words,
            [
                Column(
                    name=name,
                    label=words(f"web.runs.column_{name}"),
                    number=name in _NUMBERS,
                    wide=name in _WIDE,
                )
                for name in _COLUMNS
            ],
            title=words("web.runs.title"),
            per_page=15,
            order=("started", True),
            leads=True,
            toned="verdict",
            chosen=self._chosen,
        )
        ranked.leave_out(() if tags else ("tags",))
        self._choose([])

    def _choose(self, tags: Sequence[str]) -> None:
        """Show the runs that have every one of these tags."""
        self._tags = tags
        self._shown = [one for one in self._all if all(one.line.label.has(tag) for tag in tags)]
        self._ranked.show([_row(one, self.words) for one in self._shown])

    def _chosen(self, places: list[int]) -> None:
        """Offer what can be done with so many: two to four can be compared."""
        self._runs = [self._shown[place].line.run for place in places]
        self._compare.set_enabled(2 <= len(places) <= MOST_COMPARED)
        for button in (self._archive, self._delete):
            button.set_enabled(bool(places))

    def _go(self) -> None:
        path = COMPARE_PATH.removeprefix(RUNS_PATH)  # the mount is added again
        ui.navigate.to(f"{path}?{urlencode([('run', run) for run in self._runs])}")

    async def _put_away(self) -> None:
        """One after the other; the first refusal is shown, and the rest is left as it was."""
        for one in list(self._runs):
            if not await self._done(partial(archive_run, archived=not self._archived), self.site.home, one):
                return
            self._without({one})

    def _ask(self) -> None:
        delete_dialog(self.site, self._runs, self._deleted)

    async def _deleted(self) -> None:
        runs = list(self._runs)
        if await self._done(delete, self.site, runs):
            self._without(set(runs))

    async def _done(self, act: Callable[..., object], *given: object) -> bool:
        """Do something that may be refused, and show the refusal; whether it was done."""
        try:
            await run.io_bound(act, *given)
        except ENDINGS as error:
            self._problem.tell(self.words.told(error))
            return False
        return True

    def _without(self, gone: Collection[str]) -> None:
        """Show the list without these runs."""
        self._all = [found for found in self._all if found.line.run not in gone]
        self._choose(self._tags)
